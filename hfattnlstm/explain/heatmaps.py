"""Heat maps of weights, by matplotlib (`pip install "hfattnlstm[plots]"`): a row a head, text, step or word."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..data.figures import new_figure, shortened, with_fonts
from .context_maps import ContextMaps
from .explanation import Explanation


if TYPE_CHECKING:
    from matplotlib.figure import Figure

# More words than that have no room for their names.
MOST_WORDS = 60
_LONGEST_WORD = 14
# Of each text of a batch.
_WORDS_OF_A_TEXT = 20
_INCHES_A_WORD, _INCHES_A_ROW = 0.32, 0.34
# Of a map of words by words, and of all maps side by side.
_INCHES_A_CELL, _MOST_INCHES = 0.16, 24.0
_NO_WORD = "There is no word to draw: give a text that has one."


def plot_heads(explanation: Explanation) -> Figure:
    """A row for each attention head, a column for each token of a text.

    Args:
        explanation: By `method="attention"`; of other methods there is one row.

    Raises:
        ImportError: matplotlib is not installed.
        ValueError: The text has no token.

    Example:

    ```python
    >>> classifier = pipeline("text-classification", "my-model")
    >>> options = {"method": "attention", "faithfulness": False}
    >>> found = explain("Not bad at all, the coffee", classifier.model, classifier.tokenizer, **options)
    >>> plot_heads(found).savefig("heads.png")
    ```
    """
    names = [f"head {index}" for index in range(1, len(explanation.head_weights) + 1)]
    tokens = [token.text for token in explanation.tokens]
    return _heat_map(explanation.head_weights, tokens, names if len(names) > 1 else [explanation.method])


def plot_steps(explanations: Sequence[Explanation], names: Sequence[str]) -> Figure:
    """A row for each explanation of the same text, such as after each epoch of a training, a column for each word.

    Args:
        explanations: Of one text, by models of the same tokenizer.
        names: Of the rows.

    Raises:
        ImportError: matplotlib is not installed.
        ValueError: There are other numbers of names, or other texts; or the text has no word.

    Example:

    ```python
    >>> classifier = pipeline("text-classification", "my-model")
    >>> methods = ["attention", "occlusion"]
    >>> found = [
    ...     explain("Slow soup", classifier.model, classifier.tokenizer, method=method, faithfulness=False)
    ...     for method in methods
    ... ]
    >>> plot_steps(found, methods).savefig("methods.png")
    ```
    """
    if len(explanations) != len(names):
        raise ValueError(f"There are {len(explanations)} explanations and {len(names)} names: give one of each a row.")
    words = [[(word.text, word.start) for word in one.words] for one in explanations]
    if any(own != words[0] for own in words):
        raise ValueError(
            "The explanations are of different texts, or of different tokenizers: give those of one text."
        )
    # Methods have units of their own, so each row is shown against its largest weight.
    rows = np.array([_of_largest([word.weight for word in one.words]) for one in explanations])
    return _heat_map(rows, [text for text, _ in words[0]] if words else [], names)


def plot_texts(explanations: Sequence[Explanation]) -> Figure:
    """A row for each text of a batch, with its words in the cells, and their weights against the largest of the text.

    Args:
        explanations: Of texts; of each the first 20 words are drawn.

    Raises:
        ImportError: matplotlib is not installed.
        ValueError: No text has a word.

    Example:

    ```python
    >>> classifier = pipeline("text-classification", "my-model")
    >>> found = explain(["Slow soup", "Great view"], classifier.model, classifier.tokenizer, faithfulness=False)
    >>> plot_texts(found).savefig("texts.png")
    ```
    """
    drawn = [one.words[:_WORDS_OF_A_TEXT] for one in explanations]
    longest = max(map(len, drawn), default=0)
    rows = np.full((len(drawn), longest), np.nan)
    for row, (one, words) in enumerate(zip(explanations, drawn)):
        shares = _of_largest([word.weight for word in one.words])
        rows[row, : len(words)] = shares[: len(words)]
    names = [f"{shortened(one.label, _LONGEST_WORD)} {one.score:.2f}" for one in explanations]
    cells = [[shortened(word.text, _LONGEST_WORD) for word in words] for words in drawn]
    return _heat_map(rows, [], names, cells)


def plot_context(maps: ContextMaps) -> Figure:
    """How much of each word every other word takes: a panel for each context layer and head, in which a row attends.

    Args:
        maps: As from [`context_maps`]; the first 60 words are drawn.

    Raises:
        ImportError: matplotlib is not installed.
        ValueError: The text has no word.

    Example:

    ```python
    >>> plot_context(context_maps("Slow soup", model, tokenizer)).savefig("context.png")
    ```
    """
    if not maps.words:
        raise ValueError(_NO_WORD)
    words = [shortened(word, _LONGEST_WORD) for word in maps.words[:MOST_WORDS]]
    layers, heads = maps.weights.shape[:2]
    side = min(max(_INCHES_A_CELL * len(words), 1.6), _MOST_INCHES / heads)
    size = (heads * side + 1.6, layers * (side + 0.5) + 1.0)
    figure, panels = new_figure(*size, layers, heads)
    panels = np.reshape(panels, (layers, heads))
    for layer, head in np.ndindex(layers, heads):
        axes, weights = panels[layer, head], maps.weights[layer, head, : len(words), : len(words)]
        # Heads whose weights are even have none that stands out beside those of others.
        highest = float(weights.max())
        image = axes.imshow(weights / (highest or 1.0), cmap="Oranges", vmin=0.0, vmax=1.0)
        axes.set_title(f"{maps.layers[layer]} {layer + 1}, head {head + 1}\nup to {highest:.2g}", fontsize=8)
        bottom, left = layer == layers - 1, head == 0
        axes.set_xticks(range(len(words)), words if bottom else [], rotation=90, fontsize=6)
        axes.set_yticks(range(len(words)), words if left else [], fontsize=6)
    figure.colorbar(image, ax=list(panels.flat), shrink=0.6).set_label("of the panel's largest weight", fontsize=8)
    figure.supxlabel("attended to", fontsize=8)
    figure.supylabel("attending", fontsize=8)
    return with_fonts(figure)


def _of_largest(weights: Sequence[float]) -> np.ndarray:
    found = np.array(weights, dtype=np.float64)
    highest = np.abs(found).max(initial=0.0)
    return found / highest if highest else found


def _heat_map(
    rows: np.ndarray, columns: Sequence[str], names: Sequence[str], cells: Sequence[Sequence[str]] | None = None
) -> Figure:
    if not rows.size:
        raise ValueError(_NO_WORD)
    signed = bool((np.nan_to_num(rows) < 0).any())
    highest = float(np.nanmax(np.abs(rows))) or 1.0
    inches = 0.95 if cells is not None else _INCHES_A_WORD
    width = min(max(2.2 + inches * rows.shape[1], 4.0), 24.0)
    figure, axes = new_figure(width, min(max(1.5 + _INCHES_A_ROW * len(rows), 2.0), 16.0))
    colours = "PuOr_r" if signed else "Oranges"
    image = axes.imshow(rows, cmap=colours, vmin=-highest if signed else 0.0, vmax=highest, aspect="auto")
    figure.colorbar(image, ax=axes, label="weight")
    axes.set_yticks(range(len(names)), [shortened(name) for name in names])
    if 0 < len(columns) <= MOST_WORDS:
        shown = [shortened(word, _LONGEST_WORD) for word in columns]
        axes.set_xticks(range(len(shown)), shown, rotation=45, ha="right", rotation_mode="anchor")
    else:
        axes.set_xlabel("words, in reading order")
        axes.xaxis.get_major_locator().set_params(integer=True)
    for row, words in enumerate(cells or ()):
        for place, word in enumerate(words):
            dark = abs(rows[row, place]) > 0.6 * highest
            axes.text(place, row, word, ha="center", va="center", fontsize=7, color="white" if dark else "black")
    return with_fonts(figure)

"""Where a model looked for each word that it wrote, as a picture and as a page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data.figures import new_figure, shortened, with_fonts
from ..modeling.shown_results import safe_html
from .html import page_of


if TYPE_CHECKING:
    from matplotlib.figure import Figure

# More words than that have no room.
MOST_WORDS = 60
_LONGEST_WORD = 16
_INCHES_A_CELL, _LEAST_INCHES = 0.34, 2.6
# Below this share nothing is shown of a cell, and so many shades are told apart.
_LEAST, _SHADES = 0.02, 10
_STYLE = """
.pair { border-top: 1px solid var(--line); padding: .8rem 0 }
.written { font-weight: 600; margin: .2rem 0 .6rem }
.scroll { overflow-x: auto }
table.alignment { border-collapse: collapse; margin: 0; font-size: .85rem }
table.alignment th { padding: .1rem .4rem; font-weight: 400; white-space: nowrap }
table.alignment thead th { writing-mode: vertical-rl; transform: rotate(180deg); text-align: left; max-height: 9rem }
table.alignment tbody th { text-align: right }
table.alignment td { width: 1.7rem; height: 1.5rem; min-width: 1.7rem; border: 1px solid #8883; padding: 0 }
"""
_STYLE += "".join(
    f"td.a{shade} {{ background: rgba(0, 114, 206, {shade / _SHADES:.1f}) }}\n" for shade in range(1, _SHADES + 1)
)


def plot_alignment(result: Mapping[str, Any]) -> Figure:
    """A row for each word that was written, a column for each that was read.

    Args:
        result: What `pipeline("attention-text2text")` gave; the first 60 words of each text are drawn.

    Raises:
        ImportError: matplotlib is not installed.
        ValueError: There is no word on one of the sides, or the result has no alignment.

    Example:

    ```python
    >>> translator = pipeline("attention-text2text", model="translator")
    >>> plot_alignment(translator("Ein Hund bellt.")).savefig("alignment.png")
    ```
    """
    read, written, weights = _cells(result)
    if not read or not written:
        raise ValueError("There is no word to draw: give a text of which something is written.")
    width, height = (
        max(_INCHES_A_CELL * len(words) + margin, _LEAST_INCHES) for words, margin in ((read, 2.4), (written, 1.6))
    )
    figure, axes = new_figure(width, height)
    image = axes.imshow(weights, cmap="Blues", vmin=0.0, vmax=1.0, aspect="auto")
    figure.colorbar(image, ax=axes, label="attention")
    axes.set_xticks(range(len(read)), [shortened(word, _LONGEST_WORD) for word in read], rotation=60, ha="right")
    axes.set_yticks(range(len(written)), [shortened(word, _LONGEST_WORD) for word in written])
    axes.set_xlabel("read")
    axes.set_ylabel("written")
    return with_fonts(figure)


def alignment_page(results: Iterable[Mapping[str, Any]], texts: Iterable[str], title: str) -> str:
    """A page with each text, what was written from it, and a table of the attention between their words.

    Args:
        results: From the pipeline.
        texts: What was read, for each.
        title: As plain text.

    Example:

    ```python
    >>> word = {"text": "dog", "start": 0, "end": 3, "weights": [1.0]}
    >>> found = {"generated_text": "dog", "score": 0.0, "source": [{"text": "Hund"}], "alignment": [word]}
    >>> 'class="a10"' in alignment_page([found], ["Hund"], "animals")
    True
    ```
    """
    return page_of(title, "\n".join(_block(text, result) for text, result in zip(texts, results)), _STYLE)


def _cells(result: Mapping[str, Any]) -> tuple[list[str], list[str], np.ndarray]:
    """The words that were read and written, and the weights between them."""
    if "alignment" not in result:
        raise ValueError("The result has no alignment: call the pipeline with alignment=True.")
    read = [word["text"] for word in result["source"]][:MOST_WORDS]
    written = result["alignment"][:MOST_WORDS]
    weights = np.array([word["weights"][: len(read)] for word in written]).reshape(len(written), len(read))
    return read, [word["text"] for word in written], weights


def _block(text: str, result: Mapping[str, Any]) -> str:
    read, written, weights = _cells(result)
    head = "".join(f'<th scope="col">{safe_html(word)}</th>' for word in read)
    rows = "".join(
        f'<tr><th scope="row">{safe_html(word)}</th>{"".join(map(_cell, shares))}</tr>'
        for word, shares in zip(written, weights.tolist())
    )
    cut = len(result["source"]) > MOST_WORDS or len(result["alignment"]) > MOST_WORDS
    note = f"<p>The first {MOST_WORDS} words of each side.</p>" if cut else ""
    return (
        f'<article class="pair"><div class="text" dir="auto">{safe_html(text)}</div>'
        f'<div class="text written" dir="auto">{safe_html(result["generated_text"])}</div>'
        f'<div class="scroll"><table class="alignment"><thead><tr><td></td>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>{note}</article>"
    )


def _cell(weight: float) -> str:
    if weight < _LEAST:
        return "<td></td>"
    return f'<td class="a{max(round(weight * _SHADES), 1)}" title="{weight:.0%}"></td>'

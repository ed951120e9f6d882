"""Explanations on a terminal, or in plain lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TextIO

from ..explain import Explanation, FaithfulnessSummary
from ..explain.segments import Segment, segments_of, texts_of
from .terminal import SHADES, bold, has_colours, printable, scale_of, shaded


# For what speaks against the label: as `SHADES`, in blue.
_AGAINST = (195, 159, 153, 117, 75)
# Of plain lines, the words that weigh most.
_WORDS = 5


def print_explanations(explanations: Iterable[Explanation], signed: bool, stream: TextIO) -> None:
    """Print each text with its label, its words and how far their weights can be trusted, and what all say together.

    Args:
        explanations: Of the texts, which are printed as they come.
        signed: Whether weights below 0 speak against the label.
        stream: Where to; a terminal gets shaded words, anything else the words that weigh most.

    Example:

    ```python
    >>> classifier = pipeline("text-classification", "my-model")
    >>> found = hfattnlstm.explain.explain(["Slow soup"], classifier.model, classifier.tokenizer, method="occlusion")
    >>> print_explanations(found, signed=True, stream=sys.stdout)
    negative 0.9990  Slow soup
      Slow +0.4344, soup +0.0007
      The text is too short (2 tokens) to compare the weights with a random ranking.
    ```
    """
    coloured = has_colours(stream)
    if coloured:
        stream.write(f"{_legend(signed)}\n\n")
    measured, count = [], 0
    for explanation in explanations:
        count += 1
        stream.writelines(f"{line}\n" for line in _lines(explanation, coloured))
        if explanation.faithfulness is not None:
            measured.append(explanation.faithfulness)
    if count > 1 and measured:
        verdict = FaithfulnessSummary.of(measured).verdict
        of_all = "" if len(measured) == count else f" (measured on {len(measured):,} of {count:,} texts)"
        stream.write(f"\n{verdict.removesuffix('.')}{of_all}.\n")


def _lines(explanation: Explanation, coloured: bool) -> Iterator[str]:
    shown = [
        "".join(map(_shaded, segments_of(explanation, index))) if coloured else printable(text)
        for index, text in enumerate(texts_of(explanation))
    ]
    label = bold(printable(explanation.label)) if coloured else printable(explanation.label)
    told = f"{label} {explanation.score:.4f}"
    if explanation.target != explanation.label:
        told += f" ({printable(explanation.target)} {explanation.target_score:.4f} is explained)"
    yield f"{told}  {' | '.join(shown)}".rstrip()
    if not coloured:
        heaviest = sorted(explanation.words, key=lambda word: -abs(word.weight))[:_WORDS]
        number = "{:+.4f}" if explanation.is_signed else "{:.4f}"
        words = ", ".join(f"{printable(word.text)} {number.format(word.weight)}" for word in heaviest)
        yield f"  {words}".rstrip()
    if explanation.faithfulness is not None:
        yield f"  {explanation.faithfulness.verdict}"


def _shaded(piece: Segment) -> str:
    palette = SHADES if piece.strength > 0 else _AGAINST
    return shaded(piece.text, palette[abs(piece.strength) - 1] if piece.strength else None)


def _legend(signed: bool) -> str:
    if not signed:
        return f"weight: less {scale_of(SHADES)} more"
    return f"against the label {scale_of(_AGAINST[::-1])} for it {scale_of(SHADES)}"

"""An explained text in pieces that are shown alike: words with the strength of their weights, and what is between."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import regex

from ..modeling.attention_entries import strength


_GRAPHEME = regex.compile(r"\X")


class WeightedSpan(NamedTuple):
    """A word or a token with its weight.

    Attributes:
        text: As it stands in the text that was given.
        start, end: Where it stands there.
        weight: Of an attention, its share; else positive where it speaks for the target.
        text_index: Of several texts that were read together, which one it is of.
    """

    text: str
    start: int
    end: int
    weight: float
    text_index: int = 0


class WeightedSpans(Sequence[WeightedSpan]):
    """The words or tokens of a text in reading order, as columns: each is made when it is read, for they are many.

    Args:
        texts, starts, ends, weights, text_indices: A column for each field of [`WeightedSpan`].

    Example:

    ```python
    >>> spans = WeightedSpans(["Slow", "soup"], [0, 5], [4, 9], [0.8, 0.2], [0, 0])
    >>> len(spans), spans[0].text, max(spans, key=lambda span: span.weight).weight
    (2, 'Slow', 0.8)
    ```
    """

    __slots__ = ("_columns",)

    def __init__(
        self,
        texts: Sequence[str],
        starts: Sequence[int],
        ends: Sequence[int],
        weights: Sequence[float],
        text_indices: Sequence[int],
    ):
        self._columns = (texts, starts, ends, weights, text_indices)

    def __len__(self) -> int:
        return len(self._columns[0])

    def __iter__(self) -> Iterator[WeightedSpan]:
        return map(WeightedSpan, *self._columns)

    def __getitem__(self, index: Any) -> Any:
        found = [column[index] for column in self._columns]
        return WeightedSpans(*found) if isinstance(index, slice) else WeightedSpan(*found)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None

    def __repr__(self) -> str:
        return repr(list(self))


class Weighted(Protocol):
    """A text, or several that were read together, with the weights of their words."""

    text: str | tuple[str, ...]

    @property
    def words(self) -> Sequence[WeightedSpan]:
        """In reading order."""


class Segment(NamedTuple):
    """A piece of a text.

    Attributes:
        text: As it stands there; all pieces together are the text.
        strength: From 1 to 5 for a weight against the largest one of the text, negative for a weight below 0; 0 for
            what has little or none.
        weight: Of the word; None for what is no word, or was not read.
    """

    text: str
    strength: int
    weight: float | None


def texts_of(explanation: Weighted) -> tuple[str, ...]:
    """The texts that were read together, often a single one."""
    return (explanation.text,) if isinstance(explanation.text, str) else explanation.text


def segments_of(explanation: Weighted, index: int = 0) -> list[Segment]:
    """The pieces of a text, or of one of several that were read together.

    No grapheme is split: what is seen as one character belongs to the word that it begins in.

    Example:

    ```python
    >>> classifier = pipeline("text-classification", "my-model")
    >>> found = explain("Slow soup", classifier.model, classifier.tokenizer, method="occlusion")
    >>> [(piece.text, piece.strength) for piece in segments_of(found)][0]
    ('Slow', 5)
    ```
    """
    text = texts_of(explanation)[index]
    highest = max((abs(word.weight) for word in explanation.words), default=0.0)
    words = [word for word in explanation.words if word.text_index == index]
    return [
        Segment(text[start:end], 0 if word is None else strength(word.weight, highest), word and word.weight)
        for start, end, word in _pieces(text, words)
    ]


def _pieces(text: str, words: Sequence[WeightedSpan]) -> Iterator[tuple[int, int, WeightedSpan | None]]:
    """Start and end of each piece, and the word that it is."""
    whole = None if text.isascii() and "\r\n" not in text else _ends_of_graphemes(text)
    position = 0
    for word in words:
        start, end = max(word.start, position), word.end
        if whole is not None and start < end:
            start = whole[start - 1] if start else 0
            end = whole[end - 1]
        if start >= end:
            continue
        if position < start:
            yield position, start, None
        yield start, end, word
        position = end
    if position < len(text):
        yield position, len(text), None


def _ends_of_graphemes(text: str) -> list[int]:
    """For each character, where the grapheme ends that it is a part of."""
    ends: list[int] = []
    for found in _GRAPHEME.finditer(text):
        ends += [found.end()] * (found.end() - found.start())
    return ends

"""Texts with spans of characters, such as annotation tools write them, as words with tags."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from transformers.utils import logging

from .tags import TaggedSentence, tags_of_spans


logger = logging.get_logger(__name__)

# How the keys of a span are called.
_START = ("start", "start_offset", "begin", "start_char")
_END = ("end", "end_offset", "stop", "end_char")
_KIND = ("label", "labels", "type", "entity_group", "entity", "tag", "kind")

Span = tuple[int, int, str]


def text_with_spans(row: Mapping[str, Any], place: str) -> Mapping[str, Any]:
    """A row as an annotation tool has written it, with the text as `text`, and `spans` where they stand deeper.

    Label Studio writes the text under `data`, and the spans into `annotations`; older versions of doccano call the
    text `data`.

    Args:
        row: The row.
        place: Where it is, for errors.

    Raises:
        ValueError: Several people have annotated it, or it has several texts.

    Example:

    ```python
    >>> value = {"start": 0, "end": 5, "text": "Paris", "labels": ["LOC"]}
    >>> row = {"data": {"text": "Paris is big."}, "annotations": [{"result": [{"type": "labels", "value": value}]}]}
    >>> text_with_spans(row, "Row 1")["text"]
    'Paris is big.'
    ```
    """
    data = row.get("data")
    if isinstance(data, str) and "text" not in row:
        return {"text": data, **row}
    if not isinstance(data, Mapping) or not isinstance(row.get("annotations"), list):
        return row
    texts = [value for value in data.values() if isinstance(value, str)]
    text = data.get("text", texts[0] if len(texts) == 1 else None)
    if not isinstance(text, str):
        raise ValueError(f"{place} has {len(texts)} texts in 'data', and none that is called text: leave one.")
    made = [each for each in row["annotations"] if not each.get("was_cancelled")]
    if len(made) > 1:
        raise ValueError(f"{place} has {len(made)} annotations: keep that of one person.")
    results = made[0].get("result", ()) if made else ()
    return {"text": text, "spans": [each["value"] for each in results if "start" in each.get("value", ())]}


def parse_spans(text: str, spans: Any, place: str) -> list[Span]:
    """The spans of a text, in order: start, end and kind.

    Args:
        text: The text.
        spans: A list of `[start, end, kind]`, or of objects with these, such as `{"start": …, "end": …, "label": …}`.
        place: Where the text is, for errors.

    Raises:
        ValueError: A span is none, lies outside of the text, or overlaps with another.

    Example:

    ```python
    >>> parse_spans("Paris is big.", [{"start": 0, "end": 5, "label": "LOC"}], "Row 1")
    [(0, 5, 'LOC')]
    ```
    """
    if not isinstance(spans, (list, tuple)):
        raise ValueError(f"{place} has no list of spans, but {type(spans).__name__}: write [[start, end, kind], …].")
    found = sorted(_span(text, span, place) for span in spans)
    for (start, end, kind), (after, _, other) in pairwise(found):
        if after < end:
            raise ValueError(
                f"{place} has spans that overlap, {text[start:end]!r} ({kind}) and one of {other} from {after}: a "
                "word has one tag, leave one of them out."
            )
    return found


def _span(text: str, span: Any, place: str) -> Span:
    values = (
        [span.get(next((key for key in keys if key in span), "")) for keys in (_START, _END, _KIND)]
        if isinstance(span, Mapping)
        else span
    )
    if isinstance(span, Mapping) and isinstance(values[2], list) and len(values[2]) == 1:
        values[2] = values[2][0]
    is_span = isinstance(values, (list, tuple)) and len(values) == 3
    if not is_span or type(values[0]) is not int or type(values[1]) is not int or not isinstance(values[2], str):
        raise ValueError(
            f"{place} has the span {span!r}: write [start, end, kind], with start and end in characters, or an object "
            "with these keys and label."
        )
    start, end, kind = values
    if not 0 <= start < end <= len(text):
        raise ValueError(
            f"{place} has a span from {start} to {end}, but its text has {len(text)} characters: mend the span."
        )
    if not kind.strip():
        raise ValueError(f"{place} has a span from {start} to {end} without a kind: name it.")
    return start, end, kind.strip()


def words_of_text(
    text: str, spans: Sequence[Span], split: Callable[[str], list[tuple[int, int]]], place: str
) -> tuple[TaggedSentence, int]:
    """A text with spans as words with tags.

    Args:
        text: The text.
        spans: Of characters, in order.
        split: From a text to the start and end of each of its words.
        place: Where the text is, for errors.

    Returns:
        The words, with tags of the scheme bio, and how many spans begin or end inside a word, of which the whole is
        taken.

    Example:

    ```python
    >>> words_of_text("In Paris.", [(3, 8, "LOC")], lambda text: [(0, 2), (3, 8), (8, 9)], "Row 1")[0].tags
    ['O', 'B-LOC', 'O']
    ```
    """
    offsets = split(text)
    of_words: list[tuple[int, int, str]] = []
    inexact = first = 0
    for start, end, kind in spans:
        while first < len(offsets) and offsets[first][1] <= start:
            first += 1
        last = first
        while last < len(offsets) and offsets[last][0] < end:
            last += 1
        bare = text[start:end]
        inside = (start + len(bare) - len(bare.lstrip()), end - len(bare) + len(bare.rstrip()))
        if last == first or (offsets[first][0], offsets[last - 1][1]) != inside:
            inexact += 1
        if last > first:
            of_words.append((first, last, kind))
            first = last
    words = [text[start:end] for start, end in offsets]
    return TaggedSentence(words, tags_of_spans(of_words, len(words)), place, text=text, offsets=offsets), inexact


def tell_inexact(inexact: int, total: int) -> None:
    """Warn where spans do not begin and end with words.

    Example:

    ```python
    >>> tell_inexact(0, 100)
    ```
    """
    if inexact:
        logger.warning(
            "%s of the %s spans begin or end inside a word, or hold none: the whole word is taken.", inexact, total
        )

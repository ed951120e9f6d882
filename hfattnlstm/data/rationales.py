"""Rationales: the words of a text that people have marked as the reasons for its label."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from datasets import Dataset, List, Value

from .._wording import option
from .columns import column_values
from .marks import RATIONALE
from .naming import quote
from .sources import Split


SPANS = List(List(Value("int32")))
_WORD = re.compile(r"\S+")

# Start and end of each marked stretch of a text, in characters.
Spans = list[list[int]]


def check_rationale_column(train: Split, column: str | None, others: Sequence[str]) -> None:
    """Refuse a column that is not there, or is read as something else.

    Raises:
        ValueError: Names the column.
    """
    if column is None:
        return
    columns = train.data.column_names
    if column not in columns:
        raise ValueError(
            f"The {train.origin} has no column {column!r}; it has {quote(columns)}: name it with "
            f"{option('rationale_column')}."
        )
    if column in others:
        raise ValueError(
            f"{option('rationale_column', column)} has the texts or the labels: name the column with the marks."
        )


def read_rationales(
    splits: Mapping[str, Split], column: str | None, text_columns: Sequence[str]
) -> dict[str, list[Spans]]:
    """The marked stretches of each row, of the splits that have the column; the training split must.

    Args:
        splits: As they were read.
        column: Has for each text a list of `[start, end]` in characters, or a 0 or 1 for each of the words between
            which there is white space; nothing for a text that nobody has marked. A csv has the same as JSON. Without
            a name there are none.
        text_columns: With the texts that are marked.

    Raises:
        ValueError: Names the column, or the row.

    Example:

    ```python
    >>> reviews = Dataset.from_dict({"text": ["Slow soup", "Good"], "label": [0, 1], "marks": [[1, 0], [1]]})
    >>> read_rationales({"train": Split(reviews, "reviews")}, "marks", ["text"])
    {'train': [[[0, 4]], [[0, 4]]]}
    ```
    """
    if column is None:
        return {}
    named = option("rationale_column", column)
    if len(text_columns) > 1:
        raise ValueError(
            f"{named} marks words of single texts, and {quote(text_columns)} are read together: leave it out."
        )
    having = {name: split for name, split in splits.items() if column in split.data.column_names}
    found = {name: _of_split(split, column, text_columns[0]) for name, split in having.items()}
    if not any(found["train"]):
        raise ValueError(f"The column {column!r} of the {splits['train'].origin} marks nothing: leave {named} out.")
    return found


def with_rationales(data: Dataset, rationales: list[Spans] | None) -> Dataset:
    """The same rows with a column `rationale`, if there are any."""
    return data if rationales is None else data.add_column(RATIONALE, rationales, feature=SPANS)


def _of_split(split: Split, column: str, text_column: str) -> list[Spans]:
    texts = column_values(split.data, text_column).to_pylist()
    values = column_values(split.data, column).to_pylist()
    found = []
    for row, (text, value) in enumerate(zip(texts, values), 1):
        try:
            # Whoever reads the texts tells of one that is missing.
            found.append([] if text is None else _spans(str(text), value))
        except (TypeError, ValueError):
            words = len(_WORD.findall(str(text)))
            raise ValueError(
                f"The column {column!r} of the {split.origin} has in row {row} neither [start, end] of stretches in "
                f"its text of {len(str(text))} characters, nor a 0 or 1 for each of its {words} words: change the row."
            ) from None
    return found


def _spans(text: str, value: Any) -> Spans:
    """TypeError or ValueError for what is no rationale of the text."""
    if isinstance(value, str):
        value = json.loads(value) if value.strip() else None
    if value is None:
        return []
    if not isinstance(value, list):
        raise TypeError
    if all(isinstance(one, (int, float)) and one in (0, 1) for one in value):
        words = [[found.start(), found.end()] for found in _WORD.finditer(text)]
        if value and len(value) != len(words):
            raise ValueError
        return [word for word, one in zip(words, value) if one]
    if not all(_is_stretch(pair, len(text)) for pair in value):
        raise ValueError
    return [[int(place) for place in pair] for pair in value]


def _is_stretch(pair: Any, length: int) -> bool:
    if not isinstance(pair, list) or len(pair) != 2:
        return False
    are_whole = all(isinstance(place, (int, float)) and not isinstance(place, bool) for place in pair)
    return are_whole and all(place % 1 == 0 for place in pair) and 0 <= pair[0] < pair[1] <= length

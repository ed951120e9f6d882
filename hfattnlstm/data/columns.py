"""Which columns hold the texts and the labels, and what kind of values they have."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc
from datasets import ClassLabel, Dataset, LargeList, List, Value
from transformers.utils import logging

from .._wording import flags_are_named, option
from .naming import quote
from .sources import Split


logger = logging.get_logger(__name__)

# The first name wins over the others: a column "text" next to a "content" leaves no doubt.
TEXT_COLUMNS = ("text", "sentence", "review", "content", "question", "document", "body", "tweet", "comment", "message")
LABEL_COLUMNS = (
    *("label", "labels", "coarse_label", "category", "class", "target"),
    *("sentiment", "intent", "topic", "emotion", "rating", "stars", "score"),
)
# Of single words, in tables with a word a row.
WORD_COLUMNS = ("word", "token", "words", "tokens", "form")
# Columns that data sets of pairs have; both can be named, and none is guessed.
PAIRS = (
    *(("premise", "hypothesis"), ("sentence1", "sentence2"), ("question1", "question2"), ("text1", "text2")),
    *(("text", "text_pair"), ("question", "passage"), ("question", "context"), ("question", "sentence")),
    *(("question", "answer"), ("query", "document"), ("query", "passage")),
)
_USUAL = {"text": TEXT_COLUMNS, "label": LABEL_COLUMNS}
_HEADER_MEND = "; the first line must hold the names of the columns"

# Of several columns, so many at once.
_ROWS_JOINED = 10_000


def column_names(named: str | Sequence[str] | None) -> list[str]:
    """The columns that an option names, one or several; none where it is left out.

    Raises:
        ValueError: One is named twice, or the list is empty.

    Example:

    ```python
    >>> column_names("review"), column_names(("premise", "hypothesis"))
    (['review'], ['premise', 'hypothesis'])
    ```
    """
    if named is None:
        return []
    names = [named] if isinstance(named, str) else list(named)
    if not names or len(set(names)) < len(names):
        raise ValueError(f"{option('text_column')} must name different columns, got {quote(names) or 'none'}.")
    return names


def find_text_columns(
    split: Split, named: str | Sequence[str] | None, others: str | Sequence[str] | None
) -> list[str]:
    """The columns of the texts: those named, in their order, or the one that is found; see [`find_column`]."""
    names = column_names(named) or [None]
    return [find_column(split, "text", name, others) for name in names]


def find_column(split: Split, role: str, named: str | None, other: str | Sequence[str] | None) -> str:
    """Choose the column for a role, "text" or "label": the named one, or one with a usual name; never `other`.

    Texts are also taken from the only column that holds any, and that is told.
    """
    others = column_names(other)
    columns = [*split.data.features, *split.unreadable]
    mend = f"name it with {option(f'{role}_column')}"
    if named is not None:
        if named not in columns:
            raise ValueError(f"The {split.origin} has no column {named!r}; it has {quote(columns)}: {mend}.")
        if named in others:
            both = f"{option('text_column')} and {option('label_column')}"
            raise ValueError(f"{both} are both {named!r}: name two columns.")
        found = [named]
    else:
        found = _candidates(split, role, others)
    if len(found) == 1:
        _check_readable(split, found[0])
        if named is None and not _is_usual(found[0], role):
            _tell_guess(split, found[0])
        if named is None and role == "text":
            _tell_pair(split, found[0])
        return found[0]
    count = "more than one column that could hold" if found else "no column that is known to hold"
    if role == "text" and (pair := _known_pair(columns)):
        mend += (
            f", or both of a pair with {option('text_column', ' '.join(pair) if flags_are_named() else list(pair))}"
        )
    mend += _HEADER_MEND if split.only_strings else ""
    raise ValueError(f"The {split.origin} has {count} the {role}s; it has {quote(columns)}: {mend}.")


def usual_columns(split: Split, role: str) -> list[str]:
    """The columns whose names are usual for a role, "text" or "label"."""
    return [name for name in (*split.data.features, *split.unreadable) if _is_usual(name, role)]


def _candidates(split: Split, role: str, others: Sequence[str]) -> list[str]:
    features = split.data.features
    free = [name for name in (*features, *split.unreadable) if name not in others]
    if role == "text":
        free = [name for name in free if kind_of(features.get(name)) == "string"]
    usual = [name for name in free if _is_usual(name, role)]
    if role == "text" and len(usual) != 1:
        # A usual name leaves no doubt; among several, or without one, the column must hold something to read.
        usual = [name for name in usual if _holds_texts(split.data, name)] or usual
        free = [name for name in free if not _is_usual(name, "label") and _holds_texts(split.data, name)]
    first = [name for name in usual if name.strip().lower() == _USUAL[role][0]]
    return first or usual or (free if role == "text" else [])


def _known_pair(columns: Sequence[str]) -> tuple[str, str] | None:
    """Two of the columns that usually belong together."""
    by_name = {name.strip().lower(): name for name in columns}
    return next(((by_name[one], by_name[two]) for one, two in PAIRS if one in by_name and two in by_name), None)


def _tell_pair(split: Split, column: str) -> None:
    pair = _known_pair([*split.data.features])
    if pair is not None and column in pair:
        both = option("text_column", " ".join(pair) if flags_are_named() else list(pair))
        logger.warning("Of the %s only the column %r is read: %s reads both of a pair.", split.origin, column, both)


def _is_usual(name: str, role: str) -> bool:
    return name.strip().lower() in _USUAL[role]


def _holds_texts(data: Dataset, name: str) -> bool:
    """Whether more than half of the values that are not blank have a letter in them."""
    values = column_values(data, name)
    filled = pc.sum(pc.match_substring_regex(values, r"\S")).as_py() or 0
    letters = pc.sum(pc.match_substring_regex(values, r"\p{L}")).as_py() or 0
    return 2 * letters > filled


def _check_readable(split: Split, column: str) -> None:
    if column in split.unreadable:
        reason = split.unreadable[column]
        raise ValueError(f"The column {column!r} of the {split.origin} {reason}: give it one kind of values.")


def _tell_guess(split: Split, column: str) -> None:
    header = ", and the first line for the header" if split.only_strings else ""
    logger.warning(
        "The column %r of the %s is taken for the texts%s: if it is not meant, %s.",
        column,
        split.origin,
        header,
        f"name another with {option('text_column')}"
        + (", or put a line with names above the first" if header else ""),
    )


def two_columns(split: Split, text_column: str | Sequence[str], label_column: str) -> Split:
    """Keep the texts and the labels, as `text` and `label`, and make sure that every row has its texts.

    Several columns of texts become one of lists.
    """
    names = find_text_columns(split, text_column, label_column)
    find_column(split, "label", label_column, names)
    data = split.data.select_columns([*names, label_column])
    return split._replace(data=_as_text(data, names, split.origin, {label_column: "label"}))


def text_column_of(split: Split, named: str | Sequence[str] | None) -> Dataset:
    """The column of the texts alone, or several, as `text`."""
    names = find_text_columns(split, named, None)
    return _as_text(split.data.select_columns(names), names, split.origin, {})


def _as_text(data: Dataset, names: list[str], origin: str, renamed: dict[str, str]) -> Dataset:
    """The named columns as one, `text`: strings, or lists of them where there are several."""
    for name in names:
        data = _with_texts(data, name, f"column {name!r} of the {origin}")
    # First to names that no column has: one of the texts may be called "label".
    places = {name: f"text {place}" for place, name in enumerate(names)} | renamed
    data = data.rename_columns({old: new for old, new in places.items() if old != new})
    if len(names) == 1:
        return data.rename_column("text 0", "text")
    columns = [f"text {place}" for place in range(len(names))]
    # Not by `map`, whose bar and cache are for what takes long.
    parts = (data[first : first + _ROWS_JOINED] for first in range(0, len(data), _ROWS_JOINED))
    rows = [pa.array([list(row) for row in zip(*(part[name] for name in columns))]) for part in parts]
    joined = pa.chunked_array(rows, pa.list_(pa.string()))
    return data.add_column("text", joined, feature=List(Value("string"))).remove_columns(columns)


def text_keys(data: Dataset) -> pa.ChunkedArray:
    """One string for each row that is equal where its text, or its several texts, are."""
    texts = column_values(data, "text")
    return pc.binary_join(texts, "\0") if kind_of(data.features["text"]) == "list" else texts


def _with_texts(data: Dataset, column: str, where: str) -> Dataset:
    another = f"name another with {option('text_column')}"
    if kind_of(data.features[column]) != "string":
        raise ValueError(f"The {where} holds {data.features[column]}, no texts: {another}.")
    if data.features[column] != Value("string"):
        data = data.cast_column(column, Value("string"))
    texts = column_values(data, column)
    if texts.null_count:
        row = pc.indices_nonzero(pc.is_null(texts))[0].as_py() + 1
        raise ValueError(f"The {where} has no text in row {row}: fill or remove the row.")
    if not any(pc.any(pc.not_equal(pc.utf8_trim_whitespace(chunk), "")).as_py() for chunk in texts.chunks):
        raise ValueError(f"The {where} holds empty texts only: {another}.")
    return data


def column_values(data: Dataset, name: str) -> pa.ChunkedArray:
    """All values of a column."""
    return data.select_columns([name]).with_format("arrow")[:][name]


def kind_of(feature: object) -> str:
    """What a feature holds: "class", "list", "string", "integer", "float" or "other"."""
    if isinstance(feature, (ClassLabel, List, LargeList)):
        return "class" if isinstance(feature, ClassLabel) else "list"
    dtype = feature.dtype if isinstance(feature, Value) else ""
    if dtype in ("float32", "float64"):
        return "float"
    kinds = {"string": "string", "large_string": "string", "int": "integer", "uint": "integer", "bool": "integer"}
    return kinds.get(dtype.rstrip("0123456789"), "other")

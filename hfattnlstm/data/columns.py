"""Which columns hold the texts and the labels, and what kind of values they have."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
from datasets import ClassLabel, Dataset, LargeList, List, Value

from .sources import Split, quote


# The first name wins over the others: a column "text" next to a "content" leaves no doubt.
TEXT_COLUMNS = ("text", "sentence", "review", "content", "question", "document", "body", "tweet", "comment", "message")
LABEL_COLUMNS = (
    *("label", "labels", "coarse_label", "category", "class", "target"),
    *("sentiment", "intent", "topic", "emotion", "rating", "stars", "score"),
)
# What pandas reads as a missing value is a text like any other, but no number.
_NO_NUMBERS = ["", "NA", "N/A", "n/a", "nan", "NaN", "null", "NULL", "None", "none"]
# With a sign "+", leading zeros or too many digits for 64 bits it is a name or a code, and stays a string.
_INTEGER = r"^-?(0|[1-9]\d{0,17})$"
DECIMAL = r"^-?((0|[1-9]\d{0,17})(\.\d*)?|\.\d+)([eE][+-]?\d+)?$"


def convert_numbers(split: Split, text_column: str | None, label_column: str | None) -> Split:
    """Turn the columns of a csv that hold nothing but numbers into numbers; texts stay as they are."""
    if not split.only_strings:
        return split
    table = split.data.data.table
    texts = {text_column, *(name for name in table.column_names if name.strip().lower() in TEXT_COLUMNS)}
    columns = {n: table[n] if n in texts - {label_column} else _as_numbers(table[n]) for n in table.column_names}
    return split._replace(data=Dataset(pa.table(columns)))


def _as_numbers(strings: pa.ChunkedArray) -> pa.ChunkedArray:
    trimmed = pc.utf8_trim_whitespace(strings)
    numbers = pc.if_else(pc.is_in(trimmed, value_set=pa.array(_NO_NUMBERS)), None, trimmed)
    for pattern, kind in ((_INTEGER, pa.int64()), (DECIMAL, pa.float64())):
        # Neither true nor false where there is no value.
        if pc.all(pc.match_substring_regex(numbers, pattern)).as_py():
            return numbers.cast(kind)
    return strings


def find_column(split: Split, role: str, named: str | None, other: str | None) -> str:
    """Choose the column for a role, "text" or "label": the named one, or one with a usual name; never `other`."""
    features, mend = split.data.features, f"name it with {role}_column="
    if named is not None:
        if named not in features:
            raise ValueError(f"The {split.origin} has no column {named!r}; it has {quote(features)}: {mend}.")
        if named == other:
            raise ValueError(f"text_column and label_column are both {named!r}: name two columns.")
        return named
    known = TEXT_COLUMNS if role == "text" else LABEL_COLUMNS
    free = [name for name in features if name != other and (role == "label" or kind_of(features[name]) == "string")]
    usual = [name for name in free if name.strip().lower() in known]
    found = [name for name in usual if name.strip().lower() == known[0]] or usual or (free if role == "text" else [])
    if len(found) == 1:
        return found[0]
    count = "more than one column that could hold" if found else "no column that is known to hold"
    raise ValueError(f"The {split.origin} has {count} the {role}s; it has {quote(features)}: {mend}.")


def two_columns(split: Split, text_column: str, label_column: str) -> Split:
    """Keep the two columns, as `text` and `label`, and make sure that every row has a text."""
    find_column(split, "text", text_column, label_column)
    find_column(split, "label", label_column, text_column)
    data = split.data.select_columns([text_column, label_column])
    data = data.rename_columns({text_column: "text", label_column: "label"})
    where = f"column {text_column!r} of the {split.origin}"
    if kind_of(data.features["text"]) != "string":
        raise ValueError(f"The {where} holds {data.features['text']}, no texts: name another with text_column=.")
    if data.features["text"] != Value("string"):
        data = data.cast_column("text", Value("string"))
    texts = column_values(data, "text")
    if texts.null_count:
        row = pc.indices_nonzero(pc.is_null(texts))[0].as_py() + 1
        raise ValueError(f"The {where} has no text in row {row}: fill or remove the row.")
    if not any(pc.any(pc.not_equal(pc.utf8_trim_whitespace(chunk), "")).as_py() for chunk in texts.chunks):
        raise ValueError(f"The {where} holds empty texts only: name another with text_column=.")
    return split._replace(data=data)


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

"""Labels as people and programs leave them in a column, and what they mean: names, numbers or lists of either."""

from __future__ import annotations

import ast
import json
import re
import unicodedata
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from datasets import Dataset, List, Value
from transformers.utils import logging

from .._wording import option
from ..modeling.configuration_base import REGRESSION, SINGLE_LABEL
from .columns import column_values, kind_of
from .naming import quote


logger = logging.get_logger(__name__)

# With a sign "+", leading zeros or too many digits for 64 bits it is a name or a code, and stays a string.
_INTEGER = r"^-?(0|[1-9]\d{0,17})$"
DECIMAL = r"^-?((0|[1-9]\d{0,17})(\.\d*)?|\.\d+)([eE][+-]?\d+)?$"
# Beside numbers, what pandas reads as a missing value is one.
_NO_NUMBERS = ("", "NA", "N/A", "n/a", "nan", "NaN", "null", "NULL", "None", "none")
# From this share on, a column of a csv is one of numbers, and what is none is a mistake.
_MOSTLY = 0.9
# Beside names, these are what a program or a spreadsheet writes where it has no value …
_MISSING = frozenset(
    {
        *("", "nan", "NaN", "NAN", "<NA>", "NaT", "#N/A", "#N/A N/A", "#NA", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?"),
        *("#NULL!", "#NUM!", "#ERROR!", "#SPILL!", "#CALC!"),
    }
)
# … and these can be both, so it is told that they are taken for names.
_PERHAPS_MISSING = frozenset({"NA", "N/A", "n/a", "None", "none", "null", "NULL", "undefined", "?", "-"})
# White space and what nobody sees, at either end; inside a word, joiners have a meaning.
_UNSEEN = "[\\s\ufeff\u200b\u200c\u200d\u2060\u00ad\x1a]+"
_EDGES = re.compile(f"^{_UNSEEN}|{_UNSEEN}$")
_NUMPY_LIST = re.compile(r"\[\s*[-+.\deE]+(\s+[-+.\deE]+)*\s*\]")


class LabelKindError(ValueError):
    """Labels are of another kind than is asked for.

    Args:
        found: How the sentence begins: what the labels are.
        rest: How it goes on, for whoever chose the kind by a flag.
    """

    def __init__(self, found: str, rest: str):
        super().__init__(f"{found}{rest}")
        self.found = found


class Labels(NamedTuple):
    """The labels of a split."""

    values: pa.Array  # all labels, those of lists one after the other
    rows: np.ndarray  # the row of each label, from 0
    lengths: np.ndarray | None  # only of lists
    feature: object


def read_labels(data: Dataset, where: str, only_strings: bool, problem_type: str | None) -> Labels:
    """The column `label` of a split, cleaned of what is no part of a label.

    Args:
        data: The split.
        where: The column, as a sentence names it.
        only_strings: Whether it comes from a csv, where numbers look like any text.
        problem_type: What the labels shall be, if somebody has said it.

    Raises:
        ValueError: A row has no label, or not one of the kind that the others have.
    """
    values, feature = column_values(data, "label").combine_chunks(), data.features["label"]
    if kind_of(feature) == "string":
        values = _mapped(values.cast(pa.string()), clean_label)
        if lists := _written_lists(values, where):
            values, feature = lists
        elif only_strings and problem_type != SINGLE_LABEL:
            values, feature = _numbers(values, where, problem_type)
    return _flat(values, feature, where)


def clean_label(name: str) -> str:
    """A label without what does not show: white space around it and repeated in it, marks, and other forms of accents.

    Example:

    ```python
    >>> clean_label(" very\\u00a0 good \\ufeff")
    'very good'
    ```
    """
    return " ".join(_EDGES.sub("", unicodedata.normalize("NFC", name)).split())


def _mapped(values: pa.Array, function: Callable[[str], Any], kind: pa.DataType | None = None) -> pa.Array:
    """A function of strings on all of them, once for each that is different."""
    different = pc.unique(values)
    results = pa.array([None if value is None else function(value) for value in different.to_pylist()], kind)
    return pc.take(results, pc.index_in(values, value_set=different))


def _written_lists(values: pa.Array, where: str) -> tuple[pa.Array, object] | None:
    """Lists that were written as text, such as "['a', 'b']"; None where the labels are none."""
    different = [value for value in pc.unique(values).to_pylist() if value]
    if not different or not all(value[0] in "[({" and value[-1] in "])}" for value in different):
        return None
    lists = {value: _parse_list(value) for value in different}
    wrong = [value for value, items in lists.items() if items is None]
    if len(wrong) == len(different):
        return None  # names in brackets
    if wrong:
        row = pc.index(values, wrong[0]).as_py() + 1
        raise ValueError(f"The {where} holds lists written as text, but {wrong[0]!r} in row {row} is none: mend it.")
    logger.warning("The %s holds lists written as text: they are read as lists of labels.", where)
    try:
        read = _mapped(values, lists.get)
    except (pa.ArrowException, TypeError):
        # Names and numbers side by side are names.
        read = _mapped(values, lambda value: [str(item) for item in lists[value]] if value else None)
    if pa.types.is_null(read.type.value_type):
        return None
    return read, List(Value(str(read.type.value_type)))


def _parse_list(text: str) -> list[Any] | None:
    if _NUMPY_LIST.fullmatch(text):
        text = re.sub(r"\s+", ",", text.replace("[ ", "[").replace(" ]", "]"))
    for parse in (json.loads, ast.literal_eval):
        try:
            items = parse(text)
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            continue
        if isinstance(items, (list, tuple, set)) and all(type(item) in (str, int, float, bool) for item in items):
            return sorted(items, key=str) if isinstance(items, set) else list(items)
    return None


def _numbers(values: pa.Array, where: str, problem_type: str | None) -> tuple[pa.Array, object]:
    """The values as numbers, if they are; nearly all but not all of them are a mistake."""
    # Neither true nor false where there is no value.
    numbers = pc.if_else(pc.is_in(values, value_set=pa.array(_NO_NUMBERS)), None, values)
    for pattern, kind in ((_INTEGER, "int64"), (DECIMAL, "float64")):
        if pc.all(pc.match_substring_regex(numbers, pattern)).as_py():
            return numbers.cast(getattr(pa, kind)()), Value(kind)
    plain = pc.match_substring_regex(numbers, DECIMAL)
    count, filled = pc.sum(plain).as_py() or 0, len(numbers) - numbers.null_count
    if problem_type == REGRESSION or (filled and count >= _MOSTLY * filled):
        row = pc.index(plain, False).as_py()
        others = f", as the other {count} values are" if count else ""
        raise LabelKindError(
            f"The {where} holds {values[row].as_py()!r} in row {row + 1}, which is no plain number like 3 or -0.5",
            f"{others}: correct it, or, if these are names, say {option('problem_type', SINGLE_LABEL)}.",
        )
    return values, Value("string")


def _flat(values: pa.Array, feature: object, where: str) -> Labels:
    rows, lengths = np.arange(len(values)), None
    if kind_of(feature) == "list" and not values.null_count:
        lengths = pc.list_value_length(values).to_numpy(zero_copy_only=False)
        rows, values, feature = np.repeat(rows, lengths), values.flatten(), feature.feature
    missing = pc.is_null(values, nan_is_null=True)
    if kind_of(feature) == "string":
        values = values.cast(pa.string())
        values = values if lengths is None else _mapped(values, clean_label)
        missing = pc.or_kleene(missing, pc.is_in(values, value_set=pa.array(sorted(_MISSING))))
    if pc.any(missing).as_py():
        first = pc.indices_nonzero(missing)[0].as_py()
        found = values[first].as_py()
        shown = f" but {found!r}" if isinstance(found, str) and found else ""
        raise ValueError(f"The {where} has no label in row {rows[first] + 1}{shown}: fill or remove the row.")
    if kind_of(feature) == "string":
        _tell_doubtful_names(pc.unique(values).to_pylist(), where)
    return Labels(values, rows, lengths, feature)


def _tell_doubtful_names(names: list[str], where: str) -> None:
    if perhaps := [name for name in names if name in _PERHAPS_MISSING]:
        logger.warning(
            "The %s holds the label %r: it is taken for a name like the others; if it means that there is none, "
            "remove these rows.",
            where,
            perhaps[0],
        )
    folded: dict[str, str] = {}
    for name in names:
        other = folded.setdefault(name.casefold(), name)
        if other != name:
            logger.warning(
                "The %s holds both %s: they are two labels; if they are not meant to be, write them alike.",
                where,
                quote(sorted((other, name))),
            )
            return


def as_strings(values: pa.Array, feature: object) -> pa.Array:
    """Names of the labels: the class's, or the number or the string itself."""
    if kind_of(feature) == "class":
        is_known = pc.and_(pc.greater_equal(values, 0), pc.less(values, len(feature.names)))
        names = pc.take(pa.array(feature.names, pa.string()), pc.if_else(is_known, values, None))
        return pc.coalesce(names, values.cast(pa.string()))
    if kind_of(feature) in ("list", "other"):
        return pa.nulls(len(values), pa.string())
    is_whole = kind_of(feature) == "float" and are_whole(values)
    return (values.cast(pa.int64(), safe=False) if is_whole else values).cast(pa.string())


def are_whole(values: pa.Array) -> bool:
    """Whether floats have nothing behind the point."""
    return bool(pc.all(pc.equal(values, pc.round(values))).as_py())

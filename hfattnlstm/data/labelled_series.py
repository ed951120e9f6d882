"""Series with labels: a label a series, whatever they are measured in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from datasets import ClassLabel, Dataset, DatasetDict, Features, Sequence, Value

from .._wording import option
from ..modeling.configuration_base import MULTI_LABEL, REGRESSION, SINGLE_LABEL
from .naming import quote
from .series_files import name_of, read_table


# What columns are usually called.
VALUES_NAMES = ("values", "series", "past_values", "target", "x")
LABEL_NAMES = ("label", "labels", "class", "y", "target")


def load_labelled_series(
    sources: Mapping[str, Any],
    *,
    values_column: str | None = None,
    label_column: str | None = None,
    problem_type: str | None = None,
    label_names: Iterable[str] | None = None,
) -> tuple[DatasetDict, str]:
    """Read series with a label each.

    Args:
        sources: For "train", and perhaps "validation" and "test", what [`load_series`] reads: JSON lines, parquet or a
            data set with a column of lists, of numbers or of one list a step, or a csv with a label and a number in
            each other column.
        values_column, label_column: Where they are; found by their names without.
        problem_type: What the labels are; without, classes, numbers where they are decimal, or several of 0 and 1
            where they are lists.
        label_names: Of the classes, where a model has decided them, in its order; those of the training rows without.

    Returns:
        Splits with the columns `values`, (length, channels) each, and `label`, and the problem type.

    Raises:
        ValueError: For rows without values or labels, values that are no numbers, channels that differ, and labels
            that the training rows, or the model, have not.

    Example:

    ```python
    >>> splits, problem_type = load_labelled_series({"train": "digits.jsonl"})
    >>> splits["train"][0]["label"], problem_type
    (3, 'single_label_classification')
    ```
    """
    rows = {
        split: _rows_of(read_table(source), values_column, label_column, name_of(source))
        for split, source in sources.items()
    }
    kind = problem_type or _kind_of([label for _, label in rows["train"]])
    feature = _feature(kind, [label for _, label in rows["train"]], label_names)
    known_by = "no training series has" if label_names is None else "the model does not know"
    channels = {values.shape[1] for found in rows.values() for values, _ in found}
    if len(channels) > 1:
        raise ValueError(f"The series have {quote(sorted(map(str, channels)))} channels: give all of them as many.")
    return DatasetDict({split: _dataset(found, feature, split, known_by) for split, found in rows.items()}), kind


def _rows_of(table: pd.DataFrame, values: str | None, label: str | None, origin: str) -> list[tuple[np.ndarray, Any]]:
    table = table.rename(columns=str)
    for flag, name in (("values_column", values), ("label_column", label)):
        if name is not None and name not in table.columns:
            raise ValueError(f"{option(flag, name)} names no column of {origin}: it has {quote(table.columns[:20])}.")
    label = label or _found(table, LABEL_NAMES)
    if label is None:
        raise ValueError(f"{origin} has no column with labels: name it by {option('label_column')}.")
    others = table.drop(columns=label)
    values = values or _found(others, VALUES_NAMES)
    if values is None and all(pd.api.types.is_numeric_dtype(dtype) for dtype in others.dtypes) and len(others.columns):
        series = [_without_filling(row)[:, None] for row in others.to_numpy("float32")]
    elif values is None:
        raise ValueError(f"{origin} has no column with values: name it by {option('values_column')}.")
    else:
        series = [_array(value, row, origin) for row, value in enumerate(others[values], 1)]
    for row, (each, name) in enumerate(zip(series, table[label], strict=True), 1):
        if not len(each):
            raise ValueError(f"Row {row} of {origin} has no values: give some, or leave it out.")
        if not isinstance(name, (list, np.ndarray)) and pd.isna(name):
            raise ValueError(f"Row {row} of {origin} has no label: give one, or leave it out.")
    return list(zip(series, table[label], strict=True))


def _found(table: pd.DataFrame, names: tuple[str, ...]) -> str | None:
    lower = {name.lower(): name for name in reversed(table.columns)}
    return next((lower[name] for name in names if name in lower), None)


def _without_filling(row: np.ndarray) -> np.ndarray:
    """The numbers up to the last one that is there: rows of shorter series are filled up with nothing."""
    known = np.flatnonzero(np.isfinite(row))
    return row[: known[-1] + 1] if len(known) else row[:0]


def _array(value: Any, row: int, origin: str) -> np.ndarray:
    """(length, channels) of a list of numbers, or of one list a step; what is missing is NaN."""
    try:
        parts = [np.atleast_1d(np.asarray(step, "float32")) for step in value]
        return np.stack(parts) if parts else np.empty((0, 1), np.float32)
    except (TypeError, ValueError):
        raise ValueError(
            f"The values in row {row} of {origin} are no list of numbers, nor one list of equal length a step: mend "
            "them."
        ) from None


def _kind_of(labels: list[Any]) -> str:
    if isinstance(labels[0], (list, np.ndarray)):
        return MULTI_LABEL
    numbers = all(isinstance(label, (float, np.floating)) for label in labels)
    return REGRESSION if numbers and any(label != round(label) for label in labels) else SINGLE_LABEL


def _feature(kind: str, labels: list[Any], known: Iterable[str] | None) -> Any:
    if kind == REGRESSION:
        return Value("float32")
    if kind == MULTI_LABEL:
        return Sequence(Value("float32"))
    if known is not None:
        return ClassLabel(names=list(known))
    names = {_name(label) for label in labels}
    whole = all(name.lstrip("-").isdigit() for name in names)
    return ClassLabel(names=sorted(names, key=int if whole else str))


def _name(label: Any) -> str:
    """As a class is called; 3.0 of a table with gaps is 3."""
    return str(int(label)) if isinstance(label, (float, np.floating)) and label == round(label) else str(label)


def _dataset(rows: list[tuple[np.ndarray, Any]], feature: Any, split: str, known_by: str) -> Dataset:
    labels = [_encoded(label, feature, split, known_by) for _, label in rows]
    features = Features({"values": Sequence(Sequence(Value("float32"))), "label": feature})
    return Dataset.from_dict({"values": [values.tolist() for values, _ in rows], "label": labels}, features=features)


def _encoded(label: Any, feature: Any, split: str, known_by: str) -> Any:
    if not isinstance(feature, ClassLabel):
        return label
    name = _name(label)
    if name not in feature.names:
        raise ValueError(f"The {split} split has the label {name!r}, which {known_by}: leave it out.")
    return name

"""Loading of labelled texts into one form, wherever they come from."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from os import PathLike
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from datasets import ClassLabel, Dataset, DatasetDict, Features, List, Value

from ..modeling.configuration_attnlstm import MULTI_LABEL, PROBLEM_TYPES, REGRESSION, SINGLE_LABEL
from .columns import DECIMAL, column_values, convert_numbers, find_column, kind_of, two_columns
from .sources import Split, choose_splits, quote, read_source


class _Labels(NamedTuple):
    values: pa.Array  # all labels of a split, those of lists one after the other
    rows: np.ndarray  # the row of each label
    lengths: np.ndarray | None  # only of lists
    feature: object


def load_texts(
    source: str | PathLike | Mapping | Dataset,
    *,
    text_column: str | None = None,
    label_column: str | None = None,
    problem_type: str | None = None,
    config_name: str | None = None,
    validation_size: float | int = 0.1,
    seed: int = 42,
    label_names: Sequence[str] | None = None,
) -> DatasetDict:
    """Loads texts and their labels for classification or regression.

    Texts in a csv stay as they are written, "NA" and "" too. Splits other than train, validation and test are left
    out, and so is a test split in which every label is -1, the Hub's mark for "no label".

    Args:
        source: A name on the Hub, a folder in its layout or of data files, a csv, tsv, JSON lines or parquet file, a
            mapping from split to file, or a `Dataset` or `DatasetDict`. csv and JSON files are read into memory.
        text_column: Column of the texts; by default one with a usual name, or the only other column of strings.
        label_column: Column of the labels; by default one with a usual name.
        problem_type: One of `PROBLEM_TYPES`; by default it follows from the labels, and integers are classes.
        config_name: Configuration of a source on the Hub or in a folder, where it has several.
        validation_size: Share or number of the training rows that make the validation split where there is none.
        seed: Seed of their choice. With one label a text it is stratified, and every class keeps a row for training;
            where that leaves too few rows to choose from, the choice is plain random.
        label_names: Names of the labels in order: the values themselves, or names for the integers from 0, for the
            sorted numbers or for the classes of a `ClassLabel`. By default the values, sorted, of the training split.

    Returns:
        The splits "train", "validation" and, if any, "test", with columns `text` and `label`, see [`describe_labels`].

    Raises:
        FileNotFoundError: The source does not exist.
        TypeError: The source or `label_names` is of the wrong type.
        ValueError: An argument, a file, a column or a label is not as it should be.

    Example:
    ```python
    >>> from datasets import Dataset
    >>> reviews = Dataset.from_dict({"review": ["good", "bad"] * 10, "sentiment": ["pos", "neg"] * 10})
    >>> splits = load_texts(reviews)
    >>> splits["train"].features["label"].names, splits.num_rows
    (['neg', 'pos'], {'train': 18, 'validation': 2})

    ```
    """
    _check_arguments(problem_type, validation_size, label_names)
    splits = choose_splits(read_source(source, config_name))
    splits = {name: convert_numbers(split, text_column, label_column) for name, split in splits.items()}
    label_column = find_column(splits["train"], "label", label_column, text_column)
    text_column = find_column(splits["train"], "text", text_column, label_column)
    splits = {name: two_columns(split, text_column, label_column) for name, split in splits.items()}
    parts = _convert_labels(splits, label_column, problem_type, label_names)
    if "validation" not in parts:
        parts["train"], parts["validation"] = _split_train(parts["train"], validation_size, seed)
    return DatasetDict({name: parts[name] for name in ("train", "validation", "test") if name in parts})


def describe_labels(features: Features) -> tuple[str, list[str]]:
    """Reads the problem type and the label names from the features of a data set.

    Args:
        features: Features whose `label` is a `ClassLabel`, a `List(ClassLabel)` or a float, as from [`load_texts`].

    Returns:
        The problem type in transformers' terms, and the label names, of which regression has none.

    Raises:
        ValueError: There is no column `label`, or it holds something else.

    Example:
    ```python
    >>> from datasets import ClassLabel, Features, List, Value
    >>> describe_labels(Features({"text": Value("string"), "label": List(ClassLabel(names=["art", "law"]))}))
    ('multi_label_classification', ['art', 'law'])

    ```
    """
    label = features.get("label")
    if kind_of(label) == "class":
        return SINGLE_LABEL, list(label.names)
    if kind_of(label) == "list" and kind_of(label.feature) == "class":
        return MULTI_LABEL, list(label.feature.names)
    if kind_of(label) == "float":
        return REGRESSION, []
    raise ValueError(f"The column 'label' must hold ClassLabel, List(ClassLabel) or float, not {label or 'nothing'}.")


def _check_arguments(problem_type: str | None, validation_size: object, label_names: Sequence[str] | None) -> None:
    if problem_type is not None and problem_type not in PROBLEM_TYPES:
        raise ValueError(f"problem_type must be one of {quote(PROBLEM_TYPES)}, not {problem_type!r}.")
    is_count = type(validation_size) is int and validation_size >= 1
    if not is_count and not (isinstance(validation_size, float) and 0 < validation_size < 1):
        raise ValueError(f"validation_size must lie between 0 and 1 or be a number of rows, not {validation_size!r}.")
    if isinstance(label_names, str) or not all(isinstance(name, str) for name in label_names or ()):
        raise TypeError(f"label_names must be a list of strings, not {label_names!r}.")
    if label_names is not None and len(set(label_names)) < len(label_names):
        raise ValueError(f"label_names must all be different, but they are {quote(label_names)}.")


def _convert_labels(
    splits: dict[str, Split], column: str, problem_type: str | None, label_names: Sequence[str] | None
) -> dict[str, Dataset]:
    where = {name: f"column {column!r} of the {split.origin}" for name, split in splits.items()}
    labels = {name: _flatten_labels(split.data, where[name]) for name, split in splits.items()}
    strings = {name: _as_strings(part.values, part.feature) for name, part in labels.items()}
    train = labels["train"]
    found = list(train.feature.names) if kind_of(train.feature) == "class" else pc.unique(strings["train"]).to_pylist()
    if "test" in labels and pc.unique(strings["test"]).to_pylist() == ["-1"] and "-1" not in found:
        del labels["test"]
    if _choose_problem_type(train, problem_type, where["train"]) == REGRESSION:
        if label_names is not None:
            raise ValueError(
                f"The {where['train']} holds numbers for regression, which has no label_names: omit them."
            )
        feature = Value("float32")
        columns = {name: _as_floats(part, where[name]) for name, part in labels.items()}
    else:
        keys, names = _name_labels(found, train.feature, label_names, where["train"])
        if len(names) < (2 if train.lengths is None else 1):
            raise ValueError(f"The {where['train']} has too few different labels, [{quote(names)}], to learn from.")
        feature = ClassLabel(names=names) if train.lengths is None else List(ClassLabel(names=names))
        columns = {n: _encode(part, strings[n], keys, f"{where[n]} (split {n!r})") for n, part in labels.items()}
    parts = {name: splits[name].data for name in columns}
    for name, part in parts.items():
        if part.features["label"] != feature:  # otherwise it stays as it lies in the cache
            parts[name] = part.remove_columns("label").add_column("label", columns[name], feature=feature)
    return parts


def _flatten_labels(data: Dataset, where: str) -> _Labels:
    values, feature = column_values(data, "label").combine_chunks(), data.features["label"]
    rows, lengths = np.arange(len(values)), None
    if kind_of(feature) == "list" and not values.null_count:
        lengths = pc.list_value_length(values).to_numpy(zero_copy_only=False)
        rows, values, feature = np.repeat(rows, lengths), values.flatten(), feature.feature
    missing = pc.is_null(values, nan_is_null=True)
    if kind_of(feature) == "string":
        missing = pc.or_kleene(missing, pc.equal(pc.utf8_trim_whitespace(values), ""))
    if pc.any(missing).as_py():
        row = rows[pc.indices_nonzero(missing)[0].as_py()] + 1
        raise ValueError(f"The {where} has no label in row {row}: fill or remove the row.")
    return _Labels(values, rows, lengths, feature)


def _choose_problem_type(labels: _Labels, wanted: str | None, where: str) -> str:
    kind, is_list = kind_of(labels.feature), labels.lengths is not None
    single = {"float": (REGRESSION, SINGLE_LABEL), "string": (SINGLE_LABEL,), "other": (), "list": ()}
    multi = dict.fromkeys(("class", "integer", "string"), (MULTI_LABEL,))
    possible = multi.get(kind, ()) if is_list else single.get(kind, (SINGLE_LABEL, REGRESSION))
    holds = f"The {where} holds {'lists of ' if is_list else ''}{labels.feature}"
    if not possible:
        raise ValueError(f"{holds}, no labels: give names, integers, lists of either, or numbers.")
    if wanted is not None and wanted not in possible:
        raise ValueError(f"{holds}, which does not suit problem_type={wanted!r}: it can be {quote(possible)}.")
    if is_list and kind == "integer" and set(pc.unique(labels.values).to_pylist()) <= {0, 1}:
        pairs = labels.rows * 2 + labels.values.to_numpy(zero_copy_only=False)
        if len(np.unique(pairs)) < len(pairs):
            raise ValueError(f"{holds} that look like vectors of 0 and 1: give lists of the labels that apply.")
    return wanted or possible[0]


def _as_strings(values: pa.Array, feature: object) -> pa.Array:
    if kind_of(feature) == "class":
        is_known = pc.and_(pc.greater_equal(values, 0), pc.less(values, len(feature.names)))
        names = pc.take(pa.array(feature.names, pa.string()), pc.if_else(is_known, values, None))
        return pc.coalesce(names, values.cast(pa.string()))
    if kind_of(feature) in ("list", "other"):
        return pa.nulls(len(values), pa.string())
    is_whole = kind_of(feature) == "float" and pc.all(pc.equal(values, pc.round(values))).as_py()
    return (values.cast(pa.int64(), safe=False) if is_whole else values).cast(pa.string())


def _name_labels(
    found: list[str], feature: object, label_names: Sequence[str] | None, where: str
) -> tuple[list[str], list[str]]:
    """The values in the order of their classes, and the names of these classes."""
    are_numbers = all(re.fullmatch(DECIMAL, value) for value in found)
    if kind_of(feature) != "class":
        found = sorted(sorted(found), key=float if are_numbers else None)
    names = found if label_names is None else list(label_names)
    if set(found) <= set(names):
        return names, names
    numbers = [str(number) for number in range(len(names))]
    if are_numbers and set(found) <= set(numbers):
        return numbers, names
    if (are_numbers or kind_of(feature) == "class") and len(found) == len(names):
        return found, names
    raise ValueError(f"label_names {quote(names)} do not fit the {where}, whose labels are {quote(found)}.")


def _encode(labels: _Labels, strings: pa.Array, keys: list[str], where: str) -> pa.Array:
    codes = pc.index_in(strings, value_set=pa.array(keys, pa.string())).cast(pa.int64())
    if codes.null_count:
        first = pc.indices_nonzero(pc.is_null(codes))[0].as_py()
        label, row = strings[first].as_py(), labels.rows[first] + 1
        reason = "means 'no label' on the Hub" if label == "-1" else f"is none of the training labels {quote(keys)}"
        raise ValueError(f"The label {label!r} in row {row} of the {where} {reason}: change or remove the row.")
    offsets = None if labels.lengths is None else np.append(0, np.cumsum(labels.lengths)).astype(np.int32)
    return codes if offsets is None else pa.ListArray.from_arrays(offsets, codes)


def _as_floats(labels: _Labels, where: str) -> pa.Array:
    if labels.lengths is not None or kind_of(labels.feature) not in ("class", "integer", "float"):
        raise ValueError(f"The {where} does not hold the numbers that regression needs, but {labels.feature}.")
    floats = labels.values.cast(pa.float32(), safe=False)
    is_bad = pc.less(floats, 0) if kind_of(labels.feature) == "class" else pc.invert(pc.is_finite(floats))
    if pc.any(is_bad).as_py():
        row = pc.indices_nonzero(is_bad)[0].as_py()
        raise ValueError(f"The {where} holds {labels.values[row]} in row {row + 1}: change or remove the row.")
    return floats


def _split_train(data: Dataset, size: float | int, seed: int) -> tuple[Dataset, Dataset]:
    total = data.num_rows
    count = size if isinstance(size, int) else max(1, round(size * total))
    if count >= total:
        raise ValueError(f"validation_size={size!r} leaves none of the {total} training rows: make it smaller.")
    shuffled = candidates = np.random.default_rng(seed).permutation(total)
    if kind_of(data.features["label"]) == "class":
        codes = column_values(data, "label").to_numpy()
        order = shuffled[np.argsort(codes[shuffled], kind="stable")]
        candidates = order[1:][codes[order[1:]] == codes[order[:-1]]]  # the first of each class is for training
    candidates = shuffled if len(candidates) < count else candidates
    # Even steps through rows in the order of their classes draw from each in proportion.
    chosen = candidates[((np.arange(count) + 0.5) * len(candidates) / count).astype(np.int64)]
    return data.select(np.setdiff1d(np.arange(total), chosen)), data.select(np.sort(chosen))


def read_text_column(path: str | PathLike, text_column: str | None = None) -> list[str]:
    """The texts of a file that need not have labels.

    Args:
        path: A csv, tsv, JSON lines or parquet file.
        text_column: Column of the texts; by default one with a usual name, or the only column of strings.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file cannot be read, or has no such column.

    Example:
    ```python
    >>> read_text_column("reviews.csv")  # doctest: +SKIP
    ['Great food', 'Slow service']

    ```
    """
    split = read_source(path, None)["train"]
    split = convert_numbers(split, text_column, None)
    return split.data[find_column(split, "text", text_column, None)][:]

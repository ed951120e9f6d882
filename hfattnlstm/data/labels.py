"""From labels as they were read to classes, lists of classes or numbers, alike in all splits."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from datasets import ClassLabel, Dataset, List, Value
from transformers.utils import logging

from .._wording import option
from ..modeling.configuration_base import MULTI_LABEL, REGRESSION, SINGLE_LABEL
from .columns import kind_of
from .label_values import DECIMAL, LabelKindError, Labels, are_whole, as_strings, clean_label, read_labels
from .naming import quote
from .sources import Split


logger = logging.get_logger(__name__)

# With fewer rows, what follows can be chance.
_ENOUGH_ROWS = 20
# A column in which nearly every row has a label of its own is hardly one of classes, and one label in nearly every
# row makes a model that knows nothing look good.
_NEARLY_ALL, _ONE_FOR_MOST = 0.9, 0.95


def convert_labels(
    splits: dict[str, Split],
    column: str,
    problem_type: str | None,
    label_names: Sequence[str] | None,
    are_fixed: bool = False,
) -> dict[str, Dataset]:
    """Encode the column `label` of all splits by the labels of the training split.

    Args:
        splits: Splits with the columns `text` and `label`.
        column: What `label` is called in the source.
        problem_type: One of `PROBLEM_TYPES`; it follows from the labels when it is None.
        label_names: Names of the labels in order.
        are_fixed: Whether these are the only names: then nothing is renamed to them but their numbers from 0.

    Raises:
        ValueError: A label is missing, of another kind than the others, or unknown; it names the row.
    """
    where = {name: f"column {column!r} of the {split.origin}" for name, split in splits.items()}
    labels = {
        name: read_labels(split.data, where[name], split.only_strings, problem_type) for name, split in splits.items()
    }
    if width := _vector_width(labels["train"], where["train"]):
        labels = _from_vectors(labels, where, width, problem_type)
    strings = {name: as_strings(part.values, part.feature) for name, part in labels.items()}
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
        keys, names = _name_labels(found, train.feature, label_names, where["train"], are_fixed)
        if len(names) < (2 if train.lengths is None else 1):
            raise ValueError(f"The {where['train']} has too few different labels, [{quote(names)}], to learn from.")
        feature = ClassLabel(names=names) if train.lengths is None else List(ClassLabel(names=names))
        columns = {
            n: _encode(part, strings[n], keys, where[n] + (f" (split {n!r})" if len(labels) > 1 else ""))
            for n, part in labels.items()
        }
        if label_names is None:
            _doubt(train, strings["train"], problem_type, where["train"])
    parts = {name: splits[name].data for name in columns}
    for name, part in parts.items():
        if part.features["label"] != feature:  # otherwise it stays as it lies in the cache
            parts[name] = part.remove_columns("label").add_column("label", columns[name], feature=feature)
    return parts


def _vector_width(labels: Labels, where: str) -> int | None:
    """The length of vectors of 0 and 1, one number for each label; None for lists of the labels that apply."""
    if labels.lengths is None or kind_of(labels.feature) not in ("integer", "float") or not len(labels.values):
        return None
    if not set(pc.unique(labels.values.cast(pa.float64())).to_pylist()) <= {0.0, 1.0}:
        return None
    widths = np.unique(labels.lengths)
    if len(widths) == 1 and widths[0] > 1:
        return int(widths[0])
    pairs = labels.rows * 2 + labels.values.cast(pa.int64()).to_numpy(zero_copy_only=False)
    if len(np.unique(pairs)) < len(pairs):
        raise ValueError(
            f"The {where} holds lists of 0 and 1 that are neither vectors of one length nor lists of different "
            "labels: give lists of the labels that apply."
        )
    if len(widths) == 1:
        raise ValueError(
            f"The {where} holds lists of one 0 or 1 each: give the numbers alone for two classes, or lists of names."
        )
    return None


def _from_vectors(
    labels: dict[str, Labels], where: dict[str, str], width: int, problem_type: str | None
) -> dict[str, Labels]:
    """Class or classes of each vector, named by their places; what it was taken for is told."""
    vectors = {name: _as_matrix(part, where[name], width) for name, part in labels.items()}
    # The rows, from 1, that are no vector of one class.
    others = {name: np.flatnonzero(matrix.sum(axis=1) != 1) + 1 for name, matrix in vectors.items()}
    single = problem_type != MULTI_LABEL and not len(others["train"])
    if problem_type == SINGLE_LABEL and not single:
        row = others["train"][0]
        raise ValueError(
            f"The {where['train']} has not exactly one 1 in row {row}, so it is no class: change the row."
        )
    feature = ClassLabel(names=[str(place) for place in range(width)])
    meaning = "one class a text" if single else "any number of labels a text"
    logger.warning("The %s holds vectors of %s zeros and ones: they are read as %s.", where["train"], width, meaning)
    read = {}
    for name, matrix in vectors.items():
        if single and len(others[name]):
            row = others[name][0]
            raise ValueError(f"The {where[name]} has not exactly one 1 in row {row}, as in the training split.")
        rows, places = np.nonzero(matrix)
        read[name] = Labels(pa.array(places), rows, None if single else matrix.sum(axis=1), feature)
    return read


def _as_matrix(labels: Labels, where: str, width: int) -> np.ndarray:
    """(rows, width) of 0 and 1."""
    is_list = labels.lengths is not None and kind_of(labels.feature) in ("integer", "float")
    wrong = np.flatnonzero(labels.lengths != width) if is_list else np.array([0])
    values = labels.values.cast(pa.float64()).to_numpy(zero_copy_only=False) if is_list else np.array([])
    if not len(wrong) and not np.isin(values, (0, 1)).all():
        wrong = labels.rows[~np.isin(values, (0, 1))]
    if len(wrong):
        raise ValueError(
            f"The {where} has no vector of {width} zeros and ones in row {wrong[0] + 1}, as the training split has."
        )
    return values.reshape(-1, width).astype(np.int64)


def _choose_problem_type(labels: Labels, wanted: str | None, where: str) -> str:
    kind, is_list = kind_of(labels.feature), labels.lengths is not None
    single = {"float": (REGRESSION, SINGLE_LABEL), "string": (SINGLE_LABEL,), "other": (), "list": ()}
    multi = dict.fromkeys(("class", "integer", "string"), (MULTI_LABEL,))
    possible = multi.get(kind, ()) if is_list else single.get(kind, (SINGLE_LABEL, REGRESSION))
    holds = f"The {where} holds {'lists of ' if is_list else ''}{labels.feature}"
    if not possible:
        raise ValueError(f"{holds}, no labels: give names, integers, lists of either, or numbers.")
    if wanted is not None and wanted not in possible:
        raise LabelKindError(
            holds, f", which does not suit {option('problem_type', wanted)}: it can be {quote(possible)}."
        )
    if wanted is None and kind == "float" and are_whole(labels.values):
        return _whole_floats(labels, where)
    return wanted or possible[0]


def _whole_floats(labels: Labels, where: str) -> str:
    """What whole numbers with a point are, such as 1.0: pandas makes them of whole numbers beside a missing one."""
    if set(pc.unique(labels.values).to_pylist()) <= {0.0, 1.0}:
        taken, other = SINGLE_LABEL, REGRESSION
        meaning = "classes 0 and 1"
    else:
        taken, other = REGRESSION, SINGLE_LABEL
        meaning = "numbers to predict"
    logger.warning(
        "The %s holds whole numbers written with a point: they are taken for %s; for the other, say %s.",
        where,
        meaning,
        option("problem_type", other),
    )
    return taken


def _name_labels(
    found: list[str], feature: object, label_names: Sequence[str] | None, where: str, are_fixed: bool
) -> tuple[list[str], list[str]]:
    """The values in the order of their classes, and the names of these classes."""
    are_numbers = all(re.fullmatch(DECIMAL, value) for value in found)
    if kind_of(feature) != "class":
        found = sorted(sorted(found), key=float if are_numbers else None)
    names = found if label_names is None else list(label_names)
    if set(found) <= set(names):
        return names, names
    cleaned = [clean_label(name) for name in names]
    if set(found) <= set(cleaned) and len(set(cleaned)) == len(names):
        return cleaned, names
    numbers = [str(number) for number in range(len(names))]
    if are_numbers and set(found) <= set(numbers):
        _tell_numbers(numbers, names, where)
        return numbers, names
    if are_fixed:
        return names, names  # the first that is none of them will be named with its row
    if (are_numbers or kind_of(feature) == "class") and len(found) == len(names):
        _tell_numbers(found, names, where)
        return found, names
    raise ValueError(f"label_names {quote(names)} do not fit the {where}, whose labels are {quote(found)}.")


def _tell_numbers(values: Sequence[str], names: Sequence[str], where: str) -> None:
    pairs = ", ".join(f"{value} for {name}" for value, name in list(zip(values, names))[:20])
    logger.warning("The labels of the %s are taken so: %s.", where, pairs)


def _encode(labels: Labels, strings: pa.Array, keys: list[str], where: str) -> pa.Array:
    codes = pc.index_in(strings, value_set=pa.array(keys, pa.string())).cast(pa.int64())
    if codes.null_count:
        first = pc.indices_nonzero(pc.is_null(codes))[0].as_py()
        label, row = strings[first].as_py(), labels.rows[first] + 1
        reason = "means 'no label' on the Hub" if label == "-1" else f"is none of the labels {quote(keys)}"
        raise ValueError(f"The label {label!r} in row {row} of the {where} {reason}: change or remove the row.")
    offsets = None if labels.lengths is None else np.append(0, np.cumsum(labels.lengths)).astype(np.int32)
    return codes if offsets is None else pa.ListArray.from_arrays(offsets, codes)


def _as_floats(labels: Labels, where: str) -> pa.Array:
    if labels.lengths is not None or kind_of(labels.feature) not in ("class", "integer", "float"):
        raise ValueError(f"The {where} does not hold the numbers that regression needs, but {labels.feature}.")
    floats = labels.values.cast(pa.float32(), safe=False)
    is_bad = pc.less(floats, 0) if kind_of(labels.feature) == "class" else pc.invert(pc.is_finite(floats))
    if pc.any(is_bad).as_py():
        row = pc.indices_nonzero(is_bad)[0].as_py()
        raise ValueError(f"The {where} holds {labels.values[row]} in row {row + 1}: change or remove the row.")
    return floats


def _doubt(labels: Labels, strings: pa.Array, problem_type: str | None, where: str) -> None:
    """Tell, or refuse, labels that can hardly be meant as such."""
    rows = len(strings) if labels.lengths is None else len(labels.lengths)
    if rows < _ENOUGH_ROWS or not len(strings):
        return
    counts = sorted(pc.value_counts(strings).to_pylist(), key=lambda entry: -entry["counts"])
    if labels.lengths is None and problem_type is None and len(counts) >= _NEARLY_ALL * rows:
        raise ValueError(
            f"The {where} has {len(counts)} different labels in {rows} rows, too many to learn any: name another with "
            f"{option('label_column')}, or, if this one is meant, say {option('problem_type', SINGLE_LABEL)}"
            + (f" or {option('problem_type', REGRESSION)}." if kind_of(labels.feature) == "integer" else ".")
        )
    if labels.lengths is None and 2 * len(counts) > rows:
        logger.warning("The %s has %s different labels in %s rows: is it the right one?", where, len(counts), rows)
    most = counts[0]
    if most["counts"] >= _ONE_FOR_MOST * rows:
        logger.warning(
            "The %s has the label %r in %s of %s rows: a model that always says so is right as often.",
            where,
            most["values"],
            most["counts"],
            rows,
        )

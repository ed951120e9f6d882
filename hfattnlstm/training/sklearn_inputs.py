"""Texts and labels in the forms that scikit-learn's users have them in, checked."""

from __future__ import annotations

import numbers
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from ..modeling.text_inputs import check_texts


def texts_of(samples: Any) -> tuple[list[str], np.ndarray | None]:
    """The texts, one a sample.

    Args:
        samples: Any iterable of texts, such as a list, an array or a pandas Series; or a table or array of two
            dimensions with one column.

    Returns:
        The texts, and the name of the column as an array (1,), where there is one.

    Raises:
        TypeError: For a single text, or an entry that is not a text; it names the position.
        ValueError: For several columns, or a text that is missing; it names the position.

    Example:

    ```python
    >>> texts_of(np.array([["good"], ["bad"]], dtype=object))
    (['good', 'bad'], None)
    ```
    """
    if isinstance(samples, (str, bytes, Mapping)) or not isinstance(samples, Iterable):
        raise TypeError(f"X must be an iterable of texts, not a {type(samples).__name__}: give a list or a column.")
    names = None
    # A table of pandas or polars, or an array as a ColumnTransformer makes it.
    width = np.shape(samples)[1] if len(getattr(samples, "shape", ())) == 2 else 1
    if width != 1:
        raise ValueError(f"X has {width} columns, and one with texts is read: choose it, such as X['text'].")
    if hasattr(samples, "columns"):
        names = np.asarray(list(samples.columns), dtype=object)
        samples = samples[samples.columns[0]]
    elif isinstance(samples, np.ndarray):
        samples = samples.reshape(-1)
    texts = list(samples)
    for position, text in enumerate(texts):
        if _is_missing(text):
            raise ValueError(f"Text number {position} is missing ({text}): fill it in, or leave it out.")
    # Of numpy's own type, which not every tokenizer reads.
    return [str(text) for text in check_texts(texts)], names


def classes_of(labels: Any, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The classes, and which of them each text has.

    Args:
        labels: One label a text: strings, whole numbers or booleans.
        count: How many texts there are.

    Returns:
        The classes, sorted, and their numbers, integers (texts,).

    Raises:
        ValueError: For labels that are missing, of several kinds, several a text, all the same, or not as many as
            there are texts.

    Example:

    ```python
    >>> classes_of(["pos", "neg", "pos"], 3)
    (array(['neg', 'pos'], dtype='<U3'), array([1, 0, 1]))
    ```
    """
    values = _one_a_text(labels)
    if len(values) != count:
        raise ValueError(f"There are {count} texts, but {len(values)} labels: give one label for each text.")
    if not count:
        raise ValueError("There are no texts: give some of each class.")
    given = _as_given(labels, values)
    for position, value in enumerate(given):
        if _is_missing(value):
            raise ValueError(f"Label number {position} is missing ({value}): fill it in, or leave its text out.")
    kinds = sorted({"str" if isinstance(value, str) else type(value).__name__ for value in given})
    if "str" in kinds and len(kinds) > 1:
        raise ValueError(f"The labels are of several kinds, {' and '.join(kinds)}: make them all strings.")
    if values.dtype == object and "str" not in kinds:
        # Such as the whole numbers of a pandas column that could have gaps.
        values = np.array(values.tolist())
    check_classification_targets(values)
    classes, codes = np.unique(values, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(
            f"All {count} texts have the label {classes.tolist()[0]!r}: give texts of two or more classes."
        )
    return classes, codes


def class_weights_of(class_weight: Any, classes: np.ndarray) -> list[str] | None:
    """The weight of each class as the flag `class_weights` takes it.

    Args:
        class_weight: None, `"balanced"`, or a dictionary with the weights of classes; 1 for those that it lacks.
        classes: The classes in order.

    Raises:
        ValueError: For anything else, or a class that there is not.

    Example:

    ```python
    >>> class_weights_of({"neg": 2.5}, np.array(["neg", "pos"]))
    ['2.5', '1.0']
    ```
    """
    if class_weight is None:
        return None
    if isinstance(class_weight, str) and class_weight == "balanced":
        return ["balanced"]
    if not isinstance(class_weight, Mapping):
        raise ValueError(
            f"class_weight must be None, 'balanced' or a dictionary with the weights of classes, got {class_weight!r}."
        )
    names = classes.tolist()
    unknown = [name for name in class_weight if name not in names]
    if unknown:
        shown = ", ".join(map(repr, names))
        raise ValueError(f"class_weight names {unknown[0]!r}, which is none of the classes {shown}: leave it out.")
    weights = [class_weight.get(name, 1.0) for name in names]
    for name, weight in zip(names, weights):
        if not isinstance(weight, numbers.Real) or not 0 <= weight < float("inf"):
            raise ValueError(f"class_weight must be numbers of at least 0, got {weight!r} for {name!r}.")
    return [str(float(weight)) for weight in weights]


def _one_a_text(labels: Any) -> np.ndarray:
    if labels is None or isinstance(labels, (str, bytes)) or not isinstance(labels, Iterable):
        raise ValueError(f"y must be labels, one for each text, not {labels!r}: give a list or a column.")
    labels = labels if hasattr(labels, "__len__") else list(labels)
    try:
        values = np.asarray(labels)
    except ValueError:
        # Lists of several lengths.
        values = np.empty((0, 0))
    lists = values.dtype == object and values.ndim == 1 and any(map(_is_list, values))
    if lists or values.ndim > 2 or (values.ndim == 2 and values.shape[1] != 1):
        raise ValueError(
            "y has several labels a text, and one is learnt here: train a model for several by `hfattnlstm train`."
        )
    return column_or_1d(values, warn=True)


def _is_list(value: object) -> bool:
    return isinstance(value, (list, tuple, set, np.ndarray))


def _as_given(labels: Any, values: np.ndarray) -> list[Any]:
    """The labels before numpy has made strings of all of them."""
    return list(labels) if isinstance(labels, (list, tuple)) else values.tolist()


def _is_missing(value: object) -> bool:
    # pandas has two marks of its own, which are equal to nothing.
    return value is None or type(value).__name__ in ("NAType", "NaTType") or (value != value) is True

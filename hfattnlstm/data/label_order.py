"""The order of labels, which a model that goes on learning brings along."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from datasets import ClassLabel, Dataset, DatasetDict, List

from ..modeling.configuration_base import MULTI_LABEL
from .columns import column_values
from .loading import describe_labels


def order_labels(texts: DatasetDict, names: Sequence[str]) -> DatasetDict:
    """Number the labels of all splits as in `names`.

    Args:
        texts: Splits with a column `label` of classes or lists of classes, as from [`load_texts`].
        names: All labels of the splits and perhaps more, in the order that they shall have.

    Raises:
        ValueError: When one of the labels is not in `names`.

    Example:

    ```python
    >>> splits["train"].features["label"].names, splits["train"]["label"][:2]
    (['negative', 'positive'], [1, 0])
    >>> order_labels(splits, ["positive", "negative"])["train"]["label"][:2]
    [0, 1]
    ```
    """
    problem_type, old = describe_labels(texts["train"].features)
    missing = [name for name in old if name not in names]
    if missing:
        raise ValueError(f"The label {missing[0]!r} is none of {', '.join(names)}.")
    numbers = np.array([list(names).index(name) for name in old], dtype=np.int64)
    several = problem_type == MULTI_LABEL
    feature = List(ClassLabel(names=list(names))) if several else ClassLabel(names=list(names))
    return DatasetDict({split: _renumbered(data, numbers, feature, several) for split, data in texts.items()})


def _renumbered(data: Dataset, numbers: np.ndarray, feature: object, several: bool) -> Dataset:
    column = column_values(data, "label").combine_chunks()
    codes = (column.flatten() if several else column).to_numpy(zero_copy_only=False)
    renumbered = pa.array(numbers[codes.astype(np.int64)])
    if several:
        lengths = pa.compute.list_value_length(column).to_numpy(zero_copy_only=False)
        offsets = np.append(0, np.cumsum(lengths)).astype(np.int32)
        renumbered = pa.ListArray.from_arrays(offsets, renumbered)
    return data.remove_columns("label").add_column("label", renumbered, feature=feature)

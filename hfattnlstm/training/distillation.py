"""Training rows whose labels are shares: those of a teacher, mixed with what was labelled by hand."""

from __future__ import annotations

import numpy as np
from datasets import Dataset, Features, List, Value, concatenate_datasets

from ..modeling.configuration_base import REGRESSION, SINGLE_LABEL


def with_soft_labels(
    train: Dataset, unlabelled: Dataset | None, answers: np.ndarray, problem_type: str, weight: float
) -> Dataset:
    """The rows of a training from which a student learns (Hinton et al., 2015).

    Args:
        train: Rows with labels, as from [`encode_texts`].
        unlabelled: Rows without, if there are any.
        answers: (rows, labels), of the teacher, to the one and then to the other.
        problem_type: Of the texts.
        weight: Share of the teacher in the labels of the rows that have some.

    Returns:
        The rows with labels as shares of 1, or as numbers.

    Example:

    ```python
    >>> rows = Dataset.from_dict({"input_ids": [[5]], "length": [1], "labels": [1]})
    >>> answers = np.array([[0.5, 0.5]])
    >>> with_soft_labels(rows, None, answers, "single_label_classification", 0.5)["labels"][:]
    [[0.25, 0.75]]
    ```
    """
    own = np.asarray(train["labels"][:])
    if problem_type == SINGLE_LABEL:
        own = np.eye(answers.shape[1])[own]
    count = len(train)
    mixed = weight * answers[:count] + (1 - weight) * own.reshape(count, -1)
    parts = [_labelled(train.remove_columns("labels"), mixed, problem_type)]
    if unlabelled is not None:
        parts.append(_labelled(unlabelled, answers[count:], problem_type))
    return concatenate_datasets(parts)


def _labelled(rows: Dataset, labels: np.ndarray, problem_type: str) -> Dataset:
    if problem_type == REGRESSION:
        return rows.add_column("labels", labels[:, 0].tolist(), feature=Value("float32"))
    names = Features({"labels": List(Value("float32"))})
    return rows.add_column("labels", labels.tolist(), feature=names["labels"])

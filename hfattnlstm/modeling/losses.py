"""The loss of a sequence classifier."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from .configuration_attnlstm import REGRESSION, SINGLE_LABEL


def classification_loss(
    logits: Tensor, labels: Tensor, problem_type: str, class_weights: Sequence[float] | None = None
) -> Tensor:
    """Mean squared error, cross entropy, or binary cross entropy, by problem type, with the class weights.

    Args:
        logits: (batch, num_labels).
        labels: (batch,) class ids; (batch, num_labels) of 0 and 1 for multi-label; (batch,) or
            (batch, num_labels) numbers for regression.
        problem_type: One of `PROBLEM_TYPES`.
        class_weights: A weight for each label; none in a regression.

    Returns:
        A scalar in float32 or wider.

    Raises:
        ValueError: When the labels have another shape than the problem type needs.

    Example:

    ```python
    >>> classification_loss(torch.zeros(1, 2), torch.tensor([1]), "single_label_classification")
    tensor(0.6931)
    ```
    """
    logits = logits if logits.dtype == torch.float64 else logits.float()
    labels = labels.to(logits.device)
    weights = None if class_weights is None else logits.new_tensor(class_weights)
    if problem_type == SINGLE_LABEL:
        _check_shape(labels, labels.numel() == logits.shape[0], logits.shape[:1], problem_type)
        return F.cross_entropy(logits, labels.reshape(-1).long(), weight=weights)
    _check_shape(labels, labels.numel() == logits.numel(), logits.shape, problem_type)
    target = labels.to(logits.dtype).reshape(logits.shape)
    if problem_type == REGRESSION:
        return F.mse_loss(logits, target)
    return F.binary_cross_entropy_with_logits(logits, target, pos_weight=weights)


def _check_shape(labels: Tensor, fits: bool, expected: torch.Size, problem_type: str) -> None:
    if not fits or labels.shape[:1] != expected[:1]:
        raise ValueError(
            f"labels of shape {tuple(labels.shape)} do not fit problem_type={problem_type!r}, which needs "
            f"{tuple(expected)}: check the labels, or set problem_type and num_labels in the config."
        )

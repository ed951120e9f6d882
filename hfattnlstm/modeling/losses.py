"""The loss of a sequence classifier."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from .configuration_attnlstm import MULTI_LABEL, REGRESSION, SINGLE_LABEL, AttnLSTMConfig


def infer_problem_type(config: AttnLSTMConfig, labels: Tensor) -> str:
    """The configured problem type, or the one that the labels show; the config is not changed."""
    if config.problem_type is not None:
        return config.problem_type
    if config.num_labels == 1:
        return REGRESSION
    return MULTI_LABEL if labels.is_floating_point() else SINGLE_LABEL


def classification_loss(logits: Tensor, labels: Tensor, config: AttnLSTMConfig) -> Tensor:
    """Mean squared error, cross entropy, or binary cross entropy, by problem type, with the class weights.

    Args:
        logits: (batch, num_labels).
        labels: (batch,) class ids; (batch, num_labels) of 0 and 1 for multi-label; (batch,) or
            (batch, num_labels) numbers for regression.
        config: Gives the problem type and the class weights.

    Returns:
        A scalar in float32 or wider.

    Raises:
        ValueError: When the labels have another shape than the problem type needs.

    Example:

    ```python
    >>> config = AttnLSTMConfig(num_labels=2)
    >>> classification_loss(torch.zeros(1, 2), torch.tensor([1]), config)
    tensor(0.6931)
    ```
    """
    problem_type = infer_problem_type(config, labels)
    logits = logits if logits.dtype == torch.float64 else logits.float()
    labels = labels.to(logits.device)
    weights = None if config.class_weights is None else logits.new_tensor(config.class_weights)
    if problem_type == SINGLE_LABEL:
        _check_shape(labels, labels.numel() == logits.shape[0], logits.shape[:1], problem_type)
        return F.cross_entropy(logits, labels.reshape(-1).long(), weight=weights)
    _check_shape(labels, labels.numel() == logits.numel(), logits.shape, problem_type)
    target = labels.to(logits.dtype).reshape(logits.shape)
    if problem_type == REGRESSION:
        return F.mse_loss(logits, target)
    return F.binary_cross_entropy_with_logits(logits, target, pos_weight=weights)


def _check_shape(labels: Tensor, fits: bool, expected: torch.Size, problem_type: str) -> None:
    if not fits or labels.shape[0] != expected[0]:
        raise ValueError(
            f"labels of shape {tuple(labels.shape)} do not fit problem_type={problem_type!r}, which needs "
            f"{tuple(expected)}: check the labels, or set problem_type and num_labels in the config."
        )

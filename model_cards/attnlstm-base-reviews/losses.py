"""The loss of a sequence classifier, and the probabilities that belong to its logits."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers.utils import logging

from .configuration_base import REGRESSION, SINGLE_LABEL
from .configuration_pooled import AttnLSTMPooledConfig
from .layout import can_be_read
from .pooling import attention_penalty


logger = logging.get_logger(__name__)


# A text with this label counts for nothing in a cross entropy.
IGNORED = -100
# How far from 1 shares may sum up that were rounded.
_ROUGHLY = 0.02


def classification_loss(
    logits: Tensor,
    labels: Tensor,
    problem_type: str,
    class_weights: Sequence[float] | None = None,
    label_smoothing: float = 0.0,
) -> Tensor:
    """Mean squared error, cross entropy, or binary cross entropy, by problem type, with the class weights.

    Args:
        logits: (batch, num_labels).
        labels: (batch,) class ids, -100 for texts that do not count, or (batch, num_labels) shares of the classes,
            which sum to 1; (batch, num_labels) numbers from 0 to 1 for multi-label; (batch,) or (batch, num_labels)
            numbers for regression.
        problem_type: One of `PROBLEM_TYPES`.
        class_weights: A weight for each label; none in a regression.
        label_smoothing: Share of the target that is spread evenly over the labels, in multi-label problems over yes
            and no; none in a regression.

    Returns:
        A scalar in float32 or wider.

    Raises:
        ValueError: When the labels have another shape than the problem type needs, or, as far as looking at them costs
            nothing (on a CPU, outside a graph), other values.

    Example:

    ```python
    >>> classification_loss(torch.zeros(1, 2), torch.tensor([1]), "single_label_classification")
    tensor(0.6931)
    ```
    """
    logits = logits if logits.dtype == torch.float64 else logits.float()
    weights = None if class_weights is None else logits.new_tensor(class_weights)
    if problem_type == SINGLE_LABEL and labels.is_floating_point() and labels.shape == logits.shape:
        _check_values(labels, _sum_to_1, "the shares of the classes of a text sum to 1: mend it, or set problem_type")
        shares = labels.to(logits)
        # As for class ids, the mean is over the weights; that of torch is over the texts.
        total = shares.sum() if weights is None else (shares * weights).sum()
        summed = F.cross_entropy(logits, shares, weights, reduction="sum", label_smoothing=label_smoothing)
        return summed / total
    if problem_type == SINGLE_LABEL:
        _check_shape(labels, labels.numel() == logits.shape[0], logits.shape[:1], problem_type)
        _check_class_ids(labels, logits.shape[1])
        target = labels.to(logits.device).reshape(-1).long()
        return F.cross_entropy(logits, target, weight=weights, ignore_index=IGNORED, label_smoothing=label_smoothing)
    _check_shape(labels, labels.numel() == logits.numel(), logits.shape, problem_type)
    target = labels.to(logits).reshape(logits.shape)
    if problem_type == REGRESSION:
        _check_values(labels, torch.isfinite, "a regression needs numbers: leave that text out, or give its number")
        return F.mse_loss(logits, target)
    _check_values(labels, _is_share, "each label of a text is 1 or 0, or a share of 1: mend it, or set problem_type")
    target = target * (1 - label_smoothing) + label_smoothing / 2
    return F.binary_cross_entropy_with_logits(logits, target, pos_weight=weights)


def sequence_loss(logits: Tensor, labels: Tensor, config: AttnLSTMPooledConfig, weights: Tensor | None) -> Tensor:
    """The loss of a classifier by its configuration, with the penalties on the weights of its attention.

    Args:
        logits, labels: As in [`classification_loss`].
        config: Says what is learnt, and the penalties.
        weights: (rows, heads, 1, length); None without attention.

    Raises:
        ValueError: As [`classification_loss`].
    """
    problem_type = config.resolve_problem_type(float_labels=labels.is_floating_point())
    if config.problem_type is None and problem_type != SINGLE_LABEL and not torch.compiler.is_compiling():
        logger.warning_once(
            f"problem_type is not set, and the labels are taken for {problem_type}: set "
            f"config.problem_type={problem_type!r}, or what reads the model later may take it for another kind."
        )
    loss = classification_loss(logits, labels, problem_type, config.class_weights, config.label_smoothing)
    penalties = config.attention_penalties
    return loss + attention_penalty(weights, **penalties) if penalties else loss


def probabilities(logits: Tensor, problem_type: str, temperature: float = 1.0) -> Tensor:
    """The probability of each class, or of each of several labels; the numbers of a regression as they are.

    Args:
        logits: (batch, num_labels).
        problem_type: One of `PROBLEM_TYPES`.
        temperature: Divides the logits, see `calibration_temperature` of the configuration.

    Example:

    ```python
    >>> probabilities(torch.zeros(1, 2), "single_label_classification")
    tensor([[0.5000, 0.5000]])
    ```
    """
    if problem_type == REGRESSION:
        return logits
    scaled = logits / temperature
    return scaled.softmax(-1) if problem_type == SINGLE_LABEL else scaled.sigmoid()


def _check_shape(labels: Tensor, fits: bool, expected: torch.Size, problem_type: str) -> None:
    if not fits or labels.shape[:1] != expected[:1]:
        raise ValueError(
            f"labels of shape {tuple(labels.shape)} do not fit problem_type={problem_type!r}, which needs "
            f"{tuple(expected)}: check the labels, or set problem_type and num_labels in the config."
        )


def _check_class_ids(labels: Tensor, num_labels: int) -> None:
    def allowed(values: Tensor) -> Tensor:
        ids = values.long()
        return (ids == values) & ((ids >= 0) & (ids < num_labels) | (ids == IGNORED))

    _check_values(
        labels,
        allowed,
        f"the model has {num_labels} labels, numbered from 0 to {num_labels - 1}: number the classes so, or set "
        f"num_labels ({IGNORED} leaves a text out)",
    )


def _is_share(values: Tensor) -> Tensor:
    return (values >= 0) & (values <= 1)


def _sum_to_1(values: Tensor) -> Tensor:
    right = _is_share(values) & ((values.float().sum(1, keepdim=True) - 1).abs() < _ROUGHLY)
    return right.all(1, keepdim=True).expand_as(values)


def _check_values(labels: Tensor, allowed: Callable[[Tensor], Tensor], reason: str) -> None:
    if can_be_read(labels) and not (fits := allowed(labels)).all():
        raise ValueError(f"labels holds {labels[~fits][0].item()}, but {reason}.")

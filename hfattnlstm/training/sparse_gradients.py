"""Clipping of gradients of which some are sparse, which that of torch refuses."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.utils import get_total_norm


def clip_sparse_grad_norm_(parameters: Iterable[nn.Parameter], max_norm: float, norm_type: float = 2.0) -> Tensor:
    """`torch.nn.utils.clip_grad_norm_` for dense and sparse gradients.

    Args:
        parameters: Their gradients are scaled in place.
        max_norm: Largest norm of all gradients together.
        norm_type: The p of the norm.

    Returns:
        The norm before.

    Example:

    ```python
    >>> clip_sparse_grad_norm_(model.parameters(), max_norm=1.0)
    tensor(3.2146)
    ```
    """
    values = _values(parameters)
    norm = get_total_norm(values, norm_type)
    scale = (max_norm / (norm + 1e-6)).clamp(max=1.0)
    for value in values:
        value.mul_(scale.to(value.device))
    return norm


def clip_sparse_grad_value_(parameters: Iterable[nn.Parameter], max_value: float) -> None:
    """`torch.nn.utils.clip_grad_value_` for dense and sparse gradients: every entry to [-max_value, max_value].

    Example:

    ```python
    >>> clip_sparse_grad_value_(model.parameters(), 0.5)
    ```
    """
    for value in _values(parameters):
        value.clamp_(-max_value, max_value)


def has_sparse_gradients(parameters: Iterable[nn.Parameter]) -> bool:
    """Whether one of the gradients is sparse."""
    return any(parameter.grad is not None and parameter.grad.is_sparse for parameter in parameters)


@torch.no_grad()
def _values(parameters: Iterable[nn.Parameter]) -> list[Tensor]:
    """The numbers of all gradients, as tensors that share their memory."""
    values = []
    for parameter in parameters:
        if parameter.grad is None:
            continue
        if parameter.grad.is_sparse:
            # Several backward passes leave several entries for a row, and the norm is that of their sum.
            parameter.grad = parameter.grad.coalesce()
            values.append(parameter.grad.values())
        else:
            values.append(parameter.grad)
    return values

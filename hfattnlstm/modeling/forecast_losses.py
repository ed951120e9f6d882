"""What a forecast is trained by: the distance of each value from what came, over the values that are known."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F


POINT_LOSSES = ("mae", "mse", "huber")


def point_loss(kind: str, forecast: Tensor, target: Tensor) -> Tensor:
    """Of each value, the absolute error, the squared one, or Huber's, which is the square up to an error of 1.

    Args:
        kind: `"mae"`, `"mse"` or `"huber"`.
        forecast, target: Of equal shape.

    Example:

    ```python
    >>> point_loss("huber", torch.tensor([0.5, 3.0]), torch.zeros(2))
    tensor([0.1250, 2.5000])
    ```
    """
    if kind == "mae":
        return (forecast - target).abs()
    if kind == "mse":
        return (forecast - target).square()
    return F.huber_loss(forecast, target, reduction="none")


def pinball_losses(forecast: Tensor, target: Tensor, quantiles: Sequence[float]) -> Tensor:
    """Twice the pinball loss of each quantile, in the shape of `forecast`; see [`quantile_loss`]."""
    error = target.unsqueeze(-1) - forecast
    level = forecast.new_tensor(quantiles)
    return 2 * torch.maximum(level * error, (level - 1) * error)


def quantile_loss(forecast: Tensor, target: Tensor, quantiles: Sequence[float]) -> Tensor:
    """Twice the pinball loss of each value, averaged over the quantiles: with many, the CRPS.

    Args:
        forecast: (…, quantiles).
        target: (…).
        quantiles: From 0 to 1.

    Example:

    ```python
    >>> quantile_loss(torch.tensor([[0.0, 0.0]]), torch.tensor([1.0]), [0.1, 0.9])
    tensor([1.])
    ```
    """
    return pinball_losses(forecast, target, quantiles).mean(-1)


def mean_over_known(losses: Tensor, known: Tensor | None) -> Tensor:
    """The mean of the losses where `known` is True; 0 where that is nowhere."""
    if known is None:
        return losses.mean()
    return torch.where(known, losses, 0.0).sum() / known.sum().clamp(min=1)

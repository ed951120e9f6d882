"""Each series of a batch around its own level: gaps are filled, a centre taken off, the rest divided by its spread."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .layout import can_be_read


CENTERS = ("none", "mean", "last")
SCALES = ("none", "std", "mean_abs")
# Below this, a series counts as constant.
SMALLEST_SCALE = 1e-5


class ScaledSeries(NamedTuple):
    """A batch of series as the model reads it.

    Attributes:
        values: (batch, length, channels), without a gap; 0 before the first value of a channel.
        observed: Boolean (batch, length, channels), True where a value was given; None where all were.
        begun: The same, True from the first value on.
        loc, scale: (batch, 1, channels), what was taken off, and what the rest was divided by.
    """

    values: Tensor
    observed: Tensor | None
    begun: Tensor | None
    loc: Tensor
    scale: Tensor


def fill_forward(values: Tensor, observed: Tensor) -> tuple[Tensor, Tensor]:
    """Fill gaps with the value before them.

    Args:
        values: (batch, length, channels).
        observed: Boolean, the same shape.

    Returns:
        The values, 0 where there is none before, and booleans that are True from the first value of a channel on.

    Example:

    ```python
    >>> values = torch.tensor([[[9.0], [1.0], [9.0], [2.0], [9.0]]])
    >>> filled, begun = fill_forward(values, torch.tensor([[[False], [True], [False], [True], [False]]]))
    >>> filled.flatten(), begun.flatten()
    (tensor([0., 1., 1., 2., 2.]), tensor([False,  True,  True,  True,  True]))
    ```
    """
    # By steps of doubling width: what ONNX and a compiler can follow, for any length.
    filled, known, step = torch.where(observed, values, 0.0), observed, 1
    while step < values.shape[1]:
        before = F.pad(filled[:, :-step], (0, 0, step, 0))
        filled = torch.where(known, filled, before)
        known = known | F.pad(known[:, :-step], (0, 0, step, 0))
        step *= 2
    return filled, known


def observed_values(values: Tensor, mask: Tensor | None) -> Tensor | None:
    """Where there is a value: where the mask is not 0, and the value is a number; None where that is everywhere.

    Example:

    ```python
    >>> observed_values(torch.tensor([[[1.0], [float("nan")]]]), None)
    tensor([[[ True],
             [False]]])
    ```
    """
    observed = torch.isfinite(values)
    if mask is not None:
        observed = observed & (mask != 0)
    return None if can_be_read(observed) and bool(observed.all()) else observed


class InstanceScaling(nn.Module):
    """Takes the level of each series of a batch off, and divides it by its spread (Kim et al., 2022, without weights).

    Args:
        center: `"none"`, `"mean"`, or `"last"`, the last value that was observed (Zeng et al., 2023).
        scale: `"none"`, `"std"`, or `"mean_abs"`, the mean of the absolute values; at least 1e-5, and 1
            in place of that where no centre is taken off.

    Raises:
        ValueError: For another name.

    Example:

    ```python
    >>> scaled = InstanceScaling("last", "none")(torch.tensor([[[1.0], [3.0], [2.0]]]))
    >>> scaled.values.flatten(), scaled.loc.flatten()
    (tensor([-1.,  1.,  0.]), tensor([2.]))
    ```
    """

    def __init__(self, center: str, scale: str):
        super().__init__()
        if center not in CENTERS:
            raise ValueError(f"instance_center must be one of {', '.join(CENTERS)}, got {center!r}.")
        if scale not in SCALES:
            raise ValueError(f"instance_scale must be one of {', '.join(SCALES)}, got {scale!r}.")
        self.center, self.scale = center, scale

    def forward(self, values: Tensor, mask: Tensor | None = None) -> ScaledSeries:
        """Scale a batch.

        Args:
            values: (batch, length, channels); NaN and infinite numbers count as missing.
            mask: The same shape, 0 where a value is missing; all are there without it.
        """
        values = values if values.is_floating_point() else values.float()
        observed, begun = observed_values(values, mask), None
        filled = values
        if observed is not None:
            # Of what is missing nothing may be left, for a gradient would find it.
            values = torch.where(observed, values, 0.0)
            filled, begun = fill_forward(values, observed)
        loc = self._center(filled, values, observed)
        scale = self._scale(values, observed)
        scaled = (filled - loc) / scale
        if begun is not None:
            scaled = torch.where(begun, scaled, 0.0)
        return ScaledSeries(scaled, observed, begun, loc, scale)

    def _center(self, filled: Tensor, values: Tensor, observed: Tensor | None) -> Tensor:
        if self.center == "last":
            return filled[:, -1:]
        return _mean(values, observed) if self.center == "mean" else torch.zeros_like(filled[:, -1:])

    def _scale(self, values: Tensor, observed: Tensor | None) -> Tensor:
        if self.scale == "none":
            return torch.ones_like(values[:, :1])
        if self.scale == "mean_abs":
            scale = _mean(values.abs(), observed)
        else:
            spread = (values - _mean(values, observed)).square()
            # The root of 0 has no gradient.
            scale = _mean(spread, observed).clamp(min=SMALLEST_SCALE**2).sqrt()
        # What has been 0 so far, or missing, is left as it is; what never changed will go on so.
        stays = self.scale == "mean_abs" or self.center == "none"
        return torch.where(scale <= SMALLEST_SCALE, 1.0 if stays else SMALLEST_SCALE, scale)


def _mean(values: Tensor, observed: Tensor | None) -> Tensor:
    """(batch, 1, channels), over what was observed; 0 where that is nothing."""
    if observed is None:
        return values.mean(1, keepdim=True)
    total = torch.where(observed, values, 0.0).sum(1, keepdim=True)
    return total / observed.sum(1, keepdim=True).clamp(min=1).to(total.dtype)

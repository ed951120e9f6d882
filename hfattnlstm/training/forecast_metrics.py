"""Metrics of forecasts, summed up batch by batch, so that no forecasts have to be kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..modeling.forecast_losses import quantile_loss


# Where the denominator of sMAPE or MASE is smaller, a value does not count in it.
_SMALLEST = 1e-8
MSE, MAE = "mse", "mae"


@dataclass(frozen=True)
class ForecastBatch:
    """What happened in the windows of a batch, and what their values are measured by.

    Attributes:
        target: (batch, length, channels), scaled; NaN where nothing is known.
        mean, std: (batch, 1, channels), of the scale; values are `target · std + mean`.
        mase_scale: (batch, 1, channels), the mean absolute error of the seasonal naive forecast within the training
            part, one step ahead, scaled; 0 where it is unknown.
    """

    target: Tensor
    mean: Tensor
    std: Tensor
    mase_scale: Tensor

    @property
    def known(self) -> Tensor:
        """Boolean, where there is a value."""
        return torch.isfinite(self.target)


@dataclass
class ForecastSums:
    """Sums of the errors of a forecaster by step, and the metrics that they give.

    Args:
        quantiles: Levels of the quantiles that it forecasts; none for points alone.

    Example:

    ```python
    >>> sums = ForecastSums()
    >>> one = torch.ones(1, 2, 1)
    >>> sums.add(2 * one, ForecastBatch(one, 0 * one[:, :1], one[:, :1], one[:, :1]))
    >>> sums.metrics()["mse"], sums.metrics()["smape"]
    (1.0, 66.66666412353516)
    ```
    """

    quantiles: Sequence[float] = ()
    _sums: dict[str, Tensor] = field(default_factory=dict)

    def add(self, forecast: Tensor, batch: ForecastBatch, quantiles: Tensor | None = None) -> None:
        """Add the errors of a batch.

        Args:
            forecast: (batch, length, channels), scaled.
            batch: What happened.
            quantiles: (batch, length, channels, quantiles).
        """
        known = batch.known
        target = torch.where(known, batch.target, 0.0)
        error = torch.where(known, forecast - target, 0.0)
        values, forecast_values = target * batch.std + batch.mean, forecast * batch.std + batch.mean
        size = values.abs() + forecast_values.abs()
        relative = known & (size > _SMALLEST)
        scaled = known & (batch.mase_scale > _SMALLEST)
        found = {
            "count": known,
            MSE: error.square(),
            MAE: error.abs(),
            "unscaled_mse": (error * batch.std).square(),
            "unscaled_mae": (error * batch.std).abs(),
            "smape_count": relative,
            "smape": torch.where(relative, 200 * (error * batch.std).abs() / size.clamp(min=_SMALLEST), 0.0),
            "mase_count": scaled,
            "mase": torch.where(scaled, error.abs() / batch.mase_scale.clamp(min=_SMALLEST), 0.0),
        }
        if quantiles is not None:
            losses = quantile_loss(quantiles, target, self.quantiles)
            found["crps"] = torch.where(known, losses, 0.0)
            for name, low, high in self._intervals():
                inside = (target >= quantiles[..., low]) & (target <= quantiles[..., high])
                found[name] = inside & known
        for name, values in found.items():
            summed = values.double().sum((0, 2))
            self._sums[name] = self._sums[name] + summed if name in self._sums else summed

    def metrics(self) -> dict[str, float]:
        """Over all values that are known: `mse`, `mae`, of scaled values and `unscaled_…`, `smape` in percent, `mase`
        where a series had a season to compare with, and of quantiles `crps`, twice their mean pinball loss, and the
        share of values between two of them, such as `coverage_80`, which should be 0.8.
        """
        sums = {name: float(values.sum()) for name, values in self._sums.items()}
        # Of nothing there is no mean.
        count = sums["count"] or float("nan")
        found = {name: sums[name] / count for name in (MSE, MAE, "unscaled_mse", "unscaled_mae")}
        for name in ("smape", "mase"):
            if sums[f"{name}_count"]:
                found[name] = sums[name] / sums[f"{name}_count"]
        if "crps" in sums:
            found["crps"] = sums["crps"] / count
            found |= {name: sums[name] / count for name, *_ in self._intervals()}
        return found

    def _intervals(self) -> list[tuple[str, int, int]]:
        """Name of the coverage, and where the quantiles are, of 80 % of the values and of the widest interval."""
        wide, usual = (0, len(self.quantiles) - 1), (0.1, 0.9)
        if not wide[1]:
            return []
        bounds = [tuple(map(list(self.quantiles).index, usual))] if {*usual} <= {*self.quantiles} else []
        return [
            (f"coverage_{round(100 * (self.quantiles[high] - self.quantiles[low]))}", low, high)
            for low, high in dict.fromkeys((*bounds, wide))
        ]

    def by_step(self, name: str) -> list[float]:
        """`mse`, `mae` or another one of the metrics of each future step."""
        counts = self._sums.get(f"{name}_count", self._sums["count"])
        return (self._sums[name] / counts.clamp(min=1)).tolist()


def owa(smape: float, mase: float, smape_naive2: float, mase_naive2: float) -> float:
    """The overall weighted average of the M4 competition: the mean of two ratios to the forecast "naive 2".

    Example:

    ```python
    >>> owa(10.0, 1.0, 20.0, 2.0)
    0.5
    ```
    """
    return (smape / smape_naive2 + mase / mase_naive2) / 2

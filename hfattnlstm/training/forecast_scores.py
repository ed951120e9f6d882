"""Scores of forecasts that stand in a table, such as those of a cross-validation."""

from __future__ import annotations

import re

import pandas as pd
import torch

from ..data.series import Panel, row_name
from .forecast_metrics import ForecastBatch, ForecastSums
from .naive_forecasts import seasonal_errors


# As `:g` writes those of 0.0001 and more, and smaller ones.
_QUANTILE = re.compile(r"q(0\.\d+|\d(\.\d+)?e-\d+)")


def score_forecasts(rows: pd.DataFrame, past: Panel | None = None, season: int = 1) -> pd.DataFrame:
    """Scores of the forecasts of each series, and of all together.

    Args:
        rows: `unique_id`, `y` and `yhat`, and perhaps quantiles such as `q0.1`, as from
            [`Forecaster.cross_validation`]; rows without `y` do not count.
        past: The series before they were forecast, for `mase`; without, there is none.
        season: Steps of a season, for `mase`.

    Returns:
        A row for each series and one called `all`, with `mse`, `mae`, `smape` in percent, `mase`, and of quantiles
        `crps` and the share of values between two of them, such as `coverage_80`.

    Raises:
        ValueError: When a column is missing.

    Example:

    ```python
    >>> rows = pd.DataFrame({"unique_id": ["a", "a"], "y": [1.0, 2.0], "yhat": [1.0, 4.0]})
    >>> score_forecasts(rows).loc["all", ["mse", "mae"]].tolist()
    [2.0, 1.0]
    ```
    """
    for name in ("unique_id", "y", "yhat"):
        if name not in rows.columns:
            raise ValueError(f"The table of forecasts has no column {name!r}: add it.")
    names = sorted((name for name in rows.columns if _QUANTILE.fullmatch(name)), key=lambda name: float(name[1:]))
    levels = [float(name[1:]) for name in names]
    errors = _errors_of(past, season)
    every = ForecastSums(levels)
    found = {}
    for series, part in rows.groupby("unique_id", sort=False):
        own = ForecastSums(levels)
        for sums in (own, every):
            _add(sums, part, names, errors.get(str(series), 0.0))
        found[series] = own.metrics()
    table = pd.DataFrame.from_dict({**found, "all": every.metrics()}, orient="index")
    # Nothing was scaled: these are the same figures again.
    return table.drop(columns=["unscaled_mse", "unscaled_mae"])


def _errors_of(past: Panel | None, season: int) -> dict[str, float]:
    """The mean error of the seasonal naive forecast of each series, under the names that forecasts have."""
    found = {}
    for series in past or ():
        errors = seasonal_errors(series.values, season)
        for channel, error in zip(past.channels, errors, strict=True):
            found[row_name(series.name, channel, len(past.channels))] = float(error)
    return found


def _add(sums: ForecastSums, rows: pd.DataFrame, names: list[str], error: float) -> None:
    def column(name: str | list[str]) -> torch.Tensor:
        return torch.from_numpy(rows[name].to_numpy("float64", copy=True))

    # Forecasts of one step each, for series have different numbers of rows.
    zero = torch.zeros(len(rows), 1, 1, dtype=torch.float64)
    batch = ForecastBatch(column("y")[:, None, None], zero, zero + 1, zero + error)
    quantiles = column(names)[:, None, None, :] if names else None
    sums.add(column("yhat")[:, None, None], batch, quantiles)

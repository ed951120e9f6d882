"""What a forecaster gets after its training: a linear forecast beside it, weighed on held-out windows; a spread."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from scipy.optimize import nnls
from torch import Tensor

from ..data.series_windows import SeriesWindows
from ..modeling.forecast_losses import quantile_loss
from .forecasts import forecast_batch, levels_of
from .linear_forecasts import LinearMap, batches_of, fit_linear, naive_map


# Weight of "the shares sum to 1" among the equations that say how well they forecast.
_SUM_TO_ONE = 1e3
_SPREADS = np.round(np.geomspace(0.02, 5, 81), 3)
_BATCH = 256


class Shares(NamedTuple):
    """How much each forecast counts.

    Attributes:
        recurrent: That of the LSTM.
        others: Of the linear ones, by name.
    """

    recurrent: float
    others: dict[str, float]


def candidate_maps(model: Any, windows: SeriesWindows, season: int) -> dict[str, LinearMap]:
    """Linear forecasts in the scale in which the model reads a window, fitted to the training part.

    Args:
        model: The forecaster.
        windows: Of the training part.
        season: Steps of a season; 1 for none.
    """
    length, horizon = windows.context_length, windows.prediction_length
    maps = {"last value": naive_map(length, horizon, season=1)}
    if 1 < season <= length:
        maps["last season"] = naive_map(length, horizon, season=season)
    scaling = model.attnlstm_forecaster.scaling
    lookbacks = [length] if length < 4 else [length, length // 2]
    fitted = fit_linear(windows, scaling, lookbacks)
    return maps | {f"linear, {lookback} steps": each for lookback, each in zip(lookbacks, fitted, strict=True)}


def add_linear_forecast(model: Any, train: SeriesWindows, held_out: SeriesWindows, season: int) -> Shares:
    """Give a trained forecaster a linear forecast, so that both together have the smallest squared error.

    The shares are not negative and sum to 1; so what does not help is left out.

    Args:
        model: An [`AttnLSTMForTimeSeriesPrediction`] without one.
        train: The windows that it has learnt from, which the linear forecasts are fitted to.
        held_out: Those by which the shares are found.
        season: Steps of a season; 1 for none.

    Returns:
        The shares.
    """
    maps = candidate_maps(model, train, season)
    shares = _find_shares(model, list(maps.values()), held_out)
    weight = sum(share * each.weight for share, each in zip(shares[1:], maps.values(), strict=True))
    bias = sum(share * each.bias for share, each in zip(shares[1:], maps.values(), strict=True))
    model.set_linear_forecast(weight, bias, float(shares[0]))
    return Shares(float(shares[0]), dict(zip(maps, map(float, shares[1:]), strict=True)))


def _find_shares(model: Any, maps: list[LinearMap], windows: SeriesWindows) -> np.ndarray:
    """Of the model and of each map, those with the smallest squared error on the windows."""
    size = len(maps) + 1
    gram, products = torch.zeros(size, size, dtype=torch.float64), torch.zeros(size, dtype=torch.float64)
    for batch in batches_of(windows, _BATCH):
        target = batch["future_values"]
        known = torch.isfinite(target)
        forecasts = [forecast_batch(model, batch).values, *_mapped(model, maps, batch)]
        table = torch.stack([each[known] for each in forecasts]).double()
        gram += table @ table.T
        products += table @ target[known].double()
    mean = max(float(gram.diagonal().mean()), 1e-12)
    # The square root of the normal equations: least squares with the same solution, of a few rows.
    values, vectors = np.linalg.eigh((gram / mean).numpy())
    kept = values > 1e-10
    root = np.sqrt(values[kept])[:, None] * vectors[:, kept].T
    aim = (vectors[:, kept].T @ (products / mean).numpy()) / np.sqrt(values[kept])
    shares, _ = nnls(np.vstack([root, np.full(size, _SUM_TO_ONE)]), np.append(aim, _SUM_TO_ONE))
    return shares / max(shares.sum(), 1e-12)


def _mapped(model: Any, maps: list[LinearMap], batch: dict[str, Any]) -> list[Tensor]:
    series = model.attnlstm_forecaster.scaling(batch["past_values"])
    return [each(series.values) * series.scale + series.loc for each in maps]


def fit_spread(model: Any, held_out: SeriesWindows) -> float:
    """Set how wide the quantiles of a forecaster are, so that their loss on held-out windows is the smallest.

    Args:
        model: One that forecasts quantiles, or a distribution with a scale.
        held_out: The windows.

    Returns:
        What the distances from the median are multiplied by.
    """
    levels = levels_of(model.config)
    middle = levels.index(0.5)
    losses = torch.zeros(len(_SPREADS), dtype=torch.float64)
    for batch in batches_of(held_out, _BATCH):
        target = batch["future_values"]
        known = torch.isfinite(target)
        quantiles, target = forecast_batch(model, batch).quantiles[known], target[known]
        median = quantiles[:, middle, None]
        for index, spread in enumerate(_SPREADS):
            widened = median + float(spread) * (quantiles - median)
            losses[index] += quantile_loss(widened, target, levels).double().sum()
    spread = float(_SPREADS[int(losses.argmin())])
    model.config.quantile_spread = spread * model.config.quantile_spread
    return spread

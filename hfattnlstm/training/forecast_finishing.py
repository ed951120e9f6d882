"""What a forecaster gets after its training: a linear forecast beside it, weighed on held-out windows; a spread."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from scipy import stats
from scipy.optimize import nnls

from ..data.series_windows import SeriesWindows
from ..modeling.forecast_losses import pinball_losses
from .forecasts import forecast_batch, levels_of
from .linear_forecasts import LAST_SEASON, LAST_VALUE, LINEAR, LinearMap, apply_map, batches_of, fit_linear, naive_maps


# Weight of "the shares sum to 1" among the equations that say how well they forecast.
_SUM_TO_ONE = 1e3
# How much lower the error must be, relatively, for another forecast to have a share.
_WORTH_IT = 0.02
# Chance of taking what is no better than a naive forecast for better, and stretches of time that can tell.
_DOUBT, _FEWEST_STRETCHES = 0.05, 3
# 1 is among them.
_SPREADS = np.round(np.geomspace(1 / 50, 50, 161), 4)
_BATCH = 256


class Shares(NamedTuple):
    """How much each forecast counts.

    Attributes:
        recurrent: That of the LSTM.
        others: Of the linear ones, by name.
    """

    recurrent: float
    others: dict[str, float]

    @property
    def naive(self) -> str | None:
        """The naive forecast that is all there is, where nothing is surely better."""
        return next((name for name in (LAST_VALUE, LAST_SEASON) if self.others.get(name) == 1), None)


def candidate_maps(model: Any, windows: SeriesWindows, season: int) -> dict[str, LinearMap]:
    """Linear forecasts in the scale in which the model reads a window, that of least squares first.

    Args:
        model: The forecaster.
        windows: Of the training part, to which they are fitted.
        season: Steps of a season; 1 for none.
    """
    (fitted,) = fit_linear(windows, model.attnlstm_forecaster.scaling, [windows.context_length])
    return {LINEAR: fitted, **naive_maps(windows.context_length, windows.prediction_length, season)}


def add_linear_forecast(model: Any, train: SeriesWindows, held_out: SeriesWindows, season: int) -> Shares:
    """Give a trained forecaster a linear forecast, so that both together have the smallest squared error.

    The shares are not negative and sum to 1. The last value and the last season have one only where that lowers the
    error by two per cent, for smaller differences on one stretch of time do not last. Where all together are not
    surely better than one of these, by a t-test over stretches as long as a forecast, that one is all there is: who
    forecasts a random walk should repeat its last value, whatever a part of it says.

    Args:
        model: An [`AttnLSTMForTimeSeriesPrediction`] without one.
        train: The windows that it has learnt from, which the linear forecast is fitted to.
        held_out: Those by which the shares are found.
        season: Steps of a season; 1 for none.

    Returns:
        The shares.
    """
    maps = candidate_maps(model, train, season)
    products = _errors_together(model, list(maps.values()), held_out)
    shares = _find_shares(products.sum(0))
    shares = _naive_unless_better(products, shares)
    weight = sum(share * each.weight for share, each in zip(shares[1:], maps.values(), strict=True))
    bias = sum(share * each.bias for share, each in zip(shares[1:], maps.values(), strict=True))
    model.set_linear_forecast(weight, bias, float(shares[0]))
    return Shares(float(shares[0]), dict(zip(maps, map(float, shares[1:]), strict=True)))


def _errors_together(model: Any, maps: list[LinearMap], windows: SeriesWindows) -> np.ndarray:
    """The products of the errors of the model and of each map: (stretches, forecasts, forecasts).

    They are summed over the windows that begin within a stretch of a series as long as a forecast.
    """
    scaling = model.attnlstm_forecaster.scaling
    stretches: dict[tuple[int, int], int] = {}
    products: list[np.ndarray] = []
    done = 0
    for batch in batches_of(windows, _BATCH):
        target = batch["future_values"]
        known = torch.isfinite(target)
        mapped = (apply_map(scaling, each, batch["past_values"]) for each in maps)
        forecasts = [forecast_batch(model, batch).values, *mapped]
        errors = torch.stack([torch.where(known, each - target, 0.0) for each in forecasts], 1).flatten(2).double()
        for product in (errors @ errors.transpose(1, 2)).numpy():
            series, step = windows.place(done)
            place = stretches.setdefault((series, step // windows.prediction_length), len(products))
            if place == len(products):
                products.append(np.zeros_like(product))
            products[place] += product
            done += 1
    return np.stack(products)


def _naive_unless_better(products: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """The shares, or the best naive forecast alone where they are not surely better than that."""
    naive = 2 + int(products.sum(0).diagonal()[2:].argmin())
    better = products[:, naive, naive] - np.einsum("i,sij,j->s", shares, products, shares)
    count = len(better)
    if count < _FEWEST_STRETCHES or not better.any():
        return shares
    deviation = better.std(ddof=1)
    sure = better.mean() > stats.t.ppf(1 - _DOUBT, count - 1) * deviation / count**0.5
    return shares if sure else np.eye(len(shares))[naive]


def _find_shares(products: np.ndarray) -> np.ndarray:
    """The shares with the smallest squared error, of the first two forecasts, and of others that are worth it."""
    chosen = [0, 1]
    shares, error = _best_shares(products, chosen)
    for other in range(2, len(products)):
        with_other, lower = _best_shares(products, [*chosen, other])
        if lower < (1 - _WORTH_IT) * error:
            chosen, shares, error = [*chosen, other], with_other, lower
    return shares


def _best_shares(products: np.ndarray, chosen: list[int]) -> tuple[np.ndarray, float]:
    """Shares of all forecasts, 0 but for those that are chosen, and their squared error."""
    part = products[np.ix_(chosen, chosen)]
    scale = max(float(part.diagonal().mean()), 1e-300)
    # As the shares sum to 1, the error of all is the sum of their errors: its length is the smallest.
    values, vectors = np.linalg.eigh(part / scale)
    root = np.sqrt(np.clip(values, 0, None))[:, None] * vectors.T
    found, _ = nnls(np.vstack([root, np.full(len(chosen), _SUM_TO_ONE)]), np.append(np.zeros(len(root)), _SUM_TO_ONE))
    found = found / max(found.sum(), 1e-300)
    shares = np.zeros(len(products))
    shares[chosen] = found
    return shares, float(found @ part @ found)


def fit_spread(model: Any, held_out: SeriesWindows) -> None:
    """Set how wide the quantiles of a forecaster are, so that their loss on held-out windows is the smallest.

    Each quantile has a factor of its own, for the outermost ones are seldom as much too narrow as the others; a
    distribution has one for all.

    Args:
        model: One that forecasts quantiles, or a distribution with a scale.
        held_out: The windows.
    """
    levels = levels_of(model.config)
    middle = levels.index(0.5)
    # Of each spread and level.
    losses = torch.zeros(len(_SPREADS), len(levels), dtype=torch.float64)
    for batch in batches_of(held_out, _BATCH):
        target = batch["future_values"]
        known = torch.isfinite(target)
        quantiles, target = forecast_batch(model, batch).quantiles[known], target[known]
        median = quantiles[:, middle, None]
        for index, spread in enumerate(_SPREADS):
            widened = median + float(spread) * (quantiles - median)
            losses[index] += pinball_losses(widened, target, levels).sum(0, dtype=torch.float64)
    if not losses.any():
        # Nothing is known of the held-out windows.
        return
    if model.config.loss == "nll":
        model.config.quantile_spread = float(_SPREADS[int(losses.sum(1).argmin())]) * model.config.quantile_spread
        return
    found = [float(_SPREADS[int(best)]) for best in losses.argmin(0)]
    found[middle] = 1.0
    before = model.config.quantile_spread
    before = before if isinstance(before, list) else [before] * len(levels)
    model.config.quantile_spread = [new * old for new, old in zip(found, before, strict=True)]

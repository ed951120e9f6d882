"""Forecasts that are weighted sums of the past: the last value, the last season, and what least squares find."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from ..data.series_windows import SeriesWindows, collate_windows
from ..modeling.series_scaling import InstanceScaling


# The simplest forecasts, as tables and sentences call them.
LAST_VALUE, LAST_SEASON, LINEAR = "last value", "last season", "linear"
# Relative to the mean variance of a past step. From a hundredth to a tenth, the errors on series that were held out
# hardly differ; without any, weights of a long past are noise.
PENALTY = 0.1
# Windows, each with as many rows as channels, that a fit reads at most: neighbours are almost the same.
_MOST_ROWS = 200_000
_ROWS_AT_ONCE = 4_096
# Where a smaller share of the futures is known whole, those of which half is known are filled: by what lies around a
# gap, and then by what was fitted, so many times in all. Each brings the fit nearer to that of what is known alone.
_WHOLE, _FILLINGS = 0.5, 4


class LinearMap(NamedTuple):
    """A linear forecast of what a window is after its centre was taken off, and the rest scaled.

    Attributes:
        weight: (prediction_length, context_length).
        bias: (prediction_length,).
    """

    weight: Tensor
    bias: Tensor

    def __call__(self, scaled: Tensor) -> Tensor:
        """(batch, context_length, channels) to (batch, prediction_length, channels)."""
        return torch.nn.functional.linear(scaled.transpose(1, 2), self.weight, self.bias).transpose(1, 2)


def apply_map(scaling: InstanceScaling, linear: LinearMap, past: Tensor) -> Tensor:
    """The forecast of a linear map in the scale of the series, from past values (batch, length, channels)."""
    series = scaling(past)
    return linear(series.values) * series.scale + series.loc


def batches_of(windows: SeriesWindows, size: int) -> Iterator[dict[str, Any]]:
    """The windows in their order, collated."""
    return iter(DataLoader(windows, batch_size=size, shuffle=False, collate_fn=collate_windows))


def naive_map(context_length: int, prediction_length: int, season: int) -> LinearMap:
    """The last season again, or with a season of one step the last value.

    Example:

    ```python
    >>> naive_map(3, 2, season=2).weight
    tensor([[0., 1., 0.],
            [0., 0., 1.]])
    ```
    """
    weight = torch.zeros(prediction_length, context_length)
    steps = torch.arange(prediction_length)
    weight[steps, context_length - season + steps % season] = 1.0
    return LinearMap(weight, torch.zeros(prediction_length))


def naive_maps(context_length: int, prediction_length: int, season: int) -> dict[str, LinearMap]:
    """The last value again and, where there is a season that is read, the last season, by name.

    Example:

    ```python
    >>> list(naive_maps(6, 3, season=2)), list(naive_maps(6, 3, season=24))
    (['last value', 'last season'], ['last value'])
    ```
    """
    maps = {LAST_VALUE: naive_map(context_length, prediction_length, season=1)}
    if 1 < season <= context_length:
        maps[LAST_SEASON] = naive_map(context_length, prediction_length, season=season)
    return maps


def fit_linear(
    windows: SeriesWindows, scaling: InstanceScaling, lookbacks: Iterable[int], penalty: float = PENALTY
) -> list[LinearMap]:
    """Linear forecasts by least squares with a penalty on their weights, one for all series and channels.

    Args:
        windows: Of the training part. Those whose future is not known whole are left out; where these are most of
            them, gaps are filled.
        scaling: What is done with each window first.
        lookbacks: How far back each of them looks.
        penalty: Relative to the mean variance of a past step.

    Example:

    ```python
    >>> fit_linear(windows, InstanceScaling("last", "none"), [96])[0].weight.shape
    torch.Size([24, 96])
    ```
    """
    length = windows.context_length
    channels = windows.inputs[0].values.shape[1]
    kept, size = _thinned(windows, _MOST_ROWS // channels), _ROWS_AT_ONCE // channels + 1
    gram, products, whole = _sums(kept, scaling, size, lambda past, future: future)
    if whole < _WHOLE:
        fill: Callable[[Tensor, Tensor], Tensor] = _between_neighbours
        for _ in range(_FILLINGS):
            gram, products, _ = _sums(kept, scaling, size, fill)
            fill = _filling_by(_solve(gram, products, length, penalty))
    return [_solve(gram, products, lookback, penalty) for lookback in lookbacks]


def _sums(
    windows: SeriesWindows, scaling: InstanceScaling, size: int, fill: Callable[[Tensor, Tensor], Tensor]
) -> tuple[Tensor, Tensor, float]:
    """Products of the pasts with each other, and with the futures that are whole once filled; the share of these."""
    length, horizon = windows.context_length, windows.prediction_length
    gram = torch.zeros(length + 1, length + 1, dtype=torch.float64)
    products = torch.zeros(length + 1, horizon, dtype=torch.float64)
    whole = usable = 0
    for past, future in _rows(windows, scaling, size):
        future = fill(past, future)
        complete = torch.isfinite(future).all(1)
        gram += (past[complete].T @ past[complete]).double()
        products += (past[complete].T @ future[complete]).double()
        whole, usable = whole + int(complete.sum()), usable + len(future)
    return gram, products, whole / max(usable, 1)


def _between_neighbours(past: Tensor, future: Tensor) -> Tensor:
    """Gaps on the line between the values around them, or as the nearest one."""
    known, last = torch.isfinite(future), future.shape[1] - 1
    steps = torch.arange(last + 1).expand_as(future)
    before = torch.where(known, steps, -1).cummax(1).values
    after = torch.where(known, steps, last + 1).flip(1).cummin(1).values.flip(1)
    first, second = torch.where(before < 0, after, before), torch.where(after > last, before, after)
    share = (steps - first) / (second - first).clamp(min=1)
    values = torch.where(known, future, 0.0)
    line = torch.lerp(values.gather(1, first), values.gather(1, second), share)
    return torch.where(known, future, line)


def _filling_by(fitted: LinearMap) -> Callable[[Tensor, Tensor], Tensor]:
    """What fills gaps with what a linear forecast says of them."""
    weight = torch.cat([fitted.weight, fitted.bias[:, None]], 1)
    return lambda past, future: torch.where(torch.isfinite(future), future, past @ weight.T)


def _thinned(windows: SeriesWindows, most: int) -> SeriesWindows:
    return windows if len(windows) <= most else windows.thinned(most)


def _rows(windows: SeriesWindows, scaling: InstanceScaling, size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Pasts (rows, length + 1), the last column for the bias, and futures (rows, horizon), centred but not scaled.

    Futures of which less than half is known are left out.
    What is scaled is given its size back, so that large errors count as much as they are.
    """
    for batch in batches_of(windows, size):
        series = scaling(batch["past_values"])
        past = (series.values * series.scale).transpose(1, 2).flatten(0, 1)
        future = (batch["future_values"] - series.loc).transpose(1, 2).flatten(0, 1)
        bias = series.scale.expand(-1, 1, past.shape[0] // len(series.scale)).flatten()[:, None]
        known = 2 * torch.isfinite(future).sum(1) >= future.shape[1]
        yield torch.cat([past, bias], 1)[known], future[known]


def _solve(gram: Tensor, products: Tensor, lookback: int, penalty: float) -> LinearMap:
    length = len(gram) - 1
    kept = torch.arange(length - lookback, length + 1)
    matrix = gram[kept][:, kept]
    ridge = penalty * matrix.diagonal()[:-1].mean().clamp(min=1e-12)
    matrix = matrix + torch.diag(torch.cat([ridge.expand(lookback), 1e-6 * matrix[-1, -1:] + 1e-12]))
    solved = torch.linalg.solve(matrix, products[kept])
    weight = torch.zeros(products.shape[1], length, dtype=torch.float64)
    weight[:, length - lookback :] = solved[:-1].T
    return LinearMap(weight.float(), solved[-1].float())

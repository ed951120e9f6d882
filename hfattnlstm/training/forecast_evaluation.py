"""What a forecaster is worth: its errors by step beside those of the simplest forecasts, and whether it beats them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..data.series import row_name
from ..data.series_processor import SeriesInputs
from ..data.series_windows import SeriesWindows, collate_windows
from ..modeling.series_scaling import InstanceScaling
from .forecast_metrics import MSE, ForecastBatch, ForecastSums, owa
from .forecasts import Forecast, forecast_batch, unscaled
from .linear_forecasts import LAST_VALUE, LINEAR, LinearMap, apply_map, batches_of, naive_maps
from .naive_forecasts import naive2


_NAIVE2 = "naive 2"
# Seasons of the past from which it finds the season.
_SEASONS_OF_NAIVE2 = 40
# Errors that are kept for a picture, and windows that are shown in one.
_MOST_RESIDUALS, SHOWN_WINDOWS = 20_000, 4
_DECIDING = ("mse", "mae")


@dataclass(frozen=True)
class ShownWindow:
    """A window as a picture shows it, in the scale of its series.

    Attributes:
        name: Of its series and channel.
        past, future: (length,), what was read, and what came.
        forecast: (length,).
        quantiles: (length, levels); None for points alone.
        attention: (queries, parts), the mean over heads; None without.
        part_length: Steps of the past in a part; the first one may begin before it.
    """

    name: str
    past: np.ndarray
    future: np.ndarray
    forecast: np.ndarray
    quantiles: np.ndarray | None
    attention: np.ndarray | None = None
    part_length: int = 1


@dataclass(frozen=True)
class ForecastEvaluation:
    """How good a forecaster is on a part of its series.

    Attributes:
        metrics: Those of [`ForecastSums.metrics`], and `owa` where it can be had.
        others: The same of the forecasts that it is compared with, by name.
        by_step: `mse` of each future step, by name of the forecast, "model" among them.
        quantiles: Levels of its quantiles.
        windows: How many were forecast.
        residuals: Scaled errors of a sample, what came less what was forecast.
        shown: Some windows.
        below_zero: Whether a forecast or a quantile of the model is below 0.
    """

    metrics: dict[str, float]
    others: dict[str, dict[str, float]]
    by_step: dict[str, list[float]]
    quantiles: Sequence[float]
    windows: int
    residuals: np.ndarray = field(repr=False)
    shown: Sequence[ShownWindow] = field(default=(), repr=False)
    below_zero: bool = False

    def table(self) -> dict[str, dict[str, float]]:
        """Rows of scores by name of the forecast, those of the model first."""
        names = [name for name in self.metrics if all(name in other for other in self.others.values())]
        rows = {"model": self.metrics, **self.others}
        return {row: {name: scores[name] for name in names} for row, scores in rows.items()}

    def beaten_by(self) -> list[tuple[str, str]]:
        """Names of the simple forecasts that are as good or better, each with the metric in which they are."""
        return [
            (other, name)
            for other, scores in self.others.items()
            for name in _DECIDING
            if not self.metrics[name] < scores[name]
        ]

    def verdict(self) -> str:
        """A sentence that says what the model does not beat, and by how much."""
        better = [
            f"{other} has {name} {self.others[other][name]:.4g} against {self.metrics[name]:.4g}"
            for other, name in self.beaten_by()
        ]
        if not better:
            return f"The model beats {', '.join(self.others)} in {' and '.join(_DECIDING)}."
        return f"The model does not beat every simple forecast: {'; '.join(better)}."


def evaluate_forecasts(
    forecast: Callable[[dict[str, Any]], Forecast],
    windows: SeriesWindows,
    mase_scales: Sequence[np.ndarray],
    *,
    season: int,
    quantiles: Sequence[float] = (),
    linear: tuple[InstanceScaling, LinearMap] | None = None,
    batch_size: int = 256,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> ForecastEvaluation:
    """Measure a forecaster on every window, beside the last value, the last season and a linear forecast.

    Args:
        forecast: From a batch of windows to the forecasts, scaled.
        windows: What is forecast.
        mase_scales: Of each series of the windows, (channels,), scaled; see [`seasonal_errors`].
        season: Steps of a season; 1 for none.
        quantiles: Levels of the quantiles that it forecasts.
        linear: A linear forecast of the training part, with what is done to each window first.
        batch_size: Windows at a time.
        progress: Called with how many windows are done, of how many.
    """
    rivals, bounds = _rivals(windows, season, linear), windows.inputs[0].bounds
    sums = {"model": ForecastSums(quantiles), **{name: ForecastSums() for name in rivals}}
    residuals, done, below, generator = [], 0, False, np.random.default_rng(0)
    seasonal = season > 1
    if seasonal:
        sums[_NAIVE2] = ForecastSums()
    for batch in batches_of(windows, batch_size):
        count = len(batch["past_values"])
        happened = _happened(batch, windows, range(done, done + count), mase_scales)
        found = _bounded(forecast(batch), happened, bounds)
        below = below or _is_below_zero(found, happened)
        sums["model"].add(found.values, happened, found.quantiles)
        for name, rival in rivals.items():
            said = Forecast(rival(batch["past_values"]), None)
            sums[name].add(_bounded(said, happened, bounds).values, happened)
        if seasonal:
            sums[_NAIVE2].add(_naive2(windows, range(done, done + count), season), happened)
        errors = (happened.target - found.values).flatten().numpy()
        kept = generator.random(len(errors)) < _MOST_RESIDUALS / (len(errors) / count * len(windows))
        residuals.append(errors[kept & np.isfinite(errors)])
        done += count
        progress(done, len(windows))
    metrics = {name: each.metrics() for name, each in sums.items()}
    _add_owa(metrics)
    metrics.pop(_NAIVE2, None)
    return ForecastEvaluation(
        metrics.pop("model"),
        metrics,
        {name: each.by_step(MSE) for name, each in sums.items() if name != _NAIVE2},
        tuple(quantiles),
        done,
        np.concatenate(residuals) if residuals else np.empty(0),
        below_zero=below,
    )


def show_windows(model: Any, windows: SeriesWindows, channels: Sequence[str]) -> list[ShownWindow]:
    """A few windows, evenly spaced, with what a model says of their first channel.

    Args:
        model: The forecaster.
        windows: Where they are taken from.
        channels: Names of the channels.
    """
    shown = []
    for index in np.linspace(0, len(windows) - 1, min(SHOWN_WINDOWS, len(windows))).round().astype(int):
        series, _ = windows.place(index)
        inputs = windows.inputs[series]
        window = windows[index]
        scale = _scale_of(inputs)
        found = unscaled(forecast_batch(model, collate_windows([window]), attention=True), *scale, inputs.bounds)
        heads = None if found.attention is None else found.attention.unflatten(1, (-1, model.config.pooler_num_heads))
        shown.append(
            ShownWindow(
                row_name(windows.names[series], channels[0], len(channels)),
                *(window[part][:, 0] * inputs.std[0] + inputs.mean[0] for part in ("past_values", "future_values")),
                found.values[0, :, 0].numpy(),
                None if found.quantiles is None else found.quantiles[0, :, 0].numpy(),
                None if heads is None else heads[0, 0].mean(0).numpy(),
                model.attnlstm_forecaster.front.window,
            )
        )
    return shown


def _scale_of(inputs: SeriesInputs) -> tuple[Tensor, Tensor]:
    return torch.from_numpy(inputs.mean)[None, None], torch.from_numpy(inputs.std)[None, None]


def _bounded(forecast: Forecast, happened: ForecastBatch, bounds: tuple[float, float]) -> Forecast:
    """A scaled forecast between its bounds, which are rounded as what happened is: a value on one is within."""
    low, high = (((bound - happened.mean) / happened.std).to(happened.target.dtype) for bound in bounds)
    quantiles = forecast.quantiles
    if quantiles is not None:
        quantiles = quantiles.clamp(low.unsqueeze(-1), high.unsqueeze(-1))
    return forecast._replace(values=forecast.values.clamp(low, high), quantiles=quantiles)


def _is_below_zero(forecast: Forecast, happened: ForecastBatch) -> bool:
    lowest = forecast.values if forecast.quantiles is None else forecast.quantiles[..., 0]
    return bool((lowest * happened.std + happened.mean < 0).any())


def _rivals(
    windows: SeriesWindows, season: int, linear: tuple[InstanceScaling, LinearMap] | None
) -> dict[str, Callable[[Tensor], Tensor]]:
    """From past values to forecasts, by name."""
    plain = InstanceScaling("last", "none")
    found = naive_maps(windows.context_length, windows.prediction_length, season)
    maps = {name: (plain, each) for name, each in found.items()}
    if linear is not None:
        maps[LINEAR] = linear
    return {name: lambda past, pair=pair: apply_map(*pair, past) for name, pair in maps.items()}


def _happened(
    batch: dict[str, Any], windows: SeriesWindows, places: range, mase_scales: Sequence[np.ndarray]
) -> ForecastBatch:
    series = [windows.place(index)[0] for index in places]

    def of_series(values: Sequence[np.ndarray]) -> Tensor:
        return torch.from_numpy(np.stack([values[index] for index in series])).unsqueeze(1)

    means, stds = ([getattr(each, name) for each in windows.inputs] for name in ("mean", "std"))
    return ForecastBatch(batch["future_values"], of_series(means), of_series(stds), of_series(mase_scales))


def _naive2(windows: SeriesWindows, places: range, season: int) -> Tensor:
    """Of each window, from as much of its series as tells a season, in the scale of the model."""
    found = []
    for series, step in map(windows.place, places):
        inputs = windows.inputs[series]
        history = inputs.values[max(step - _SEASONS_OF_NAIVE2 * season, 0) : step] * inputs.std + inputs.mean
        forecast = naive2(_filled(history).T, season, windows.prediction_length).T
        found.append((forecast - inputs.mean) / inputs.std)
    return torch.from_numpy(np.stack(found)).float()


def _filled(values: np.ndarray) -> np.ndarray:
    """(length, channels) from the first step on of which all channels know something, gaps with the value before."""
    known = np.isfinite(values)
    if known.all():
        return values
    begun = np.logical_or.accumulate(known).all(1)
    last = np.maximum.accumulate(np.where(known, np.arange(len(values))[:, None], 0))
    filled = np.take_along_axis(values, last, 0)[begun]
    return np.nan_to_num(filled if len(filled) else np.nan_to_num(values)[-1:])


def _add_owa(metrics: Mapping[str, dict[str, float]]) -> None:
    """Beside naive 2; where there is no season, that is the last value."""
    base = metrics.get(_NAIVE2, metrics[LAST_VALUE])
    if not base.get("smape") or not base.get("mase"):
        return
    for scores in metrics.values():
        # Where everything is 0, and is forecast so, there is no relative error.
        scores["owa"] = owa(scores.get("smape", 0.0), scores.get("mase", 0.0), base["smape"], base["mase"])

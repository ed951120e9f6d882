"""Forecasts of tables: a forecaster that is fitted, loaded and asked as others of its kind are."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, replace
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from transformers import AutoConfig, PretrainedConfig

from .._places import loading_from
from .._wording import option
from ..data.progress import no_progress_bars
from ..data.series import Panel, Series, row_name
from ..data.series_files import load_series
from ..data.series_processor import SeriesInputs, SeriesProcessor
from ..data.series_times import later_times
from ..data.series_windows import collate_windows, padded_before, window_at
from ..modeling.configuration_forecaster import AttnLSTMForecasterConfig
from ..modeling.modeling_time_series_prediction import AttnLSTMForTimeSeriesPrediction
from .forecast_evaluation import ShownWindow
from .forecast_plots import plot_windows
from .forecaster_flags import Silence, checked_flag, task_of
from .forecaster_tables import load_like
from .forecasting_arguments import SeriesArguments, columns_of
from .forecasts import Forecast, forecast_batch, levels_of, unscaled
from .run import TaskRun, run_task


if TYPE_CHECKING:
    from matplotlib.figure import Figure

ID, TIME, FORECAST = "unique_id", "ds", "yhat"
CUTOFF, VALUE = "cutoff", "y"
ONCE, ALWAYS, NEVER = "once", "always", "never"
# Windows that are forecast together, and channels in a picture at most.
BATCH, MOST_DRAWN = 256, 8
# Share of the deviation of a series that is no more than rounding: a constant one has an interval without a width.
_ROUNDED = 1e-5


class Forecaster:
    """A model of time series with what it knows of them, for tables.

    Args:
        horizon: Steps that are forecast; needed to fit a new one.
        output_dir: Folder for the model that is fitted; one that is gone with the program without.
        **flags: Those of `hfattnlstm forecast train`, such as `lookback`, `learning_rate` or `known_columns`.

    Attributes:
        model: The [`AttnLSTMForTimeSeriesPrediction`]; None before `fit`.
        processor: The [`SeriesProcessor`]; None before `fit`.
        run: What the last `fit` has left behind; None for a model that was loaded.

    Raises:
        ValueError: For a flag that there is not.

    Example:

    ```python
    >>> forecaster = Forecaster(horizon=12, lookback=36, max_steps=20).fit(frame)
    >>> forecaster.predict(frame).columns.tolist()[:3]
    ['unique_id', 'ds', 'yhat']
    ```
    """

    def __init__(self, horizon: int | None = None, output_dir: str | PathLike[str] | None = None, **flags: Any):
        given = {**flags, **({} if horizon is None else {"horizon": horizon})}
        self._flags = {name: checked_flag(name, value) for name, value in given.items()}
        self._output_dir = output_dir
        self.model: Any = None
        self.processor: SeriesProcessor | None = None
        self.run: TaskRun | None = None
        # What removes the folder of the last model that was fitted without one.
        self._end_folder: weakref.finalize | None = None

    @classmethod
    def from_pretrained(cls, name: str | PathLike[str], **kwargs: Any) -> Forecaster:
        """A forecaster from a folder or the Hub.

        Args:
            name: As [`save_pretrained`] or a training has written it.
            **kwargs: Of the model's `from_pretrained`, such as `revision`.

        Raises:
            OSError: There is no such folder or repository, or a file is missing.
            ValueError: It is no forecaster, or not a whole one.
        """
        forecaster = cls()
        # What says which files are meant.
        which = {option: kwargs[option] for option in _OF_THE_HUB if option in kwargs}
        with loading_from(name) as place:
            config = AutoConfig.from_pretrained(place, **which)
        _check_kind(name, config)
        with loading_from(name) as place:
            forecaster.model = AttnLSTMForTimeSeriesPrediction.from_pretrained(place, **kwargs).eval()
            try:
                forecaster.processor = SeriesProcessor.from_pretrained(place, **which)
            except OSError:
                raise FileNotFoundError(
                    f"{name} has no preprocessor_config.json, without which the scale of its series is unknown: save "
                    "or download the model again."
                ) from None
        forecaster.model.check_trained()
        return forecaster

    def save_pretrained(self, folder: str | PathLike[str]) -> None:
        """Write model and processor into a folder."""
        self._check_fitted()
        self.model.save_pretrained(folder)
        self.processor.save_pretrained(folder)

    def push_to_hub(self, repo_id: str, **kwargs: Any) -> None:
        """Upload model and processor.

        Args:
            repo_id: Of the repository.
            **kwargs: As the model's `push_to_hub` takes them.
        """
        self._check_fitted()
        self.model.push_to_hub(repo_id, **kwargs)
        self.processor.push_to_hub(repo_id, **kwargs)

    def fit(self, frame: Any) -> Forecaster:
        """Train a forecaster, with the flags that this one was made with.

        Args:
            frame: A table, or what [`load_series`] reads.

        Returns:
            This forecaster.

        Raises:
            ValueError: For series and flags that do not fit together.
        """
        folder = self._output_dir
        if folder is None:
            folder = tempfile.mkdtemp(prefix="forecaster-")
            if self._end_folder is not None:
                self._end_folder()
            self._end_folder = weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        with no_progress_bars():
            self.run = run_task(task_of(self._flags, str(folder), frame), Silence())
        self.model, self.processor = self.run.model.eval(), self.run.processor
        return self

    def load(self, frame: Any, future: Any = None) -> Panel:
        """Series of the columns and the frequency that the model was trained on.

        Args:
            frame: A table, or what [`load_series`] reads.
            future: Covariates of the steps behind it, in a table with the same columns; its values are not read.

        Raises:
            ValueError: For other columns, another frequency, a future of which the model knows nothing, and as
                [`load_series`].
        """
        self._check_fitted()
        return load_like(self.processor, frame, future)

    def _read(self, frame: Any) -> Panel:
        """Series as the flags say, before anything is trained."""
        known = {item.name for item in fields(SeriesArguments)} & set(self._flags)
        data = SeriesArguments(**{name: self._flags[name] for name in known})
        return load_series(frame, columns_of(data), frequency=data.frequency)

    def predict(
        self,
        frame: Any,
        *,
        horizon: int | None = None,
        quantiles: Sequence[float] | None = None,
        future: Any = None,
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> pd.DataFrame:
        """Forecast what comes after the last value of each series.

        Args:
            frame: A table, or what [`load_series`] reads; its series may be new.
            horizon: Steps; as many as the model forecasts without.
            quantiles: Those that are returned; all that the model has without.
            future: What is known in advance of the steps that are forecast, as in [`load`].
            progress: Called with how many series are done, of how many.

        Returns:
            `unique_id`, `ds`, `yhat`, and a column for each quantile, such as `q0.1`: one row a series, channel and
            step. Of a table with a channel a column, the channels are the series.

        Raises:
            ValueError: For series that the model does not fit, or steps and quantiles that it does not forecast.
        """
        panel = self.load(frame, future)
        return pd.concat(self.predict_batches(panel, horizon, quantiles, progress), ignore_index=True)

    def predict_batches(
        self,
        panel: Panel,
        horizon: int | None = None,
        quantiles: Sequence[float] | None = None,
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> Iterator[pd.DataFrame]:
        """As [`predict`], piece by piece, for more series than their forecasts fit in memory."""
        horizon = self._check_horizon(horizon)
        levels = self._check_quantiles(quantiles)
        done = 0
        for series in _in_batches(panel.series, BATCH):
            cutoffs = [len(each) for each in series]
            forecast = self._forecast(series, cutoffs)
            yield self._rows(series, cutoffs, forecast, horizon, levels)
            done += len(series)
            progress(done, len(panel))

    def cross_validation(
        self, frame: Any, windows: int = 1, step: int | None = None, refit: str = ONCE
    ) -> pd.DataFrame:
        """Forecast the last parts of series, each from what lies before it.

        Args:
            frame: A table, or what [`load_series`] reads.
            windows: How many parts of `horizon` steps are forecast.
            step: Steps between their beginnings; `horizon` without.
            refit: `"once"` trains another forecaster on what lies before the first part, `"always"` one before each of
                them, `"never"` takes the model as it is, which may have learnt what it forecasts.

        Returns:
            `unique_id`, `ds`, `cutoff`, the last time before the part, `y`, `yhat` and quantiles.

        Raises:
            ValueError: For series that are too short, and another word for `refit`.
        """
        if refit not in (ONCE, ALWAYS, NEVER):
            raise ValueError(f"refit takes {ONCE!r}, {ALWAYS!r} or {NEVER!r}, not {refit!r}.")
        if windows < 1 or (step is not None and step < 1):
            raise ValueError("windows and step are at least 1.")
        if refit == NEVER:
            self._check_fitted()
        panel = self.load(frame) if self.model is not None else self._read(frame)
        horizon = self._flags.get("horizon") if self.model is None else self.model.config.prediction_length
        farthest = (horizon or 0) + (windows - 1) * (step or horizon or 0)
        if all(len(each) <= farthest for each in panel):
            raise ValueError(
                f"No series has more than {farthest} steps, the last of which are forecast: take fewer windows, or "
                "longer series."
            )
        found, forecaster = [], self
        for number in reversed(range(windows)):
            back = (horizon or 0) + number * (step or horizon or 0)
            if refit == ALWAYS or (refit == ONCE and number == windows - 1):
                forecaster = self._trained_before(panel, back)
            for series in _in_batches([each for each in panel if len(each) > back], BATCH):
                found.append(forecaster._backtest(series, [len(each) - back for each in series], horizon))
        return pd.concat(found, ignore_index=True)

    def _trained_before(self, panel: Panel, back: int) -> Forecaster:
        """Another forecaster, trained on what lies before the last `back` steps."""
        if "horizon" not in self._flags:
            raise ValueError(f'To train, a Forecaster needs its horizon; with refit="{NEVER}" it is taken as it is.')
        kept = [each.until(len(each) - back) for each in panel if len(each) > back]
        return Forecaster(**self._flags).fit(replace(panel, series=kept, _by_name={}))

    def detect_anomalies(self, frame: Any, *, step: int | None = None) -> pd.DataFrame:
        """Tell which values lie outside of the widest interval of the forecasts made before them.

        Args:
            frame: A table, or what [`load_series`] reads.
            step: Steps that are forecast at a time; a season without, `horizon` at most.

        Returns:
            `unique_id`, `ds`, `cutoff`, `y`, `yhat`, quantiles, and `anomaly`, true where a value lies outside; from
            the first step on that has a past as long as the model reads, or half of a shorter series before it. Where
            what is known in advance ends too early for the last parts, they are forecast as one, from further back.

        Raises:
            ValueError: When the model forecasts no quantiles, or no series is long enough.
        """
        panel = self.load(frame)
        levels = levels_of(self.model.config)
        if len(levels) < 2:
            raise ValueError(
                f"A model with a loss of points has no intervals: train one with {option('loss', 'quantile')}."
            )
        if step is not None and step < 1:
            raise ValueError(f"{option('step')} must be at least 1, got {step}.")
        horizon = self.model.config.prediction_length
        step = min(step or self.processor.season_length, horizon)
        found = [self._detected(each, step) for each in panel]
        found = [each for each in found if len(each)]
        if not found:
            raise ValueError("No series has more than one step: there is nothing to compare.")
        rows = pd.concat(found, ignore_index=True)
        low, high = (rows[f"q{level:g}"] for level in (levels[0], levels[-1]))
        slack = rows[ID].map(self._rounding(panel))
        rows["anomaly"] = (rows[VALUE] < low - slack) | (rows[VALUE] > high + slack)
        return rows

    def _rounding(self, panel: Panel) -> dict[str, float]:
        """By how much a forecast of each series may be off because the model computes in float32."""
        channels = panel.channels
        return {
            row_name(each.name, channel, len(channels)): _ROUNDED * float(std)
            for each in panel
            for channel, std in zip(channels, self.processor.scale_of(each)[1], strict=True)
        }

    def plot(self, frame: Any, name: str | None = None) -> Figure:
        """Draw the forecast of a series behind its past, with intervals.

        Args:
            frame: A table, or what [`load_series`] reads.
            name: Of the series, or of a channel of the only one; the first one without.

        Raises:
            ImportError: matplotlib is not installed.
            ValueError: There is no such series.
        """
        panel = self.load(frame)
        channels = list(enumerate(panel.channels))
        if name in panel.channels and len(panel) == 1:
            # As the forecasts of a table with a channel a column are called.
            channels, name = [channels[panel.channels.index(name)]], None
        series = panel.only(None if name is None else [name]).series[0]
        forecast = self._forecast([series], [len(series)])
        past = padded_before(series.values, self.model.config.context_length)
        nothing = np.full(forecast.values.shape[1], np.nan)
        windows = [
            ShownWindow(
                row_name(series.name, channel, len(panel.channels)),
                past[:, index],
                nothing,
                forecast.values[0, :, index].numpy(),
                None if forecast.quantiles is None else forecast.quantiles[0, :, index].numpy(),
                None,
            )
            for index, channel in channels[:MOST_DRAWN]
        ]
        return plot_windows(windows, levels_of(self.model.config))

    def _detected(self, series: Series, step: int) -> pd.DataFrame:
        first = min(self.model.config.context_length, max(len(series) // 2, 1))
        cutoffs = list(range(first, len(series), step))
        early = self._known_far_enough(series, cutoffs)
        parts = [self._backtest([series] * len(some), some, step) for some in _in_batches(early, BATCH)]
        if len(early) < len(cutoffs):
            begin = cutoffs[len(early)]
            rows = self._backtest([series], [self._last_cutoff(series)], self.model.config.prediction_length)
            parts.append(rows[rows[TIME] >= later_times(series.start, self.processor.frequency, [begin])[0]])
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()

    def _known_far_enough(self, series: Series, cutoffs: Sequence[int]) -> Sequence[int]:
        """The cutoffs after which the covariates go on for all steps that the model forecasts."""
        if not self.processor.series_columns.features or self._last_cutoff(series) < 1:
            return cutoffs
        return [cutoff for cutoff in cutoffs if cutoff <= self._last_cutoff(series)]

    def _last_cutoff(self, series: Series) -> int:
        known = 0 if series.features is None else len(series.features)
        return known - self.model.config.prediction_length

    def _backtest(self, series: Sequence[Series], cutoffs: Sequence[int], horizon: int) -> pd.DataFrame:
        """Forecasts after each cutoff with what came."""
        rows = self._rows(series, cutoffs, self._forecast(series, cutoffs), horizon, levels_of(self.model.config))
        happened = [
            _padded(each.values[cutoff : cutoff + horizon], horizon).T.ravel()
            for each, cutoff in zip(series, cutoffs, strict=True)
        ]
        rows.insert(2, VALUE, np.concatenate(happened))
        last = [
            later_times(each.start, self.processor.frequency, [cutoff - 1])[0]
            for each, cutoff in zip(series, cutoffs, strict=True)
        ]
        rows.insert(2, CUTOFF, np.repeat(last, horizon * len(self.processor.channels)))
        return rows[rows[VALUE].notna()]

    def _forecast(self, series: Sequence[Series], cutoffs: Sequence[int], attention: bool = False) -> Forecast:
        """Of each series from a step on, in its own scale."""
        config = self.model.config
        inputs = [self._inputs(each, cutoff) for each, cutoff in zip(series, cutoffs, strict=True)]
        windows = [
            window_at(each, cutoff, config.context_length, config.prediction_length)
            for each, cutoff in zip(inputs, cutoffs, strict=True)
        ]
        found = forecast_batch(self.model, collate_windows(windows), attention)
        mean, std = (torch.from_numpy(np.stack([getattr(each, name) for each in inputs])) for name in ("mean", "std"))
        return unscaled(found, mean.unsqueeze(1), std.unsqueeze(1), self.processor.bounds)

    def _inputs(self, series: Series, cutoff: int) -> SeriesInputs:
        """What is known at a cutoff: a series that training has not seen is scaled by what lies before it."""
        return self.processor.inputs(series.until(cutoff), further=self.model.config.prediction_length)

    def _rows(
        self,
        series: Sequence[Series],
        cutoffs: Sequence[int],
        forecast: Forecast,
        horizon: int,
        levels: Sequence[float],
    ) -> pd.DataFrame:
        """A row for each series, channel and step."""
        channels = self.processor.channels
        names = [row_name(each.name, channel, len(channels)) for each in series for channel in channels]
        times = [
            later_times(each.start, self.processor.frequency, range(cutoff, cutoff + horizon))
            for each, cutoff in zip(series, cutoffs, strict=True)
        ]
        rows = {
            ID: np.repeat(np.asarray(names, object), horizon),
            TIME: np.concatenate([np.tile(each, len(channels)) for each in times]),
            FORECAST: forecast.values[:, :horizon].transpose(1, 2).flatten().numpy(),
        }
        all_levels = levels_of(self.model.config)
        for level in levels:
            of_level = forecast.quantiles[:, :horizon, :, all_levels.index(level)]
            rows[f"q{level:g}"] = of_level.transpose(1, 2).flatten().numpy()
        return pd.DataFrame(rows)

    def _check_horizon(self, horizon: int | None) -> int:
        most = self.model.config.prediction_length
        if horizon is not None and not 1 <= horizon <= most:
            raise ValueError(f"The model forecasts 1 to {most} steps, not {horizon}: train one for more steps.")
        return most if horizon is None else horizon

    def _check_quantiles(self, quantiles: Sequence[float] | None) -> tuple[float, ...]:
        levels = levels_of(self.model.config)
        for level in quantiles or ():
            if level not in levels:
                known = ", ".join(f"{each:g}" for each in levels) or "none"
                raise ValueError(f"The model does not forecast the quantile {level:g}; those that it has: {known}.")
        return levels if quantiles is None else tuple(quantiles)

    def _check_fitted(self) -> None:
        if self.model is None:
            raise ValueError("This Forecaster is not fitted yet: call fit, or load one by Forecaster.from_pretrained.")


# Where a checkpoint on the Hub is.
_OF_THE_HUB = ("revision", "token", "cache_dir", "local_files_only", "force_download", "subfolder")


def _check_kind(name: object, config: PretrainedConfig) -> None:
    """ValueError for the checkpoint of something else than a forecaster."""
    wanted = AttnLSTMForTimeSeriesPrediction.__name__
    kinds = getattr(config, "architectures", None) or [wanted]
    if config.model_type != AttnLSTMForecasterConfig.model_type or wanted not in kinds:
        raise ValueError(
            f"{name} is the checkpoint of an {kinds[0]}, of the type {config.model_type!r}, which forecasts nothing: "
            f"name one of an {wanted}."
        )


def _in_batches(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _padded(values: np.ndarray, length: int) -> np.ndarray:
    return np.pad(values, ((0, length - len(values)), (0, 0)), constant_values=np.nan)

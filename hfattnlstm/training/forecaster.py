"""Forecasts of tables: a forecaster that is fitted, loaded and asked as others of its kind are."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, replace
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch

from .._parsing import did_you_mean
from .._places import loading_from
from .._wording import option
from ..data.series import Panel, Series, SeriesColumns
from ..data.series_cells import NoTimesError, tidy_table
from ..data.series_files import load_series, name_of, read_table
from ..data.series_gluonts import START
from ..data.series_processor import SeriesInputs, SeriesProcessor
from ..data.series_tables import columns_like, panel_of_frame
from ..data.series_times import later_times, shown_series
from ..data.series_windows import collate_windows, padded_before, window_at
from ..modeling.modeling_time_series_prediction import AttnLSTMForTimeSeriesPrediction
from .forecast_evaluation import ShownWindow
from .forecast_plots import plot_windows
from .forecasting import ForecastingTask
from .forecasting_arguments import SeriesArguments, columns_of
from .forecasts import Forecast, forecast_batch, levels_of
from .run import TaskRun, run_task


if TYPE_CHECKING:
    from matplotlib.figure import Figure

ID, TIME, FORECAST = "unique_id", "ds", "yhat"
CUTOFF, VALUE = "cutoff", "y"
ONCE, ALWAYS, NEVER = "once", "always", "never"
# Windows that are forecast together, and channels in a picture at most.
BATCH, MOST_DRAWN = 256, 8
# Values that tell of which frequency a series is, in spite of gaps.
_ENOUGH_TO_TELL = 10


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
    >>> forecaster = Forecaster(horizon=12, lookback=36).fit(frame)
    >>> forecaster.predict(frame).columns.tolist()[:3]
    ['unique_id', 'ds', 'yhat']
    ```
    """

    def __init__(self, horizon: int | None = None, output_dir: str | PathLike[str] | None = None, **flags: Any):
        self._flags = {**flags, **({} if horizon is None else {"horizon": horizon})}
        self._output_dir = output_dir
        self._check_flags()
        self.model: Any = None
        self.processor: SeriesProcessor | None = None
        self.run: TaskRun | None = None
        self._folder: tempfile.TemporaryDirectory | None = None

    def _check_flags(self) -> None:
        known = {item.name for kind in ForecastingTask.kinds() for item in fields(kind) if item.init}
        for name in self._flags:
            if name not in known:
                raise ValueError(f"A Forecaster has no {name!r}{did_you_mean(name, known) or '.'}")

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
        with loading_from(name) as place:
            forecaster.model = AttnLSTMForTimeSeriesPrediction.from_pretrained(place, **kwargs).eval()
            forecaster.processor = SeriesProcessor.from_pretrained(place)
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
            self._folder = tempfile.TemporaryDirectory(prefix="forecaster-")
            folder = self._folder.name
        values = {"output_dir": str(folder), "disable_tqdm": True, **self._flags}
        kinds = ForecastingTask.kinds()
        names = [{item.name for item in fields(kind) if item.init} for kind in kinds]
        parts = [
            kind(**{name: value for name, value in values.items() if name in own})
            for kind, own in zip(kinds, names, strict=True)
        ]
        task = ForecastingTask(*parts, frozenset(values) - {"output_dir", "disable_tqdm"})
        task.source = frame
        self.run = run_task(task)
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
        if future is not None:
            self._check_future(frame)
        if isinstance(frame, Panel):
            return frame
        columns, name = self.processor.series_columns, name_of(frame)
        table = _table_of(frame, columns)
        if future is not None:
            table = _with_future(table, _table_of(future, columns), columns)
        try:
            panel = panel_of_frame(table, columns_like(table, columns), self.processor.frequency, name)
        except NoTimesError:
            raise ValueError(
                f"The model was trained on series with times, and {name} has none: give it the same."
            ) from None
        if panel.frequency is not None and self.processor.frequency is None:
            raise ValueError(f"The model was trained on series with no times, and {name} has some: give it the same.")
        self._check_steps(panel)
        return panel

    def _check_future(self, frame: Any) -> None:
        if isinstance(frame, Panel):
            raise ValueError(f"{option('future')} is for a table: give it when the series are loaded.")
        columns = self.processor.series_columns
        if not columns.features:
            raise ValueError(f"The model knows nothing in advance, which {option('future')} would hold: leave it out.")
        if columns.time == START:
            raise ValueError(
                f"{option('future')} is for tables with a row a step: let feat_dynamic_real go on behind the target."
            )

    def _check_steps(self, panel: Panel) -> None:
        """ValueError for series of a coarser frequency, which would have the same gap behind each of their values."""
        for series in panel if panel.frequency is not None else ():
            places = np.flatnonzero(np.isfinite(series.values).any(1))
            apart = int(np.gcd.reduce(np.diff(places))) if len(places) >= _ENOUGH_TO_TELL else 1
            if apart > 1:
                raise ValueError(
                    f"The model was trained on steps of {panel.frequency!r}, and {shown_series(series.name)} in "
                    f"{panel.origin} has values only {apart} steps apart: give it series of the same frequency."
                )

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
            refit: `"once"` trains on what lies before the first part, `"always"` anew before each of them, `"never"`
                takes the model as it is, which may have learnt what it forecasts.

        Returns:
            `unique_id`, `ds`, `cutoff`, the last time before the part, `y`, `yhat` and quantiles.

        Raises:
            ValueError: For series that are too short, and another word for `refit`.
        """
        if refit not in (ONCE, ALWAYS, NEVER):
            raise ValueError(f"refit takes {ONCE!r}, {ALWAYS!r} or {NEVER!r}, not {refit!r}.")
        if windows < 1 or (step is not None and step < 1):
            raise ValueError("windows and step are at least 1.")
        panel = self.load(frame) if self.model is not None else self._read(frame)
        horizon = self._flags.get("horizon") if self.model is None else self.model.config.prediction_length
        found = []
        for number in reversed(range(windows)):
            back = (horizon or 0) + number * (step or horizon or 0)
            if refit == ALWAYS or (refit == ONCE and number == windows - 1):
                self._fit_before(panel, back)
            for series in _in_batches([each for each in panel if len(each) > back], BATCH):
                found.append(self._backtest(series, [len(each) - back for each in series], horizon))
        return pd.concat(found, ignore_index=True)

    def _fit_before(self, panel: Panel, back: int) -> None:
        """Train on what lies before the last `back` steps."""
        if "horizon" not in self._flags:
            raise ValueError(f'To train, a Forecaster needs its horizon; with refit="{NEVER}" it is taken as it is.')
        ends = [max(len(each) - back, 0) for each in panel]
        kept = [index for index, end in enumerate(ends) if end]
        if not kept:
            raise ValueError(f"No series has more than {back} steps, the last of which are forecast: take less.")
        before = replace(panel, series=[panel.series[index].until(ends[index]) for index in kept], _by_name={})
        self.fit(before)

    def detect_anomalies(self, frame: Any, *, step: int | None = None) -> pd.DataFrame:
        """Tell which values lie outside of the widest interval of the forecasts made before them.

        Args:
            frame: A table, or what [`load_series`] reads.
            step: Steps that are forecast at a time; a season without, `horizon` at most.

        Returns:
            `unique_id`, `ds`, `cutoff`, `y`, `yhat`, quantiles, and `anomaly`, true where a value lies outside; from
            the first step on that has a past as long as the model reads, or half of a shorter series before it.

        Raises:
            ValueError: When the model forecasts no quantiles, or no series is long enough.
        """
        panel = self.load(frame)
        levels = levels_of(self.model.config)
        if len(levels) < 2:
            raise ValueError('A model with a loss of points has no intervals: train one with loss="quantile".')
        horizon = self.model.config.prediction_length
        step = min(step or self.processor.season_length, horizon)
        found = [self._detected(each, step) for each in panel]
        found = [each for each in found if len(each)]
        if not found:
            raise ValueError("No series has more than one step: there is nothing to compare.")
        rows = pd.concat(found, ignore_index=True)
        low, high = (rows[f"q{level:g}"] for level in (levels[0], levels[-1]))
        rows["anomaly"] = (rows[VALUE] < low) | (rows[VALUE] > high)
        return rows

    def plot(self, frame: Any, name: str | None = None) -> Figure:
        """Draw the forecast of a series behind its past, with intervals.

        Args:
            frame: A table, or what [`load_series`] reads.
            name: Of the series; the first one without.

        Raises:
            ImportError: matplotlib is not installed.
            ValueError: There is no such series.
        """
        panel = self.load(frame)
        names = [each.name for each in panel]
        if name is not None and name not in names:
            raise ValueError(f"There is no series {name!r}{did_you_mean(name, names) or '.'}")
        series = panel.series[0] if name is None else panel[name]
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
            for index, channel in enumerate(panel.channels[:MOST_DRAWN])
        ]
        return plot_windows(windows, levels_of(self.model.config))

    def _detected(self, series: Series, step: int) -> pd.DataFrame:
        first = min(self.model.config.context_length, max(len(series) // 2, 1))
        cutoffs = list(range(first, len(series), step))
        parts = [self._backtest([series] * len(some), some, step) for some in _in_batches(cutoffs, BATCH)]
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()

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
        values = found.values * std.unsqueeze(1) + mean.unsqueeze(1)
        quantiles = found.quantiles
        if quantiles is not None:
            quantiles = quantiles * std[:, None, :, None] + mean[:, None, :, None]
        return Forecast(values, quantiles, found.attention)

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


def _table_of(source: Any, columns: SeriesColumns) -> pd.DataFrame:
    return tidy_table(read_table(source, text_columns=[columns.id] if columns.id else []), columns, name_of(source))


def _with_future(table: pd.DataFrame, future: pd.DataFrame, columns: SeriesColumns) -> pd.DataFrame:
    """The rows of a table with those of its future below, whose values are unknown."""
    needed = [name for name in (columns.id, columns.time, *columns.features) if name is not None]
    for name in needed:
        if name not in future.columns:
            raise ValueError(f"The table of what is known in advance has no column {name!r}: add it.")
    below = future[needed].copy()
    for name in (*columns.static_real, *columns.static_categories):
        if name in table and columns.id is None:
            below[name] = next(iter(table[name]), None)
        elif name in table and columns.id in table:
            # A name may be a number in one of the tables, and text in the other.
            known = pd.Series(table[name].to_numpy(), table[columns.id].astype(str))
            below[name] = below[columns.id].astype(str).map(known[~known.index.duplicated()])
    return pd.concat([table, below], ignore_index=True)


def _in_batches(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def row_name(series: str, channel: str, channels: int) -> str:
    """What a row is of: the series, the channel of the only one, or both."""
    if not series:
        return channel
    return series if channels == 1 else f"{series}/{channel}"


def _padded(values: np.ndarray, length: int) -> np.ndarray:
    return np.pad(values, ((0, length - len(values)), (0, 0)), constant_values=np.nan)

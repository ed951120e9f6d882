"""What a forecaster must know of its series beside its weights: their columns, scales, seasons and calendar."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from transformers.feature_extraction_utils import FeatureExtractionMixin
from transformers.utils import logging

from .._parsing import did_you_mean
from .._wording import option
from .naming import quote
from .series import Panel, Series, SeriesColumns
from .series_cells import first_value
from .series_times import capital, later_times, shown_series


logger = logging.get_logger(__name__)

STANDARD, NO_SCALER = "standard", "none"
# Of each time, what stands for it between 0 and 1, as a sine and a cosine.
CALENDAR = {
    "hour": lambda times: (times.hour + times.minute / 60) / 24,
    "weekday": lambda times: times.day_of_week / 7,
    "monthday": lambda times: (times.day - 1) / 31,
    "month": lambda times: (times.month - 1) / 12,
}
# Stands for a category that training has not seen.
UNKNOWN = -1
# Share of the usual change of a value that is lost to float32, from which it is told.
_LOST = 0.01
# Below this share of its mean, what changes is no more than rounding.
_SMALLEST = 1e-12


class SeriesInputs(NamedTuple):
    """A series as the model takes it.

    Attributes:
        values: (length, channels) float32, scaled; NaN where a value is missing.
        features: (length or more, num_time_features), what is known of each step; None for nothing.
        static_real: (num_static_real_features,); None for nothing.
        static_categories: (categories,) numbers, -1 for one that training has not seen; None for none.
        mean, std: (channels,) float64, of the scale.
        bounds: The smallest and the largest value that is forecast, in the unit of the series.
    """

    values: np.ndarray
    features: np.ndarray | None
    static_real: np.ndarray | None
    static_categories: np.ndarray | None
    mean: np.ndarray
    std: np.ndarray
    bounds: tuple[float, float] = (-math.inf, math.inf)


class SeriesProcessor(FeatureExtractionMixin):
    """Makes inputs of series, and forecasts of outputs; saved beside the model.

    Args:
        columns: Where a table has what, as the fields of [`SeriesColumns`].
        frequency: Time between two steps.
        season_length: Steps of a season; 1 for none.
        scaler: `"standard"`, with which each channel of each series is scaled by the mean and the deviation of its
            training part, or of the past that is given where it is new; or `"none"`.
        scales: Of each series by name, the means and the deviations of its channels; None for a channel without
            values in the training part, which is scaled by the past that is given.
        calendar: Of `CALENDAR`, what of each time is given to the model.
        feature_scales: Mean and deviation of each column that is known in advance.
        static_scales: Mean and deviation of each number that is known of a series.
        categories: Of each category, its names.
        lower_bound, upper_bound: The smallest and the largest value that is forecast, in the unit of the series; None
            for any.

    Example:

    ```python
    >>> processor = SeriesProcessor.fit(panel, [len(series) for series in panel], season_length=24)
    >>> processor.inputs(panel.series[0]).values.shape
    (17420, 7)
    ```
    """

    model_input_names = ["past_values", "past_observed_mask"]

    def __init__(
        self,
        columns: dict[str, Any] | None = None,
        frequency: str | None = None,
        season_length: int = 1,
        scaler: str = STANDARD,
        scales: dict[str, list[list[float | None]]] | None = None,
        calendar: Sequence[str] = (),
        feature_scales: list[list[float]] | None = None,
        static_scales: list[list[float]] | None = None,
        categories: list[list[str]] | None = None,
        lower_bound: float | None = None,
        upper_bound: float | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.columns = dict(columns or asdict(SeriesColumns()))
        self.frequency = frequency
        self.season_length = season_length
        self.scaler = scaler
        self.scales = dict(scales or {})
        self.calendar = list(calendar)
        self.feature_scales = feature_scales or []
        self.static_scales = static_scales or []
        self.categories = categories or []
        self.lower_bound, self.upper_bound = lower_bound, upper_bound

    @classmethod
    def fit(
        cls,
        panel: Panel,
        train_ends: Sequence[int],
        *,
        season_length: int,
        scaler: str = STANDARD,
        calendar: Sequence[str] = (),
        lower_bound: float | None = None,
        upper_bound: float | None = None,
    ) -> SeriesProcessor:
        """Learn scales from the training parts alone, and the names of categories.

        Args:
            panel: The series.
            train_ends: Of each, the number of steps of its training part.
            season_length: Steps of a season.
            scaler, calendar, lower_bound, upper_bound: As in the class.

        Raises:
            ValueError: For an unknown scaler, a calendar without times, an unknown part of it, or a value outside of
                the bounds.
        """
        _check_scaler(scaler)
        _check_calendar(calendar, panel)
        _check_bounds(lower_bound, upper_bound, panel)
        trained = [each.until(end) for each, end in zip(panel, train_ends, strict=True) if end]
        features = [each.features[: len(each)] for each in trained if each.features is not None]
        static = [each.static_real[None] for each in trained if each.static_real is not None]
        if scaler == NO_SCALER:
            _tell_of_rounding(trained, panel)
        # A series that begins after the training part has a category, too.
        names = zip(*(each.static_categories for each in panel))
        return cls(
            columns=asdict(panel.columns),
            frequency=panel.frequency,
            season_length=season_length,
            scaler=scaler,
            scales=_scales_of(trained, panel) if scaler == STANDARD else {},
            calendar=calendar,
            feature_scales=_as_lists(_scale_of(np.concatenate(features))) if features else None,
            static_scales=_as_lists(_scale_of(np.concatenate(static))) if static else None,
            categories=[sorted(set(each)) for each in names],
            lower_bound=lower_bound,
            upper_bound=upper_bound,
        )

    @classmethod
    def of_values(cls, values: np.ndarray, *, scaler: str = STANDARD) -> SeriesProcessor:
        """One for series without names, all of which are scaled alike.

        Args:
            values: (steps, channels), of all training series behind each other.
            scaler: As in the class.
        """
        _check_scaler(scaler)
        channels = tuple(f"channel_{index}" for index in range(values.shape[1]))
        scales = {"": _as_lists(_scale_of(values))} if scaler == STANDARD else {}
        return cls(asdict(SeriesColumns(targets=channels)), scaler=scaler, scales=scales)

    def scaled(self, values: np.ndarray) -> np.ndarray:
        """Values (length, channels) of a series without a name, scaled.

        Example:

        ```python
        >>> SeriesProcessor.of_values(np.array([[1.0], [3.0]])).scaled(np.array([[2.0], [4.0]])).ravel()
        array([0., 2.], dtype=float32)
        ```
        """
        return self.inputs(Series("", 0, np.asarray(values, np.float64))).values

    @property
    def series_columns(self) -> SeriesColumns:
        """Where a table has what."""
        return SeriesColumns(**{k: tuple(v) if isinstance(v, (list, tuple)) else v for k, v in self.columns.items()})

    @property
    def channels(self) -> tuple[str, ...]:
        """What is forecast."""
        return self.series_columns.targets

    @property
    def num_time_features(self) -> int:
        """Numbers that are known of every step."""
        return len(self.series_columns.features) + 2 * len(self.calendar)

    @property
    def bounds(self) -> tuple[float, float]:
        """The smallest and the largest value that is forecast."""
        low, high = self.lower_bound, self.upper_bound
        return -math.inf if low is None else low, math.inf if high is None else high

    def scale_of(self, series: Series) -> tuple[np.ndarray, np.ndarray]:
        """Mean and deviation of each channel of a series: those of its training part, or of what is given of it."""
        if self.scaler == NO_SCALER:
            channels = series.values.shape[1]
            return np.zeros(channels), np.ones(channels)
        known = self.scales.get(series.name)
        if known is None:
            return _scale_of(series.values)
        mean, std = np.asarray(known, np.float64)
        unknown = np.isnan(mean)
        if unknown.any():
            mean[unknown], std[unknown] = _scale_of(series.values[:, unknown])
        return mean, std

    def inputs(self, series: Series, further: int = 0, scaled_by: int | None = None) -> SeriesInputs:
        """A series as the model takes it.

        Args:
            series: With the channels and covariates of the training.
            further: Steps after its last value of which the covariates are needed.
            scaled_by: How many of its first steps a series is scaled by that training has not seen; all without.

        Raises:
            ValueError: For other channels, covariates that end too early, and where a covariate is missing.
        """
        if series.values.shape[1] != len(self.channels):
            raise ValueError(
                f"{capital(shown_series(series.name))} has {series.values.shape[1]} channels, but the model was "
                f"trained on {len(self.channels)}: {quote(self.channels)}."
            )
        mean, std = self.scale_of(series if scaled_by is None else series.until(scaled_by))
        return SeriesInputs(
            ((series.values - mean) / std).astype(np.float32),
            self._features(series, len(series) + further),
            self._static_real(series),
            self._static_categories(series),
            mean,
            std,
            self.bounds,
        )

    def _features(self, series: Series, length: int) -> np.ndarray | None:
        parts = []
        if self.series_columns.features:
            known = series.features if series.features is not None else np.empty((0, 0))
            if len(known) and known.shape[1] != len(self.series_columns.features):
                raise ValueError(
                    f"{capital(shown_series(series.name))} has {known.shape[1]} numbers that are known in advance, "
                    f"but the model was trained on {len(self.series_columns.features)}: "
                    f"{quote(self.series_columns.features)}."
                )
            if len(known) < len(series):
                raise ValueError(
                    f"{capital(shown_series(series.name))} has {quote(self.series_columns.features)} for {len(known)} "
                    f"of its {len(series)} steps: give what is known of all of them."
                )
            if len(known) < length:
                raise ValueError(
                    f"{capital(shown_series(series.name))} has {quote(self.series_columns.features)} for "
                    f"{len(known) - len(series)} steps after its last value, and {length - len(series)} are forecast: "
                    f"give what is known of them, in rows without a value, or by {option('future')}."
                )
            mean, std = np.asarray(self.feature_scales, np.float64)
            parts.append((known[:length] - mean) / std)
        if self.calendar:
            times = pd.DatetimeIndex(later_times(series.start, self.frequency, range(length)))
            for name in self.calendar:
                turn = 2 * np.pi * np.asarray(CALENDAR[name](times), np.float32)
                parts.append(np.stack([np.sin(turn), np.cos(turn)], 1))
        return np.concatenate(parts, 1).astype(np.float32) if parts else None

    def _static_real(self, series: Series) -> np.ndarray | None:
        if not self.static_scales:
            return None
        if series.static_real is None:
            raise ValueError(
                f"{capital(shown_series(series.name))} lacks {quote(self.series_columns.static_real)}, which the "
                "model was trained with: add the columns."
            )
        mean, std = np.asarray(self.static_scales, np.float64)
        return ((series.static_real - mean) / std).astype(np.float32)

    def _static_categories(self, series: Series) -> np.ndarray | None:
        if not self.categories:
            return None
        if len(series.static_categories) != len(self.categories):
            raise ValueError(
                f"{capital(shown_series(series.name))} lacks {quote(self.series_columns.static_categories)}, "
                "which the model was trained with: add the columns."
            )
        places = [
            known.index(name) if name in known else UNKNOWN
            for name, known in zip(series.static_categories, self.categories)
        ]
        return np.array(places)

    def tell_unknown_categories(self, panel: Panel) -> None:
        """Warn of categories that training has not seen; the model reads the mean of all others for them."""
        columns = self.series_columns.static_categories
        for index, (column, known) in enumerate(zip(columns, map(set, self.categories))):
            found = [each.static_categories[index] for each in panel if len(each.static_categories) == len(columns)]
            unknown = [name for name in found if name not in known]
            if unknown:
                logger.warning(
                    "%d of the %d series of %s have something in %r that no series had in the training, such as %r, "
                    "for which the mean of all others is read%s",
                    len(unknown),
                    len(panel),
                    panel.origin,
                    column,
                    unknown[0],
                    did_you_mean(unknown[0], known) or ".",
                )


def _check_scaler(scaler: str) -> None:
    if scaler not in (STANDARD, NO_SCALER):
        raise ValueError(f"{option('scaler', scaler)} is none of {STANDARD}, {NO_SCALER}.")


def _check_calendar(calendar: Sequence[str], panel: Panel) -> None:
    for name in calendar:
        if name not in CALENDAR:
            raise ValueError(f"{option('calendar', name)} is none of {', '.join(CALENDAR)}.")
    if calendar and panel.frequency is None:
        raise ValueError(f"{option('calendar', calendar[0])} needs times, which {panel.origin} has not: leave it out.")


def _check_bounds(low: float | None, high: float | None, panel: Panel) -> None:
    """ValueError for bounds between which there is nothing, or that are passed by what is known."""
    if low is not None and high is not None and low >= high:
        raise ValueError(
            f"{option('lower_bound', low)} is not below {option('upper_bound', high)}: change one of them."
        )
    sides = (("lower_bound", low, lambda values: values < low), ("upper_bound", high, lambda values: values > high))
    for flag, bound, is_beyond in sides:
        beyond = None if bound is None else first_value(panel, is_beyond)
        if beyond is not None:
            raise ValueError(f"{beyond}, beyond {option(flag, bound)}: move the bound, or mend the value.")


def _tell_of_rounding(trained: Sequence[Series], panel: Panel) -> None:
    """Warn of values that change by little more than float32 rounds, where no mean is taken off before."""
    for series in trained:
        for channel, values in zip(panel.channels, series.values.T):
            known = values[np.isfinite(values)]
            change = np.abs(np.diff(known)).mean() if len(known) > 1 else 0.0
            lost = np.abs(known - known.astype(np.float32)).mean() if len(known) else 0.0
            if change > 0 and lost > _LOST * change:
                logger.warning(
                    "The values of %r in %s of %s change by %.3g at a time, and are rounded by %.2g: leave %s out.",
                    channel,
                    shown_series(series.name),
                    panel.origin,
                    change,
                    lost,
                    option("scaler", NO_SCALER),
                )
                return


def _scales_of(trained: Sequence[Series], panel: Panel) -> dict[str, list[list[float | None]]]:
    """By series, of its training part; None for a channel without a value in it, which is told."""
    scales = {}
    for each in trained:
        mean, std = _as_lists(_scale_of(each.values))
        for channel in np.flatnonzero(~np.isfinite(each.values).any(0)):
            mean[channel] = std[channel] = None
            logger.warning(
                "%s of %s has no value of %r in the training part: it is scaled by what is known later.",
                capital(shown_series(each.name)),
                panel.origin,
                panel.channels[channel],
            )
        scales[each.name] = [mean, std]
    return scales


def _scale_of(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation of each column, over what is there; 0 and 1 where that does not change, or is nothing."""
    known = np.isfinite(values)
    count = np.maximum(known.sum(0), 1)
    wide = np.where(known, values, 0.0).astype(np.float64)
    mean = wide.sum(0) / count
    spread = np.where(known, values - mean, 0.0)
    std = np.sqrt((spread**2).sum(0) / count)
    constant = std <= np.maximum(_SMALLEST * np.abs(mean), np.finfo(np.float32).tiny)
    return mean, np.where(constant, 1.0, std)


def _as_lists(scale: Iterable[np.ndarray]) -> list[list[float]]:
    """As a file of JSON can hold them, without a loss."""
    return [np.asarray(part, np.float64).tolist() for part in scale]

"""Times of series: reading them, the frequency that they follow, and the steps of a season."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from transformers.utils import logging

from .._wording import option


logger = logging.get_logger(__name__)

# Steps of a season, by the seconds between two of them: a day, and where days are counted, a week.
_HOUR, _DAY = 3_600, 86_400
# Of what is counted by the calendar: the year.
_CALENDAR_SEASONS = {"M": 12, "Q": 4, "W": 52, "B": 5}
_DAY_AND_MONTH = r"(\d{1,2})[/.-](\d{1,2})[/.-]\d{4}"
# Days written as one number.
_WHOLE_DAY = r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
# Steps that are enough to tell a frequency.
_LOOKED_AT = 2_000
# Steps of the longest season that is looked for where there are no times: two weeks of hours.
_LONGEST_SEASON = 336
# A season is one if values as far apart are at least so alike, and more than so many standard errors.
_ALIKE, _STANDARD_ERRORS = 0.15, 4.5
# Of several seasons, the shortest is taken that is so alike, compared with the best one.
_AS_GOOD = 0.7


def parse_times(column: pd.Series, name: str, origin: str) -> pd.Series:
    """The times of a column, as times without a zone, or as whole numbers.

    Times with a zone become those of UTC, which is told.

    Raises:
        ValueError: For what is no time; names the column and the value.
    """
    if pd.api.types.is_bool_dtype(column) or column.isna().any():
        _refuse_time(column, column.isna() if not pd.api.types.is_bool_dtype(column) else None, name, origin)
    if pd.api.types.is_integer_dtype(column):
        text = column.astype(str)
        return _parse_text(text, name, origin) if text.str.fullmatch(_WHOLE_DAY).all() else column.astype("int64")
    if pd.api.types.is_float_dtype(column):
        whole = column == column.round()
        if not whole.all():
            _refuse_time(column, ~whole, name, origin)
        return column.astype("int64")
    if isinstance(column.dtype, pd.PeriodDtype):
        column = column.dt.to_timestamp()
    if not pd.api.types.is_datetime64_any_dtype(column):
        text = column.astype(str).str.strip()
        if text.str.fullmatch(r"[+-]?\d{1,7}").all():
            return text.astype("int64")
        column = _parse_text(text, name, origin)
    if column.dt.tz is not None:
        logger.warning("The times of column %r have a time zone: they are read as those of UTC.", name)
        column = column.dt.tz_convert("UTC").dt.tz_localize(None)
    return column.astype("datetime64[ns]")


def _parse_text(text: pd.Series, name: str, origin: str) -> pd.Series:
    zoned = text.str.contains(r"(?:Z|[+-]\d\d:?\d\d)$", regex=True) & text.str.contains(":", regex=False)
    if zoned.any() and not zoned.all():
        raise ValueError(
            f"Column {name!r} of {origin} has times with a time zone and times without, such as "
            f"{text[~zoned].iloc[0]!r}: write all of them in one way."
        )
    parsed = pd.to_datetime(text, errors="coerce", utc=bool(zoned.any()), format="ISO8601")
    if parsed.isna().any():
        options = {"dayfirst": _day_is_first(text, name)} if text.str.match(_DAY_AND_MONTH).all() else {}
        parsed = pd.to_datetime(text, errors="coerce", utc=bool(zoned.any()), format="mixed", **options)
    return _refuse_time(text, parsed.isna(), name, origin) if parsed.isna().any() else parsed


def _day_is_first(text: pd.Series, name: str) -> bool:
    """Whether the day stands before the month; where both may be, the order that spaces the times evenly, told."""
    numbers = text.str.extract(_DAY_AND_MONTH).astype("int64")
    if (numbers > 12).any().any():
        return bool((numbers[0] > 12).any())
    uneven = {}
    for first in (True, False):
        times = pd.to_datetime(text, errors="coerce", format="mixed", dayfirst=first)
        uneven[first] = times.drop_duplicates().diff().nunique()
    chosen = uneven[True] < uneven[False]
    order = "day, month" if chosen else "month, day"
    logger.warning("The times of column %r, such as %r, are read as %s, year.", name, text.iloc[0], order)
    return chosen


def _refuse_time(column: pd.Series, wrong: pd.Series | None, name: str, origin: str) -> pd.Series:
    value = column.iloc[0] if wrong is None else column[wrong].iloc[0]
    row = 1 if wrong is None else int(np.flatnonzero(wrong.to_numpy())[0]) + 1
    shown = "nothing" if pd.isna(value) else repr(str(value))
    raise ValueError(
        f"Row {row} of {origin} has {shown} in the column {name!r}, which should hold times or whole numbers: mend "
        f"it, or name the column of the times by {option('time_column')}."
    )


def find_frequency(times: Sequence[pd.Series], names: Sequence[str], origin: str) -> str | None:
    """The frequency that all series follow, gaps aside; None for whole numbers.

    Args:
        times: Of each series, in rising order without a repeated one.
        names: Of the series.
        origin: For the sentence.

    Raises:
        ValueError: When series follow different frequencies, or one none.
    """
    found: dict[str, str] = {}
    # One that is too short to tell its frequency follows that of the others.
    told = [(name, each) for name, each in zip(names, times, strict=True) if len(each) > 2] or [*zip(names, times)]
    for name, each in told:
        if pd.api.types.is_integer_dtype(each) or len(each) < 2:
            continue
        frequency = _frequency_of(pd.DatetimeIndex(each.iloc[:_LOOKED_AT]))
        if frequency is None:
            raise ValueError(
                f"The times of {shown_series(name)} in {origin} follow no frequency, such as {each.iloc[0]}, "
                f"{each.iloc[1]}: bring them on an even grid, or name the frequency by {option('frequency', 'h')}."
            )
        found.setdefault(frequency, name)
        if len(found) > 1:
            (first, one), (second, other) = list(found.items())[:2]
            raise ValueError(
                f"{shown_series(one).capitalize()} has the frequency {first!r} in {origin}, but {shown_series(other)} "
                f"{second!r}: keep series of one frequency in a file."
            )
    return next(iter(found), None)


def _frequency_of(times: pd.DatetimeIndex) -> str | None:
    steps = np.diff(times.to_numpy())
    kinds, counts = np.unique(steps, return_counts=True)
    usual = kinds[counts.argmax()]
    if usual >= np.timedelta64(27, "D"):
        return _frequency_by_months(times)
    if ((kinds % usual) != np.timedelta64(0)).any():
        return None
    weekdays = times.dayofweek
    if usual == np.timedelta64(1, "D") and weekdays.max() == 4 and np.timedelta64(3, "D") in kinds:
        return "B"
    days = usual / np.timedelta64(1, "D")
    if days == round(days):
        return "D" if days == 1 else f"{round(days)}D"
    return pd.tseries.frequencies.to_offset(pd.Timedelta(usual)).freqstr


def _frequency_by_months(times: pd.DatetimeIndex) -> str | None:
    """Of times at the beginnings, or at the ends, of months, quarters or years."""
    side = "S" if (times.day == 1).all() else "E" if times.is_month_end.all() else None
    months = times.year.to_numpy() * 12 + times.month.to_numpy()
    kinds, counts = np.unique(np.diff(months), return_counts=True)
    usual = int(kinds[counts.argmax()])
    if side is None or usual < 1 or (kinds % usual).any():
        return None
    month = times[0].strftime("%b").upper()
    named = {1: f"M{side}", 3: f"Q{side}-{month}", 12: f"Y{side}-{month}"}
    return named.get(usual, f"{usual}M{side}")


def steps_from(start: object, times: pd.Series, frequency: str | None) -> np.ndarray | None:
    """How many steps each time lies after `start`; None where one of them lies between two steps.

    Example:

    ```python
    >>> steps_from(pd.Timestamp("2024-01-01"), pd.Series(pd.to_datetime(["2024-01-01", "2024-03-01"])), "MS")
    array([0, 2])
    ```
    """
    if frequency is None:
        return (times - start).to_numpy()
    fixed = _seconds(frequency)
    if fixed is not None:
        nanoseconds = (times - start).to_numpy().astype("timedelta64[ns]").astype("int64")
        step = round(fixed * 1e9)
        return nanoseconds // step if not (nanoseconds % step).any() else None
    grid = pd.date_range(start, times.iloc[-1], freq=frequency)
    found = grid.get_indexer(pd.DatetimeIndex(times))
    return found if (found >= 0).all() else None


def later_times(start: object, frequency: str | None, steps: Iterable[int]) -> np.ndarray:
    """The times that lie so many steps after `start`.

    Example:

    ```python
    >>> later_times(np.datetime64("2024-01-31"), "ME", [1, 2])
    array(['2024-02-29T00:00:00.000000000', '2024-03-31T00:00:00.000000000'], dtype='datetime64[ns]')
    ```
    """
    steps = np.asarray(list(steps))
    if frequency is None:
        return int(start) + steps
    fixed = _seconds(frequency)
    if fixed is not None:
        return np.datetime64(start, "ns") + (steps * round(fixed * 1e9)).astype("timedelta64[ns]")
    grid = pd.date_range(start, periods=int(steps.max()) + 1, freq=frequency).to_numpy().astype("datetime64[ns]")
    return grid[steps]


def _seconds(frequency: str) -> float | None:
    """Seconds of a step; None where it is counted by the calendar."""
    offset = pd.tseries.frequencies.to_offset(frequency)
    if isinstance(offset, pd.offsets.Day):
        return float(offset.n * _DAY)
    return pd.Timedelta(offset).total_seconds() if isinstance(offset, pd.offsets.Tick) else None


def check_frequency(frequency: str) -> None:
    """ValueError for what pandas does not know as a frequency."""
    try:
        pd.tseries.frequencies.to_offset(frequency)
    except ValueError:
        raise ValueError(
            f"{option('frequency', frequency)} is no frequency: it is written as pandas does, such as h, 15min, D, W, "
            "MS or QS."
        ) from None


def season_of_frequency(frequency: str) -> int:
    """Steps of the season that series of a frequency usually have: of hours a day, of days a week, of months a year.

    Example:

    ```python
    >>> season_of_frequency("h"), season_of_frequency("15min"), season_of_frequency("MS")
    (24, 96, 12)
    ```
    """
    seconds = _seconds(frequency)
    if seconds is None or seconds >= _DAY:
        name = pd.tseries.frequencies.to_offset(frequency).name
        if seconds is not None:
            return {1: 7, 7: 52}.get(round(seconds / _DAY), 1)
        return _CALENDAR_SEASONS.get(name[:1], 1)
    return max(round(_DAY / seconds), 1) if seconds >= 60 else max(round(_HOUR / seconds), 1)


def find_season(values: Sequence[np.ndarray]) -> int:
    """The season, in steps, after which most series look like themselves; 1 where there is none.

    Args:
        values: Of each series, (length, channels).

    Example:

    ```python
    >>> find_season([np.sin(np.arange(200) * np.pi / 6)[:, None]])
    12
    ```
    """
    found = [season for each in values for season in _seasons_of(each)]
    if not found:
        return 1
    seasons, counts = np.unique(found, return_counts=True)
    return int(seasons[counts.argmax()]) if counts.max() * 2 > sum(each.shape[1] for each in values) else 1


def _seasons_of(values: np.ndarray) -> list[int]:
    seasons = []
    for channel in values.T:
        known = channel[np.isfinite(channel)].astype(float)
        alike = {lag: _likeness_without_trend(known, lag) for lag in _possible_seasons(known)}
        least = max(_ALIKE, _STANDARD_ERRORS / max(len(known), 1) ** 0.5)
        best = max(alike.values(), default=0.0)
        # Twice a season is as good as one.
        seasons += [lag for lag, like in alike.items() if like >= max(least, _AS_GOOD * best)][:1]
    return seasons


def _possible_seasons(values: np.ndarray) -> list[int]:
    """Lags at which a series, after a valley, is more like itself than just before and after them."""
    time = np.arange(len(values))
    line = np.polyval(np.polyfit(time, values, 1), time) if len(values) > 2 else values
    alike = _likeness(values - line)
    valleys = np.minimum.accumulate(alike) if len(alike) else alike
    return [
        lag
        for lag in range(2, len(alike) - 1)
        if alike[lag - 1] < alike[lag] >= alike[lag + 1] and alike[lag] - valleys[lag] > _ALIKE
    ]


def _likeness_without_trend(values: np.ndarray, lag: int) -> float:
    """How alike values so far apart are, once what changes more slowly is taken off: a random walk has no season."""
    window = np.ones(lag + 1 - lag % 2)
    window[[0, -1]] = 0.5 if lag % 2 == 0 else 1.0
    trend = np.convolve(values, window / window.sum(), mode="valid")
    half = len(window) // 2
    alike = _likeness(values[half : half + len(trend)] - trend)
    return float(alike[lag]) if lag < len(alike) else 0.0


def _likeness(values: np.ndarray) -> np.ndarray:
    """The autocorrelation by lag, from 0 to a third of the values, or a step beyond the longest season."""
    count = len(values)
    most = min(count // 3, _LONGEST_SEASON + 1)
    centred = values - values.mean() if count else values
    if most < 2 or not centred.any():
        return np.zeros(0)
    spectrum = np.fft.rfft(centred, 2 * count)
    summed = np.fft.irfft(spectrum * spectrum.conj())[: most + 1]
    return summed / summed[0]


def shown_series(name: str) -> str:
    """A series as a sentence names it."""
    return f"the series {name!r}" if name else "the series"

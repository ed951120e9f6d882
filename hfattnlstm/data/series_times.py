"""Times of series: the frequency that they follow, steps from one to another, and those of a season."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from .._wording import option


# Steps of a season, by the seconds between two of them: a day, and where days are counted, a week.
_HOUR, _DAY = 3_600, 86_400
# Of what is counted by the calendar: the year, in days that are a whole number of weeks.
_CALENDAR_SEASONS = {"SM": 24, "M": 12, "Q": 4, "W": 52}
_YEAR = 364
# Share of its steps that a series has at least where it is taken for one of a finer frequency with gaps.
_KNOWN = 0.5
# Steps that are enough to tell a frequency.
_LOOKED_AT = 2_000
# Steps of the longest season that is looked for where there are no times: two weeks of hours.
_LONGEST_SEASON = 336
# A season is one if values as far apart are at least so alike, and more than so many standard errors.
_ALIKE, _STANDARD_ERRORS = 0.15, 4.5
# Of several seasons, the shortest is taken that is so alike, compared with the best one.
_AS_GOOD = 0.7


def find_frequency(times: Sequence[pd.Series], names: Sequence[str], origin: str) -> str | None:
    """The frequency that all series follow, gaps aside; None for whole numbers.

    Args:
        times: Of each series, in rising order without a repeated one.
        names: Of the series.
        origin: For the sentence.

    Raises:
        ValueError: When series follow different frequencies, or one none.
    """
    dated = [(name, each) for name, each in zip(names, times, strict=True) if not pd.api.types.is_integer_dtype(each)]
    if not dated:
        return None
    # One that is too short to tell its frequency follows that of the others.
    told = [part for part in dated if len(part[1]) > 2] or [part for part in dated if len(part[1]) > 1]
    found: dict[str, str] = {}
    for name, each in told:
        frequency = _frequency_of(pd.DatetimeIndex(each.iloc[:_LOOKED_AT]))
        if frequency is None:
            raise ValueError(
                f"The times of {shown_series(name)} in {origin} follow no frequency, such as {_uneven(each)}: "
                + _mend(each)
            )
        found.setdefault(frequency, name)
    if not found:
        raise ValueError(
            f"The series in {origin} have a single time each, which tells no frequency: name it by "
            f"{option('frequency', 'h')}."
        )
    return next(iter(found)) if len(found) == 1 else _common_frequency(found, [each for _, each in told], origin)


def _mend(times: pd.Series) -> str:
    """What to do with times that follow no frequency that is found."""
    named = "h"
    if np.diff(times.to_numpy()).min() >= np.timedelta64(27, "D"):
        business = [name for name in ("BMS", "BME") if steps_from(times.iloc[0], times, name) is not None]
        if not business and times.dt.day.min() > 1 and (times.dt.day.nunique() == 1 or times.dt.day.min() >= 28):
            return f"write each month as its first day, such as {times.iloc[0]:%Y-%m}-01."
        named = next(iter(business), named)
    return f"bring them on an even grid, or name the frequency by {option('frequency', named)}."


def _common_frequency(found: dict[str, str], times: Sequence[pd.Series], origin: str) -> str:
    """Of the frequencies that were found, the coarsest of those on which all series lie without many gaps."""
    totals = {frequency: _total_steps(frequency, times) for frequency in found}
    fitting = {frequency: total for frequency, total in totals.items() if total is not None}
    if fitting:
        return min(fitting, key=fitting.__getitem__)
    (first, one), (second, other) = list(found.items())[:2]
    raise ValueError(
        f"{capital(shown_series(one))} has the frequency {first!r} in {origin}, but {shown_series(other)} {second!r}: "
        f"keep series of one frequency in a file, or name that of all by {option('frequency', first)}."
    )


def _total_steps(frequency: str, times: Sequence[pd.Series]) -> int | None:
    total = 0
    for each in times:
        places = steps_from(each.iloc[0], each, frequency)
        if places is None or len(each) < _KNOWN * (places[-1] + 1):
            return None
        total += int(places[-1]) + 1
    return total


def _uneven(times: pd.Series) -> str:
    """The first time, and the two of the first step that is no multiple of the usual one."""
    steps = np.diff(times.to_numpy())
    kinds, counts = np.unique(steps, return_counts=True)
    place = int(np.flatnonzero((steps % kinds[counts.argmax()]) != np.timedelta64(0))[:1].sum())
    return ", ".join(str(times.iloc[index]) for index in dict.fromkeys((0, place, place + 1)))


def _frequency_of(times: pd.DatetimeIndex) -> str | None:
    steps = np.diff(times.to_numpy())
    kinds, counts = np.unique(steps, return_counts=True)
    usual = kinds[counts.argmax()]
    by_months = _frequency_by_months(times) if usual >= np.timedelta64(27, "D") else None
    if by_months is not None:
        return by_months
    if ((kinds % usual) != np.timedelta64(0)).any():
        return None
    if usual == np.timedelta64(1, "D") and times.day_of_week.max() == 4 and np.timedelta64(3, "D") in kinds:
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
    places = _places(start, times, frequency)
    return places if (places >= 0).all() else None


def time_between(start: object, times: pd.Series, frequency: str) -> object:
    """The first of the times that lies between two steps.

    Example:

    ```python
    >>> str(time_between(pd.Timestamp("2024-01-01"), pd.Series(pd.to_datetime(["2024-01-01", "2024-01-15"])), "MS"))
    '2024-01-15 00:00:00'
    ```
    """
    return times.iloc[int((_places(start, times, frequency) < 0).argmax())]


def _places(start: object, times: pd.Series, frequency: str | None) -> np.ndarray:
    """Steps after `start`; -1 between two of them."""
    if frequency is None:
        return (times - start).to_numpy()
    fixed = _seconds(frequency)
    if fixed is not None:
        nanoseconds = (times - start).to_numpy().astype("timedelta64[ns]").astype("int64")
        step = round(fixed * 1e9)
        return np.where(nanoseconds % step, -1, nanoseconds // step)
    return pd.date_range(start, times.iloc[-1], freq=frequency).get_indexer(pd.DatetimeIndex(times))


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


@functools.cache
def _seconds(frequency: str) -> float | None:
    """Seconds of a step; None where it is counted by the calendar."""
    offset = pd.tseries.frequencies.to_offset(frequency)
    if isinstance(offset, pd.offsets.Day):
        return float(offset.n * _DAY)
    return pd.Timedelta(offset).total_seconds() if isinstance(offset, pd.offsets.Tick) else None


def check_frequency(frequency: str) -> None:
    """ValueError for what pandas does not know as a frequency, and for one that does not go on."""
    try:
        with warnings.catch_warnings():
            # Older versions of pandas still know the names of others before.
            warnings.simplefilter("error", FutureWarning)
            if pd.tseries.frequencies.to_offset(frequency).n < 1:
                raise ValueError
    except (ValueError, FutureWarning):
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
    if seconds is None:
        offset = pd.tseries.frequencies.to_offset(frequency)
        code = offset.rule_code.partition("-")[0]
        if code in ("B", "C"):
            return 5 if offset.n == 1 else 1
        # Without what says that a month begins with its first day of business.
        code = code.lstrip("CB")
        season = next((steps for begin, steps in _CALENDAR_SEASONS.items() if code.startswith(begin)), 1)
        return season // offset.n if season % offset.n == 0 else 1
    if seconds >= _DAY:
        days = seconds / _DAY
        return 7 if days == 1 else _YEAR // round(days) if days % 7 == 0 and _YEAR % days == 0 else 1
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


def capital(text: str) -> str:
    """The beginning of a sentence; the name of a file, or of a series, stays as it is.

    Example:

    ```python
    >>> capital("the table"), capital(shown_series("Load")), capital("sales.csv")
    ('The table', "The series 'Load'", 'sales.csv')
    ```
    """
    ours = text in ("the table", "the series") or text.startswith(("the series '", 'the series "'))
    return text[:1].upper() + text[1:] if ours else text

"""Times as people write them, read as numpy has them, or as whole numbers."""

from __future__ import annotations

import numpy as np
import pandas as pd
from transformers.utils import logging

from .._wording import option


logger = logging.get_logger(__name__)

# A zone stands behind a time of day: the year of a date with hyphens is none.
_ZONE = r"\s*(?:Z|UTC|GMT|[+-]\d\d(?::?\d\d)?)$"
_ZONED = rf":\d\d(?:\.\d+)?{_ZONE}"
_CLOCK = r"\d{1,2}:\d\d\S*(?:\s*[AaPp][Mm]\b)?"
_DAY_AND_MONTH = rf"(?:{_CLOCK}\s+)?(\d{{1,2}})[/.-](\d{{1,2}})[/.-](?:\d{{4}}|\d\d)(?!\d)"
# A year, or as many parts as a date has: pandas takes "Jan-23" for a day of this year.
_DATED = r"\d{4}|[^\W_]+[^\w:]+[^\W_]+[^\w:]+[^\W_]+"
_WHOLE = r"[+-]?\d{1,18}(?:\.0)?"
# Days and months that are written as one number.
_WHOLE_DAY = r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
_WHOLE_MONTH = r"(?:19|20)\d\d(?:0[1-9]|1[0-2])"
# Seconds since 1970 of the years from 1985 to 2099, and the same in smaller units; their ranges do not meet.
_FIRST_SECOND, _LAST_SECOND = 5 * 10**8, 41 * 10**8
_UNITS = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}
# Years that fit in nanoseconds.
_YEARS = (1678, 2261)
# What begins like a date; names of series do not.
LIKE_A_DATE = r"\d{4}[-/.]\d{1,2}(?!\d)|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}(?!\d)|[A-Za-z]{3,9}\.?[ -]\d{4}$"


def parse_times(column: pd.Series, name: str, origin: str) -> pd.Series:
    """The times of a column, as times without a zone, or as whole numbers.

    Times with a zone become those of UTC, or where they are all midnights of their zone, days without one; both is
    told, as are numbers that are read as seconds or months, and the order of day and month where both are possible.

    Raises:
        ValueError: For what is no time; names the column and the value.
    """
    column = _plain(column)
    missing = column.isna()
    if missing.any():
        refuse_time(column, missing, name, origin)
    if pd.api.types.is_bool_dtype(column) or pd.api.types.is_timedelta64_dtype(column):
        refuse_time(column, ~missing, name, origin)
    if pd.api.types.is_float_dtype(column):
        whole = np.isfinite(column) & (column == column.round())
        if not whole.all():
            refuse_time(column, ~whole, name, origin)
        return _parse_numbers(column.astype("int64"), name, origin)
    if pd.api.types.is_integer_dtype(column):
        return _parse_numbers(column.astype("int64"), name, origin)
    if isinstance(column.dtype, pd.PeriodDtype):
        column = column.dt.to_timestamp()
    if pd.api.types.is_datetime64_any_dtype(column):
        local = None if column.dt.tz is None else column.dt.tz_localize(None)
        return _in_range(_without_zone(column, local, name), column, name, origin)
    text = column.astype(str).str.strip()
    if text.str.fullmatch(_WHOLE).all():
        return _parse_numbers(text.str.removesuffix(".0").astype("int64"), name, origin)
    return _parse_text(text, name, origin)


def _plain(column: pd.Series) -> pd.Series:
    """What a column of categories, of Arrow or of objects holds, in the type that numpy or pandas has for it."""
    column = column.reset_index(drop=True)
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(column.cat.categories.dtype)
    if isinstance(column.dtype, pd.ArrowDtype):
        column = column.astype(object)
    return column.infer_objects()


def _parse_numbers(numbers: pd.Series, name: str, origin: str) -> pd.Series:
    """Days as 20240131, months as 202401, seconds since 1970 and their parts; whole numbers else."""
    first, least, most = numbers.iloc[0], numbers.min(), numbers.max()
    if least >= 19_000_101 and most <= 20_991_231 and (text := numbers.astype(str)).str.fullmatch(_WHOLE_DAY).all():
        return _parse_text(text, name, origin)
    if least >= 190_001 and most <= 209_912 and (text := numbers.astype(str)).str.fullmatch(_WHOLE_MONTH).all():
        logger.warning("The times of column %r, such as %s, are read as years and months.", name, first)
        return _parse_text(text.str[:4] + "-" + text.str[4:], name, origin)
    for place, (unit, word) in enumerate(_UNITS.items()):
        if least // 1000**place >= _FIRST_SECOND and most // 1000**place <= _LAST_SECOND:
            logger.warning("The times of column %r, such as %s, are read as %s since 1970.", name, first, word)
            return pd.to_datetime(numbers, unit=unit).astype("datetime64[ns]")
    return numbers


def _parse_text(text: pd.Series, name: str, origin: str) -> pd.Series:
    # Many series have the same times: each is read once.
    places, kinds = pd.factorize(text)
    kinds = pd.Series(kinds, dtype=object).astype(str)
    times, local = _parse_kinds(kinds, name, origin)
    wrong = times.isna()
    if wrong.any():
        refuse_time(text, wrong.iloc[places].reset_index(drop=True), name, origin)
    found = _in_range(_without_zone(times, local, name), kinds, name, origin, places)
    return found.iloc[places].reset_index(drop=True)


def _parse_kinds(text: pd.Series, name: str, origin: str) -> tuple[pd.Series, pd.Series | None]:
    """Times, NaT where there is none, and where they have a zone, what the clock of the zone shows."""
    zoned = text.str.contains(_ZONED, regex=True)
    if zoned.any() and not zoned.all():
        raise ValueError(
            f"Column {name!r} of {origin} has times with a time zone and times without, such as "
            f"{text[~zoned].iloc[0]!r}: write all of them in one way."
        )
    has_zone = bool(zoned.any())
    times = _parse_dates(text, name, origin, has_zone)
    return times, _parse_dates(text.str.replace(_ZONE, "", regex=True), name, origin, False) if has_zone else None


def _parse_dates(text: pd.Series, name: str, origin: str, has_zone: bool) -> pd.Series:
    parsed = pd.to_datetime(text, errors="coerce", utc=has_zone, format="ISO8601")
    if not parsed.isna().any():
        return parsed
    # Of a week, its first day; of a quarter, that of its first month.
    text = text.str.replace(r"^(\d{4}-\d\d-\d\d)/\d{4}-\d\d-\d\d$", r"\1", regex=True)
    text = text.str.replace(r"^(\d{4})-?Q([1-4])$", lambda found: f"{found[1]}-{3 * int(found[2]) - 2}", regex=True)
    parts = text.str.extract(rf"^{_DAY_AND_MONTH}")
    in_parts = parts.notna().all(axis=1)
    options = {"dayfirst": _day_is_first(text, parts, name, origin)} if in_parts.all() else {}
    parsed = pd.to_datetime(text, errors="coerce", utc=has_zone, format="mixed", **options)
    dated = text.str.replace(_CLOCK, "", regex=True).str.contains(_DATED, regex=True)
    parsed = parsed.where(dated)
    if in_parts.any() and (parsed.notna() & ~in_parts).any():
        _refuse_both(text[in_parts].iloc[0], text[parsed.notna() & ~in_parts].iloc[0], name, origin)
    return parsed


def _refuse_both(one: str, other: str, name: str, origin: str) -> None:
    raise ValueError(
        f"Column {name!r} of {origin} has times written in two ways, {one!r} and {other!r}: write all of them "
        "in one way, best as 2024-12-31."
    )


def _day_is_first(text: pd.Series, parts: pd.DataFrame, name: str, origin: str) -> bool:
    """Whether the day stands before the month; where both may be, the order that spaces the times evenly, told."""
    late = parts.astype("int64") > 12
    if late[0].any() and late[1].any():
        _refuse_both(text[late[0]].iloc[0], text[late[1]].iloc[0], name, origin)
    if late.any().any():
        return bool(late[0].any())
    times = {first: pd.to_datetime(text, format="mixed", dayfirst=first).sort_values() for first in (False, True)}
    # Of two even readings, the first days of twelve months are rather meant than twelve days of January.
    chosen = min(times, key=lambda first: (_unevenness(times[first]), -(times[first].iloc[-1] - times[first].iloc[0])))
    order = "day, month" if chosen else "month, day"
    logger.warning("The times of column %r, such as %r, are read as %s, year.", name, text.iloc[0], order)
    return chosen


def _unevenness(times: pd.Series) -> int:
    """How many different steps there are, in time or, from the first or last day of a month on, in months."""
    steps = times.diff().nunique()
    if (times.dt.day == 1).all() or times.dt.is_month_end.all():
        steps = min(steps, (times.dt.year * 12 + times.dt.month).diff().nunique())
    return steps


def _without_zone(times: pd.Series, local: pd.Series | None, name: str) -> pd.Series:
    """Times of UTC, or days of the zone; `local` is what its clock shows."""
    if times.dt.tz is None:
        return times
    utc = times.dt.tz_convert("UTC").dt.tz_localize(None)
    days = local is not None and bool((local == local.dt.normalize()).all())
    if days and not (utc == local).all():
        logger.warning("The times of column %r are days of a time zone: they are read as days, without it.", name)
        return local
    logger.warning("The times of column %r have a time zone: they are read as those of UTC.", name)
    return utc


def _in_range(
    times: pd.Series, column: pd.Series, name: str, origin: str, places: np.ndarray | None = None
) -> pd.Series:
    """In nanoseconds, as everything is counted; `places` are the rows where each of them stands."""
    outside = ~times.dt.year.between(*_YEARS)
    if outside.any():
        if places is not None:
            column, outside = column.iloc[places], outside.iloc[places]
        refuse_time(column, outside, name, origin)
    return times.astype("datetime64[ns]")


def refuse_time(column: pd.Series, wrong: pd.Series, name: str, origin: str) -> None:
    """Name the first row that is wrong.

    Raises:
        ValueError: Always.
    """
    row = int(np.flatnonzero(wrong.to_numpy())[0])
    value = column.iloc[row]
    shown = "nothing" if pd.isna(value) else repr(str(value))
    raise ValueError(
        f"Row {row + 1} of {origin} has {shown} in the column {name!r}, which should hold times or whole numbers: "
        f"mend it, or name the column of the times by {option('time_column')}."
    )

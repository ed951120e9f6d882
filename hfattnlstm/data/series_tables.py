"""From a table to series: long tables and wide ones; other forms are read by modules of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from transformers.utils import logging

from .._parsing import did_you_mean
from .._wording import option
from .naming import quote
from .series import Panel, Series, SeriesColumns
from .series_cells import NoTimesError, checked_panel, is_dated, names_of, numbers_of, tidy_table
from .series_dates import parse_times
from .series_gluonts import START, is_of_gluonts, panel_of_gluonts
from .series_rows import TARGET_NAMES, TIME_NAMES, has_a_series_a_row, panel_of_rows
from .series_times import (
    capital,
    check_frequency,
    find_frequency,
    later_times,
    shown_series,
    steps_from,
    time_between,
)


logger = logging.get_logger(__name__)

# What columns are usually called; the first that is there is taken, which is told.
ID_NAMES = ("unique_id", "item_id", "series_id", "ts_id")
# Steps that one series has at most where they are on a grid of times: an hour between two years makes 17 million
# seconds of missing values.
_MOST_STEPS = 100_000_000


def panel_of_frame(
    frame: pd.DataFrame,
    columns: SeriesColumns | None = None,
    frequency: str | None = None,
    origin: str = "the table",
) -> Panel:
    """The series of a table.

    Args:
        frame: Long, with a column of names of series, one of times and one of values (`unique_id`, `ds`, `y`); wide,
            with one of times and a channel in each other column; with a series a row, its name first and its values
            behind it, as the files of M4; or with a series a row in the columns `start` and `target`, as GluonTS.
        columns: Where what is; what is not said is found by its name, which is told.
        frequency: Time between two steps, as pandas writes it; found without.
        origin: What the table is, for sentences.

    Raises:
        ValueError: For columns that are not there, or hold something else than they should, times that contradict each
            other or follow no frequency, and a table without values; the sentence names the place and the mend.

    Example:

    ```python
    >>> frame = pd.DataFrame({"ds": pd.date_range("2024-01-01", periods=3, freq="D"), "y": [1.0, 2.0, 3.0]})
    >>> panel = panel_of_frame(frame)
    >>> len(panel), panel.frequency, panel.channels
    (1, 'D', ('y',))
    ```
    """
    columns = columns or SeriesColumns()
    frame = tidy_table(frame, columns, origin)
    if frequency is not None:
        check_frequency(frequency)
    if len(frame) == 0:
        raise ValueError(f"{capital(origin)} has no rows.")
    if is_of_gluonts(frame, columns):
        return panel_of_gluonts(frame, columns, frequency, origin)
    if has_a_series_a_row(frame, columns):
        return panel_of_rows(frame, columns, frequency, origin)
    _check_named(frame, columns, origin)
    return _panel_of_times(frame, _find_columns(frame, columns, origin), frequency, origin)


def columns_like(frame: pd.DataFrame, columns: SeriesColumns) -> SeriesColumns:
    """The columns of another table that hold the same, as far as its form is the same; the rest is found.

    Args:
        frame: The table, as from [`tidy_table`].
        columns: Those of the table before, such as that of a training.

    Example:

    ```python
    >>> columns_like(pd.DataFrame({"when": [], "y": []}), SeriesColumns("unique_id", "ds", ("y",)))
    SeriesColumns(id=None, time=None, targets=(), features=(), static_real=(), static_categories=())
    ```
    """
    if is_of_gluonts(frame, SeriesColumns()):
        return columns if columns.time == START else SeriesColumns()
    if {columns.id, columns.time, *columns.targets} - {None} <= set(frame.columns) or has_a_series_a_row(
        frame, columns
    ):
        return columns
    real, categories = (
        tuple(name for name in names if name in frame.columns)
        for names in (columns.static_real, columns.static_categories)
    )
    return SeriesColumns(features=columns.features, static_real=real, static_categories=categories)


def _check_named(frame: pd.DataFrame, columns: SeriesColumns, origin: str) -> None:
    single = [("id_column", columns.id), ("time_column", columns.time)]
    several = [
        ("target_columns", columns.targets),
        ("known_columns", columns.features),
        ("static_columns", (*columns.static_real, *columns.static_categories)),
    ]
    named = [
        *((flag, name) for flag, name in single if name),
        *((flag, name) for flag, all_ in several for name in all_),
    ]
    for flag, name in named:
        if name not in frame.columns:
            hint = did_you_mean(name, frame.columns) or f": it has {quote(list(frame.columns)[:20])}."
            raise ValueError(f"{option(flag, name)} names no column of {origin}{hint}")
    # Which series it is may be known to the model, too.
    names = [name for flag, name in named if (flag, name) != ("static_columns", columns.id)]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"The column {name!r} is named for two purposes: leave it out of one.")


def _find_columns(frame: pd.DataFrame, columns: SeriesColumns, origin: str) -> SeriesColumns:
    """The columns that were named, and the others by their usual names or what they hold."""
    taken = {columns.id, columns.time, *columns.targets, *columns.features}
    static = {*columns.static_real, *columns.static_categories}
    identity = columns.id or _by_name([name for name in frame.columns if name not in taken], ID_NAMES)
    free = [name for name in frame.columns if name not in taken | static]
    time = columns.time or _by_name([name for name in free if name != identity], TIME_NAMES)
    free = [name for name in free if name not in (identity, time)]
    if time is None:
        dated = [name for name in free if is_dated(frame[name])]
        time = dated[0] if dated else None
        free = [name for name in free if name != time]
    targets = columns.targets
    if not targets:
        named = _by_name(free, TARGET_NAMES)
        targets = (named,) if named and (identity or len(free) == 1) else tuple(free)
        left = [name for name in free if name not in targets]
        if left:
            logger.warning(
                "%s has further columns, which are not read: %s; %s names what is known in advance of every step.",
                capital(origin),
                quote(left),
                option("known_columns"),
            )
    if not targets:
        raise ValueError(f"{capital(origin)} has no column with values: name it by {option('target_columns')}.")
    if time is None:
        logger.warning("%s has no column with times: its rows are taken for steps in their order.", capital(origin))
    found = replace(columns, id=identity, time=time, targets=tuple(targets))
    if found != columns:
        logger.info("series: %s  times: %s  values: %s", identity or "one", time or "rows", ", ".join(targets))
    return found


def _by_name(free: Sequence[str], names: Sequence[str]) -> str | None:
    lower = {name.lower(): name for name in reversed(free)}
    return next((lower[name] for name in names if name in lower), None)


def _panel_of_times(frame: pd.DataFrame, columns: SeriesColumns, frequency: str | None, origin: str) -> Panel:
    numbers = {name: numbers_of(frame[name], name, origin) for name in (*columns.targets, *columns.features)}
    table = pd.DataFrame(numbers)
    table["id"] = names_of(frame, columns.id, origin)
    if columns.time is None:
        table["time"] = table.groupby("id", sort=False).cumcount().astype("int64")
    else:
        table["time"] = parse_times(frame[columns.time].reset_index(drop=True), columns.time, origin)
    table = _in_order(table, columns, origin)
    groups = list(table.groupby("id", sort=False))
    names = [str(name) for name, _ in groups]
    if frequency is None:
        frequency = find_frequency([group["time"] for _, group in groups], names, origin)
    elif pd.api.types.is_integer_dtype(table["time"]):
        raise NoTimesError(
            f"{option('frequency', frequency)} is for times, and {origin} has whole numbers: leave it out."
        )
    columns = _numbers_apart(frame, columns, origin)
    static = _static_values(frame, columns, origin)
    series = [_on_grid(str(name), group, columns, frequency, origin, static) for name, group in groups]
    return checked_panel(Panel([each for each in series if each is not None], columns, frequency, origin))


def _in_order(table: pd.DataFrame, columns: SeriesColumns, origin: str) -> pd.DataFrame:
    """Rows by series and time; what stands there twice is taken once."""
    again = table.duplicated(["id", "time"], keep=False)
    if again.any():
        kept = table.drop_duplicates()
        if columns.features:
            kept = _without_empty_twins(kept, columns)
        still = kept.duplicated(["id", "time"], keep=False)
        if still.any():
            row = kept[still].iloc[0]
            mend = (
                f"name the column with the names of series by {option('id_column')}"
                if columns.id is None
                else f"write all that tells series apart into the column {columns.id!r}"
            )
            raise ValueError(
                f"{capital(origin)} has {row['time']} twice in {shown_series(row['id'])}, with different values: "
                f"keep one of the rows, or {mend}.{_about_the_clock(kept[still]['time'])}"
            )
        logger.warning("%s has %d rows twice: each is read once.", capital(origin), len(table) - len(kept))
        table = kept
    order = table.groupby("id", sort=False)["time"]
    if not order.is_monotonic_increasing.all():
        logger.warning("The times of %s are not in order: they are sorted.", origin)
        places = {name: place for place, name in enumerate(dict.fromkeys(table["id"]))}
        table = table.sort_values(["id", "time"], key=lambda part: part.map(places) if part.name == "id" else part)
    return table


def _about_the_clock(twice: pd.Series) -> str:
    """What to do with times that stand there twice because a clock was set back, where they look like that."""
    if pd.api.types.is_integer_dtype(twice) or not twice.dt.hour.between(1, 2).all():
        return ""
    days = twice.dt.normalize().drop_duplicates()
    if days.dt.year.duplicated().any():
        return ""
    example = f"{twice.iloc[0]:%Y-%m-%d %H:%M}+01:00"
    return f" If the clock was set back there, write times with their offset, such as {example}."


def _without_empty_twins(table: pd.DataFrame, columns: SeriesColumns) -> pd.DataFrame:
    """Rows, but those without a value beside one of the same time with: what is known in advance may begin before."""
    empty = table[list(columns.targets)].isna().all(axis=1)
    last = pd.concat([table[~empty], table[empty]])
    twins = last[last.duplicated(["id", "time", *columns.features])].index
    return table.drop(index=twins.intersection(table.index[empty]))


def _on_grid(
    name: str,
    group: pd.DataFrame,
    columns: SeriesColumns,
    frequency: str | None,
    origin: str,
    static: dict[str, tuple[np.ndarray | None, tuple[str, ...]]],
) -> Series | None:
    """A series on an even grid of times, NaN where a time is missing; None without any value."""
    start = group["time"].iloc[0]
    places = steps_from(start, group["time"], frequency)
    if places is None:
        between = time_between(start, group["time"], frequency)
        raise ValueError(
            f"Some times of {shown_series(name)} in {origin} lie between the steps of the frequency {frequency!r}, "
            f"such as {between}: bring them on an even grid, or name another one by {option('frequency')}."
        )
    length = int(places[-1]) + 1
    if length > _MOST_STEPS:
        raise ValueError(
            f"{capital(shown_series(name))} in {origin} would have {length:,} steps of {frequency or 1!r}: mend its "
            + ("times." if frequency is None else f"times, or name a longer one by {option('frequency')}.")
        )
    values = _spread(group[list(columns.targets)], places, length)
    known = np.flatnonzero(np.isfinite(values).any(1))
    if not len(known):
        logger.warning("%s of %s has no values: it is left out.", capital(shown_series(name)), origin)
        return None
    features = _spread(group[list(columns.features)], places, length) if columns.features else None
    if features is not None and not np.isfinite(features).all():
        row, column = np.argwhere(~np.isfinite(features))[0]
        time = "" if frequency is None else f", {pd.Timestamp(later_times(start, frequency, [row])[0])},"
        raise ValueError(
            f"Step {row + 1}{time} of {shown_series(name)} in {origin} has nothing in {columns.features[column]!r}, "
            f"which {option('known_columns')} says is known of every step: fill it in."
        )
    if len(group) < length:
        logger.info("%s of %s: %d steps are missing.", capital(shown_series(name)), origin, length - len(group))
    real, categories = static.get(name, (None, ()))
    begin = int(start) if frequency is None else np.datetime64(start, "ns")
    return Series(name, begin, values[: known[-1] + 1], features, real, categories)


def _spread(part: pd.DataFrame, places: np.ndarray, length: int) -> np.ndarray:
    values = np.full((length, part.shape[1]), np.nan)
    values[places] = part.to_numpy("float64")
    return values


def _numbers_apart(frame: pd.DataFrame, columns: SeriesColumns, origin: str) -> SeriesColumns:
    """Static columns that hold numbers are known as numbers, the others as names, and that of the series itself."""
    real = [
        name for name in columns.static_categories if pd.api.types.is_numeric_dtype(frame[name]) and name != columns.id
    ]
    whole = [name for name in real if not (frame[name].dropna().astype("float64") % 1).any()]
    if whole:
        logger.info(
            "%s of %s: whole numbers, which are read as such; if they are names, write a letter before them.",
            quote(whole),
            origin,
        )
    names = tuple(name for name in columns.static_categories if name not in real)
    return replace(columns, static_real=(*columns.static_real, *real), static_categories=names)


def _static_values(
    frame: pd.DataFrame, columns: SeriesColumns, origin: str
) -> dict[str, tuple[np.ndarray | None, tuple[str, ...]]]:
    """Of each series, what is known of it, which must be the same in all its rows."""
    if not columns.static_real and not columns.static_categories:
        return {}
    part = frame[[*columns.static_real, *columns.static_categories]].copy()
    part["id"] = names_of(frame, columns.id, origin)
    for name in columns.static_real:
        part[name] = numbers_of(frame[name], name, origin)
    counts = part.groupby("id", sort=False).nunique(dropna=False)
    for name in counts.columns:
        if (counts[name] > 1).any():
            series = counts.index[counts[name] > 1][0]
            raise ValueError(
                f"The column {name!r} of {origin} changes within {shown_series(series)}: what is known of every step "
                f"is named by {option('known_columns')}."
            )
    first = part.drop_duplicates("id").set_index("id")
    for name, lacking in first.isna().iterrows():
        if lacking.any():
            raise ValueError(
                f"{capital(shown_series(str(name)))} of {origin} lacks one of {quote(first.columns[lacking])}: fill "
                "it in."
            )
    found = {}
    for name, row in first.iterrows():
        real = row[list(columns.static_real)].to_numpy("float64") if columns.static_real else None
        found[str(name)] = real, tuple(str(row[column]) for column in columns.static_categories)
    return found

"""From a table to series: long tables, wide ones, a series a row, and the form of GluonTS."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from transformers.utils import logging

from .._parsing import did_you_mean
from .._wording import option
from .naming import quote
from .series import Panel, Series, SeriesColumns
from .series_dates import parse_times
from .series_times import capital, check_frequency, find_frequency, shown_series, steps_from, time_between


logger = logging.get_logger(__name__)

# What columns are usually called; the first that is there is taken, which is told.
ID_NAMES = ("unique_id", "item_id", "series_id", "ts_id")
TIME_NAMES = ("ds", "date", "datetime", "timestamp", "time", "day", "hour", "month")
TARGET_NAMES = ("y", "target", "value")
# Names of the columns that a panel has which was read from no such table.
LONG_COLUMNS = SeriesColumns(id="unique_id", time="ds", targets=("y",))
# A table with a series a row has at least so many steps.
_FEWEST_IN_A_ROW = 3
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
    frame = frame.reset_index(drop=isinstance(frame.index, pd.RangeIndex) or frame.index.name is None)
    frame = frame.rename(columns=str)
    if frame.columns.duplicated().any():
        twice = frame.columns[frame.columns.duplicated()][0]
        raise ValueError(f"{capital(origin)} has the column {twice!r} twice: rename one of them.")
    if frequency is not None:
        check_frequency(frequency)
    _check_named(frame, columns, origin)
    if len(frame) == 0:
        raise ValueError(f"{capital(origin)} has no rows.")
    if _is_of_gluonts(frame, columns):
        return _panel_of_gluonts(frame, columns, frequency, origin)
    if _has_a_series_a_row(frame, columns):
        return _panel_of_rows(frame, columns, origin)
    return _panel_of_times(frame, _find_columns(frame, columns, origin), frequency, origin)


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
    names = [name for _, name in named]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"The column {name!r} is named for two purposes: leave it out of one.")


def _is_of_gluonts(frame: pd.DataFrame, columns: SeriesColumns) -> bool:
    if not {"start", "target"} <= set(frame.columns) or columns.time not in (None, "start"):
        return False
    return isinstance(frame["target"].iloc[0], (list, tuple, np.ndarray))


def _has_a_series_a_row(frame: pd.DataFrame, columns: SeriesColumns) -> bool:
    """Whether the first column has a different name in each row, and numbers stand behind it."""
    if columns.time is not None or columns.targets or len(frame.columns) <= _FEWEST_IN_A_ROW:
        return False
    first, others = frame.iloc[:, 0], frame.iloc[:, 1:]
    if any(name.lower() in TIME_NAMES for name in frame.columns) or not first.is_unique:
        return False
    if not pd.api.types.is_string_dtype(first) and first.dtype != object:
        return False
    numbers = all(
        pd.api.types.is_numeric_dtype(dtype) or others[name].isna().all() for name, dtype in others.dtypes.items()
    )
    return numbers and not first.astype(str).str.contains(r"\d{1,4}[-/.:]\d{1,2}").any()


def _panel_of_rows(frame: pd.DataFrame, columns: SeriesColumns, origin: str) -> Panel:
    names = frame.iloc[:, 0].astype(str)
    logger.info("%s is read with a series in each row, its name in the column %r.", capital(origin), frame.columns[0])
    table = frame.iloc[:, 1:].to_numpy("float32")
    series = []
    for name, row in zip(names, table, strict=True):
        known = np.flatnonzero(np.isfinite(row))
        if len(known):
            # The rows of shorter series are filled up with nothing.
            series.append(Series(name, 1, row[: known[-1] + 1, None]))
    found = replace(LONG_COLUMNS, id=str(frame.columns[0]), time=None)
    return _checked(Panel(series, found, None, origin))


def _find_columns(frame: pd.DataFrame, columns: SeriesColumns, origin: str) -> SeriesColumns:
    """The columns that were named, and the others by their usual names or what they hold."""
    taken = {columns.id, columns.time, *columns.targets, *columns.features, *columns.static_real}
    taken |= set(columns.static_categories)
    free = [name for name in frame.columns if name not in taken]
    identity = columns.id or _by_name(free, ID_NAMES)
    time = columns.time or _by_name([name for name in free if name != identity], TIME_NAMES)
    free = [name for name in free if name not in (identity, time)]
    if time is None:
        dated = [name for name in free if pd.api.types.is_datetime64_any_dtype(frame[name])]
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
    numbers = {name: _numbers(frame, name, origin) for name in (*columns.targets, *columns.features)}
    table = pd.DataFrame(numbers)
    if columns.id is not None and frame[columns.id].isna().any():
        row = int(np.flatnonzero(frame[columns.id].isna())[0]) + 1
        raise ValueError(f"Row {row} of {origin} has no name of a series in the column {columns.id!r}: mend it.")
    table["id"] = "" if columns.id is None else frame[columns.id].astype(str).to_numpy()
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
        raise ValueError(
            f"{option('frequency', frequency)} is for times, and {origin} has whole numbers: leave it out."
        )
    columns = _numbers_apart(frame, columns)
    static = _static_values(frame, columns, origin)
    series = [_on_grid(str(name), group, columns, frequency, origin, static) for name, group in groups]
    return _checked(Panel([each for each in series if each is not None], columns, frequency, origin))


def _numbers(frame: pd.DataFrame, name: str, origin: str) -> np.ndarray:
    """The numbers of a column; NaN where there is nothing.

    Raises:
        ValueError: For what is no number.
    """
    column = frame[name]
    if pd.api.types.is_bool_dtype(column):
        return column.to_numpy("float32")
    numbers = pd.to_numeric(column, errors="coerce")
    text = column.astype(str).str.strip().str.lower()
    wrong = numbers.isna() & column.notna() & ~text.isin(["", "nan", "na", "n/a", "null", "none", "<na>"])
    wrong |= np.isinf(numbers.to_numpy("float64", na_value=np.nan))
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise ValueError(
            f"Row {row + 1} of {origin} has {str(column.iloc[row])!r} in the column {name!r}, which is no number: "
            f"mend it, leave it empty if it is missing, or name the columns with values by {option('target_columns')}."
        )
    return numbers.to_numpy("float32", na_value=np.nan)


def _in_order(table: pd.DataFrame, columns: SeriesColumns, origin: str) -> pd.DataFrame:
    """Rows by series and time; what stands there twice is taken once."""
    again = table.duplicated(["id", "time"], keep=False)
    if again.any():
        kept = table.drop_duplicates()
        still = kept.duplicated(["id", "time"], keep=False)
        if still.any():
            row = kept[still].iloc[0]
            raise ValueError(
                f"{capital(origin)} has {row['time']} twice in {shown_series(row['id'])}, with different values: "
                f"keep one of the rows, or name the column with the names of series by {option('id_column')}."
            )
        logger.warning("%s has %d rows twice: each is read once.", capital(origin), len(table) - len(kept))
        table = kept
    order = table.groupby("id", sort=False)["time"]
    if not order.is_monotonic_increasing.all():
        logger.warning("The times of %s are not in order: they are sorted.", origin)
        places = {name: place for place, name in enumerate(dict.fromkeys(table["id"]))}
        table = table.sort_values(["id", "time"], key=lambda part: part.map(places) if part.name == "id" else part)
    return table


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
            f"times, or name a longer one by {option('frequency')}."
        )
    values = _spread(group[list(columns.targets)], places, length)
    known = np.flatnonzero(np.isfinite(values).any(1))
    if not len(known):
        logger.warning("%s of %s has no values: it is left out.", capital(shown_series(name)), origin)
        return None
    features = _spread(group[list(columns.features)], places, length) if columns.features else None
    if features is not None and not np.isfinite(features).all():
        row, column = np.argwhere(~np.isfinite(features))[0]
        raise ValueError(
            f"Step {row + 1} of {shown_series(name)} in {origin} has nothing in {columns.features[column]!r}, which "
            f"{option('known_columns')} says is known of every step: fill it in."
        )
    if len(group) < length:
        logger.info("%s of %s: %d steps are missing.", capital(shown_series(name)), origin, length - len(group))
    real, categories = static.get(name, (None, ()))
    begin = np.datetime64(start, "ns") if frequency is not None else _begin(start)
    return Series(name, begin, values[: known[-1] + 1], features, real, categories)


def _begin(start: Any) -> np.datetime64 | int:
    """A single time without a frequency, or a whole number."""
    return int(start) if isinstance(start, (int, np.integer)) else np.datetime64(start, "ns")


def _spread(part: pd.DataFrame, places: np.ndarray, length: int) -> np.ndarray:
    values = np.full((length, part.shape[1]), np.nan, dtype=np.float32)
    values[places] = part.to_numpy("float32")
    return values


def _numbers_apart(frame: pd.DataFrame, columns: SeriesColumns) -> SeriesColumns:
    """Static columns that hold numbers are known as numbers, the others as names."""
    real = [name for name in columns.static_categories if pd.api.types.is_numeric_dtype(frame[name])]
    names = tuple(name for name in columns.static_categories if name not in real)
    return replace(columns, static_real=(*columns.static_real, *real), static_categories=names)


def _static_values(
    frame: pd.DataFrame, columns: SeriesColumns, origin: str
) -> dict[str, tuple[np.ndarray | None, tuple[str, ...]]]:
    """Of each series, what is known of it, which must be the same in all its rows."""
    if not columns.static_real and not columns.static_categories:
        return {}
    part = frame[[*columns.static_real, *columns.static_categories]].copy()
    part["id"] = "" if columns.id is None else frame[columns.id].astype(str).to_numpy()
    for name in columns.static_real:
        part[name] = _numbers(frame, name, origin)
    counts = part.groupby("id", sort=False).nunique(dropna=False)
    for name in counts.columns:
        if (counts[name] > 1).any():
            series = counts.index[counts[name] > 1][0]
            raise ValueError(
                f"The column {name!r} of {origin} changes within {shown_series(series)}: what is known of every step "
                f"is named by {option('known_columns')}."
            )
    first = part.drop_duplicates("id").set_index("id")
    found = {}
    for name, row in first.iterrows():
        real = row[list(columns.static_real)].to_numpy("float32") if columns.static_real else None
        if real is not None and not np.isfinite(real).all():
            raise ValueError(
                f"{capital(shown_series(str(name)))} of {origin} lacks one of {quote(columns.static_real)}."
            )
        found[str(name)] = real, tuple(str(row[column]) for column in columns.static_categories)
    return found


def _panel_of_gluonts(frame: pd.DataFrame, columns: SeriesColumns, frequency: str | None, origin: str) -> Panel:
    """A series a row: `start`, `target`, and perhaps `item_id`, `feat_dynamic_real`, `feat_static_real`, `_cat`."""
    names = (
        frame["item_id"].astype(str) if "item_id" in frame else pd.Series([f"T{row + 1}" for row in range(len(frame))])
    )
    starts = parse_times(frame["start"].reset_index(drop=True), "start", origin)
    if frequency is None and "freq" in frame:
        frequency = str(frame["freq"].iloc[0])
        check_frequency(frequency)
    if frequency is None:
        raise ValueError(
            f"{capital(origin)} has `start` and `target`, but no frequency: name it by {option('frequency', 'h')}."
        )
    series = []
    for row, name in enumerate(names):
        values = _array(frame["target"].iloc[row], name, origin)
        features = frame["feat_dynamic_real"].iloc[row] if "feat_dynamic_real" in frame else None
        real = frame["feat_static_real"].iloc[row] if "feat_static_real" in frame else None
        categories = frame["feat_static_cat"].iloc[row] if "feat_static_cat" in frame else ()
        series.append(
            Series(
                name,
                np.datetime64(starts.iloc[row], "ns"),
                values,
                None if features is None else np.stack([np.asarray(each, "float32") for each in features]).T,
                None if real is None else np.asarray(real, "float32"),
                tuple(str(each) for each in categories),
            )
        )
    channels = series[0].values.shape[1]
    targets = ("target",) if channels == 1 else tuple(f"target_{index}" for index in range(channels))
    features = () if series[0].features is None else tuple(f"known_{i}" for i in range(series[0].features.shape[1]))
    real = () if series[0].static_real is None else tuple(f"static_{i}" for i in range(len(series[0].static_real)))
    categories = tuple(f"category_{index}" for index in range(len(series[0].static_categories)))
    found = SeriesColumns("item_id", "start", targets, features, real, categories)
    return _checked(Panel(series, found, frequency, origin))


def _array(target: Any, name: str, origin: str) -> np.ndarray:
    """(length, channels) of a list of numbers, or one list a channel, as GluonTS has them."""
    try:
        values = np.array([np.asarray(part, "float32") for part in target], "float32")
    except (TypeError, ValueError):
        raise ValueError(f"The target of {shown_series(name)} in {origin} is no list of numbers: mend it.") from None
    return values[:, None] if values.ndim == 1 else values.T


def _checked(panel: Panel) -> Panel:
    if not len(panel):
        raise ValueError(f"{capital(panel.origin)} has no values: name the columns by {option('target_columns')}.")
    names = [each.name for each in panel]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{capital(panel.origin)} has two series called {twice!r}: give each a name of its own.")
    return panel

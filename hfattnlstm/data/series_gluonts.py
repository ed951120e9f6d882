"""Tables with a series a row in the columns `start` and `target`, as GluonTS has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from transformers.utils import logging

from .._wording import option
from .naming import quote
from .series import Panel, Series, SeriesColumns
from .series_cells import LARGEST, checked_panel, names_of
from .series_dates import parse_times, refuse_time
from .series_times import capital, check_frequency, shown_series, steps_from


logger = logging.get_logger(__name__)

START, TARGET, ID = "start", "target", "item_id"
DYNAMIC, REAL, CATEGORIES = "feat_dynamic_real", "feat_static_real", "feat_static_cat"
_LISTS = (list, tuple, np.ndarray)


def is_of_gluonts(frame: pd.DataFrame, columns: SeriesColumns) -> bool:
    """Whether a table has a start and a list of values a row."""
    if not {START, TARGET} <= set(frame.columns) or columns.time not in (None, START):
        return False
    return any(isinstance(each, _LISTS) for each in frame[TARGET])


def panel_of_gluonts(frame: pd.DataFrame, columns: SeriesColumns, frequency: str | None, origin: str) -> Panel:
    """A series a row: `start`, `target`, and perhaps `item_id`, `feat_dynamic_real`, `feat_static_real`, `_cat`.

    Raises:
        ValueError: For rows that do not fit together, a start between two steps, and columns that are named though
            such a table has them by its form.
    """
    if columns.id not in (None, ID, *frame.columns):
        raise ValueError(
            f"{option('id_column', columns.id)} names no column of {origin}: it has {quote(frame.columns)}."
        )
    identity = columns.id if columns.id in frame.columns else ID if ID in frame.columns else None
    names = [f"T{row + 1}" for row in range(len(frame))] if identity is None else names_of(frame, identity, origin)
    frequency = frequency or _frequency_beside(frame, origin)
    starts = _starts(frame[START], frequency, names, origin)
    targets = _each(frame, TARGET, names, origin, (1, 2))
    dynamic = _each(frame, DYNAMIC, names, origin, (2,))
    real = _each(frame, REAL, names, origin, (1,))
    categories = _categories(frame, names, origin)
    for kind, parts in ((TARGET, targets), (DYNAMIC, dynamic), (REAL, real), (CATEGORIES, categories)):
        _check_alike(kind, parts, names, origin)
    series = []
    for row, name in enumerate(names):
        features = None if dynamic is None else dynamic[row].T
        if features is not None:
            _check_length(features, targets[row].shape[-1], name, origin)
        values = np.atleast_2d(targets[row]).T
        known = np.flatnonzero(np.isfinite(values).any(1))
        if not len(known):
            logger.warning("%s of %s has no values: it is left out.", capital(shown_series(name)), origin)
            continue
        static = None if real is None else real[row]
        values = values[: known[-1] + 1]
        series.append(Series(name, starts[row], values, features, static, categories[row] if categories else ()))
    found = _columns(identity, targets[0], dynamic, real, categories)
    _check_named(columns, found, origin)
    return checked_panel(Panel(series, found, frequency, origin))


def _frequency_beside(frame: pd.DataFrame, origin: str) -> str:
    found = list(dict.fromkeys(frame["freq"].dropna().astype(str))) if "freq" in frame else []
    if len(found) > 1:
        raise ValueError(
            f"{capital(origin)} has the frequencies {quote(found)} in the column 'freq': keep series of one frequency "
            f"in a file, or name that of all by {option('frequency', found[0])}."
        )
    if not found:
        raise ValueError(
            f"{capital(origin)} has `start` and `target`, but no frequency: name it by {option('frequency', 'h')}."
        )
    check_frequency(found[0])
    return found[0]


def _starts(column: pd.Series, frequency: str, names: Sequence[str], origin: str) -> list[np.datetime64]:
    times = parse_times(column, START, origin)
    if pd.api.types.is_integer_dtype(times):
        refuse_time(column.reset_index(drop=True), pd.Series(True, times.index), START, origin)
    for name, time in zip(names, times, strict=True):
        if steps_from(time, pd.Series([time]), frequency) is None:
            raise ValueError(
                f"The start {time} of {shown_series(name)} in {origin} lies between the steps of the frequency "
                f"{frequency!r}: move it to the beginning of a step, or name another one by {option('frequency')}."
            )
    return [np.datetime64(time, "ns") for time in times]


def _has(frame: pd.DataFrame, column: str) -> bool:
    return column in frame and any(isinstance(each, _LISTS) or not _is_missing(each) for each in frame[column])


def _is_missing(value: Any) -> bool:
    return value is None or (not isinstance(value, _LISTS) and bool(pd.isna(value)))


def _each(
    frame: pd.DataFrame, column: str, names: Sequence[str], origin: str, dimensions: tuple[int, ...]
) -> list[np.ndarray] | None:
    """Of each row, the numbers of a list, or of a list of lists; None without such a column."""
    if not _has(frame, column):
        return None
    return [
        _numbers(value, column, name, origin, dimensions) for value, name in zip(frame[column], names, strict=True)
    ]


def _numbers(value: Any, column: str, name: str, origin: str, dimensions: tuple[int, ...]) -> np.ndarray:
    """As an array; NaN is only for targets."""
    place = f"The {column} of {shown_series(name)} in {origin}"
    try:
        nested = len(value) > 0 and isinstance(value[0], _LISTS)
        found = np.stack([np.asarray(each, "float64") for each in value]) if nested else np.asarray(value, "float64")
    except (TypeError, ValueError):
        found = None
    if not isinstance(value, _LISTS) or found is None or found.ndim not in dimensions:
        shape = "list of numbers" if 1 in dimensions else "list with a list of numbers for each covariate"
        raise ValueError(f"{place} is no {shape}: mend it.")
    if (np.abs(found) > LARGEST).any() or (column != TARGET and np.isnan(found).any()):
        raise ValueError(f"{place} has a number that is infinite, too large or missing: mend it.")
    return found


def _categories(frame: pd.DataFrame, names: Sequence[str], origin: str) -> list[tuple[str, ...]] | None:
    if not _has(frame, CATEGORIES):
        return None
    for value, name in zip(frame[CATEGORIES], names, strict=True):
        if not isinstance(value, _LISTS) or any(map(_is_missing, value)):
            raise ValueError(
                f"The {CATEGORIES} of {shown_series(name)} in {origin} is no list of categories: mend it."
            )
    return [tuple(map(str, value)) for value in frame[CATEGORIES]]


def _check_alike(column: str, parts: Sequence | None, names: Sequence[str], origin: str) -> None:
    """ValueError where a series has more, or fewer, of something than the first one."""
    counts = [len(np.atleast_2d(part)) if column == TARGET else len(part) for part in parts or ()]
    for name, count in zip(names, counts):
        if count != counts[0] or (count == 0 and column == DYNAMIC):
            raise ValueError(
                f"The {column} of {shown_series(name)} in {origin} holds {count}, and that of "
                f"{shown_series(names[0])} {counts[0]}: give all series as many."
            )


def _check_length(features: np.ndarray, length: int, name: str, origin: str) -> None:
    if len(features) < length:
        raise ValueError(
            f"The {DYNAMIC} of {shown_series(name)} in {origin} has {len(features)} steps, and its target {length}: "
            "give what is known of every step."
        )


def _columns(
    identity: str | None,
    target: np.ndarray,
    dynamic: list[np.ndarray] | None,
    real: list[np.ndarray] | None,
    categories: list[tuple[str, ...]] | None,
) -> SeriesColumns:
    channels = len(np.atleast_2d(target))
    return SeriesColumns(
        identity,
        START,
        (TARGET,) if channels == 1 else tuple(f"{TARGET}_{index}" for index in range(channels)),
        tuple(f"known_{index}" for index in range(len(dynamic[0]))) if dynamic else (),
        tuple(f"static_{index}" for index in range(len(real[0]))) if real else (),
        tuple(f"category_{index}" for index in range(len(categories[0]))) if categories else (),
    )


def _check_named(columns: SeriesColumns, found: SeriesColumns, origin: str) -> None:
    """What is named must be what such a table has: that was found before, or is not there."""
    static = (*found.static_real, *found.static_categories)
    pairs = (
        ("target_columns", columns.targets, found.targets),
        ("known_columns", columns.features, found.features),
        ("static_columns", (*columns.static_real, *columns.static_categories), static),
    )
    for flag, named, there in pairs:
        if named and named != there:
            raise ValueError(
                f"{option(flag)} names {quote(named)}, but {origin} has the form of GluonTS, with "
                f"{quote(there) or 'none'}: leave it out."
            )

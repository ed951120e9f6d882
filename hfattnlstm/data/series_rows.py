"""Tables with a series a row, its name first and its values behind it, as the files of M4."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from transformers.utils import logging

from .._wording import option
from .series import Panel, Series, SeriesColumns
from .series_cells import NoTimesError, checked_panel, names_of, numbers_of
from .series_dates import LIKE_A_DATE
from .series_times import capital, shown_series


logger = logging.get_logger(__name__)

# What columns of other tables are usually called.
TIME_NAMES = ("ds", "date", "datetime", "timestamp", "time", "day", "hour", "month")
TARGET_NAMES = ("y", "target", "value")
# What such series have instead of a column with values; so are their columns known again.
_TARGETS = ("y",)
# Columns that such a table has at least, where nobody says that it is one.
_FEWEST = 4


def has_a_series_a_row(frame: pd.DataFrame, columns: SeriesColumns) -> bool:
    """Whether a column has a different name in each row, and numbers stand behind it.

    Args:
        frame: The table.
        columns: Those that are named, or that such a table was found to have before.
    """
    again = columns.targets == _TARGETS and columns.id is not None
    if columns.time is not None or columns.features or columns.static_real or columns.static_categories:
        return False
    if (columns.targets and not again) or not (again or len(frame.columns) >= _FEWEST):
        return False
    identity = columns.id or frame.columns[0]
    if identity not in frame.columns or any(name.lower() in (*TIME_NAMES, *TARGET_NAMES) for name in frame.columns):
        return False
    names = frame[identity]
    if not (names.dtype == object or isinstance(names.dtype, (pd.CategoricalDtype, pd.StringDtype, pd.ArrowDtype))):
        return False
    if not names.is_unique or names.astype(str).str.match(LIKE_A_DATE).any():
        return False
    return all(_has_numbers(frame[name]) for name in frame.columns if name != identity)


def _has_numbers(column: pd.Series) -> bool:
    if pd.api.types.is_numeric_dtype(column) or column.isna().all():
        return True
    is_text = column.dtype == object or pd.api.types.is_string_dtype(column)
    return bool(is_text and pd.to_numeric(column, errors="coerce").notna().any())


def panel_of_rows(frame: pd.DataFrame, columns: SeriesColumns, frequency: str | None, origin: str) -> Panel:
    """The series of such a table; a row without values is left out, which is told.

    Raises:
        ValueError: For a row without a name, what is no number, and a frequency.
    """
    if frequency is not None:
        raise NoTimesError(
            f"{option('frequency', frequency)} is for times, and {origin} has a series in each row without any: leave "
            "it out."
        )
    identity = columns.id or frame.columns[0]
    names = names_of(frame, identity, origin)
    logger.info("%s is read with a series in each row, its name in the column %r.", capital(origin), identity)
    values = [numbers_of(frame[name], name, origin) for name in frame.columns if name != identity]
    series = []
    for name, row in zip(names, np.stack(values, 1), strict=True):
        known = np.flatnonzero(np.isfinite(row))
        if len(known):
            # The rows of shorter series are filled up with nothing.
            series.append(Series(name, 1, row[: known[-1] + 1, None]))
        else:
            logger.warning("%s of %s has no values: it is left out.", capital(shown_series(name)), origin)
    return checked_panel(Panel(series, replace(SeriesColumns(targets=_TARGETS), id=identity), None, origin))

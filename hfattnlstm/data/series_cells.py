"""What the cells of a table of series hold: numbers, names, and an index that is a column."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pandas as pd

from .._wording import option
from .series import Panel, SeriesColumns
from .series_dates import LIKE_A_DATE
from .series_times import capital, shown_series


# As pandas calls a column without a name.
_UNNAMED = r"Unnamed: \d+"
# Times that are written as one number, such as 20240131, have more digits than numbers of rows.
_MOST_ROWS = 10**7
_NOTHING = ("", "nan", "na", "n/a", "null", "none", "<na>")
LARGEST = float(np.finfo(np.float32).max)


class NoTimesError(ValueError):
    """A frequency was given for series that have no times."""


def tidy_table(frame: pd.DataFrame, columns: SeriesColumns, origin: str) -> pd.DataFrame:
    """A table with names as text, and with its index as columns, where that says something.

    Raises:
        ValueError: For names of several levels, and those that are there twice.
    """
    if frame.columns.nlevels > 1:
        raise ValueError(
            f"{capital(origin)} has names of columns in {frame.columns.nlevels} levels: join them into one, as by "
            "frame.columns = ['_'.join(map(str, each)) for each in frame.columns]."
        )
    frame = frame.set_axis(list(map(str, frame.columns)), axis=1)
    frame = _with_index(frame, origin)
    if frame.columns.duplicated().any():
        twice = frame.columns[frame.columns.duplicated()][0]
        raise ValueError(f"{capital(origin)} has the column {twice!r} twice: rename one of them.")
    named = {columns.id, columns.time, *columns.targets, *columns.features}
    unnamed = [name for name in frame.columns if re.fullmatch(_UNNAMED, name) and name not in named]
    return frame.drop(columns=[name for name in unnamed if _says_nothing(frame, name)])


def _says_nothing(frame: pd.DataFrame, name: str) -> bool:
    """Whether a column without a name is what stands behind a last separator, or the numbers of rows of pandas."""
    column = frame[name]
    if column.isna().all():
        return True
    is_number = name == frame.columns[0] and pd.api.types.is_integer_dtype(column) and column.is_unique
    return bool(is_number and column.max() < _MOST_ROWS)


def _with_index(frame: pd.DataFrame, origin: str) -> pd.DataFrame:
    """Times in an index are read without a name, too; what is a column besides is read there."""
    index = frame.index
    found = {}
    for level, name in enumerate(index.names):
        values = index.get_level_values(level)
        if name is None:
            name = "ds" if is_dated(values.to_series()) else "unique_id" if index.nlevels > 1 else None
        if isinstance(index, pd.RangeIndex) or name is None or str(name) in frame.columns:
            continue
        if str(name) in found:
            raise ValueError(f"The levels of the index of {origin} have no names: give them some.")
        found[str(name)] = values
    frame = frame.reset_index(drop=True)
    return pd.concat([pd.DataFrame(found), frame], axis=1) if found else frame


def is_dated(column: pd.Series) -> bool:
    """Whether a column holds times, or text that looks like them.

    Example:

    ```python
    >>> is_dated(pd.Series(["2024-01-31", "2024-02-29"])), is_dated(pd.Series(["H1", "H2"]))
    (True, False)
    ```
    """
    if pd.api.types.is_datetime64_any_dtype(column) or isinstance(column.dtype, pd.PeriodDtype):
        return True
    is_text = column.dtype == object or pd.api.types.is_string_dtype(column)
    return bool(is_text and len(column) and column.astype(str).str.match(LIKE_A_DATE).all())


def numbers_of(column: pd.Series, name: str, origin: str) -> np.ndarray:
    """The numbers of a column; NaN where there is nothing.

    Raises:
        ValueError: For what is no number, infinite, or too large for float32.
    """
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(column.cat.categories.dtype)
    column = column.infer_objects()
    wrong = np.zeros(len(column), bool)
    if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
        numbers = column.to_numpy("float64", na_value=np.nan)
    elif column.dtype == object or pd.api.types.is_string_dtype(column):
        numbers = pd.to_numeric(column, errors="coerce").to_numpy("float64", na_value=np.nan)
        doubtful = np.isnan(numbers) & column.notna().to_numpy()
        wrong[doubtful] = ~column[doubtful].astype(str).str.strip().str.lower().isin(_NOTHING).to_numpy()
    else:
        # pandas has numbers for times, too.
        numbers, wrong = np.full(len(column), np.nan), column.notna().to_numpy()
    wrong = wrong | (np.abs(numbers) > LARGEST)
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise ValueError(
            f"Row {row + 1} of {origin} has {str(column.iloc[row])!r} in the column {name!r}, which is no number: "
            "mend it, leave it empty if it is missing, or name the columns with values by "
            f"{option('target_columns')}, and that with the names of series by {option('id_column')}."
        )
    return numbers


def names_of(frame: pd.DataFrame, column: str | None, origin: str) -> np.ndarray:
    """The names of series of each row; empty ones without a column of them.

    Raises:
        ValueError: For a row without a name.
    """
    if column is None:
        return np.full(len(frame), "", object)
    names = frame[column].astype(str)
    missing = (frame[column].isna() | (names.str.strip() == "")).to_numpy(bool)
    if missing.any():
        row = int(np.flatnonzero(missing)[0]) + 1
        raise ValueError(f"Row {row} of {origin} has no name of a series in the column {column!r}: mend it.")
    return names.to_numpy(object)


def first_value(panel: Panel, is_meant: Callable[[np.ndarray], np.ndarray]) -> str | None:
    """The first value that is meant, as a sentence begins with it; None where there is none.

    Args:
        panel: The series.
        is_meant: From values (length, channels) to booleans; what it says of missing ones does not count.

    Example:

    ```python
    >>> first_value(panel, lambda values: values > 5.99)
    "The series in power.csv has ... in 'load'"
    ```
    """
    for series in panel:
        found = np.isfinite(series.values) & is_meant(series.values)
        if found.any():
            step, channel = np.argwhere(found)[0]
            return (
                f"{capital(shown_series(series.name))} in {panel.origin} has {series.values[step, channel]:g} in "
                f"{panel.channels[channel]!r}"
            )
    return None


def checked_panel(panel: Panel) -> Panel:
    """The panel.

    Raises:
        ValueError: When there is no series, or two of one name.
    """
    if not len(panel):
        raise ValueError(f"{capital(panel.origin)} has no values: name the columns by {option('target_columns')}.")
    names = [each.name for each in panel]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{capital(panel.origin)} has two series called {twice!r}: give each a name of its own.")
    return panel

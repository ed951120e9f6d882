"""Tables in the form of those that a forecaster was trained on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from .._wording import option
from ..data.naming import quote
from ..data.series import Panel, SeriesColumns
from ..data.series_cells import NoTimesError
from ..data.series_files import name_of, read_table
from ..data.series_gluonts import START
from ..data.series_processor import SeriesProcessor
from ..data.series_tables import columns_like, panel_of_frame, tidy_table
from ..data.series_times import capital, shown_series


# Values that tell of which frequency a series is, in spite of gaps.
_ENOUGH_TO_TELL = 10


def load_like(processor: SeriesProcessor, frame: Any, future: Any = None) -> Panel:
    """Series of the columns and the frequency that a model was trained on.

    Args:
        processor: Of the model.
        frame: A table, or what [`load_series`] reads.
        future: Covariates of the steps behind it, in a table with the same columns; its values are not read.

    Raises:
        ValueError: For other columns, another frequency, a future of which the model knows nothing, and as
            [`load_series`].
    """
    if future is not None:
        _check_future(processor, frame)
    panel = frame if isinstance(frame, Panel) else _panel_like(processor, frame, future)
    processor.tell_unknown_categories(panel)
    return panel


def _panel_like(processor: SeriesProcessor, frame: Any, future: Any) -> Panel:
    """The series of a table that is no panel yet."""
    columns, name = processor.series_columns, name_of(frame)
    table = _table_of(frame, columns)
    targets = [name for name in columns.targets if name in table]
    if len(table) and targets and table[targets].isna().all(axis=None):
        raise ValueError(
            f"{capital(name)} has no values in {quote(targets)}: give the past of the series, too, from which the "
            "others are forecast."
        )
    if future is not None:
        table = _with_future(table, _table_of(future, columns), columns)
    try:
        panel = panel_of_frame(table, columns_like(table, columns), processor.frequency, name)
    except NoTimesError:
        raise ValueError(
            f"The model was trained on series with times, and {name} has none: give it the same."
        ) from None
    if panel.frequency is not None and processor.frequency is None:
        raise ValueError(f"The model was trained on series with no times, and {name} has some: give it the same.")
    _check_steps(processor, panel)
    return panel


def _check_future(processor: SeriesProcessor, frame: Any) -> None:
    if isinstance(frame, Panel):
        raise ValueError(f"{option('future')} is for a table: give it when the series are loaded.")
    columns = processor.series_columns
    if not columns.features:
        raise ValueError(f"The model knows nothing in advance, which {option('future')} would hold: leave it out.")
    if columns.time == START:
        raise ValueError(
            f"{option('future')} is for tables with a row a step: let feat_dynamic_real go on behind the target."
        )


def _check_steps(processor: SeriesProcessor, panel: Panel) -> None:
    """ValueError for series of a coarser frequency, which would have the same gap behind each of their values."""
    for series in panel if panel.frequency is not None else ():
        places = np.flatnonzero(np.isfinite(series.values).any(1))
        apart = int(np.gcd.reduce(np.diff(places))) if len(places) >= _ENOUGH_TO_TELL else 1
        if apart > 1:
            raise ValueError(
                f"The model was trained on steps of {panel.frequency!r}, and {shown_series(series.name)} in "
                f"{panel.origin} has values only {apart} steps apart: give it series of the same frequency."
            )


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

"""Small tables of series."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from hfattnlstm.data.series import Panel
from hfattnlstm.data.series_tables import panel_of_frame


DAYS = pd.date_range("2024-01-01", periods=4, freq="D")
START = np.datetime64("2024-01-01", "ns")


def long(**columns: object) -> pd.DataFrame:
    names = ["Aa"] * 4 + ["Bb"] * 4
    return pd.DataFrame({"unique_id": names, "ds": [*DAYS, *DAYS], "y": np.arange(8.0), **columns})


def wide(**columns: object) -> pd.DataFrame:
    return pd.DataFrame({"ds": DAYS, **columns})


def values_of(panel: Panel, name: str = "") -> list:
    """Without NaN, which is not equal to itself."""
    return [[None if np.isnan(value) else value for value in row] for row in panel[name].values.tolist()]


def rows(**columns: object) -> pd.DataFrame:
    values = {"V2": [605.0, 3124, 1], "V3": [586.0, 2990, np.nan], "V4": [586.0, np.nan, 3], "V5": [np.nan] * 3}
    return pd.DataFrame({"V1": ["H1", "H2", "H3"], **values, **columns})


def table(times: Iterable, **columns: object) -> pd.DataFrame:
    frame = pd.DataFrame({"ds": times})
    return frame.assign(y=np.arange(len(frame), dtype=float), **columns)


def read(times: Iterable, frequency: str | None = None) -> Panel:
    return panel_of_frame(table(times), frequency=frequency)


def several(**times: Iterable) -> pd.DataFrame:
    parts = [table(each, unique_id=name) for name, each in times.items()]
    return pd.concat(parts, ignore_index=True)


def assert_even(panel: Panel, start: str, frequency: str | None, length: int) -> None:
    series = panel.series[0]
    assert (panel.frequency, series.start) == (frequency, np.datetime64(start, "ns"))
    assert series.values[:, 0].tolist() == list(range(length))

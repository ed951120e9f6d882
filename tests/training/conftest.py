"""Fixtures of the tests of forecasters; a module that needs others has its own of the same name."""

from __future__ import annotations

import pandas as pd
import pytest

from hfattnlstm import Forecaster
from training.forecasting_helpers import long_table, small_forecaster


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """Two series of 120 hours."""
    return long_table()


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory, table: pd.DataFrame) -> Forecaster:
    """One that was trained on them for a moment."""
    return small_forecaster(tmp_path_factory.mktemp("fitted")).fit(table)

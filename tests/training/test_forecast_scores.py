"""Scores of tables of forecasts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hfattnlstm import score_forecasts
from hfattnlstm.data.series import Panel, Series, SeriesColumns


def table(**columns: list) -> pd.DataFrame:
    return pd.DataFrame(
        {"unique_id": ["a", "a", "b"], "y": [1.0, 2.0, np.nan], "yhat": [1.0, 5.0, 0.0]} | columns,
    )


class TestScores:
    def test_of_each_series_and_of_all(self) -> None:
        found = score_forecasts(table(y=[1.0, 2.0, 4.0]))
        assert list(found.index) == ["a", "b", "all"]
        assert found["mse"].tolist() == [4.5, 16.0, 25 / 3]
        assert found["mae"].tolist() == [1.5, 4.0, 7 / 3]
        assert found["smape"].tolist() == pytest.approx([100 * 3 / 7, 200.0, (600 / 7 + 200) / 3])

    def test_what_is_not_known_does_not_count(self) -> None:
        found = score_forecasts(table())
        assert found.loc["all", "mse"] == found.loc["a", "mse"] == 4.5
        assert np.isnan(found.loc["b", "mse"])

    @pytest.mark.parametrize("low", [0.1, 0.00005])
    def test_quantiles_are_read_by_their_names(self, low: float) -> None:
        rows = table(**{f"q{low:g}": [0.0, 3.0, 0.0], "q0.5": [1.0, 5.0, 0.0], "q0.9": [2.0, 6.0, 0.0]})
        found = score_forecasts(rows).loc["all"]
        pinballs = [[low, 0, 0.1], [1 - low, 1.5, 0.4]]
        assert found["crps"] == pytest.approx(2 * np.mean(pinballs))
        assert found[f"coverage_{round(100 * (0.9 - low))}"] == 0.5

    def test_errors_beside_the_last_season(self) -> None:
        series = [Series(name, 0, np.array([[1.0], [2.0], [step + 2.0]])) for name, step in (("a", 2), ("b", 5))]
        panel = Panel(series, SeriesColumns(targets=("y",)))
        found = score_forecasts(table(y=[1.0, 2.0, 4.0]), panel)
        # The steps before were 1 and 2 of one, 1 and 5 of the other.
        assert found["mase"].tolist() == pytest.approx([1.5 / 1.5, 4 / 3, (3 / 1.5 + 4 / 3) / 3])

    def test_of_several_channels_the_names_hold_both(self) -> None:
        panel = Panel([Series("a", 0, np.array([[1.0, 1.0], [2.0, 4.0]]))], SeriesColumns(targets=("y", "z")))
        found = score_forecasts(table(unique_id=["a/y", "a/z", "a/z"], y=[0.0, 2.0, 6.0]), panel)
        assert found["mase"].tolist() == pytest.approx([1.0, 1.5, 4 / 3])

    @pytest.mark.parametrize("name", ["unique_id", "y", "yhat"])
    def test_a_column_that_is_missing_is_named(self, name: str) -> None:
        with pytest.raises(ValueError, match=rf"no column '{name}': add it"):
            score_forecasts(table().drop(columns=name))

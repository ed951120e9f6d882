"""What a Forecaster says comes after each series."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from hfattnlstm import Forecaster
from hfattnlstm.explain import explain_forecasts
from hfattnlstm.training.forecasts import forecast_batch
from training.forecasting_helpers import (
    FUTURE,
    NAMES,
    PAST,
    last_past,
    long_table,
    untrained,
)


class TestPredict:
    """What comes after each series."""

    def test_the_columns_and_rows(self, fitted: Forecaster, table: pd.DataFrame) -> None:
        found = fitted.predict(table)
        assert found.columns.tolist() == ["unique_id", "ds", "yhat", *NAMES]
        assert found["unique_id"].tolist() == ["a"] * FUTURE + ["b"] * FUTURE
        expected = pd.date_range(table["ds"].iloc[-1], periods=FUTURE + 1, freq="h")[1:]
        assert found["ds"].tolist() == 2 * list(expected)
        assert found.index.tolist() == list(range(2 * FUTURE))
        assert (np.diff(found[NAMES].to_numpy(), axis=1) >= 0).all() and found[NAMES].notna().all().all()
        np.testing.assert_array_equal(found["yhat"], found["q0.5"])

    def test_the_values_are_in_the_scale_of_each_series(self, fitted: Forecaster, table: pd.DataFrame) -> None:
        found = fitted.predict(table)
        for name, part in table.groupby("unique_id"):
            values = part["y"].to_numpy(np.float32).astype(float)
            # Of the training part, without the tenth that was held out.
            mean, std = values[:108].mean(), values[:108].std()
            said = forecast_batch(fitted.model, {"past_values": last_past(values, mean, std)})
            rows = found[found["unique_id"] == name]
            np.testing.assert_allclose(rows["yhat"], said.values[0, :, 0] * std + mean, rtol=1e-4)
            np.testing.assert_allclose(rows[NAMES], said.quantiles[0, :, 0] * std + mean, rtol=1e-4)

    def test_a_new_series_is_scaled_by_what_is_given_of_it(self, fitted: Forecaster) -> None:
        other = long_table(("c",), length=50).assign(y=lambda frame: 1000 + 50 * frame["y"])
        values = other["y"].to_numpy(np.float32).astype(float)
        said = forecast_batch(fitted.model, {"past_values": last_past(values, values.mean(), values.std())})
        found = fitted.predict(other)
        np.testing.assert_allclose(found["yhat"], said.values[0, :, 0] * values.std() + values.mean(), rtol=1e-4)
        assert found["yhat"].between(1200, 1800).all()

    @pytest.mark.parametrize("level", [1e6, -1e10])
    def test_a_level_is_no_matter(self, fitted: Forecaster, level: float) -> None:
        """As the readings of a meter have, of which float32 would round off all that changes."""
        other = long_table(("c",), length=50)
        found, expected = fitted.predict(other.assign(y=other["y"] + level)), fitted.predict(other)
        np.testing.assert_allclose(found["yhat"] - level, expected["yhat"], atol=1e-4)
        np.testing.assert_allclose(found[NAMES] - level, expected[NAMES], atol=1e-4)

    def test_it_stays_between_bounds(self, fitted: Forecaster, table: pd.DataFrame) -> None:
        whole = fitted.predict(table)
        low, high = whole["yhat"].quantile([0.3, 0.6])
        bounded = copy.copy(fitted)
        bounded.processor = copy.copy(fitted.processor)
        bounded.processor.lower_bound, bounded.processor.upper_bound = low, high
        expected = whole.assign(**{name: whole[name].clip(low, high) for name in ("yhat", *NAMES)})
        pd.testing.assert_frame_equal(bounded.predict(table), expected)
        (explained, *_) = explain_forecasts(bounded.model, bounded.processor, bounded.load(table), faithfulness=False)
        np.testing.assert_allclose(explained.forecast, expected["yhat"][:FUTURE], rtol=1e-5)

    @pytest.mark.parametrize("length", [1, 2, 5, PAST - 1])
    def test_a_series_shorter_than_what_is_read(self, fitted: Forecaster, length: int) -> None:
        found = fitted.predict(long_table(("c",), length=60).tail(length))
        assert found[["yhat", *NAMES]].notna().all().all() and len(found) == FUTURE

    def test_six_hundred_series_are_as_each_alone(self, fitted: Forecaster) -> None:
        table = long_table([f"n{index}" for index in range(600)], length=24)
        panel, told = fitted.load(table), []
        together = fitted.predict(table, progress=lambda done, total: told.append((done, total)))
        assert told == [(256, 600), (512, 600), (600, 600)]
        alone = [fitted.predict(replace(panel, series=[each], _by_name={})) for each in panel]
        pd.testing.assert_frame_equal(together, pd.concat(alone, ignore_index=True), rtol=1e-4)

    @pytest.mark.parametrize("horizon", [1, 3, FUTURE])
    def test_fewer_steps(self, fitted: Forecaster, table: pd.DataFrame, horizon: int) -> None:
        whole = fitted.predict(table)
        expected = whole.groupby("unique_id").head(horizon).reset_index(drop=True)
        pd.testing.assert_frame_equal(fitted.predict(table, horizon=horizon), expected)

    def test_some_quantiles_in_the_order_that_is_asked_for(self, fitted: Forecaster, table: pd.DataFrame) -> None:
        whole = fitted.predict(table)
        found = fitted.predict(table, quantiles=[0.9, 0.1])
        pd.testing.assert_frame_equal(found, whole[["unique_id", "ds", "yhat", "q0.9", "q0.1"]])
        assert fitted.predict(table, quantiles=[]).columns.tolist() == ["unique_id", "ds", "yhat"]

    @pytest.mark.parametrize(
        ("options", "sentence"),
        [
            ({"horizon": 0}, "The model forecasts 1 to 4 steps, not 0: train one for more steps"),
            ({"horizon": 5}, "The model forecasts 1 to 4 steps, not 5: train one for more steps"),
            ({"quantiles": [0.25]}, "The model does not forecast the quantile 0.25; those that it has: 0.01, 0.1, "),
        ],
    )
    def test_what_it_does_not_forecast(
        self, fitted: Forecaster, table: pd.DataFrame, options: dict, sentence: str
    ) -> None:
        with pytest.raises(ValueError, match=sentence):
            fitted.predict(table, **options)

    def test_points_have_no_quantiles(self, table: pd.DataFrame) -> None:
        forecaster = untrained(table, loss="mae")
        assert forecaster.predict(table).columns.tolist() == ["unique_id", "ds", "yhat"]
        with pytest.raises(ValueError, match=r"does not forecast the quantile 0.5; those that it has: none\."):
            forecaster.predict(table, quantiles=[0.5])

    def test_a_distribution_has_quantiles(self, table: pd.DataFrame) -> None:
        found = untrained(table, loss="nll").predict(table, quantiles=[0.1, 0.9])
        assert (found["q0.1"] < found["yhat"]).all() and (found["yhat"] < found["q0.9"]).all()

    def test_the_table_is_left_as_it_is(self, fitted: Forecaster, table: pd.DataFrame) -> None:
        before = table.copy(deep=True)
        fitted.predict(table)
        pd.testing.assert_frame_equal(table, before)

    def test_the_order_of_rows_and_of_columns_does_not_matter(self, fitted: Forecaster, table: pd.DataFrame) -> None:
        shuffled = table.sample(frac=1, random_state=0)[["y", "unique_id", "ds"]]
        found = fitted.predict(shuffled).sort_values(["unique_id", "ds"], ignore_index=True)
        pd.testing.assert_frame_equal(found, fitted.predict(table))

    def test_missing_values_at_the_end_are_forecast(self, fitted: Forecaster, table: pd.DataFrame) -> None:
        cut = table[table["ds"] < table["ds"].max()]
        pd.testing.assert_frame_equal(
            fitted.predict(table.assign(y=table["y"].where(table["ds"] < table["ds"].max()))), fitted.predict(cut)
        )

"""A Forecaster on series whose future is known: cross-validation and anomalies; and on the Hub."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hfattnlstm import Forecaster
from loopback_hub import LoopbackHub, run_python
from training.forecasting_helpers import (
    FUTURE,
    PAST,
    SEASON,
    row_table,
    small_forecaster,
    wide_table,
    words,
)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory, table: pd.DataFrame) -> Forecaster:
    return small_forecaster(tmp_path_factory.mktemp("fitted"), max_steps=20).fit(table)


@pytest.fixture(scope="module")
def points(tmp_path_factory: pytest.TempPathFactory, table: pd.DataFrame) -> Forecaster:
    return small_forecaster(tmp_path_factory.mktemp("points"), loss="mae").fit(table)


def until(table: pd.DataFrame, steps: int) -> pd.DataFrame:
    """The first steps of each series."""
    return table.groupby("unique_id").head(steps).reset_index(drop=True)


def changed_from(table: pd.DataFrame, step: int) -> pd.DataFrame:
    """Other values from a step of each series on."""
    later = table.groupby("unique_id").cumcount() >= step
    return table.assign(y=table["y"].where(~later, 500 - 3 * table["y"]))


class TestCrossValidation:
    """The last parts of series, each forecast from what lies before it."""

    def test_never_takes_the_model_as_it_is(self, fitted: Forecaster, table: pd.DataFrame) -> None:
        before = fitted.model
        found = fitted.cross_validation(table, windows=3, step=2, refit="never")
        assert fitted.model is before
        assert found.columns.tolist()[:5] == ["unique_id", "ds", "cutoff", "y", "yhat"]
        times = table["ds"].unique()
        assert found["cutoff"].unique().tolist() == [times[111], times[113], times[115]]
        for cutoff, part in found.groupby("cutoff"):
            steps = int(np.searchsorted(times, cutoff)) + 1
            expected = fitted.predict(until(table, steps))
            shown = part.drop(columns=["cutoff", "y"]).reset_index(drop=True)
            pd.testing.assert_frame_equal(shown, expected, rtol=1e-5)
            came = table.groupby("unique_id")["y"].apply(lambda values, at=steps: values.iloc[at : at + FUTURE])
            np.testing.assert_allclose(part["y"], came, rtol=1e-6)

    def test_by_default_one_part_of_as_many_steps_as_are_forecast(
        self, fitted: Forecaster, table: pd.DataFrame
    ) -> None:
        found = fitted.cross_validation(table, refit="never")
        assert len(found) == 2 * FUTURE and found["ds"].max() == table["ds"].max()
        two = fitted.cross_validation(table, windows=2, refit="never")
        assert len(two) == 4 * FUTURE and not two.duplicated(["unique_id", "ds"]).any()

    @pytest.mark.parametrize("windows", [1, 4])
    def test_what_comes_after_a_cutoff_does_not_change_its_forecast(
        self, fitted: Forecaster, table: pd.DataFrame, windows: int
    ) -> None:
        """Of series that are new to the model, too."""
        for source in (table, table.assign(unique_id=table["unique_id"] + " anew")):
            before = fitted.cross_validation(source, windows=windows, step=3, refit="never")
            for origin in range(120 - FUTURE - 3 * (windows - 1), 120, 3):
                after = fitted.cross_validation(changed_from(source, origin), windows=windows, step=3, refit="never")
                earlier = before["cutoff"] < table["ds"].iloc[origin]
                columns = [name for name in before if name != "y"]
                assert earlier.any()
                pd.testing.assert_frame_equal(before.loc[earlier, columns], after.loc[earlier, columns])

    def test_once_learns_from_what_lies_before_the_first_part(self, table: pd.DataFrame, tmp_path: Path) -> None:
        first = 120 - 2 * FUTURE
        found = small_forecaster(tmp_path / "a").cross_validation(table, windows=2)
        other = small_forecaster(tmp_path / "b").cross_validation(changed_from(table, first), windows=2)
        columns = [name for name in found if name != "y"]
        earliest = found["cutoff"] == found["cutoff"].min()
        assert earliest.sum() == 2 * FUTURE
        pd.testing.assert_frame_equal(found.loc[earliest, columns], other.loc[earliest, columns])
        expected = small_forecaster(tmp_path / "c").fit(until(table, first)).predict(until(table, first))
        np.testing.assert_array_equal(found.loc[earliest, "yhat"], expected["yhat"])

    @pytest.mark.parametrize("kept", [False, True], ids=["no folder", "a folder"])
    def test_always_learns_anew_before_each_part(self, table: pd.DataFrame, tmp_path: Path, kept: bool) -> None:
        with warnings.catch_warnings():
            # What the folders say that are gone is looked at elsewhere.
            warnings.simplefilter("ignore", ResourceWarning)
            forecaster = small_forecaster(tmp_path / "model" if kept else None)
            found = forecaster.cross_validation(table, windows=2, refit="always")
            del forecaster
        assert found["cutoff"].nunique() == 2
        for steps in (120 - 2 * FUTURE, 120 - FUTURE):
            part = until(table, steps)
            expected = small_forecaster(tmp_path / str(steps)).fit(part).predict(part)
            shown = found[found["cutoff"] == part["ds"].max()]
            np.testing.assert_array_equal(shown["yhat"], expected["yhat"])

    @pytest.mark.parametrize("refit", ["once", "always"])
    def test_the_model_that_was_fitted_stays(self, table: pd.DataFrame, tmp_path: Path, refit: str) -> None:
        """It has learnt from more than those that are measured, and its folder is not theirs."""
        forecaster = small_forecaster(tmp_path / "model").fit(table)
        before = forecaster.predict(table)
        assert len(forecaster.cross_validation(table, refit=refit)) == 2 * FUTURE
        pd.testing.assert_frame_equal(forecaster.predict(table), before)
        pd.testing.assert_frame_equal(Forecaster.from_pretrained(tmp_path / "model").predict(table), before)

    def test_series_of_different_lengths_and_forms(self, tmp_path: Path, table: pd.DataFrame) -> None:
        rows = row_table(length=70)
        found = small_forecaster(tmp_path / "rows").fit(rows).cross_validation(rows, refit="never")
        assert found.groupby("unique_id")["cutoff"].first().to_dict() == {"M1": 66, "M2": 61, "M3": 56}
        wide = wide_table()
        found = small_forecaster(tmp_path / "wide").fit(wide).cross_validation(wide, refit="never")
        np.testing.assert_allclose(found[found["unique_id"] == "right"]["y"], wide["right"].tail(FUTURE), rtol=1e-6)

    def test_missing_values_are_left_out(self, fitted: Forecaster, table: pd.DataFrame) -> None:
        gap = table.assign(y=table["y"].where(table["ds"] != table["ds"].iloc[117]))
        found = fitted.cross_validation(gap, refit="never")
        assert len(found) == 2 * (FUTURE - 1) and found["y"].notna().all()
        assert table["ds"].iloc[117] not in found["ds"].tolist()

    def test_points(self, points: Forecaster, table: pd.DataFrame) -> None:
        found = points.cross_validation(table, refit="never")
        assert found.columns.tolist() == ["unique_id", "ds", "cutoff", "y", "yhat"]

    @pytest.mark.parametrize(
        ("options", "sentence"),
        [
            ({"refit": "sometimes"}, "refit takes 'once', 'always' or 'never', not 'sometimes'"),
            ({"windows": 0}, "windows and step are at least 1"),
            ({"step": 0}, "windows and step are at least 1"),
            ({"windows": 40, "refit": "once"}, "No series has more than 160 steps, the last of which are forecast"),
        ],
    )
    def test_what_cannot_be(self, table: pd.DataFrame, tmp_path: Path, options: dict[str, Any], sentence: str) -> None:
        with pytest.raises(ValueError, match=sentence):
            small_forecaster(tmp_path).cross_validation(table, **options)

    def test_series_that_are_too_short(self, fitted: Forecaster, table: pd.DataFrame) -> None:
        with pytest.raises(ValueError, match=r"steps"):
            fitted.cross_validation(until(table, FUTURE), refit="never")

    def test_more_parts_than_the_series_have(self, fitted: Forecaster, table: pd.DataFrame) -> None:
        """It would look as if all had been forecast."""
        with pytest.raises(ValueError, match=r"steps"):
            fitted.cross_validation(until(table, 3 * FUTURE), windows=5, refit="never")

    def test_a_model_that_was_loaded_is_not_trained(self, fitted: Forecaster, table: pd.DataFrame) -> None:
        loaded = Forecaster.from_pretrained(fitted.run.trainer.args.output_dir)
        with pytest.raises(ValueError, match=r'needs its horizon; with refit="never" it is taken as it is'):
            loaded.cross_validation(table)
        assert len(loaded.cross_validation(table, refit="never")) == 2 * FUTURE

    def test_without_a_model_there_is_nothing_to_take_as_it_is(self, table: pd.DataFrame) -> None:
        with pytest.raises(ValueError, match="not fitted yet"):
            Forecaster(horizon=4).cross_validation(table, refit="never")
        with pytest.raises(ValueError, match="horizon"):
            Forecaster().cross_validation(table)


class TestAnomalies:
    """Values outside of the widest interval of the forecasts made before them."""

    def test_a_value_that_does_not_fit_is_found(self, fitted: Forecaster, table: pd.DataFrame) -> None:
        odd = table.copy()
        odd.loc[(odd["unique_id"] == "a") & (odd["ds"] == odd["ds"].iloc[70]), "y"] = 60.0
        found = fitted.detect_anomalies(odd)
        names = [name for name in found if name.startswith("q")]
        assert found.columns.tolist() == ["unique_id", "ds", "cutoff", "y", "yhat", *names, "anomaly"]
        row = found[(found["unique_id"] == "a") & (found["ds"] == odd["ds"].iloc[70])]
        assert row["anomaly"].tolist() == [True] and row["y"].tolist() == [60.0]
        outside = (found["y"] < found["q0.01"]) | (found["y"] > found["q0.99"])
        assert found["anomaly"].equals(outside.rename("anomaly")) and found["anomaly"].mean() < 0.4

    @pytest.mark.parametrize("step", [None, 1, 3, FUTURE, 100])
    def test_every_value_from_the_first_whole_past_on_is_forecast_once(
        self, fitted: Forecaster, table: pd.DataFrame, step: int | None
    ) -> None:
        found = fitted.detect_anomalies(table, step=step)
        for name, part in found.groupby("unique_id"):
            own = table[table["unique_id"] == name]
            assert part["ds"].tolist() == own["ds"].tolist()[PAST:]
            np.testing.assert_allclose(part["y"], own["y"].iloc[PAST:], rtol=1e-6)
            steps = part.groupby("cutoff", sort=False).size().tolist()
            taken = min(step or SEASON, FUTURE)
            assert steps[:-1] == [taken] * (len(steps) - 1) and steps[-1] <= taken

    def test_the_forecasts_are_those_of_predict(self, fitted: Forecaster, table: pd.DataFrame) -> None:
        found = fitted.detect_anomalies(table, step=FUTURE)
        for steps in (PAST, PAST + 2 * FUTURE):
            expected = fitted.predict(until(table, steps))
            shown = found[found["cutoff"] == table["ds"].iloc[steps - 1]]
            np.testing.assert_allclose(shown["yhat"], expected["yhat"], rtol=1e-5)
            np.testing.assert_allclose(shown["q0.99"], expected["q0.99"], rtol=1e-5)

    @pytest.mark.parametrize("names", [("a", "b"), ("c", "d")], ids=["seen", "new"])
    def test_what_comes_later_does_not_change_them(
        self, fitted: Forecaster, table: pd.DataFrame, names: tuple[str, str]
    ) -> None:
        table = table.assign(unique_id=table["unique_id"].map(dict(zip("ab", names))))
        before, after = (fitted.detect_anomalies(each) for each in (table, changed_from(table, 90)))
        earlier = before["ds"] < table["ds"].iloc[90]
        assert earlier.sum() == 2 * (90 - PAST)
        pd.testing.assert_frame_equal(before[earlier], after[earlier])

    def test_a_series_shorter_than_what_is_read_is_forecast_from_its_half_on(
        self, fitted: Forecaster, table: pd.DataFrame
    ) -> None:
        found = fitted.detect_anomalies(until(table, 9))
        assert found.groupby("unique_id").size().tolist() == [5, 5]

    def test_missing_values_are_no_anomalies(self, fitted: Forecaster, table: pd.DataFrame) -> None:
        gap = table.assign(y=table["y"].where(table["ds"] != table["ds"].iloc[60]))
        found = fitted.detect_anomalies(gap)
        assert table["ds"].iloc[60] not in found["ds"].tolist() and found["y"].notna().all()

    def test_points_have_no_intervals(self, points: Forecaster, table: pd.DataFrame) -> None:
        with pytest.raises(ValueError, match=r"has no intervals: train one with loss=.quantile."):
            points.detect_anomalies(table)

    def test_a_single_step(self, fitted: Forecaster, table: pd.DataFrame) -> None:
        with pytest.raises(ValueError, match="No series has more than one step: there is nothing to compare"):
            fitted.detect_anomalies(until(table, 1))

    @pytest.mark.parametrize("step", [0, -1])
    def test_steps_that_cannot_be(self, fitted: Forecaster, table: pd.DataFrame, step: int) -> None:
        with pytest.raises(ValueError, match=rf"step.*{step}\b"):
            fitted.detect_anomalies(table, step=step)


_PUSH = """
from hfattnlstm import Forecaster

forecaster = Forecaster.from_pretrained({folder!r})
forecaster.push_to_hub("tester/power")
again = Forecaster.from_pretrained("tester/power")
one, other = (each.predict({series!r}) for each in (forecaster, again))
assert one.equals(other) and len(one) == 8
assert again.processor.scales == forecaster.processor.scales
"""
_RUN = """
from hfattnlstm.commands.main import main

flags = {flags!r} + ["--train_file", {series!r}, "--output_dir", {folder!r}]
assert main(["forecast", "train", *flags, "--push_to_hub", "--hub_model_id", "tester/run"]) == 0
from hfattnlstm import Forecaster

assert len(Forecaster.from_pretrained("tester/run").predict({series!r})) == 8
"""


def test_the_hub(fitted: Forecaster, table: pd.DataFrame, tmp_path: Path) -> None:
    """Pushed by itself, and by a run."""
    series = tmp_path / "series.csv"
    table.to_csv(series, index=False)
    flags = words(horizon=FUTURE, lookback=PAST, hidden_size=8, embedding_size=8, max_steps=1, disable_tqdm=True)
    folder = fitted.run.trainer.args.output_dir
    with LoopbackHub() as hub:
        code = _PUSH.format(folder=folder, series=str(series))
        code += _RUN.format(flags=flags, series=str(series), folder=str(tmp_path / "model"))
        environment = hub.environment(tmp_path / "home")
        # The Trainer turns the bars off and on again, and the client warns when the environment forbids it.
        del environment["HF_HUB_DISABLE_PROGRESS_BARS"]
        run_python(code, environment, tmp_path)
        pushed, of_run = hub.files("tester/power"), hub.files("tester/run")
        assert not [call for call in hub.calls if call.status >= 500]
    needed = {"model.safetensors", "config.json", "preprocessor_config.json", "modeling_time_series_prediction.py"}
    assert needed <= set(pushed) and needed | {"README.md"} <= set(of_run)
    card = of_run["README.md"].decode()
    assert 'Forecaster.from_pretrained("tester/run")' in card and str(tmp_path) not in card

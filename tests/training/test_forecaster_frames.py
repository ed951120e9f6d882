"""A Forecaster: tables in, tables out."""

from __future__ import annotations

import gc
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from hfattnlstm import Forecaster, SeriesProcessor, load_series
from training.forecasting_helpers import (
    FUTURE,
    gluonts_table,
    long_table,
    row_table,
    small_forecaster,
    untrained,
    wide_table,
)


class TestForms:
    """Tables of several forms, and the times that follow them."""

    @pytest.mark.parametrize("freq", ["h", "15min", "D", "2D", "B", "W-MON", "MS", "ME", "QS-JAN", "YS-JAN"])
    def test_times_go_on(self, freq: str) -> None:
        table = long_table(("a", "b"), length=40, freq=freq)
        found = untrained(table, horizon=8).predict(table)
        expected = pd.date_range(table["ds"].iloc[-1], periods=9, freq=freq)[1:]
        assert found["ds"].tolist() == 2 * list(expected)

    def test_series_end_at_different_times(self) -> None:
        table = long_table(("a", "b"), length=40, freq="MS")
        table = pd.concat([table[table["unique_id"] == "a"], table[table["unique_id"] == "b"].head(30)])
        found = untrained(table).predict(table).groupby("unique_id")["ds"].first()
        assert found["a"] == pd.Timestamp("2027-05-01") and found["b"] == pd.Timestamp("2026-07-01")

    def test_whole_numbers_go_on(self, table: pd.DataFrame) -> None:
        numbered = table.assign(ds=table.groupby("unique_id").cumcount() + 5)
        assert untrained(numbered).predict(numbered)["ds"].tolist() == 2 * [125, 126, 127, 128]

    def test_series_a_row(self) -> None:
        table = row_table(length=60)
        found = untrained(table).predict(table)
        assert found["unique_id"].tolist() == [name for name in ("M1", "M2", "M3") for _ in range(FUTURE)]
        assert found.groupby("unique_id")["ds"].first().tolist() == [61, 56, 51]

    def test_a_table_of_another_form_than_that_of_the_training(self, tmp_path: Path) -> None:
        table = row_table(length=60)
        forecaster = untrained(table)
        long = table.melt("V1", var_name="ds", value_name="y").dropna().rename(columns={"V1": "unique_id"})
        long["ds"] = long["ds"].str.removeprefix("V").astype(int) - 1
        expected = forecaster.predict(table).sort_values(["unique_id", "ds"], ignore_index=True)
        pd.testing.assert_frame_equal(forecaster.predict(long), expected, rtol=1e-5)

    def test_channels_of_a_wide_table_are_the_series(self) -> None:
        table = wide_table()
        found = untrained(table).predict(table)
        assert found["unique_id"].tolist() == ["left"] * FUTURE + ["right"] * FUTURE
        assert found["ds"].tolist()[:FUTURE] == found["ds"].tolist()[FUTURE:]
        assert found.groupby("unique_id")["yhat"].mean().between(5, 20).all()

    def test_channels_of_several_series_have_both_names(self) -> None:
        table = pd.concat([wide_table().assign(unique_id=name) for name in "ab"]).rename(columns={"date": "ds"})
        found = untrained(table).predict(table)
        assert found["unique_id"].unique().tolist() == ["a/left", "a/right", "b/left", "b/right"]

    @pytest.mark.parametrize("ending", [".csv", ".parquet", ".jsonl"])
    def test_files(self, fitted: Forecaster, table: pd.DataFrame, tmp_path: Path, ending: str) -> None:
        path = tmp_path / f"series{ending}"
        if ending == ".jsonl":
            table.assign(ds=table["ds"].astype(str)).to_json(path, orient="records", lines=True)
        else:
            (table.to_csv if ending == ".csv" else table.to_parquet)(path, index=False)
        for source in (path, str(path)):
            pd.testing.assert_frame_equal(fitted.predict(source), fitted.predict(table), rtol=1e-5)

    def test_times_as_texts_and_in_the_index(self, fitted: Forecaster, table: pd.DataFrame) -> None:
        expected = fitted.predict(table)
        pd.testing.assert_frame_equal(fitted.predict(table.assign(ds=table["ds"].astype(str))), expected)
        pd.testing.assert_frame_equal(fitted.predict(table.set_index("ds")), expected)

    @pytest.mark.parametrize("kept", [["item_id", "start", "freq", "target"], ["start", "target"]], ids=str)
    def test_the_table_of_the_training_in_the_form_of_gluonts(self, kept: list[str], tmp_path: Path) -> None:
        table = gluonts_table()[kept]
        found = small_forecaster(tmp_path, frequency="h").fit(table).predict(table)
        assert found["ds"].tolist() == 2 * list(pd.date_range("2024-01-06", periods=FUTURE, freq="h"))

    def test_covariates_in_the_form_of_gluonts(self, tmp_path: Path) -> None:
        table = gluonts_table()
        table["feat_dynamic_real"] = [[list(range(124))], [list(range(124))]]
        table["feat_static_cat"] = [[0], [1]]
        forecaster = small_forecaster(tmp_path).fit(table)
        assert forecaster.model.config.num_time_features == 1
        assert len(forecaster.predict(table)) == 2 * FUTURE

    @pytest.mark.parametrize(
        ("change", "sentence"),
        [
            ({"ds": range(240)}, r"The model was trained on series with times, and the table has none: give it the s"),
            ({"y": "high"}, "Row 1 of the table has 'high' in the column 'y', which is no number"),
            ({"y": np.nan}, "The table has no values in 'y': give the past of the series, too"),
        ],
        ids=["whole numbers", "words", "nothing"],
    )
    def test_tables_that_it_does_not_fit(
        self, fitted: Forecaster, table: pd.DataFrame, change: dict, sentence: str
    ) -> None:
        with pytest.raises(ValueError, match=sentence):
            fitted.predict(table.assign(**change))

    def test_another_number_of_channels(self, fitted: Forecaster) -> None:
        with pytest.raises(ValueError, match=r"The series has 2 channels, but the model was trained on 1: 'y'\."):
            fitted.predict(wide_table())

    def test_times_where_it_knows_none(self, table: pd.DataFrame) -> None:
        forecaster = untrained(row_table())
        with pytest.raises(ValueError, match="was trained on series with no times, and the table has some"):
            forecaster.predict(table)

    def test_series_of_another_frequency_are_refused(self, fitted: Forecaster) -> None:
        """On the grid of hours they would have 23 gaps a day."""
        with pytest.raises(ValueError, match="'h'"):
            fitted.predict(long_table(freq="D"))


@pytest.fixture(scope="module")
def priced(tmp_path_factory: pytest.TempPathFactory) -> tuple[Forecaster, pd.DataFrame]:
    """One that knows the price of every step and the region of a series, and its table with 4 steps more."""
    table = long_table(length=124)
    step = table.groupby("unique_id").cumcount()
    table = table.assign(price=(step % 5).astype(float), region=table["unique_id"].map({"a": "n", "b": "s"}))
    table["y"] = (table["y"] + 3 * table["price"]).where(step < 120)
    flags = {"known_columns": ["price"], "static_columns": ["region"], "calendar": ["hour"], "max_steps": 20}
    return small_forecaster(tmp_path_factory.mktemp("priced"), **flags).fit(table), table


class TestFuture:
    """What is known in advance of the steps that are forecast."""

    @staticmethod
    def split(table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
        return table[table["y"].notna()], table.loc[table["y"].isna(), ["unique_id", "ds", "price"]]

    def test_rows_without_a_value_and_a_table_of_their_own_are_the_same(
        self, priced: tuple[Forecaster, pd.DataFrame], tmp_path: Path
    ) -> None:
        forecaster, table = priced
        before, future = self.split(table)
        expected = forecaster.predict(table)
        assert expected["ds"].iloc[0] == table["ds"].iloc[120]
        pd.testing.assert_frame_equal(forecaster.predict(before, future=future), expected)
        future.to_csv(tmp_path / "future.csv", index=False)
        before.to_csv(tmp_path / "before.csv", index=False)
        found = forecaster.predict(tmp_path / "before.csv", future=tmp_path / "future.csv")
        pd.testing.assert_frame_equal(found, expected, rtol=1e-5)

    def test_they_change_the_forecast_and_the_past_does_not_need_them_twice(
        self, priced: tuple[Forecaster, pd.DataFrame]
    ) -> None:
        forecaster, table = priced
        before, future = self.split(table)
        dear = forecaster.predict(before, future=future.assign(price=9.0))
        assert (dear["yhat"] - forecaster.predict(table)["yhat"]).abs().max() > 1e-3
        ignored = forecaster.predict(before, future=future.assign(y=1e6, region="elsewhere"))
        pd.testing.assert_frame_equal(ignored, forecaster.predict(table))

    def test_their_table_may_begin_in_the_past(self, priced: tuple[Forecaster, pd.DataFrame]) -> None:
        """As one of the weather, which is downloaded whole; but it must not contradict."""
        forecaster, table = priced
        before, _ = self.split(table)
        weather = table[["unique_id", "ds", "price"]].assign(ds=table["ds"].astype(str))
        expected = forecaster.predict(table)
        for whole in (weather, weather.sample(frac=1, random_state=0)):
            pd.testing.assert_frame_equal(forecaster.predict(before, future=whole), expected)
        with pytest.raises(ValueError, match=r"^The table has 2024-01-01 00:00:00 twice in the series 'a', with"):
            forecaster.predict(before, future=weather.assign(price=9.0))

    def test_the_past_is_looked_at_without_them(self, priced: tuple[Forecaster, pd.DataFrame]) -> None:
        """Its last parts are forecast from so far back that all is known."""
        forecaster, table = priced
        before, _ = self.split(table)
        found, whole = forecaster.detect_anomalies(before), forecaster.detect_anomalies(table)
        pd.testing.assert_frame_equal(found[["unique_id", "ds", "y"]], whole[["unique_id", "ds", "y"]])
        last = found["cutoff"] != whole["cutoff"]
        assert last.sum() == 4 and set(found.loc[last, "cutoff"]) == {table["ds"].iloc[115]}
        pd.testing.assert_frame_equal(found[~last], whole[~last])
        assert forecaster.detect_anomalies(before, step=1)["ds"].tolist() == found["ds"].tolist()

    def test_without_them_nothing_is_forecast(self, priced: tuple[Forecaster, pd.DataFrame]) -> None:
        forecaster, table = priced
        before, future = self.split(table)
        sentence = "The series 'a' has 'price' for 0 steps after its last value, and 4 are forecast: give what is"
        with pytest.raises(ValueError, match=sentence):
            forecaster.predict(before)
        few = future[(future["unique_id"] == "b") | (future["ds"] <= table["ds"].iloc[121])]
        with pytest.raises(ValueError, match="'a' has 'price' for 2 steps after its last value, and 4 are forecast"):
            forecaster.predict(before, future=few)
        with pytest.raises(ValueError, match="The table of what is known in advance has no column 'price': add it"):
            forecaster.predict(before, future=future.drop(columns="price"))

    def test_a_region_that_training_has_not_seen(
        self, priced: tuple[Forecaster, pd.DataFrame], caplog: pytest.LogCaptureFixture
    ) -> None:
        forecaster, table = priced
        before, future = self.split(table)
        found = forecaster.predict(before.assign(region="west"), future=future)
        assert "2 of the 2 series of the table have something in 'region' that no series had" in caplog.text
        assert found["yhat"].notna().all()
        # It is none of the regions of the training.
        known = forecaster.predict(before, future=future)
        assert (found["yhat"] != known["yhat"]).all()

    def test_where_nothing_is_known_in_advance_a_table_of_it_is_refused(
        self, fitted: Forecaster, table: pd.DataFrame
    ) -> None:
        """It would change nothing."""
        later = pd.DataFrame({"unique_id": ["a"], "ds": [table["ds"].max() + pd.Timedelta(hours=1)], "price": [3.0]})
        with pytest.raises(ValueError, match="future"):
            fitted.predict(table, future=later)

    def test_series_that_are_loaded_take_no_further_table(self, priced: tuple[Forecaster, pd.DataFrame]) -> None:
        forecaster, table = priced
        before, future = self.split(table)
        panel = forecaster.load(before)
        with pytest.raises(ValueError, match="future"):
            forecaster.load(panel, future.assign(price=9.0))


class TestPlot:
    """A picture of a series and its forecast."""

    def test_of_the_first_series_or_another(self, fitted: Forecaster, table: pd.DataFrame) -> None:
        for name, shown in ((None, "a"), ("b", "b")):
            figure = fitted.plot(table, name)
            assert isinstance(figure, Figure)
            (axes,) = figure.axes
            assert axes.get_ylabel() == shown
            said = next(line for line in axes.lines if line.get_label() == "forecast")
            expected = fitted.predict(table)
            np.testing.assert_allclose(said.get_ydata(), expected[expected["unique_id"] == shown]["yhat"], rtol=1e-5)

    def test_of_each_channel(self) -> None:
        table = wide_table([f"c{index}" for index in range(10)])
        assert [axes.get_ylabel() for axes in untrained(table).plot(table).axes] == [f"c{index}" for index in range(8)]

    def test_of_no_series(self, fitted: Forecaster, table: pd.DataFrame) -> None:
        table = table.assign(unique_id=table["unique_id"].map({"a": "house 1", "b": "barn"}))
        with pytest.raises(ValueError, match=r"There is no series 'house1' in the table: did you mean 'house 1'\?"):
            fitted.plot(table, "house1")
        with pytest.raises(ValueError, match=r"There is no series 'zzz' in the table\."):
            fitted.plot(table, "zzz")


class TestKeeping:
    """Saving, loading, and what a Forecaster is made with."""

    def test_saved_and_loaded_it_says_the_same(self, fitted: Forecaster, table: pd.DataFrame, tmp_path: Path) -> None:
        fitted.save_pretrained(tmp_path / "copy")
        for folder in (tmp_path / "copy", str(tmp_path / "copy"), fitted.run.trainer.args.output_dir):
            loaded = Forecaster.from_pretrained(folder)
            assert loaded.run is None and not loaded.model.training
            pd.testing.assert_frame_equal(loaded.predict(table), fitted.predict(table))

    def test_options_of_loading_are_those_of_the_processor_too(
        self, fitted: Forecaster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Such as a revision: the scales of another one would be wrong."""
        fitted.save_pretrained(tmp_path)
        asked = []

        def load(_: type, place: str, **options: Any) -> SeriesProcessor:
            asked.append(options)
            return fitted.processor

        monkeypatch.setattr(SeriesProcessor, "from_pretrained", classmethod(load))
        Forecaster.from_pretrained(tmp_path, revision="older")
        assert asked[0]["revision"] == "older"

    def test_what_is_no_forecaster(self, fitted: Forecaster, tmp_path: Path) -> None:
        with pytest.raises(OSError, match=r"There is no folder \./nowhere"):
            Forecaster.from_pretrained("./nowhere")
        with pytest.raises(FileNotFoundError, match=r"holds no model, for it has no config\.json"):
            Forecaster.from_pretrained(tmp_path)
        fitted.save_pretrained(tmp_path)
        (tmp_path / "preprocessor_config.json").unlink()
        with pytest.raises((OSError, ValueError), match=r"preprocessor_config\.json") as caught:
            Forecaster.from_pretrained(tmp_path)
        assert "huggingface.co" not in str(caught.value)

    def test_a_text_classifier_is_told_in_one_sentence(self, tmp_path: Path) -> None:
        from hfattnlstm import AttnLSTMConfig, AttnLSTMForSequenceClassification

        AttnLSTMForSequenceClassification(AttnLSTMConfig(vocab_size=9, hidden_size=8)).save_pretrained(tmp_path)
        with pytest.raises(ValueError, match=r"'attnlstm', which forecasts nothing: .*TimeSeriesPrediction"):
            Forecaster.from_pretrained(tmp_path)

    @pytest.mark.parametrize(
        "call",
        [
            lambda forecaster, table: forecaster.predict(table),
            lambda forecaster, table: forecaster.detect_anomalies(table),
            lambda forecaster, table: forecaster.plot(table),
            lambda forecaster, table: forecaster.load(table),
            lambda forecaster, table: forecaster.save_pretrained("nowhere"),
            lambda forecaster, table: forecaster.push_to_hub("me/nothing"),
        ],
        ids=["predict", "detect_anomalies", "plot", "load", "save_pretrained", "push_to_hub"],
    )
    def test_what_is_not_fitted_says_so(self, table: pd.DataFrame, call: Any) -> None:
        with pytest.raises(ValueError, match="This Forecaster is not fitted yet: call fit, or load one by Forecaster"):
            call(Forecaster(horizon=4), table)

    @pytest.mark.parametrize(
        ("flags", "sentence"),
        [
            ({"hiden_size": 8}, r"A Forecaster has no 'hiden_size': did you mean 'hidden_size'\?"),
            ({"zzz": 8}, r"A Forecaster has no 'zzz'\."),
        ],
    )
    def test_flags_that_there_are_not(self, flags: dict, sentence: str) -> None:
        with pytest.raises(ValueError, match=sentence):
            Forecaster(horizon=4, **flags)

    @pytest.mark.parametrize("name", ["scaler", "linear_forecast"])
    def test_words_that_there_are_not(self, name: str, table: pd.DataFrame, tmp_path: Path) -> None:
        """On the command line they are refused, and here nobody would be told that they change nothing."""
        with pytest.raises(ValueError, match=name):
            small_forecaster(tmp_path, **{name: "fited", "max_steps": 1}).fit(table)

    @pytest.mark.parametrize(
        "flags", [{"target_columns": "y"}, {"calendar": "hour"}, {"pooling": "last"}, {"quantiles": (0.1, 0.5, 0.9)}]
    )
    def test_a_word_stands_for_a_list_of_one_and_a_tuple_for_a_list(
        self, flags: dict, table: pd.DataFrame, tmp_path: Path
    ) -> None:
        assert len(small_forecaster(tmp_path, **flags, max_steps=1).fit(table).predict(table)) == 2 * FUTURE

    @pytest.mark.parametrize("value", [["store", "item"], ("store",), {"store"}])
    def test_a_list_where_one_value_is_taken(self, value: Any) -> None:
        with pytest.raises(ValueError, match=r"^id_column takes one value, not"):
            Forecaster(horizon=FUTURE, id_column=value)

    def test_a_horizon_is_needed_to_fit(self, table: pd.DataFrame, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="horizon"):
            Forecaster(output_dir=tmp_path / "model").fit(table)

    def test_nothing_is_shown(self, table: pd.DataFrame, capfd: pytest.CaptureFixture[str]) -> None:
        small_forecaster(None).fit(table)
        assert "%|" not in capfd.readouterr().err

    def test_the_run_is_kept_and_the_folder_written(self, fitted: Forecaster) -> None:
        folder = Path(fitted.run.trainer.args.output_dir)
        assert fitted.run.metrics["eval_mse"] > 0 and (folder / "README.md").is_file()
        assert "season" in (folder / "README.md").read_text()

    def test_without_a_folder_nothing_is_left_behind(self, table: pd.DataFrame) -> None:
        """Fitted again, the model of before is gone without a word."""
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always", ResourceWarning)
            forecaster = small_forecaster(None, max_steps=1)
            folders = [Path(forecaster.fit(table).run.trainer.args.output_dir) for _ in range(2)]
            there = [folder.is_dir() for folder in folders]
            del forecaster
            gc.collect()
        assert there == [False, True] and not folders[1].exists()
        assert not [each for each in told if issubclass(each.category, ResourceWarning)]

    def test_a_panel_is_taken_too(self, table: pd.DataFrame, fitted: Forecaster, tmp_path: Path) -> None:
        again = small_forecaster(tmp_path).fit(load_series(table))
        pd.testing.assert_frame_equal(again.predict(table), fitted.predict(table))

    def test_values_have_the_precision_of_the_series(self, fitted: Forecaster, table: pd.DataFrame) -> None:
        found = fitted.predict(table)
        assert found["yhat"].dtype == np.float64 and found["q0.1"].dtype == np.float64

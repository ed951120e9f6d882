"""Whole runs of the task of forecasting, from tables to a saved model, its figures and its card."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from hfattnlstm import Forecaster
from hfattnlstm.training import TaskRun, parse_task, run_task
from hfattnlstm.training.forecasts import forecast_batch, levels_of
from hfattnlstm.training.linear_forecasts import PENALTY
from hfattnlstm.training.run import make_trainer
from training.forecasting_helpers import (
    FUTURE,
    PAST,
    QUIET,
    SEASON,
    gluonts_table,
    load_saved,
    long_table,
    row_table,
    train,
    wide_table,
    words,
)


# Of series of 300 steps; so there are 294 windows to test, more than are measured at once.
ENDS = (140, 150, 300)
BORDERS = ("--borders", *map(str, ENDS))
QUARTERS = ("--borders", ".6", ".75", "1.")


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return long_table(length=300)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, table: pd.DataFrame) -> tuple[Path, TaskRun]:
    """The folder, which has the table beside the model, and the run."""
    folder = tmp_path_factory.mktemp("forecasting")
    table.to_csv(folder / "series.csv", index=False)
    return folder / "model", train(folder / "model", folder / "series.csv", *BORDERS)


def values_of(table: pd.DataFrame) -> dict[str, np.ndarray]:
    """(length,) of each series, in the precision in which it is read."""
    return {name: part["y"].to_numpy(np.float32) for name, part in table.groupby("unique_id", sort=False)}


def windows_by_hand(values: np.ndarray, first: int, last: int) -> tuple[np.ndarray, np.ndarray]:
    """Pasts and futures of every step from `first` to `last`, in which forecasts begin."""
    steps = range(first, last + 1)
    return (
        np.stack([values[step - PAST : step] for step in steps]),
        np.stack([values[step : step + FUTURE] for step in steps]),
    )


def scale_by_hand(values: np.ndarray) -> tuple[float, float]:
    return values[: ENDS[0]].astype(float).mean(), values[: ENDS[0]].astype(float).std()


def scaled_parts(table: pd.DataFrame, first: int, end: int) -> tuple[np.ndarray, np.ndarray]:
    """Of all series, pasts and futures of a part, scaled by the training part."""
    parts = []
    for values in values_of(table).values():
        mean, std = scale_by_hand(values)
        parts.append(windows_by_hand((values - mean) / std, first, end - FUTURE))
    return tuple(np.concatenate(each) for each in zip(*parts, strict=True))


def errors(said: np.ndarray, came: np.ndarray) -> dict[str, float]:
    return {"mse": float(((said - came) ** 2).mean()), "mae": float(np.abs(said - came).mean())}


class TestFigures:
    """What is written of the model that is saved."""

    def test_the_scale_is_that_of_the_training_part(self, trained: tuple[Path, TaskRun], table: pd.DataFrame) -> None:
        _, processor = load_saved(trained[0])
        for name, values in values_of(table).items():
            found = np.array(processor.scales[name])[:, 0]
            np.testing.assert_allclose(found, scale_by_hand(values), rtol=1e-5)
        assert processor.frequency == "h" and processor.season_length == SEASON

    @pytest.mark.parametrize(("prefix", "first", "end"), [("test", ENDS[1], ENDS[2]), ("eval", ENDS[0], ENDS[1])])
    def test_errors_are_those_of_every_window(
        self, trained: tuple[Path, TaskRun], table: pd.DataFrame, prefix: str, first: int, end: int
    ) -> None:
        folder, run = trained
        past, came = scaled_parts(table, first, end)
        model, _ = load_saved(folder)
        found = forecast_batch(model, {"past_values": torch.from_numpy(past).float().unsqueeze(-1)})
        said, quantiles = found.values[..., 0].double().numpy(), found.quantiles[:, :, 0].double().numpy()
        written = json.loads((folder / "all_results.json").read_text())
        assert written[f"{prefix}_samples"] == len(past) == 2 * (end - FUTURE - first + 1)
        expected = errors(said, came)
        levels = np.array(levels_of(model.config))
        error = came[..., None] - quantiles
        expected["crps"] = 2 * np.maximum(levels * error, (levels - 1) * error).mean()
        expected["coverage_98"] = ((came >= quantiles[..., 0]) & (came <= quantiles[..., -1])).mean()
        for name, value in expected.items():
            assert written[f"{prefix}_{name}"] == pytest.approx(value, rel=2e-4), name
            assert run.metrics[f"{prefix}_{name}"] == written[f"{prefix}_{name}"]

    def test_mase_and_errors_in_the_unit_of_the_series(
        self, trained: tuple[Path, TaskRun], table: pd.DataFrame
    ) -> None:
        folder, run = trained
        model, _ = load_saved(folder)
        found: dict[str, list[np.ndarray]] = {"mase": [], "unscaled_mae": [], "smape": []}
        for values in values_of(table).values():
            mean, std = scale_by_hand(values)
            past, came = windows_by_hand(values.astype(float), ENDS[1], ENDS[2] - FUTURE)
            batch = {"past_values": torch.from_numpy((past - mean) / std).float().unsqueeze(-1)}
            said = forecast_batch(model, batch).values[..., 0].double().numpy() * std + mean
            before = values[: ENDS[0]].astype(float)
            found["mase"].append(np.abs(said - came) / np.abs(before[SEASON:] - before[:-SEASON]).mean())
            found["unscaled_mae"].append(np.abs(said - came))
            found["smape"].append(200 * np.abs(said - came) / (np.abs(said) + np.abs(came)))
        for name, parts in found.items():
            assert run.metrics[f"test_{name}"] == pytest.approx(np.mean(parts), rel=2e-4), name

    def test_those_of_simple_forecasts(self, trained: tuple[Path, TaskRun], table: pd.DataFrame) -> None:
        metrics = trained[1].metrics
        past, came = scaled_parts(table, ENDS[1], ENDS[2])
        said = {
            "last_value": np.repeat(past[:, -1:], FUTURE, 1),
            "last_season": past[:, -SEASON : -SEASON + FUTURE],
            "linear": self.linear_forecast(table, past),
        }
        for name, forecast in said.items():
            for metric, value in errors(forecast, came).items():
                assert metrics[f"{name}_test_{metric}"] == pytest.approx(value, rel=5e-4), (name, metric)

    @staticmethod
    def linear_forecast(table: pd.DataFrame, past: np.ndarray) -> np.ndarray:
        """Ridge regression of NumPy on the windows of the training part, whose last value is taken off."""
        before, after = scaled_parts(table, PAST, ENDS[0])
        rows = np.column_stack([before - before[:, -1:], np.ones(len(before))])
        power = (rows**2).sum(0)
        pulls = np.diag(np.sqrt(np.append(np.full(PAST, PENALTY * power[:-1].mean()), 1e-6 * power[-1])))
        aims = np.vstack([after - before[:, -1:], np.zeros((PAST + 1, FUTURE))])
        weights = np.linalg.lstsq(np.vstack([rows, pulls]), aims, rcond=None)[0]
        return np.column_stack([past - past[:, -1:], np.ones(len(past))]) @ weights + past[:, -1:]

    def test_the_trainer_measures_the_same(self, tmp_path: Path, table: pd.DataFrame) -> None:
        """By which the best checkpoint is chosen."""
        flags = ("--linear_forecast", "none", "--load_best_model_at_end", "false", *BORDERS)
        run = train(tmp_path, table, *flags)
        logged = [entry for entry in run.trainer.state.log_history if "eval_mse" in entry][-1]
        assert logged["step"] == run.trainer.state.global_step
        for name in ("eval_mse", "eval_mae"):
            assert logged[name] == pytest.approx(run.metrics[name], rel=1e-5)
        assert logged["eval_crps"] == pytest.approx(logged["eval_loss"], rel=1e-5)

    def test_the_report_has_a_table_for_each_part(self, trained: tuple[Path, TaskRun]) -> None:
        report = trained[1].report()
        assert "eval split by forecast" in report and "test split by forecast" in report
        for name in ("model", "last value", "last season", "linear"):
            assert len(re.findall(f"^{name}  ", report, re.M)) == 2, name


class TestSources:
    """Series come in several forms."""

    @pytest.mark.parametrize(
        ("name", "make", "series", "channels"),
        [
            ("long.csv", long_table, 2, ("y",)),
            ("long.parquet", lambda: long_table(("a", "b", "c")), 3, ("y",)),
            ("wide.tsv", wide_table, 1, ("left", "right")),
            ("rows.csv", row_table, 3, ("y",)),
            ("gluonts.jsonl", gluonts_table, 2, ("target",)),
            (None, long_table, 2, ("y",)),
            (None, row_table, 3, ("y",)),
        ],
        ids=["long csv", "long parquet", "wide tsv", "rows csv", "gluonts jsonl", "long table", "table of rows"],
    )
    def test_each_form(
        self, tmp_path: Path, name: str | None, make: Callable[[], pd.DataFrame], series: int, channels: tuple
    ) -> None:
        frame = make()
        source = frame if name is None else tmp_path / name
        if name is not None:
            write = {".csv": frame.to_csv, ".tsv": frame.to_csv, ".parquet": frame.to_parquet}.get(source.suffix)
            options = {"index": False, **({"sep": "\t"} if source.suffix == ".tsv" else {})}
            frame.to_json(source, orient="records", lines=True) if write is None else write(source, **options)
        run = train(tmp_path / "model", source)
        assert run.processor.channels == channels == tuple(load_saved(tmp_path / "model")[1].channels)
        assert len(run.processor.scales) == series and run.model.config.num_input_channels == len(channels)
        assert math.isfinite(run.metrics["eval_mse"]) and "test_mse" not in run.metrics

    def test_a_folder_as_data_sets_have_it(self, tmp_path: Path) -> None:
        (tmp_path / "data").mkdir()
        long_table().to_csv(tmp_path / "data" / "train.csv", index=False)
        argv = words(dataset=tmp_path / "data", output_dir=tmp_path / "model", horizon=4, lookback=18, max_steps=1)
        run = run_task(parse_task(["--task", "forecasting", *argv, "--hidden_size", "8", *words(**QUIET)]))
        assert len(run.processor.scales) == 2

    def test_what_is_known_of_steps_and_series(self, tmp_path: Path) -> None:
        price = np.tile(np.arange(150) % 5, 2).astype(float)
        table = long_table(length=150).assign(price=price, size=np.repeat([1.0, 4.0], 150))
        table["region"] = np.repeat(["north", "south"], 150)
        flags = ("--known_columns", "price", "--static_columns", "size", "region", "--calendar", "hour", "weekday")
        run = train(tmp_path, table, *flags, *QUARTERS)
        config = run.model.config
        assert (config.num_time_features, config.num_static_real_features, config.cardinality) == (5, 1, [2])
        _, processor = load_saved(tmp_path)
        columns = processor.series_columns
        assert (columns.features, columns.static_real, columns.static_categories) == (
            ("price",),
            ("size",),
            ("region",),
        )
        np.testing.assert_allclose(np.array(processor.feature_scales)[:, 0], [price[:90].mean(), price[:90].std()])
        assert processor.categories == [["north", "south"]]
        argv = words(output_dir=tmp_path / "again", model_name_or_path=tmp_path, do_train=False, use_cpu=True)
        again = parse_task(["--task", "forecasting", *argv, *QUARTERS])
        again.source = table
        assert run_task(again).metrics["test_mse"] == pytest.approx(run.metrics["test_mse"], rel=1e-5)

    def test_gaps_are_no_errors(self, tmp_path: Path) -> None:
        table = long_table(length=200)
        table.loc[np.random.default_rng(0).random(400) < 0.1, "y"] = np.nan
        run = train(tmp_path, table.drop(index=table.index[5:9]), *QUARTERS)
        assert math.isfinite(run.metrics["test_mse"]) and run.metrics["test_mse"] < 3


LOSSES = ["mae", "mse", "huber", "quantile", "nll"]


class TestKinds:
    """Every loss and decoder."""

    @pytest.mark.parametrize("decoder", ["direct", "autoregressive"])
    @pytest.mark.parametrize("loss", LOSSES)
    def test_each_is_measured_as_it_is_saved(
        self, tmp_path: Path, table: pd.DataFrame, loss: str, decoder: str
    ) -> None:
        pooling = ("--pooling", "attention") if decoder == "autoregressive" else ()
        flags = ("--loss", loss, "--decoding", decoder, *pooling, *BORDERS, "--max_steps", "2")
        run = train(tmp_path, table, *flags)
        assert (run.model.config.loss, run.model.config.decoding) == (loss, decoder)
        past, came = scaled_parts(table, ENDS[1], ENDS[2])
        found = forecast_batch(load_saved(tmp_path)[0], {"past_values": torch.from_numpy(past).float().unsqueeze(-1)})
        for name, value in errors(found.values[..., 0].double().numpy(), came).items():
            assert run.metrics[f"test_{name}"] == pytest.approx(value, rel=2e-4), name
        assert ("test_crps" in run.metrics) == (loss in ("quantile", "nll")) == (found.quantiles is not None)

    def test_a_normal_distribution(self, tmp_path: Path, table: pd.DataFrame) -> None:
        run = train(tmp_path, table, "--loss", "nll", "--distribution_output", "normal")
        assert run.metrics["eval_crps"] > 0 and run.model.config.quantile_spread != 1

    def test_counts(self, tmp_path: Path) -> None:
        table = long_table(length=150)
        table["y"] = np.random.default_rng(0).poisson(3, len(table)).astype(float)
        flags = ("--loss", "nll", "--distribution_output", "negative_binomial")
        run = train(tmp_path, table, *flags, "--instance_center", "none", "--scaler", "none")
        assert math.isfinite(run.metrics["eval_crps"]) and run.model.linear is None

    @pytest.mark.parametrize("value", [-1.0, 2.5])
    def test_what_is_no_count_is_named_before_it_is_learnt(self, tmp_path: Path, value: float) -> None:
        """The loss of a negative one is infinite."""
        table = long_table(length=150)
        table["y"] = np.random.default_rng(0).poisson(3, len(table)).astype(float)
        table.loc[[20, 170], "y"] = np.nan, value
        flags = ("--loss", "nll", "--distribution_output", "negative_binomial")
        sentence = rf"^The series 'b' in the table has {value:g} in 'y', and a negative binomial is for counts, whole"
        with pytest.raises(ValueError, match=sentence):
            train(tmp_path, table, *flags, "--instance_center", "none", "--scaler", "none")

    def test_the_autoregressive_decoder_needs_no_other_flag(self, tmp_path: Path, table: pd.DataFrame) -> None:
        run = train(tmp_path, table, "--decoding", "autoregressive")
        assert run.model.config.decoding == "autoregressive"

    @pytest.mark.parametrize("metric", ["mse", "eval_mae", "crps", "loss"])
    @pytest.mark.parametrize("loss", ["quantile", "nll"])
    def test_checkpoints_are_chosen_by_any_metric(
        self, tmp_path: Path, table: pd.DataFrame, loss: str, metric: str
    ) -> None:
        run = train(tmp_path, table, "--loss", loss, "--metric_for_best_model", metric)
        name = f"eval_{metric.removeprefix('eval_')}"
        values = [entry[name] for entry in run.trainer.state.log_history if name in entry]
        assert run.trainer.state.best_metric == min(values) and len(values) >= 2


class TestLinearForecast:
    """One that is fitted, trained, or none."""

    def test_fitted(self, trained: tuple[Path, TaskRun]) -> None:
        folder, run = trained
        model, _ = load_saved(folder)
        assert model.config.linear_forecast and model.linear.weight.abs().max() > 0
        assert run.metrics["recurrent_share"] == pytest.approx(model.config.recurrent_share)
        assert 0 <= model.config.recurrent_share <= 1

    def test_a_random_walk_is_told(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        walk = np.random.default_rng(0).normal(size=300).cumsum()
        table = pd.DataFrame({"ds": pd.date_range("2024", periods=300, freq="D"), "y": walk})
        run = train(tmp_path, table)
        assert "On the validation part nothing is surely better than the last value" in caplog.text
        assert run.metrics["recurrent_share"] == 0
        assert run.metrics["eval_mse"] == pytest.approx(run.metrics["last_value_eval_mse"], rel=1e-4)
        assert "LSTM 0.00, last value 1.00" in (tmp_path / "README.md").read_text()
        # Its intervals are those of the LSTM, as wide as they must be.
        found = Forecaster.from_pretrained(tmp_path).predict(table)
        assert (found["q0.9"] > found["q0.1"]).all()

    def test_trained(self, tmp_path: Path, table: pd.DataFrame) -> None:
        run = train(tmp_path, table, "--linear_forecast", "trained")
        assert run.model.linear.weight.abs().max() > 0 and run.model.config.recurrent_share == 1
        assert "recurrent_share" not in run.metrics

    def test_none(self, tmp_path: Path, table: pd.DataFrame) -> None:
        run = train(tmp_path, table, "--linear_forecast", "none")
        assert run.model.linear is None and not run.model.config.linear_forecast
        assert "recurrent_share" not in run.metrics and "shares of" not in (tmp_path / "README.md").read_text()


@pytest.mark.parametrize("bound", [[], ["--lower_bound", "0"]], ids=["free", "bounded"])
def test_forecasts_below_0_of_what_never_is_are_told(
    bound: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sales = np.random.default_rng(0).poisson(0.4, size=200).astype(float)
    table = pd.DataFrame({"ds": pd.date_range("2024", periods=200, freq="D"), "y": sales})
    train(tmp_path, table, *bound)
    sentence = "Some forecasts are below 0, and no value of the series is: --lower_bound 0 ends that."
    assert (sentence in caplog.text) == (not bound)
    found = Forecaster.from_pretrained(tmp_path).predict(table)
    assert (found[["yhat", "q0.01"]].min(axis=None) >= 0) == bool(bound)


class TestBorders:
    """Where the parts end, in three forms."""

    FORMS = ["150 200 300", ".5 .6666667 1.", "2024-01-07T06:00 2024-01-09T08:00 2024-01-13T12:00"]

    @pytest.mark.parametrize("borders", FORMS)
    def test_they_say_the_same(self, table: pd.DataFrame, borders: str) -> None:
        task = parse_task(["--task", "forecasting", "--horizon", "4", "--borders", *borders.split()])
        task.source = table
        parts = task.load()
        assert task.ends == ([150, 150], [200, 200], [300, 300])
        assert [len(part.series[0]) for part in parts.values()] == [150, 200, 300]
        assert task.training.do_predict

    def test_two_leave_nothing_to_test(self, tmp_path: Path, table: pd.DataFrame) -> None:
        run = train(tmp_path, table, "--borders", "150", "200")
        assert run.metrics["eval_samples"] == 2 * 47 and "test_mse" not in run.metrics

    def test_without_them_a_tenth_is_held_out(self, tmp_path: Path, table: pd.DataFrame) -> None:
        assert train(tmp_path, table).metrics["eval_samples"] == 2 * (30 - FUTURE + 1)

    def test_a_test_part_need_not_be_measured(self, tmp_path: Path, table: pd.DataFrame) -> None:
        assert "test_mse" not in train(tmp_path, table, *BORDERS, "--do_predict", "false").metrics


class TestNoLeak:
    """Nothing is learnt from what comes later."""

    def test_what_comes_after_the_training_part_changes_neither_scale_nor_weights(
        self, tmp_path: Path, table: pd.DataFrame
    ) -> None:
        later = table.groupby("unique_id").cumcount() >= ENDS[0]
        other = table.assign(y=table["y"].where(~later, -7 * table["y"] + 100))
        flags = (*BORDERS, "--linear_forecast", "none", "--load_best_model_at_end", "false")
        one, two = (train(tmp_path / str(index), each, *flags) for index, each in enumerate((table, other)))
        assert one.processor.to_dict() == two.processor.to_dict()
        for name, tensor in one.model.state_dict().items():
            assert torch.equal(tensor, two.model.state_dict()[name]), name
        assert one.metrics["eval_mse"] != two.metrics["eval_mse"]

    def test_what_comes_in_the_test_part_changes_nothing_but_its_figures(
        self, tmp_path: Path, trained: tuple[Path, TaskRun], table: pd.DataFrame
    ) -> None:
        later = table.groupby("unique_id").cumcount() >= ENDS[1]
        other = table.assign(y=table["y"].where(~later, -7 * table["y"] + 100))
        run = train(tmp_path, other, *BORDERS)
        for name, tensor in trained[1].model.state_dict().items():
            assert torch.equal(tensor, run.model.state_dict()[name]), name
        one, two = trained[1].model.config.to_dict(), run.model.config.to_dict()
        assert {name: value for name, value in one.items() if value != two[name]} == {}
        same = [name for name in run.metrics if name.startswith("eval_") and "second" not in name]
        assert len(same) > 5
        assert [run.metrics[name] for name in same] == [trained[1].metrics[name] for name in same]
        assert run.metrics["test_mse"] != trained[1].metrics["test_mse"]

    def test_a_season_that_is_found_is_that_of_the_training_part(self) -> None:
        """Where there are no times it is looked for in the values."""
        steps = np.arange(400)
        first = np.sin(2 * np.pi * steps / 12)
        seasons = []
        for later in (first, np.sin(2 * np.pi * steps / 7) * 30):
            task = parse_task(["--task", "forecasting", "--horizon", "4", "--borders", "150", "200", "400"])
            task.source = pd.DataFrame({"step": steps, "y": np.where(steps < 150, first, later)})
            task.data.time_column = "step"
            task.load()
            seasons.append(task.season)
        assert seasons == [12, 12]

    def test_a_series_that_begins_after_the_training_part_is_not_scaled_by_what_comes(
        self, table: pd.DataFrame, tmp_path: Path
    ) -> None:
        later = table["ds"] + pd.Timedelta(hours=160)
        table = table.assign(ds=table["ds"].where(table["unique_id"] == "a", later))
        origin = pd.Timestamp("2024-01-01") + pd.Timedelta(hours=250)
        borders = [str(table["ds"].min() + pd.Timedelta(hours=steps)) for steps in (140, 200, 460)]
        pasts = []
        for source in (table, table.assign(y=table["y"].where(table["ds"] < origin, 1e4))):
            task = parse_task(
                ["--task", "forecasting", *words(output_dir=tmp_path, horizon=4, lookback=18), "--use_cpu"]
            )
            task.data.borders, task.source = borders, source
            windows = make_trainer(task, task.load())[1]["test"]
            places = [windows.place(index) for index in range(len(windows))]
            pasts.append(windows[places.index((1, 90))]["past_values"])
        np.testing.assert_array_equal(*pasts)

    @pytest.mark.parametrize("names", [("a", "b"), ("new", "newer")], ids=["seen", "new"])
    def test_what_comes_after_a_forecast_begins_does_not_change_it(
        self, trained: tuple[Path, TaskRun], table: pd.DataFrame, names: tuple[str, str], tmp_path: Path
    ) -> None:
        """Of the windows that are measured; the series may be new to the model."""
        windows = []
        table = table.assign(unique_id=table["unique_id"].map(dict(zip("ab", names))))
        origin = 200
        for source in (table, table.assign(y=table["y"].where(table.groupby("unique_id").cumcount() < origin, 1e4))):
            argv = words(output_dir=tmp_path / "measured", model_name_or_path=trained[0], do_train=False)
            task = parse_task(["--task", "forecasting", *argv, "--use_cpu", *BORDERS])
            task.source = source
            windows.append(make_trainer(task, task.load())[1]["test"])
        model, count = trained[1].model, 0
        for index in range(len(windows[0])):
            if windows[0].place(index)[1] <= origin:
                before, after = (each[index]["past_values"] for each in windows)
                np.testing.assert_array_equal(before, after)
                count += 1
        assert count == 2 * 51
        pair = [
            forecast_batch(model, {"past_values": torch.from_numpy(each[50]["past_values"])[None]}) for each in windows
        ]
        assert torch.equal(pair[0].values, pair[1].values) and torch.equal(pair[0].quantiles, pair[1].quantiles)

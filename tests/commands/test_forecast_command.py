"""`hfattnlstm forecast`: train, predict and anomalies, and what is told where they cannot."""

from __future__ import annotations

import io
import json
import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from predict_helpers import refusal, save_model
from safetensors.torch import load_file, save_file

from hfattnlstm import Forecaster
from hfattnlstm.commands.forecast import COMMANDS
from hfattnlstm.commands.main import main
from training.forecasting_helpers import FUTURE, PAST, QUIET, SHORT, SIZES, long_table, words


ROOT = Path(__file__).parents[2]
TRAIN = words(**SIZES, **SHORT, **QUIET)
NAMES = ["q0.01", *(f"q0.{digit}" for digit in range(1, 10)), "q0.99"]


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("series") / "power.csv"
    long_table().to_csv(path, index=False)
    return str(path)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, series: str) -> str:
    folder = str(tmp_path_factory.mktemp("model") / "power")
    assert main(["forecast", "train", series, *TRAIN, "--output_dir", folder]) == 0
    return folder


@pytest.fixture(scope="module")
def priced(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str, str]:
    """A model that knows a price in advance, its series, and the prices of the next steps."""
    folder = tmp_path_factory.mktemp("priced")
    table = long_table(length=124).assign(price=lambda frame: (np.arange(len(frame)) % 5).astype(float))
    before = table.groupby("unique_id").head(120)
    before.to_csv(folder / "sales.csv", index=False)
    table.drop(before.index)[["unique_id", "ds", "price"]].to_csv(folder / "prices.csv", index=False)
    flags = [*TRAIN, "--known_columns", "price", "--output_dir", str(folder / "model")]
    assert main(["forecast", "train", str(folder / "sales.csv"), *flags]) == 0
    return tuple(str(folder / name) for name in ("model", "sales.csv", "prices.csv"))


class TestTrain:
    """`forecast train` is the run of the task."""

    def test_what_is_printed_and_written(
        self, series: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        folder = tmp_path / "model"
        argv = [series, *TRAIN, "--borders", "80", "100", "120", "--output_dir", str(folder)]
        assert main(["forecast", "train", *argv]) == 0
        printed = capsys.readouterr().out
        assert "series: 2  values: y  steps: 120, every h  season: 6 steps\n" in printed
        assert "train      until step 80, 2024-01-04 07:00  windows: 118\n" in printed
        assert "test       until step 120, 2024-01-05 23:00  windows: 34\n" in printed
        assert "reads 18 steps in segments of 6, forecasts 4\n" in printed
        assert "test split by forecast\n" in printed and printed.endswith(f"\nSaved in {folder}\n")
        metrics = json.loads((folder / "all_results.json").read_text())
        assert f"{metrics['test_mse']:.4f}" in printed and f"{metrics['last_value_test_mse']:.4f}" in printed

    def test_a_file_of_flags_may_stand_first(self, series: str, tmp_path: Path) -> None:
        flags = {**SIZES, **SHORT, "train_file": series, "output_dir": str(tmp_path / "model"), "use_cpu": True}
        (tmp_path / "flags.json").write_text(json.dumps({**flags, "quantiles": [0.1, 0.5, 0.9]}))
        assert main(["forecast", "train", str(tmp_path / "flags.json"), "--max_steps", "1"]) == 0
        assert Forecaster.from_pretrained(tmp_path / "model").model.config.quantiles == [0.1, 0.5, 0.9]

    def test_only_measuring(self, model: str, series: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        argv = [series, "--do_train", "false", "--model_name_or_path", model, "--output_dir", str(tmp_path / "out")]
        assert main(["forecast", "train", *argv, "--use_cpu"]) == 0
        assert capsys.readouterr().out.endswith(f"\nMeasured; the metrics are in {tmp_path / 'out'}\n")

    @pytest.mark.parametrize(
        ("argv", "sentence"),
        [
            (["{series}"], "--horizon says how many steps are forecast: add it, such as --horizon 24."),
            ([], "Give either --dataset or --train_file."),
            (["nowhere.csv", "--horizon", "4"], "There is no file nowhere.csv: check its name."),
            (
                ["{series}", "--horizon", "four"],
                "--horizon takes a whole number, got 'four'; see hfattnlstm forecast ",
            ),
            (["{series}", "--horizn", "4"], "The command line has the unknown flag 'horizn': did you mean 'horizon'?"),
            (["{series}", "--horizon", "4", "--loss", "mad"], "--loss takes one of 'mae', 'mse', 'huber', 'quantile'"),
            (["{series}", "--horizon", "900"], "No series of {series} is long enough: the longest has 120 steps"),
            (["{series}", "--horizon", "4", "--recipe", "sin"], "There is no recipe 'sin': did you mean 'sine'?"),
            (["{series}", "--horizon", "4", "--validation_windows", "0"], "--validation_windows "),
            (
                ["{series}", "--horizon", "4", "--context_layers", "attnetion"],
                "context_layers must be some of attention, transformer",
            ),
            (["{series}", "--horizon", "4", "--season_length", "0"], "--season_length "),
            (
                ["{series}", "--horizon", "4", "--metric_for_best_model", "accuracy"],
                "--metric_for_best_model accuracy",
            ),
        ],
    )
    def test_mistakes(
        self,
        series: str,
        argv: list[str],
        sentence: str,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        monkeypatch.chdir(tmp_path)
        argv = [*(word.format(series=series) for word in argv), "--max_steps", "1"]
        assert refusal(["forecast", "train", *argv], capsys).startswith(sentence.format(series=series))
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        ("content", "sentence"),
        [
            ("ds,y\n2024-01-01,1\n2024-01-02,high\n", "Row 2 of {path} has 'high' in the column 'y', which is no num"),
            ("ds,y\n2024-01-01,1\nsoon,2\n", "Row 2 of {path} has 'soon' in the column 'ds', which should hold times"),
            ("ds,y\n", "{path} has no rows."),
            ("", "{path} cannot be read"),
            ("ds,y\n2024-01-01,1\n2024-01-01,2\n", "{path} has 2024-01-01 00:00:00 twice in the series, with differe"),
        ],
    )
    def test_files_that_are_no_series(
        self, content: str, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = tmp_path / "series.csv"
        path.write_text(content)
        argv = ["forecast", "train", str(path), "--horizon", "4", "--output_dir", str(tmp_path / "model")]
        told = refusal(argv, capsys)
        assert told.startswith(sentence.format(path=path)), told
        assert not (tmp_path / "model").exists()


class TestPredict:
    """`forecast predict` writes what comes after each series."""

    @pytest.fixture(scope="class")
    @classmethod
    def expected(cls, model: str, series: str) -> pd.DataFrame:
        return Forecaster.from_pretrained(model).predict(series)

    def test_to_standard_output(
        self, model: str, series: str, expected: pd.DataFrame, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["forecast", "predict", model, series]) == 0
        printed = capsys.readouterr()
        found = pd.read_csv(io.StringIO(printed.out), parse_dates=["ds"])
        assert found.columns.tolist() == ["unique_id", "ds", "yhat", *NAMES] and printed.err == ""
        pd.testing.assert_frame_equal(found, expected, check_dtype=False, rtol=1e-5)

    @pytest.mark.parametrize("ending", [".csv", ".parquet", ".CSV", ".Parquet"])
    def test_to_a_file(
        self,
        model: str,
        series: str,
        expected: pd.DataFrame,
        ending: str,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        output = tmp_path / f"forecast{ending}"
        assert main(["forecast", "predict", model, series, "--output", str(output)]) == 0
        assert capsys.readouterr() == (f"Wrote {output}: 2 series, 4 steps from 2024-01-06 00:00\n", "")
        found = pd.read_parquet(output) if "arq" in ending else pd.read_csv(output, parse_dates=["ds"])
        pd.testing.assert_frame_equal(found, expected, check_dtype=False, rtol=1e-5)
        assert [path.name for path in tmp_path.iterdir()] == [output.name]

    def test_standard_output_by_its_name_is_the_table_alone(
        self, model: str, series: str, capfd: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["forecast", "predict", model, series, "--output", "/dev/stdout"]) == 0
        assert len(pd.read_csv(io.StringIO(capfd.readouterr().out))) == 2 * FUTURE

    def test_steps_and_quantiles(self, model: str, series: str, tmp_path: Path, expected: pd.DataFrame) -> None:
        output = str(tmp_path / "forecast.parquet")
        argv = ["forecast", "predict", model, series, "--horizon", "2", "--quantiles", "0.1", "0.9"]
        assert main([*argv, "--output", output]) == 0
        wanted = expected.groupby("unique_id").head(2)[["unique_id", "ds", "yhat", "q0.1", "q0.9"]]
        pd.testing.assert_frame_equal(pd.read_parquet(output), wanted.reset_index(drop=True), check_dtype=False)

    def test_many_series_come_in_pieces(self, model: str, tmp_path: Path) -> None:
        long_table([f"n{index}" for index in range(300)], length=24).to_csv(tmp_path / "many.csv", index=False)
        for ending in ("csv", "parquet"):
            output = tmp_path / f"out.{ending}"
            assert main(["forecast", "predict", model, str(tmp_path / "many.csv"), "--output", str(output)]) == 0
            found = pd.read_parquet(output) if ending == "parquet" else pd.read_csv(output)
            assert len(found) == 300 * FUTURE and found["unique_id"].nunique() == 300
            assert found["yhat"].notna().all()

    def test_what_is_known_in_advance(
        self, priced: tuple[str, str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        folder, sales, prices = priced
        output = str(tmp_path / "forecast.csv")
        assert main(["forecast", "predict", folder, sales, "--future", prices, "--output", output]) == 0
        assert len(pd.read_csv(output)) == 2 * FUTURE
        capsys.readouterr()
        told = refusal(["forecast", "predict", folder, sales], capsys)
        assert told.startswith("The series 'a' has 'price' for 0 steps after its last value, and 4 are forecast: ")
        assert told.endswith("give what is known of them, in rows without a value, or by --future.")
        assert main(["forecast", "explain", folder, sales, "--future", prices, "--output", output]) == 0
        assert "weight" in pd.read_csv(output).columns
        capsys.readouterr()
        told = refusal(["forecast", "predict", folder, sales, "--future", "nowhere.csv"], capsys)
        assert told == "There is no file nowhere.csv: check its name."

    @pytest.mark.parametrize(("ending", "begins"), [(".png", b"\x89PNG"), (".svg", b"<?xml")])
    def test_a_picture(self, model: str, series: str, tmp_path: Path, ending: str, begins: bytes) -> None:
        picture = tmp_path / f"forecast{ending}"
        argv = ["--output", str(tmp_path / "out.csv"), "--picture", str(picture)]
        assert main(["forecast", "predict", model, series, *argv]) == 0
        assert picture.read_bytes().startswith(begins)

    def test_a_picture_needs_its_extra_before_the_work(
        self,
        model: str,
        series: str,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
            monkeypatch.setitem(sys.modules, name, None)
        argv = ["--picture", str(tmp_path / "a.png"), "--output", str(tmp_path / "out.csv")]
        told = refusal(["forecast", "predict", model, series, *argv], capsys)
        assert "matplotlib" in told and 'pip install "hfattnlstm[plots]"' in told
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        ("flags", "sentence"),
        [
            (["--output", "out.json"], "--output 'out.json' must end in .csv or .parquet."),
            (["--output", "out"], "--output 'out' must end in .csv or .parquet."),
            (["--output", "nowhere/out.csv"], "There is no folder "),
            (["--output", "folder.csv"], "folder.csv is a folder: name a file."),
            (["--picture", "picture.gif"], "--picture 'picture.gif' must end in .png or .svg."),
            (["--picture", "nowhere/a.png"], "There is no folder "),
            (["--horizon", "5"], "The model forecasts 1 to 4 steps, not 5: train one for more steps."),
            (["--horizon", "0"], "The model forecasts 1 to 4 steps, not 0: train one for more steps."),
            (
                ["--horizon", "many"],
                "--horizon takes a whole number, got 'many'; see hfattnlstm forecast predict --he",
            ),
            (["--quantiles", "0.25"], "The model does not forecast the quantile 0.25; those that it has: 0.01, 0.1"),
            (["--quantiles"], "--quantiles needs a value; see hfattnlstm forecast predict --help."),
            (["--quantils", "0.1"], "There is no flag --quantils: did you mean '--quantiles'?"),
            (
                ["--future", "nowhere.csv"],
                "The model knows nothing in advance, which --future would hold: leave it ou",
            ),
            (["more.csv"], "There is one argument too many, 'more.csv'; see hfattnlstm forecast predict --help."),
        ],
    )
    def test_mistakes(
        self,
        model: str,
        series: str,
        flags: list[str],
        sentence: str,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "folder.csv").mkdir()
        assert refusal(["forecast", "predict", model, series, *flags], capsys).startswith(sentence)
        assert [path.name for path in tmp_path.iterdir()] == ["folder.csv"]

    def test_the_model_and_the_file_are_needed(self, capsys: pytest.CaptureFixture[str]) -> None:
        told = refusal(["forecast", "predict"], capsys)
        assert told.startswith(("MODEL and FILE is missing", "MODEL and FILE are missing"))
        assert refusal(["forecast", "predict", "my-model"], capsys).startswith("FILE is missing")

    def test_what_is_read_is_not_written(
        self, model: str, priced: tuple[str, str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        _, sales, prices = priced
        before = Path(prices).read_bytes()
        told = refusal(["forecast", "predict", priced[0], sales, "--future", prices, "--output", sales], capsys)
        assert told == f"--output {sales} is the file that is read: write to another one."
        told = refusal(["forecast", "predict", priced[0], sales, "--future", prices, "--output", prices], capsys)
        assert told.startswith(f"--output {prices} is ") and Path(prices).read_bytes() == before

    def test_a_failure_leaves_the_old_file_whole(
        self, model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        output, broken = tmp_path / "out.csv", tmp_path / "broken.csv"
        output.write_text("old")
        broken.write_text("unique_id,ds,y\na,2024-01-01,x\n")
        told = refusal(["forecast", "predict", model, str(broken), "--output", str(output)], capsys)
        assert told.startswith(f"Row 1 of {broken} has 'x' in the column 'y', which is no number")
        assert output.read_text() == "old" and len(list(tmp_path.iterdir())) == 2

    def test_a_closed_standard_output(
        self, model: str, series: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(sys, "stdout", None)
        assert main(["forecast", "predict", model, series]) == 2
        assert "Standard output is closed" in capsys.readouterr().err


class TestAnomalies:
    """`forecast anomalies` writes what lies outside."""

    @pytest.fixture(scope="class")
    @classmethod
    def odd(cls, tmp_path_factory: pytest.TempPathFactory) -> str:
        path = tmp_path_factory.mktemp("odd") / "odd.csv"
        table = long_table()
        table.loc[70, "y"] = 90.0
        table.to_csv(path, index=False)
        return str(path)

    @pytest.fixture(scope="class")
    @classmethod
    def expected(cls, model: str, odd: str) -> pd.DataFrame:
        return Forecaster.from_pretrained(model).detect_anomalies(odd)

    @pytest.mark.parametrize("ending", [".csv", ".parquet"])
    @pytest.mark.parametrize("every", [False, True])
    def test_to_a_file(
        self,
        model: str,
        odd: str,
        expected: pd.DataFrame,
        ending: str,
        every: bool,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        output = tmp_path / f"odd{ending}"
        argv = ["forecast", "anomalies", model, odd, "--output", str(output), *(["--all"] if every else [])]
        assert main(argv) == 0
        count, total = int(expected["anomaly"].sum()), len(expected)
        assert total == 2 * (120 - PAST) and 0 < count < total
        told = f"Wrote {output}: {count} of {total} values lie outside of the widest interval\n"
        assert capsys.readouterr() == (told, "")
        found = pd.read_parquet(output) if ending == ".parquet" else pd.read_csv(output, parse_dates=["ds", "cutoff"])
        wanted = expected if every else expected[expected["anomaly"]].reset_index(drop=True)
        pd.testing.assert_frame_equal(found.reset_index(drop=True), wanted, check_dtype=False, rtol=1e-5)
        assert 90.0 in found["y"].tolist()

    def test_to_standard_output(self, model: str, odd: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["forecast", "anomalies", model, odd, "--step", "2"]) == 0
        found = pd.read_csv(io.StringIO(capsys.readouterr().out))
        expected = Forecaster.from_pretrained(model).detect_anomalies(odd, step=2)
        assert len(found) == expected["anomaly"].sum() and found["anomaly"].all()

    def test_without_one_the_header_stands(self, model: str, series: str, tmp_path: Path) -> None:
        for ending in ("csv", "parquet"):
            short = tmp_path / "short.csv"
            pd.read_csv(series).groupby("unique_id").head(2).assign(y=10.0).to_csv(short, index=False)
            output = tmp_path / f"none.{ending}"
            assert main(["forecast", "anomalies", model, str(short), "--output", str(output)]) == 0
            found = pd.read_csv(output) if ending == "csv" else pd.read_parquet(output)
            assert len(found) == 0 and found.columns.tolist()[:5] == ["unique_id", "ds", "cutoff", "y", "yhat"]

    @pytest.mark.parametrize("step", ["0", "-1"])
    def test_steps_that_cannot_be(
        self, model: str, series: str, step: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        told = refusal(["forecast", "anomalies", model, series, "--step", step], capsys)
        assert told.startswith("--step ") and told.endswith(f"{step}.")

    def test_points_have_no_intervals(self, series: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        folder = str(tmp_path / "points")
        assert main(["forecast", "train", series, *TRAIN, "--loss", "mse", "--output_dir", folder]) == 0
        capsys.readouterr()
        told = refusal(["forecast", "anomalies", folder, series], capsys)
        assert told.startswith("A model with a loss of points has no intervals: train one with ")
        assert "--loss quantile" in told


class TestModels:
    """Folders that are no forecaster, or not a whole one."""

    @pytest.fixture(params=["predict", "anomalies"])
    def command(self, request: pytest.FixtureRequest) -> str:
        return request.param

    @pytest.fixture
    def copy(self, model: str, tmp_path: Path) -> Path:
        Forecaster.from_pretrained(model).save_pretrained(tmp_path / "copy")
        return tmp_path / "copy"

    @pytest.mark.parametrize("name", ["config.json", "model.safetensors", "preprocessor_config.json"])
    def test_a_cut_file_is_named(
        self, copy: Path, series: str, command: str, name: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        content = (copy / name).read_bytes()
        (copy / name).write_bytes(content[: len(content) // 2])
        told = refusal(["forecast", command, str(copy), series], capsys)
        assert str(copy / name) in told and "huggingface.co" not in told
        if name != "preprocessor_config.json":
            assert told.startswith(f"The file {copy / name} is damaged (")

    @pytest.mark.parametrize("name", ["config.json", "model.safetensors", "preprocessor_config.json"])
    def test_a_missing_file_is_told(
        self, copy: Path, series: str, command: str, name: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (copy / name).unlink()
        told = refusal(["forecast", command, str(copy), series], capsys)
        assert name in told and str(copy) in told and "huggingface.co" not in told

    def test_missing_weights_are_not_begun_anew(
        self, copy: Path, series: str, command: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        weights = load_file(copy / "model.safetensors")
        del weights["linear.weight"]
        save_file(weights, copy / "model.safetensors", {"format": "pt"})
        told = refusal(["forecast", command, str(copy), series], capsys)
        assert told.startswith(
            f"The checkpoint {copy} lacks 1 of the weights, such as linear.weight, which have start"
        )

    def test_a_text_classifier_is_no_forecaster(
        self, series: str, command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        folder = save_model(tmp_path / "texts")
        capsys.readouterr()
        told = refusal(["forecast", command, folder, series], capsys)
        assert folder in told and "'attnlstm'" in told and len(told) < 250
        assert "feature extractor" not in told

    def test_there_is_no_model(self, series: str, command: str, capsys: pytest.CaptureFixture[str]) -> None:
        told = refusal(["forecast", command, "./no-such-model", series], capsys)
        assert told.startswith("There is no folder ./no-such-model")

    def test_there_is_no_file(self, model: str, command: str, capsys: pytest.CaptureFixture[str]) -> None:
        told = refusal(["forecast", command, model, "nowhere.parquet"], capsys)
        assert told == "There is no file nowhere.parquet: check its name."

    def test_traceback_shows_the_mistake_itself(self, series: str, command: str) -> None:
        with pytest.raises(OSError, match=r"There is no folder \./no-such-model"):
            main(["forecast", command, "--traceback", "./no-such-model", series])


class TestNames:
    """The commands, and their help."""

    def test_no_command_is_answered_by_the_help(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["forecast"]) == 2
        printed = capsys.readouterr()
        assert printed.err.startswith("usage: hfattnlstm forecast COMMAND") and not printed.out

    @pytest.mark.parametrize("flag", ["--help", "-h"])
    def test_the_help_names_all(self, flag: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["forecast", flag]) == 0
        shown = capsys.readouterr().out
        assert all(f"\n  {name} " in shown for name in COMMANDS)

    @pytest.mark.parametrize(
        ("name", "sentence"),
        [
            ("predcit", "There is no command 'predcit': did you mean 'predict'?"),
            ("trian", "There is no command 'trian': did you mean 'train'?"),
            ("anomaly", "There is no command 'anomaly': did you mean 'anomalies'?"),
            ("xyz", "There is no command 'xyz': forecast takes train, predict, anomalies or explain."),
            ("--horizon", "There is no command '--horizon': forecast takes train, predict, anomalies or explain."),
        ],
    )
    def test_a_wrong_one(self, name: str, sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert refusal(["forecast", name], capsys) == sentence

    @pytest.mark.parametrize("name", COMMANDS)
    def test_help_of_each(self, name: str, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit) as stop:
            main(["forecast", name, "--help"])
        shown = capsys.readouterr().out
        assert stop.value.code == 0 and f"usage: hfattnlstm forecast {name}" in shown and "--traceback" in shown

    def test_flags_in_the_help_of_the_training(self, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit):
            main(["forecast", "train", "--help"])
        shown = capsys.readouterr().out
        assert {"--horizon", "--borders", "--lookback", "--linear_forecast"} <= set(re.findall(r"--\w+", shown))
        assert "\n  sine " in shown and "--language " not in shown

    def test_the_script_is_the_same(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        import runpy

        monkeypatch.setattr(sys, "argv", ["run_forecasting.py", "--horizon", "4"])
        with pytest.raises(SystemExit) as stop:
            runpy.run_path(str(ROOT / "scripts" / "run_forecasting.py"), run_name="__main__")
        assert stop.value.code == 2
        assert capsys.readouterr().err == "hfattnlstm forecast: Give either --dataset or --train_file.\n"

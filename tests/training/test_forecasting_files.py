"""What a run of forecasting leaves behind, what it goes on from, and the recipes that it begins with."""

from __future__ import annotations

import math
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from huggingface_hub import metadata_load

from hfattnlstm.training import TaskRun, parse_task, run_task
from training.forecasting_helpers import FUTURE, SEASON, long_table, train, wide_table, words


BORDERS = ("--borders", "140", "150", "300")


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return long_table(length=300)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, table: pd.DataFrame) -> tuple[Path, TaskRun]:
    """The folder, which has the table beside the model, and the run."""
    folder = tmp_path_factory.mktemp("forecasting")
    table.to_csv(folder / "series.csv", index=False)
    flags = (*BORDERS, "--plots", "--save_total_limit", "9", "--eval_steps", "2", "--save_steps", "2")
    return folder / "model", train(folder / "model", folder / "series.csv", *flags)


def checkpoint(folder: Path, step: int) -> Path:
    return folder / f"checkpoint-{step}"


def test_a_resumed_run_is_bit_equal(trained: tuple[Path, TaskRun], tmp_path: Path) -> None:
    folder, finished = trained
    assert finished.trainer.state.global_step == 4
    shutil.copytree(checkpoint(folder, 2), checkpoint(tmp_path / "model", 2))
    flags = (*BORDERS, "--eval_steps", "2", "--save_steps", "2", "--resume_from_checkpoint", "true")
    resumed = train(tmp_path / "model", folder.parent / "series.csv", *flags)
    for name, tensor in finished.model.state_dict().items():
        assert torch.equal(tensor, resumed.model.state_dict()[name]), name
    assert resumed.model.config.quantile_spread == finished.model.config.quantile_spread
    for name in ("eval_mse", "test_mse", "test_crps", "recurrent_share", "linear_test_mae"):
        assert resumed.metrics[name] == finished.metrics[name], name


def test_a_resumed_run_tells_that_the_series_are_others(
    trained: tuple[Path, TaskRun], tmp_path: Path, table: pd.DataFrame, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copytree(checkpoint(trained[0], 2), checkpoint(tmp_path / "model", 2))
    flags = (*BORDERS, "--eval_steps", "2", "--save_steps", "2", "--resume_from_checkpoint", "true")
    train(tmp_path / "model", table.assign(y=table["y"] + 1), *flags)
    assert "the training goes on, but not as it would have" in caplog.text


class TestFiles:
    """What the output folder holds."""

    def test_the_card(self, trained: tuple[Path, TaskRun]) -> None:
        folder, run = trained
        card = (folder / "README.md").read_text()
        assert (
            "`series.csv`: 2 series of 1 (y), every `h`; steps: 280 for train, 20 for validation, 300 for test."
            in card
        )
        assert f"| test | mse | {run.metrics['test_mse']:.4f} |" in card
        assert "On 294 windows of the test part:" in card and run.evaluations["test"].verdict() in card
        assert re.search(r"- shares of the forecast: LSTM \d\.\d\d, ", card)
        data = metadata_load(folder / "README.md")
        assert data["pipeline_tag"] == "time-series-forecasting" and "language" not in data

    def test_the_python_of_the_card_runs(self, trained: tuple[Path, TaskRun], monkeypatch: pytest.MonkeyPatch) -> None:
        folder, _ = trained
        first, *_ = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)
        monkeypatch.chdir(folder.parent)
        names: dict[str, object] = {}
        exec(first, names)
        assert len(names["forecaster"].predict("series.csv")) == 2 * FUTURE

    def test_the_python_without_the_package_does_without_it(self, trained: tuple[Path, TaskRun]) -> None:
        _, second, *_ = re.findall(r"```python\n(.*?)```", (trained[0] / "README.md").read_text(), re.DOTALL)
        assert "hfattnlstm" not in second and "trust_remote_code=True" in second

    def test_the_command_of_the_card_can_be_typed(self, trained: tuple[Path, TaskRun]) -> None:
        card = (trained[0] / "README.md").read_text()
        command = next(line for line in card.splitlines() if line.startswith("hfattnlstm "))
        assert command.startswith("hfattnlstm forecast train ")
        assert "--train_file series.csv" in command and "--borders 140 150 300" in command

    def test_pictures(self, trained: tuple[Path, TaskRun]) -> None:
        names = ["forecasts", "error_by_step", "residuals", "attention_over_time", "learning_curve"]
        for name in names:
            assert (trained[0] / f"{name}.png").read_bytes().startswith(b"\x89PNG"), name

    def test_only_measuring(self, trained: tuple[Path, TaskRun], tmp_path: Path) -> None:
        folder, run = trained
        argv = ["--task", "forecasting", "--train_file", str(folder.parent / "series.csv"), "--do_train", "false"]
        argv += [
            *words(output_dir=tmp_path, model_name_or_path=folder),
            "--use_cpu",
            "--disable_tqdm",
            "true",
            *BORDERS,
        ]
        measured = run_task(parse_task(argv))
        assert [path.name for path in tmp_path.iterdir()] == ["all_results.json"]
        names = ["eval_mse", "test_mse", "test_crps", "test_owa", "last_season_test_mae", "linear_test_mse"]
        for name in names:
            assert measured.metrics[name] == pytest.approx(run.metrics[name], rel=1e-6), name
        with pytest.raises(ValueError, match=r"has all_results\.json already, which the run would overwrite"):
            run_task(parse_task(argv))

    def test_going_on_from_a_model(self, trained: tuple[Path, TaskRun], tmp_path: Path) -> None:
        folder, run = trained
        argv = ["--task", "forecasting", "--train_file", str(folder.parent / "series.csv"), "--use_cpu"]
        argv += [*words(output_dir=tmp_path, model_name_or_path=folder, max_steps=2, learning_rate=1e-30), *BORDERS]
        again = run_task(parse_task([*argv, "--disable_tqdm", "true"]))
        assert again.processor.series_columns == run.processor.series_columns
        assert again.processor.scales == run.processor.scales and again.processor.season_length == SEASON
        assert again.metrics["test_mse"] == pytest.approx(run.metrics["test_mse"], rel=1e-4)
        assert again.model.config.hidden_size == 8

    @pytest.mark.parametrize(
        "name",
        [
            *("config.json", "model.safetensors", "README.md", "all_results.json", "preprocessor_config.json"),
            *("forecasts.png", "error_by_step.png", "residuals.png", "attention_over_time.png", "learning_curve.png"),
            *("modeling_forecaster.py", "checkpoint-2"),
        ],
    )
    def test_nothing_is_overwritten(self, tmp_path: Path, name: str, table: pd.DataFrame) -> None:
        (tmp_path / name).write_text("mine")
        with pytest.raises(ValueError, match=rf"has {name} already, which the run would overwrite: name another"):
            train(tmp_path, table, "--plots", "--max_steps", "1")
        assert (tmp_path / name).read_text() == "mine"


class TestRecipes:
    """Those that ship with the package."""

    def run(self, folder: Path, table: pd.DataFrame, name: str, *flags: str) -> TaskRun:
        argv = ["--recipe", name, "--horizon", "4", "--max_steps", "1", "--use_cpu", "--disable_tqdm", "true", *flags]
        task = parse_task([*argv, "--output_dir", str(folder), "--report_to", "none"])
        assert task.name == "forecasting"
        task.source = table
        return run_task(task)

    def test_sine(self, tmp_path: Path) -> None:
        steps = np.arange(300)
        table = pd.DataFrame({"step": steps, "value": np.sin(2 * np.pi * steps / 25)})
        run = self.run(tmp_path, table, "sine", "--time_column", "step")
        config = run.model.config
        assert (config.segment_length, config.context_length, config.poolings) == (1, 50, ("attention",))
        assert (config.instance_center, config.loss, run.model.linear) == ("none", "mse", None)
        assert run.processor.season_length == 25
        assert run.metrics["last_season_eval_mse"] == pytest.approx(0, abs=1e-10)

    @pytest.mark.parametrize("name", ["cnn_bilstm_attention", "transformer_lstm"])
    def test_others(self, tmp_path: Path, name: str) -> None:
        run = self.run(tmp_path, wide_table(length=300), name, "--hidden_size", "16", "--embedding_size", "8")
        config = run.model.config
        convolution = name.startswith("cnn")
        assert (config.front == "convolution") == config.bidirectional == convolution
        assert config.context_layers == (None if convolution else ["transformer"])
        assert config.context_length == 96 and math.isfinite(run.metrics["eval_mse"])
        assert f"- name: `{name}`" in (tmp_path / "README.md").read_text()

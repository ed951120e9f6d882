"""Classification and regression of series: made-up ones, and digits that are read row by row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from transformers import AutoModelForSequenceClassification

from hfattnlstm import (
    AttnLSTMForecasterConfig,
    AttnLSTMForTimeSeriesClassification,
    AttnLSTMForTimeSeriesPrediction,
    SeriesProcessor,
)
from hfattnlstm.commands.main import main
from hfattnlstm.training import TaskRun, parse_task, run_task


SMALL = ["--hidden_size", "16", "--embedding_size", "8", "--disable_tqdm", "true", "--lr", "0.01"]


def write(path: Path, rows: list[tuple[Any, Any]]) -> str:
    path.write_text("\n".join(json.dumps({"values": values, "label": label}) for values, label in rows))
    return str(path)


def waves(count: int = 120) -> list[tuple[list[float], str]]:
    """Slow and fast waves, of different lengths and beginnings."""
    generator = np.random.default_rng(0)
    rows = []
    for index in range(count):
        fast = index % 2
        time = np.arange(generator.integers(20, 31)) + generator.uniform(0, 9)
        rows.append((np.sin(time * (1.5 if fast else 0.5)).round(4).tolist(), "fast" if fast else "slow"))
    return rows


def run(*flags: str) -> TaskRun:
    return run_task(parse_task(["--task", "series-classification", *SMALL, *flags]))


def test_series_are_told_apart_and_the_model_is_saved_whole(tmp_path: Path) -> None:
    data, out = write(tmp_path / "waves.jsonl", waves()), tmp_path / "model"
    found = run("--train_file", data, "--epochs", "8", "--output_dir", str(out), "--plots")
    assert found.metrics["eval_accuracy"] == 1 and found.details["eval"]["per_class"]["fast"]["f1"] == 1
    assert {"confusion_matrix.png", "learning_curve.png"} <= {path.name for path in out.iterdir()}
    model = AutoModelForSequenceClassification.from_pretrained(out)
    processor = SeriesProcessor.from_pretrained(out)
    assert type(model) is AttnLSTMForTimeSeriesClassification and model.config.id2label == {0: "fast", 1: "slow"}
    scaled = processor.scaled(np.array(waves()[0][0])[:, None])
    assert model(torch.from_numpy(scaled)[None]).logits.argmax().item() == 1
    card = (out / "README.md").read_text()
    assert "A classifier of time series" in card and "language of its texts" not in card


def test_digits_are_read_as_series(tmp_path: Path) -> None:
    digits = load_digits()
    rows = [(image.tolist(), int(digit)) for image, digit in zip(digits.images, digits.target)][:600]
    found = run(
        *("--train_file", write(tmp_path / "digits.jsonl", rows), "--epochs", "9", "--hidden_size", "48"),
        *("--output_dir", str(tmp_path / "model")),
    )
    assert found.metrics["eval_accuracy"] > 0.8
    assert found.model.config.num_input_channels == 8 and found.model.config.context_length == 8


@pytest.mark.parametrize(
    ("labels", "metric"),
    [([0.25, 0.5, 0.75], "eval_mse"), ([[1, 0], [0, 1], [1, 1]], "eval_f1_micro")],
)
def test_numbers_and_several_labels(labels: list, metric: str, tmp_path: Path) -> None:
    rows = [([float(index % 3), 1.0, 2.0], labels[index % 3]) for index in range(30)]
    found = run(
        *("--train_file", write(tmp_path / "x.jsonl", rows), "--max_steps", "2"),
        *("--output_dir", str(tmp_path / "model")),
    )
    assert np.isfinite(found.metrics[metric])


def test_scales_are_those_of_the_training_series(tmp_path: Path) -> None:
    train = write(tmp_path / "train.jsonl", [([1.0, 3.0], "a"), ([1.0, 3.0], "b")] * 8)
    far = write(tmp_path / "test.jsonl", [([1000.0, 3000.0], "a"), ([9.0, 9.0], "b")])
    found = run(
        *("--train_file", train, "--validation_file", train, "--test_file", far, "--do_predict"),
        *("--max_steps", "1", "--output_dir", str(tmp_path / "model")),
    )
    assert found.processor.scaled(np.array([[3.0]])).item() == 1
    assert "test_accuracy" in found.metrics


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ([], "Give either --dataset or --train_file."),
        (["--train_file", "x.jsonl", "--rdrop_alpha", "1"], "--rdrop_alpha has no effect in this task"),
        (["--train_file", "x.jsonl", "--do_train", "false"], "--do_train false needs --model_name_or_path"),
        (["--train_file", "x.jsonl", "--pooling", "best"], "pooling must be one of"),
        (["--train_file", "nowhere.jsonl"], "There is no file nowhere.jsonl"),
    ],
)
def test_what_cannot_work_is_one_sentence(
    flags: list[str],
    sentence: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "x.jsonl", [([1.0], "a"), ([2.0], "b")])
    assert main(["train", "--task", "series-classification", *flags, "--output_dir", "model"]) == 2
    said = capsys.readouterr().err
    assert sentence in said and said.count("\n") == 1


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    folder = tmp_path_factory.mktemp("trained")
    rows = [([float(index % 3), 1.0, 2.0, 0.0], "cba"[index % 3]) for index in range(30)]
    run("--train_file", write(folder / "x.jsonl", rows), "--max_steps", "2", "--output_dir", str(folder / "model"))
    return str(folder / "model"), str(folder / "x.jsonl")


class TestGoingOn:
    """From a model, which has decided what its labels are."""

    def test_labels_have_the_numbers_that_the_model_knows(self, trained: tuple[str, str], tmp_path: Path) -> None:
        rows = [([float(index), 1.0, 2.0, 0.0], "cb"[index % 2]) for index in range(20)]
        task = [
            "--task",
            "series-classification",
            "--train_file",
            write(tmp_path / "x.jsonl", rows),
            "--max_steps",
            "1",
        ]
        found = run_task(
            parse_task([*task, "--model_name_or_path", trained[0], "--output_dir", str(tmp_path / "model")])
        )
        assert found.model.config.id2label == {0: "a", 1: "b", 2: "c"}
        assert {each["labels"].item() for each in found.trainer.train_dataset} == {1, 2}

    @pytest.mark.parametrize(
        ("rows", "flags", "sentence"),
        [
            ([([1.0] * 4, "a"), ([2.0] * 4, "z")], [], "has the label 'z', which the model does not know"),
            (
                None,
                ["--problem_type", "regression"],
                "--problem_type regression contradicts .*, which has single_label",
            ),
            (None, ["--hidden_size", "32"], "--hidden_size has no effect beside --model_name_or_path"),
        ],
    )
    def test_what_contradicts_it_is_refused(
        self, rows: list | None, flags: list[str], sentence: str, trained: tuple[str, str], tmp_path: Path
    ) -> None:
        data = trained[1] if rows is None else write(tmp_path / "x.jsonl", rows)
        task = ["--task", "series-classification", "--train_file", data, "--model_name_or_path", trained[0], *flags]
        with pytest.raises(ValueError, match=sentence):
            run_task(parse_task([*task, "--output_dir", str(tmp_path / "model")]))

    def test_a_forecaster_is_no_classifier_and_the_other_way_round(
        self, trained: tuple[str, str], tmp_path: Path
    ) -> None:
        forecaster = AttnLSTMForTimeSeriesPrediction(AttnLSTMForecasterConfig(hidden_size=8, embedding_size=8))
        forecaster.save_pretrained(tmp_path / "forecaster")
        for task, start in (("series-classification", str(tmp_path / "forecaster")), ("forecasting", trained[0])):
            flags = ["--task", task, "--train_file", trained[1], "--model_name_or_path", start]
            with pytest.raises(ValueError, match=r"is an AttnLSTMForTimeSeries.*: name an AttnLSTMForTimeSeries"):
                run_task(parse_task([*flags, "--output_dir", str(tmp_path / "model")]))

    def test_a_training_that_is_resumed_keeps_its_sizes(self, trained: tuple[str, str], tmp_path: Path) -> None:
        (checkpoint, *_) = sorted(Path(trained[0]).glob("checkpoint-*"))
        flags = ["--train_file", trained[1], "--resume_from_checkpoint", str(checkpoint), "--hidden_size", "32"]
        with pytest.raises(ValueError, match=r"--hidden_size contradicts the checkpoint .*, which has 16"):
            run_task(parse_task(["--task", "series-classification", *flags, "--output_dir", str(tmp_path / "model")]))


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ("--front convolution --segment_length 3", "--segment_length has no effect beside --front convolution"),
        ("--num_attention_heads 2", "--num_attention_heads has no effect without --context_layers"),
        ("--hidden_dropout_prob 0.5", "--hidden_dropout_prob has no effect without --num_hidden_layers 2 or"),
    ],
)
def test_flags_of_layers_that_are_not_there(flags: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        run("--train_file", "x.jsonl", *flags.split())


# Of the exporter of torch, about itself.
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore:The tensor attributes")
def test_it_is_exported(trained: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", trained[0], "--output", str(tmp_path / "onnx")]) == 0
    assert "differs from the model by at most" in capsys.readouterr().out
    assert main(["export", trained[0], "--output", str(tmp_path / "other"), "--int8"]) == 2
    assert "--int8 is for classifiers of texts" in capsys.readouterr().err

"""The training of classifiers of texts with pictures: runs, baselines, what is refused, and how it goes on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import DatasetDict

from data.image_text_helpers import colour_rows, feature_rows, picture_files
from hfattnlstm import AttnLSTMForImageTextClassification
from hfattnlstm.data.batching import GroupedSampler
from hfattnlstm.data.picture_sets import save_splits
from hfattnlstm.training import TaskRun, image_text, image_text_baselines, parse_task, run_task


pytest.importorskip("PIL")
SMALL = ["--embedding_size", "8", "--hidden_size", "16", "--num_attention_heads", "2", "--disable_tqdm", "true"]
OF_PIXELS = [*SMALL, "--image_side", "8", "--image_conv_sizes", "8", "8"]


def run(*flags: Any) -> TaskRun:
    return run_task(parse_task(["--task", "image-text-classification", *map(str, flags)]))


@pytest.fixture(scope="module")
def colours(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Data of which neither side alone tells anything."""
    folder = tmp_path_factory.mktemp("data") / "colours"
    splits = {"train": colour_rows(96), "validation": colour_rows(16), "test": colour_rows(8), "hard": colour_rows(8)}
    save_splits(splits, folder, "")
    return str(folder)


@pytest.fixture(scope="module")
def trained(colours: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[TaskRun, Path]:
    folder = tmp_path_factory.mktemp("trained") / "model"
    data = ["--dataset", colours, "--kind_column", "kind", "--further_splits", "hard", "--do_predict"]
    found = run(*data, *OF_PIXELS, "--epochs", "30", "--batch_size", "16", "--lr", "5e-3", "--output_dir", folder)
    return found, folder


def test_what_text_and_picture_say_together_is_learnt_and_neither_alone(trained: tuple[TaskRun, Path]) -> None:
    metrics = trained[0].metrics
    for name in ("eval", "test", "hard"):
        assert metrics[f"{name}_accuracy"] == 1.0
        assert metrics[f"{name}_accuracy/warm"] == metrics[f"{name}_accuracy/cold"] == 1.0
        for told in ("text_alone", "image_alone"):
            assert metrics[f"{told}_{name}_accuracy"] == pytest.approx(0.5, abs=0.13)
    assert isinstance(trained[0].trainer._get_train_sampler(), GroupedSampler)


def test_the_report_and_the_card_have_all_of_it(trained: tuple[TaskRun, Path]) -> None:
    found, folder = trained
    report = found.report()
    for line in (
        "hard_accuracy",
        "text_alone_hard_accuracy",
        "image_alone_eval_accuracy",
        "cold",
        "hard split by class",
    ):
        assert line in report
    card = (folder / "README.md").read_text("utf-8")
    assert 'classifier({"image": "picture.png", "text": "a text"})' in card
    assert "pipeline_tag: visual-question-answering" in card
    assert "the same model, told one of the two: text_alone_eval_accuracy 0.5" in card
    assert "| hard | accuracy | 1.0000" in card and "8 x 8 pixels, convolutions with 8, 8 filters" in card
    assert json.loads((folder / "all_results.json").read_text())["image_alone_test_accuracy"] == pytest.approx(
        0.5, abs=0.13
    )


def test_a_model_is_measured_again_and_trained_on(trained: tuple[TaskRun, Path], colours: str, tmp_path: Path) -> None:
    found, folder = trained
    start = ["--dataset", colours, "--model_name_or_path", folder]
    again = run(*start, "--do_train", "false", "--do_predict", "--output_dir", tmp_path / "again")
    assert again.metrics["test_loss"] == pytest.approx(found.metrics["test_loss"], abs=1e-6)
    further = run(*start, "--max_steps", "1", "--lr", "1e-9", "--baselines", "false", "--output_dir", tmp_path / "on")
    assert further.metrics["eval_accuracy"] == 1.0
    assert "text_alone_eval_accuracy" not in further.metrics


def test_a_resumed_run_is_the_same(colours: str, tmp_path: Path) -> None:
    flags = ["--dataset", colours, *OF_PIXELS, "--epochs", "2", "--batch_size", "16", "--baselines", "false"]
    flags += ["--hidden_dropout_prob", "0.2", "--output_dir"]
    whole = run(*flags, tmp_path / "whole")
    run(*flags, tmp_path / "half")
    for name in ("model.safetensors", "README.md", "all_results.json"):
        (tmp_path / "half" / name).unlink()
    first = min((tmp_path / "half").glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    resumed = run(*flags, tmp_path / "half", "--resume_from_checkpoint", first)
    weights = resumed.model.state_dict()
    assert all(torch.equal(weights[name], each) for name, each in whole.model.state_dict().items())


def test_flags_that_contradict_a_checkpoint_are_refused(colours: str, tmp_path: Path) -> None:
    flags = ["--dataset", colours, *OF_PIXELS, "--max_steps", "1", "--save_strategy", "steps", "--save_steps", "1"]
    flags += ["--baselines", "false", "--eval_strategy", "no", "--output_dir", tmp_path / "model"]
    run(*flags)
    shutil.rmtree(tmp_path / "other", ignore_errors=True)
    resume = ["--resume_from_checkpoint", tmp_path / "model" / "checkpoint-1", "--output_dir", tmp_path / "other"]
    for flag, value, has in (
        ("--hidden_size", 32, 16),
        ("--image_side", 16, 8),
        ("--image_conv_sizes", 4, "8, 8"),
        ("--max_length", 9, 128),
        ("--lowercase", "false", "lower case"),
    ):
        changed = ["--dataset", colours, *OF_PIXELS, "--max_steps", "2", "--baselines", "false", flag, value]
        with pytest.raises(ValueError, match=rf"{flag} contradicts the checkpoint .*checkpoint-1, .*{has}"):
            run(*changed, *resume)


def test_nothing_is_lost_when_a_baseline_fails(colours: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_text, "train_baselines", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run("--dataset", colours, *OF_PIXELS, "--max_steps", "1", "--output_dir", tmp_path / "model")
    names = {path.name for path in (tmp_path / "model").iterdir()}
    assert {"model.safetensors", "README.md", "all_results.json", "preprocessor_config.json"} <= names


def test_baselines_begin_where_the_model_began(
    trained: tuple[TaskRun, Path], colours: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    monkeypatch.setattr(image_text_baselines, "_trainer", lambda _, begin, *rest: seen.append(begin()) or 1 / 0)
    flags = ["--dataset", colours, "--model_name_or_path", trained[1], "--max_steps", "1", "--lr", "1e-9"]
    with pytest.raises(ZeroDivisionError):
        run(*flags, "--output_dir", tmp_path / "on")
    weights = trained[0].model.state_dict()
    assert all(torch.equal(each, weights[name].cpu()) for name, each in seen[0].state_dict().items())


def test_two_texts_with_a_picture(tmp_path: Path) -> None:
    rows = colour_rows(32).add_column("more", ["or not"] * 32)
    save_splits({"train": rows}, tmp_path / "pairs", "")
    data = [
        "--dataset",
        tmp_path / "pairs",
        "--text_column",
        "text",
        "more",
        "--max_steps",
        "1",
        "--baselines",
        "false",
    ]
    found = run(*data, *OF_PIXELS, "--output_dir", tmp_path / "model")
    assert found.model.config.text_columns == ["text", "more"]
    assert '"text": "a text", "more": "a text"}' in (tmp_path / "model" / "README.md").read_text("utf-8")
    again = ["--dataset", tmp_path / "pairs", "--model_name_or_path", tmp_path / "model", "--do_train", "false"]
    assert run(*again, "--output_dir", tmp_path / "again").metrics["eval_samples"] == 4
    with pytest.raises(ValueError, match=r"--text_column text contradicts .*, which reads text and more: name as"):
        run(*again, "--text_column", "text", "--output_dir", tmp_path / "other")


def test_features_and_files(tmp_path: Path) -> None:
    save_splits({"train": feature_rows(40), "validation": feature_rows(8)}, tmp_path / "features", "")
    found = run(
        *("--dataset", tmp_path / "features", *SMALL, "--epochs", "20", "--lr", "1e-2", "--baselines", "false"),
        *("--output_dir", tmp_path / "model"),
    )
    # Here the text says it all.
    assert found.metrics["eval_accuracy"] == 1.0
    loaded = AttnLSTMForImageTextClassification.from_pretrained(tmp_path / "model")
    assert loaded.config.image_feature_size == 3 and loaded.picture_reader.region_encoder is None
    assert not (tmp_path / "model" / "preprocessor_config.json").exists()
    assert '"image_features": features' in (tmp_path / "model" / "README.md").read_text("utf-8")
    photos = picture_files(tmp_path)
    files = ["--train_file", photos, "--validation_file", photos, "--max_steps", "1", "--baselines", "false"]
    assert run(*files, *OF_PIXELS, "--output_dir", tmp_path / "photos-model").metrics["eval_samples"] == 8


REFUSALS: list[tuple[list[str], str]] = [
    ([], "Give either --dataset or --train_file"),
    (["--dataset", "DATA", "--rdrop_alpha", "1"], "--rdrop_alpha has no effect in this task: leave it out"),
    (
        ["--dataset", "DATA", "--hidden_size", "18", "--num_attention_heads", "4"],
        "--hidden_size 18 must be a multiple",
    ),
    (["--dataset", "DATA", "--image_side", "0"], "--image_side must be between 1 and 4,096 pixels, got 0"),
    (["--dataset", "DATA", "--image_conv_sizes", "0"], "--image_conv_sizes must be 1 to 8 numbers"),
    (["--dataset", "DATA", "--further_splits", "none"], "--further_splits none is not among the further splits"),
    (["--train_file", "x.csv", "--further_splits", "none"], "--further_splits has no effect without --dataset"),
    (["--dataset", "DATA", "--further_splits", "eval"], "--further_splits eval would be taken for the validation spl"),
    (["--dataset", "DATA", "--num_cross_modal_layers", "0"], "--num_cross_modal_layers must be between 1 and 256"),
    (["--dataset", "DATA", "--do_train", "false"], "--do_train false needs --model_name_or_path"),
    (
        ["--dataset", "DATA", "--model_name_or_path", "MODEL", "--hidden_size", "8"],
        "--hidden_size has no effect beside",
    ),
    (["--dataset", "DATA", "--model_name_or_path", "MODEL", "--image_side", "8"], "--image_side has no effect beside"),
    (["--dataset", "FEATURES", "--image_side", "8"], "--image_side is for pictures, and the data have features"),
    (["--dataset", "FEATURES", "--model_name_or_path", "MODEL"], "reads pictures, and the data have features: name"),
    (
        ["--dataset", "DATA", "--classifier_pooling", "max", "--pooler_score", "dot"],
        "--pooler_score has no effect wit",
    ),
    (["--dataset", "DATA", "--kind_column", "sort"], "has no column 'sort'; .*: name it with --kind_column"),
]


@pytest.mark.parametrize(("flags", "sentence"), REFUSALS)
def test_what_cannot_be_is_refused_in_a_sentence(
    flags: list[str], sentence: str, colours: str, trained: tuple[TaskRun, Path], tmp_path: Path
) -> None:
    save_splits(DatasetDict(train=feature_rows(), validation=feature_rows()), tmp_path / "features", "")
    places = {"DATA": colours, "MODEL": trained[1], "FEATURES": tmp_path / "features"}
    with pytest.raises(ValueError, match=sentence):
        run(*(places.get(flag, flag) for flag in flags), "--output_dir", tmp_path / "model")
    assert not (tmp_path / "model" / "config.json").exists()

"""The training of models that describe pictures."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset, DatasetDict, Features, Image, List, Value
from transformers import pipeline

from hfattnlstm.commands.main import main
from hfattnlstm.data.picture_sets import save_splits
from hfattnlstm.training import TaskRun, parse_task, run_task


Pictures = pytest.importorskip("PIL.Image")
COLOURS = ["red", "blue", "green", "yellow", "black", "white"]


def picture(colour: str):
    return Pictures.new("RGB", (16, 16), colour)


SMALL = (
    *("--embedding_size", "16", "--hidden_size", "24", "--image_side", "8", "--image_conv_sizes", "6", "8"),
    *("--disable_tqdm", "true", "--use_cpu", "--bf16", "false", "--report_to", "none"),
)


def run(folder: Path, *flags: Any) -> TaskRun:
    return run_task(parse_task(["--task", "image-captioning", "--output_dir", str(folder), *map(str, flags)]))


def shades(count: int, first: int = 0) -> Dataset:
    """Pictures of one colour that differ a little, and what they are."""
    features = Features({"image": Image(), "caption": Value("string")})
    images, captions = [], []
    for number in range(first, first + count):
        colour = COLOURS[number % len(COLOURS)]
        own = picture(colour).resize((8, 8))
        own.putpixel((number % 8, number // 8 % 8), (number % 256, 7, 9))
        images.append(own)
        captions.append(f"It is {colour}.")
    return Dataset.from_dict({"image": images, "caption": captions}, features=features)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("data") / "shades"
    splits = {"train": shades(60), "validation": shades(12, 60), "test": shades(12, 72), "hard": shades(6, 84)}
    save_splits(splits, folder, "", "image-to-text")
    return str(folder)


@pytest.fixture(scope="module")
def trained(data: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[TaskRun, Path]:
    folder = tmp_path_factory.mktemp("trained") / "model"
    flags = ("--dataset", data, "--do_predict", "--further_splits", "hard", "--epochs", "60", "--batch_size", "16")
    return run(folder, *flags, *SMALL, "--lr", "0.01", "--ema_decay", "0"), folder


def test_colours_are_learnt_and_every_split_is_measured(trained) -> None:
    found, folder = trained
    for name in ("eval", "test", "hard"):
        assert found.metrics[f"{name}_exact_match"] == 1.0 and found.metrics[f"{name}_bleu"] > 99
    assert json.loads((folder / "all_results.json").read_text())["hard_samples"] == 6
    # It is written in lower case, which is no mistake then.
    assert found.evaluations["test"].written[0] == "it is red."
    assert "case:lc" in found.evaluations["test"].scores.signatures["bleu"]


def test_what_is_saved_writes_the_same(trained) -> None:
    found, folder = trained
    writer = pipeline("attention-image-to-text", model=str(folder))
    results = writer(list(shades(12, 72)["image"]))
    assert [result["generated_text"] for result in results] == list(found.evaluations["test"].written)
    card = (folder / "README.md").read_text()
    for line in ('pipeline("attention-image-to-text"', "60 pictures for train", "8 x 8 pixels", "image-to-text"):
        assert line in card


def test_the_command_shows_where_it_looked(trained, tmp_path, capsys) -> None:
    _, folder = trained
    image, output = tmp_path / "blue.png", tmp_path / "regions.png"
    picture("blue").save(image)
    assert main(["explain", str(folder), "--image", str(image), "--output", str(output)]) == 0
    assert capsys.readouterr().out.splitlines() == ["it is blue.", f"Wrote {output}: 4 words"]
    assert output.read_bytes().startswith(b"\x89PNG")
    assert main(["explain", str(folder), "a text", "--image", str(image)]) == 2
    assert "describes pictures, and reads no texts" in capsys.readouterr().err
    assert main(["predict", str(folder), "a text"]) == 2
    assert "ask for one with hfattnlstm explain --image" in capsys.readouterr().err


def test_a_resumed_run_is_bit_equal(data, tmp_path) -> None:
    flags = ("--dataset", data, *SMALL, "--max_steps", "4", "--save_strategy", "steps", "--save_steps", "2")
    flags += ("--eval_strategy", "steps", "--eval_steps", "2", "--save_total_limit", "9", "--word_dropout", "0.2")
    whole = run(tmp_path / "whole", *flags)
    checkpoint = tmp_path / "half" / "checkpoint-2"
    shutil.copytree(tmp_path / "whole" / "checkpoint-2", checkpoint)
    resumed = run(tmp_path / "half", *flags, "--resume_from_checkpoint", checkpoint)
    for name, tensor in whole.model.state_dict().items():
        assert torch.equal(tensor, resumed.model.state_dict()[name]), name
    with pytest.raises(ValueError, match="--num_decoder_layers contradicts the checkpoint"):
        run(tmp_path / "half", *flags, "--resume_from_checkpoint", checkpoint, "--num_decoder_layers", "2")


def test_features_and_several_captions(tmp_path) -> None:
    kinds = Features({"image_features": List(List(Value("float32"))), "captions": List(Value("string"))})
    rows = {
        "image_features": [[[float(number % 2), 1.0, number / 40]] * (1 + number % 3) for number in range(40)],
        "captions": [[f"kind {number % 2}", f"it is of kind {number % 2}"] for number in range(40)],
    }
    Dataset.from_dict(rows, features=kinds).to_parquet(tmp_path / "rows.parquet")
    flags = ("--train_file", tmp_path / "rows.parquet", *SMALL[:4], *SMALL[-7:], "--max_steps", "30", "--lr", "0.02")
    found = run(tmp_path / "model", *flags, "--ema_decay", "0")
    assert found.model.config.image_feature_size == 3 and found.metrics["eval_exact_match"] > 0.9
    assert found.trainer.train_dataset.num_rows == 72
    assert "nrefs:2" in found.evaluations["eval"].scores.signatures["bleu"]
    with pytest.raises(ValueError, match="--image_side is for pictures"):
        run(tmp_path / "other", *flags, "--image_side", "8")


def test_a_model_goes_on(trained, data, tmp_path) -> None:
    shared = ("--dataset", data, "--model_name_or_path", trained[1], "--disable_tqdm", "true", "--use_cpu")
    measured = run(tmp_path / "measured", *shared, "--do_train", "false", "--do_predict")
    assert measured.metrics["test_exact_match"] == 1.0
    with pytest.raises(ValueError, match="--image_conv_sizes has no effect beside --model_name_or_path"):
        run(tmp_path / "other", *shared, "--image_conv_sizes", "4")


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (("--copy_unknown",), "--copy_unknown has no effect in this task"),
        (("--coverage", "false", "--coverage_loss_coef", "1"), "--coverage_loss_coef has no effect without"),
        (("--image_side", "0"), "--image_side must be between"),
        (("--further_splits", "soft"), "--further_splits soft is not among"),
        (("--caption_column", "x"), "with --caption_column"),
        (("--max_train_samples", "999"), "is more than the 60 training"),
    ],
)
def test_flags(data, tmp_path, flags, sentence) -> None:
    with pytest.raises(ValueError, match=sentence):
        run(tmp_path / "model", "--dataset", data, *SMALL, "--max_steps", "1", *flags)


def test_the_data_of_datasets_in_memory() -> None:
    from hfattnlstm import load_captions

    loaded = load_captions(DatasetDict(train=shades(12), validation=shades(6, 12)))
    assert loaded.splits.num_rows == {"train": 12, "validation": 6}

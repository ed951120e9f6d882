"""Damaged and incomplete models: `predict` and `export` refuse them with one sentence, and nothing before it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from predict_helpers import refusal, save_model
from safetensors.torch import load_file, save_file

from hfattnlstm.commands.main import main
from hfattnlstm.data.progress import no_progress_bars


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    with no_progress_bars():
        save_model(folder)
    return folder


@pytest.fixture(params=["predict", "export"])
def arguments(request: pytest.FixtureRequest, model: Path, tmp_path: Path) -> list[str]:
    if request.param == "predict":
        return ["predict", str(model), "good"]
    return ["export", str(model), "--output", str(tmp_path / "onnx")]


@pytest.mark.parametrize("file", ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"])
def test_a_cut_file_is_named(arguments: list[str], file: str, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = (model / file).read_bytes()
    (model / file).write_bytes(content[: len(content) // 2])
    told = refusal(arguments, capsys)
    assert told.startswith(f"The file {model / file} is damaged (") and told.endswith("): save or download it again.")


def test_missing_weights_are_not_begun_anew(
    arguments: list[str], model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = load_file(model / "model.safetensors")
    del weights["classifier.out_proj.weight"], weights["classifier.out_proj.bias"]
    save_file(weights, model / "model.safetensors", {"format": "pt"})
    assert refusal(arguments, capsys) == (
        f"The weights of {model} are incomplete: classifier.out_proj.bias and 1 more is missing. "
        "Save or download the model again."
    )


def test_weights_of_other_shapes_are_told_without_a_report(
    arguments: list[str], model: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    weights = load_file(model / "model.safetensors")
    weights["classifier.out_proj.bias"] = torch.zeros(3)
    save_file(weights, model / "model.safetensors", {"format": "pt"})
    assert main(arguments) == 2
    printed = capfd.readouterr()
    assert printed.out == "" and printed.err == (
        f"hfattnlstm {arguments[0]}: The weights of {model} do not fit its config.json: classifier.out_proj.bias has "
        "the shape (3,), not (2,). Put the config.json there that was saved with them.\n"
    )


def test_a_model_without_labels_is_refused(
    arguments: list[str], model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps(config | {"architectures": ["AttnLSTMModel"]}))
    assert refusal(arguments, capsys) == (
        f"{model} is the checkpoint of an AttnLSTMModel, which labels no texts: name a text classifier."
    )


def test_code_is_run_only_when_it_is_asked_for(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps(config | {"model_type": "another"}))
    assert refusal(["predict", str(model), "good"], capsys).endswith(
        "it brings code of its own; read the code, and give --trust_remote_code to have it run."
    )


def test_missing_files(arguments: list[str], model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (model / "model.safetensors").unlink()
    assert refusal(arguments, capsys) == (
        f"The folder {model} has no weights, such as model.safetensors: save them again."
    )
    (model / "config.json").unlink()
    assert refusal(arguments, capsys).startswith(f"The folder {model} holds no model, for it has no config.json: ")


def test_a_damaged_export(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exported = tmp_path / "onnx"
    assert main(["export", str(model), "--output", str(exported)]) == 0
    capsys.readouterr()
    (exported / "tokenizer.json").write_text("{")
    told = refusal(["predict", str(exported), "good"], capsys)
    assert told.startswith(f"The file {exported / 'tokenizer.json'} is damaged (")


def test_traceback_shows_the_error_itself(model: Path) -> None:
    (model / "config.json").write_text("{")
    with pytest.raises(ValueError, match=r"config\.json is damaged"):
        main(["predict", "--traceback", str(model), "good"])

"""An export replaces what earlier exports have written, and nothing else."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import onnx
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import PreTrainedModel

from deploy_helpers import random_model, word_tokenizer
from hfattnlstm import OnnxAttnLSTMForSequenceClassification
from hfattnlstm.deploy import OnnxExport, export_onnx


def content(folder: Path) -> dict[str, bytes]:
    return {item.name: item.read_bytes() for item in folder.iterdir() if item.is_file()}


@pytest.fixture
def copied(float32: OnnxExport, tmp_path: Path) -> Path:
    """A folder of an export that a test may change."""
    return Path(shutil.copytree(float32.path.parent, tmp_path / "copied"))


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "tokenizer_config.json", "m.onnx"])
def test_a_file_of_the_user_stays_as_it_is(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / name).write_text("mine")
    with monkeypatch.context() as patch:
        # It is told before the work.
        patch.delattr(torch.onnx, "export")
        with pytest.raises(ValueError, match=rf"{name} would be replaced, .*such as .*onnx\.") as caught:
            export_onnx(random_model(), tmp_path / "m.onnx", tokenizer=word_tokenizer())
    assert "\n" not in str(caught.value) and content(tmp_path) == {name: b"mine"}
    (tmp_path / name).unlink()
    export_onnx(random_model(), tmp_path / "m.onnx", tokenizer=word_tokenizer())


def test_the_ending_of_a_file_may_be_written_large(tmp_path: Path) -> None:
    assert export_onnx(random_model(), tmp_path / "M.ONNX").path == tmp_path / "M.ONNX"
    assert (tmp_path / "M.ONNX").is_file()


def test_a_folder_in_place_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "config.json").mkdir()
    with pytest.raises(ValueError, match=r"config\.json would be replaced"):
        export_onnx(random_model(), tmp_path)


def test_other_files_in_the_folder_do_not_matter(tmp_path: Path) -> None:
    for name in ("notes.txt", "tokenizer.json", "other.onnx"):
        (tmp_path / name).write_text("mine")
    # Without a tokenizer.
    export_onnx(random_model(), tmp_path)
    assert content(tmp_path)["tokenizer.json"] == content(tmp_path)["other.onnx"] == b"mine"


def test_earlier_exports_are_replaced(copied: Path, model: PreTrainedModel) -> None:
    """Of another model, in another precision, and by another name."""
    export_onnx(random_model(), copied, tokenizer=word_tokenizer())
    assert json.loads((copied / "config.json").read_text())["hidden_size"] == 12
    export_onnx(model, copied, int8=True, tokenizer=word_tokenizer())
    export_onnx(random_model(), copied / "third.onnx")
    assert {"model.onnx", "model_int8.onnx", "third.onnx"} <= set(content(copied))


def test_what_was_changed_since_an_export_is_kept(copied: Path) -> None:
    config = copied / "config.json"
    config.write_text(config.read_text().replace('"head_tail"', '"tail"') + "\n")
    before = content(copied)
    with pytest.raises(ValueError, match=r"config\.json would be replaced, and is not as an earlier export"):
        export_onnx(random_model(), copied, tokenizer=word_tokenizer())
    assert content(copied) == before


def test_the_threshold_of_several_labels_is_in_the_file(tmp_path: Path) -> None:
    export_onnx(random_model(problem_type="multi_label_classification", threshold=0.3), tmp_path)
    facts = {entry.key: entry.value for entry in onnx.load(tmp_path / "model.onnx").metadata_props}
    assert facts["threshold"] == "0.3" and "calibration_temperature" not in facts
    calibrated = {"threshold": [0.3, 0.6], "calibration_temperature": 1.5}
    export_onnx(random_model(problem_type="multi_label_classification", **calibrated), tmp_path / "other")
    facts = {entry.key: entry.value for entry in onnx.load(tmp_path / "other" / "model.onnx").metadata_props}
    assert {name: json.loads(facts[name]) for name in calibrated} == calibrated


def test_a_model_with_weights_that_its_checkpoint_lacked_is_refused(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(torch.onnx, "export")
    folder = Path(shutil.copytree(checkpoint, tmp_path / "incomplete"))
    weights = load_file(folder / "model.safetensors")
    del weights["classifier.out_proj.bias"]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(ValueError, match=r"lacks 1 of the weights, such as classifier\.out_proj\.bias"):
        export_onnx(folder, tmp_path / "onnx")
    assert not (tmp_path / "onnx").exists()


class TestSaving:
    """`save_pretrained` of the exported model."""

    def test_into_a_folder_and_in_place(self, copied: Path, tmp_path: Path) -> None:
        model = OnnxAttnLSTMForSequenceClassification.from_pretrained(copied)
        exported = (copied / "model.onnx").read_bytes()
        for folder in (tmp_path / "saved", copied, copied):
            model.config.truncation = "tail"
            model.save_pretrained(folder)
            assert (folder / "model.onnx").read_bytes() == exported
            assert OnnxAttnLSTMForSequenceClassification.from_pretrained(folder).config.truncation == "tail"
        assert set(content(tmp_path / "saved")) == {"model.onnx", "config.json"}

    def test_a_failure_leaves_the_old_file_whole(
        self, copied: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(source: Path, target: Path) -> None:
            Path(target).write_bytes(b"half")
            raise OSError("No space left on device")

        model = OnnxAttnLSTMForSequenceClassification.from_pretrained(copied)
        model.save_pretrained(tmp_path / "saved")
        before = content(tmp_path / "saved")
        monkeypatch.setattr(shutil, "copyfile", full)
        with pytest.raises(OSError, match="No space left"):
            model.save_pretrained(tmp_path / "saved")
        assert content(tmp_path / "saved") == before

    def test_the_checkpoint_of_a_model_is_not_touched(self, copied: Path, checkpoint: Path) -> None:
        before = content(checkpoint)
        with pytest.raises(ValueError, match="holds the checkpoint of a model"):
            OnnxAttnLSTMForSequenceClassification.from_pretrained(copied).save_pretrained(checkpoint)
        assert content(checkpoint) == before

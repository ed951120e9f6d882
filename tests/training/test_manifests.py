"""The list of the files of a checkpoint, and what is found to be wrong by it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from hfattnlstm.training.manifests import MANIFEST, fault_of, numbered_checkpoints, write_manifest


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    folder = tmp_path / "checkpoint-4"
    (folder / "target_tokenizer").mkdir(parents=True)
    for name in ("model.safetensors", "optimizer.pt", "target_tokenizer/tokenizer.json", "empty"):
        (folder / name).write_bytes(name.encode() * (name != "empty"))
    write_manifest(folder)
    return folder


def test_a_whole_one(checkpoint: Path) -> None:
    assert fault_of(checkpoint) is None
    # What somebody puts beside it does not matter.
    (checkpoint / "notes.txt").write_text("good")
    assert fault_of(checkpoint) is None


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("model.safetensors", b"model", "has 5 bytes in model.safetensors instead of 17"),
        ("optimizer.pt", b"", "has 0 bytes in optimizer.pt instead of 12"),
        ("optimizer.pt", None, "lacks optimizer.pt"),
        ("target_tokenizer/tokenizer.json", None, "lacks target_tokenizer/tokenizer.json"),
        ("optimizer.pt", b"optimizer.pT", "has something else in optimizer.pt than was saved"),
        (MANIFEST, None, "has no manifest.json, which is written last"),
        (MANIFEST, b"", "has a manifest.json that cannot be read"),
        (MANIFEST, b"[1]", "has a manifest.json that cannot be read"),
        (MANIFEST, b'{"files": {}}', "has a manifest.json that cannot be read"),
        (MANIFEST, b'{"files": {"model.safetensors": {"size": "17"}}}', "has a manifest.json that cannot be read"),
        (MANIFEST, b"\xff\xfe", "has a manifest.json that cannot be read"),
    ],
)
def test_faults(checkpoint: Path, name: str, content: bytes | None, fault: str) -> None:
    (checkpoint / name).unlink() if content is None else (checkpoint / name).write_bytes(content)
    assert fault_of(checkpoint) == fault


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd"])
def test_files_elsewhere_are_not_read(checkpoint: Path, name: str) -> None:
    entry = {"size": 1, "sha256": ""}
    (checkpoint / MANIFEST).write_text(json.dumps({"files": {name: entry}}))
    assert fault_of(checkpoint) == "has a manifest.json that names files elsewhere"


def test_a_folder_in_the_place_of_a_file(checkpoint: Path) -> None:
    (checkpoint / "optimizer.pt").unlink()
    (checkpoint / "optimizer.pt").mkdir()
    assert fault_of(checkpoint) == "lacks optimizer.pt"


def test_the_order_of_checkpoints(tmp_path: Path) -> None:
    for name in ("checkpoint-10", "checkpoint-9", "checkpoint-best", "checkpoints", ".unfinished-checkpoint-11"):
        (tmp_path / name).mkdir()
    (tmp_path / "checkpoint-12").write_text("no folder")
    assert [path.name for path in numbered_checkpoints(tmp_path)] == ["checkpoint-9", "checkpoint-10"]
    shutil.rmtree(tmp_path / "checkpoint-9")
    assert numbered_checkpoints(tmp_path / "none") == []

"""`python -m benchmarks hashing`: what hashed attention sees, beside full attention of the same model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import __main__ as benchmarks
from benchmarks.hashing import command
from deploy_helpers import random_model, word_tokenizer


@pytest.fixture(autouse=True)
def loud(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "hush", lambda: None)


@pytest.fixture
def texts(tmp_path: Path) -> str:
    rows = [f"{'good bad film the ' * number}{word},{word}" for number in (1, 3) for word in ("good", "bad")] * 10
    path = tmp_path / "texts.csv"
    path.write_text("\n".join(["text,label", *rows]) + "\n", encoding="utf-8")
    return str(path)


def saved(folder: Path, **options) -> str:
    random_model(vocab_size=11, id2label={0: "bad", 1: "good"}, **options).save_pretrained(folder)
    word_tokenizer().save_pretrained(folder)
    return str(folder)


def test_more_hashes_see_more(texts: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    model = saved(tmp_path / "model", context_layers=["lsh_attention"], lsh_attn_chunk_length=2, num_attention_heads=2)
    found = tmp_path / "found.json"
    assert (
        benchmarks.main(
            ["hashing", model, texts, "--texts", "3", "--draws", "2", "--threads", "1", "--json", str(found)]
        )
        == 0
    )
    *rows, full = json.loads(found.read_text("utf-8"))["tables"][0]["rows"]
    recalls = [row["recall"]["mean"] for row in rows]
    assert [row["hashes"] for row in rows] == ["1", "2", "4", "8"] and full["hashes"] == "full"
    assert recalls == sorted(recalls) and 0 < recalls[0] < recalls[-1] <= 1
    assert all(0 <= row["equal"]["mean"] <= 1 and row["runs"] == 2 for row in rows)
    assert "3 held-out texts of" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "arguments", "part"),
    [
        (
            {"context_layers": ["attention"]},
            [],
            "has no layer that hashes: train one with --context_layers lsh_attention",
        ),
        ({"context_layers": ["lsh_attention"]}, [], "is longer than a chunk of 64 tokens"),
        ({}, ["--texts", "0"], "--texts must be above 0, got 0"),
    ],
)
def test_a_mistake_is_told_in_one_sentence(
    options: dict, arguments: list[str], part: str, texts: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    with pytest.raises(SystemExit) as raised:
        benchmarks.main(["hashing", saved(tmp_path / "model", **options), texts, *arguments])
    assert raised.value.code == 2
    message = capsys.readouterr().err
    assert part in message.splitlines()[-1]

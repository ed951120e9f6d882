"""Typing mistakes, and the table of what they cost."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.typos import command
from benchmarks.typos.disturb import disturb, disturbed_texts


def test_no_share_changes_nothing_and_all_of_it_nearly_everything():
    text = "A long sentence of many words, 12 of them."
    generator = np.random.default_rng(0)
    assert disturb(text, 0.0, generator) == text
    changed = disturb(text, 1.0, generator)
    assert changed != text and "12" in changed and changed.endswith(".")


def test_about_the_share_of_the_letters_is_disturbed():
    text = "q" * 20_000
    # A letter that is swapped with an equal one stays.
    changed = disturb(text, 0.1, np.random.default_rng(1))
    others = sum(letter != "q" for letter in changed)
    assert 300 < others < 700 and abs(len(changed) - len(text)) < 200


def test_every_kind_of_mistake_occurs_and_the_same_each_time():
    texts = ["abcdefgh"] * 300
    found = disturbed_texts(texts, 0.1)
    assert found == disturbed_texts(texts, 0.1) != disturbed_texts(texts, 0.1, seed=1)
    lengths = {len(text) for text in found}
    assert {7, 8, 9} <= lengths and "bacdefgh" in found


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    path = tmp_path / "reviews.csv"
    rows = [
        f"{word} {thing},{label}\n" for word, label in (("great", 1), ("awful", 0)) for thing in "abcdefghijklmnop"
    ]
    path.write_text("text,label\n" + "".join(rows))
    return path


def test_the_table(reviews: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture):
    monkeypatch.setattr(command, "hush", lambda: None)
    flags = ["--seeds", "1", "--only", "words", "words and characters, CNN", "--threads", "1"]
    common = ["--common", "--max_steps 4 --hidden_size 16 --embedding_size 8"]
    assert command.main([str(reviews), *flags, *common, "--json", str(tmp_path / "x.json")]) == 0
    table = json.loads((tmp_path / "x.json").read_text(encoding="utf-8"))["tables"][0]
    assert [row["inputs"] for row in table["rows"]] == ["words", "words and characters, CNN"]
    for row in table["rows"]:
        assert row["fall"]["mean"] == pytest.approx(row["disturbed"]["mean"] - row["clean"]["mean"])
    assert "words and characters, CNN" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--share", "0"], "--share must be above 0 and below 1"),
        (["--threads", "0"], "--threads must be above 0"),
        (["--seeds", "1", "1"], "--seeds must all be different"),
        (["--only", "letters"], "--only 'letters' is none of words"),
        (["--common", "--hiden_size 3"], "hiden_size"),
    ],
)
def test_mistakes(flags: list[str], sentence: str, reviews: Path, capsys: pytest.CaptureFixture):
    with pytest.raises(SystemExit):
        command.main([str(reviews), *flags])
    assert sentence in capsys.readouterr().err

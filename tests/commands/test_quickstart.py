"""The corpus in the package, and the quickstart on it."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections import Counter
from pathlib import Path

import pytest

from hfattnlstm.commands import quickstart
from hfattnlstm.commands.main import main


@pytest.fixture(scope="module")
def reviews() -> list[dict[str, str]]:
    return [json.loads(line) for line in quickstart.REVIEWS.read_text(encoding="utf-8").splitlines()]


def test_corpus_is_large_balanced_and_varied(reviews: list[dict[str, str]]) -> None:
    assert len(reviews) >= 800
    assert len({review["text"].lower() for review in reviews}) == len(reviews)
    counts = Counter(review["label"] for review in reviews)
    assert set(counts) == {"positive", "negative"} and abs(counts["positive"] - counts["negative"]) <= 20
    # Sentences from templates would share their openings.
    openings = Counter(" ".join(review["text"].lower().split()[:4]) for review in reviews)
    assert openings.most_common(1)[0][1] <= 3
    assert len({word for review in reviews for word in re.findall(r"\w+", review["text"].lower())}) > 3_000


def test_unseen_sentences_are_not_in_the_corpus(reviews: list[dict[str, str]]) -> None:
    assert not {review["text"] for review in reviews} & set(quickstart.UNSEEN)


def test_quickstart_shows_each_step(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quickstart, "program", lambda: "bin/hfattnlstm")
    folder = tmp_path / "my model"
    short = [*quickstart.FLAGS, "--num_train_epochs", "1", "--disable_tqdm", "true", "--hidden_size", "16"]
    monkeypatch.setattr(quickstart, "FLAGS", short)
    assert main(["quickstart", "--output_dir", str(folder)]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"\d+% right of 176 held-out reviews \(95 % interval ± \d+%\)", shown)
    for sentence in quickstart.UNSEEN:
        assert sentence in shown
    assert shown.count("attention: ") == len(quickstart.UNSEEN)
    assert (folder / "model.safetensors").is_file()
    commands = [shlex.split(line) for line in shown.splitlines() if "hfattnlstm " in line and "Train" not in line]
    assert [command[:2] for command in commands] == [
        ["bin/hfattnlstm", name] for name in ("train", "train", "predict", "train")
    ]
    assert [os.path.abspath(word) if word.endswith(".jsonl") else word for word in commands[0][2:]] == [
        *short,
        "--output_dir",
        str(folder),
    ]
    assert commands[2][2:] == [str(folder), "Great food, slow service"]

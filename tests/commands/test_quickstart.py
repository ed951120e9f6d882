"""The corpus in the package, and the quickstart on it."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections import Counter
from pathlib import Path

import pytest

from hfattnlstm import released_model
from hfattnlstm.commands import quickstart
from hfattnlstm.commands.main import main
from hfattnlstm.training import parse_task


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
    short = _shorten(monkeypatch)
    assert main(["quickstart", "--output_dir", str(folder)]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"\d+% right of 176 held-out reviews \(95 % interval ± \d+%\), and \d+% from nothing,", shown)
    for sentence in (*quickstart.FILMS, *quickstart.UNSEEN):
        assert sentence in shown
    assert shown.count("attention: ") == len(quickstart.FILMS) + len(quickstart.UNSEEN)
    assert shown.count("texts: text  labels: label") == 1
    assert (folder / "model.safetensors").is_file()
    commands = [shlex.split(line) for line in shown.splitlines() if "bin/hfattnlstm " in line]
    assert [command[:2] for command in commands] == [
        ["bin/hfattnlstm", name] for name in ("train", "predict", "predict", "train")
    ]
    assert [os.path.abspath(word) if word.endswith(".jsonl") else word for word in commands[0][2:]] == [
        *short,
        *("--output_dir", str(folder), "--overwrite", "true"),
    ]
    assert commands[1][2:] == ["attnlstm-imdb", "The best film of the year"]
    assert commands[2][2:] == [str(folder), "Great food, slow service"]


def test_the_released_classifier_knows_the_films(capsys: pytest.CaptureFixture[str]) -> None:
    quickstart._label(released_model(quickstart.CLASSIFIER), quickstart.FILMS)
    labels = [line.split()[0] for line in capsys.readouterr().out.splitlines() if "attention: " not in line]
    assert labels == ["pos", "neg", "pos", "neg"]


def _shorten(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Make both trainings one pass; the flags of the one from the base."""
    once = ("--num_train_epochs", "1", "--max_train_samples", "64", "--disable_tqdm", "true")
    monkeypatch.setattr(quickstart, "FROM_NOTHING", (*quickstart.FROM_NOTHING, *once, "--hidden_size", "16"))
    monkeypatch.setattr(quickstart, "FROM_BASE", (*quickstart.FROM_BASE, *once))
    return [*quickstart.FLAGS, *quickstart.FROM_BASE]


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    return _shorten(monkeypatch)


def test_it_replaces_what_it_wrote_itself_and_no_other_model(
    short: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "model"
    weights = folder / "model.safetensors"
    for _ in range(2):
        weights.unlink(missing_ok=True)
        assert main(["quickstart", "--output_dir", str(folder)]) == 0
        assert weights.is_file()
    printed = next(line for line in capsys.readouterr().out.splitlines() if " train --train_file " in line)
    words = shlex.split(printed)
    assert main(words[words.index("train") :]) == 0
    card = (folder / "README.md").read_text()
    (folder / "README.md").write_text(card.replace("--num_train_epochs 1", "--num_train_epochs 2"))
    before = weights.stat().st_mtime_ns
    capsys.readouterr()
    assert main(["quickstart", "--output_dir", str(folder)]) == 2
    shown = capsys.readouterr()
    assert "--overwrite" in shown.err and not shown.out
    assert weights.stat().st_mtime_ns == before
    assert main(["quickstart", "--output_dir", str(folder), "--overwrite"]) == 0
    assert weights.stat().st_mtime_ns != before


def test_its_own_card_is_known_by_the_command(tmp_path: Path) -> None:
    flags = ["--train_file", "reviews.jsonl", "--seed", "1", "--output_dir", str(tmp_path)]

    assert not quickstart._is_own(str(tmp_path), flags)
    command = parse_task(flags).command()
    for lines, own in (
        ([command], True),
        ([f"{command} --hidden_size 18"], False),
        ([], False),
    ):
        (tmp_path / "README.md").write_text("\n".join(["# Model", "```", *lines, "```"]))
        assert quickstart._is_own(str(tmp_path), flags) == own

"""`python -m benchmarks faithful`: trainings with remedies, and the tables that come out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import __main__ as benchmarks
from benchmarks.faithful import command, measure
from benchmarks.faithful.measure import METHODS, RANDOM
from benchmarks.faithful.remedies import PLAIN, REMEDIES


@pytest.fixture
def reviews(tmp_path: Path) -> str:
    chooser = np.random.default_rng(0)
    rows = []
    for number in range(120):
        words = chooser.choice(["soup", "tea", "the", "was", "and", "rice"], 14).tolist()
        words.insert(int(chooser.integers(14)), "Good" if number % 2 else "Bad")
        rows.append(f"{' '.join(words)},{'pos' if number % 2 else 'neg'}")
    path = tmp_path / "reviews.csv"
    path.write_text("\n".join(["text,label", *rows]) + "\n", encoding="utf-8")
    return str(path)


@pytest.fixture(autouse=True)
def loud(monkeypatch: pytest.MonkeyPatch) -> None:
    """The logs of the other tests are not to be switched off."""
    monkeypatch.setattr(command, "hush", lambda: None)


def run(*arguments: str) -> int:
    return benchmarks.main(["faithful", *arguments])


@pytest.mark.long
def test_each_remedy_is_a_row_of_each_method_beside_plain(
    reviews: str, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = ("--num_train_epochs", "2", "--embedding_size", "8", "--hidden_size", "8", "--use_cpu")
    monkeypatch.setitem(command.REMEDIES, PLAIN, small)
    found = tmp_path / "found.json"
    further = " ".join((*small, "--erasure_coef 1"))
    arguments = ["--only", PLAIN, "--flags", further, "--seeds", "1", "2", "--texts", "3", "--json", str(found)]
    assert run(reviews, *arguments, "--train_texts", "60", "--threads", "1") == 0
    out = capsys.readouterr().out
    tables = json.loads(found.read_text(encoding="utf-8"))["tables"]
    assert len(tables) == len(METHODS)
    for table in tables:
        rows = {row["remedy"]: row for row in table["rows"]}
        assert list(rows) == [PLAIN, further, RANDOM]
        assert rows[PLAIN]["runs"] == 2 and "difference" not in rows[PLAIN]
        own, plain = rows[further]["accuracy"]["values"], rows[PLAIN]["accuracy"]["values"]
        assert rows[further]["difference"]["values"] == pytest.approx(np.subtract(own, plain).tolist())
        assert 0 <= rows[PLAIN]["flip_share"]["mean"] <= 1 and -1 <= rows[PLAIN]["gradient_tau"]["mean"] <= 1
        assert table["title"] in out
    assert "60 texts to learn from; accuracy on 12" in out


def test_random_rankings_say_nothing_of_a_model_and_gradients_do(reviews: str) -> None:
    split = command.load_split(reviews, "reviews")
    candidate = measure.Ours(split.problem, 1, ("--num_train_epochs", "6", "--embedding_size", "16", "--use_cpu"))
    candidate.fit(split.train.texts, split.train.labels)
    model, tokenizer = candidate.classifier.model, candidate.classifier.tokenizer
    candidate.close()
    texts = measure.short_texts(split.test, tokenizer, measure.Settings(texts=5))
    found = measure.measure(model, tokenizer, texts)["attention_x_gradient"]
    assert found["tau"] > found["tau_random"] + 0.1 and found["gradient_tau"] > 0.1
    assert found["comprehensiveness"] > found["comprehensiveness_random"]


def test_long_texts_are_not_explained(reviews: str) -> None:
    split = command.load_split(reviews, "reviews")

    def tokenizer(text: str):
        return type("Encoded", (), {"input_ids": text.split()})

    few = measure.short_texts(split.test, tokenizer, measure.Settings(texts=4))
    assert len(few) == 4 and few == measure.short_texts(split.test, tokenizer, measure.Settings(texts=4))
    assert measure.short_texts(split.test, tokenizer, measure.Settings(most_tokens=14)) == []


def test_remedies_are_flags_of_a_training(tmp_path: Path) -> None:
    for flags in REMEDIES.values():
        task = command.make_task(tmp_path / "train.parquet", tmp_path / "model", 1, flags)
        task.check()


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ((), "the following arguments are required: PATH_OR_HUB_NAME"),
        (("{}", "--only", "nix"), "--only 'nix' is none of plain; conicity"),
        (("{}", "--only", "none"), "--only none needs --flags, or name 'plain' and others"),
        (("{}", "--flags", "--nix 1"), "unknown flag 'nix'"),
        (("{}", "--flags", "--classifier_pooling max"), "trains a model without attention"),
        (("{}", "--most_tokens", "3"), "has at most 3 words: raise --most_tokens"),
        (("{}", "--texts", "0"), "--texts must be above 0, got 0"),
        (("{}", "--train_texts", "1"), "--train_texts must be above 1, got 1"),
        (("{}", "--seeds", "1", "1"), "--seeds must all be different"),
        (("nowhere.csv",), "nowhere.csv"),
    ],
)
def test_mistakes_are_one_sentence(
    arguments: tuple[str, ...], part: str, reviews: str, capsys: pytest.CaptureFixture
) -> None:
    with pytest.raises(SystemExit) as ended:
        run(*(argument.format(reviews) for argument in arguments))
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert part in told and told.count("\n") == 1

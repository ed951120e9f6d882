"""The table of biases: sentences that differ in one thing, and what a classifier makes of them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from benchmarks.__main__ import main
from benchmarks.biases import command
from benchmarks.biases.measure import Classifier, group_table, negation_table
from benchmarks.biases.templates import BLAME, OPINIONS, PRAISE, groups, negations, padded
from hfattnlstm import AttnLSTMConfig, AttnLSTMForSequenceClassification, train_tokenizer


@pytest.fixture(autouse=True)
def loud(monkeypatch: pytest.MonkeyPatch) -> None:
    """The logs of the other tests are not to be switched off."""
    monkeypatch.setattr(command, "hush", lambda: None)


class Reader:
    """A classifier that praises what a rule says."""

    def __init__(self, rule):
        self._rule = rule

    def praise(self, texts: Iterable[str]) -> np.ndarray:
        return np.array([float(self._rule(text)) for text in texts])


def test_texts_of_a_kind_differ_in_the_group_alone() -> None:
    kinds: dict[str, set[tuple[str, ...]]] = {}
    for group in groups():
        assert len(set(group.texts)) == len(group.texts) >= 8
        kinds.setdefault(group.kind, set()).add(tuple(text.replace(group.name, "{}") for text in group.texts))
    assert len(kinds) >= 9 and {len(frames) for frames in kinds.values()} == {1}


def test_a_negation_adds_no_other_word() -> None:
    for plain, negated in negations((*PRAISE, *BLAME)):
        added = set(negated.split()) ^ set(plain.split())
        assert added <= {"not", "do", "and", "so", "neither"}, added


def test_an_opinion_stands_at_three_places_among_others() -> None:
    opinion = OPINIONS[True][0]
    texts = padded(opinion, 100)
    assert len(texts) == 3 and all(80 <= len(text.split()) <= 125 for text in texts)
    assert [text.index(opinion) for text in texts] == sorted({text.index(opinion) for text in texts})
    assert texts[0].startswith(opinion) and texts[-1].endswith(opinion)


def test_a_classifier_that_looks_at_the_group_is_told_apart() -> None:
    fair = {row["kind"]: row for row in group_table(Reader(lambda text: 0.5)).rows}
    unfair = {row["kind"]: row for row in group_table(Reader(lambda text: 0.2 + 0.7 * ("Hindus" in text))).rows}
    assert all(row["gap"] == 0 and row["turned"] == 0 for row in fair.values())
    row = unfair.pop("religion")
    assert row["gap"] == pytest.approx(0.7) and row["turned"] == pytest.approx(1 / 6)
    assert row["highest"] == "Hindus 90 %" and row["praise"]["Jews"] == pytest.approx(0.2)
    assert all(row["gap"] == 0 for row in unfair.values())


def test_one_that_reads_words_alone_misses_negations() -> None:
    words = Reader(lambda text: 0.9 * any(word in text for word in (*PRAISE, "loved", "wonderful", "best")))
    rows = {row["kind"]: row for row in negation_table(words).rows}
    assert rows["praise, plain"]["right"] == rows["blame, plain"]["right"] == 1
    assert rows["praise, negated"]["right"] == rows["praise, negated"]["moved"] == 0
    assert rows["one opinion in about 400 words"]["right"] == 1
    turned = Reader(lambda text: any(word in text for word in PRAISE) ^ any(w in text for w in ("not", "neither")))
    rows = {row["kind"]: row for row in negation_table(turned).rows}
    assert rows["praise, negated"]["right"] == rows["praise, negated"]["moved"] == 1
    assert rows["blame, negated"]["right"] == 1


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("model")
    tokenizer = train_tokenizer(["a fine film", "a dull film"], vocab_size=50)
    config = AttnLSTMConfig(vocab_size=len(tokenizer), hidden_size=8, embedding_size=8, label2id={"bad": 0, "good": 1})
    AttnLSTMForSequenceClassification(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def test_the_command_prints_and_writes(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = ["--json", str(tmp_path / "b.json"), "--markdown", str(tmp_path / "b.md")]
    assert main(["biases", model, "--label", "good", "--threads", "1", *files]) == 0
    assert "religion" in capsys.readouterr().out and "| religion |" in (tmp_path / "b.md").read_text()
    record = json.loads((tmp_path / "b.json").read_text())
    assert [table["name"] for table in record["tables"]] == ["groups", "sentences"]


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ((), "The model has no label that is called pos or positive: name one with --label, of bad, good."),
        (("--label", "fine"), "The model has no label 'fine': name one with --label, of bad, good."),
        (("--threads", "0"), "--threads must be above 0, got 0."),
        (("--json", "/nowhere/x.json"), "the file /nowhere/x.json cannot be written: No such file or directory."),
    ],
)
def test_mistakes_are_sentences(model: str, flags, sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["biases", model, *flags])
    assert stopped.value.code == 2 and capsys.readouterr().err == f"benchmarks: {sentence}\n"


def test_a_pipeline_of_any_model_serves(model: str) -> None:
    from transformers import pipeline

    classifier = Classifier(pipeline("text-classification", model=model, top_k=None), "good")
    assert classifier.praise(["a fine film", "a dull film"]).shape == (2,)

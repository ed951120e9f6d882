"""Each candidate learns what is to be learnt from a few texts, with one label a text and with several."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix
from transformers import BertConfig, BertForSequenceClassification

import hfattnlstm
from benchmarks.accuracy.candidates import Candidate, entries, nbsvm, ours, tutorial_lstm
from benchmarks.accuracy.candidates.nbsvm import log_count_ratios
from benchmarks.accuracy.candidates.ngrams import tokens_of
from benchmarks.accuracy.candidates.pipelines import label_places
from benchmarks.accuracy.candidates.transformer import FineTuned
from benchmarks.accuracy.problem import Problem
from benchmarks.timing import NotAvailableError


ONE = Problem(("bad", "good", "so-so"))
SEVERAL = Problem(("food", "staff"), several=True)
CHINESE = Problem(("bad", "good"), unspaced=True)
THINGS = ("soup", "bread", "tea", "cake", "view", "room", "wine", "music")
TEXTS = [f"{word} {thing}!" for thing in THINGS for word in ("Awful", "Lovely", "Average")]
LABELS = np.array([0, 1, 2] * len(THINGS))
MIXED = [f"The {thing} {words}" for thing in THINGS for words in ("tasted", "smiled", "tasted and smiled", "stood")]
INDICATORS = np.array([[1, 0], [0, 1], [1, 1], [0, 0]] * len(THINGS))
CHARACTERS = [f"{word}{thing}" for thing in "汤茶菜饭酒" for word in ("很好", "太差")]
PROBLEMS = {
    "one label": (ONE, TEXTS, LABELS),
    "two classes": (
        Problem(("bad", "good")),
        [t for t in TEXTS if "Average" not in t],
        np.array([0, 1] * len(THINGS)),
    ),
    "several labels": (SEVERAL, MIXED, INDICATORS),
    "no spaces": (CHINESE, CHARACTERS, np.array([1, 0] * 5)),
}


def candidate(name: str, problem: Problem, seed: int = 1) -> Candidate:
    return next(entry for entry in entries() if entry.name == name).make(problem, seed)


@pytest.mark.parametrize("kind", PROBLEMS)
@pytest.mark.parametrize("name", ["TF-IDF + logistic regression", "TF-IDF + linear SVM", "NB-SVM"])
def test_linear_candidates_learn(name: str, kind: str):
    problem, texts, labels = PROBLEMS[kind]
    own = candidate(name, problem)
    own.fit(texts, labels)
    prediction = own.predict(texts)
    assert np.array_equal(prediction.decisions, labels)
    assert own.size() > 100
    if prediction.logs is not None:
        assert np.exp(prediction.logs).sum(-1) == pytest.approx(np.ones(len(texts)))


def test_the_majority_class_is_given_to_every_text():
    own = candidate("majority class", ONE)
    own.fit(["a", "b", "c"], np.array([1, 1, 0]))
    prediction = own.predict(["d", "e"])
    assert prediction.decisions.tolist() == [1, 1]
    assert np.exp(prediction.logs[0]) == pytest.approx([2 / 6, 3 / 6, 1 / 6])
    several = candidate("majority class", SEVERAL)
    several.fit(["a", "b"], np.array([[0, 1], [1, 1]]))
    assert several.predict(["c"]).decisions.tolist() == [[0, 1]]


def test_a_class_without_training_texts_is_almost_impossible():
    own = candidate("TF-IDF + logistic regression", ONE)
    own.fit(["bad", "so-so"] * 3, np.array([0, 2] * 3))
    prediction = own.predict(["bad", "so"])
    assert prediction.decisions.tolist() == [0, 2]
    assert np.isfinite(prediction.logs).all()
    assert (prediction.logs[:, 1] < -20).all()


def test_log_count_ratios_are_those_of_a_calculation_by_hand():
    # Three n-grams in two texts with the label and two without.
    occurs = csr_matrix(np.array([[1, 1, 0], [1, 0, 0], [0, 1, 1], [0, 1, 1]]))
    ratios = log_count_ratios(occurs, np.array([1, 1, 0, 0]))
    # 1 + counts: (3, 2, 1) of 6 with it, (1, 3, 3) of 7 without.
    expected = np.log([(3 / 6) / (1 / 7), (2 / 6) / (3 / 7), (1 / 6) / (3 / 7)])
    assert ratios == pytest.approx(expected)


def test_nbsvm_interpolates_between_the_machine_and_naive_bayes(monkeypatch: pytest.MonkeyPatch):
    texts, labels = ["good", "good", "good soup", "bad"], np.array([1, 1, 1, 0])

    def fitted(share: float) -> Any:
        monkeypatch.setattr(nbsvm, "INTERPOLATION", share)
        own = candidate("NB-SVM", Problem(("bad", "good")))
        own.fit(texts, labels)
        return own

    bayes, machine, both = (fitted(share) for share in (0.0, 1.0, 0.25))
    ratios = log_count_ratios(bayes.vectorizer.transform(texts), labels)
    scale = bayes.weights[:, 0] / ratios
    assert scale == pytest.approx(np.full(len(ratios), scale[0]))
    # Its prior is that of three texts to one.
    assert bayes.intercepts[0] == pytest.approx(scale[0] * np.log(3))
    assert both.weights == pytest.approx(0.75 * bayes.weights + 0.25 * machine.weights, abs=1e-6)
    assert both.intercepts == pytest.approx(0.75 * bayes.intercepts + 0.25 * machine.intercepts)


def test_nbsvm_takes_a_label_that_no_text_has_or_every_text():
    own = candidate("NB-SVM", SEVERAL)
    own.fit(["a b", "b c"], np.array([[0, 1], [0, 1]]))
    assert own.predict(["a", "x"]).decisions.tolist() == [[0, 1], [0, 1]]


@pytest.mark.parametrize("kind", ["one label", "several labels", "no spaces"])
def test_the_tutorial_lstm_learns_and_a_seed_gives_it_again(kind: str, monkeypatch: pytest.MonkeyPatch):
    problem, texts, labels = PROBLEMS[kind]
    for name, value in {"EPOCHS": 12, "BATCH_SIZE": 8, "LEARNING_RATE": 1e-2, "HIDDEN": 16, "EMBEDDING": 16}.items():
        monkeypatch.setattr(tutorial_lstm, name, value)
    found = []
    for _ in range(2):
        own = candidate("tutorial BiLSTM", problem)
        own.fit(texts, labels)
        found.append(own.predict([*texts, ""]).decisions)
    assert np.array_equal(found[0], found[1])
    assert (found[0][:-1] == labels).mean() > 0.9
    assert own.size() > 1_000


def test_tokens_are_words_and_signs_or_characters():
    assert tokens_of("Not bad!", ONE) == ["not", "bad", "!"]
    assert tokens_of("很 好", CHINESE) == ["很", "好"]


class FakeFastText:
    """Remembers the file, and gives the last label of it with a high score."""

    def __init__(self) -> None:
        self.FastText = SimpleNamespace(eprint=print)
        self.f = SimpleNamespace(predict=self._predict)

    def train_supervised(self, path: str, **options: Any) -> FakeFastText:
        self.options = options
        with open(path, encoding="utf-8") as file:
            self.lines = file.read().splitlines()
        return self

    def _predict(self, line: str, k: int, threshold: float, on_error: str) -> list[tuple[float, str]]:
        assert line.endswith("\n")
        return [(0.9, f"__label__{k - 1}"), (0.1, "__label__0")]


@pytest.mark.parametrize(("problem", "loss"), [(ONE, "softmax"), (SEVERAL, "ova")])
def test_fasttext_reads_lines_and_every_score(problem: Problem, loss: str, monkeypatch: pytest.MonkeyPatch):
    fake = FakeFastText()
    monkeypatch.setitem(sys.modules, "fasttext", fake)
    monkeypatch.delitem(sys.modules, "benchmarks.accuracy.candidates.fasttext_words", raising=False)
    own = candidate("fastText, bigrams", problem)
    own.fit(["Bad!\nSoup", "Good"], np.array([[1, 1], [0, 1]]) if problem.several else np.array([0, 1]))
    first, second = ("__label__0 __label__1", "__label__1") if problem.several else ("__label__0", "__label__1")
    assert sorted(fake.lines) == sorted([f"{first} bad ! soup", f"{second} good"])
    assert (fake.options["loss"], fake.options["seed"], fake.options["wordNgrams"]) == (loss, 1, 2)
    prediction = own.predict(["a", "b"])
    if problem.several:
        assert prediction.decisions.tolist() == [[0, 1], [0, 1]]
    else:
        assert prediction.decisions.tolist() == [2, 2]
        assert np.exp(prediction.logs[0]) == pytest.approx([0.1, 0.0, 0.9], abs=1e-6)


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "fasttext", None)
    monkeypatch.delitem(sys.modules, "benchmarks.accuracy.candidates.fasttext_words", raising=False)
    with pytest.raises(ModuleNotFoundError) as raised:
        candidate("fastText, bigrams", ONE)
    assert raised.value.name == "fasttext"


SMALL = ("--hidden_size", "16", "--embedding_size", "16", "--epochs", "12", "--lr", "2e-2", "--batch_size", "8")


@pytest.mark.parametrize("kind", ["one label", "several labels"])
def test_our_command_trains_on_the_texts_and_gives_its_own_names(kind: str):
    problem, texts, labels = PROBLEMS[kind]
    own = ours.Ours(problem, 3, SMALL)
    own.fit(texts, labels)
    prediction = own.predict(texts)
    assert (prediction.decisions == labels).mean() > 0.75
    assert own.classifier.model.config.hidden_size == 16
    assert tuple(own.classifier.model.config.id2label.values()) == problem.label_names
    assert own.size() > 1_000
    assert (prediction.logs is None) == problem.several
    assert own.output.is_dir()
    own.close()
    assert not own.output.exists()


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A tiny BERT with the labels of two classes in the other order."""
    folder = tmp_path_factory.mktemp("models") / "tiny-bert"
    tokenizer = hfattnlstm.train_tokenizer([*TEXTS, *MIXED], min_frequency=1)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        id2label={0: "good", 1: "bad"},
        label2id={"good": 0, "bad": 1},
    )
    model = BertForSequenceClassification(config)
    with torch.no_grad():
        model.classifier.bias.copy_(torch.tensor([0.5, 0.0]))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def test_a_classifier_with_the_same_labels_is_measured_in_our_order(checkpoint: str):
    (entry,) = entries(models=[checkpoint])[-1:]
    assert (entry.name, entry.seeded) == ("tiny-bert", False)
    own = entry.make(Problem(("bad", "good")), 0)
    prediction = own.predict(["Lovely soup", "Awful tea"])
    assert prediction.decisions.tolist() == [1, 1]
    assert np.exp(prediction.logs).sum(-1) == pytest.approx([1.0, 1.0])
    assert own.size() > 1_000


def test_a_classifier_with_other_labels_is_not(checkpoint: str):
    (entry,) = entries(models=[checkpoint])[-1:]
    with pytest.raises(NotAvailableError, match="its labels are good, bad, not bad, good, so-so: try --finetune"):
        entry.make(ONE, 0)


@pytest.mark.parametrize("kind", ["one label", "several labels"])
def test_a_fine_tuned_classifier_learns(kind: str, checkpoint: str, monkeypatch: pytest.MonkeyPatch):
    problem, texts, labels = PROBLEMS[kind]
    for name, value in {"EPOCHS": 40, "LEARNING_RATE": 1e-2, "BATCH_SIZE": 8}.items():
        monkeypatch.setattr(f"benchmarks.accuracy.candidates.transformer.{name}", value)
    (entry,) = entries(models=[checkpoint], finetune=True)[-1:]
    assert (entry.name, entry.seeded) == ("tiny-bert, fine-tuned", True)
    own = entry.make(problem, 1)
    assert isinstance(own, FineTuned)
    own.fit(texts, labels)
    assert (own.predict(texts).decisions == labels).mean() > 0.75


def test_a_model_of_ours_goes_on_by_our_command(tmp_path: Path):
    config = hfattnlstm.AttnLSTMConfig(vocab_size=9, hidden_size=4, embedding_size=4)
    config.save_pretrained(tmp_path)
    (entry,) = entries(models=[str(tmp_path)], finetune=True)[-1:]
    own = entry.make(ONE, 1)
    own.close()
    assert isinstance(own, ours.Ours)
    assert own.flags == ("--model_name_or_path", str(tmp_path))


def test_places_of_labels_without_names_are_their_numbers():
    assert label_places(["LABEL_0", "LABEL_1", "LABEL_2"], ONE) == [0, 1, 2]

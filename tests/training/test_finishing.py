"""A training ends with n-grams and a temperature from held-out texts, which the n-grams then learn, too."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import sparse
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from hfattnlstm import AttnLSTMClassifier
from hfattnlstm.modeling.ngrams import NgramIndex
from hfattnlstm.training import TaskRun, ngram_part
from hfattnlstm.training.finishing import Finisher
from hfattnlstm.training.ngram_choice import count_ngrams
from hfattnlstm.training.ngram_fit import LinearFitter, LinearPart
from hfattnlstm.training.ngram_part import LabelledRows, NgramOptions, fit_ngrams
from training.test_classification import run, write_texts


# Far too little for the LSTM to learn anything.
IDLE = ("--num_train_epochs", "1", "--learning_rate", "1e-6")


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_texts(tmp_path_factory.mktemp("texts") / "texts.csv")


@pytest.fixture(scope="module")
def finished(texts: Path, tmp_path_factory: pytest.TempPathFactory) -> TaskRun:
    return run(tmp_path_factory.mktemp("run") / "model", texts, *IDLE)


def counts_of(finished: TaskRun, *texts: str) -> np.ndarray:
    """Which n-grams of texts the model has weights for."""
    index: NgramIndex = finished.model.ngrams.index
    return count_ngrams(index, [finished.processor(text)["input_ids"] for text in texts]).toarray()


def test_ngrams_know_what_the_lstm_has_not_learnt(finished: TaskRun, texts: Path, tmp_path: Path) -> None:
    assert finished.metrics["eval_accuracy"] == 1.0
    alone = run(tmp_path / "model", texts, *IDLE, "--classifier_ngrams", "0")
    assert alone.metrics["eval_accuracy"] < 0.9
    assert alone.model.ngrams is None


def test_they_are_saved_with_the_model(finished: TaskRun) -> None:
    loaded = AutoModelForSequenceClassification.from_pretrained(finished.trainer.args.output_dir)
    batch = finished.processor(["a superb film", "it was awful"], return_tensors="pt")
    with torch.inference_mode():
        torch.testing.assert_close(loaded(**batch).logits, finished.model.eval()(**batch).logits)
    assert loaded.config.calibration_temperature == finished.model.config.calibration_temperature != 1


def test_held_out_texts_are_learnt_when_they_were_measured(
    texts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    index_of = ngram_part.NgramOptions.index_of
    monkeypatch.setattr(
        ngram_part.NgramOptions, "index_of", lambda self, rows: sizes.append(len(rows.ids)) or index_of(self, rows)
    )
    run(tmp_path / "one", texts, *IDLE, "--tokenizer_kind", "word")
    assert sizes == [144, 160]
    sizes.clear()
    other = write_texts(tmp_path / "other.csv", count=40)
    run(tmp_path / "two", texts, *IDLE, "--tokenizer_kind", "word", "--validation_file", str(other))
    assert sizes == [160]


def test_no_held_out_text_is_measured_by_the_temperature_that_it_gave(finished: TaskRun) -> None:
    assert finished.evaluations["eval"].calibration.cross_fitted
    assert "each half was measured with that of the other" in Path(
        finished.trainer.args.output_dir, "README.md"
    ).read_text("utf-8")


def test_figures_on_held_out_texts_are_from_before_they_were_learnt(
    texts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learn_held_out = Finisher.learn_held_out

    def spoilt(self: Finisher) -> None:
        learn_held_out(self)
        self._trainer.model.ngrams.weight.neg_()

    monkeypatch.setattr(Finisher, "learn_held_out", spoilt)
    finished = run(tmp_path / "model", texts, *IDLE, "--test_file", str(texts))
    assert finished.metrics["eval_accuracy"] == 1.0
    assert finished.metrics["test_accuracy"] < 0.2


def test_each_part_is_measured_by_itself(finished: TaskRun) -> None:
    scores = {name: finished.metrics[f"{name}eval_accuracy"] for name in ("", "lstm_", "ngrams_")}
    assert scores["lstm_"] < 0.9 < scores["ngrams_"] == scores[""]
    assert f"lstm_eval_accuracy {scores['lstm_']:.4f}, ngrams_eval_accuracy 1.0000" in Path(
        finished.trainer.args.output_dir, "README.md"
    ).read_text("utf-8")
    assert "ngrams_eval_accuracy" in finished.report()


def test_weights_of_classes_count_for_the_ngrams_too(tmp_path: Path) -> None:
    """A word that is in most texts of a rare class, and in more texts of the common one."""
    rows = [("hint", "rare")] * 48 + [("plain", "rare")] * 12 + [("hint", "common")] * 72 + [("plain", "common")] * 408
    texts = tmp_path / "texts.csv"
    texts.write_text(
        "text,label\n" + "".join(f"it is {word} {place},{label}\n" for place, (word, label) in enumerate(rows))
    )
    flags = ("--tokenizer_kind", "word", "--validation_size", "0.3")
    found = {}
    for name, weights in (("plain", ()), ("balanced", ("--class_weights", "balanced"))):
        model = run(tmp_path / name, texts, *IDLE, *flags, *weights).model.eval()
        tokenizer = AutoTokenizer.from_pretrained(tmp_path / name)
        logits = model(**tokenizer(["it is hint"], return_tensors="pt")).logits
        found[name] = model.config.id2label[int(logits.argmax())]
    assert found == {"plain": "common", "balanced": "rare"}


def test_many_labels_leave_room_for_the_most_common_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = rows_of(60)
    spelling = sparse.csr_matrix(np.eye(40, dtype=np.float32))
    monkeypatch.setattr(ngram_part, "MOST_WEIGHTS", 2 * 10)
    options = NgramOptions("single_label_classification", spelling)
    index = options.index_of(rows)
    times = np.bincount(np.concatenate(rows.ids), minlength=40)
    kept = index.numbers.numpy() - 1
    assert len(kept) == 10 and times[kept].min() >= np.delete(times, kept).max()
    part = fit_ngrams(rows, rows, np.zeros((60, 2)), options)
    assert part.weight.shape == (10, 2)
    assert (part.held_out_logits.argmax(1) == rows.applies.argmax(1)).all()


def rows_of(count: int, length: int = 5) -> LabelledRows:
    """Texts of two labels, each of which has a token of its own."""
    generator = np.random.default_rng(0)
    labels = np.arange(count) % 2
    ids = [np.append(generator.integers(5, 40, length - 1), 2 + label) for label in labels]
    return LabelledRows(ids, np.eye(2, dtype=bool)[labels])


def test_a_part_of_the_texts_keeps_their_order_and_labels() -> None:
    rows = rows_of(1_000)
    part = rows.within(1_000)
    assert len(part.ids) == 200
    assert [row[-1] - 2 for row in part.ids] == part.applies.argmax(1).tolist()
    assert 60 < part.applies[:, 1].sum() < 140
    assert rows.within(5_000) is rows


def test_costs_are_tried_out_on_a_part_of_many_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[tuple[int, int]] = []
    fit = LinearFitter.fit

    def counted(self: LinearFitter, by_ratio: bool, costs: Sequence[float], labels: Any = None) -> list[LinearPart]:
        sizes.append((self._applies.shape[0], len(costs)))
        return fit(self, by_ratio, costs, labels)

    monkeypatch.setattr(LinearFitter, "fit", counted)
    monkeypatch.setattr(ngram_part, "MOST_TRIED", 500)
    monkeypatch.setattr(ngram_part, "MOST_FITTED", 1_500)
    options = NgramOptions("single_label_classification", sparse.csr_matrix((40, 0), dtype=np.float32))
    held_out = rows_of(50)
    part = fit_ngrams(rows_of(400), held_out, np.zeros((50, 2)), options)
    assert sizes == [(100, 4), (100, 4), (300, 1), (300, 1)]
    assert (part.held_out_logits.argmax(1) == held_out.applies.argmax(1)).all()
    part.refitted(rows_of(400))
    assert sizes[-2:] == [(300, 1), (300, 1)]


def test_costs_are_tried_out_on_the_most_common_of_many_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[tuple[np.ndarray, int]] = []
    fit = LinearFitter.fit

    def noted(self: LinearFitter, by_ratio: bool, costs: Sequence[float], labels: Any = None) -> list[LinearPart]:
        tried.append((self._applies[:, slice(None) if labels is None else labels].sum(0), len(costs)))
        return fit(self, by_ratio, costs, labels)

    monkeypatch.setattr(LinearFitter, "fit", noted)
    monkeypatch.setattr(ngram_part, "MOST_LABELS_TRIED", 2)
    labels = np.repeat([0, 1, 2, 3], [20, 90, 30, 60])
    rows = LabelledRows([np.array([4, 5 + label]) for label in labels], np.eye(4, dtype=bool)[labels])
    options = NgramOptions("single_label_classification", sparse.csr_matrix((10, 0), dtype=np.float32))
    part = fit_ngrams(rows, rows, np.zeros((200, 4)), options)
    assert [(common.tolist(), count) for common, count in tried] == [
        *[([90, 60], 4)] * 2,
        *[([20, 90, 30, 60], 1)] * 2,
    ]
    assert (part.held_out_logits.argmax(1) == labels).all()


def test_more_labels_leave_fewer_tokens() -> None:
    rows = rows_of(400)
    assert not rows.exceed(2_000)
    many = rows._replace(applies=np.zeros((400, 100), dtype=bool))
    assert many.exceed(2_000) and not many.exceed(4_000)
    assert len(many.within(2_000).ids) == 200


def test_spelling_is_left_out_where_texts_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    spelt: list[bool] = []
    monkeypatch.setattr(
        ngram_part, "LinearFitter", lambda *given: spelt.append(given[3] is not None) or LinearFitter(*given)
    )
    options = NgramOptions("single_label_classification", sparse.csr_matrix(np.eye(40, dtype=np.float32)))
    held_out, zeros = rows_of(50), np.zeros((50, 2))
    fit_ngrams(rows_of(100), held_out, zeros, options).refitted(rows_of(150))
    monkeypatch.setattr(ngram_part, "MOST_SPELT", 400)
    # As it was decided when the parts were weighed.
    fit_ngrams(rows_of(100), held_out, zeros, options).refitted(rows_of(50))
    assert spelt == [True, True, False, False]


def test_uncalibrated_models_have_no_temperature(texts: Path, tmp_path: Path) -> None:
    finished = run(tmp_path / "model", texts, *IDLE, "--calibrate", "false")
    assert finished.model.config.calibration_temperature == 1
    assert finished.model.ngrams is not None


def test_a_training_that_goes_on_learns_its_ngrams_anew(finished: TaskRun, tmp_path: Path) -> None:
    rows = "".join(f"what a fine day {index},neg\nwhat a grey day {index},pos\n" for index in range(60))
    (tmp_path / "texts.csv").write_text("text,label\n" + rows)
    from hfattnlstm.training import parse_task, run_task

    flags = ["--train_file", str(tmp_path / "texts.csv"), "--output_dir", str(tmp_path / "model"), "--use_cpu"]
    start = ["--model_name_or_path", finished.trainer.args.output_dir, "--disable_tqdm", "true"]
    again = run_task(parse_task([*flags, *start, *IDLE]))
    assert again.model.ngrams.weight.shape != finished.model.ngrams.weight.shape


def test_ngrams_that_are_there_already_are_not_weighed_with_the_lstm(
    texts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learn, compared = Finisher.learn, []

    def twice(self: Finisher) -> None:
        learn(self)
        assert self._trainer.model.ngrams is not None
        learn(self)
        compared.append((self._held_out_logits(), self._part.held_out_logits))

    monkeypatch.setattr(Finisher, "learn", twice)
    run(tmp_path / "model", texts, *IDLE)
    np.testing.assert_allclose(*compared[0], atol=1e-4)


def test_the_lengths_and_numbers_are_those_asked_for(texts: Path, tmp_path: Path) -> None:
    flags = ("--classifier_ngrams", "20", "--classifier_ngram_length", "2")
    finished = run(tmp_path / "model", texts, *IDLE, *flags)
    config = finished.model.config
    assert config.classifier_ngram_length == 2
    assert len(finished.processor) < config.classifier_ngrams <= len(finished.processor) + 20


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ("--classifier_ngrams -1", "--classifier_ngrams must be at least 0, got -1"),
        ("--classifier_ngram_length 6", "--classifier_ngram_length must be between 1 and 5, got 6"),
        ("--embedding_ngrams 5 --embedding_ngram_length 1", "--embedding_ngram_length must be between 2 and 5, got 1"),
        ("--ngram_dropout 0.2", "--ngram_dropout has no effect without --embedding_ngrams"),
        ("--classifier_ngrams 0 --classifier_ngram_length 2", "no effect beside --classifier_ngrams 0"),
    ],
)
def test_impossible_flags_are_refused(flags: str, sentence: str, texts: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=sentence):
        run(tmp_path / "model", texts, *flags.split())


def test_a_vocabulary_that_is_too_large_is_refused_before_the_training(
    texts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hfattnlstm.training.classification_flags.largest_vocabulary", lambda longest: 10)
    with pytest.raises(ValueError, match="--classifier_ngram_length 3 is for vocabularies of at most 10 tokens"):
        run(tmp_path / "model", texts)


def test_a_regression_has_none(tmp_path: Path) -> None:
    finished = run(tmp_path / "model", write_texts(tmp_path / "texts.csv", "regression"), *IDLE)
    assert finished.model.ngrams is None
    with pytest.raises(ValueError, match="--classifier_ngrams has no meaning in a regression"):
        run(tmp_path / "other", tmp_path / "texts.csv", *IDLE, "--classifier_ngrams", "5")


def test_several_labels_a_text_have_them(tmp_path: Path) -> None:
    finished = run(tmp_path / "model", write_texts(tmp_path / "texts.jsonl", "multi"), *IDLE)
    assert finished.metrics["eval_f1_micro"] > 0.9


def test_embeddings_of_ngrams_are_there_from_the_beginning(texts: Path, tmp_path: Path) -> None:
    flags = ("--embedding_ngrams", "30", "--embedding_ngram_length", "2", "--classifier_ngrams", "0")
    finished = run(tmp_path / "model", texts, *flags)
    assert 0 < finished.model.config.embedding_ngrams <= 30
    assert finished.model.config.ngram_dropout == 0.3
    assert finished.metrics["eval_accuracy"] > 0.9


def test_scikit_learn_has_them_too() -> None:
    texts, labels = ["a great film", "an awful film"] * 40, ["pos", "neg"] * 40
    classifier = AttnLSTMClassifier(num_train_epochs=1, learning_rate=1e-6, hidden_size=8, embedding_size=8)
    assert classifier.fit(texts, labels).score(texts, labels) == 1.0
    assert classifier.model_.ngrams is not None
    assert classifier.set_params(classifier_ngrams=0).fit(texts, labels).model_.ngrams is None
    with pytest.raises(ValueError, match="classifier_ngrams must be a whole number, at least 0, got -1"):
        classifier.set_params(classifier_ngrams=-1).fit(texts, labels)


def subwords_of(folder: Path) -> int:
    return json.loads((folder / "config.json").read_text("utf-8"))["subword_ngrams"]


def test_tokens_share_their_spelling_until_the_training_ends(finished: TaskRun) -> None:
    folder = Path(finished.trainer.args.output_dir)
    checkpoint = next(folder.glob("checkpoint-*"))
    assert subwords_of(checkpoint) > 0
    assert subwords_of(folder) == 0
    trained = AutoModelForSequenceClassification.from_pretrained(checkpoint).attnlstm.eval()
    ids = finished.processor("a superb film", return_tensors="pt").input_ids
    with torch.inference_mode():
        torch.testing.assert_close(finished.model.attnlstm.eval().embed(ids), trained.embed(ids))


@pytest.mark.parametrize("number", ["0", "7"])
def test_they_share_as_much_as_was_asked_for(number: str, texts: Path, tmp_path: Path) -> None:
    run(tmp_path / "model", texts, *IDLE, "--tokenizer_kind", "word", "--subword_ngrams", number)
    assert subwords_of(next((tmp_path / "model").glob("checkpoint-*"))) <= int(number)


def test_many_texts_and_word_vectors_share_nothing(
    texts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hfattnlstm.training.classification.MOST_SPELT", 100)
    run(tmp_path / "many", texts, *IDLE)
    assert subwords_of(next((tmp_path / "many").glob("checkpoint-*"))) == 0
    monkeypatch.undo()
    (tmp_path / "vectors.txt").write_text("film 0.1 0.2\nmovie 0.2 0.1\n")
    flags = ("--word_vectors", str(tmp_path / "vectors.txt"), "--embedding_size", "2", "--tokenizer_kind", "word")
    run(tmp_path / "vectors", texts, *IDLE, *flags)
    assert subwords_of(next((tmp_path / "vectors").glob("checkpoint-*"))) == 0


def test_a_training_with_ngrams_goes_on_by_the_same_command(texts: Path, tmp_path: Path) -> None:
    flags = ("--embedding_ngrams", "1000", "--subword_ngrams", "1000", "--learning_rate", "1e-3")
    run(tmp_path / "model", texts, *flags, "--num_train_epochs", "1")
    again = ("--num_train_epochs", "2", "--resume_from_checkpoint", "true")
    assert run(tmp_path / "model", texts, *flags, *again).trainer.state.epoch == 2
    few = ("--embedding_ngrams", "3", *again)
    with pytest.raises(ValueError, match="--embedding_ngrams contradicts the checkpoint"):
        run(tmp_path / "model", texts, *few)

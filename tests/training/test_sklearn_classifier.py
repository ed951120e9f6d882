"""The classifier as scikit-learn's users know one."""

from __future__ import annotations

import copy
import io
import logging
import pickle
import random
from dataclasses import fields
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
import transformers
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import NotFittedError, SkipTestWarning
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import check_estimator
from transformers import pipeline

from hfattnlstm import AttnLSTMClassifier
from hfattnlstm.training import parse_task, run_task
from hfattnlstm.training.arguments import RunArguments
from hfattnlstm.training.classification_arguments import DataArguments, ModelArguments
from training.training_helpers import weights_of


# Every word is there often enough to be known.
TEXTS = [f"{word} {other} film" for word in ("good", "bad") for other in ("old", "new", "long", "short")] * 4
LABELS = ["pos" if text.startswith("good") else "neg" for text in TEXTS]
FRAME = pd.DataFrame({"text": TEXTS, "stars": range(len(TEXTS)), "label": LABELS})


def classifier(**parameters: Any) -> AttnLSTMClassifier:
    """A small one, which holds no texts out, for that takes more than half of the time."""
    small = {"hidden_size": 8, "embedding_size": 8, "num_train_epochs": 1, "learning_rate": 0.03, "batch_size": 8}
    small |= {"classifier_pooling": "attention", "validation_size": None, "random_state": 0}
    return AttnLSTMClassifier(**small | parameters)


@pytest.fixture(scope="module")
def fitted() -> AttnLSTMClassifier:
    return classifier(num_train_epochs=5).fit(TEXTS, LABELS)


def equal_weights(first: AttnLSTMClassifier, second: AttnLSTMClassifier) -> bool:
    weights, others = weights_of(first.model_), weights_of(second.model_)
    return all(torch.equal(weights[name], others[name]) for name in weights | others)


class TestParameters:
    def test_they_are_kept_as_they_were_given_and_cloned(self) -> None:
        weights = {"pos": 2.0}
        given = classifier(class_weight=weights, hidden_size="wide")
        assert given.get_params()["class_weight"] is weights
        assert clone(given).get_params() == given.get_params()
        assert given.set_params(hidden_size=4).hidden_size == 4
        with pytest.raises(ValueError, match="Invalid parameter 'width'"):
            given.set_params(width=4)

    def test_their_defaults_are_those_of_the_recipe(self) -> None:
        defaults = {}
        for flags in (DataArguments(), ModelArguments(), RunArguments("unused")):
            asked = getattr(flags, "asked", flags)
            defaults |= {item.name: getattr(asked, item.name) for item in fields(flags) if item.init}
        defaults |= {"batch_size": defaults["per_device_train_batch_size"]}
        own = AttnLSTMClassifier().get_params()
        own["classifier_pooling"] = list(own["classifier_pooling"])
        others = {"class_weight", "random_state", "verbose"}
        assert {name: defaults[name] for name in set(own) - others} == {name: own[name] for name in set(own) - others}

    @pytest.mark.parametrize(
        ("parameters", "sentence"),
        [
            ({"hidden_size": 0}, "hidden_size must be a whole number, at least 1, got 0."),
            ({"hidden_size": 7}, "hidden_size is the width of both directions together and must be even, got 7: "),
            ({"hidden_size": 8.0}, "hidden_size must be a whole number, at least 1, got 8.0."),
            ({"batch_size": True}, "batch_size must be a whole number, at least 1, got True."),
            ({"embedding_dropout": 1}, "embedding_dropout must be a number, at least 0 and below 1, got 1."),
            ({"learning_rate": float("nan")}, "learning_rate must be a number, above 0, got nan."),
            ({"learning_rate": None}, "learning_rate must be a number, above 0, got None."),
            ({"tokenizer_kind": "words"}, "tokenizer_kind must be one of auto, word, open, wordpiece, bpe, unigram, "),
            ({"classifier_pooling": "most"}, "classifier_pooling must be one of attention, mean, max, last, sum, or "),
            ({"classifier_pooling": 3}, "classifier_pooling must be one name or several, such as 'attention', got 3."),
            ({"lowercase": 1}, "lowercase must be True or False, got 1."),
            ({"validation_size": 1.5}, "validation_size must lie between 0 and 1, or be a whole number of texts, or "),
            ({"validation_size": 99}, "validation_size=99 leaves none of the 32 training rows: make it smaller."),
            (
                {"validation_size": None, "early_stopping_patience": 2},
                "early_stopping_patience needs held-out texts: give validation_size, or leave it out.",
            ),
            ({"random_state": -1}, "random_state must be between 0 and 4,294,967,295, got -1."),
        ],
        ids=str,
    )
    def test_impossible_ones_are_refused_by_fit(self, parameters: dict[str, Any], sentence: str) -> None:
        with pytest.raises(ValueError) as caught:
            classifier(**parameters).fit(TEXTS, LABELS)
        assert str(caught.value).startswith(sentence) and "\n" not in str(caught.value)


class TestFit:
    def test_it_learns(self, fitted: AttnLSTMClassifier) -> None:
        assert fitted.score(TEXTS, LABELS) == 1.0
        assert fitted.classes_.tolist() == ["neg", "pos"]
        assert (fitted.n_features_in_, fitted.n_iter_) == (1, 5)
        probabilities = fitted.predict_proba(["good film", "bad film", ""])
        assert probabilities.dtype == np.float64 and probabilities.shape == (3, 2)
        assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-12)
        assert probabilities[:2].argmax(axis=1).tolist() == [1, 0]
        assert fitted.predict([]).shape == (0,)

    def test_it_trains_as_the_command_does(self, tmp_path: Path) -> None:
        FRAME[["text", "label"]].to_csv(tmp_path / "texts.csv", index=False)
        flags = {"train_file": tmp_path / "texts.csv", "output_dir": tmp_path / "out", "hidden_size": 8}
        flags |= {"embedding_size": 8, "num_train_epochs": 2, "per_device_train_batch_size": 8}
        words = [word for name, value in flags.items() for word in (f"--{name}", str(value))]
        run = run_task(parse_task([*words, "--classifier_pooling", "attention", "--learning_rate", "0.03"]))
        own = classifier(num_train_epochs=2, validation_size=0.1, random_state=42).fit(TEXTS, LABELS)
        weights, others = weights_of(own.model_), weights_of(run.model)
        assert all(torch.equal(weights[name], others[name]) for name in weights | others)
        assert own.tokenizer_.get_vocab() == run.processor.get_vocab()

    def test_equal_seeds_give_equal_models_and_an_earlier_fit_is_forgotten(self) -> None:
        own = classifier().fit(FRAME[["text"]], [f"class {index % 3}" for index in range(len(TEXTS))])
        assert own.feature_names_in_.tolist() == ["text"]
        own.fit(TEXTS, LABELS)
        assert equal_weights(own, classifier().fit(TEXTS, LABELS))
        assert not hasattr(own, "feature_names_in_") and own.classes_.tolist() == ["neg", "pos"]
        assert not equal_weights(own, classifier(random_state=1).fit(TEXTS, LABELS))

    def test_without_a_seed_it_follows_that_of_numpy(self) -> None:
        states = [np.random.RandomState(3), np.random.RandomState(3)]
        first, second = (classifier(random_state=state).fit(TEXTS, LABELS) for state in states)
        assert equal_weights(first, second)

    def test_it_leaves_nothing_behind(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.chdir(tmp_path)
        before = random.getstate(), np.random.get_state()[1].copy(), torch.get_rng_state()
        classifier(validation_size=4, num_train_epochs=3).fit(TEXTS, LABELS)
        after = random.getstate(), np.random.get_state()[1], torch.get_rng_state()
        assert before[0] == after[0] and np.array_equal(before[1], after[1]) and torch.equal(before[2], after[2])
        assert list(tmp_path.iterdir()) == []
        assert capfd.readouterr() == ("", "")

    def test_nothing_is_told_of_its_checkpoints(self, caplog: pytest.LogCaptureFixture) -> None:
        # That they are of the same second is told once in a process.
        logging.Logger.warning_once.cache_clear()
        transformers.utils.logging.enable_propagation()
        try:
            classifier(validation_size=4, num_train_epochs=3).fit(TEXTS, LABELS)
        finally:
            transformers.utils.logging.disable_propagation()
        assert caplog.text == ""

    def test_verbose_shows_the_epochs(self, capfd: pytest.CaptureFixture[str]) -> None:
        classifier(verbose=True, validation_size=5).fit(TEXTS, LABELS)
        printed = capfd.readouterr()
        # The four steps of 27 texts.
        assert "eval_accuracy" in printed.out + printed.err and "| 4/4 [" in printed.err

    @pytest.mark.parametrize("labels", [[3, 8], [False, True]], ids=str)
    def test_labels_come_back_as_they_were(self, labels: list) -> None:
        wanted = [labels[label == "pos"] for label in LABELS]
        predicted = classifier(num_train_epochs=5).fit(np.array(TEXTS, dtype=object), wanted).predict(TEXTS)
        assert predicted.tolist() == wanted and predicted.dtype == np.array(labels).dtype

    @pytest.mark.parametrize(("held_out", "known"), [(None, True), (31, False)])
    def test_only_texts_that_are_not_held_out_are_learnt(self, held_out: int | None, known: bool) -> None:
        # A word must be in two texts to be known.
        texts = [f"{text} rare" if index in (0, 31) else text for index, text in enumerate(TEXTS)]
        vocabulary = classifier(validation_size=held_out).fit(texts, LABELS).tokenizer_.get_vocab()
        assert ("rare" in vocabulary) == known

    def test_it_stops_early(self) -> None:
        # At such a rate nothing gets better for long.
        own = classifier(num_train_epochs=9, validation_size=4, early_stopping_patience=1, learning_rate=1e-9).fit(
            TEXTS, LABELS
        )
        assert own.n_iter_ == 2

    def test_weights_of_classes_are_those_of_the_loss(self) -> None:
        assert classifier(class_weight={"pos": 3}).fit(TEXTS, LABELS).model_.config.class_weights == [1.0, 3.0]
        # Four of one class, and two of the other.
        balanced = classifier(class_weight="balanced").fit(TEXTS[:6], LABELS[:6]).model_.config.class_weights
        assert balanced == [1.5, 0.75]

    def test_what_is_told_names_the_parameter(self, caplog: pytest.LogCaptureFixture) -> None:
        transformers.utils.logging.enable_propagation()
        try:
            classifier().fit([f"word{index}" for index in range(8)] + ["a a"] * 2, [0, 1] * 5)
        finally:
            transformers.utils.logging.disable_propagation()
        assert "tokenizer_kind='bpe'" in caplog.text


class TestScikitLearn:
    """What its own tools do with it."""

    def test_its_checks_do_not_fail(self) -> None:
        with pytest.warns(SkipTestWarning, match="requires input"):
            results = check_estimator(classifier())
        assert [result["status"] for result in results if result["status"] != "passed"] == []

    def test_it_must_be_fitted_first(self, tmp_path: Path) -> None:
        own = classifier()
        for call in (own.predict, own.predict_proba, own.save_pretrained, lambda _: own.to_pipeline()):
            with pytest.raises(NotFittedError):
                call([str(tmp_path)])

    @pytest.mark.parametrize("module", [pickle, joblib], ids=lambda module: module.__name__)
    def test_it_is_pickled(self, module: Any, fitted: AttnLSTMClassifier) -> None:
        stream = io.BytesIO()
        module.dump(fitted, stream)
        stream.seek(0)
        again = module.load(stream)
        assert again.get_params() == fitted.get_params()
        assert np.array_equal(again.predict_proba(TEXTS), fitted.predict_proba(TEXTS))

    def test_cross_validation_and_search(self) -> None:
        assert cross_val_score(classifier(), TEXTS, LABELS, cv=2).shape == (2,)
        search = GridSearchCV(classifier(), {"hidden_size": np.array([4, 8])}, cv=2).fit(TEXTS, LABELS)
        assert search.best_estimator_.model_.config.hidden_size == search.best_params_["hidden_size"]

    @pytest.mark.long
    def test_search_in_processes(self) -> None:
        grid = {"hidden_size": [4, 8]}
        one, two = (GridSearchCV(classifier(), grid, cv=2, n_jobs=jobs).fit(TEXTS, LABELS) for jobs in (1, 2))
        assert one.cv_results_["mean_test_score"].tolist() == two.cv_results_["mean_test_score"].tolist()

    def test_calibration(self) -> None:
        own = CalibratedClassifierCV(classifier(), cv=2).fit(TEXTS, LABELS)
        assert own.predict_proba(TEXTS[:3]).shape == (3, 2)

    def test_pipelines_with_cleaning_and_columns(self) -> None:
        cleaning = FunctionTransformer(lambda texts: [text.replace("good", "fine") for text in texts])
        own: Pipeline = make_pipeline(cleaning, classifier()).fit(TEXTS, LABELS)
        assert "fine" in own[-1].tokenizer_.get_vocab() and "good" not in own[-1].tokenizer_.get_vocab()
        columns = ColumnTransformer([("text", "passthrough", ["text"])], verbose_feature_names_out=False)
        own = make_pipeline(columns, classifier(num_train_epochs=5)).set_output(transform="pandas")
        assert own.fit(FRAME, FRAME["label"]).score(FRAME, FRAME["label"]) == 1.0
        assert own[-1].feature_names_in_.tolist() == ["text"]
        with pytest.raises(ValueError, match="The column is called 'review', and in fit it was 'text'"):
            own[-1].predict(pd.DataFrame({"review": TEXTS}))


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("base")
    (folder / "texts.txt").write_text("\n".join(TEXTS))
    argv = ["--task", "pretraining", "--train_file", str(folder / "texts.txt"), "--output_dir", str(folder / "base")]
    argv += ["--hidden_size", "8", "--embedding_size", "8", "--max_steps", "2", "--use_cpu", "--disable_tqdm", "true"]
    run_task(parse_task(argv))
    return folder / "base"


def test_it_begins_with_a_language_model(base: Path) -> None:
    sizes = {"hidden_size": 256, "embedding_size": 128}
    begun = classifier(model_name_or_path=base, learning_rate=1e-30, **sizes).fit(TEXTS, LABELS)
    expected = transformers.AutoModel.from_pretrained(base).get_input_embeddings().weight
    assert torch.equal(begun.model_.get_input_embeddings().weight.cpu(), expected)
    assert begun.get_params()["model_name_or_path"] == base and clone(begun).model_name_or_path == base
    fitted = classifier(model_name_or_path=str(base), num_train_epochs=12, validation_size=0.25, **sizes)
    assert fitted.fit(TEXTS, LABELS).score(TEXTS, LABELS) > 0.9


def test_what_a_language_model_has_decided_is_refused(base: Path, fitted: AttnLSTMClassifier, tmp_path: Path) -> None:
    sizes = {"hidden_size": 256, "embedding_size": 128}
    fitted.save_pretrained(tmp_path / "model")
    for parameters, sentence in (
        ({"model_name_or_path": base}, "hidden_size is decided by the weights of"),
        ({"model_name_or_path": 3, **sizes}, "model_name_or_path must be a folder or a name, got 3"),
        ({"model_name_or_path": tmp_path / "model", **sizes}, "is no language model"),
        ({"model_name_or_path": "./nowhere", **sizes}, r"There is no folder \./nowhere"),
    ):
        with pytest.raises((ValueError, OSError), match=sentence):
            classifier(**parameters).fit(TEXTS, LABELS)


def test_what_is_saved_loads_in_a_pipeline(fitted: AttnLSTMClassifier, tmp_path: Path) -> None:
    fitted.save_pretrained(tmp_path / "model")
    found = pipeline("text-classification", model=str(tmp_path / "model"))(TEXTS[:2], top_k=None)
    own = fitted.predict_proba(TEXTS[:2])
    for scores, row in zip(found, own):
        assert {entry["label"]: entry["score"] for entry in scores} == pytest.approx(dict(zip(fitted.classes_, row)))


def test_probabilities_are_calibrated(fitted: AttnLSTMClassifier) -> None:
    own = copy.deepcopy(fitted)
    own.model_.config.calibration_temperature = 3.0
    found, logits = own.predict_proba(TEXTS[:2]), np.log(fitted.predict_proba(TEXTS[:2])) / 3
    assert found == pytest.approx(np.exp(logits) / np.exp(logits).sum(1, keepdims=True), abs=1e-4)
    entries = own.to_pipeline()(TEXTS[0], top_k=None)
    assert {entry["label"]: entry["score"] for entry in entries} == pytest.approx(dict(zip(own.classes_, found[0])))


def test_its_pipeline_shows_the_words(fitted: AttnLSTMClassifier) -> None:
    result = fitted.to_pipeline()("good film")[0]
    assert result["label"] == "pos" and [entry["text"] for entry in result["attention"]] == ["good", "film"]

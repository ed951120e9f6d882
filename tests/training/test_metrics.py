"""The metrics against a few lines of NumPy, and at home in evaluate and in the Trainer."""

from __future__ import annotations

import tempfile
from pathlib import Path

import evaluate
import numpy as np
import pytest
import torch
from transformers import EvalPrediction, Trainer, TrainingArguments

from hfattnlstm.training.metrics import (
    F1,
    Accuracy,
    MultiLabelMetrics,
    RegressionMetrics,
    best_metric_for,
    classification_report,
    compute_metrics_for,
)


SINGLE, MULTI, REGRESSION = "single_label_classification", "multi_label_classification", "regression"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where `evaluate` writes when it is told nothing else."""
    monkeypatch.setattr(evaluate.config, "HF_METRICS_CACHE", tmp_path / "cache")
    return tmp_path / "cache"


def counts(references: np.ndarray, predictions: np.ndarray) -> tuple[int, int, int]:
    """True positives, predicted and actual of one class, from boolean vectors."""
    return int((references & predictions).sum()), int(predictions.sum()), int(references.sum())


def precision_recall_f1(right: int, predicted: int, actual: int) -> tuple[float, float, float]:
    f1 = 2 * right / (predicted + actual) if predicted + actual else 0.0
    return right / predicted if predicted else 0.0, right / actual if actual else 0.0, f1


@pytest.fixture
def classes() -> dict[str, np.ndarray]:
    # Class 3 is never predicted, class 4 never right.
    generator = np.random.default_rng(0)
    references = generator.integers(0, 4, 60)
    predictions = np.where(generator.random(60) < 0.6, references, generator.integers(0, 3, 60))
    predictions[predictions == 3] = 0
    predictions[:2] = 4
    return {"predictions": predictions, "references": references}


def f1_by_class(predictions: np.ndarray, references: np.ndarray) -> list[float]:
    return [precision_recall_f1(*counts(references == c, predictions == c))[2] for c in range(5)]


def test_accuracy_and_f1_match_numpy(classes: dict[str, np.ndarray]) -> None:
    accuracy = (classes["predictions"] == classes["references"]).mean()
    assert Accuracy().compute(**classes) == {"accuracy": pytest.approx(accuracy)}
    by_class = f1_by_class(**classes)
    support = [(classes["references"] == c).sum() for c in range(5)]
    assert F1().compute(**classes) == {
        "f1_macro": pytest.approx(np.mean(by_class)),
        "f1_micro": pytest.approx(accuracy),
        "f1_weighted": pytest.approx(np.average(by_class, weights=support)),
    }


def test_report_matches_numpy(classes: dict[str, np.ndarray]) -> None:
    names = ["a", "b", "c", "d", "e", "never seen"]
    report = classification_report(**classes, label_names=names)
    assert list(report["per_class"]) == names
    expected = []
    for index, name in enumerate(names):
        triple = counts(classes["references"] == index, classes["predictions"] == index)
        expected.append(precision_recall_f1(*triple))
        assert list(report["per_class"][name].values()) == pytest.approx([*expected[-1], triple[2]])
    macro = np.mean(expected[:5], axis=0)  # the class never seen does not count
    assert report["macro_avg"] == dict(zip(["precision", "recall", "f1"], map(pytest.approx, macro)), support=60)
    assert report["weighted_avg"]["f1"] == pytest.approx(F1().compute(**classes)["f1_weighted"])
    first_ignored = classes["references"].copy()
    first_ignored[0] = -100
    rest = {name: values[1:] for name, values in classes.items()}
    assert classification_report(classes["predictions"], first_ignored, names) == classification_report(
        **rest, label_names=names
    )


@pytest.mark.parametrize(
    ("references", "names", "sentence"),
    [
        ([0, 2], ["a", "b"], "go from 0 to 2, but must be from 0 to 1"),
        ([0, 1], ["a", "a"], "must be a list of different names"),
        ([-100, -100], ["a", "b"], "every label is -100"),
    ],
)
def test_what_cannot_be_reported_is_one_sentence(references: list[int], names: list[str], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        classification_report(np.array([0, 1]), np.array(references), names)


@pytest.mark.parametrize("num_labels", [1, 2, 5])
def test_multi_label_matches_numpy(num_labels: int) -> None:
    generator = np.random.default_rng(1)
    references, predictions = generator.integers(0, 2, (2, 40, num_labels))
    predictions[:, -1] = 0
    micro = precision_recall_f1(*counts(references.astype(bool), predictions.astype(bool)))
    columns = [counts(r, p) for r, p in zip(references.T.astype(bool), predictions.T.astype(bool))]
    assert MultiLabelMetrics().compute(predictions=predictions, references=references) == {
        "f1_micro": pytest.approx(micro[2]),
        "f1_macro": pytest.approx(np.mean([precision_recall_f1(*column)[2] for column in columns])),
        "precision_micro": pytest.approx(micro[0]),
        "recall_micro": pytest.approx(micro[1]),
        "subset_accuracy": pytest.approx(np.mean([list(r) == list(p) for r, p in zip(references, predictions)])),
        "hamming_loss": pytest.approx((references != predictions).mean()),
    }


def mean_ranks(values: np.ndarray) -> np.ndarray:
    return np.array([(values < v).sum() + ((values == v).sum() + 1) / 2 for v in values])


@pytest.mark.parametrize("outputs", [None, 1, 3])
def test_regression_matches_numpy(outputs: int | None) -> None:
    generator = np.random.default_rng(2)
    references = generator.normal(size=(50, outputs or 1)).round(1)  # rounded, so that ranks are shared
    predictions = (references + generator.normal(size=references.shape)).round(1)
    error = predictions - references
    columns = list(zip(references.T, predictions.T))
    expected = {
        "mse": (error**2).mean(),
        "rmse": np.sqrt((error**2).mean()),
        "mae": np.abs(error).mean(),
        "r2": np.mean(1 - (error**2).sum(0) / ((references - references.mean(0)) ** 2).sum(0)),
        "pearson": np.mean([np.corrcoef(x, y)[0, 1] for x, y in columns]),
        "spearman": np.mean([np.corrcoef(mean_ranks(x), mean_ranks(y))[0, 1] for x, y in columns]),
    }
    shape = (50,) if outputs is None else (50, outputs)
    scores = RegressionMetrics().compute(predictions=predictions.reshape(shape), references=references.reshape(shape))
    assert scores == {name: pytest.approx(value) for name, value in expected.items()}


@pytest.mark.parametrize(
    ("predictions", "references", "expected"),
    [
        ([1.0, 2.0], [3.0, 3.0], {"r2": 0.0, "pearson": 0.0, "spearman": 0.0}),
        ([3.0, 3.0], [3.0, 3.0], {"r2": 1.0, "pearson": 0.0, "spearman": 0.0, "mse": 0.0}),
        ([3.0, 3.0], [1.0, 2.0], {"r2": -9.0, "pearson": 0.0, "spearman": 0.0}),
        ([2.0], [1.0], {"r2": 0.0, "pearson": 0.0, "mse": 1.0}),
        ([1e-170, 2e-170, 3e-170], [1e150, 2e150, 3e150], {"pearson": 1.0, "spearman": 1.0}),
    ],
)
def test_constant_and_extreme_numbers_have_defined_scores(
    predictions: list[float], references: list[float], expected: dict[str, float]
) -> None:
    scores = RegressionMetrics().compute(predictions=predictions, references=references)
    assert {name: scores[name] for name in expected} == pytest.approx(expected)


def test_one_class_and_absent_labels_have_defined_scores() -> None:
    one = {"predictions": [1, 1], "references": [1, 1]}
    assert F1().compute(**one) == {"f1_macro": 1.0, "f1_micro": 1.0, "f1_weighted": 1.0}
    zeros = [[0, 0], [0, 0]]
    scores = MultiLabelMetrics().compute(predictions=zeros, references=zeros)
    assert (scores["f1_micro"], scores["f1_macro"], scores["subset_accuracy"]) == (0.0, 0.0, 1.0)
    many = {"predictions": list(range(40)), "references": list(range(40))}  # as many classes as examples
    assert F1().compute(**many)["f1_macro"] == 1.0


@pytest.mark.parametrize(
    ("metric_class", "predictions", "sentence"),
    [
        (Accuracy, [0.7, 0.2], "predictions must be class ids, but have 0.7: take the argmax"),
        (F1, [float("nan"), 0], "must be class ids, but have nan"),
        (Accuracy, [float("inf"), 0], "must be class ids, but have inf"),
        (MultiLabelMetrics, [[0, 0.5], [1, 1]], "vectors of 0 and 1, but have 0.5"),
        (RegressionMetrics, [[0.0, 1.0], [1.0, float("nan")]], "NaN or infinity in 1 of 4 places"),
    ],
)
def test_wrong_values_are_one_sentence(metric_class: type, predictions: list, sentence: str) -> None:
    good = [[0, 1], [1, 1]] if isinstance(predictions[0], list) else [0, 1]
    with pytest.raises(ValueError, match=sentence):
        metric_class().compute(predictions=predictions, references=good)


def test_metrics_combine(classes: dict[str, np.ndarray]) -> None:
    combined = evaluate.combine({"top": Accuracy(), "all": F1()}, force_prefix=True)
    expected = {"top_accuracy": Accuracy().compute(**classes)["accuracy"]}
    expected |= {f"all_{name}": value for name, value in F1().compute(**classes).items()}
    assert combined.compute(**classes) == expected


def test_a_run_writes_nothing_and_needs_no_cache(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, classes: dict[str, np.ndarray]
) -> None:
    cache.write_text("a file, in which no folder can be made")
    with pytest.raises(OSError):
        Accuracy(keep_in_memory=True)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    logits = np.eye(5)[classes["predictions"]]
    for problem_type, labels in ((SINGLE, classes["references"]), (MULTI, logits), (REGRESSION, logits)):
        assert compute_metrics_for(problem_type)(prediction(logits, labels))
    assert not list((tmp_path / "temporary").iterdir())


def test_label_names_are_checked() -> None:
    for names in ("negative", {0: "negative"}, ["a", "b", "a"]):
        with pytest.raises(ValueError, match="label_names must be a list of different names"):
            compute_metrics_for(SINGLE, names)


def prediction(logits, labels) -> EvalPrediction:
    return EvalPrediction(predictions=logits, label_ids=np.asarray(labels))


def test_single_label_scores_take_the_largest_logit(classes: dict[str, np.ndarray]) -> None:
    logits = np.eye(6, dtype=np.float32)[classes["predictions"]] * 3 - 5
    scores = compute_metrics_for(SINGLE)(prediction(logits, classes["references"]))
    assert scores == Accuracy().compute(**classes) | F1().compute(**classes)
    assert all(type(value) is float for value in scores.values())
    with_states = prediction((logits, np.zeros((60, 2))), classes["references"][:, None])
    assert compute_metrics_for(SINGLE)(with_states) == scores
    named = compute_metrics_for(SINGLE, list("abcde/"))(with_states)
    by_class = [*f1_by_class(**classes), 0.0]
    assert named == scores | {f"f1/{name}": pytest.approx(value) for name, value in zip("abcde/", by_class)}


def test_ignored_labels_do_not_count() -> None:
    logits = np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    assert compute_metrics_for(SINGLE)(prediction(logits, [0, -100, 1]))["accuracy"] == 0.5


def test_multi_label_scores_split_at_zero() -> None:
    logits = np.array([[0.1, -3.0], [0.0, 2.0], [0.4, 0.6]])
    labels = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    decisions = 1 / (1 + np.exp(-logits)) > 0.5
    expected = MultiLabelMetrics().compute(predictions=decisions, references=labels)
    assert compute_metrics_for(MULTI)(prediction(logits, labels)) == expected
    assert expected["subset_accuracy"] == pytest.approx(2 / 3)
    named = compute_metrics_for(MULTI, ["a", "b"])(prediction(logits, labels))
    assert named == expected | {"f1/a": pytest.approx(2 / 3), "f1/b": 1.0}


def test_regression_scores_squeeze_the_logits() -> None:
    logits, labels = np.array([[1.0], [2.0], [4.0]], dtype=np.float32), np.array([1.0, 2.5, 3.0])
    scores = compute_metrics_for(REGRESSION)(prediction(logits, labels))
    assert scores == RegressionMetrics().compute(predictions=logits[:, 0], references=labels)
    assert scores["mse"] == pytest.approx(1.25 / 3)
    named = compute_metrics_for(REGRESSION, ["x", "y"])(prediction(np.zeros((2, 2)), [[1.0, 2.0], [1.0, 2.0]]))
    assert (named["mse/x"], named["mse/y"], named["mse"]) == (1.0, 4.0, 2.5)


@pytest.mark.parametrize(
    ("problem_type", "names", "logits", "labels", "sentence"),
    [
        (SINGLE, ["a", "b", "c"], [[0.0, 1.0]], [0], "label_names has 3 names for 2 columns of logits"),
        (SINGLE, None, [[0.0, 1.0], [np.nan, 1.0]], [0, 1], "logits of 1 of 2 examples are NaN"),
        (MULTI, None, [[0.0, np.nan]], [[0, 1]], "logits of 1 of 1 examples are NaN"),
        (REGRESSION, None, [[np.nan]], [1.0], "logits of 1 of 1 examples are NaN"),
        (REGRESSION, None, [[np.inf]], [1.0], "logits have NaN or infinity"),
        (SINGLE, None, [[0.0, 1.0]], [2], "go from 1 to 2, but must be from 0 to 1"),
        (SINGLE, None, [[0.0, 1.0]], [-1], "go from -1 to 1"),
        (SINGLE, None, [[0.0, 1.0]], [-100], "every label is -100"),
        (SINGLE, None, [[0.0, 1.0]], [0, 1], "2 labels for 1 rows of logits"),
        (SINGLE, None, [0.0, 1.0], [0, 1], r"must have shape \(examples, num_labels\)"),
        (SINGLE, None, np.zeros((0, 2)), [], "nothing to score"),
        (SINGLE, None, [[0.0, 1.0]], None, "nothing to score"),
        (MULTI, None, [[0.0, 1.0]], [0], r"labels have shape \(1,\), the logits \(1, 2\)"),
        (MULTI, None, [[0.0, 1.0]], [[0.0, 0.3]], "labels must be vectors of 0 and 1, but have 0.3"),
        (REGRESSION, None, [[0.0, 1.0]], [1.0], r"labels have shape \(1, 1\), the logits \(1, 2\)"),
    ],
)
def test_what_does_not_fit_is_one_sentence(problem_type, names, logits, labels, sentence) -> None:
    labels = None if labels is None else np.asarray(labels)
    with pytest.raises(ValueError, match=sentence):
        compute_metrics_for(problem_type, names)(EvalPrediction(np.asarray(logits), labels))


def test_best_metric_of_each_problem_type() -> None:
    best = [best_metric_for(problem_type) for problem_type in (SINGLE, MULTI, REGRESSION)]
    assert best == [("accuracy", True), ("f1_micro", True), ("mse", False)]


def test_unknown_problem_type() -> None:
    for function in (compute_metrics_for, best_metric_for):
        with pytest.raises(ValueError, match=r"'ranking' is unknown: use one of .*multi_label_classification"):
            function("ranking")


class TableModel(torch.nn.Module):
    """The logits of each row are a row of its weights."""

    def __init__(self, rows: torch.Tensor) -> None:
        super().__init__()
        self.rows = torch.nn.Parameter(rows)

    def forward(self, index: torch.Tensor, labels: torch.Tensor | None = None) -> dict[str, torch.Tensor]:
        logits = self.rows[index]
        return {"loss": logits.sum() * 0, "logits": logits}


@pytest.mark.parametrize(
    ("problem_type", "labels", "expected"),
    [
        (SINGLE, [0, 1, 1, 1], {"eval_accuracy": 0.5, "eval_f1_macro": 0.5, "eval_f1_micro": 0.5}),
        (MULTI, [[1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [0.0, 0.0]], {"eval_f1_micro": 0.75}),
        (REGRESSION, [[1.0, -1.0], [1.0, -1.0], [-1.0, 1.0], [1.0, 1.0]], {"eval_mse": 0.5}),
    ],
)
def test_trainer_finds_the_best_metric(problem_type: str, labels: list, expected: dict, tmp_path) -> None:
    model = TableModel(torch.tensor([[1.0, -1.0], [1.0, -1.0], [-1.0, 1.0], [1.0, -1.0]]))
    data = [{"index": index, "labels": label} for index, label in enumerate(labels)]
    name, greater_is_better = best_metric_for(problem_type)
    arguments = TrainingArguments(
        output_dir=str(tmp_path),
        metric_for_best_model=name,
        greater_is_better=greater_is_better,
        use_cpu=True,
        num_train_epochs=1,
        eval_strategy="epoch",
        save_strategy="best",
        disable_tqdm=True,
        report_to=[],
    )
    trainer = Trainer(
        model, arguments, train_dataset=data, eval_dataset=data, compute_metrics=compute_metrics_for(problem_type)
    )
    trainer.train()
    scores = trainer.evaluate()
    assert {key: scores[key] for key in expected} == pytest.approx(expected)
    assert trainer.state.best_metric == pytest.approx(scores[f"eval_{name}"])

"""Scores for classification and regression: small `evaluate` metrics, and the Trainer's functions that call them.

The metrics need no network. `evaluate` makes a folder in its cache for every metric, so that the Trainer's functions
hand it a temporary one and keep the values in memory: they work on a read-only home and leave nothing behind.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import datasets
import evaluate
import numpy as np
from sklearn import metrics as sklearn_metrics
from transformers import EvalPrediction

from ..modeling.configuration_attnlstm import MULTI_LABEL, REGRESSION, SINGLE_LABEL


# The label that cross entropy leaves out, and so do the scores.
IGNORED_LABEL = -100

# What is undefined, such as the precision of a class that was never predicted, counts as 0.
_precision_recall_f1 = partial(sklearn_metrics.precision_recall_fscore_support, zero_division=0)

# Not int64, which would silently make class 0 of the probability 0.7.
_NUMBER = datasets.Value("float64")
_VECTOR = datasets.Sequence(_NUMBER)


def _check_label_names(label_names: Sequence[str]) -> None:
    if isinstance(label_names, (str, Mapping)) or len(set(label_names)) < len(label_names):
        raise ValueError("label_names must be a list of different names, those of class 0, 1, and so on.")


def _class_ids(values: Any, name: str) -> np.ndarray:
    array = np.asarray(values, dtype=np.float64)
    wrong = array[~np.isfinite(array) | (array != np.floor(array))]
    if wrong.size:
        raise ValueError(f"The {name} must be class ids, but have {wrong[0]}: take the argmax of scores first.")
    return array.astype(np.int64)


def _indicators(values: Any, name: str) -> np.ndarray:
    array = np.asarray(values)
    wrong = array[(array != 0) & (array != 1)]
    if wrong.size:
        raise ValueError(f"The {name} must be vectors of 0 and 1, but have {wrong[0]}.")
    return array.astype(np.int64)


def _numbers(values: Any, name: str) -> np.ndarray:
    array = np.asarray(values, dtype=np.float64)
    broken = array.size - np.isfinite(array).sum()
    if broken:
        raise ValueError(f"The {name} have NaN or infinity in {broken} of {array.size} places: they must be numbers.")
    return array.reshape(len(array), -1)


def _without_ignored(
    references: np.ndarray, predictions: np.ndarray, num_labels: int
) -> tuple[np.ndarray, np.ndarray]:
    kept = references != IGNORED_LABEL
    if not kept.any():
        raise ValueError(f"There is nothing to score: every label is {IGNORED_LABEL}.")
    references, predictions = _class_ids(references[kept], "labels"), predictions[kept]
    ids = np.union1d(references, predictions)
    if ids[0] < 0 or ids[-1] >= num_labels:
        raise ValueError(f"The class ids go from {ids[0]} to {ids[-1]}, but must be from 0 to {num_labels - 1}.")
    return references, predictions


def _check_same_shape(labels: np.ndarray, logits: np.ndarray) -> None:
    if labels.shape != logits.shape:
        raise ValueError(f"The labels have shape {labels.shape}, the logits {logits.shape}: they must be equal.")


def _f1(references: np.ndarray, predictions: np.ndarray, axis: int | None) -> np.ndarray:
    """F1 of 0 and 1 along an axis, or over all of them; 0 where there is no 1."""
    ones = (references + predictions).sum(axis)
    return 2 * (references * predictions).sum(axis) / np.maximum(ones, 1)


def _r2(references: np.ndarray, predictions: np.ndarray) -> float:
    if np.ptp(references) == 0:
        return float(np.array_equal(references, predictions))
    return float(sklearn_metrics.r2_score(references, predictions))


def _pearson(x: np.ndarray, y: np.ndarray) -> float:
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return 0.0
    # Scaled first, so that the squares of very small or large numbers neither vanish nor overflow.
    x, y = ((v - v.mean()) / np.ptp(v) for v in (x, y))
    return float(np.clip(x @ y / np.sqrt((x @ x) * (y @ y)), -1.0, 1.0))


def _ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 1; equal values share their mean rank."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[inverse]


class _Metric(evaluate.Metric):
    """What the metrics tell `evaluate` about themselves."""

    # The first that fits the first example is taken.
    _features: Sequence[datasets.Value | datasets.Sequence] = (_NUMBER,)
    _inputs = "one class id an example"

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description=type(self).__doc__.splitlines()[0],
            citation="Pedregosa et al.: Scikit-learn: Machine Learning in Python. JMLR 12, 2825-2830, 2011.",
            inputs_description=f"\nArgs:\n    predictions: {self._inputs}.\n    references: {self._inputs}.\n",
            features=[datasets.Features({"predictions": f, "references": f}) for f in self._features],
        )


class Accuracy(_Metric):
    """The share of examples whose predicted class is the right one, as `accuracy`.

    Example:
        >>> Accuracy(keep_in_memory=True).compute(predictions=[0, 1, 1, 0], references=[0, 1, 0, 0])
        {'accuracy': 0.75}
    """

    def _compute(self, *, predictions: list, references: list) -> dict[str, float]:
        right = _class_ids(predictions, "predictions") == _class_ids(references, "references")
        return {"accuracy": float(right.mean())}


class F1(_Metric):
    """F1 over the classes that occur in predictions or references, as `f1_macro`, `f1_micro` and `f1_weighted`.

    Macro is the plain mean over classes, weighted the mean by number of references, micro counts all decisions
    together. A class that is never right has F1 0.

    Example:
        >>> F1(keep_in_memory=True).compute(predictions=[0, 1, 1, 1], references=[0, 1, 0, 0])
        {'f1_macro': 0.5, 'f1_micro': 0.5, 'f1_weighted': 0.5}
    """

    def _compute(self, *, predictions: list, references: list) -> dict[str, float]:
        classes = _class_ids(references, "references"), _class_ids(predictions, "predictions")
        return {f"f1_{a}": float(_precision_recall_f1(*classes, average=a)[2]) for a in ("macro", "micro", "weighted")}


class MultiLabelMetrics(_Metric):
    """Scores of labels that do not exclude each other, from one vector of 0 and 1 an example.

    The result has `f1_micro`, `f1_macro` (the mean over all labels), `precision_micro`, `recall_micro`,
    `subset_accuracy` (the share of examples with every label right) and `hamming_loss` (the share of single
    decisions that are wrong). What is undefined, such as the F1 of a label that never occurs, is 0.

    Example:
        >>> metric = MultiLabelMetrics(keep_in_memory=True)
        >>> scores = metric.compute(predictions=[[1, 0], [1, 1]], references=[[1, 0], [0, 1]])
        >>> scores["f1_micro"], scores["subset_accuracy"], scores["hamming_loss"]
        (0.8, 0.5, 0.25)
    """

    _features = (_VECTOR,)
    _inputs = "one vector of 0 and 1 an example, one number a label"

    def _compute(self, *, predictions: list, references: list) -> dict[str, float]:
        references, predictions = _indicators(references, "references"), _indicators(predictions, "predictions")
        right = (references * predictions).sum()
        return {
            "f1_micro": float(_f1(references, predictions, axis=None)),
            "f1_macro": float(_f1(references, predictions, axis=0).mean()),
            "precision_micro": float(right / max(predictions.sum(), 1)),
            "recall_micro": float(right / max(references.sum(), 1)),
            "subset_accuracy": float((references == predictions).all(axis=1).mean()),
            "hamming_loss": float((references != predictions).mean()),
        }


class RegressionMetrics(_Metric):
    """Errors and correlations of predicted numbers, one an example or one vector an example.

    The result has `mse`, `rmse` (its root), `mae`, `r2`, `pearson` and `spearman`; for vectors, the mean over
    columns (`rmse` is the root of the mean `mse`). Where one side is constant, the correlations are 0, and where
    the references are constant, `r2` is 1 if every prediction is exact and 0 if not.

    Example:
        >>> metric = RegressionMetrics(keep_in_memory=True)
        >>> metric.compute(predictions=[1.0, 2.0, 4.0], references=[1.0, 2.0, 2.0])["rmse"]
        1.1547005383792515
    """

    _features = (_VECTOR, _NUMBER)
    _inputs = "one number or one vector of numbers an example"

    def _compute(self, *, predictions: list, references: list) -> dict[str, float]:
        references, predictions = _numbers(references, "references"), _numbers(predictions, "predictions")
        mse = float(((references - predictions) ** 2).mean())
        columns = list(zip(references.T, predictions.T))
        return {
            "mse": mse,
            "rmse": mse**0.5,
            "mae": float(np.abs(references - predictions).mean()),
            "r2": float(np.mean([_r2(x, y) for x, y in columns])),
            "pearson": float(np.mean([_pearson(x, y) for x, y in columns])),
            "spearman": float(np.mean([_pearson(_ranks(x), _ranks(y)) for x, y in columns])),
        }


def classification_report(
    predictions: np.ndarray, references: np.ndarray, label_names: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Precision, recall, F1 and support (number of references) of every class, by label name.

    Args:
        predictions: One class id an example.
        references: One class id an example; examples with -100 are left out.
        label_names: The name of class 0, 1, and so on; all of them are reported.

    Returns:
        `per_class`, a dictionary a label name, and `macro_avg` and `weighted_avg` over the classes that occur in
        predictions or references. What is undefined, such as the precision of a class never predicted, is 0.

    Raises:
        ValueError: When a class id has no name, two classes have the same one, or no example has a label.

    Example:
        >>> report = classification_report(np.array([0, 1, 1]), np.array([0, 1, 0]), ["bad", "good"])
        >>> report["per_class"]["bad"]["recall"]
        0.5
    """
    _check_label_names(label_names)
    references, predictions = _without_ignored(references, predictions, len(label_names))
    rows = zip(*_precision_recall_f1(references, predictions, labels=np.arange(len(label_names))))
    report: dict[str, Any] = {"per_class": {name: _report_row(*row) for name, row in zip(label_names, rows)}}
    for average in ("macro", "weighted"):
        row = _precision_recall_f1(references, predictions, average=average)
        report[f"{average}_avg"] = _report_row(*row[:3], len(references))
    return report


def _report_row(precision: float, recall: float, f1: float, support: int) -> dict[str, float | int]:
    return {"precision": float(precision), "recall": float(recall), "f1": float(f1), "support": int(support)}


def _single_label(logits: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    labels = labels.reshape(-1)
    if len(labels) != len(logits):
        raise ValueError(f"There are {len(labels)} labels for {len(logits)} rows of logits: give one label a row.")
    return _without_ignored(labels, logits.argmax(axis=1), logits.shape[1])


def _multi_label(logits: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    _check_same_shape(labels, logits)
    return _indicators(labels, "labels"), (logits > 0).astype(np.int64)


def _regression(logits: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    references, predictions = _numbers(labels, "labels"), _numbers(logits, "logits")
    _check_same_shape(references, predictions)
    return references, predictions


# How to prepare logits and labels, the metrics, the score that chooses the best checkpoint, and if greater is better.
_PROBLEMS = {
    SINGLE_LABEL: (_single_label, (Accuracy, F1), "accuracy", True),
    MULTI_LABEL: (_multi_label, (MultiLabelMetrics,), "f1_micro", True),
    REGRESSION: (_regression, (RegressionMetrics,), "mse", False),
}


def _check_problem_type(problem_type: str) -> None:
    if problem_type not in _PROBLEMS:
        raise ValueError(f"problem_type {problem_type!r} is unknown: use one of {list(_PROBLEMS)}.")


def _logits_of(prediction: EvalPrediction, problem_type: str) -> np.ndarray:
    logits = prediction.predictions
    logits = np.asarray(logits[0] if isinstance(logits, (tuple, list)) else logits)
    if prediction.label_ids is None or logits.size == 0:
        raise ValueError("There is nothing to score: the evaluation data has no labels or no examples.")
    flat = logits.reshape(len(logits), -1)
    broken = int(np.isnan(flat).any(axis=1).sum())
    if broken:
        raise ValueError(f"The logits of {broken} of {len(logits)} examples are NaN: lower the learning rate.")
    logits = flat if problem_type == REGRESSION else logits
    if logits.ndim != 2:
        raise ValueError(f"The logits must have shape (examples, num_labels), but have shape {logits.shape}.")
    return logits


def _column_scores(
    problem_type: str, references: np.ndarray, predictions: np.ndarray, names: Sequence[str]
) -> dict[str, float]:
    if problem_type == REGRESSION:
        errors = ((references - predictions) ** 2).mean(axis=0)
        return {f"mse/{name}": float(error) for name, error in zip(names, errors)}
    if problem_type == SINGLE_LABEL:
        references, predictions = (np.eye(len(names))[ids] for ids in (references, predictions))
    return {f"f1/{name}": float(f1) for name, f1 in zip(names, _f1(references, predictions, axis=0))}


def _score(prediction: EvalPrediction, *, problem_type: str, label_names: Sequence[str] | None) -> dict[str, float]:
    prepare, metrics, *_ = _PROBLEMS[problem_type]
    logits = _logits_of(prediction, problem_type)
    if label_names is not None and len(label_names) != logits.shape[1]:
        raise ValueError(f"label_names has {len(label_names)} names for {logits.shape[1]} columns of logits.")
    references, predictions = prepare(logits, np.asarray(prediction.label_ids))
    with tempfile.TemporaryDirectory() as folder:
        metric = evaluate.combine([metric(keep_in_memory=True, cache_dir=folder) for metric in metrics])
        scores = metric.compute(predictions=predictions, references=references)
    return scores | (_column_scores(problem_type, references, predictions, label_names) if label_names else {})


def compute_metrics_for(
    problem_type: str, label_names: Sequence[str] | None = None
) -> Callable[[EvalPrediction], dict[str, float]]:
    """Makes the `compute_metrics` function of a `transformers.Trainer`.

    Single label: the scores of `Accuracy` and `F1`, from the largest logit; examples whose label is -100 are left
    out, as cross entropy does. Multi-label: the scores of `MultiLabelMetrics`, from logits above 0
    (probabilities above one half). Regression: the scores of `RegressionMetrics`.

    Args:
        problem_type: "single_label_classification", "multi_label_classification" or "regression".
        label_names: One name a column of the logits. Adds the score of each column, as `f1/<name>`, or as
            `mse/<name>` for regression.

    Returns:
        A function from an `EvalPrediction` to flat numbers; shapes or labels that do not fit are a ValueError.

    Raises:
        ValueError: When the problem type is unknown, or `label_names` is no list of different names.

    Example:
        >>> compute_metrics = compute_metrics_for("single_label_classification")
        >>> compute_metrics(EvalPrediction(np.array([[2.0, 1.0], [0.0, 1.0]]), np.array([0, 1])))["accuracy"]
        1.0
    """
    _check_problem_type(problem_type)
    if label_names is not None:
        _check_label_names(label_names)
    return partial(_score, problem_type=problem_type, label_names=label_names)


def best_metric_for(problem_type: str) -> tuple[str, bool]:
    """The score that chooses the best checkpoint: its name, and whether greater is better.

    Args:
        problem_type: "single_label_classification", "multi_label_classification" or "regression".

    Returns:
        Values for `metric_for_best_model` and `greater_is_better` of `transformers.TrainingArguments`.

    Raises:
        ValueError: When the problem type is unknown.

    Example:
        >>> best_metric_for("regression")
        ('mse', False)
    """
    _check_problem_type(problem_type)
    return _PROBLEMS[problem_type][2:]

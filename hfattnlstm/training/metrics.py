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

from ..modeling.configuration_base import MULTI_LABEL, REGRESSION, SINGLE_LABEL
from ..modeling.configuration_checks import check_positive, check_threshold
from ..modeling.losses import IGNORED
from .calibration import sigmoid
from .correlations import pearson, r2, ranks


# The threshold of several labels a text where nobody says otherwise.
ONE_HALF = 0.5
# One for all labels, or one for each.
Threshold = float | Sequence[float]

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
    kept = references != IGNORED
    if not kept.any():
        raise ValueError(f"There is nothing to score: every label is {IGNORED}.")
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
            "r2": float(np.mean([r2(x, y) for x, y in columns])),
            "pearson": float(np.mean([pearson(x, y) for x, y in columns])),
            "spearman": float(np.mean([pearson(ranks(x), ranks(y)) for x, y in columns])),
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


def _single_label(logits: np.ndarray, labels: np.ndarray, _: Threshold) -> tuple[np.ndarray, np.ndarray]:
    labels = labels.reshape(-1)
    if len(labels) != len(logits):
        raise ValueError(f"There are {len(labels)} labels for {len(logits)} rows of logits: give one label a row.")
    return _without_ignored(labels, logits.argmax(axis=1), logits.shape[1])


def _multi_label(logits: np.ndarray, labels: np.ndarray, threshold: Threshold) -> tuple[np.ndarray, np.ndarray]:
    _check_same_shape(labels, logits)
    check_threshold(threshold, logits.shape[1])
    return _indicators(labels, "labels"), (sigmoid(logits) > np.asarray(threshold)).astype(np.int64)


def _regression(logits: np.ndarray, labels: np.ndarray, _: Threshold) -> tuple[np.ndarray, np.ndarray]:
    references, predictions = _numbers(labels, "labels"), _numbers(logits, "logits")
    _check_same_shape(references, predictions)
    return references, predictions


# How to prepare logits and labels, the metrics, and the score that chooses the best checkpoint.
_PROBLEMS = {
    SINGLE_LABEL: (_single_label, (Accuracy, F1), "accuracy"),
    MULTI_LABEL: (_multi_label, (MultiLabelMetrics,), "f1_micro"),
    REGRESSION: (_regression, (RegressionMetrics,), "mse"),
}
_LOSS = {"loss": False}
# Whether greater is better, for every score that the Trainer can choose by.
_DIRECTIONS = {
    SINGLE_LABEL: {**dict.fromkeys(("accuracy", "f1_macro", "f1_micro", "f1_weighted"), True), **_LOSS},
    MULTI_LABEL: {
        **dict.fromkeys(("f1_micro", "f1_macro", "precision_micro", "recall_micro", "subset_accuracy"), True),
        "hamming_loss": False,
        **_LOSS,
    },
    REGRESSION: {
        **dict.fromkeys(("mse", "rmse", "mae"), False),
        **dict.fromkeys(("r2", "pearson", "spearman"), True),
        **_LOSS,
    },
}
# Of the scores of one column, the part before the slash.
_COLUMN_DIRECTIONS = {SINGLE_LABEL: ("f1", True), MULTI_LABEL: ("f1", True), REGRESSION: ("mse", False)}


def _check_problem_type(problem_type: str) -> None:
    if problem_type not in _PROBLEMS:
        raise ValueError(f"problem_type {problem_type!r} is unknown: use one of {list(_PROBLEMS)}.")


def all_logits(predictions: Any) -> np.ndarray:
    """The logits among what the Trainer predicted: an array, a tuple that they lead, or a list of either by batch.

    Args:
        predictions: `predictions` of an `EvalPrediction` or a `PredictionOutput`; a list of batches is what
            `eval_do_concat_batches=False` leaves.

    Example:
        >>> all_logits([np.zeros((2, 3)), np.zeros((1, 3))]).shape
        (3, 3)
    """
    if isinstance(predictions, list) and predictions and isinstance(predictions[0], (np.ndarray, tuple)):
        return np.concatenate([all_logits(batch) for batch in predictions])
    return np.asarray(predictions[0] if isinstance(predictions, tuple) else predictions)


def all_labels(label_ids: Any) -> np.ndarray:
    """The labels that the Trainer returns with its predictions, likewise."""
    by_batch = isinstance(label_ids, list) and label_ids and isinstance(label_ids[0], np.ndarray)
    return np.concatenate(label_ids) if by_batch else np.asarray(label_ids)


def _logits_of(prediction: EvalPrediction, problem_type: str) -> np.ndarray:
    logits = all_logits(prediction.predictions)
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


def prepared(
    prediction: EvalPrediction, problem_type: str, threshold: Threshold = ONE_HALF, temperature: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """References and predictions as the metrics of a problem type take them.

    Args:
        prediction: Logits and labels.
        problem_type, threshold, temperature: As in [`compute_metrics_for`].

    Returns:
        Class ids (examples,), vectors of 0 and 1 (examples, labels), or numbers (examples, columns).

    Raises:
        ValueError: When logits or labels do not fit.

    Example:
        >>> prepared(EvalPrediction(np.array([[2.0, 1.0]]), np.array([0])), "single_label_classification")
        (array([0]), array([0]))
    """
    logits = _logits_of(prediction, problem_type) / temperature
    return _PROBLEMS[problem_type][0](logits, all_labels(prediction.label_ids), threshold)


class Scorer:
    """The `compute_metrics` of a Trainer, see [`compute_metrics_for`].

    Attributes:
        problem_type, label_names, threshold, temperature: As given.
    """

    def __init__(
        self, problem_type: str, label_names: Sequence[str] | None, threshold: Threshold, temperature: float = 1.0
    ):
        self.problem_type, self.label_names = problem_type, label_names
        self.threshold, self.temperature = threshold, temperature

    def __call__(self, prediction: EvalPrediction) -> dict[str, float]:
        """The scores of logits and labels."""
        names = self.label_names
        columns = _logits_of(prediction, self.problem_type).shape[1]
        if names is not None and len(names) != columns:
            raise ValueError(f"label_names has {len(names)} names for {columns} columns of logits.")
        references, predictions = prepared(prediction, self.problem_type, self.threshold, self.temperature)
        with tempfile.TemporaryDirectory() as folder:
            metrics = [metric(keep_in_memory=True, cache_dir=folder) for metric in _PROBLEMS[self.problem_type][1]]
            scores = evaluate.combine(metrics).compute(predictions=predictions, references=references)
        return scores | (_column_scores(self.problem_type, references, predictions, names) if names else {})

    def directions(self) -> dict[str, bool]:
        """The names of the scores, and of the loss, with whether greater is better."""
        return metric_directions(self.problem_type, self.label_names)


def compute_metrics_for(
    problem_type: str,
    label_names: Sequence[str] | None = None,
    threshold: Threshold = ONE_HALF,
    temperature: float = 1.0,
) -> Callable[[EvalPrediction], dict[str, float]]:
    """Makes the `compute_metrics` function of a `transformers.Trainer`.

    Single label: the scores of `Accuracy` and `F1`, from the largest logit; examples whose label is -100 are left
    out, as cross entropy does. Multi-label: the scores of `MultiLabelMetrics`, from the labels whose probability is
    above the threshold. Regression: the scores of `RegressionMetrics`.

    Args:
        problem_type: "single_label_classification", "multi_label_classification" or "regression".
        label_names: One name a column of the logits. Adds the score of each column, as `f1/<name>`, or as
            `mse/<name>` for regression.
        threshold: In multi-label problems, the probability above which a label is taken to apply, one number or one
            a label; give `config.threshold` of the model.
        temperature: Divides the logits of a classification before they become probabilities; give
            `config.calibration_temperature` of the model.

    Returns:
        A function from an `EvalPrediction` to flat numbers; shapes or labels that do not fit are a ValueError.

    Raises:
        ValueError: When the problem type is unknown, `label_names` is no list of different names, the threshold is
            no probability, the temperature is not above 0, or one of the two has no meaning for the problem type.

    Example:
        >>> compute_metrics = compute_metrics_for("single_label_classification")
        >>> compute_metrics(EvalPrediction(np.array([[2.0, 1.0], [0.0, 1.0]]), np.array([0, 1])))["accuracy"]
        1.0
    """
    _check_problem_type(problem_type)
    if label_names is not None:
        _check_label_names(label_names)
    check_threshold(threshold)
    check_positive("temperature", temperature)
    if temperature != 1 and problem_type == REGRESSION:
        raise ValueError("A regression has no temperature: leave it out.")
    if threshold != ONE_HALF and problem_type != MULTI_LABEL:
        raise ValueError(f"threshold={threshold} has a meaning for {MULTI_LABEL} only: leave it out.")
    return Scorer(problem_type, label_names, threshold, temperature)


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
    name = _PROBLEMS[problem_type][2]
    return name, _DIRECTIONS[problem_type][name]


def metric_directions(problem_type: str, label_names: Sequence[str] | None = None) -> dict[str, bool]:
    """The names of all scores of a problem type, and whether greater is better.

    Args:
        problem_type: "single_label_classification", "multi_label_classification" or "regression".
        label_names: Of the columns; their scores are among the names then.

    Raises:
        ValueError: When the problem type is unknown.

    Example:
        >>> metric_directions("regression")["rmse"], metric_directions("regression")["r2"]
        (False, True)
    """
    _check_problem_type(problem_type)
    column, is_better = _COLUMN_DIRECTIONS[problem_type]
    return _DIRECTIONS[problem_type] | {f"{column}/{name}": is_better for name in label_names or ()}


def greater_is_better(metric: str) -> bool | None:
    """Whether greater is better in a metric of this package; None for others.

    Args:
        metric: Its name; it may begin with `eval_` or a data set (`eval_web_mse`), and end with a label (`mse/stars`).

    Example:
        >>> greater_is_better("eval_hamming_loss"), greater_is_better("f1/good"), greater_is_better("bleu")
        (False, True, None)
    """
    name = metric.removeprefix("eval_").partition("/")[0]
    known = dict(_COLUMN_DIRECTIONS.values())
    for directions in _DIRECTIONS.values():
        known |= directions
    if name in known:
        return known[name]
    # The longest, because "hamming_loss" is not the loss.
    endings = [other for other in known if name.endswith(f"_{other}")]
    return known[max(endings, key=len)] if endings else None

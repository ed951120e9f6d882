"""Scores for classification and regression: `evaluate` metrics that need no network, and the Trainer's functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
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
_f1_score = partial(sklearn_metrics.f1_score, zero_division=0)
_precision_recall_f1 = partial(sklearn_metrics.precision_recall_fscore_support, zero_division=0)

_CITATION = """\
@article{scikit-learn,
  title={Scikit-learn: Machine Learning in {P}ython},
  author={Pedregosa, F. and others},
  journal={Journal of Machine Learning Research},
  volume={12}, pages={2825--2830}, year={2011}
}"""


def _check_label_names(label_names: Sequence[str] | None) -> list[str] | None:
    if label_names is None:
        return None
    if isinstance(label_names, (str, Mapping)):
        raise TypeError("label_names must be a list with the name of class 0, 1, and so on.")
    names = [str(name) for name in label_names]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(f"label_names has {repeated[0]!r} more than once: give every class a name of its own.")
    return names


def _as_array(values: Any, name: str, expected: str) -> np.ndarray:
    if values is None:
        raise ValueError(f"The {name} are missing: pass predictions= and references= together.")
    if not isinstance(values, np.ndarray):
        # Lists, tensors of any kind and device, and columns of a data set alike.
        values = values.tolist() if hasattr(values, "tolist") else list(values)
    try:
        array = np.asarray(values)
    except ValueError:
        raise ValueError(f"The {name} have rows of different lengths: they must be {expected}.") from None
    if array.dtype.kind not in "biuf":
        wrong = next((v for v in array.ravel().tolist() if not isinstance(v, (int, float))), array.dtype)
        raise ValueError(f"The {name} must be {expected}, but have {wrong!r}.")
    return array


def _class_ids(values: Any, name: str) -> np.ndarray:
    hint = "class ids (turn label names into ids with label2id, in an evaluator with label_mapping=)"
    array = _as_array(values, name, hint)
    if array.ndim != 1:
        raise ValueError(f"The {name} must be one class id an example, but have shape {array.shape}: take the argmax.")
    # Converting would silently make class 0 of the probability 0.7.
    wrong = array[~np.isfinite(array) | (array != np.floor(array))]
    if wrong.size:
        raise ValueError(f"The {name} must be class ids, but have {wrong[0]}: take the argmax of scores first.")
    return array.astype(np.int64)


def _indicators(values: Any, name: str) -> np.ndarray:
    array = _as_array(values, name, "vectors of 0 and 1")
    wrong = array[(array != 0) & (array != 1)]
    if wrong.size:
        raise ValueError(f"The {name} must be vectors of 0 and 1, but have {wrong[0]}.")
    if array.size and array.ndim != 2:
        raise ValueError(f"The {name} must have shape (examples, labels), but have shape {array.shape}.")
    return array.astype(np.int64)


def _numbers(values: Any, name: str) -> np.ndarray:
    array = _as_array(values, name, "numbers").astype(np.float64)
    broken = array.size - np.isfinite(array).sum()
    if broken:
        raise ValueError(f"The {name} have NaN or infinity in {broken} of {array.size} places: they must be numbers.")
    if array.size and array.ndim not in (1, 2):
        raise ValueError(f"The {name} must have shape (examples,) or (examples, outputs), but have {array.shape}.")
    return array.reshape(len(array), -1) if array.size else array


def _check_range(labels: np.ndarray, num_labels: int, because: str) -> None:
    if labels.min() < 0 or labels.max() >= num_labels:
        raise ValueError(f"The class ids go from {labels.min()} to {labels.max()}, but {because.format(num_labels)}.")


def _check_same_shape(a: np.ndarray, b: np.ndarray, a_name: str, b_name: str) -> None:
    if a.shape != b.shape:
        raise ValueError(f"The {a_name} have shape {a.shape}, the {b_name} {b.shape}: they must be equal.")


def _accuracy(references: np.ndarray, predictions: np.ndarray) -> dict[str, float]:
    return {"accuracy": float(sklearn_metrics.accuracy_score(references, predictions))}


def _f1_averages(references: np.ndarray, predictions: np.ndarray) -> dict[str, float]:
    return {f"f1_{a}": float(_f1_score(references, predictions, average=a)) for a in ("macro", "micro", "weighted")}


def _f1_of_columns(references: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    # scikit-learn takes a single column for two exclusive classes, so it is told which of them counts.
    labels = [1] if references.shape[1] == 1 else None
    return _f1_score(references, predictions, labels=labels, average=None)


def _multi_label_scores(references: np.ndarray, predictions: np.ndarray) -> dict[str, float]:
    # Micro scores are those of label 1 over all single decisions, which holds for a single column too.
    decisions = references.ravel(), predictions.ravel()
    precision, recall, f1, _ = _precision_recall_f1(*decisions, labels=[1], average="micro")
    return {
        "f1_micro": float(f1),
        "f1_macro": float(_f1_of_columns(references, predictions).mean()),
        "precision_micro": float(precision),
        "recall_micro": float(recall),
        "subset_accuracy": float((references == predictions).all(axis=1).mean()),
        "hamming_loss": float(sklearn_metrics.hamming_loss(*decisions)),
    }


def _regression_scores(references: np.ndarray, predictions: np.ndarray) -> dict[str, float]:
    mse = float(sklearn_metrics.mean_squared_error(references, predictions))
    columns = list(zip(references.T, predictions.T))
    return {
        "mse": mse,
        "rmse": mse**0.5,
        "mae": float(sklearn_metrics.mean_absolute_error(references, predictions)),
        "r2": float(np.mean([_r2(x, y) for x, y in columns])),
        "pearson": float(np.mean([_pearson(x, y) for x, y in columns])),
        "spearman": float(np.mean([_pearson(_ranks(x), _ranks(y)) for x, y in columns])),
    }


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


def _report_row(precision: float, recall: float, f1: float, support: int) -> dict[str, float | int]:
    return {"precision": float(precision), "recall": float(recall), "f1": float(f1), "support": int(support)}


class _OfflineMetric(evaluate.Metric):
    """An `evaluate.Metric` that checks its inputs, writes no file unless asked to, and cleans up after an error."""

    _description = ""
    _inputs = "class ids, one whole number an example"
    _feature: datasets.Value | datasets.Sequence = datasets.Value("int64")
    _check = staticmethod(_class_ids)
    _score: Callable[[np.ndarray, np.ndarray], dict[str, Any]]

    def __init__(self, config_name: str | None = None, **kwargs: Any) -> None:
        # Several processes can only meet in files.
        kwargs.setdefault("keep_in_memory", kwargs.get("num_process", 1) == 1)
        super().__init__(config_name, **kwargs)

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description=self._description,
            citation=_CITATION,
            inputs_description=f"\nArgs:\n    predictions: {self._inputs}.\n    references: {self._inputs}.\n",
            features=datasets.Features({"predictions": self._feature, "references": self._feature}),
            reference_urls=["https://scikit-learn.org/stable/modules/model_evaluation.html"],
        )

    def _build_data_dir(self) -> str:
        # The parent makes the folder at once, which fails on a read-only home though nothing would be written there.
        return self._data_dir_root if self.keep_in_memory else super()._build_data_dir()

    def add(self, *, prediction: Any = None, reference: Any = None, **kwargs: Any) -> None:
        """Adds one example."""
        # `evaluate.combine` hands the plural names to `add`.
        prediction, reference = kwargs.pop("predictions", prediction), kwargs.pop("references", reference)
        self.add_batch(predictions=[prediction], references=[reference], **kwargs)

    def add_batch(self, *, predictions: Any = None, references: Any = None, **kwargs: Any) -> None:
        """Adds a batch of examples."""
        predictions = self._check(predictions, "predictions")
        references = self._check(references, "references")
        _check_same_shape(predictions, references, "predictions", "references")
        super().add_batch(predictions=predictions, references=references, **kwargs)

    def compute(self, *, predictions: Any = None, references: Any = None, **kwargs: Any) -> dict[str, Any] | None:
        """Scores what was added, and the examples given here; None on every process but the first."""
        if predictions is None and references is None and self.writer is None:
            raise ValueError(f"{type(self).__name__} has nothing to score: give it predictions= and references=.")
        self.file_paths = self.filelocks = None
        try:
            return super().compute(predictions=predictions, references=references, **kwargs)
        except Exception:
            # The parent cleans up only after success. An open writer is kept: then only the last batch was refused.
            if self.writer is None:
                self.data = self.buf_writer = None
            for path, lock in zip(self.file_paths or [], self.filelocks or []):
                Path(path).unlink(missing_ok=True)
                lock.release()
            raise

    def _compute(self, *, predictions: Any = None, references: Any = None) -> dict[str, Any]:
        if len(predictions) == 0:
            raise ValueError(f"{type(self).__name__} has nothing to score: predictions and references are empty.")
        return self._score(self._check(references, "references"), self._check(predictions, "predictions"))


class Accuracy(_OfflineMetric):
    """The share of examples whose predicted class is the right one, as `accuracy`.

    Example:
        >>> Accuracy().compute(predictions=[0, 1, 1, 0], references=[0, 1, 0, 0])
        {'accuracy': 0.75}
    """

    _description = "Accuracy: the share of examples whose predicted class is the right one."
    _score = staticmethod(_accuracy)


class F1(_OfflineMetric):
    """F1 over the classes that occur in predictions or references, as `f1_macro`, `f1_micro` and `f1_weighted`.

    Macro is the plain mean over classes, weighted the mean by number of references, micro counts all decisions
    together. A class that is never right has F1 0.

    Example:
        >>> F1().compute(predictions=[0, 1, 1, 1], references=[0, 1, 0, 0])
        {'f1_macro': 0.5, 'f1_micro': 0.5, 'f1_weighted': 0.5}
    """

    _description = "F1, the harmonic mean of precision and recall: macro, micro and weighted averages over classes."
    _score = staticmethod(_f1_averages)


class ClassificationReport(_OfflineMetric):
    """Precision, recall, F1 and support of every class, by label name.

    The result has `per_class`, a dictionary a label name, and `macro_avg` and `weighted_avg` over the classes that
    occur in predictions or references. What is undefined, such as the precision of a class never predicted, is 0.

    Args:
        label_names: The name of class 0, 1, and so on; all of them are reported. Without names, the class ids that
            occur are reported.
        **kwargs: The arguments of `evaluate.Metric`.

    Raises:
        ValueError: When a class id has no name.

    Example:
        >>> report = ClassificationReport(["bad", "good"]).compute(predictions=[0, 1, 1], references=[0, 1, 0])
        >>> report["per_class"]["bad"]["recall"]
        0.5
    """

    _description = "Precision, recall, F1 and support (number of references) of every class, and their averages."

    def __init__(self, label_names: Sequence[str] | None = None, **kwargs: Any) -> None:
        self.label_names = _check_label_names(label_names)
        super().__init__(**kwargs)

    def _score(self, references: np.ndarray, predictions: np.ndarray) -> dict[str, Any]:
        labels = np.union1d(references, predictions)
        names = self.label_names or [str(label) for label in labels]
        if self.label_names is not None:
            _check_range(labels, len(names), "label_names has {} names: give one for every class id")
            labels = np.arange(len(names))
        columns = _precision_recall_f1(references, predictions, labels=labels)
        report: dict[str, Any] = {"per_class": {name: _report_row(*row) for name, row in zip(names, zip(*columns))}}
        for average in ("macro", "weighted"):
            row = _precision_recall_f1(references, predictions, average=average)
            report[f"{average}_avg"] = _report_row(*row[:3], len(references))
        return report


class MultiLabelMetrics(_OfflineMetric):
    """Scores of labels that do not exclude each other, from one vector of 0 and 1 an example.

    The result has `f1_micro`, `f1_macro` (the mean over all labels), `precision_micro`, `recall_micro`,
    `subset_accuracy` (the share of examples with every label right) and `hamming_loss` (the share of single
    decisions that are wrong). What is undefined, such as the F1 of a label that never occurs, is 0.

    Example:
        >>> scores = MultiLabelMetrics().compute(predictions=[[1, 0], [1, 1]], references=[[1, 0], [0, 1]])
        >>> scores["f1_micro"], scores["subset_accuracy"], scores["hamming_loss"]
        (0.8, 0.5, 0.25)
    """

    _description = "Micro and macro F1, micro precision and recall, subset accuracy and Hamming loss of label sets."
    _inputs = "one vector of 0 and 1 an example, one number a label"
    _feature = datasets.Sequence(datasets.Value("int64"))
    _check = staticmethod(_indicators)
    _score = staticmethod(_multi_label_scores)


class RegressionMetrics(_OfflineMetric):
    """Errors and correlations of predicted numbers, one an example or one vector an example.

    The result has `mse`, `rmse` (its root), `mae`, `r2`, `pearson` and `spearman`; for vectors, the mean over
    columns (`rmse` is the root of the mean `mse`). Where one side is constant, the correlations are 0, and where
    the references are constant, `r2` is 1 if every prediction is exact and 0 if not.

    Example:
        >>> RegressionMetrics().compute(predictions=[1.0, 2.0, 4.0], references=[1.0, 2.0, 2.0])["rmse"]
        1.1547005383792515
    """

    _description = "Mean squared error, its root, mean absolute error, R2, Pearson and Spearman correlation."
    _inputs = "numbers, one an example or one vector an example"
    _feature = datasets.Sequence(datasets.Value("float64"))
    _check = staticmethod(_numbers)
    _score = staticmethod(_regression_scores)


def _score_single_label(logits: np.ndarray, labels: np.ndarray) -> tuple[dict[str, float], np.ndarray]:
    labels = labels.reshape(-1)
    if len(labels) != len(logits):
        raise ValueError(f"There are {len(labels)} labels for {len(logits)} rows of logits: give one label a row.")
    kept = labels != IGNORED_LABEL
    labels, predictions = _class_ids(labels[kept], "labels"), logits[kept].argmax(axis=1)
    if len(labels) == 0:
        raise ValueError(f"There is nothing to score: every label is {IGNORED_LABEL}.")
    _check_range(labels, logits.shape[1], "the logits have {} columns: mend the labels or num_labels")
    f1 = _f1_score(labels, predictions, labels=np.arange(logits.shape[1]), average=None)
    return _accuracy(labels, predictions) | _f1_averages(labels, predictions), f1


def _score_multi_label(logits: np.ndarray, labels: np.ndarray) -> tuple[dict[str, float], np.ndarray]:
    _check_same_shape(labels, logits, "labels", "logits")
    references, predictions = _indicators(labels, "labels"), (logits > 0).astype(np.int64)
    return _multi_label_scores(references, predictions), _f1_of_columns(references, predictions)


def _score_regression(logits: np.ndarray, labels: np.ndarray) -> tuple[dict[str, float], np.ndarray]:
    references, predictions = _numbers(labels, "labels"), _numbers(logits, "logits")
    _check_same_shape(references, predictions, "labels", "logits")
    return _regression_scores(references, predictions), ((references - predictions) ** 2).mean(axis=0)


def _score_logits(prediction: EvalPrediction, *, problem_type: str, label_names: list[str] | None) -> dict[str, float]:
    logits, labels = prediction.predictions, prediction.label_ids
    logits = np.asarray(logits[0] if isinstance(logits, (tuple, list)) else logits)
    if labels is None or logits.size == 0:
        raise ValueError("There is nothing to score: the evaluation data has no labels or no examples.")
    flat = logits.reshape(len(logits), -1)
    broken = int(np.isnan(flat).any(axis=1).sum())
    if broken:
        raise ValueError(f"The logits of {broken} of {len(logits)} examples are NaN: lower the learning rate.")
    logits = flat if problem_type == REGRESSION else logits
    if logits.ndim != 2:
        raise ValueError(f"The logits must have shape (examples, num_labels), but have shape {logits.shape}.")
    if label_names is not None and len(label_names) != logits.shape[1]:
        raise ValueError(f"label_names has {len(label_names)} names for {logits.shape[1]} columns of logits.")
    scores, column_scores = _PROBLEM_TYPES[problem_type][0](logits, np.asarray(labels))
    name = "mse" if problem_type == REGRESSION else "f1"
    return scores | {f"{name}/{label}": float(score) for label, score in zip(label_names or [], column_scores)}


# How to score the logits, the score that chooses the best checkpoint, and whether greater is better.
_PROBLEM_TYPES = {
    SINGLE_LABEL: (_score_single_label, "accuracy", True),
    MULTI_LABEL: (_score_multi_label, "f1_micro", True),
    REGRESSION: (_score_regression, "mse", False),
}


def _check_problem_type(problem_type: str) -> None:
    if problem_type not in _PROBLEM_TYPES:
        raise ValueError(f"problem_type {problem_type!r} is unknown: use one of {list(_PROBLEM_TYPES)}.")


def compute_metrics_for(
    problem_type: str, label_names: Sequence[str] | None = None
) -> Callable[[EvalPrediction], dict[str, float]]:
    """Makes the `compute_metrics` function of a `transformers.Trainer`.

    Single label: `accuracy`, `f1_macro`, `f1_micro`, `f1_weighted`, from the largest logit; examples whose label
    is -100 are left out, as cross entropy does. Multi-label: the scores of `MultiLabelMetrics`, from logits above 0
    (probabilities above one half). Regression: the scores of `RegressionMetrics`.

    Args:
        problem_type: "single_label_classification", "multi_label_classification" or "regression".
        label_names: One name a column of the logits. Adds the score of each column, as `f1/<name>`, or as
            `mse/<name>` for regression.

    Returns:
        A function from an `EvalPrediction` to flat numbers; shapes or labels that do not fit are a ValueError.

    Raises:
        ValueError: When the problem type is unknown.

    Example:
        >>> compute_metrics = compute_metrics_for("single_label_classification")
        >>> compute_metrics(EvalPrediction(np.array([[2.0, 1.0], [0.0, 1.0]]), np.array([0, 1])))["accuracy"]
        1.0
    """
    _check_problem_type(problem_type)
    return partial(_score_logits, problem_type=problem_type, label_names=_check_label_names(label_names))


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
    return _PROBLEM_TYPES[problem_type][1:]

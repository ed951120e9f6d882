"""What a model is worth on labelled texts: scores with intervals, classes, confusions, calibration and mistakes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from transformers import EvalPrediction

from ..modeling.configuration_base import MULTI_LABEL, REGRESSION, SINGLE_LABEL
from .calibration import Calibration, calibration_of_classes, calibration_of_labels, log_softmax, sigmoid
from .intervals import CONFIDENCE, Interval, score_intervals
from .metrics import (
    ONE_HALF,
    Threshold,
    all_labels,
    all_logits,
    classification_report,
    compute_metrics_for,
    prepared,
)


# How many mistakes are kept, where nobody says otherwise.
MISTAKES = 10


@dataclass(frozen=True)
class Mistake:
    """A text for which a model is wrong.

    Attributes:
        row: Which text it is, from 1; texts without a label are not counted.
        label: What is right: a name, the names of all labels that apply, or a number.
        predicted: What the model says, likewise.
        score: The probability of the class that it says or, with several labels a text, of the label that it is most
            wrong about, which is low where the label was missed; in a regression, how far it is off.
        wrong: With several labels a text, that label.
        text: The text, or those that are read together, where it is known.
        attention: `{"text", "start", "end", "weight"}` of each word, where the model has it.
    """

    row: int
    label: Any
    predicted: Any
    score: float
    wrong: str | None = None
    text: str | tuple[str, ...] | None = None
    attention: Sequence[dict[str, Any]] = ()


@dataclass(frozen=True)
class Evaluation:
    """How good a model is on labelled texts.

    Attributes:
        problem_type: "single_label_classification", "multi_label_classification" or "regression".
        label_names: Of the classes or labels in order; none in a regression.
        samples: How many texts were measured.
        scores: By name, as `hfattnlstm.training.metrics` defines them.
        intervals: Of the scores that have one, their 95 % intervals.
        threshold: With several labels a text, the probability above which one is taken to apply; one number, or one
            for each label.
        temperature: Divided the logits before they became probabilities.
        per_class: `precision`, `recall`, `f1` and `support` by label name; empty in a regression.
        confusion_matrix: (classes, classes), the right class by row and the predicted one by column; with several
            labels a text (labels, 2, 2), for each `[[true negatives, false positives], [false negatives, true
            positives]]`; None in a regression.
        calibration: Of the scores; None in a regression.
        uncalibrated: The same at the temperature 1; None where that is the one above, and in a regression.
        mistakes: Those of which the model was most sure, or the largest errors; worst first.
    """

    problem_type: str
    label_names: Sequence[str]
    samples: int
    scores: dict[str, float]
    intervals: dict[str, Interval]
    threshold: Threshold = ONE_HALF
    temperature: float = 1.0
    per_class: dict[str, dict[str, Any]] = field(default_factory=dict)
    confusion_matrix: np.ndarray | None = None
    calibration: Calibration | None = None
    uncalibrated: Calibration | None = None
    mistakes: Sequence[Mistake] = ()

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain values, for JSON; what a problem type has not is left out.

        Returns:
            `problem_type`, `samples`, the scores by their names (such as `accuracy` and `f1_macro`), `intervals` and
            their `confidence`. For a regression also `largest_errors`; otherwise `labels`, `per_class`,
            `confusion_matrix`, `ece`, `log_loss`, `calibration` and `mistakes`, with several labels a text the
            `threshold`, a number or a list in the order of `labels`, and the matrices by label, and with another
            temperature than 1 `calibration_temperature`, `ece_uncalibrated` and `log_loss_uncalibrated`.

        Example:

        ```python
        >>> found = evaluate_logits(np.array([[2.0, 0.0], [0.0, 1.0]]), np.array([0, 0]), ["bad", "good"])
        >>> found.to_dict()["accuracy"], found.to_dict()["confusion_matrix"]
        (0.5, [[1, 1], [0, 0]])
        ```
        """
        shown: dict[str, Any] = {"problem_type": self.problem_type, "samples": self.samples}
        shown |= self.scores
        shown |= {
            "intervals": {name: list(interval) for name, interval in self.intervals.items()},
            "confidence": CONFIDENCE,
        }
        if self.problem_type == REGRESSION:
            return shown | {"largest_errors": [_error_to_dict(mistake) for mistake in self.mistakes]}
        matrix: Any = self.confusion_matrix.tolist()
        if self.problem_type == MULTI_LABEL:
            shown["threshold"] = list(self.threshold) if isinstance(self.threshold, Sequence) else self.threshold
            matrix = dict(zip(self.label_names, matrix))
        return shown | {
            "labels": list(self.label_names),
            "per_class": self.per_class,
            "confusion_matrix": matrix,
            "ece": self.calibration.ece,
            "log_loss": self.calibration.log_loss,
            **self._before_calibration(),
            "calibration": self.calibration.to_dict(),
            "mistakes": [_mistake_to_dict(mistake) for mistake in self.mistakes],
        }

    def _before_calibration(self) -> dict[str, float]:
        if self.uncalibrated is None:
            return {}
        return {
            "calibration_temperature": self.temperature,
            "ece_uncalibrated": self.uncalibrated.ece,
            "log_loss_uncalibrated": self.uncalibrated.log_loss,
        }

    def largest_confusions(self, most: int) -> list[tuple[str, str, int, float]]:
        """The pairs of classes that are taken for each other most often, with one label a text.

        Args:
            most: How many pairs are given at most.

        Returns:
            The right class, the predicted one, how many texts, and their share of the texts of the right class.

        Example:

        ```python
        >>> found = evaluate_logits(np.array([[2.0, 0.0], [0.0, 1.0]]), np.array([0, 0]), ["bad", "good"])
        >>> found.largest_confusions(5)
        [('bad', 'good', 1, 0.5)]
        ```
        """
        wrong = self.confusion_matrix.copy()
        np.fill_diagonal(wrong, 0)
        order = np.argsort(-wrong, axis=None, kind="stable")[:most]
        pairs = [(row, column) for row, column in zip(*np.unravel_index(order, wrong.shape)) if wrong[row, column]]
        names, totals = self.label_names, self.confusion_matrix.sum(1)
        return [(names[r], names[c], int(wrong[r, c]), float(wrong[r, c] / totals[r])) for r, c in pairs]


def evaluate_logits(
    logits: Any,
    references: Any,
    label_names: Sequence[str] = (),
    problem_type: str = SINGLE_LABEL,
    *,
    threshold: Threshold = ONE_HALF,
    temperature: float = 1.0,
    mistakes: int = MISTAKES,
) -> Evaluation:
    """Measure what a model computed against what is right.

    Args:
        logits: (texts, classes or labels), or (texts, 1) numbers of a regression, as from `Trainer.predict`.
        references: (texts,) class ids, (texts, labels) of 0 and 1, or (texts,) numbers.
        label_names: Names of the classes or labels in order.
        problem_type: "single_label_classification", "multi_label_classification" or "regression".
        threshold: With several labels a text, the probability above which one is taken to apply; one number, or one
            for each label. Give `config.threshold` of the model.
        temperature: Divides the logits of a classification before they become probabilities; give
            `config.calibration_temperature` of the model.
        mistakes: How many of the worst mistakes are kept.

    Raises:
        ValueError: When the logits, the labels, the names or the thresholds do not fit together.

    Example:

    ```python
    >>> found = evaluate_logits(np.array([[2.0, 0.0], [0.0, 1.0]]), np.array([0, 1]), ["bad", "good"])
    >>> found.scores["accuracy"], found.per_class["good"]["support"], found.mistakes
    (1.0, 1, ())
    ```
    """
    logits, references = all_logits(logits), all_labels(references)
    if problem_type != REGRESSION and len(label_names) != logits.shape[-1]:
        raise ValueError(f"label_names has {len(label_names)} names for {logits.shape[-1]} columns of logits.")
    if problem_type == SINGLE_LABEL and references.ndim == 1:
        # The mark of cross entropy for what is left out.
        kept = references >= 0
        logits, references = logits[kept], references[kept]
    prediction = EvalPrediction(logits, references)
    scorer = compute_metrics_for(problem_type, None, threshold, temperature)
    right, predicted = prepared(prediction, problem_type, threshold, temperature)
    found = Evaluation(
        problem_type=problem_type,
        label_names=tuple(label_names),
        samples=len(right),
        scores={name: float(value) for name, value in scorer(prediction).items()},
        intervals=score_intervals(problem_type, right, predicted),
        threshold=threshold,
        temperature=temperature,
    )
    detail = {SINGLE_LABEL: _classes, MULTI_LABEL: _labels, REGRESSION: _errors}[problem_type]
    return detail(found, logits, right, predicted, mistakes)


def _classes(found: Evaluation, logits: np.ndarray, right: np.ndarray, predicted: np.ndarray, most: int) -> Evaluation:
    names = found.label_names
    matrix = np.zeros((len(names), len(names)), dtype=np.int64)
    per_class = classification_report(predicted, right, names)["per_class"]
    np.add.at(matrix, (right, predicted), 1)
    calibrated = logits / found.temperature
    scores = np.exp(log_softmax(calibrated).max(-1))
    wrong = np.flatnonzero(right != predicted)
    return replace(
        found,
        per_class=per_class,
        confusion_matrix=matrix,
        calibration=calibration_of_classes(calibrated, right),
        uncalibrated=None if found.temperature == 1 else calibration_of_classes(logits, right),
        mistakes=tuple(
            Mistake(int(row) + 1, names[right[row]], names[predicted[row]], float(scores[row]))
            for row in _worst(wrong, scores, most)
        ),
    )


def _labels(found: Evaluation, logits: np.ndarray, right: np.ndarray, predicted: np.ndarray, most: int) -> Evaluation:
    names, calibrated = found.label_names, logits / found.temperature
    hits, alarms = (right & predicted).sum(0), (~right.astype(bool) & predicted.astype(bool)).sum(0)
    missed = right.sum(0) - hits
    rest = len(right) - hits - alarms - missed
    matrices = np.stack([np.stack([rest, alarms], -1), np.stack([missed, hits], -1)], 1)
    return replace(
        found,
        per_class={name: _scores_of(*counts) for name, counts in zip(names, zip(hits, alarms, missed))},
        confusion_matrix=matrices,
        calibration=calibration_of_labels(calibrated, right),
        uncalibrated=None if found.temperature == 1 else calibration_of_labels(logits, right),
        mistakes=_wrong_decisions(names, sigmoid(calibrated), right, predicted, most),
    )


def _scores_of(hits: int, alarms: int, missed: int) -> dict[str, float | int]:
    """Of one label; what is undefined is 0, as in `classification_report`."""
    return {
        "precision": float(hits / max(hits + alarms, 1)),
        "recall": float(hits / max(hits + missed, 1)),
        "f1": float(2 * hits / max(2 * hits + alarms + missed, 1)),
        "support": int(hits + missed),
    }


def _wrong_decisions(
    names: Sequence[str], probabilities: np.ndarray, right: np.ndarray, predicted: np.ndarray, most: int
) -> tuple[Mistake, ...]:
    """The texts with the surest wrong decision about one of their labels."""
    sureness = np.where(right != predicted, np.abs(probabilities - right), -1.0)
    worst = sureness.argmax(1)
    chosen = [[name for name, applies in zip(names, row) if applies] for row in right]
    return tuple(
        Mistake(
            row=int(row) + 1,
            label=chosen[row],
            predicted=[name for name, applies in zip(names, predicted[row]) if applies],
            score=float(probabilities[row, worst[row]]),
            wrong=names[worst[row]],
        )
        for row in _worst(np.flatnonzero(sureness.max(1) >= 0), sureness.max(1), most)
    )


def _errors(found: Evaluation, logits: np.ndarray, right: np.ndarray, predicted: np.ndarray, most: int) -> Evaluation:
    right, predicted = right[:, 0], predicted[:, 0]
    errors = np.abs(right - predicted)
    return replace(
        found,
        mistakes=tuple(
            Mistake(int(row) + 1, float(right[row]), float(predicted[row]), float(errors[row]))
            for row in _worst(np.flatnonzero(errors > 0), errors, most)
        ),
    )


def _worst(rows: np.ndarray, values: np.ndarray, most: int) -> np.ndarray:
    """The rows with the largest values, largest first and equal ones in their order."""
    return rows[np.argsort(-values[rows], kind="stable")[:most]]


def _mistake_to_dict(mistake: Mistake) -> dict[str, Any]:
    shown = {"row": mistake.row, "label": mistake.label, "predicted": mistake.predicted, "score": mistake.score}
    if mistake.wrong is not None:
        shown["wrong"] = mistake.wrong
    return shown | _text_of(mistake)


def _error_to_dict(mistake: Mistake) -> dict[str, Any]:
    shown = {"row": mistake.row, "label": mistake.label, "predicted": mistake.predicted, "error": mistake.score}
    return shown | _text_of(mistake)


def _text_of(mistake: Mistake) -> dict[str, Any]:
    shown: dict[str, Any] = {} if mistake.text is None else {"text": mistake.text}
    return shown | ({"attention": list(mistake.attention)} if mistake.attention else {})

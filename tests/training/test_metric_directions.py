"""Which way a metric is better, its names, and the threshold of several labels a text."""

from __future__ import annotations

import numpy as np
import pytest
from transformers import EvalPrediction

from hfattnlstm.training.metrics import (
    all_labels,
    all_logits,
    best_metric_for,
    compute_metrics_for,
    greater_is_better,
    metric_directions,
    prepared,
)


SINGLE, MULTI, REGRESSION = "single_label_classification", "multi_label_classification", "regression"
_RIGHT = {
    SINGLE: (np.array([[2.0, 0.0], [0.0, 2.0]]), np.array([0, 1])),
    MULTI: (np.array([[2.0, -2.0], [-2.0, 2.0]]), np.array([[1.0, 0.0], [0.0, 1.0]])),
    REGRESSION: (np.array([[1.0], [2.0]]), np.array([1.0, 2.0])),
}
_WRONG = {
    SINGLE: np.array([[0.0, 2.0], [2.0, 0.0]]),
    MULTI: np.array([[-2.0, 2.0], [2.0, -2.0]]),
    REGRESSION: np.array([[2.0], [1.0]]),
}
_NAMES = {SINGLE: ["a", "b/c"], MULTI: ["a", "b/c"], REGRESSION: ["x"]}


@pytest.mark.parametrize("problem_type", [SINGLE, MULTI, REGRESSION])
def test_every_metric_is_better_where_the_predictions_are(problem_type: str) -> None:
    """Measured, so that a new metric without a direction or with a wrong one fails here."""
    names = _NAMES[problem_type]
    scorer = compute_metrics_for(problem_type, names)
    logits, labels = _RIGHT[problem_type]
    right, wrong = (scorer(EvalPrediction(values, labels)) for values in (logits, _WRONG[problem_type]))
    directions = metric_directions(problem_type, names)
    assert directions.keys() == {*right, "loss"} and directions == scorer.directions()
    for name in right:
        assert (right[name] > wrong[name]) is directions[name], name
        assert greater_is_better(name) is greater_is_better(f"eval_{name}") is directions[name], name
    name, is_greater = best_metric_for(problem_type)
    assert directions[name] is is_greater


@pytest.mark.parametrize(
    ("name", "expected"),
    [("loss", False), ("eval_loss", False), ("eval_web_mse", False), ("eval_web_f1_macro", True), ("bleu", None)],
)
def test_names_with_prefixes(name: str, expected: bool | None) -> None:
    assert greater_is_better(name) is expected


def test_labels_apply_above_the_threshold() -> None:
    logits, labels = np.array([[-1.0, 0.5], [1.5, 3.0]]), np.array([[1.0, 1.0], [1.0, 1.0]])
    probabilities = 1 / (1 + np.exp(-logits))
    for threshold in (0.2, 0.5, 0.7, 0.9):
        scores = compute_metrics_for(MULTI, threshold=threshold)(EvalPrediction(logits, labels))
        assert scores["recall_micro"] == (probabilities > threshold).mean(), threshold


@pytest.mark.parametrize(
    ("problem_type", "threshold", "sentence"),
    [
        (SINGLE, 0.7, "has a meaning for multi_label"),
        (REGRESSION, 0.2, "has a meaning"),
        (MULTI, 1.0, "between 0 and 1"),
        (MULTI, [0.5, 0], "between 0 and 1, got 0"),
        (SINGLE, [0.5, 0.5], "has a meaning for multi_label"),
    ],
)
def test_thresholds_that_do_not_fit(problem_type: str, threshold: float, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        compute_metrics_for(problem_type, threshold=threshold)


def test_each_label_has_its_threshold_for_its_calibrated_probability() -> None:
    logits, labels = np.array([[2.0, 2.0], [1.0, 1.0]]), np.ones((2, 2))
    # Divided by 2, they are .73 and .62.
    for threshold, share in (([0.7, 0.6], 0.75), ([0.7, 0.9], 0.25), (0.6, 1.0), (0.7, 0.5)):
        decided = {"threshold": threshold, "temperature": 2.0}
        prediction = EvalPrediction(logits, labels)
        assert compute_metrics_for(MULTI, **decided)(prediction)["recall_micro"] == share
        assert prepared(prediction, MULTI, **decided)[1].mean() == share
    with pytest.raises(ValueError, match="threshold has 3 numbers for 2 labels: give one a label"):
        compute_metrics_for(MULTI, threshold=[0.5] * 3)(EvalPrediction(logits, labels))


@pytest.mark.parametrize(
    ("problem_type", "temperature", "sentence"),
    [(MULTI, 0, "temperature must be above 0, got 0"), (REGRESSION, 2.0, "A regression has no temperature: leave")],
)
def test_temperatures_that_do_not_fit(problem_type: str, temperature: float, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        compute_metrics_for(problem_type, temperature=temperature)


def test_batches_that_were_not_joined() -> None:
    """`eval_do_concat_batches=False`; only the first batch was scored."""
    batches = [np.array([[2.0, 0.0]] * 2), np.array([[0.0, 2.0]])]
    labels = [np.array([0, 1]), np.array([1])]
    assert all_logits(batches).shape == (3, 2) and all_labels(labels).tolist() == [0, 1, 1]
    with_states = [(logits, np.zeros((len(logits), 5))) for logits in batches]
    for predictions in (batches, with_states):
        assert compute_metrics_for(SINGLE)(EvalPrediction(predictions, labels))["accuracy"] == pytest.approx(2 / 3)

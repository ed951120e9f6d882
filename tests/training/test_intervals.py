"""Intervals around scores."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score

from hfattnlstm.training.intervals import (
    as_scores,
    bootstrap_interval,
    f1_interval,
    score_intervals,
    split_intervals,
    wilson_interval,
)


SINGLE, MULTI, REGRESSION = "single_label_classification", "multi_label_classification", "regression"


@pytest.mark.parametrize(
    ("right", "count", "expected"),
    # From the formula, and for 81 of 263 from Newcombe (1998), table I, method 3.
    [(12, 12, (0.7575, 1.0)), (0, 20, (0.0, 0.1611)), (81, 263, (0.2553, 0.3662)), (15, 148, (0.0624, 0.1605))],
)
def test_the_interval_of_wilson(right: int, count: int, expected: tuple[float, float]) -> None:
    assert wilson_interval(right, count) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(("right", "count"), [(1, 0), (3, 2), (-1, 2)])
def test_what_is_no_share(right: int, count: int) -> None:
    with pytest.raises(ValueError, match=f"{right} of {count} is no share"):
        wilson_interval(right, count)


def test_wilson_holds_the_true_share_as_often_as_it_says() -> None:
    generator = np.random.default_rng(0)
    shares = generator.random(3000)
    intervals = [wilson_interval(count, 40) for count in generator.binomial(40, shares)]
    held = [low <= share <= high for share, (low, high) in zip(shares, intervals)]
    assert np.mean(held) == pytest.approx(0.95, abs=0.01)


def test_f1_holds_the_true_score_as_often_as_it_says() -> None:
    """A class of 30 %, found in 80 % of its texts, and seen in 10 % of the others."""
    generator = np.random.default_rng(1)
    true = 2 * 0.24 / (2 * 0.24 + 0.06 + 0.07)
    held = []
    for _ in range(300):
        hits, missed, false, _ = generator.multinomial(80, [0.24, 0.06, 0.07, 0.63])
        low, high = f1_interval(hits, missed + false)
        held.append(low <= true <= high)
    assert 0.9 < np.mean(held) < 0.99


def test_twelve_of_twelve_are_not_certain() -> None:
    labels = np.array([0, 1] * 6)
    for name, (low, high) in score_intervals(SINGLE, labels, labels).items():
        assert high == 1.0 and low < 0.88, name


def test_intervals_hold_their_scores_and_shrink_with_more_texts() -> None:
    generator = np.random.default_rng(2)
    widths = []
    for count in (30, 900):
        references = generator.integers(0, 3, count)
        predictions = np.where(generator.random(count) < 0.7, references, generator.integers(0, 3, count))
        found = score_intervals(SINGLE, references, predictions)
        for average in ("macro", "micro", "weighted"):
            low, high = found[f"f1_{average}"]
            assert low <= f1_score(references, predictions, average=average) <= high
        widths.append({name: high - low for name, (low, high) in found.items()})
    assert all(widths[1][name] < widths[0][name] / 3 for name in widths[0])


def test_several_labels_a_text() -> None:
    generator = np.random.default_rng(3)
    references = (generator.random((50, 4)) < 0.4).astype(int)
    references[:, 3] = 0
    predictions = np.where(generator.random((50, 4)) < 0.9, references, 0)
    found = score_intervals(MULTI, references, predictions)
    scores = {
        "f1_micro": f1_score(references, predictions, average="micro"),
        "f1_macro": f1_score(references, predictions, average="macro", zero_division=0),
        "subset_accuracy": (references == predictions).all(1).mean(),
        "hamming_loss": (references != predictions).mean(),
        "precision_micro": 1.0,
        "recall_micro": (references * predictions).sum() / references.sum(),
    }
    assert found.keys() == scores.keys()
    for name, score in scores.items():
        assert found[name].low <= score <= found[name].high, name
        assert found[name].high - found[name].low > 0.01, name
    nothing = np.zeros((5, 2), dtype=int)
    assert "precision_micro" not in score_intervals(MULTI, nothing, nothing)


def test_errors_of_numbers() -> None:
    errors = np.random.default_rng(4).normal(0, 2, (200, 1))
    found = score_intervals(REGRESSION, errors, np.zeros_like(errors))
    assert found.keys() == {"mse", "rmse", "mae"}
    # The standard error of the mean of squares, twice to each side.
    expected = 4 * (errors**2).std() / 200**0.5
    assert found["mse"].high - found["mse"].low == pytest.approx(expected, rel=0.15)
    assert found == score_intervals(REGRESSION, errors, np.zeros_like(errors))


def test_bootstrap_draws_rows_together() -> None:
    numbers = np.arange(10.0)
    assert bootstrap_interval(lambda x, y: float(np.abs(x - y).sum()), numbers, numbers) == (0.0, 0.0)


def test_flat_names_and_back() -> None:
    found = score_intervals(SINGLE, np.array([0, 1]), np.array([0, 0]))
    flat = as_scores(found, "eval_")
    assert flat["eval_accuracy_low"] == found["accuracy"].low
    metrics = {"eval_accuracy": 0.5, "eval_loss": 1.0, "eval_low": 3.0}
    rest, intervals = split_intervals(metrics | flat)
    assert intervals == {"eval_accuracy": found["accuracy"]}
    assert metrics.items() <= rest.items()

"""Whether scores mean what they say."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.metrics import log_loss

from hfattnlstm.training.calibration import calibration_of_classes, calibration_of_labels, log_softmax, sigmoid


def test_scores_and_shares_of_each_bin() -> None:
    probabilities = np.array([[0.9, 0.1]] * 4 + [[0.35, 0.65]] * 2)
    found = calibration_of_classes(np.log(probabilities), np.array([0, 0, 0, 1, 1, 0]), num_bins=10)
    assert [(part.low, part.count, part.share) for part in found.bins] == [(0.6, 2, 0.5), (0.9, 4, 0.75)]
    assert [part.score for part in found.bins] == pytest.approx([0.65, 0.9])
    assert found.ece == pytest.approx((4 * 0.15 + 2 * 0.15) / 6)
    assert found.num_bins == 10


def test_the_log_loss_is_that_of_scikit_learn() -> None:
    generator = np.random.default_rng(0)
    logits, references = generator.normal(size=(50, 4)), generator.integers(0, 4, 50)
    expected = log_loss(references, np.exp(log_softmax(logits)), labels=range(4))
    assert calibration_of_classes(logits, references).log_loss == pytest.approx(expected)
    indicators = generator.integers(0, 2, (50, 4))
    expected = np.mean([log_loss(indicators[:, place], sigmoid(logits[:, place])) for place in range(4)])
    assert calibration_of_labels(logits, indicators).log_loss == pytest.approx(expected)


def test_sure_scores_are_finite_and_in_the_last_bin() -> None:
    found = calibration_of_classes(np.array([[2000.0, 0.0], [2000.0, 0.0]]), np.array([0, 1]))
    assert found.log_loss == pytest.approx(1000)
    assert [(part.count, part.high, part.share) for part in found.bins] == [(2, 1.0, 0.5)]
    labels = calibration_of_labels(np.array([[2000.0, -2000.0]]), np.array([[0, 0]]))
    assert labels.log_loss == pytest.approx(1000) and labels.ece == pytest.approx(0.5)


def test_probabilities_of_labels_that_do_not_apply_count_too() -> None:
    found = calibration_of_labels(np.array([[-2.0, 2.0]] * 5), np.array([[0, 1]] * 5))
    assert [part.share for part in found.bins] == [0.0, 1.0]
    assert found.ece == pytest.approx(1 / (1 + np.exp(2)))


def test_all_of_it_is_json() -> None:
    shown = json.loads(json.dumps(calibration_of_classes(np.eye(3), np.arange(3)).to_dict()))
    assert shown["num_bins"] == 15 and shown["bins"][0]["count"] == 3

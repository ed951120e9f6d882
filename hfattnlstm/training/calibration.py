"""Whether scores mean what they say: of the decisions with the score 0.8, are 80 % right?

The error is that of Naeini, Cooper and Hauskrecht (2015) with bins of equal width, as in Guo et al. (2017).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np


# As many as Guo et al. take.
BINS = 15


@dataclass(frozen=True)
class ReliabilityBin:
    """The decisions whose score lies in one part of the range from 0 to 1.

    Attributes:
        low, high: The bounds; a score that is a bound belongs to the part above it.
        count: How many decisions there are, above 0.
        score: The mean of their scores.
        share: The share of them that is right.
    """

    low: float
    high: float
    count: int
    score: float
    share: float


@dataclass(frozen=True)
class Calibration:
    """How far scores and shares of right decisions are apart.

    Attributes:
        ece: Expected calibration error: the mean distance of score and share over the bins, weighted by their counts.
        log_loss: The mean of the negative logarithm of the probability of what is true, in nats.
        num_bins: How many bins of equal width there are from 0 to 1, with those that are empty.
        bins: Those that are not.
        cross_fitted: Whether the texts also gave the temperature, that of each half fitted on the other one, as
            [`cross_fitted_calibration`] does.
    """

    ece: float
    log_loss: float
    num_bins: int
    bins: tuple[ReliabilityBin, ...]
    cross_fitted: bool = False

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain values, for JSON."""
        return asdict(self) | {"bins": [asdict(part) for part in self.bins]}


def calibration_of_classes(logits: np.ndarray, references: np.ndarray, num_bins: int = BINS) -> Calibration:
    """The calibration of one class a text: of the score of the class that is predicted.

    Args:
        logits: (texts, classes).
        references: (texts,) class ids.
        num_bins: How many parts the range of scores has.

    Example:
        >>> calibration = calibration_of_classes(np.log([[0.8, 0.2], [0.8, 0.2]]), np.array([0, 1]))
        >>> round(calibration.ece, 3), round(calibration.log_loss, 3)
        (0.3, 0.916)
    """
    logs = log_softmax(logits)
    rows = np.arange(len(logs))
    predicted = logs.argmax(-1)
    scores = np.exp(logs[rows, predicted])
    return _calibration(scores, predicted == references, -logs[rows, references].mean(), num_bins)


def calibration_of_labels(logits: np.ndarray, references: np.ndarray, num_bins: int = BINS) -> Calibration:
    """The calibration of several labels a text: of the probability of each label of each text, low ones too.

    Args:
        logits: (texts, labels).
        references: (texts, labels) of 0 and 1.
        num_bins: How many parts the range of probabilities has.

    Example:
        >>> calibration = calibration_of_labels(np.zeros((1, 2)), np.array([[1, 0]]))
        >>> calibration.ece, round(calibration.log_loss, 3)
        (0.0, 0.693)
    """
    logits = np.asarray(logits, dtype=np.float64)
    # -log of the sigmoid of the logit where the label applies, and of its negative elsewhere.
    loss = np.logaddexp(0.0, np.where(references == 1, -logits, logits)).mean()
    return _calibration(sigmoid(logits).ravel(), (np.asarray(references) == 1).ravel(), loss, num_bins)


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """The logarithm of the probability of each class; it stays finite where the probability rounds to 0."""
    logits = np.asarray(logits, dtype=np.float64)
    logits = logits - logits.max(-1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True))


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """The probability of each label on its own, without an overflow for very low logits."""
    return np.exp(-np.logaddexp(0.0, -np.asarray(logits, dtype=np.float64)))


def before_calibration(temperature: float, uncalibrated: Calibration) -> str:
    """The end of a sentence on a calibration: by which temperature it came about, and what would be without.

    Example:
        >>> before_calibration(1.5, calibration_of_classes(np.zeros((2, 2)), np.array([0, 1])))
        'with the temperature 1.5; without it, ECE 0.0000 and log loss 0.6931'
    """
    return (
        f"with the temperature {temperature:.3g}; without it, ECE {uncalibrated.ece:.4f} and log loss "
        f"{uncalibrated.log_loss:.4f}"
    )


def _calibration(scores: np.ndarray, right: np.ndarray, log_loss: float, num_bins: int) -> Calibration:
    places = np.minimum((scores * num_bins).astype(np.int64), num_bins - 1)
    bins = []
    for place in np.unique(places):
        inside = places == place
        bounds = place / num_bins, (place + 1) / num_bins
        bins.append(
            ReliabilityBin(*bounds, int(inside.sum()), float(scores[inside].mean()), float(right[inside].mean()))
        )
    ece = sum(part.count * abs(part.score - part.share) for part in bins) / len(scores)
    return Calibration(float(ece), float(log_loss), num_bins, tuple(bins))

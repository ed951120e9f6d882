"""How far a score on few texts can be trusted: intervals around it.

Shares of right decisions have the score interval of Wilson (1927), F1 the posterior of Goutte and Gaussier (2005), and
errors and correlations of numbers the percentiles of a bootstrap (Efron, 1979). They hold what texts drawn anew from
the same source would change, and nothing else: neither another seed of the training nor other kinds of texts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np

from ..modeling.configuration_base import MULTI_LABEL, SINGLE_LABEL


# From so many texts on, the interval of a share is narrower than ± 3 points, and is left out.
FEW_TEXTS = 1_000
CONFIDENCE = 0.95
# What is appended to the name of a score.
LOW, HIGH = "_low", "_high"
_DRAWS = 4_000
_SEED = 0
# Jeffreys' prior: what is added to each of the counts.
_PRIOR = 0.5


class Interval(NamedTuple):
    """A lower and an upper bound; the score lies between them."""

    low: float
    high: float


def wilson_interval(right: float, count: int, confidence: float = CONFIDENCE) -> Interval:
    """The score interval of a share, which is wide where few were counted, even if all of them were right.

    Args:
        right: How many of them were right.
        count: How many there were, above 0.
        confidence: Share of such intervals that hold the true share.

    Raises:
        ValueError: When `right` is not between 0 and a positive `count`.

    Example:
        >>> [round(bound, 3) for bound in wilson_interval(12, 12)]
        [0.758, 1.0]
    """
    if count <= 0 or not 0 <= right <= count:
        raise ValueError(f"{right} of {count} is no share: right must be between 0 and count, and count above 0.")
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share, square = right / count, z * z / count
    centre = (share + square / 2) / (1 + square)
    margin = z / (1 + square) * np.sqrt(share * (1 - share) / count + square / (4 * count))
    # Rounding must not leave out the share itself, where all or none were right.
    return Interval(float(min(max(centre - margin, 0.0), share)), float(max(min(centre + margin, 1.0), share)))


def f1_interval(
    hits: np.ndarray, misses: np.ndarray, weights: np.ndarray | None = None, confidence: float = CONFIDENCE
) -> Interval:
    """The interval of an F1, or of a mean of several, from the posterior of Goutte and Gaussier (2005).

    F1 is U / (U + V) with U ~ Γ(hits + ½, 2) and V ~ Γ(misses + 1, 1), drawn 4,000 times with a fixed seed. The
    classes are drawn as if they were independent.

    Args:
        hits: (classes,) right decisions for a class.
        misses: (classes,) wrong ones: false alarms and what was missed together.
        weights: (classes,) weights in the mean; all equal without. Classes that occur nowhere are left out.
        confidence: Share of the draws that the interval holds; it always holds the score itself.

    Example:
        >>> [round(bound, 2) for bound in f1_interval(np.array([6, 6]), np.array([0, 0]))]
        [0.8, 1.0]
    """
    hits, misses = (np.atleast_1d(np.asarray(counts, dtype=np.float64)) for counts in (hits, misses))
    weights = np.ones_like(hits) if weights is None else np.asarray(weights, dtype=np.float64)
    weights = np.where(hits + misses > 0, weights, 0.0)
    if not weights.any():
        return Interval(0.0, 0.0)
    weights = weights / weights.sum()
    generator = np.random.default_rng(_SEED)
    size = (_DRAWS, len(hits))
    found = generator.gamma(hits + _PRIOR, 2.0, size)
    wrong = generator.gamma(misses + 2 * _PRIOR, 1.0, size)
    score = (2 * hits / np.maximum(2 * hits + misses, 1)) @ weights
    return _percentiles((found / (found + wrong)) @ weights, score, confidence)


def bootstrap_interval(
    score: Callable[..., float], *columns: np.ndarray, confidence: float = CONFIDENCE, draws: int = 1_000
) -> Interval:
    """The percentiles of a score over texts drawn with replacement, with a fixed seed.

    Args:
        score: From columns like those given to a number.
        columns: (texts, …) each, such as references and predictions.
        confidence: Share of the draws that the interval holds; it always holds the score itself.
        draws: How often texts are drawn.

    Example:
        >>> bootstrap_interval(np.mean, np.zeros(5))
        Interval(low=0.0, high=0.0)
    """
    generator = np.random.default_rng(_SEED)
    count = len(columns[0])
    # One draw after the other, because all together would take 8 kB a text.
    drawn = (generator.integers(0, count, count) for _ in range(draws))
    values = np.array([score(*(column[rows] for column in columns)) for rows in drawn])
    return _percentiles(values, score(*columns), confidence)


def score_intervals(
    problem_type: str, references: np.ndarray, predictions: np.ndarray, confidence: float = CONFIDENCE
) -> dict[str, Interval]:
    """The intervals of the scores of a problem type.

    Args:
        problem_type: "single_label_classification", "multi_label_classification" or "regression".
        references, predictions: As from `hfattnlstm.training.metrics.prepared`.
        confidence: Of each interval on its own.

    Returns:
        By name of the score.

    Example:
        >>> intervals = score_intervals("single_label_classification", np.array([0, 1, 1]), np.array([0, 1, 1]))
        >>> [round(bound, 3) for bound in intervals["accuracy"]]
        [0.439, 1.0]
    """
    if problem_type == SINGLE_LABEL:
        return _single_label(references, predictions, confidence)
    if problem_type == MULTI_LABEL:
        return _multi_label(references, predictions, confidence)
    return _regression(references, predictions, confidence)


def as_scores(intervals: Mapping[str, Interval], prefix: str = "") -> dict[str, float]:
    """Intervals as flat numbers, beside the scores in `all_results.json`.

    Example:
        >>> as_scores({"accuracy": Interval(0.5, 1.0)}, "eval_")
        {'eval_accuracy_low': 0.5, 'eval_accuracy_high': 1.0}
    """
    bounds = ((f"{prefix}{name}", interval) for name, interval in intervals.items())
    return {f"{name}{end}": bound for name, interval in bounds for end, bound in zip((LOW, HIGH), interval)}


def split_intervals(metrics: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Interval]]:
    """Metrics apart from the intervals among them, each by the name of its score.

    Example:
        >>> split_intervals({"eval_accuracy": 0.9, "eval_accuracy_low": 0.7, "eval_accuracy_high": 1.0})
        ({'eval_accuracy': 0.9}, {'eval_accuracy': Interval(low=0.7, high=1.0)})
    """
    named = [name for name in metrics if {f"{name}{LOW}", f"{name}{HIGH}"} <= metrics.keys()]
    intervals = {name: Interval(metrics[f"{name}{LOW}"], metrics[f"{name}{HIGH}"]) for name in named}
    bounds = {f"{name}{end}" for name in named for end in (LOW, HIGH)}
    return {name: value for name, value in metrics.items() if name not in bounds}, intervals


def _single_label(references: np.ndarray, predictions: np.ndarray, confidence: float) -> dict[str, Interval]:
    right = wilson_interval(int((references == predictions).sum()), len(references), confidence)
    classes = np.union1d(references, predictions)
    references, predictions = (values[:, None] == classes for values in (references, predictions))
    hits, misses = _hits_and_misses(references, predictions)
    return {
        "accuracy": right,
        "f1_macro": f1_interval(hits, misses, None, confidence),
        # Over all classes together, F1 is the accuracy.
        "f1_micro": right,
        "f1_weighted": f1_interval(hits, misses, references.sum(0), confidence),
    }


def _multi_label(references: np.ndarray, predictions: np.ndarray, confidence: float) -> dict[str, Interval]:
    texts = len(references)
    hits, misses = _hits_and_misses(references.astype(bool), predictions.astype(bool))
    occurring = np.mean(hits + misses > 0)
    # A label that occurs nowhere has F1 0 and is a part of this mean.
    macro = Interval(*(bound * float(occurring) for bound in f1_interval(hits, misses, None, confidence)))
    intervals = {
        "f1_micro": f1_interval(hits.sum(), misses.sum(), None, confidence),
        "f1_macro": macro,
        "subset_accuracy": wilson_interval(int((references == predictions).all(1).sum()), texts, confidence),
        # The labels of a text are wrong together, so it counts as one decision.
        "hamming_loss": wilson_interval(float((references != predictions).mean(1).sum()), texts, confidence),
    }
    for name, decisions in (("precision_micro", predictions.sum()), ("recall_micro", references.sum())):
        if decisions:
            intervals[name] = wilson_interval(int(hits.sum()), int(decisions), confidence)
    return intervals


def _regression(references: np.ndarray, predictions: np.ndarray, confidence: float) -> dict[str, Interval]:
    errors = references - predictions
    scores = {
        "mse": lambda errors: float((errors**2).mean()),
        "rmse": lambda errors: float((errors**2).mean() ** 0.5),
        "mae": lambda errors: float(np.abs(errors).mean()),
    }
    return {name: bootstrap_interval(score, errors, confidence=confidence) for name, score in scores.items()}


def _hits_and_misses(references: np.ndarray, predictions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of every class, from (texts, classes) of True and False."""
    return (references & predictions).sum(0), (references ^ predictions).sum(0)


def _percentiles(values: np.ndarray, score: float, confidence: float) -> Interval:
    low, high = np.quantile(values, ((1 - confidence) / 2, (1 + confidence) / 2))
    return Interval(float(min(low, score)), float(max(high, score)))

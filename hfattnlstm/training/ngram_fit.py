"""The linear part of a classifier: the weights of n-grams, and how much they count beside the LSTM.

Two linear classifiers see the same counts, over the root of how many n-grams a text has. One scales them by
log-count ratios (NB-SVM: Wang and Manning, 2012), which is best for opinions, the other by inverse document
frequencies, which is best for topics. Both are support vector machines, one label against all others. As a sum of
linear classifiers is one, the model keeps a single table.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.optimize import minimize
from sklearn.svm import LinearSVC

from ..modeling.configuration_attnlstm import MULTI_LABEL
from .calibration import log_softmax, sigmoid


# Of these, the cost of errors that is best on held-out texts is taken.
COSTS = (0.3, 1.0, 3.0, 10.0)
# What a text on the wrong side counts for beside what a part's weight should be, before any text was seen.
_PRIOR = 4.0


class LinearPart(NamedTuple):
    """A linear classifier of counts: `weight` (size, labels) and `bias` (labels,), and the cost it was fitted with."""

    weight: np.ndarray
    bias: np.ndarray
    cost: float

    def logits(self, counts: sparse.csr_matrix) -> np.ndarray:
        """Counts (texts, size) to (texts, labels)."""
        return over_root(counts) @ self.weight + self.bias


def over_root(counts: sparse.csr_matrix) -> sparse.csr_matrix:
    """Counts (texts, size) over the square root of their sum for each text."""
    total = np.asarray(counts.sum(1)).ravel()
    return (sparse.diags_array((1 / np.sqrt(np.maximum(total, 1))).astype(np.float32)) @ counts).tocsr()


def log_count_ratios(counts: sparse.csr_matrix, applies: np.ndarray) -> np.ndarray:
    """How much more often n-grams occur where a label applies: log((p + 1) / |p + 1|) − log((q + 1) / |q + 1|).

    Args:
        counts: (texts, size).
        applies: Boolean (texts,).

    Returns:
        (size,).
    """
    inside, outside = (1 + np.asarray(counts[rows].sum(0)).ravel() for rows in (applies, ~applies))
    return np.log(inside / inside.sum()) - np.log(outside / outside.sum())


def inverse_document_frequencies(counts: sparse.csr_matrix) -> np.ndarray:
    """log((1 + n) / (1 + df)) + 1 of each n-gram over its mean, (size,)."""
    frequency = np.bincount(counts.indices, minlength=counts.shape[1])
    values = np.log((1 + counts.shape[0]) / (1 + frequency)) + 1
    return values / values.mean()


def fit_linear_part(
    counts: sparse.csr_matrix, applies: np.ndarray, *, by_ratio: bool, cost: float, threads: int = 1
) -> LinearPart:
    """One label against all others, for each label.

    Args:
        counts: (texts, size).
        applies: Boolean (texts, labels). Of two labels that exclude each other, the first mirrors the second.
        by_ratio: Whether counts are scaled by log-count ratios, or else by inverse document frequencies.
        cost: Of errors: the C of `LinearSVC`.
        threads: Labels that are fitted side by side.
    """
    shares = over_root(counts)
    frequencies = None if by_ratio else inverse_document_frequencies(counts)
    mirrored = applies.shape[1] == 2 and bool((applies.sum(1) == 1).all())

    def fit(label: int) -> tuple[np.ndarray, float]:
        rows = applies[:, label]
        if rows.all() or not rows.any():
            return np.zeros(counts.shape[1]), 1.0 if rows.all() else -1.0
        scale = (log_count_ratios(counts, rows) if by_ratio else frequencies).astype(np.float32)
        machine = LinearSVC(C=cost, random_state=0)
        machine.fit(shares @ sparse.diags_array(scale), rows)
        return machine.coef_[0] * scale, float(machine.intercept_[0])

    labels = [1] if mirrored else range(applies.shape[1])
    with ThreadPoolExecutor(threads) as pool:
        fitted = list(pool.map(fit, labels))
    weight, bias = np.stack([found for found, _ in fitted], 1), np.array([found for _, found in fitted])
    if mirrored:
        weight, bias = np.concatenate([-weight, weight], 1) / 2, np.concatenate([-bias, bias]) / 2
    return LinearPart(weight.astype(np.float32), bias.astype(np.float32), cost)


def mixing_weights(parts: Sequence[np.ndarray], applies: np.ndarray, problem_type: str) -> np.ndarray:
    """What to multiply logits with, so that their sum has the least log loss.

    Each part is first calibrated by itself; without texts that say otherwise, all would count equally.

    Args:
        parts: Logits (texts, labels).
        applies: Boolean (texts, labels).
        problem_type: Whether one label a text applies, or any number.

    Returns:
        (parts,), not negative.

    Example:

    ```python
    >>> logits, applies = np.array([[2.0, -2.0], [-2.0, 2.0]]), np.array([[True, False], [False, True]])
    >>> useful, useless = mixing_weights([logits, 0 * logits], applies, "single_label_classification")
    >>> useful > 0.5
    True
    ```
    """
    own = [_least_loss([part], applies, problem_type, np.ones(1))[0] for part in parts]
    scaled = [scale * part for scale, part in zip(own, parts)]
    return np.array(own) * _least_loss(scaled, applies, problem_type, np.full(len(parts), 1 / len(parts)))


def log_loss(logits: np.ndarray, applies: np.ndarray, problem_type: str) -> float:
    """The mean over the texts, in nats; of several labels a text, that of their sum."""
    return _loss_and_slope(logits, applies, problem_type)[0] / len(logits)


def _least_loss(parts: Sequence[np.ndarray], applies: np.ndarray, problem_type: str, prior: np.ndarray) -> np.ndarray:
    stacked = np.stack(parts).astype(np.float64)

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        value, slope = _loss_and_slope(np.tensordot(weights, stacked, 1), applies, problem_type)
        off = weights / prior - 1
        gradient = np.tensordot(stacked, slope, 2) + _PRIOR * off / prior
        return value + _PRIOR / 2 * float(off @ off), gradient

    return minimize(loss, prior, jac=True, method="L-BFGS-B", bounds=[(0, None)] * len(parts)).x


def _loss_and_slope(logits: np.ndarray, applies: np.ndarray, problem_type: str) -> tuple[float, np.ndarray]:
    """The sum of the log losses, and its gradient by the logits."""
    if problem_type == MULTI_LABEL:
        signed = np.where(applies, -logits, logits)
        return float(np.logaddexp(0.0, signed).sum()), sigmoid(logits) - applies
    logs = log_softmax(logits)
    return float(-logs[applies].sum()), np.exp(logs) - applies

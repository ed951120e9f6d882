"""Fits the linear part of a classifier, and says how much the parts of a sum of logits should count.

Two linear classifiers see the same counts over the square root of how many tokens a text has. One scales them by
log-count ratios (NB-SVM: Wang and Manning, 2012), which is best for opinions, the other by inverse document
frequencies, which is best for topics. Both are support vector machines, one label against all others.

They also see the n-grams of characters that the tokens consist of (Bojanowski et al., 2017), so that rare tokens learn
from others that are spelt alike. What such an n-gram weighs is in the end a part of what each token weighs, and a sum
of linear classifiers is one: the model keeps a single table, of tokens and runs of tokens.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.optimize import minimize
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import LinearSVC

from ..modeling.configuration_base import MULTI_LABEL
from .calibration import log_softmax, sigmoid


# For how many texts the assumption stands that all parts count equally.
_PRIOR = 4.0
# Where a fit stops. Ten times as exact takes twice as long, and tells held-out texts apart no better.
_TOLERANCE = 0.01


class LinearPart(NamedTuple):
    """A linear classifier of counts.

    Attributes:
        weight, bias: (size, labels) and (labels,).
        cost: Of errors, with which it was fitted.
    """

    weight: np.ndarray
    bias: np.ndarray
    cost: float

    def logits(self, counts: sparse.csr_matrix, num_tokens: np.ndarray) -> np.ndarray:
        """Counts (texts, size) and lengths (texts,) to (texts, labels)."""
        return _over_root(counts, num_tokens) @ self.weight + self.bias


def log_count_ratios(counts: sparse.csr_matrix, applies: np.ndarray) -> np.ndarray:
    """How much more often something occurs where a label applies: log((p + 1) / |p + 1|) − log((q + 1) / |q + 1|).

    Args:
        counts: (texts, size).
        applies: Boolean (texts,).

    Returns:
        (size,).

    Example:

    ```python
    >>> log_count_ratios(sparse.csr_matrix([[1.0, 0.0], [0.0, 1.0]]), np.array([True, False])).round(4)
    array([ 0.6931, -0.6931])
    ```
    """
    inside, outside = (1 + np.asarray(counts[rows].sum(0)).ravel() for rows in (applies, ~applies))
    return np.log(inside / inside.sum()) - np.log(outside / outside.sum())


def inverse_document_frequencies(counts: sparse.csr_matrix) -> np.ndarray:
    """log((1 + n) / (1 + df)) + 1 of each column of (texts, size), over its mean: (size,).

    Example:

    ```python
    >>> inverse_document_frequencies(sparse.csr_matrix([[1.0, 0.0], [2.0, 1.0]])).round(4)
    array([0.8314, 1.1686])
    ```
    """
    frequency = np.bincount(counts.indices, minlength=counts.shape[1])
    values = np.log((1 + counts.shape[0]) / (1 + frequency)) + 1
    return values / values.mean()


class LinearFitter:
    """Fits linear classifiers to the same texts.

    Args:
        counts: (texts, size), of the n-grams of each text.
        num_tokens: (texts,).
        applies: Boolean (texts, labels). Of two labels that exclude each other, the first mirrors the second.
        spelling: (tokens, character n-grams), what the first columns of `counts` consist of; None to leave it out.
        weights: (texts, labels), how much each decision counts; see [`decision_weights`].
    """

    def __init__(
        self,
        counts: sparse.csr_matrix,
        num_tokens: np.ndarray,
        applies: np.ndarray,
        spelling: sparse.csr_matrix | None = None,
        weights: np.ndarray | None = None,
    ):
        self._applies, self._spelling = applies, spelling
        self._weights = np.broadcast_to(np.float32(1), applies.shape) if weights is None else weights
        self._blocks = [counts]
        if spelling is not None:
            self._blocks.append((counts[:, : spelling.shape[0]] @ spelling).tocsr())
        # So that the kinds of n-grams, of which a text has more or fewer, are equally large.
        tokens = max(num_tokens.sum(), 1)
        self._roots = [np.sqrt(max(block.sum() / tokens, 1e-9)) for block in self._blocks]
        self._shares = [_over_root(block, num_tokens) / root for block, root in zip(self._blocks, self._roots)]
        self._mirrored = applies.shape[1] == 2 and bool((applies.sum(1) == 1).all())

    def fit(self, by_ratio: bool, costs: Sequence[float], labels: Sequence[int] | None = None) -> list[LinearPart]:
        """One classifier a cost.

        Args:
            by_ratio: Whether counts are scaled by log-count ratios, or else by inverse document frequencies.
            costs: Of errors: the C of `LinearSVC`.
            labels: Of these alone, in their order; of all without. Of two that exclude each other, there are both.
        """
        frequencies = None if by_ratio else [inverse_document_frequencies(block) for block in self._blocks]

        # One after another: their random numbers have one source in the process, which threads would share.
        if self._mirrored:
            labels = [1]
        elif labels is None:
            labels = range(self._applies.shape[1])
        with warnings.catch_warnings():
            # The last digits do not matter: the cost is chosen on held-out texts.
            warnings.simplefilter("ignore", ConvergenceWarning)
            by_label = [self._fit_label(label, frequencies, costs) for label in labels]
        return [self._part([found[place] for found in by_label], cost) for place, cost in enumerate(costs)]

    def _fit_label(
        self, label: int, frequencies: list[np.ndarray] | None, costs: Sequence[float]
    ) -> list[tuple[np.ndarray, float]]:
        rows, weights = self._applies[:, label], self._weights[:, label]
        counted = rows[weights > 0]
        if counted.all() or not counted.any():
            return [(np.zeros(self._blocks[0].shape[1], np.float32), 1.0 if counted.all() else -1.0)] * len(costs)
        scales = frequencies or [log_count_ratios(block, rows) for block in self._blocks]
        scaled = [_times(share, scale) for share, scale in zip(self._shares, scales)]
        inputs = scaled[0] if len(scaled) == 1 else sparse.hstack(scaled, format="csr")
        found = []
        for cost in costs:
            machine = LinearSVC(C=cost, tol=_TOLERANCE, random_state=0).fit(inputs, rows, weights)
            found.append((self._folded(machine.coef_[0], scales), float(machine.intercept_[0])))
        return found

    def _folded(self, weights: np.ndarray, scales: Sequence[np.ndarray]) -> np.ndarray:
        """The weights of n-grams, with those of characters in the tokens that they belong to."""
        first = self._blocks[0].shape[1]
        weight = weights[:first] * scales[0] / self._roots[0]
        if self._spelling is not None:
            weight[: self._spelling.shape[0]] += self._spelling @ (weights[first:] * scales[1] / self._roots[1])
        return weight.astype(np.float32)

    def _part(self, fitted: Sequence[tuple[np.ndarray, float]], cost: float) -> LinearPart:
        weight, bias = np.stack([found for found, _ in fitted], 1), np.array([found for _, found in fitted])
        if self._mirrored:
            weight, bias = np.concatenate([-weight, weight], 1) / 2, np.concatenate([-bias, bias]) / 2
        return LinearPart(weight.astype(np.float32), bias.astype(np.float32), cost)


def decision_weights(
    applies: np.ndarray, problem_type: str, class_weights: Sequence[float] | None
) -> np.ndarray | None:
    """How much it counts whether each label applies to each text, as in the loss of the model; 1 in the mean.

    Args:
        applies: Boolean (texts, labels).
        problem_type: Of one label a text, the weight is that of its class; of several, that of each label counts
            where it applies.
        class_weights: (labels,), or None where all count equally.

    Returns:
        (texts, labels); None without class weights.

    Example:

    ```python
    >>> applies = np.array([[True, False], [True, False], [False, True]])
    >>> decision_weights(applies, "single_label_classification", [0.5, 2.0])
    array([[0.5, 0.5],
           [0.5, 0.5],
           [2. , 2. ]])
    ```
    """
    if class_weights is None:
        return None
    if problem_type == MULTI_LABEL:
        weights = np.where(applies, class_weights, 1.0)
    else:
        weights = np.repeat(applies @ np.array(class_weights, np.float64)[:, None], applies.shape[1], 1)
    return weights / max(weights.mean(), 1e-9)


def mixing_weights(
    parts: Sequence[np.ndarray], applies: np.ndarray, problem_type: str, weights: np.ndarray | None = None
) -> np.ndarray:
    """What to multiply logits with, so that their sum has the least log loss.

    Each part is first calibrated by itself; without texts that say otherwise, all would count equally.

    Args:
        parts: Logits (texts, labels).
        applies: Boolean (texts, labels).
        problem_type: Whether one label a text applies, or any number.
        weights: (texts, labels), how much each decision counts; see [`decision_weights`].

    Returns:
        (parts,), not negative.

    Example:

    ```python
    >>> logits, applies = np.array([[2.0, -2.0], [-2.0, 2.0]]), np.array([[True, False], [False, True]])
    >>> useful, useless = mixing_weights([logits, 0 * logits], applies, "single_label_classification")
    >>> bool(useful > 0.5)
    True
    ```
    """
    loss = _loss_of(applies, problem_type, weights)
    own = [_own_scale(part, loss) for part in parts]
    scaled = [scale * part for scale, part in zip(own, parts)]
    return np.array(own) * _least_loss(scaled, loss, np.full(len(parts), 1 / len(parts)))


def calibrated_loss(
    logits: np.ndarray, applies: np.ndarray, problem_type: str, weights: np.ndarray | None = None
) -> float:
    """The mean log loss in nats of a part by itself, multiplied with what is best for it."""
    loss = _loss_of(applies, problem_type, weights)
    return loss(_own_scale(logits, loss) * logits)[0] / len(logits)


# From logits (texts, labels) to the sum of the log losses and its gradient.
_Loss = Callable[[np.ndarray], tuple[float, np.ndarray]]


def _loss_of(applies: np.ndarray, problem_type: str, weights: np.ndarray | None) -> _Loss:
    loss = _multi_label_loss if problem_type == MULTI_LABEL else _single_label_loss
    return partial(loss, applies=applies, weights=1.0 if weights is None else weights)


def _own_scale(logits: np.ndarray, loss: _Loss) -> float:
    """What calibrates a part by itself."""
    return float(_least_loss([logits], loss, np.ones(1))[0])


def _least_loss(parts: Sequence[np.ndarray], loss: _Loss, prior: np.ndarray) -> np.ndarray:
    stacked = np.stack(parts).astype(np.float64)

    def with_prior(scales: np.ndarray) -> tuple[float, np.ndarray]:
        value, slope = loss(np.tensordot(scales, stacked, 1))
        off = scales / prior - 1
        return value + _PRIOR / 2 * float(off @ off), np.tensordot(stacked, slope, 2) + _PRIOR * off / prior

    return minimize(with_prior, prior, jac=True, method="L-BFGS-B", bounds=[(0, None)] * len(parts)).x


def _single_label_loss(
    logits: np.ndarray, applies: np.ndarray, weights: np.ndarray | float
) -> tuple[float, np.ndarray]:
    logs = log_softmax(logits)
    return float(-(weights * logs)[applies].sum()), weights * (np.exp(logs) - applies)


def _multi_label_loss(
    logits: np.ndarray, applies: np.ndarray, weights: np.ndarray | float
) -> tuple[float, np.ndarray]:
    losses = weights * np.logaddexp(0.0, np.where(applies, -logits, logits))
    return float(losses.sum()), weights * (sigmoid(logits) - applies)


def _over_root(counts: sparse.csr_matrix, num_tokens: np.ndarray) -> sparse.csr_matrix:
    """Counts (texts, size) over the square root of the length of each text."""
    roots = np.sqrt(np.maximum(num_tokens, 1)).astype(np.float32)
    return sparse.csr_matrix(
        (counts.data / np.repeat(roots, np.diff(counts.indptr)), counts.indices, counts.indptr), counts.shape
    )


def _times(counts: sparse.csr_matrix, scale: np.ndarray) -> sparse.csr_matrix:
    """Each column (texts, size) multiplied with its entry of (size,)."""
    data = counts.data * scale.astype(np.float32)[counts.indices]
    return sparse.csr_matrix((data, counts.indices, counts.indptr), counts.shape)

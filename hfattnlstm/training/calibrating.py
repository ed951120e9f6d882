"""What is fitted to held-out texts once a model is trained: the temperature of its probabilities, and thresholds.

The temperature is that of Guo et al. (2017). The thresholds follow the idea of SCutFBR (Yang, 2001; Fan and Lin,
2007): the cut with the best F1 of each label, averaged over parts of the texts, and no cut of its own for a label that
is too rare to have one.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..modeling.configuration_base import MULTI_LABEL, REGRESSION
from .calibration import Calibration, calibration_of_classes, calibration_of_labels, log_softmax, sigmoid
from .metrics import ONE_HALF


COLDEST, HOTTEST = 0.05, 20.0
# How strongly the temperature is drawn to 1, as so many texts would draw it.
PRIOR_TEXTS = 1.0
# A label with fewer texts shares a threshold.
FEWEST_POSITIVES = 5
LOWEST, HIGHEST = 0.01, 0.99
_HALVINGS = 40
_RESAMPLES = 40
_SEED = 0


def fit_temperature(logits: np.ndarray, references: np.ndarray, problem_type: str) -> float:
    """The temperature by which the logits of held-out texts have the least log loss (Guo et al., 2017).

    With β = 1 / temperature, the sum of the log losses of all texts, or of all labels of all texts, plus
    β − 1 − log β is least. That is convex, and the term bounds the answer where the texts are few or perfectly told
    apart, and draws it to 1.

    Args:
        logits: (texts, classes or labels), of texts that the model was not trained on.
        references: (texts,) class ids, of which negative ones are left out, or (texts, labels) of 0 and 1.
        problem_type: "single_label_classification" or "multi_label_classification".

    Returns:
        Between 0.05 and 20, for `calibration_temperature` of the configuration; 1 without any text.

    Raises:
        ValueError: For a regression, and for logits that are not finite or do not fit the references.

    Example:

    ```python
    >>> sure, right = np.array([[4.0, 0.0]] * 100), np.array([0] * 80 + [1] * 20)
    >>> round(fit_temperature(sure, right, "single_label_classification"), 1)
    2.8
    ```
    """
    logits, references = _checked(logits, references, problem_type)
    # In the inverse of the temperature, the slope grows from one end to the other.
    low, high = np.log(1 / HOTTEST), np.log(1 / COLDEST)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _slope(logits, references, np.exp(middle)) < 0:
            low = middle
        else:
            high = middle
    return round(float(np.exp(-(low + high) / 2)), 4)


def _slope(logits: np.ndarray, references: np.ndarray, sharpness: float) -> float:
    """The derivative of what is made least, by the inverse of the temperature."""
    prior = PRIOR_TEXTS * (1 - 1 / sharpness)
    if references.ndim == 2:
        return ((sigmoid(sharpness * logits) - references) * logits).sum() + prior
    # Against the largest of each text, which changes no probability.
    logits = logits - logits.max(-1, keepdims=True)
    expected = (np.exp(log_softmax(sharpness * logits)) * logits).sum(-1)
    return (expected - logits[np.arange(len(logits)), references]).sum() + prior


def fit_thresholds(probabilities: np.ndarray, references: np.ndarray) -> list[float]:
    """For each label, the probability above which it is taken to apply, by its F1 on held-out texts.

    The cut with the best F1 jumps from one sample of texts to the next. The threshold is the mean, in log-odds, of
    those cuts over 40 resamples of the texts (Breiman, 1996), the same in every call. Labels with fewer than five
    texts share the one that is best for their pooled decisions (micro F1), and where even these texts are fewer than
    five, that of all labels.

    Args:
        probabilities: (texts, labels), calibrated if the model is, of texts that it was not trained on.
        references: (texts, labels) of 0 and 1.

    Returns:
        One number a label between 0.01 and 0.99, for `threshold` of the configuration; 0.5 where no label applies.

    Raises:
        ValueError: When the two do not fit together.

    Example:

    ```python
    >>> probabilities = np.array([[0.9, 0.4], [0.8, 0.3], [0.2, 0.1], [0.1, 0.0]] * 5)
    >>> fit_thresholds(probabilities, (probabilities > 0.25).astype(int))
    [0.5, 0.2]
    ```
    """
    probabilities, references = np.asarray(probabilities, dtype=np.float64), np.asarray(references)
    if probabilities.ndim != 2 or probabilities.shape != references.shape:
        raise ValueError(
            f"The probabilities have shape {probabilities.shape}, the labels {references.shape}: give (texts, labels) "
            "of both."
        )
    if not references.any():
        return [ONE_HALF] * references.shape[1]
    texts = len(references)
    counts = np.random.default_rng(_SEED).multinomial(texts, np.full(texts, 1 / texts), _RESAMPLES)
    positives = references.sum(0)
    rare = positives < FEWEST_POSITIVES
    shared = ONE_HALF
    if rare.any():
        pooled = rare if positives[rare].sum() >= FEWEST_POSITIVES else np.ones_like(rare)
        shared = _threshold(probabilities[:, pooled], references[:, pooled], counts)
    columns = zip(rare, probabilities.T[:, :, None], references.T[:, :, None])
    return [shared if few else _threshold(*column, counts) for few, *column in columns]


def _threshold(probabilities: np.ndarray, references: np.ndarray, counts: np.ndarray) -> float:
    """Of some labels together, (texts, labels), over resamples (resamples, texts) of the texts."""
    order = np.argsort(-probabilities, axis=None)
    scores, applies = probabilities.ravel()[order], references.ravel()[order]
    texts = order // probabilities.shape[1]
    found = []
    for weights in counts:
        weights = weights[texts]
        drawn = weights > 0
        found.append(_cut(scores[drawn], applies[drawn], weights[drawn]))
    cuts = np.array([cut for cut in found if cut is not None])
    if not len(cuts):
        return ONE_HALF
    cuts = np.clip(cuts, LOWEST, HIGHEST)
    return round(float(sigmoid(np.log(cuts / (1 - cuts)).mean())), 4)


def best_cut(probabilities: np.ndarray, references: np.ndarray) -> float | None:
    """The cut above which decisions have the best F1, in the middle between two probabilities; the highest of several.

    Args:
        probabilities: (decisions,) numbers.
        references: (decisions,) of 0 and 1.

    Returns:
        None where nothing applies.

    Example:

    ```python
    >>> round(best_cut(np.array([0.9, 0.6, 0.2]), np.array([1, 1, 0])), 3)
    0.4
    ```
    """
    order = np.argsort(-probabilities)
    return _cut(probabilities[order], references[order], np.ones(len(order)))


def _cut(scores: np.ndarray, applies: np.ndarray, weights: np.ndarray) -> float | None:
    """As [`best_cut`], of scores in falling order that count so many times."""
    hits, given = np.cumsum(weights * applies), np.cumsum(weights)
    if not len(hits) or not hits[-1]:
        return None
    below = np.append(scores[1:], 0.0)
    # Equal scores are decided alike.
    f1 = np.where(scores > below, 2 * hits / (given + hits[-1]), -1.0)
    best = int(f1.argmax())
    return float(scores[best] + below[best]) / 2


def cross_fitted_calibration(logits: np.ndarray, references: np.ndarray, problem_type: str) -> Calibration:
    """How well a fitted temperature calibrates, on the texts that it is fitted to: each half by that of the other.

    Args:
        logits, references, problem_type: As in [`fit_temperature`].

    Returns:
        The calibration of all texts, with `cross_fitted` true.

    Raises:
        ValueError: As [`fit_temperature`], and without any text.

    Example:

    ```python
    >>> sure, right = np.array([[4.0, 0.0]] * 100), np.array([0] * 80 + [1] * 20)
    >>> found = cross_fitted_calibration(sure, right, "single_label_classification")
    >>> round(found.log_loss, 1), found.cross_fitted
    (0.5, True)
    ```
    """
    logits, references = _checked(logits, references, problem_type)
    if not len(logits):
        raise ValueError("There is nothing to measure: give logits of at least one text with its label.")
    scaled = np.empty_like(logits)
    for half, other in _halves(len(logits)):
        scaled[half] = logits[half] / fit_temperature(logits[other], references[other], problem_type)
    measure = calibration_of_labels if problem_type == MULTI_LABEL else calibration_of_classes
    return replace(measure(scaled, references), cross_fitted=True)


def cross_fitted_decisions(probabilities: np.ndarray, references: np.ndarray) -> np.ndarray:
    """The decisions that fitted thresholds make on the texts that they are fitted to: each half by those of the other.

    Args:
        probabilities, references: As in [`fit_thresholds`].

    Returns:
        (texts, labels) of 0 and 1, for honest scores.

    Raises:
        ValueError: As [`fit_thresholds`].

    Example:

    ```python
    >>> probabilities = np.array([[0.9, 0.4], [0.8, 0.3], [0.2, 0.1], [0.1, 0.0]] * 5)
    >>> cross_fitted_decisions(probabilities, (probabilities > 0.25).astype(int))[:2].tolist()
    [[1, 1], [1, 1]]
    ```
    """
    probabilities, references = np.asarray(probabilities), np.asarray(references)
    decisions = np.zeros(references.shape, dtype=np.int64)
    for half, other in _halves(len(references)):
        decisions[half] = probabilities[half] > fit_thresholds(probabilities[other], references[other])
    return decisions


def _halves(count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Each half of the rows with the other one; mixed, because files are often sorted by label."""
    order = np.random.default_rng(_SEED).permutation(count)
    first, second = np.sort(order[::2]), np.sort(order[1::2])
    return [(first, second), (second, first)]


def _checked(logits: np.ndarray, references: np.ndarray, problem_type: str) -> tuple[np.ndarray, np.ndarray]:
    """Both as arrays that fit together, without the texts that have no label."""
    if problem_type == REGRESSION:
        raise ValueError("A regression has no probabilities, and so no temperature: leave its numbers as they are.")
    logits, references = np.asarray(logits, dtype=np.float64), np.asarray(references)
    wanted = logits.shape if problem_type == MULTI_LABEL else logits.shape[:1]
    if logits.ndim != 2 or references.shape != wanted:
        raise ValueError(
            f"The labels have shape {references.shape}, the logits {logits.shape}: give (texts, labels) of both, or "
            "one class id a text."
        )
    if not np.isfinite(logits).all():
        raise ValueError("The logits have NaN or infinity: train with a lower learning rate.")
    if problem_type == MULTI_LABEL:
        return logits, references
    kept = references >= 0
    return logits[kept], references[kept].astype(np.int64)

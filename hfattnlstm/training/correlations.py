"""How well numbers go together, for the metrics of a regression; finite for constant and for extreme numbers."""

from __future__ import annotations

import numpy as np
from sklearn import metrics as sklearn_metrics


def r2(references: np.ndarray, predictions: np.ndarray) -> float:
    """The share of the variance that is explained; of constant references, 1 where all predictions are exact, else 0.

    Example:
        >>> r2(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 2.0]))
        0.5
    """
    if np.ptp(references) == 0:
        return float(np.array_equal(references, predictions))
    return float(sklearn_metrics.r2_score(references, predictions))


def pearson(x: np.ndarray, y: np.ndarray) -> float:
    """The linear correlation, 0 where one side is constant.

    Example:
        >>> pearson(np.array([1.0, 2.0]), np.array([5.0, 3.0]))
        -1.0
    """
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return 0.0
    # Scaled first, so that the squares of very small or large numbers neither vanish nor overflow.
    x, y = ((v - v.mean()) / np.ptp(v) for v in (x, y))
    return float(np.clip(x @ y / np.sqrt((x @ x) * (y @ y)), -1.0, 1.0))


def ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 1; equal values share their mean rank.

    Example:
        >>> ranks(np.array([7.0, 5.0, 7.0])).tolist()
        [2.5, 1.0, 2.5]
    """
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[inverse]

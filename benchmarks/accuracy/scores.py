"""How good predictions are."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import f1_score

from hfattnlstm.training.calibration import calibration_of_classes
from hfattnlstm.training.intervals import f1_interval

from .candidates import Prediction


# Of a normal distribution, within one standard deviation.
_ONE_DEVIATION = 0.6827
# The score that the table is about, with one label a text and with several.
MAIN_SCORES = {False: "accuracy", True: "f1_micro"}


def score(prediction: Prediction, labels: np.ndarray) -> dict[str, float]:
    """Accuracy, macro F1 and, of probabilities, log loss and calibration error; of several labels micro and macro F1.

    Args:
        prediction: Of a candidate.
        labels: (texts,) class ids, or (texts, labels) of 0 and 1.

    Returns:
        Also `standard_error`: by how much the first one would vary from one choice of as many texts to another.

    Example:

    ```python
    >>> found = score(Prediction(np.array([0, 1, 1, 1])), np.array([0, 1, 1, 0]))
    >>> {name: round(value, 3) for name, value in found.items()}
    {'accuracy': 0.75, 'f1_macro': 0.733, 'standard_error': 0.217}
    ```
    """
    decisions = prediction.decisions
    macro = float(f1_score(labels, decisions, average="macro", zero_division=0))
    if labels.ndim == 2:
        micro = float(f1_score(labels, decisions, average="micro", zero_division=0))
        hits, misses = (labels & decisions).sum(), (labels ^ decisions).sum()
        low, high = f1_interval(hits, misses, confidence=_ONE_DEVIATION)
        return {"f1_micro": micro, "f1_macro": macro, "standard_error": (high - low) / 2}
    accuracy = float((decisions == labels).mean())
    error = float(np.sqrt(accuracy * (1 - accuracy) / len(labels)))
    found = {"accuracy": accuracy, "f1_macro": macro, "standard_error": error}
    if prediction.logs is not None:
        calibration = calibration_of_classes(prediction.logs, labels)
        found |= {"log_loss": calibration.log_loss, "ece": calibration.ece}
    return found

"""What a model card says of a measurement beyond single figures: classes, confusions and calibration."""

from __future__ import annotations

from collections.abc import Sequence

from ..modeling.configuration_base import MULTI_LABEL
from .calibration import before_calibration
from .evaluation import Evaluation
from .markdown import escaped, table


# More are hardly read in a card, and `hfattnlstm evaluate` shows them.
_MOST_IN_A_SQUARE = 10


def describe_evaluation(evaluation: Evaluation, split: str) -> str:
    """Sections of a card.

    Args:
        evaluation: Of a classification.
        split: Which split was measured.

    Returns:
        Markdown without a line break at its end.

    Example:

    ```python
    >>> print(describe_evaluation(evaluation, "test"))
    ### Classes
    ...
    ```
    """
    several = evaluation.problem_type == MULTI_LABEL
    sections = [f"### {'Labels' if several else 'Classes'}\n\nOn the {split} split:\n\n{_per_class(evaluation)}"]
    if not several and len(evaluation.label_names) <= _MOST_IN_A_SQUARE:
        sections.append(
            f"### Confusions\n\nThe right class by row, the predicted one by column:\n\n{_square(evaluation)}"
        )
    sections.append(f"### Calibration\n\n{_calibration(evaluation, split, several)}")
    return "\n\n".join(sections)


def _per_class(evaluation: Evaluation) -> str:
    heads: tuple[str, ...] = ("label", "precision", "recall", "F1", "texts")
    rows = [
        (escaped(name), *(f"{of[score]:.4f}" for score in ("precision", "recall", "f1")), f"{of['support']:,}")
        for name, of in evaluation.per_class.items()
    ]
    if isinstance(evaluation.threshold, Sequence):
        heads, rows = (*heads, "above"), [(*row, f"{own:.3f}") for row, own in zip(rows, evaluation.threshold)]
    return table(heads, rows)


def _square(evaluation: Evaluation) -> str:
    names = [escaped(name) for name in evaluation.label_names]
    rows = ((name, *map(str, counts)) for name, counts in zip(names, evaluation.confusion_matrix.tolist()))
    return table(("", *names), rows)


def _calibration(evaluation: Evaluation, split: str, several: bool) -> str:
    calibration = evaluation.calibration
    count = sum(part.count for part in calibration.bins)
    score, share = (
        sum(part.count * getattr(part, name) for part in calibration.bins) / count for name in ("score", "share")
    )
    what = "labels apply" if several else "texts are labelled rightly"
    return (
        f"On the {split} split, the expected calibration error of the score is {calibration.ece:.4f} "
        f"({calibration.num_bins} bins) and the log loss {calibration.log_loss:.4f}: the scores are {score:.1%} on "
        f"average, and {share:.1%} of the {what}{_fitted(evaluation)}."
    ).replace("%", " %")


def _fitted(evaluation: Evaluation) -> str:
    """How the scores were calibrated, and what they would be without; nothing where they were not."""
    before = evaluation.uncalibrated
    told = "" if before is None else f", {before_calibration(evaluation.temperature, before)}"
    if evaluation.calibration.cross_fitted:
        told += ". The temperature was fitted on this split: each half was measured with that of the other half"
        if isinstance(evaluation.threshold, Sequence):
            told += ". The thresholds were chosen on it, and fit it better than other texts"
    return told

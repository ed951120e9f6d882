"""How much the texts of each class count, as `--class_weights` says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np


def class_weights(wanted: Sequence[str] | None, labels: Sequence[int], count: int) -> list[float] | None:
    """A number for each class: those that are wanted, or for `["balanced"]` such that all count alike.

    Args:
        wanted: Words of the command line; None for no weights.
        labels: Class ids of the training texts, for balanced weights.
        count: How many classes there are.

    Raises:
        ValueError: For words that are no numbers.

    Example:

    ```python
    >>> class_weights(["balanced"], [0, 0, 0, 1], 2)
    [0.6666666666666666, 2.0]
    ```
    """
    if wanted is None:
        return None
    if list(wanted) != ["balanced"]:
        try:
            return [float(weight) for weight in wanted]
        except ValueError:
            raise ValueError(f"--class_weights must be numbers or 'balanced', got {' '.join(wanted)}.") from None
    counts = np.bincount(np.asarray(labels), minlength=count)
    # A label without training texts gets the weight of one with a single text.
    return (counts.sum() / (len(counts) * counts.clip(min=1))).tolist()


def check_class_weights(wanted: Sequence[str] | None, own: list[float] | None, checkpoint: Path) -> None:
    """Refuse weights that contradict those of the checkpoint that a training goes on from.

    Raises:
        ValueError: Names both.
    """
    # Balanced weights were counted when the training began.
    if wanted is None or (list(wanted) == ["balanced"] and own is not None):
        return
    if own is None or list(wanted) == ["balanced"] or [float(weight) for weight in wanted] != own:
        raise ValueError(
            f"--class_weights contradicts the checkpoint {checkpoint}, which has {own}: leave it out, or begin anew "
            "without --resume_from_checkpoint."
        )

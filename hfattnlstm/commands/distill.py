"""`hfattnlstm distill`: a small model that learns what a large one says."""

from __future__ import annotations

from collections.abc import Sequence

from .train import train


def distill(arguments: Sequence[str]) -> int:
    """Train a model on the answers of another one, measure and save it.

    Args:
        arguments: The command line after `hfattnlstm distill`: `--teacher`, and the flags of `hfattnlstm train`.

    Returns:
        The exit status.

    Raises:
        OSError: For a file that cannot be read or written.
        ValueError: For data and flags that do not fit together, or without a teacher.

    Example:

    ```python
    >>> distill(["--teacher", "my-model", "--train_file", "reviews.csv", "--output_dir", "small"])
    texts: text  labels: label
    ...
    Saved in small
    0
    ```
    """
    return train(arguments, "hfattnlstm distill", needed="teacher")

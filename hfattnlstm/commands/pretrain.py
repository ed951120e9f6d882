"""`hfattnlstm pretrain`: from texts without labels to a model to begin with."""

from __future__ import annotations

from collections.abc import Sequence

from .train import train


def pretrain(arguments: Sequence[str]) -> int:
    """Pretrain a language model on texts, measure and save it.

    Args:
        arguments: The command line after `hfattnlstm pretrain`; see its `--help`.

    Returns:
        The exit status.

    Raises:
        OSError: For a file that cannot be read or written.
        ValueError: For data and flags that do not fit together.

    Example:

    ```python
    >>> pretrain(["--train_file", "texts.txt", "--output_dir", "my-base"])
    step 1/4  epoch 1  loss 2.6848 ... tokens a second
    step 1/4  epoch 1  validation loss 2.6766  perplexity 14.5363 ...
    ...
    Saved in my-base
    0
    ```
    """
    return train([*arguments, "--task", "pretraining"], "hfattnlstm pretrain")

"""What a run shows while it goes on, which the commands, a notebook and a script want differently."""

from __future__ import annotations

import contextlib
from contextlib import AbstractContextManager
from typing import Any

from transformers import TrainerCallback


class Display:
    """Shows nothing of its own; the Trainer's bars and log stay as they are.

    A subclass is given to [`run_task`], which calls it in the main process only.

    Example:

    ```python
    >>> class Sizes(Display):
    ...     def show_data(self, summary):
    ...         print({name: split.rows for name, split in summary.splits.items()})
    >>> run = run_task(task, Sizes())
    {'train': 43, 'validation': 5}
    ```
    """

    def show_data(self, summary: Any) -> None:
        """Called once before the training, with what [`Task.summarize`] says of the examples."""

    def phase(self, name: str) -> AbstractContextManager[None]:
        """A context around work before the training, such as "Tokenising"; nothing is shown of it by default."""
        return contextlib.nullcontext()

    def progress(self, name: str, done: int, total: int) -> None:
        """Called in the course of work before the training of which it is known how much it is, such as "Asking the
        teacher"; nothing is shown of it by default.
        """

    def callbacks(self) -> list[TrainerCallback]:
        """Callbacks that follow the training in place of the Trainer's own bars and log; none, which keeps those."""
        return []

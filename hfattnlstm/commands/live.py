"""Bars on a terminal, one for each phase of the work, with whatever is printed or logged meanwhile above them."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from .terminal import has_colours


# Their handlers hold the stream that was there when they were made, and would write across the bar.
_LOGGERS = ("transformers", "datasets", "huggingface_hub", "accelerate")
_BAR, _LEAST_BAR = 40, 6
# What stands beside a bar takes about as much.
_BESIDE = 34


class Bars:
    """Bars on standard error; none where that is no terminal.

    Args:
        console: Where to; standard error without.

    Example:

    ```python
    >>> with Bars() as bars:
    ...     bars.show("Training", 3, 10)
    ```
    """

    def __init__(self, console: Console | None = None):
        self._console = console
        if console is None and has_colours(sys.stderr):
            self._console = Console(file=sys.stderr, highlight=False)
        self._progress: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._logs = contextlib.ExitStack()

    @property
    def are_shown(self) -> bool:
        """Whether anybody sees them."""
        return self._console is not None

    def __enter__(self) -> Bars:
        return self

    def __exit__(self, *error: object) -> None:
        """Take all bars away, and give the streams and the cursor back."""
        for name in list(self._tasks):
            self.hide(name)

    def show(self, name: str, done: float = 0, total: float | None = None) -> None:
        """Show how far a phase is; without a total, only that it goes on."""
        if self._console is None:
            return
        if self._progress is None:
            self._start(self._console)
        if name not in self._tasks:
            self._tasks[name] = self._progress.add_task(name, total=total)
        self._progress.update(self._tasks[name], completed=done, total=total)

    def hide(self, name: str) -> None:
        """Take the bar of a phase away."""
        if name in self._tasks:
            self._progress.remove_task(self._tasks.pop(name))
        if self._progress is not None and not self._tasks:
            self._logs.close()
            self._progress.stop()
            self._progress = None

    @contextlib.contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """A bar for work of which it is not known how much is done."""
        self.show(name)
        try:
            yield
        finally:
            self.hide(name)

    def _start(self, console: Console) -> None:
        width = min(max(console.width - _BESIDE, _LEAST_BAR), _BAR)
        columns = (TextColumn("{task.description}"), BarColumn(width), MofNCompleteColumn(), TimeRemainingColumn(True))
        # Standard output is taken above the bar only where both are the same terminal.
        self._progress = Progress(
            *columns, console=console, transient=True, redirect_stdout=has_colours(sys.stdout), refresh_per_second=5
        )
        before = sys.stderr
        self._progress.start()
        self._logs.enter_context(_logged_to(sys.stderr, before))


@contextlib.contextmanager
def _logged_to(stream: object, before: object) -> Iterator[None]:
    """While this lasts, what libraries log to one stream goes to another."""
    handlers = [handler for name in _LOGGERS for handler in logging.getLogger(name).handlers]
    moved = [item for item in handlers if isinstance(item, logging.StreamHandler) and item.stream is before]
    for handler in moved:
        handler.setStream(stream)
    try:
        yield
    finally:
        for handler in moved:
            handler.setStream(before)

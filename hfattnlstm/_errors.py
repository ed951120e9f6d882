"""Errors that several parts of the package know, and what led to one."""

from __future__ import annotations

from collections.abc import Iterator


# Of a command whose training was stopped: EX_TEMPFAIL of sysexits.h, after which a later attempt may succeed.
EXIT_STOPPED = 75


class TrainingStoppedError(Exception):
    """A signal has stopped a training, and the same command goes on from its checkpoint."""


def causes_of(error: BaseException) -> Iterator[BaseException]:
    """An error and those that led to it, the last one first; each once, for they may lead to each other.

    Example:

    ```python
    >>> [type(cause).__name__ for cause in causes_of(ValueError("no number"))]
    ['ValueError']
    ```
    """
    seen: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and not any(cause is one for one in seen):
        seen.append(cause)
        yield cause
        cause = cause.__cause__ or cause.__context__

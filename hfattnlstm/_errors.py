"""What led to an error."""

from __future__ import annotations

from collections.abc import Iterator


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

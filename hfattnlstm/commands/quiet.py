"""Commands that leave the process as they found it: torch's threads."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch


@contextlib.contextmanager
def threads(count: int) -> Iterator[None]:
    """With so many threads of torch.

    Example:

    ```python
    >>> with threads(1):
    ...     torch.get_num_threads()
    1
    ```
    """
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)

"""Commands that leave the process as they found it: progress bars, the log of transformers, and torch's threads."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from transformers.utils import logging


@contextlib.contextmanager
def only_errors() -> Iterator[None]:
    """Without the warnings and reports of transformers.

    Example:

    ```python
    >>> with only_errors():
    ...     model = AutoModel.from_pretrained("my-model")
    ```
    """
    before = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(before)


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

"""The progress bars and reports of the libraries below, put away for a time."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

from transformers.utils import is_in_notebook, logging


@contextlib.contextmanager
def no_progress_bars() -> Iterator[None]:
    """Without the bars of transformers, and of datasets where it is in use.

    Example:

    ```python
    >>> with no_progress_bars():
    ...     model = AutoModel.from_pretrained("my-model")
    ```
    """
    shown = logging.is_progress_bar_enabled()
    datasets = sys.modules.get("datasets")
    others_shown = datasets is not None and not datasets.are_progress_bars_disabled()
    logging.disable_progress_bar()
    if others_shown:
        datasets.disable_progress_bars()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
        if others_shown:
            datasets.enable_progress_bars()


def no_bars_in_a_notebook() -> contextlib.AbstractContextManager[None]:
    """In a notebook, where each would stay on the page, without these bars; elsewhere with them.

    The Trainer's table, which it shows in a notebook by itself, is none of them.

    Example:

    ```python
    >>> with no_bars_in_a_notebook():
    ...     model = AutoModel.from_pretrained("my-model")
    ```
    """
    return no_progress_bars() if is_in_notebook() else contextlib.nullcontext()


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

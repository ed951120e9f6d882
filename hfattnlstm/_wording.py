"""How a sentence names an option: as the argument of a function in Python, as a flag on the command line.

The same function is called from both, and its mend must be one that the person in front of it can follow.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar


# Where a flag is called otherwise than the argument that it becomes.
_FLAGS = {"config_name": "dataset_config", "kind": "tokenizer_kind", "seed": "split_seed", "source": "dataset"}
_as_flags = ContextVar("as_flags", default=False)


@contextlib.contextmanager
def flags_in_sentences() -> Iterator[None]:
    """While this lasts, [`option`] names flags.

    Example:

    ```python
    >>> with flags_in_sentences():
    ...     option("text_column")
    '--text_column'
    ```
    """
    token = _as_flags.set(True)
    try:
        yield
    finally:
        _as_flags.reset(token)


def flags_are_named() -> bool:
    """Whether [`option`] names flags now."""
    return _as_flags.get()


def option(name: str, value: object = None) -> str:
    """An argument as a sentence names it.

    Args:
        name: The name of the argument.
        value: What is to be given; left out when it is None.

    Example:

    ```python
    >>> option("text_column"), option("problem_type", "regression")
    ('text_column=', "problem_type='regression'")
    ```
    """
    if _as_flags.get():
        return f"--{_FLAGS.get(name, name)}" + ("" if value is None else f" {value}")
    return f"{name}=" + ("" if value is None else repr(value))

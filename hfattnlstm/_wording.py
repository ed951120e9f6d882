"""How a sentence names an option: as the argument of a function in Python, as a flag on the command line.

The same function is called from both, and its mend must be one that the person in front of it can follow.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from types import MappingProxyType


# Where a flag is called otherwise than the argument that it becomes.
_FLAGS = {"config_name": "dataset_config", "kind": "tokenizer_kind", "seed": "split_seed", "source": "dataset"}
_as_flags = ContextVar("as_flags", default=False)
_renamed: ContextVar[Mapping[str, str]] = ContextVar("renamed", default=MappingProxyType({}))


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


@contextlib.contextmanager
def renamed_in_sentences(names: Mapping[str, str]) -> Iterator[None]:
    """While this lasts, [`option`] calls arguments as the function does that passes them on.

    Args:
        names: Its name of each argument that it calls otherwise.

    Example:

    ```python
    >>> with renamed_in_sentences({"kind": "tokenizer_kind"}):
    ...     option("kind", "bpe")
    "tokenizer_kind='bpe'"
    ```
    """
    token = _renamed.set(names)
    try:
        yield
    finally:
        _renamed.reset(token)


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
    return f"{_renamed.get().get(name, name)}=" + ("" if value is None else repr(value))

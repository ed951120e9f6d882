"""Other libraries, one module each, imported only when a table asks for them."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from ..timing import Prepare


def peer(module: str, function: str, **arguments: Any) -> Callable[[], Prepare]:
    """The `load` of a candidate from a foreign library.

    Args:
        module: File in this folder; importing it raises ModuleNotFoundError where the library is not installed.
        function: What builds the candidate.
        **arguments: Of that function.
    """

    def load() -> Prepare:
        return getattr(importlib.import_module(f".{module}", __name__), function)(**arguments)

    return load

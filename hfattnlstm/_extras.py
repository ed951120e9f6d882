"""The optional requirements: which extra brings a module, and what is said where one is missing.

Importing this costs nothing: the modules are imported by whoever needs them.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator
from types import ModuleType


# Modules that come with an extra of the package, and not with the package alone.
EXTRAS = {
    "train": (
        *("accelerate", "datasets", "evaluate", "jinja2", "pandas", "pyarrow", "sacrebleu", "scipy", "seqeval"),
        "sklearn",
    ),
    "onnx": ("onnx", "onnxruntime", "onnxscript"),
    "explain": ("captum",),
    "plots": ("matplotlib",),
    "images": ("PIL",),
    "ray": ("ray",),
}


@contextlib.contextmanager
def needs_extra(what: str = "This") -> Iterator[None]:
    """Imports that need an extra of the package: where it is missing, the error says how to install it.

    Args:
        what: What needs the extra, as the sentence begins: a function, or a flag with its value.

    Raises:
        ImportError: A module of an extra is not installed. Any other module that is missing is raised as it is.

    Example:
    ```python
    >>> with needs_extra("load_texts"):
    ...     import datasets
    Traceback (most recent call last):
    ImportError: load_texts needs datasets, which is not installed: pip install "hfattnlstm[train]".
    ```
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = _missing_package(error)
        extra = next((name for name, modules in EXTRAS.items() if package in modules), None)
        if extra is None:
            raise
        message = f'{what} needs {package}, which is not installed: pip install "hfattnlstm[{extra}]".'
        raise ImportError(message, name=package) from error


def _missing_package(error: BaseException) -> str:
    # transformers raises its own error from that of the import, without the name.
    while error.__cause__ is not None:
        error = error.__cause__
    return (getattr(error, "name", None) or "").partition(".")[0]


def import_optional(name: str) -> ModuleType:
    """Import a module of an extra.

    Args:
        name: The module, such as `onnxruntime.quantization`.

    Raises:
        ImportError: Says how to install it.

    Example:
    ```python
    >>> import_optional("onnx").__name__
    'onnx'
    ```
    """
    with needs_extra():
        return importlib.import_module(name)

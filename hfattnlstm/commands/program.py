"""How the command is called here, for the commands that we print."""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import sys
from pathlib import Path


_NAME = "hfattnlstm"
TRACEBACK_HELP = "show Python's traceback of a mistake, not one sentence"


def program() -> str:
    """The `hfattnlstm` of this Python as it can be typed in the working directory, quoted for the shell.

    That is its name where the shell finds it by that, and otherwise its path: a virtual environment may not be
    activated, or another one may be.

    Returns:
        The name, the path, or a call of Python where there is no executable beside it.

    Example:

    ```python
    >>> program()
    '.venv/bin/hfattnlstm'
    ```
    """
    own = shutil.which(_NAME, path=os.path.dirname(sys.executable))
    found = shutil.which(_NAME)
    if own is None:
        return f"{shlex.quote(path_from_here(sys.executable))} -m {_NAME}"
    if found is not None and os.path.samefile(found, own):
        return _NAME
    return shlex.quote(path_from_here(own))


def path_from_here(path: str | os.PathLike[str]) -> str:
    """The path as the shell takes it for one: relative where it lies below the working directory, otherwise absolute.

    Example:

    ```python
    >>> path_from_here(Path.cwd() / ".venv/bin/hfattnlstm")
    '.venv/bin/hfattnlstm'
    ```
    """
    # Symbolic links are kept: the Python of a virtual environment is one.
    path = Path(os.path.abspath(path))
    if not path.is_relative_to(Path.cwd()):
        return str(path)
    # A name without a folder is looked for on PATH.
    return str(path.relative_to(Path.cwd())) if path.parent != Path.cwd() else os.path.join(".", path.name)


def add_traceback(parser: argparse.ArgumentParser) -> None:
    """Let the help of a subcommand show `--traceback`, which [`main`] takes out of the command line."""
    parser.add_argument("--traceback", action="store_true", help=TRACEBACK_HELP)

"""Texts that `predict` reads: from the command line, a file or standard input."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from transformers.utils import logging

from ..data.text_lines import LINES_ENDING, between_tabs, ending_of, lines_of_file, read_lines
from ..modeling.text_inputs import check_texts
from .terminal import is_terminal
from .text_files import chosen_columns, read_texts


logger = logging.get_logger(__name__)


def check_inputs(parsed: argparse.Namespace) -> None:
    """Refuse flags that contradict each other, and inputs that cannot be read.

    Raises:
        OSError: There is no such file.
        ValueError: For flags.
    """
    if parsed.texts and parsed.file is not None:
        raise ValueError("Give texts or --file, not both.")
    columns = [name for name in ("text_column", "tokens_column") if getattr(parsed, name, None) is not None]
    if parsed.file is None and columns:
        raise ValueError(f"--{columns[0]} names a column of --file: give both, or none.")
    if parsed.file is None:
        if not parsed.texts and sys.stdin is None:
            raise ValueError("Standard input is closed: give texts, or --file.")
        return
    if not parsed.file:
        raise ValueError("--file is empty: name a file.")
    path = Path(parsed.file).expanduser()
    if path.is_dir():
        raise IsADirectoryError(f"--file {parsed.file} is a folder: name a file.")
    if not path.exists():
        raise FileNotFoundError(f"There is no file {parsed.file}: check its name.")
    if not os.access(path, os.R_OK):
        raise PermissionError(f"The file {parsed.file} may not be read: change its permissions.")
    if _has_lines(parsed.file):
        if columns:
            raise ValueError(f"--{columns[0]} is for tables, and {parsed.file} has a text a line: leave it out.")
    elif not path.is_file():
        raise ValueError(f"{parsed.file} is a pipe or a device: leave --file out, and read it as standard input.")


def is_conversation(parsed: argparse.Namespace) -> bool:
    """Whether somebody types the texts and waits for the answer to each."""
    return not parsed.texts and parsed.file is None and is_terminal(sys.stdin)


def is_stream(parsed: argparse.Namespace) -> bool:
    """Whether the texts come from a pipe, in which there may always be more."""
    return not parsed.texts and parsed.file is None and not is_terminal(sys.stdin)


def read_inputs(
    parsed: argparse.Namespace, text_columns: Sequence[str] | None = None
) -> Iterable[str] | Iterable[tuple[str, ...]]:
    """The texts, without halves of surrogate pairs, which cannot be written; lines come one by one, tables at once.

    For a model that reads several texts together these are tuples: of so many arguments, of the columns of a table,
    or of a line with tabs between them.

    Args:
        parsed: The command line.
        text_columns: Those of the model's configuration.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is empty, or no UTF-8 text; with lines, in the course of reading.

    Example:

    ```python
    >>> list(read_inputs(parser.parse_args(["my-model", "good", "bad"])))
    ['good', 'bad']
    ```
    """
    if parsed.texts:
        _tell_file_names(parsed.texts)
        return _grouped(check_texts(parsed.texts), text_columns)
    if parsed.file is None:
        if is_conversation(parsed):
            what = "a text" if text_columns is None else f"{', a tab, '.join(text_columns)},"
            print(f"Type {what} and press Enter; end with Ctrl-D.", file=sys.stderr)  # noqa: T201
        return _split(read_lines(_standard_input(), "Standard input"), text_columns, "Standard input")
    if not _has_lines(parsed.file):
        columns = chosen_columns(parsed.model, parsed.text_column, text_columns)
        rows = read_texts("--file", parsed.file, columns)
        return check_texts(rows) if text_columns is None else [tuple(check_texts(row)) for row in rows]
    name = f"The file {parsed.file}"
    return _split(lines_of_file(Path(parsed.file).expanduser(), name), text_columns, name)


def _tell_file_names(texts: Sequence[str]) -> None:
    for text in texts:
        if is_file(text):
            logger.warning("%s is a file, and its name is read as a text: for the texts in it, say --file.", text)
            return


def is_file(text: str) -> bool:
    """Whether a text of the command line is the name of a file."""
    # What is far too long for a name, or has a null in it, is none.
    with suppress(OSError, ValueError):
        return Path(text).is_file()
    return False


def _grouped(texts: list[str], text_columns: Sequence[str] | None) -> list[str] | list[tuple[str, ...]]:
    """Arguments of the command line, so many for each row."""
    if text_columns is None:
        return texts
    count = len(text_columns)
    if len(texts) % count:
        raise ValueError(
            f"The model reads {count} texts together, {' and '.join(text_columns)}, and {len(texts)} "
            f"{'is' if len(texts) == 1 else 'are'} given: give {count} for each answer, in quotes."
        )
    return list(zip(*[iter(texts)] * count))


def _split(
    lines: Iterator[str], text_columns: Sequence[str] | None, name: str
) -> Iterator[str] | Iterator[tuple[str, ...]]:
    """Lines, or the texts between their tabs."""
    return lines if text_columns is None else between_tabs(lines, text_columns, name)


def _standard_input() -> BinaryIO | Iterable[bytes]:
    """Bytes, because as text what is no UTF-8 would be replaced without a word."""
    try:
        # A reader of our own: at the end of the process, a thread that still waits would hold the lock of Python's.
        return open(sys.stdin.fileno(), "rb", closefd=False)
    except (AttributeError, OSError, ValueError):
        # No file, but what somebody has put in its place.
        return getattr(sys.stdin, "buffer", None) or _encoded(sys.stdin)


def _has_lines(path: str) -> bool:
    return ending_of(Path(path)) == LINES_ENDING


def _encoded(lines: Iterable[str]) -> Iterator[bytes]:
    return (line.encode() for line in lines)

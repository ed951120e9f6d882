"""Texts that stand one on a line; this file needs no tables, which only the extra `train` reads."""

from __future__ import annotations

import lzma
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from .compression import COMPRESSED, open_bytes


LINES_ENDING = ".txt"
# What a compressed file raises that is none, or not whole.
DAMAGED = (EOFError, OSError, zlib.error, lzma.LZMAError)
_BOM = b"\xef\xbb\xbf"


def ending_of(path: Path) -> str:
    """The ending of a file in small letters, without that of a compression.

    Example:

    ```python
    >>> ending_of(Path("texts.TXT.gz"))
    '.txt'
    ```
    """
    name = PurePosixPath(path.name.lower())
    return PurePosixPath(name.stem).suffix if name.suffix in COMPRESSED else name.suffix


def lines_of_file(path: Path, name: str, old_ends: bool = True) -> Iterator[str]:
    """The lines of a file; see [`read_lines`].

    Args:
        path: Of the file, which may be compressed.
        name: What the sentence of an error begins with.
        old_ends: Whether a `\\r` by itself ends a line, too.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is empty; in the course of reading, that it is no UTF-8 text.

    Example:

    ```python
    >>> next(lines_of_file(Path("texts.txt"), "The file texts.txt"))
    'Great food'
    ```
    """
    if path.is_file() and path.stat().st_size <= len(_BOM) and not path.read_bytes().removeprefix(_BOM):
        raise ValueError(f"{name} is empty.")
    return _lines_of(path, name, old_ends)


def _lines_of(path: Path, name: str, old_ends: bool) -> Iterator[str]:
    with open_bytes(path) as stream:
        try:
            yield from read_lines(stream, name, old_ends)
        except DAMAGED as error:
            if path.suffix.lower() not in COMPRESSED:
                raise
            raise ValueError(f"{name} is no whole {path.suffix} file: {error}") from error


def read_lines(stream: BinaryIO | Iterable[bytes], name: str, old_ends: bool = True) -> Iterator[str]:
    """The lines of a UTF-8 text without their ends and without a byte-order mark, as they come.

    Args:
        stream: Lines of bytes; they may hold further line ends of the old kind, `\\r`.
        name: What the sentence of an error begins with.
        old_ends: Whether these end a line.

    Raises:
        ValueError: A line is no UTF-8 text, or holds a NUL, as UTF-16 does; it names the line.

    Example:

    ```python
    >>> list(read_lines([b"good\\r\\n", b"bad"], "Standard input"))
    ['good', 'bad']
    ```
    """
    number = 0
    for raw in stream:
        raw = raw if number else raw.removeprefix(_BOM)
        whole = raw.removesuffix(b"\n").removesuffix(b"\r")
        for line in whole.split(b"\r") if old_ends else [whole]:
            number += 1
            yield _decoded(line, number, name)


def _decoded(line: bytes, number: int, name: str) -> str:
    try:
        if b"\0" not in line:
            return line.decode("utf-8")
        reason = "it has NUL bytes, as UTF-16 does"
    except UnicodeDecodeError as error:
        reason = f"byte {error.start + 1} of the line, 0x{line[error.start]:02x}, cannot be"
    raise ValueError(
        f"{name} is not UTF-8 text in line {number}: {reason}. Convert it first, with iconv -f ENCODING -t UTF-8."
    )


def between_tabs(lines: Iterable[str], text_columns: Sequence[str], name: str) -> Iterator[tuple[str, ...]]:
    """The texts between the tabs of each line, for a model that reads several together.

    Args:
        lines: The lines.
        text_columns: What the model calls them.
        name: What the sentence of an error begins with.

    Raises:
        ValueError: A line has more or fewer; it names the line.

    Example:

    ```python
    >>> list(between_tabs(["A cat sleeps.\\tA cat rests."], ["premise", "hypothesis"], "Standard input"))
    [('A cat sleeps.', 'A cat rests.')]
    ```
    """
    for number, line in enumerate(lines, 1):
        texts = line.split("\t")
        if len(texts) != len(text_columns):
            found = "1 text" if len(texts) == 1 else f"{len(texts)} texts"
            raise ValueError(
                f"{name} has {found} in line {number}, and the model reads {len(text_columns)} together: write "
                f"{' and '.join(text_columns)} with a tab between them."
            )
        yield tuple(texts)

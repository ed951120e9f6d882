"""Compressed files, of which no more is unpacked than a text can have been packed."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, TextIO


_OPENERS: dict[str, Callable[[Path], BinaryIO]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
COMPRESSED = tuple(_OPENERS)
# How many times as large a file may be unpacked, beyond what it may have in any case: texts reach twenty times, tables
# that repeat themselves a hundred, and what is made to fill a memory a thousand and more.
MOST_TIMES, IN_ANY_CASE = 200, 64 << 20


class TooLargeError(ValueError):
    """What a file unpacks to is too large to have been a text."""


def open_bytes(path: Path) -> BinaryIO:
    """Open a file, which is decompressed as it is read where its ending is one of `COMPRESSED`.

    Raises:
        TooLargeError: In the course of reading, when there is more than `MOST_TIMES` its size.

    Example:

    ```python
    >>> with open_bytes(Path("texts.txt")) as stream:
    ...     stream.readline()
    b'Great food\\n'
    ```
    """
    opener = _OPENERS.get(path.suffix.lower())
    return path.open("rb") if opener is None else _bounded(opener(path), path, path.stat().st_size)


def open_text(path: Path) -> TextIO:
    """Open a UTF-8 text likewise, with the ends of its lines as they are and without a byte-order mark.

    Example:

    ```python
    >>> with open_text(Path("texts.txt")) as stream:
    ...     stream.readline()
    'Great food\\n'
    ```
    """
    return io.TextIOWrapper(open_bytes(path), encoding="utf-8-sig", newline="")


def zip_members(path: Path) -> dict[str, bytes]:
    """The files of a zip archive; of several, only the names.

    Raises:
        TooLargeError: There is more in it than `MOST_TIMES` its size.
        zipfile.BadZipFile, RuntimeError, NotImplementedError: It is damaged, or cannot be unpacked.

    Example:

    ```python
    >>> zipfile.ZipFile("texts.zip", "w").write("texts.txt")
    >>> list(zip_members(Path("texts.zip")))
    ['texts.txt']
    ```
    """
    with zipfile.ZipFile(path) as archive:
        # What macOS adds to an archive is none of its files.
        names = [n for n in archive.namelist() if not n.endswith("/") and not n.startswith("__MACOSX/")]
        if len(names) != 1:
            return dict.fromkeys(names, b"")
        with _bounded(archive.open(names[0]), path, path.stat().st_size) as stream:
            return {names[0]: stream.read()}


def _bounded(stream: BinaryIO, path: Path, size: int) -> BinaryIO:
    return io.BufferedReader(_Bounded(stream, path, MOST_TIMES * size + IN_ANY_CASE))


class _Bounded(io.RawIOBase):
    """What comes out of a stream, up to so many bytes."""

    def __init__(self, stream: BinaryIO, path: Path, most: int):
        self._stream, self._path, self._left = stream, path, most

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:
        part = self._stream.read(len(buffer))
        self._left -= len(part)
        if self._left < 0:
            raise TooLargeError(
                f"The file {self._path} unpacks to more than {MOST_TIMES} times its size, as no text does: unpack it "
                "yourself, if that is meant."
            )
        buffer[: len(part)] = part
        return len(part)

    def close(self) -> None:
        self._stream.close()
        super().close()

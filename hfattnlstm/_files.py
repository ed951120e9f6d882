"""Files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from collections.abc import Iterator
from os import PathLike
from pathlib import Path


@contextlib.contextmanager
def written_beside(path: str | PathLike[str]) -> Iterator[Path]:
    """A file to write in place of `path`; it is moved there when the block ends without an error.

    Until then, and after an error, what was at `path` is as it was. A link is followed; what is no regular file, such
    as `/dev/stdout` or a pipe, is written itself: open it to append.

    Args:
        path: Where the file shall be in the end.

    Raises:
        OSError: The folder does not exist or cannot be written, or the disk is full.

    Example:

    ```python
    >>> with written_beside("scores.json") as unfinished:
    ...     _ = unfinished.write_text("{}")
    ```
    """
    check_writable(path)
    target = Path(path).expanduser()
    if is_stream(target):
        yield target
        return
    target = target.resolve()
    # Few letters of the name, of which each may take four of the 255 bytes that a name can have.
    number, name = tempfile.mkstemp(prefix=f".{target.name[:40]}.", suffix=".unfinished", dir=target.parent)
    os.close(number)
    unfinished = Path(name)
    try:
        os.chmod(unfinished, _mode_for(target))
        yield unfinished
        os.replace(unfinished, target)
    finally:
        unfinished.unlink(missing_ok=True)


def check_writable(path: str | PathLike[str]) -> None:
    """Make sure, before any work is done, that [`written_beside`] can write a file.

    Raises:
        OSError: It is a folder or may not be changed, or its folder does not exist or may not be written.

    Example:

    ```python
    >>> check_writable("nowhere/scores.json")
    Traceback (most recent call last):
    FileNotFoundError: There is no folder .../nowhere for nowhere/scores.json: make it first, or name another.
    ```
    """
    target = Path(path).expanduser()
    if target.is_dir():
        raise IsADirectoryError(f"{path} is a folder: name a file.")
    if target.exists() and not os.access(target, os.W_OK):
        raise PermissionError(f"The file {path} may not be changed: name another, or change its permissions.")
    if is_stream(target):
        return
    folder = target.resolve().parent
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no folder {folder} for {path}: make it first, or name another.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(f"The folder {folder} may not be written: name another for {path}.")


def is_stream(path: str | PathLike[str]) -> bool:
    """Whether what is written to a path goes elsewhere at once: to a device, a pipe, or an open file of this process.

    Example:

    ```python
    >>> is_stream("/dev/stdout"), is_stream("scores.json")
    (True, False)
    ```
    """
    path = Path(path).expanduser()
    return descriptor_of(path) is not None or (path.exists() and not (path.is_file() or path.is_dir()))


def descriptor_of(path: str | PathLike[str]) -> int | None:
    """The number of the open file of this process that a path such as `/dev/stdout` stands for, or None.

    To open the path would give another position in the file, and what is written there could be written over.

    Example:

    ```python
    >>> descriptor_of("/dev/stdout"), descriptor_of("/tmp")
    (1, None)
    ```
    """
    place = Path(path).expanduser().absolute()
    while place.is_symlink():
        folder = os.path.realpath(place.parent)
        if folder == f"/proc/{os.getpid()}/fd":
            return int(place.name)
        place = Path(folder, os.readlink(place))
    return None


def _mode_for(target: Path) -> int:
    """The permissions of the file that is replaced, or those of a new one."""
    if target.exists():
        return stat.S_IMODE(target.stat().st_mode)
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def same_file(first: str | PathLike[str], second: str | PathLike[str]) -> bool:
    """Whether two paths lead to one existing file, by whatever name.

    Example:

    ```python
    >>> same_file("texts.txt", "./texts.txt")
    True
    ```
    """
    first, second = Path(first).expanduser(), Path(second).expanduser()
    return first.exists() and second.exists() and os.path.samefile(first, second)

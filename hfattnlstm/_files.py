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
    as `/dev/stdout` or a pipe, is written itself.

    Args:
        path: Where the file shall be in the end.

    Raises:
        OSError: The folder does not exist or cannot be written, or the disk is full.

    Example:

    ```python
    >>> with written_beside("scores.json") as unfinished:
    ...     unfinished.write_text("{}")
    ```
    """
    target = Path(path).expanduser()
    target = target.resolve() if target.is_symlink() else target
    if target.exists() and not target.is_file():
        if target.is_dir():
            raise IsADirectoryError(f"{path} is a folder: name a file.")
        yield target
        return
    number, name = tempfile.mkstemp(prefix=f".{target.name[:100]}.", suffix=".unfinished", dir=target.parent)
    os.close(number)
    unfinished = Path(name)
    try:
        os.chmod(unfinished, _mode_for(target))
        yield unfinished
        os.replace(unfinished, target)
    finally:
        unfinished.unlink(missing_ok=True)


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

"""What a checkpoint consists of, written down last: a checkpoint is whole if its files are those."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR


MANIFEST = "manifest.json"
_SIZE, _HASH = "size", "sha256"


def write_manifest(folder: Path) -> None:
    """List the files of a folder with their sizes and SHA-256, once all of it is on the disk.

    Example:

    ```python
    >>> write_manifest(Path("my-model"))
    >>> fault_of(Path("my-model")) is None
    True
    ```
    """
    files = {path.relative_to(folder).as_posix(): path for path in _files(folder)}
    found = {name: {_SIZE: path.stat().st_size, _HASH: _digest(path, sync=True)} for name, path in files.items()}
    path = folder / MANIFEST
    path.write_text(json.dumps({"files": found}, indent=1), encoding="utf-8")
    _digest(path, sync=True)
    for place in {folder, *(path.parent for path in files.values())}:
        sync_folder(place)


def fault_of(checkpoint: Path) -> str | None:
    """Why a checkpoint is not whole, as the end of a sentence that begins with its name; None for one that is.

    One without a manifest is not: it was left unfinished, or something else has written it.

    Example:

    ```python
    >>> fault_of(Path("out/checkpoint-120"))
    'has no manifest.json, which is written last'
    ```
    """
    listed = _listed(checkpoint)
    if isinstance(listed, str):
        return listed
    for name, noted in listed.items():
        path = checkpoint / name
        if not path.is_file():
            return f"lacks {name}"
        size = path.stat().st_size
        if size != noted[_SIZE]:
            return f"has {size:,} bytes in {name} instead of {noted[_SIZE]:,}"
        if _digest(path) != noted[_HASH]:
            return f"has something else in {name} than was saved"
    return None


def _listed(checkpoint: Path) -> dict[str, dict[str, Any]] | str:
    """The files by their names, or why there is no such list."""
    path = checkpoint / MANIFEST
    if not path.is_file():
        return f"has no {MANIFEST}, which is written last"
    try:
        files = json.loads(path.read_text(encoding="utf-8"))["files"]
        known = all(isinstance(files[name][_SIZE], int) and isinstance(files[name][_HASH], str) for name in files)
    except (OSError, ValueError, TypeError, KeyError):
        known = False
    if not known or not files:
        return f"has a {MANIFEST} that cannot be read"
    # What is named elsewhere was not written by us.
    inside = all(not Path(name).is_absolute() and ".." not in Path(name).parts for name in files)
    return files if inside else f"has a {MANIFEST} that names files elsewhere"


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != MANIFEST)


def _digest(path: Path, sync: bool = False) -> str:
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256")
        if sync:
            os.fsync(stream.fileno())
    return digest.hexdigest()


def sync_folder(folder: Path) -> None:
    """Make sure that what a folder lists is on the disk, where the system can do so."""
    try:
        number = os.open(folder, os.O_RDONLY)
    except OSError:
        # Windows opens no folders.
        return
    try:
        os.fsync(number)
    finally:
        os.close(number)


def numbered_checkpoints(folder: Path) -> list[Path]:
    """The checkpoints in a folder by their steps, the first ones first.

    Example:

    ```python
    >>> numbered_checkpoints(Path("out"))
    [PosixPath('out/checkpoint-120')]
    ```
    """
    found = [path for path in folder.glob(f"{PREFIX_CHECKPOINT_DIR}-*") if path.is_dir() and step_of(path) is not None]
    return sorted(found, key=step_of)


def step_of(checkpoint: Path) -> int | None:
    """The step in the name of a checkpoint, if it has one."""
    number = checkpoint.name.rpartition("-")[2]
    return int(number) if number.isdecimal() else None

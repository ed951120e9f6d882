"""Where pictures come from: folders with a table of their names, and what a table holds of them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

from datasets import Dataset, Image
from datasets.fingerprint import get_temporary_cache_files_directory

from ..modeling.image_opening import open_image, unreadable
from .sources import SPLIT_NAMES, Split, read_source


_METADATA = ("metadata.csv", "metadata.jsonl", "metadata.parquet")


class PictureSplit(NamedTuple):
    """A split as it was read, and the folder where the names of its pictures begin."""

    split: Split
    folder: Path


def read_picture_source(source: object, config_name: str | None) -> dict[str, PictureSplit]:
    """Read a source of [`load_image_texts`] into its splits, under the names that they have there.

    A folder of pictures with a `metadata.csv`, or with one in a folder for each split, is read as that table. datasets
    would take a picture that is called train.png for a split, and a label that is called None for none.

    Example:

    ```python
    >>> {name: found.split.data.num_rows for name, found in read_picture_source("scenes", None).items()}
    {'train': 16, 'validation': 8}
    ```
    """
    tables = _tables_in(source) if config_name is None else {}
    if tables:
        return {name: PictureSplit(read_source(table, None)["train"], table.parent) for name, table in tables.items()}
    found = read_source(source, config_name)
    return {name: PictureSplit(split, _folder_of(source, name)) for name, split in found.items()}


def _tables_in(source: object) -> dict[str, Path]:
    """The tables of a folder of pictures, by the name of the split; none where datasets must find them."""
    if not isinstance(source, (str, PathLike)) or not (folder := Path(source).expanduser()).is_dir():
        return {}
    own = _table_in(folder)
    parts = {path.name: table for path in sorted(folder.iterdir()) if path.is_dir() and (table := _table_in(path))}
    if own is None:
        return parts
    # A table of all splits, which the folders of the pictures tell apart.
    return {} if any((folder / name).is_dir() for name in SPLIT_NAMES) else {"train": own}


def _table_in(folder: Path) -> Path | None:
    return next((folder / name for name in _METADATA if (folder / name).is_file()), None)


def _folder_of(source: object, name: str) -> Path:
    given = source.get(name) if isinstance(source, Mapping) else source
    if not isinstance(given, (str, PathLike)):
        return Path()
    path = Path(given).expanduser()
    return path if path.is_dir() else path.parent


def undecoded(split: Dataset, column: str) -> Dataset:
    """The same rows with their pictures as `{"bytes", "path"}`, so that the row of one that is broken is known."""
    return split.cast_column(column, Image(decode=False))


def read_picture(value: Mapping[str, Any], where: str) -> Any:
    """A picture as RGB.

    Args:
        value: With `bytes` and `path`, as [`undecoded`] gives it.
        where: How a sentence about it goes on after its name.

    Raises:
        ValueError: It cannot be read.

    Example:

    ```python
    >>> read_picture({"bytes": None, "path": "scene.png"}, "in row 1").size
    (64, 64)
    ```
    """
    name = f"{Path(value['path']).name} " if value.get("path") else ""
    try:
        return open_image(_decoded(value))
    except ValueError as error:
        raise ValueError(f"The picture {name}{where} {error}") from error


def _decoded(value: Mapping[str, Any]) -> Any:
    try:
        return Image().decode_example(dict(value))
    # Pillow's error for pictures that are far too large is of none of the usual kinds.
    except Exception as error:
        raise unreadable(error) from error


def kept_on_disk(split: Dataset) -> dict[str, str]:
    """For `map`: where to keep its rows, so that those of a split in memory do not come to lie there, too."""
    if split.cache_files:
        return {}
    return {"cache_file_name": str(Path(get_temporary_cache_files_directory()) / f"pictures-{uuid.uuid4().hex}.arrow")}

"""Where labelled texts come from: the Hub, folders in its layout, and files."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping
from os import PathLike
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet
import yaml
from datasets import Dataset, DatasetDict, Features, concatenate_datasets, config, load_dataset_builder
from datasets.builder import DatasetBuilder
from datasets.exceptions import DatasetGenerationError, DatasetsError
from datasets.fingerprint import Hasher
from datasets.packaged_modules.csv.csv import CsvConfig
from datasets.packaged_modules.json.json import JsonConfig

from .._wording import option
from .compression import COMPRESSED, TooLargeError, open_bytes, zip_members
from .csv_files import TAB, parse_csv
from .json_files import parse_json
from .naming import quote
from .text_lines import DAMAGED


SPLIT_NAMES = {"train": "train", "test": "test", **dict.fromkeys(("validation", "valid", "val", "dev"), "validation")}
FILE_ENDINGS = (".csv", ".tsv", ".json", ".jsonl", ".parquet")
_ZIP = ".zip"
_DAMAGED = (*DAMAGED, ValueError, zipfile.BadZipFile, RuntimeError, NotImplementedError)


class Split(NamedTuple):
    """The rows of a split, as they were found."""

    data: Dataset
    origin: str  # the place the rows come from, as a sentence names it
    only_strings: bool = False  # a csv says nothing about types
    unreadable: Mapping[str, str] = {}  # further columns, which have no one kind of values, and why


def read_source(source: object, config_name: str | None) -> dict[str, Split]:
    """Read a source of [`load_texts`] into its splits, under the names that they have there."""
    path = Path(source).expanduser() if isinstance(source, (str, PathLike)) else None
    if path is not None and path.is_dir():
        # Absolute, because a folder named "csv" would be taken for the csv reader of datasets.
        return _read_layout(str(path.resolve()), str(path), config_name)
    is_name = isinstance(source, str) and re.fullmatch(r"\w[\w.-]*(/[\w.-]+)?", source) is not None
    if is_name and not path.exists() and not _is_file_name(path):
        return _read_layout(source, source, config_name)
    if config_name is not None:
        raise ValueError(f"{option('config_name', config_name)} is for a source on the Hub or a folder: leave it out.")
    parts = source if isinstance(source, Mapping) else {"train": source}
    unknown = [name for name in parts if name not in SPLIT_NAMES]
    # A data set may well have further splits; a file that somebody names by hand is meant to be read.
    if unknown and not isinstance(source, DatasetDict):
        raise ValueError(f"The split {unknown[0]!r} is none of {quote(SPLIT_NAMES)}: rename it or leave it out.")
    return {name: _read_part(name, part) for name, part in parts.items()}


def _is_file_name(path: Path) -> bool:
    return any(suffix.lower() in (*FILE_ENDINGS, *COMPRESSED, _ZIP) for suffix in path.suffixes[-2:])


def choose_splits(splits: dict[str, Split]) -> dict[str, Split]:
    """Keep those for "train", "validation" and "test", under these names."""
    chosen: dict[str, Split] = {}
    for role, split in [(SPLIT_NAMES[name], split) for name, split in splits.items() if name in SPLIT_NAMES]:
        if role in chosen:
            raise ValueError(f"More than one of the splits {quote(splits)} is for {role}: leave one out.")
        if split.data.num_rows == 0:
            raise ValueError(f"The {split.origin} has no rows.")
        chosen[role] = split._replace(data=split.data.with_format(None))
    if "train" not in chosen:
        raise ValueError(f"There is no split 'train', only {quote(splits)}: give that of the training rows this name.")
    return chosen


def _read_layout(path: str, shown: str, config_name: str | None) -> dict[str, Split]:
    try:
        builder = load_dataset_builder(path, name=config_name)
        plain_files = _plain_files(builder)
        if not plain_files:
            as_written = (
                {"keep_default_na": False, "na_filter": False} if isinstance(builder.config, CsvConfig) else {}
            )
            cache = _cache_of(builder)
            if as_written or cache is not None:
                builder = load_dataset_builder(path, name=config_name, cache_dir=cache, **as_written)
            builder.download_and_prepare()
            return {name: Split(data, f"split {name!r} of {shown}") for name, data in builder.as_dataset().items()}
    except (FileNotFoundError, ConnectionError) as error:
        raise FileNotFoundError(
            f"No data set is found at {shown!r}, neither here nor on the Hub, check the name: {reason_of(error)}"
        ) from error
    except yaml.YAMLError as error:
        raise ValueError(
            f"The README.md of {shown!r} has broken YAML at its top, mend it: {reason_of(error)}"
        ) from error
    except (DatasetsError, OSError, ValueError, RuntimeError, TypeError, AttributeError, KeyError) as error:
        raise ValueError(
            f"{shown!r} cannot be loaded, check {option('config_name')} and the files: {reason_of(error)}"
        ) from error
    features = builder.info.features
    return {name: _read_shards(files, name, shown, features) for name, files in plain_files.items()}


def _cache_of(builder: DatasetBuilder) -> str | None:
    """Where the rows of local files are kept while they are read: for these very files; None for those of the Hub.

    Of a folder whose README.md names its files, datasets would give the rows of a folder of the same name, or those
    that were there before.
    """
    files = [Path(file) for files in (builder.config.data_files or {}).values() for file in files]
    if not files or not all(file.is_file() for file in files):
        return None
    states = [(str(file), (found := file.stat()).st_mtime_ns, found.st_size) for file in files]
    return str(Path(config.HF_DATASETS_CACHE) / "local" / Hasher.hash(states))


def _plain_files(builder: DatasetBuilder) -> dict[str, list[Path]]:
    """The csv and JSON files of a folder that does not say how they are read: as if they came alone, by us."""
    own = builder.config
    if not isinstance(own, (CsvConfig, JsonConfig)):
        return {}
    kept = ("name", "version", "data_dir", "data_files", "description", "sep", "features")
    default = type(own)(**{name: getattr(own, name) for name in kept if hasattr(own, name)})
    separator = getattr(own, "sep", None)
    # A csv whose separator somebody names is read by datasets; a comma is what nobody has named.
    endings = {None: (".json", ".jsonl"), ",": (".csv",), TAB: (".tsv",)}.get(separator, ())
    files = {str(name): [Path(path) for path in paths] for name, paths in own.data_files.items()}
    is_plain = all(path.is_file() and path.suffix.lower() in endings for paths in files.values() for path in paths)
    return files if is_plain and own == default else {}


def _read_shards(files: list[Path], name: str, shown: str, features: Features | None) -> Split:
    """The rows of one or more files, with the types that the folder declares, if it does."""
    shards = [_read_file(file) for file in files]
    origin = shards[0].origin if len(shards) == 1 else f"split {name!r} of {shown}"
    first = shards[0].data.column_names
    other = next((shard for shard in shards if set(shard.data.column_names) != set(first)), None)
    if other is not None:
        raise ValueError(
            f"The {other.origin} has the columns {quote(other.data.column_names)}, but the {shards[0].origin} has "
            f"{quote(first)}: give the files of a split the same header."
        )
    try:
        data = concatenate_datasets([shard.data.select_columns(first) for shard in shards])
        # Read anew by datasets, which knows how to make a class of a name or a number.
        data = data if features is None else data.select_columns(list(features)).cast(features)
    except (DatasetsError, pa.ArrowException, ValueError, TypeError, KeyError) as error:
        raise ValueError(
            f"The files of {origin} do not hold what its README.md declares: {reason_of(error)}"
        ) from error
    unreadable = {key: reason for shard in shards for key, reason in shard.unreadable.items()}
    return Split(data, origin, shards[0].only_strings and features is None, unreadable)


def reason_of(error: BaseException) -> str:
    """What an error of a library says, on one line."""
    if isinstance(error, DatasetGenerationError) and error.__cause__ is not None:
        error = error.__cause__
    return " ".join(str(error).strip().splitlines()[:2]) or type(error).__name__


def _read_part(name: str, part: object) -> Split:
    if isinstance(part, Split):
        return part
    if isinstance(part, Dataset):
        return Split(part, f"split {name!r}")
    if isinstance(part, (str, PathLike)):
        return _read_file(Path(part).expanduser())
    raise TypeError(f"The source of the split {name!r} must be a file or a Dataset, not {type(part).__name__}.")


def _read_file(path: Path) -> Split:
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder: name a file in it, or give the folder as {option('source')}.")
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}: check its name.")
    if path.suffix.lower() == ".parquet":
        return _read_parquet(path)
    name, content = _decompressed(path)
    ending = PurePosixPath(name).suffix.lower()
    if ending not in FILE_ENDINGS[:-1]:
        more = f", or {quote(FILE_ENDINGS[:-1])} and one of {quote((*COMPRESSED, _ZIP))}"
        raise ValueError(f"The file {path} must end in one of {quote(FILE_ENDINGS)}{more}: rename or convert it.")
    text = _decoded(path, content)
    if ending in (".csv", ".tsv"):
        table, unreadable = parse_csv(path, text, TAB if ending == ".tsv" else None), {}
    else:
        table, unreadable = parse_json(path, text)
    return Split(Dataset(table), f"file {path}", ending in (".csv", ".tsv"), unreadable)


def text_of_file(path: Path) -> str:
    """The text of a file, which may be compressed.

    Raises:
        ValueError: It is empty, no UTF-8 text, or no whole file of its compression.

    Example:

    ```python
    >>> text_of_file(Path("reviews.csv"))[:10]
    'text,label'
    ```
    """
    return _decoded(path, _decompressed(path)[1])


def _read_parquet(path: Path) -> Split:
    try:
        if pa.parquet.read_metadata(path).num_rows == 0:
            raise ValueError(f"The file {path} has no rows.")
        return Split(Dataset.from_parquet(str(path)), f"file {path}")
    except (pa.ArrowException, OSError, DatasetsError) as error:
        raise ValueError(f"The file {path} is not a whole parquet file: {reason_of(error)}") from error


def _decompressed(path: Path) -> tuple[str, bytes]:
    """The name, without the ending of the compression, and the bytes of a file."""
    ending = path.suffix.lower()
    try:
        if ending != _ZIP:
            with open_bytes(path) as stream:
                return path.stem if ending in COMPRESSED else path.name, stream.read()
        members = zip_members(path)
    except TooLargeError:
        raise
    except _DAMAGED as error:
        if ending not in (*COMPRESSED, _ZIP):
            raise
        raise ValueError(f"The file {path} is no whole {ending} file: {reason_of(error)}") from error
    if len(members) != 1:
        raise ValueError(f"The archive {path} must hold one file, but has {len(members)}: unpack it, and name one.")
    return members.popitem()


def _decoded(path: Path, content: bytes) -> str:
    content = content.removeprefix(b"\xef\xbb\xbf")
    if not content.strip():
        raise ValueError(f"The file {path} is empty.")
    try:
        text = content.decode()
        wrong = content.find(b"\0")
    except UnicodeDecodeError as error:
        text, wrong = "", error.start
    if wrong >= 0:
        line = content[:wrong].count(b"\n") + 1
        raise ValueError(f"The file {path} is not UTF-8 text in line {line}: save it as UTF-8.")
    return text

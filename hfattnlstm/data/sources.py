"""Where labelled texts come from: the Hub, folders in its layout, and files."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet
from datasets import Dataset, DatasetDict, load_dataset_builder
from datasets.builder import DatasetBuilder
from datasets.exceptions import DatasetGenerationError, DatasetsError
from datasets.packaged_modules.csv.csv import CsvConfig
from datasets.packaged_modules.json.json import JsonConfig


SPLIT_NAMES = {"train": "train", "test": "test", **dict.fromkeys(("validation", "valid", "val", "dev"), "validation")}
DELIMITERS = {".csv": ",", ".tsv": "\t"}
FILE_ENDINGS = (".csv", ".tsv", ".json", ".jsonl", ".parquet")
_LONGEST_BLOCK = 1 << 30


class Split(NamedTuple):
    """The rows of a split, as they were found."""

    data: Dataset
    origin: str  # the place the rows come from, as a sentence names it
    only_strings: bool = False  # a csv says nothing about types


def read_source(source: object, config_name: str | None) -> dict[str, Split]:
    """Read a source of [`load_texts`] into its splits, under the names that they have there."""
    path = Path(source).expanduser() if isinstance(source, (str, PathLike)) else None
    if path is not None and path.is_dir():
        # Absolute, because a folder named "csv" would be taken for the csv reader of datasets.
        return _read_layout(str(path.resolve()), str(path), config_name)
    is_name = isinstance(source, str) and re.fullmatch(r"\w[\w.-]*(/[\w.-]+)?", source) is not None
    if is_name and not path.exists() and path.suffix.lower() not in FILE_ENDINGS:
        return _read_layout(source, source, config_name)
    if config_name is not None:
        raise ValueError(f"config_name={config_name!r} is for a source on the Hub or a folder: leave it out.")
    parts = source if isinstance(source, Mapping) else {"train": source}
    unknown = [name for name in parts if name not in SPLIT_NAMES]
    # A data set may well have further splits; a file that somebody names by hand is meant to be read.
    if unknown and not isinstance(source, DatasetDict):
        raise ValueError(f"The split {unknown[0]!r} is none of {quote(SPLIT_NAMES)}: rename it or leave it out.")
    return {name: _read_part(name, part) for name, part in parts.items()}


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
        raise ValueError(f"There is no split 'train', only {quote(splits)}: say which with {{'train': ...}}.")
    return chosen


def _read_part(name: str, part: object) -> Split:
    if isinstance(part, Dataset):
        return Split(part, f"split {name!r}")
    if isinstance(part, (str, PathLike)):
        return _read_file(Path(part).expanduser())
    raise TypeError(f"The source of the split {name!r} must be a file or a Dataset, not {type(part).__name__}.")


def _read_layout(path: str, shown: str, config_name: str | None) -> dict[str, Split]:
    try:
        builder = load_dataset_builder(path, name=config_name)
        plain_files = _plain_files(builder)
        if not plain_files:
            if isinstance(builder.config, CsvConfig):
                builder = load_dataset_builder(path, name=config_name, keep_default_na=False, na_filter=False)
            builder.download_and_prepare()
            return {name: Split(data, f"split {name!r} of {shown}") for name, data in builder.as_dataset().items()}
    except (FileNotFoundError, ConnectionError) as error:
        raise FileNotFoundError(f"No data set is found at {shown!r}, check the name: {_reason(error)}") from error
    except (DatasetsError, OSError, ValueError, RuntimeError) as error:
        raise ValueError(f"{shown!r} cannot be loaded, check config_name= and the files: {_reason(error)}") from error
    return {name: _read_file(file) for name, file in plain_files.items()}


def _plain_files(builder: DatasetBuilder) -> dict[str, Path]:
    """The csv and JSON files of a folder that says nothing about them; they are read as if they came alone."""
    config = builder.config
    if not isinstance(config, (CsvConfig, JsonConfig)) or builder.info.features is not None:
        return {}
    kept = ("name", "version", "data_dir", "data_files", "description", "sep")
    default = type(config)(**{name: getattr(config, name) for name in kept if hasattr(config, name)})
    endings = [ending for ending in FILE_ENDINGS if DELIMITERS.get(ending) == getattr(config, "sep", None)]
    files = {str(name): [Path(path) for path in paths] for name, paths in config.data_files.items()}
    is_plain = all(len(paths) == 1 and paths[0].is_file() and paths[0].suffix in endings for paths in files.values())
    return {name: paths[0] for name, paths in files.items()} if is_plain and config == default else {}


def _reason(error: BaseException) -> str:
    if isinstance(error, DatasetGenerationError) and error.__cause__ is not None:
        error = error.__cause__
    return " ".join(str(error).strip().splitlines()[:2]) or type(error).__name__


def _read_file(path: Path) -> Split:
    ending = path.suffix.lower()
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}: check its name.")
    if ending not in FILE_ENDINGS:
        raise ValueError(f"The file {path} must end in one of {quote(FILE_ENDINGS)}: rename or convert it.")
    if ending == ".parquet":
        try:
            if pa.parquet.read_metadata(path).num_rows == 0:
                raise ValueError(f"The file {path} has no rows.")
            return Split(Dataset.from_parquet(str(path)), f"file {path}")
        except (pa.ArrowException, OSError, DatasetsError) as error:
            raise ValueError(f"The file {path} is not a whole parquet file: {_reason(error)}") from error
    content = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    if not content.strip():
        raise ValueError(f"The file {path} is empty.")
    try:
        content.decode()
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ValueError(f"The file {path} is not UTF-8 text in line {line}: save it as UTF-8.") from None
    table = _parse_csv(path, content) if ending in DELIMITERS else _parse_json(path, content)
    return Split(Dataset(table), f"file {path}", only_strings=ending in DELIMITERS)


def _parse_csv(path: Path, content: bytes) -> pa.Table:
    delimiter = DELIMITERS[path.suffix.lower()]
    width = content.lstrip(b"\r\n").partition(b"\n")[0].count(delimiter.encode()) + 1
    strings = {f"f{index}": pa.string() for index in range(width)}
    block = min(len(content) + 1, _LONGEST_BLOCK)
    try:
        table = pa.csv.read_csv(
            pa.BufferReader(content + b"\n"),  # or a header alone were no row
            # One thread, because only then the errors name the row.
            read_options=pa.csv.ReadOptions(use_threads=False, block_size=block, autogenerate_column_names=True),
            parse_options=pa.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            convert_options=pa.csv.ConvertOptions(column_types=strings, null_values=[], strings_can_be_null=False),
        )
    except pa.ArrowInvalid as error:
        bad = re.search(r"Row #(\d+): Expected (\d+) columns, got (\d+)", str(error))
        if bad is None:
            raise ValueError(f"The file {path} cannot be read: {_reason(error)}.") from None
        mend = "put a text that contains a separator, a quote or a line break in double quotes"
        raise ValueError(f"Row {int(bad[1]) - 1} of {path} has {bad[3]} columns, not {bad[2]}: {mend}.") from None
    header = [str(column[0]) for column in table.columns]
    if len(set(header)) < len(header):
        raise ValueError(f"The header of the file {path} names a column twice: {quote(header)}; rename one.")
    return table.slice(1).rename_columns(header)


def _parse_json(path: Path, content: bytes) -> pa.Table:
    try:
        if content.lstrip().startswith(b"["):
            content = "\n".join(map(json.dumps, json.loads(content))).encode()
        options = pa.json.ReadOptions(block_size=min(len(content) + 1, _LONGEST_BLOCK))
        table = pa.json.read_json(pa.BufferReader(content), options)
        # Arrow takes texts that look like dates for times.
        times = [field.with_type(pa.string()) for field in table.schema if pa.types.is_timestamp(field.type)]
        as_strings = pa.json.ParseOptions(explicit_schema=pa.schema(times))
        return pa.json.read_json(pa.BufferReader(content), options, as_strings) if times else table
    except json.JSONDecodeError as error:
        raise ValueError(f"The file {path} is not JSON: line {error.lineno}, {error.msg}.") from None
    except pa.ArrowInvalid as error:
        lines = [number for number, line in enumerate(content.split(b"\n"), start=1) if line.strip()]
        reason = re.sub(r"\.? in row (\d+)$", lambda row: f" in line {lines[int(row[1])]}", str(error))
        raise ValueError(f"The file {path} does not hold one JSON object a line: {reason}.") from None


def quote(names: Iterable[str]) -> str:
    """Names for an error message: quoted, shortened, and the first twenty of them."""
    shown = [repr(name if len(name) <= 40 else f"{name[:39]}…") for name in names]
    return ", ".join(shown[:20]) + (f" and {len(shown) - 20} more" if len(shown) > 20 else "")

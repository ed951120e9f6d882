"""Loading of labelled texts into one form, wherever they come from."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from os import PathLike
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet
from datasets import (
    ClassLabel,
    Dataset,
    DatasetDict,
    Features,
    LargeList,
    List,
    Value,
    load_dataset_builder,
    load_from_disk,
)
from datasets.builder import DatasetBuilder
from datasets.exceptions import DatasetGenerationError, DatasetsError
from datasets.packaged_modules.csv.csv import CsvConfig
from datasets.packaged_modules.json.json import JsonConfig

SINGLE_LABEL = "single_label_classification"
MULTI_LABEL = "multi_label_classification"
REGRESSION = "regression"
PROBLEM_TYPES = (SINGLE_LABEL, MULTI_LABEL, REGRESSION)

# The first name of each wins over the others: a column called "text" next to a "review" is no doubt.
TEXT_COLUMNS = (
    *("text", "sentence", "review", "content", "question", "document", "body", "tweet", "comment"),
    *("review_text", "review_body", "message", "utterance", "description", "article"),
)
LABEL_COLUMNS = (
    *("label", "labels", "coarse_label", "category", "class", "target", "sentiment", "intent", "topic"),
    *("emotion", "rating", "stars", "score"),
)
SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    **dict.fromkeys(("validation", "valid", "val", "dev"), "validation"),
    "test": "test",
}
DELIMITERS = {".csv": ",", ".tsv": "\t"}
FILE_ENDINGS = (".csv", ".tsv", ".json", ".jsonl", ".parquet")

# What pandas would read as a missing value: a text as good as any other, but no number.
_MISSING_NUMBERS = ["", "NA", "N/A", "n/a", "nan", "NaN", "null", "NULL", "None", "none"]
_KEEP_ALL_TEXTS = {"keep_default_na": False, "na_filter": False}
# A number with leading zeros is a code ("007") and stays a string.
_INTEGER = r"^[+-]?(0|[1-9]\d*)$"
_FLOAT = r"^[+-]?((0|[1-9]\d*)(\.\d*)?|\.\d+)([eE][+-]?\d+)?$"
_LONGEST_BLOCK = 1 << 30

Source = str | PathLike | Mapping | Dataset


class _Split(NamedTuple):
    """The rows of one split and what to call the place they come from in a sentence."""

    data: Dataset
    origin: str
    only_strings: bool = False  # read from a csv, which says nothing about types


class _Labels(NamedTuple):
    """All labels of a split in one flat array, with the row of each; `lengths` only for lists."""

    values: pa.Array
    rows: np.ndarray
    lengths: np.ndarray | None
    feature: object


def load_texts(
    source: Source,
    *,
    text_column: str | None = None,
    label_column: str | None = None,
    problem_type: str | None = None,
    config_name: str | None = None,
    revision: str | None = None,
    validation_size: float | int = 0.1,
    seed: int = 42,
    label_names: Sequence[str] | None = None,
) -> DatasetDict:
    """Loads texts and their labels for classification or regression.

    Whatever the source, the result has the columns `text` and `label`, and the features tell the problem type:
    `ClassLabel` for one label a text, `List(ClassLabel)` for several, `Value("float32")` for a number.
    [`describe_labels`] reads them.

    Files are taken as they are written: a text "NA", "null" or "" in a csv stays a text. Splits other than the
    three below are left out, and so is a test split in which every label is -1, the Hub's mark for "no label".
    csv, tsv and JSON files are read into memory; the rest lies in the usual cache of `datasets`.

    Args:
        source: A name on the Hub, a folder in the Hub's layout (or with data files only), a csv, tsv, JSON, JSON
            lines or parquet file, a mapping from a split to a file, or a `Dataset` or `DatasetDict`.
        text_column: Column of the texts. By default the one with a usual name, or the only column of strings.
        label_column: Column of the labels. By default the one with a usual name.
        problem_type: `"single_label_classification"`, `"multi_label_classification"` or `"regression"`. By default
            it follows from the labels; integers are classes unless `"regression"` is asked for.
        config_name: Configuration of a source on the Hub or in a folder that has several.
        revision: Branch, tag or commit of a source on the Hub.
        validation_size: Share (a float between 0 and 1) or number (an integer) of the training rows that become the
            validation split where the source has none. The test split is never used for it.
        seed: Seed of that choice. It is stratified where a text has one label: a class keeps at least one row for
            training, so a class of one row gives none. Where no class has two rows, the choice is plain random.
        label_names: Names of the labels in order. For labels that are strings they are the values themselves; they
            rename the classes of a `ClassLabel`, the integers from 0, or otherwise the sorted numbers.
            By default the names of the `ClassLabel`, or the sorted values in the training split.

    Returns:
        The splits "train", "validation" and, where there is one, "test". Rows keep their order.

    Raises:
        FileNotFoundError: The source does not exist.
        TypeError: The source or an argument is of a kind that cannot be read.
        ValueError: A file, a column or a label is not as it should be.

    Example:

    ```python
    >>> from datasets import Dataset
    >>> reviews = Dataset.from_dict({"review": ["good", "bad"] * 10, "sentiment": ["pos", "neg"] * 10})
    >>> splits = load_texts(reviews)
    >>> splits["train"].features["label"].names, splits.num_rows
    (['neg', 'pos'], {'train': 18, 'validation': 2})

    ```
    """
    _check_arguments(problem_type, validation_size, label_names)
    raw = _choose_splits(_read_source(source, config_name, revision))
    raw = {name: _type_columns(split, text_column, label_column) for name, split in raw.items()}
    label_column = _find_column(raw["train"], "label", label_column, text_column)
    text_column = _find_column(raw["train"], "text", text_column, label_column)
    raw = {name: _two_columns(split, text_column, label_column) for name, split in raw.items()}
    splits = _convert_labels(raw, label_column, problem_type, label_names)
    if "validation" not in splits:
        splits["train"], splits["validation"] = _split_train(splits["train"], validation_size, seed)
    return DatasetDict({name: splits[name] for name in ("train", "validation", "test") if name in splits})


def describe_labels(features: Features) -> tuple[str, list[str]]:
    """Reads the problem type and the names of the labels from the features of a data set.

    Args:
        features: Features with a `label` column as [`load_texts`] makes it.

    Returns:
        The problem type in transformers' terms, and the label names, of which regression has none.

    Raises:
        ValueError: There is no column `label`, or it holds something else.

    Example:

    ```python
    >>> from datasets import ClassLabel, Features, List, Value
    >>> describe_labels(Features({"text": Value("string"), "label": List(ClassLabel(names=["art", "law"]))}))
    ('multi_label_classification', ['art', 'law'])

    ```
    """
    label = features.get("label")
    if isinstance(label, ClassLabel):
        return SINGLE_LABEL, list(label.names)
    if isinstance(label, (List, LargeList)) and isinstance(label.feature, ClassLabel):
        return MULTI_LABEL, list(label.feature.names)
    if _kind(label) == "float":
        return REGRESSION, []
    found = "there is no such column" if label is None else f"it is {label}"
    raise ValueError(f"The column 'label' must be a ClassLabel, a List(ClassLabel) or a float, but {found}.")


def _check_arguments(problem_type: str | None, validation_size: object, label_names: object) -> None:
    if problem_type is not None and problem_type not in PROBLEM_TYPES:
        raise ValueError(f"problem_type must be one of {_quote(PROBLEM_TYPES)}, not {problem_type!r}.")
    whole = isinstance(validation_size, int) and not isinstance(validation_size, bool) and validation_size >= 1
    if not whole and not (isinstance(validation_size, float) and 0 < validation_size < 1):
        raise ValueError(f"validation_size must be a share between 0 and 1 or a number of rows, not {validation_size!r}.")
    if label_names is None:
        return
    if isinstance(label_names, str) or not all(isinstance(name, str) for name in label_names):
        raise TypeError(f"label_names must be a list of strings, not {label_names!r}.")
    if len(set(label_names)) < len(label_names) or len(label_names) == 0:
        raise ValueError(f"label_names must hold different names, not {list(label_names)!r}.")
    if problem_type == REGRESSION:
        raise ValueError("label_names has no meaning for problem_type='regression': leave one of the two out.")


# Reading a source


def _read_source(source: Source, config_name: str | None, revision: str | None) -> dict[str, _Split]:
    path = Path(source).expanduser() if isinstance(source, (str, PathLike)) else None
    on_the_hub = isinstance(source, str) and not path.exists() and _is_hub_name(source)
    if config_name is not None and not on_the_hub and not (path and path.is_dir()):
        raise ValueError(f"config_name={config_name!r} is for a source on the Hub or a folder: leave it out.")
    if revision is not None and not on_the_hub:
        raise ValueError(f"revision={revision!r} is for a source on the Hub: leave it out.")
    if isinstance(source, (Dataset, str, PathLike)) and not on_the_hub and not (path and path.is_dir()):
        return {"train": _read_part("train", source)}
    if isinstance(source, Mapping):
        return _read_mapping(source)
    if path is None:
        kind = type(source).__name__
        raise TypeError(f"source must be a name, a path, a mapping from split to file or a Dataset, not {kind}.")
    if on_the_hub:
        return _read_layout(source, source, config_name, revision)
    if (path / "dataset_dict.json").is_file() or (path / "state.json").is_file():
        saved = load_from_disk(str(path))
        return _read_mapping(saved if isinstance(saved, DatasetDict) else DatasetDict({"train": saved}))
    # An absolute path, or a folder named "csv" would be taken for the csv reader of datasets.
    return _read_layout(str(path.resolve()), str(path), config_name, None)


def _is_hub_name(source: str) -> bool:
    looks_like_file = source.lower().endswith(FILE_ENDINGS) or source.startswith((".", "~"))
    return not looks_like_file and re.fullmatch(r"[\w.-]+(/[\w.-]+)?", source) is not None


def _read_mapping(source: Mapping) -> dict[str, _Split]:
    unknown = [name for name in source if name not in SPLIT_NAMES]
    # A whole data set may well have further splits; a file that somebody names by hand is meant to be read.
    if unknown and not isinstance(source, DatasetDict):
        raise ValueError(f"The split {unknown[0]!r} is not one of {_quote(SPLIT_NAMES)}: rename it or leave it out.")
    return {name: _read_part(name, part) for name, part in source.items()}


def _read_part(name: str, part: object) -> _Split:
    if isinstance(part, Dataset):
        return _Split(part, f"split {name!r}")
    if not isinstance(part, (str, PathLike)):
        raise TypeError(f"The split {name!r} must be the path of a file or a Dataset, not {type(part).__name__}.")
    return _read_file(Path(part).expanduser())


def _read_layout(path: str, shown: str, config_name: str | None, revision: str | None) -> dict[str, _Split]:
    try:
        builder = _make_builder(path, name=config_name, revision=revision)
        plain_files = _plain_files(builder)
        if plain_files is None:
            builder.download_and_prepare()
            return {name: _Split(data, f"split {name!r} of {shown}") for name, data in builder.as_dataset().items()}
    except (DatasetsError, OSError, ValueError, RuntimeError) as error:
        if not isinstance(error, (FileNotFoundError, ConnectionError)):
            raise ValueError(f"{shown!r} cannot be loaded: {_reason(error)}") from error
        advice = f"put files that end in {_quote(FILE_ENDINGS)} there" if Path(path).is_dir() else "check the name"
        raise FileNotFoundError(f"No data set is found at {shown!r}: {advice}. ({_reason(error)})") from error
    return {name: _read_file(file) for name, file in plain_files.items()}


def _make_builder(path: str, **options: str | None) -> DatasetBuilder:
    try:
        builder = load_dataset_builder(path, **options)
    except ValueError as error:
        # Without the network, what was once read with the options for csv is only found by asking with them.
        if "cache" not in str(error):
            raise
        return load_dataset_builder(path, **options, **_KEEP_ALL_TEXTS)
    if isinstance(builder.config, CsvConfig):
        return load_dataset_builder(path, **options, **_KEEP_ALL_TEXTS)
    return builder


def _plain_files(builder: DatasetBuilder) -> dict[str, Path] | None:
    """The csv and JSON files of a folder that declares nothing about them: they are read like single files."""
    config = builder.config
    if not isinstance(config, (CsvConfig, JsonConfig)) or builder.info.features is not None:
        return None
    default = type(config)(sep=config.sep, **_KEEP_ALL_TEXTS) if isinstance(config, CsvConfig) else type(config)()
    own = {field.name for field in fields(config)} - {"name", "version", "data_dir", "data_files", "description"}
    if any(getattr(config, name) != getattr(default, name) for name in own - {"delimiter"}):
        return None
    files = {str(name): [Path(file) for file in names] for name, names in config.data_files.items()}
    plain = all(
        len(paths) == 1 and paths[0].is_file() and DELIMITERS.get(paths[0].suffix, "") == getattr(config, "sep", "")
        for paths in files.values()
    )
    return {name: paths[0] for name, paths in files.items()} if plain else None


def _reason(error: BaseException) -> str:
    if isinstance(error, DatasetGenerationError) and error.__cause__ is not None:
        error = error.__cause__
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _read_file(path: Path) -> _Split:
    ending, origin = path.suffix.lower(), f"file {path}"
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}: check its name.")
    if ending not in FILE_ENDINGS:
        raise ValueError(f"The file {path} must end in one of {_quote(FILE_ENDINGS)}: rename or convert it.")
    if path.stat().st_size == 0:
        raise ValueError(f"The file {path} is empty.")
    if ending == ".parquet":
        return _Split(_read_parquet(path), origin)
    content = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ValueError(f"The file {path} is not UTF-8 text (line {line}): save it as UTF-8.") from None
    table = _parse_csv(path, content) if ending in DELIMITERS else _parse_json(path, content)
    return _Split(Dataset(table), origin, only_strings=ending in DELIMITERS)


def _read_parquet(path: Path) -> Dataset:
    try:
        pa.parquet.read_schema(path)
        return Dataset.from_parquet(str(path))
    except (pa.ArrowException, OSError, DatasetsError) as error:
        raise ValueError(f"The file {path} is not a whole parquet file: {_reason(error)}") from error


def _parse_csv(path: Path, content: bytes) -> pa.Table:
    delimiter = DELIMITERS[path.suffix.lower()]
    rows = csv.reader(io.TextIOWrapper(io.BytesIO(content), encoding="utf-8", newline=""), delimiter=delimiter)
    header = next((row for row in rows if row), [])
    if len(set(header)) < len(header):
        raise ValueError(f"The file {path} has two columns of one name in its header {_quote(header)}: rename one.")
    options = pa.csv.ConvertOptions(
        column_types=dict.fromkeys(header, pa.string()), null_values=[], strings_can_be_null=False
    )
    try:
        return pa.csv.read_csv(
            pa.BufferReader(content),
            # One thread, because only then the errors name the row.
            read_options=pa.csv.ReadOptions(use_threads=False, block_size=min(len(content), _LONGEST_BLOCK)),
            parse_options=pa.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            convert_options=options,
        )
    except pa.ArrowInvalid as error:
        found = re.search(r"Row #(\d+): Expected (\d+) columns, got (\d+)", str(error))
        if found is None:
            raise ValueError(f"The file {path} has no rows.") from None
        row, expected, got = (int(group) for group in found.groups())
        raise ValueError(
            f"The file {path} has {expected} columns, but {got} in row {row - 1} after the header: put a text with "
            "the separator, a quote or a line break in double quotes."
        ) from None


def _parse_json(path: Path, content: bytes) -> pa.Table:
    try:
        if content.lstrip().startswith(b"["):
            content = "\n".join(json.dumps(row) for row in json.loads(content)).encode()
        options = pa.json.ReadOptions(block_size=min(max(len(content), 1), _LONGEST_BLOCK))
        table = pa.json.read_json(pa.BufferReader(content), read_options=options)
        # Arrow reads a column of dates as times, but a text stays a text.
        dates = [field.with_type(pa.string()) for field in table.schema if pa.types.is_timestamp(field.type)]
        as_strings = pa.json.ParseOptions(explicit_schema=pa.schema(dates))
        return pa.json.read_json(pa.BufferReader(content), options, as_strings) if dates else table
    except json.JSONDecodeError as error:
        raise ValueError(f"The file {path} is not JSON: line {error.lineno}, {error.msg}.") from None
    except pa.ArrowInvalid as error:
        reason = re.sub(r" in row (\d+)", lambda found: f" in row {int(found[1]) + 1}", str(error))
        reason = _broken_line(content) or reason
        raise ValueError(f"The file {path} is not JSON lines with one object a line: {reason}.") from None


def _broken_line(content: bytes) -> str | None:
    for number, line in enumerate(content.split(b"\n"), start=1):
        try:
            if line.strip() and not isinstance(json.loads(line), dict):
                return f"line {number} is no object"
        except json.JSONDecodeError as error:
            return f"line {number}, {error.msg}"
    return None


# Splits and columns


def _choose_splits(raw: dict[str, _Split]) -> dict[str, _Split]:
    splits: dict[str, _Split] = {}
    for name, split in raw.items():
        if name not in SPLIT_NAMES:
            continue
        if SPLIT_NAMES[name] in splits:
            raise ValueError(f"Two splits could be {SPLIT_NAMES[name]!r} among {_quote(raw)}: leave one out.")
        if split.data.num_rows == 0:
            raise ValueError(f"The {split.origin} has no rows.")
        splits[SPLIT_NAMES[name]] = split._replace(data=split.data.with_format(None))
    if "train" not in splits:
        raise ValueError(f"There is no split 'train' among {_quote(raw)}: name one with a mapping such as {{'train': …}}.")
    return splits


def _type_columns(split: _Split, text_column: str | None, label_column: str | None) -> _Split:
    """Turns the columns of numbers of a csv into numbers, except where the texts are."""
    if not split.only_strings:
        return split
    table = split.data.data.table
    for index, name in enumerate(table.column_names):
        is_text = name == text_column or (_plain(name) in TEXT_COLUMNS and name != label_column)
        if not is_text:
            table = table.set_column(index, name, _as_numbers(table.column(name)))
    return split._replace(data=Dataset(table))


def _as_numbers(strings: pa.ChunkedArray) -> pa.ChunkedArray:
    trimmed = pc.utf8_trim_whitespace(strings)
    numbers = pc.if_else(pc.is_in(trimmed, value_set=pa.array(_MISSING_NUMBERS)), None, trimmed)
    if numbers.null_count == len(numbers):
        return strings
    for pattern, kind in ((_INTEGER, pa.int64()), (_FLOAT, pa.float64())):
        if pc.all(pc.match_substring_regex(numbers, pattern)).as_py():
            try:
                return numbers.cast(kind)
            except pa.ArrowInvalid:  # out of range, or "+1", which is a name
                return strings
    return strings


def _find_column(split: _Split, role: str, named: str | None, other: str | None) -> str:
    features = split.data.features
    if named is not None and named not in features:
        raise ValueError(
            f"The {split.origin} has no column {named!r}; it has {_quote(features)}: name it with {role}_column=."
        )
    if named is not None and named == other:
        raise ValueError(f"text_column and label_column are both {named!r}: name two columns.")
    if named is not None:
        return named
    known = TEXT_COLUMNS if role == "text" else LABEL_COLUMNS
    free = [name for name in features if name != other and (role == "label" or _kind(features[name]) == "string")]
    first = [name for name in free if _plain(name) == known[0]]
    found = first or [name for name in free if _plain(name) in known] or (free if role == "text" else [])
    if len(found) == 1:
        return found[0]
    wanted = f"{'more than one' if found else 'no'} column that looks like the {role}s"
    raise ValueError(
        f"The {split.origin} has {wanted}; it has {_quote(found or features)}: name it with {role}_column=."
    )


def _two_columns(split: _Split, text_column: str, label_column: str) -> _Split:
    for role, column in (("text", text_column), ("label", label_column)):
        _find_column(split, role, column, None)
    data = split.data.select_columns([text_column, label_column])
    data = data.rename_columns({text_column: "text", label_column: "label"})
    if _kind(data.features["text"]) != "string":
        raise ValueError(
            f"The column {text_column!r} of the {split.origin} holds {data.features['text']}, not texts: "
            "name another with text_column=."
        )
    if data.features["text"] != Value("string"):
        data = data.cast_column("text", Value("string"))
    texts = _column(data, "text")
    if texts.null_count:
        row = pc.indices_nonzero(pc.is_null(texts))[0].as_py()
        raise ValueError(_no_value(text_column, split.origin, row))
    if not any(pc.any(pc.not_equal(pc.utf8_trim_whitespace(chunk), "")).as_py() for chunk in texts.chunks):
        raise ValueError(f"Every text in the column {text_column!r} of the {split.origin} is empty.")
    return split._replace(data=data)


# Labels


def _convert_labels(
    raw: dict[str, _Split], column: str, problem_type: str | None, label_names: Sequence[str] | None
) -> dict[str, Dataset]:
    labels = {name: _flatten_labels(split, column) for name, split in raw.items()}
    train = labels["train"]
    problem_type = _choose_problem_type(raw["train"], train, column, problem_type)
    strings = {name: _as_strings(part.values, part.feature) for name, part in labels.items()}
    found = list(train.feature.names) if _kind(train.feature) == "class" else _sorted_values(strings["train"])
    if "test" in raw and set(pc.unique(strings["test"]).to_pylist()) == {"-1"} and "-1" not in found:
        raw = {name: split for name, split in raw.items() if name != "test"}
    if problem_type == REGRESSION:
        floats = {name: _as_floats(labels[name], split, column) for name, split in raw.items()}
        return {name: _set_labels(split.data, floats[name], Value("float32")) for name, split in raw.items()}
    ordered = _kind(train.feature) == "class" or all(re.fullmatch(_FLOAT, value) for value in found)
    keys, names = _name_labels(found, ordered, label_names, f"column {column!r} of the {raw['train'].origin}")
    if problem_type == SINGLE_LABEL and len(names) < 2:
        raise ValueError(f"The column {column!r} of the {raw['train'].origin} has one label only, {names[0]!r}.")
    feature = ClassLabel(names=names) if train.lengths is None else List(ClassLabel(names=names))
    codes = {name: _encode(labels[name], strings[name], keys, f"{split.origin} ({name})") for name, split in raw.items()}
    return {name: _set_labels(split.data, codes[name], feature) for name, split in raw.items()}


def _flatten_labels(split: _Split, column: str) -> _Labels:
    values, feature = _column(split.data, "label").combine_chunks(), split.data.features["label"]
    rows, lengths = np.arange(len(values)), None
    if _kind(feature) == "list" and not values.null_count:
        lengths = pc.list_value_length(values).to_numpy(zero_copy_only=False)
        rows, values, feature = np.repeat(rows, lengths), values.flatten(), feature.feature
    missing = pc.is_null(values, nan_is_null=True)
    if _kind(feature) == "string":
        missing = pc.or_kleene(missing, pc.equal(pc.utf8_trim_whitespace(values), ""))
    if pc.any(missing).as_py():
        raise ValueError(_no_value(column, split.origin, rows[pc.indices_nonzero(missing)[0].as_py()]))
    return _Labels(values, rows, lengths, feature)


def _choose_problem_type(split: _Split, labels: _Labels, column: str, wanted: str | None) -> str:
    kind = _kind(labels.feature)
    possible = {
        "class": (SINGLE_LABEL, REGRESSION),
        "integer": (SINGLE_LABEL, REGRESSION),
        "float": (REGRESSION, SINGLE_LABEL),
        "string": (SINGLE_LABEL,),
    }.get(kind, ())
    if labels.lengths is not None:
        possible = (MULTI_LABEL,) if kind in ("class", "integer", "string") else ()
    holds = f"The column {column!r} of the {split.origin} holds {split.data.features['label']}"
    if not possible:
        raise ValueError(f"{holds}, which is no label: give class names, integers, lists of them, or numbers.")
    if wanted is not None and wanted not in possible:
        raise ValueError(f"{holds}, which does not suit problem_type={wanted!r}: it can be {_quote(possible)}.")
    if kind == "integer" and labels.lengths is not None and set(pc.unique(labels.values).to_pylist()) <= {0, 1}:
        pairs = labels.rows * 2 + labels.values.to_numpy(zero_copy_only=False)
        if len(np.unique(pairs)) < len(pairs):
            raise ValueError(f"{holds} with vectors of 0 and 1: give lists of the labels that apply.")
    return wanted or possible[0]


def _as_strings(values: pa.Array, feature: object) -> pa.Array:
    if _kind(feature) == "class":
        known = pc.and_(pc.greater_equal(values, 0), pc.less(values, len(feature.names)))
        names = pc.take(pa.array(feature.names, pa.string()), pc.if_else(known, values, None))
        return pc.coalesce(names, values.cast(pa.string()))
    if _kind(feature) == "float" and pc.all(pc.equal(values, pc.round(values))).as_py():
        values = values.cast(pa.int64(), safe=False)
    return values.cast(pa.string())


def _sorted_values(strings: pa.Array) -> list[str]:
    values = sorted(pc.unique(strings).to_pylist())
    return sorted(values, key=float) if all(re.fullmatch(_FLOAT, value) for value in values) else values


def _name_labels(
    found: list[str], ordered: bool, label_names: Sequence[str] | None, where: str
) -> tuple[list[str], list[str]]:
    """The values in the order of their classes, and the names of these classes."""
    names = found if label_names is None else list(label_names)
    if set(found) <= set(names):
        return names, names
    counted = [str(number) for number in range(len(names))]
    if ordered and set(found) <= set(counted):
        return counted, names
    if ordered and len(found) == len(names):
        return found, names
    raise ValueError(f"label_names {_quote(names)} do not fit the labels in the {where}, which are {_quote(found)}.")


def _encode(labels: _Labels, strings: pa.Array, keys: list[str], where: str) -> pa.Array:
    codes = pc.index_in(strings, value_set=pa.array(keys, pa.string()))
    if codes.null_count:
        first = pc.indices_nonzero(pc.is_null(codes))[0].as_py()
        label, row = strings[first].as_py(), labels.rows[first] + 1
        if label == "-1":
            raise ValueError(f"The label -1 in row {row} of the {where} means 'no label' on the Hub: remove such rows.")
        raise ValueError(
            f"The label {label!r} in row {row} of the {where} is not among those of the training split, {_quote(keys)}."
        )
    codes = codes.cast(pa.int64())
    if labels.lengths is None:
        return codes
    return pa.ListArray.from_arrays(np.concatenate([[0], np.cumsum(labels.lengths)]).astype(np.int32), codes)


def _as_floats(labels: _Labels, split: _Split, column: str) -> pa.Array:
    where = f"column {column!r} of the {split.origin}"
    if labels.lengths is not None or _kind(labels.feature) not in ("class", "integer", "float"):
        raise ValueError(f"The {where} holds {split.data.features['label']}, not numbers as regression needs.")
    floats = labels.values.cast(pa.float32(), safe=False)
    bad = pc.invert(pc.is_finite(floats))
    if _kind(labels.feature) == "class":
        bad = pc.less(floats, 0)
    if pc.any(bad).as_py():
        row = pc.indices_nonzero(bad)[0].as_py()
        raise ValueError(f"The {where} holds {labels.values[row]} in row {row + 1}: remove it or give it a number.")
    return floats


def _set_labels(data: Dataset, labels: pa.Array, feature: object) -> Dataset:
    if data.features["label"] == feature:
        return data  # as it is, so that it stays in the cache
    return data.remove_columns("label").add_column("label", labels, feature=feature)


# The validation split


def _split_train(data: Dataset, size: float | int, seed: int) -> tuple[Dataset, Dataset]:
    total = data.num_rows
    count = size if isinstance(size, int) else max(1, round(size * total))
    if count >= total:
        raise ValueError(f"validation_size={size!r} leaves none of the {total} training rows: make it smaller.")
    rng = np.random.default_rng(seed)
    chosen = np.empty(0, dtype=np.int64)
    if isinstance(data.features["label"], ClassLabel):
        chosen = _stratified_rows(_column(data, "label").to_numpy(), count, rng)
    if len(chosen) == 0:
        chosen = rng.permutation(total)[:count]
    in_validation = np.zeros(total, dtype=bool)
    in_validation[chosen] = True
    return data.select(np.flatnonzero(~in_validation)), data.select(np.flatnonzero(in_validation))


def _stratified_rows(codes: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """Draws about `size` rows, of each class in proportion, always leaving one."""
    _, classes, counts = np.unique(codes, return_inverse=True, return_counts=True)
    shares = counts * (size / len(codes))
    taken = np.minimum(np.floor(shares).astype(np.int64), counts - 1)
    for one in np.argsort(taken - shares, kind="stable"):  # the largest remainder first
        if taken.sum() < size and taken[one] < counts[one] - 1:
            taken[one] += 1
    shuffled = rng.permutation(len(codes))
    by_class = shuffled[np.argsort(classes[shuffled], kind="stable")]
    rank = np.arange(len(codes)) - np.repeat(np.cumsum(counts) - counts, counts)
    return by_class[rank < np.repeat(taken, counts)]


# Small helpers


def _column(data: Dataset, name: str) -> pa.ChunkedArray:
    return data.select_columns([name]).with_format("arrow")[:][name]


def _kind(feature: object) -> str:
    if isinstance(feature, ClassLabel):
        return "class"
    if isinstance(feature, (List, LargeList)):
        return "list"
    dtype = feature.dtype if isinstance(feature, Value) else ""
    if dtype in ("string", "large_string"):
        return "string"
    if dtype.startswith("float"):
        return "float"
    return "integer" if dtype == "bool" or dtype.startswith(("int", "uint")) else "other"


def _plain(name: str) -> str:
    return name.strip().lower()


def _no_value(column: str, origin: str, row: int) -> str:
    return f"The column {column!r} of the {origin} has no value in row {row + 1} (the first is 1): fill or remove it."


def _quote(names: Iterable[str]) -> str:
    shown = [repr(name if len(name) <= 40 else name[:39] + "…") for name in names]
    return ", ".join(shown[:20]) + (f" and {len(shown) - 20} more" if len(shown) > 20 else "")

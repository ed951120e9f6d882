"""Texts for pretraining: files and data sets that may be larger than memory, as windows of tokens on the disk."""

from __future__ import annotations

import glob
import shutil
import tempfile
import weakref
from collections.abc import Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import NamedTuple

import numpy as np
import yaml
from datasets import Dataset, DatasetDict, Features, List, Value, concatenate_datasets, config, load_dataset
from datasets.exceptions import DatasetsError
from transformers import PreTrainedTokenizerBase
from transformers.utils import logging

from .._errors import causes_of
from .._version import __version__
from .._wording import option
from ..modeling.text_inputs import NO_MAX_LENGTH, TextEncoder
from .columns import text_column_of
from .compression import COMPRESSED, open_bytes, open_text
from .csv_files import TAB, read_csv
from .naming import quote
from .sources import Split, reason_of
from .text_lines import DAMAGED, ending_of, lines_of_file


logger = logging.get_logger(__name__)

# By the ending of a file, without that of a compression: the reader of `datasets`. That of csv takes what stands in
# too many columns for no text, so that our own reads these.
_CSV, _PARQUET = "csv", "parquet"
_READERS = {
    ".txt": "text",
    ".jsonl": "json",
    ".json": "json",
    ".csv": _CSV,
    ".tsv": _CSV,
    ".parquet": _PARQUET,
}
# Of a text, this many bytes tell whether it is one.
_LOOKED_AT = 2**16
# Held out where nobody says how many: enough to measure on, and soon measured.
HELD_OUT_SHARE, MOST_HELD_OUT = 0.1, 500
# Texts whose tokens are cut into windows together; what is left of them makes a shorter one.
_JOINED = 1_000
_SMALL_VOCABULARY = 2**16


def load_corpus(
    sources: Sequence[str | PathLike],
    text_column: str | None = None,
    *,
    dataset_config: str | None = None,
    splits: Sequence[str] = ("train",),
) -> Dataset:
    """The texts of files, folders or data sets, without their labels; read by `datasets` piece by piece.

    They are written once to the cache of `datasets`, and read from there by need: memory holds a few of them.

    Args:
        sources: Each a .txt file with a text a line, a csv, tsv, JSON lines or parquet file, or a compressed one; or a
            folder or name on the Hub.
        text_column: Column of the texts; by default one with a usual name, or the only one that holds any (told).
        dataset_config: Configuration of a data set that has several.
        splits: Those that are read of a folder or a data set on the Hub.

    Returns:
        A data set with the column `text`; empty and blank texts are left out, which is told.

    Raises:
        FileNotFoundError: There is no such file or data set.
        ValueError: It cannot be read, has no such split or column, or no text.

    Example:

    ```python
    >>> load_corpus(["reviews.csv", "texts.txt"]).column_names
    ['text']
    ```
    """
    parts = [part for source in sources for part in _read(str(source), dataset_config, splits)]
    if text_column is not None and all(map(_has_no_columns, parts)):
        raise ValueError(
            f"{option('text_column', text_column)} has no effect on files with a text a line: leave it out."
        )
    columns = [text_column_of(part, None if _has_no_columns(part) else text_column) for part in parts]
    texts = concatenate_datasets(columns) if len(columns) > 1 else columns[0]
    filled = np.flatnonzero(_has_words(texts))
    if not len(filled):
        raise ValueError(f"{quote(sources)} hold empty texts only: give others.")
    if len(filled) < len(texts):
        logger.warning("Of %s texts, %s are empty and left out.", f"{len(texts):,}", f"{len(texts) - len(filled):,}")
        texts = texts.select(filled)
    return texts


def _has_no_columns(part: Split) -> bool:
    """Whether it was read from files with a text a line."""
    return part.data.info.builder_name == "text"


def _has_words(texts: Dataset) -> np.ndarray:
    batches = texts.with_format(None).iter(_JOINED)
    return np.fromiter((bool(text.strip()) for batch in batches for text in batch["text"]), bool, len(texts))


def _read(source: str, dataset_config: str | None, splits: Sequence[str]) -> list[Split]:
    path = Path(source).expanduser()
    reader = _READERS.get(ending_of(path))
    if path.is_file() or reader is not None:
        if not path.is_file():
            raise FileNotFoundError(f"There is no file {source}: check its name.")
        if reader is None:
            raise ValueError(
                f"The file {source} must end in one of {quote(_READERS)}, perhaps with one of {quote(COMPRESSED)} "
                "behind: rename or convert it."
            )
        if not path.stat().st_size:
            raise ValueError(f"The file {source} is empty.")
        return [_read_file(source, path, reader)]
    # Absolute, because a folder named "csv" would be taken for the reader.
    data = _loaded(source, str(path.resolve()) if path.is_dir() else source, name=dataset_config)
    missing = [split for split in splits if split not in data]
    if missing:
        raise ValueError(f"{source} has no split {missing[0]!r}: {option('splits')} takes {quote(data)}.")
    if others := [split for split in data if split not in splits]:
        logger.warning(
            "Of %s the split %s is read, not %s: %s reads others.",
            *(source, quote(splits), quote(others), option("splits")),
        )
    return [Split(data[split], f"split {split!r} of {source}") for split in splits]


def _read_file(source: str, path: Path, reader: str) -> Split:
    origin = f"file {source}"
    try:
        if reader != _PARQUET:
            _check_text(path)
        if reader == _CSV:
            return Split(_read_csv(path), origin, only_strings=True)
        return Split(_loaded(source, reader, data_files={"train": glob.escape(str(path.resolve()))})["train"], origin)
    except ValueError as error:
        if any(isinstance(cause, UnicodeDecodeError) for cause in causes_of(error)):
            _tell_wrong_line(path)
        raise


def _read_csv(path: Path) -> Dataset:
    """A table as rows of strings in the cache of `datasets`, where it is found again unless the file has changed."""
    separator = TAB if ending_of(path) == ".tsv" else None
    # Once for the eyes alone: what is wrong or odd is told, whether the cache has the rows or not.
    try:
        pieces = read_csv(path, lambda: open_text(path), separator)
        columns = next(pieces).column_names
        if not sum(piece.num_rows for piece in pieces):
            raise ValueError(f"The file {path} has no rows.")
    except DAMAGED as error:
        raise ValueError(f"{path} cannot be read, mend or convert it: {reason_of(error)}") from error
    state = path.stat()
    return Dataset.from_generator(
        _rows_of_csv,
        Features(dict.fromkeys(columns, Value("string"))),
        gen_kwargs={
            "path": path.resolve(),
            "separator": separator,
            "state": (state.st_size, state.st_mtime_ns, __version__),
        },
    )


def _rows_of_csv(path: Path, separator: str | None, state: tuple[int, int, str]) -> Iterator[dict[str, str]]:
    """By what its arguments are, `datasets` knows the rows again; the state of the file is read by nobody else."""
    for piece in read_csv(path, lambda: open_text(path), separator, quietly=True):
        yield from piece.to_pylist()


def _check_text(path: Path) -> None:
    """Refuse what is another encoding by its first bytes: NUL is a letter of UTF-8, and in none of its texts."""
    try:
        with open_bytes(path) as stream:
            beginning = stream.read(_LOOKED_AT)
    except (*DAMAGED, ValueError) as error:
        raise ValueError(f"{path} cannot be read, mend or convert it: {reason_of(error)}") from error
    if b"\0" in beginning:
        _tell_wrong_line(path)


def _tell_wrong_line(path: Path) -> None:
    """Raise the sentence about the first line that is no UTF-8 text."""
    for _ in lines_of_file(path, f"The file {path}"):
        pass


def _loaded(source: str, *arguments: str, **options: object) -> DatasetDict:
    try:
        return load_dataset(*arguments, **options)
    except (FileNotFoundError, ConnectionError) as error:
        raise FileNotFoundError(
            f"No data set is found at {source!r}, neither here nor on the Hub, check the name: {reason_of(error)}"
        ) from error
    except (DatasetsError, OSError, ValueError, RuntimeError, TypeError, KeyError, yaml.YAMLError) as error:
        raise ValueError(f"{source} cannot be read, mend or convert it: {reason_of(error)}") from error


def hold_out_texts(texts: Dataset, size: float | None = None, seed: int = 42) -> DatasetDict:
    """Hold some texts out, to measure a language model on.

    Args:
        texts: All of them.
        size: Share of the texts; without, a tenth, but at most 500 texts.
        seed: Seed of the choice.

    Returns:
        "train" and "validation", each in the order of the texts.

    Raises:
        ValueError: There are fewer than two texts.

    Example:

    ```python
    >>> hold_out_texts(Dataset.from_dict({"text": ["one", "two", "three"]}), 0.4).num_rows
    {'train': 2, 'validation': 1}
    ```
    """
    count = len(texts)
    if count < 2:
        raise ValueError(
            f"There is one text, and one must be held out: give more, or {option('validation_file')} with others."
        )
    wanted = round(count * size) if size is not None else min(round(count * HELD_OUT_SHARE), MOST_HELD_OUT)
    held_out = np.random.default_rng(seed).choice(count, min(max(wanted, 1), count - 1), replace=False)
    chosen = np.zeros(count, bool)
    chosen[held_out] = True
    return DatasetDict(
        train=texts.select(np.flatnonzero(~chosen)),
        validation=texts.select(np.flatnonzero(chosen)),
    )


class Windows(NamedTuple):
    """Texts as rows of a fixed number of tokens.

    Attributes:
        splits: Of each split, `input_ids`.
        tokens: Of each split, how many tokens there are.
        counts: (vocab_size,), how often each token occurs in "train".
    """

    splits: DatasetDict
    tokens: Mapping[str, int]
    counts: np.ndarray


class WindowMaker:
    """Joins texts and cuts them into windows, in files that are removed with this object.

    Args:
        tokenizer: Its separator, or end of text, stands behind each text, unless it frames texts itself.
        size: Tokens of a window.

    Example:

    ```python
    >>> windows = WindowMaker(tokenizer, 4)(DatasetDict(train=Dataset.from_dict({"text": ["Great food"] * 3})))
    >>> [len(row["input_ids"]) for row in windows.splits["train"]]
    [4, 4, 1]
    ```
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, size: int):
        self._size, self._vocab_size = size, len(tokenizer)
        self._encoder = TextEncoder(tokenizer, NO_MAX_LENGTH)
        ends = [token for token in (tokenizer.sep_token_id, tokenizer.eos_token_id) if token is not None]
        # One that frames its texts itself needs no more.
        self._end = None if self._encoder.input_ids([""])[0] or not ends else ends[0]
        folder = Path(config.HF_DATASETS_CACHE)
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = Path(tempfile.mkdtemp(prefix="tokens-", dir=folder))
        weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)

    def __call__(self, texts: DatasetDict) -> Windows:
        """Tokenise every split."""
        splits, tokens = DatasetDict(), {}
        counts = np.zeros(self._vocab_size, np.int64)
        for name, split in texts.items():
            splits[name] = self._cut(name, split)
            found = np.zeros(self._vocab_size, np.int64)
            for batch in splits[name].with_format("numpy").iter(_JOINED):
                found += np.bincount(np.concatenate(list(batch["input_ids"])), minlength=self._vocab_size)
            tokens[name] = int(found.sum())
            counts = found if name == "train" else counts
        return Windows(splits, tokens, counts)

    def _cut(self, name: str, texts: Dataset) -> Dataset:
        kind = "uint16" if self._vocab_size <= _SMALL_VOCABULARY else "int32"
        return texts.map(
            self._windows,
            batched=True,
            batch_size=_JOINED,
            remove_columns=texts.column_names,
            features=Features({"input_ids": List(Value(kind))}),
            cache_file_name=str(self._folder / f"{name}.arrow"),
            load_from_cache_file=False,
            desc="Tokenising",
        )

    def _windows(self, batch: Mapping[str, list[str]]) -> dict[str, list[list[int]]]:
        joined: list[int] = []
        for ids in self._encoder.input_ids(batch["text"]):
            joined += ids if self._end is None else [*ids, self._end]
        return {"input_ids": [joined[first : first + self._size] for first in range(0, len(joined), self._size)]}

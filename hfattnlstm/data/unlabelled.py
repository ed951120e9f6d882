"""Texts without labels: from a file, as rows, and as batches beside those of a training."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from datasets import Dataset, Features, List, Value
from torch import Tensor
from transformers.utils import logging

from .._wording import option
from .batching import LengthGroupedSampler
from .columns import column_names, text_column_of
from .sources import read_source
from .text_lines import LINES_ENDING, between_tabs, ending_of, lines_of_file


logger = logging.get_logger(__name__)

# Added to the seed: else texts that are in both would stand beside themselves. Of a seed, 32 bits count, and this
# flips the highest of them, which no epoch does.
_OTHER_ORDER = 2**31


def load_unlabelled(path: str | PathLike, text_column: str | Sequence[str] | None = None) -> Dataset:
    """The texts of a file without labels; those that are empty or blank are left out, which is told.

    Args:
        path: A csv, tsv, JSON lines or parquet file, or a .txt file with one text a line; also compressed.
        text_column: Column of the texts; by default one with a usual name, or the only one that holds any (told). Of
            several columns, `text` holds lists of texts; in a .txt file tabs stand between them.

    Returns:
        A data set with the column `text`.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file cannot be read, has no such column, or no text.

    Example:

    ```python
    >>> load_unlabelled("texts.txt")["text"][0]
    'Great food'
    ```
    """
    path = Path(path).expanduser()
    if path.is_dir():
        raise IsADirectoryError(f"{option('unlabelled_file', path)} is a folder: name a file in it.")
    if ending_of(path) == LINES_ENDING:
        texts = _read_lines(path, text_column)
    else:
        # A mapping, for a name alone could be one of the Hub.
        texts = text_column_of(read_source({"train": path}, None)["train"], text_column)
    kept = [row for row, text in enumerate(texts["text"]) if _has_words(text)]
    if not kept:
        raise ValueError(f"The file {path} holds empty texts only: give others, or leave it out.")
    if len(kept) < len(texts):
        logger.warning("Of the %s texts of %s, %s are empty and left out.", len(texts), path, len(texts) - len(kept))
        texts = texts.select(kept)
    return texts


def _read_lines(path: Path, text_column: str | Sequence[str] | None) -> Dataset:
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}: check its name.")
    name, columns = f"The file {path}", column_names(text_column)
    lines = lines_of_file(path, name)
    if len(columns) < 2:
        return Dataset.from_dict({"text": list(lines)}, Features({"text": Value("string")}))
    # A blank line has no tabs, and is left out later.
    rows = [[*row] for row in between_tabs((line or "\t" * (len(columns) - 1) for line in lines), columns, name)]
    return Dataset.from_dict({"text": rows}, Features({"text": List(Value("string"))}))


def _has_words(text: str | Sequence[str]) -> bool:
    return any(part.strip() for part in ([text] if isinstance(text, str) else text))


class UnlabelledBatches:
    """Batches of texts without labels, whose order depends on the seed and the step of the training alone.

    In each epoch of theirs, every text is read once, in batches of like length; see [`LengthGroupedSampler`].

    Args:
        rows: As from [`tokenised`].
        lengths: Tokens of each.
        collate: Makes a batch of rows.
        batch_size: Texts in a batch of one process.
        seed: Seed of the order, which is another one than that of labelled texts with the same seed.
        accumulation: Batches of an update of the weights.
        process, processes: Which share of the texts is read here: the first of one without.

    Example:

    ```python
    >>> batches = UnlabelledBatches(encoded, encoded["length"], list, batch_size=8)
    >>> len(batches.take(0))
    8
    ```
    """

    def __init__(
        self,
        rows: Dataset,
        lengths: Sequence[int],
        collate: Callable[[list[Mapping[str, Any]]], Mapping[str, Tensor]],
        batch_size: int,
        *,
        seed: int = 0,
        accumulation: int = 1,
        process: int = 0,
        processes: int = 1,
    ):
        self.batch_size = batch_size
        self._rows, self._collate, self._accumulation = rows, collate, accumulation
        self._process, self._processes = process, processes
        self._sampler = LengthGroupedSampler(lengths, batch_size * processes, seed + _OTHER_ORDER)
        self._order = list(self._sampler)
        self._update, self._taken = -1, 0

    def take(self, update: int) -> Mapping[str, Tensor]:
        """The next batch of an update of the weights.

        Args:
            update: Number of the update, from 0; its first call gives the first of its batches.
        """
        self._taken = self._taken + 1 if update == self._update else 0
        self._update = update
        indices = self._indices(update * self._accumulation + self._taken)
        return self._collate([self._rows[index] for index in indices])

    def _indices(self, number: int) -> list[int]:
        size = self.batch_size * self._processes
        epoch, place = divmod(number, -(-len(self._order) // size))
        if epoch != self._sampler.epoch:
            self._sampler.set_epoch(epoch)
            self._order = list(self._sampler)
        batch = self._order[place * size : (place + 1) * size]
        # The last batch of an epoch may have fewer texts than there are processes.
        return batch[self._process :: self._processes] or batch[:1]

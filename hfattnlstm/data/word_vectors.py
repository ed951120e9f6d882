"""Pretrained word vectors (GloVe, word2vec) for the input embedding of a model."""

from __future__ import annotations

import contextlib
import gzip
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice, takewhile
from operator import itemgetter
from os import PathLike
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from .._wording import option


MAX_MISSING = 20

# Where it stands in the file, the word, and its vector as the file has it: of millions of words only those of the
# vocabulary are worth parsing.
_Entry = tuple[str, str, bytes]
# For a word of the file, the rows it can fill; a match of a lower rank is better.
_Targets = dict[str, list[tuple[int, int]]]

_GZIP_MAGIC = b"\x1f\x8b"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_HEADER = re.compile(rb"(\d{1,12})[ \t]+(\d{1,12})\s*")
# No real line is longer, and a file that has no line ends must not be read into memory.
_LONGEST_LINE = 1 << 22
_CHUNK = 1 << 20
# Added to the rank of "Paris" for the token "paris", so that any other match is better.
_CASED = 10


@dataclass(frozen=True)
class WordVectorCoverage:
    """How many words of a tokenizer have got a vector.

    Attributes:
        found: Words that a vector was found for.
        vocabulary: Words of the tokenizer, special tokens left out.
        missing: The first 20 words without a vector, in the vocabulary's order.

    Example:

    ```python
    >>> str(WordVectorCoverage(found=9321, vocabulary=10000))
    'found 9,321 of 10,000 words (93.2 %)'
    ```
    """

    found: int
    vocabulary: int
    missing: tuple[str, ...] = ()

    @property
    def share(self) -> float:
        """Share of the words that have got a vector, between 0 and 1."""
        return self.found / self.vocabulary if self.vocabulary else 0.0

    def __str__(self) -> str:
        return f"found {self.found:,} of {self.vocabulary:,} words ({100 * self.share:.1f} %)"


class _Layout(NamedTuple):
    binary: bool
    start: int  # byte of the first entry
    line: int  # number of the line there
    words: int  # as the header has it; 0 without a header


def load_word_vectors(
    model: PreTrainedModel, path: str | PathLike[str], tokenizer: PreTrainedTokenizerBase
) -> WordVectorCoverage:
    """Copy pretrained word vectors into the input embedding of a model.

    Words that the file lacks keep their rows, and so do padding and other special tokens; only the unknown token takes
    the vector of `<unk>`. A token takes the vector of, in this order: its exact form, its text without a tokenizer's
    mark (`▁the`), either in lower case, and, if the tokenizer lower-cases, the first word of the file that equals it
    in lower case (`Paris` for `paris`). Pieces of words (`##ing`) are looked up as they are.

    Args:
        model: Its input embedding takes the vectors.
        path: File in GloVe's text format or word2vec's text or binary format, plain or compressed with gzip. The
            format is recognised from the content. Every entry must be complete, but only the numbers of the
            vocabulary's words are read.
        tokenizer: The fast tokenizer of the model.

    Returns:
        How many words of the vocabulary were found, and the first that were not.

    Raises:
        FileNotFoundError: When there is no such file.
        TypeError: For a tokenizer that is not fast.
        ValueError: For a file that is damaged or of another format, vectors that are not embedding_size long, and
            a tokenizer with more tokens than the embedding has rows. The embedding is then unchanged.

    Example:

    ```python
    >>> str(load_word_vectors(model, "glove.6B.300d.txt", tokenizer))
    'found 9,321 of 10,000 words (93.2 %)'
    ```
    """
    embedding = model.get_input_embeddings()
    path = Path(path)
    words = _words(tokenizer, embedding)
    targets = _targets(words, tokenizer, embedding)
    normalizer = tokenizer.backend_tokenizer.normalizer
    lower_cases = normalizer is not None and "A" not in normalizer.normalize_str("A")
    filled = embedding.weight.detach().to("cpu", copy=True)
    with _open(path) as file:
        rows = _fill(filled, targets, lower_cases, path, file)
    with torch.no_grad():
        embedding.weight.copy_(filled)
    missing = [word for row, word in words.items() if row not in rows]
    return WordVectorCoverage(len(words) - len(missing), len(words), tuple(missing[:MAX_MISSING]))


def _words(tokenizer: PreTrainedTokenizerBase, embedding: nn.Embedding) -> dict[int, str]:
    """The vocabulary by row, without special tokens and the row that pads."""
    if not getattr(tokenizer, "is_fast", False):
        raise TypeError(f"{type(tokenizer).__name__} is not a fast tokenizer: load one with AutoTokenizer.")
    vocabulary = sorted(tokenizer.get_vocab().items(), key=itemgetter(1))
    highest = vocabulary[-1][1] if vocabulary else -1
    if highest >= embedding.num_embeddings:
        raise ValueError(
            f"The tokenizer has ids up to {highest}, but the embedding has only {embedding.num_embeddings} rows: "
            "build the model with vocab_size=len(tokenizer), or call model.resize_token_embeddings(len(tokenizer))."
        )
    special = {embedding.padding_idx, *tokenizer.all_special_ids}
    special.update(row for row, token in tokenizer.added_tokens_decoder.items() if token.special)
    return {row: token for token, row in vocabulary if row not in special}


def _targets(words: dict[int, str], tokenizer: PreTrainedTokenizerBase, embedding: nn.Embedding) -> _Targets:
    targets: _Targets = {}
    for row, token in words.items():
        # Takes off what only marks a word's place in the text: "▁the", byte-level "Ġthe" and "the</w>" are "the".
        bare = tokenizer.convert_tokens_to_string([token]).strip().removeprefix("▁")
        if "\ufffd" in bare:  # part of a character
            bare = token
        for rank, form in enumerate(dict.fromkeys((token, bare, token.lower(), bare.lower()))):
            if form:
                targets.setdefault(form, []).append((row, rank))
    if tokenizer.unk_token_id not in (None, embedding.padding_idx, tokenizer.pad_token_id):
        targets.setdefault("<unk>", []).append((tokenizer.unk_token_id, 0))
    return targets


def _fill(filled: Tensor, targets: _Targets, lower_cases: bool, path: Path, file: BinaryIO) -> dict[int, int]:
    """Write the best vectors of the file into `filled` (rows, embedding_size).

    Returns:
        The rank of the match by which each row was filled.
    """
    size = filled.shape[1]
    layout, _ = _recognise(file, path, size)
    entries = _binary_entries if layout.binary else _text_entries
    ranks: dict[int, int] = {}
    for place, word, raw in entries(file, path, size, layout):
        matches = targets.get(word, [])
        if lower_cases and (lowered := word.lower()) != word:
            matches = matches + [(row, rank + _CASED) for row, rank in targets.get(lowered, [])]
        # Not `<=`: of equally good words the first is the most frequent. Reversed: of two matches of a row, the better
        # one comes first in the list and must come last here.
        better = {row: rank for row, rank in reversed(matches) if row not in ranks or rank < ranks[row]}
        if better:
            filled[list(better)] = _vector(raw, layout.binary, size, filled.dtype, f"{place}: the vector of {word!r}")
            ranks.update(better)
    return ranks


def read_word_vectors(path: str | PathLike[str], most: int) -> Iterator[tuple[str, np.ndarray]]:
    """The words of a file with their vectors.

    Args:
        path: As in [`load_word_vectors`].
        most: How many are read at most, the first ones.

    Yields:
        A word, and its vector (width,), float32.

    Raises:
        FileNotFoundError: When there is no such file.
        ValueError: For a file that is damaged or of another format.

    Example:

    ```python
    >>> next(read_word_vectors("glove.6B.300d.txt", most=1))[1].shape
    (300,)
    ```
    """
    path = Path(path)
    with _open(path) as file:
        layout, width = _recognise(file, path, None)
        entries = _binary_entries if layout.binary else _text_entries
        for place, word, raw in islice(entries(file, path, width, layout), most):
            name = f"{place}: the vector of {word!r}"
            yield word, _vector(raw, layout.binary, width, torch.float32, name).numpy()


@contextlib.contextmanager
def _open(path: Path) -> Iterator[BinaryIO]:
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}: give the path of a file of word vectors.")
    with path.open("rb") as file:
        compressed = file.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC
    try:
        with gzip.open(path, "rb") if compressed else path.open("rb") as file:
            yield file
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise ValueError(f"{path} is a damaged or incomplete gzip file: download it again.") from None


def _recognise(file: BinaryIO, path: Path, size: int | None) -> tuple[_Layout, int]:
    """Tell the format and the width from the first lines, and go to the first entry."""
    first = file.readline(_LONGEST_LINE)
    mark = len(_BYTE_ORDER_MARK) if first.startswith(_BYTE_ORDER_MARK) else 0
    first = first[mark:]
    if not first:
        raise ValueError(f"{path} is empty: download it again.")
    if header := _HEADER.fullmatch(first):
        words, width = int(header[1]), int(header[2])
        start = file.tell()
        sample = next((line for line in iter(partial(file.readline, _LONGEST_LINE), b"") if line.strip()), b"")
        # A damaged line of text still has more numbers than bytes of floats that read as such by chance.
        numbers = sum(map(_is_number, _fields(sample)[-width:]))
        layout = _Layout(bool(sample) and 2 * numbers < width, start, 2, words)
    else:
        fields = _fields(first)[1:]
        if not fields or 2 * sum(map(_is_number, fields)) < len(fields):
            raise ValueError(
                f"{path} is neither GloVe text nor word2vec text or binary, plain or gzip-compressed: if it is an "
                "archive, unpack it first."
            )
        width = size if size is not None and len(fields) == size else _count_numbers(fields)
        layout = _Layout(False, mark, 1, 0)
    if size is not None and width != size:
        raise ValueError(
            f"{path} has vectors of {width} numbers, but the model has embedding_size={size}: build the model with "
            f"{option('embedding_size', width)}, or choose another file."
        )
    file.seek(layout.start)
    return layout, width


def _text_entries(file: BinaryIO, path: Path, size: int, layout: _Layout) -> Iterator[_Entry]:
    read = 0
    for number, line in enumerate(iter(partial(file.readline, _LONGEST_LINE), b""), layout.line):
        line = line.rstrip(b" \r\n")
        if not line:
            continue
        word, _, numbers = line.partition(b" ")
        if line.count(b" ") != size:  # white space in the word, other delimiters, or a damaged line
            fields = _fields(line)
            given = _count_numbers(fields)
            if given != size:
                raise ValueError(f"{path}, line {number}: {given} numbers follow the word instead of {size}.")
            word, numbers = b" ".join(fields[:-size])[1:], b" ".join(fields[-size:])
        read += 1
        yield f"{path}, line {number}", word.decode("utf-8", "surrogateescape"), numbers
    if read < layout.words:
        raise ValueError(f"{path} ends after {read:,} of {layout.words:,} words: download it again.")


def _binary_entries(file: BinaryIO, path: Path, size: int, layout: _Layout) -> Iterator[_Entry]:
    data, start = b"", 0
    for number in range(1, layout.words + 1):
        while (space := data.find(b" ", start)) < 0 or len(data) <= space + 4 * size:
            chunk = file.read(_CHUNK)
            if not chunk or len(data) - start > _LONGEST_LINE:
                raise ValueError(
                    f"{path}, entry {number}: the file is damaged or ends here, after {number - 1:,} of "
                    f"{layout.words:,} words: download it again."
                )
            data, start = data[start:] + chunk, 0
        # Some writers end each vector with a line break, others do not.
        word = data[start:space].lstrip(b"\n")
        start = space + 1 + 4 * size
        yield f"{path}, entry {number}", word.decode("utf-8", "surrogateescape"), data[space + 1 : start]


def _vector(raw: bytes, binary: bool, size: int, dtype: torch.dtype, name: str) -> Tensor:
    if binary:
        values = np.frombuffer(raw, dtype="<f4").astype(np.float32)
    else:
        fields = raw.split()
        if len(fields) != size:
            raise ValueError(f"{name} has {len(fields)} numbers instead of {size}.")
        try:
            values = np.fromstring(raw, np.float64, sep=" ")
        except ValueError:
            values = np.empty(0)
        if len(values) != size:
            wrong = next((field for field in fields if not _is_number(field)), fields[0])
            raise ValueError(f"{name} has {wrong.decode('utf-8', 'replace')!r}, which is not a number.")
    vector = torch.from_numpy(values).to(dtype)
    if not vector.isfinite().all():
        raise ValueError(f"{name} has a number that is NaN, infinite or too large for {dtype}.")
    return vector


def _fields(line: bytes) -> list[bytes]:
    """Split at white space; the mark before the first field keeps a word that is itself white space."""
    return (b"|" + line).split()


def _count_numbers(fields: list[bytes]) -> int:
    return sum(1 for _ in takewhile(_is_number, reversed(fields)))


def _is_number(field: bytes) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True

"""Tables of pretrained vectors for words that are known by their spelling, be they tokens or not."""

from __future__ import annotations

from os import PathLike
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from transformers.utils import logging

from ..modeling.word_inputs import WordVectors, word_numbers
from .word_tokenizer import SpellingTables
from .word_vectors import read_word_vectors


logger = logging.get_logger(__name__)


class VectorTable(NamedTuple):
    """Vectors of one file, as [`WordVectors`] has them.

    Attributes:
        numbers: (words,), those of the words in rising order; see [`word_numbers`].
        vectors: (words, width), float32.
    """

    numbers: Tensor
    vectors: Tensor


def read_vector_table(path: str | PathLike[str], spelling: SpellingTables, longest: int, most: int) -> VectorTable:
    """The vectors of a file for all words that a tokenizer can spell, in lower case.

    Of words that are equal in lower case, the first has its vector read, which is the most frequent one in most files.
    All vectors are divided by one number, so that their units deviate by 0.1, as those of new embeddings do.

    Args:
        path: As in [`load_word_vectors`].
        spelling: Of the tokenizer.
        longest: Characters that are read of a word.
        most: How many words are read at most.

    Raises:
        FileNotFoundError: When there is no such file.
        ValueError: For a file that is damaged or of another format, or has no word that can be spelt.

    Example:

    ```python
    >>> table = read_vector_table("glove.6B.300d.txt", spelling_tables(tokenizer, 24), longest=24, most=1000)
    >>> table.vectors.shape[1]
    300
    ```
    """
    places = {character: number for number, character in enumerate(spelling.alphabet, 1)}
    found: dict[str, np.ndarray] = {}
    left_out = 0
    for word, vector in read_word_vectors(path, most):
        lower = word.lower()[:longest]
        if lower in found:
            continue
        if lower and places.keys() >= set(lower):
            found[lower] = vector
        else:
            left_out += 1
    if not found:
        raise ValueError(
            f"{path} has no word that consists of the characters of the texts: give vectors for their language."
        )
    if left_out > len(found):
        logger.warning(
            "%s of the words of %s have characters that the texts do not have, and are left out.", left_out, path
        )
    characters = np.zeros((len(found), longest), np.int32)
    for row, word in zip(characters, found):
        row[: len(word)] = [spelling.lower[places[character]] for character in word]
    numbers = word_numbers(torch.from_numpy(characters))
    numbers, order = numbers.sort()
    vectors = torch.from_numpy(np.stack(list(found.values())))[order]
    return VectorTable(numbers, vectors * (0.1 / vectors.std().clamp(min=1e-12)))


@torch.no_grad()
def fill_word_vectors(module: WordVectors, table: VectorTable) -> None:
    """Put vectors where a model reads them.

    Args:
        module: Of the size and width of the table.
        table: From [`read_vector_table`].

    Example:

    ```python
    >>> module = WordVectors(size=2, width=3)
    >>> fill_word_vectors(module, VectorTable(torch.tensor([4, 9]), torch.ones(2, 3)))
    >>> module.table.weight.sum()
    tensor(6., grad_fn=<SumBackward0>)
    ```
    """
    module.index.numbers.copy_(table.numbers)
    module.table.weight[1:].copy_(table.vectors)
    nn.init.zeros_(module.table.weight[:1])

"""Tables of pretrained vectors for words that are known by their spelling, be they tokens or not."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from itertools import islice
from os import PathLike
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from transformers import AutoModel, AutoTokenizer
from transformers.utils import logging

from .._places import loading_from
from .._released import released_folder
from ..modeling.word_inputs import WordVectors, word_numbers
from .progress import only_errors
from .token_pieces import token_pieces
from .word_tokenizer import SpellingTables
from .word_vectors import read_word_vectors


logger = logging.get_logger(__name__)


class VectorTable(NamedTuple):
    """Vectors of one file, as [`WordVectors`] has them.

    Attributes:
        numbers: (words,), those of the words in rising order; see [`word_numbers`].
        vectors: (words, width), float32.
        scale: By what those of the file were multiplied.
    """

    numbers: Tensor
    vectors: Tensor
    scale: float = 1.0


def vectors_of_model(name: str) -> Iterator[tuple[str, np.ndarray]]:
    """The whole words that a model knows, with their embeddings, in the order of its tokens.

    Args:
        name: Of a model of this package, its folder, or a name on the Hub.

    Raises:
        OSError: There is no such model.
        ValueError: It is damaged.

    Example:

    ```python
    >>> next(vectors_of_model("attnlstm-base-reviews"))[1].shape
    (256,)
    ```
    """
    with loading_from(name) as place, only_errors():
        weight = AutoModel.from_pretrained(place).get_input_embeddings().weight.detach().float().numpy()
    with loading_from(name, "tokenizer") as place:
        tokenizer = AutoTokenizer.from_pretrained(place)
    special = set(tokenizer.all_special_ids)
    for number, (word, begins) in enumerate(token_pieces(tokenizer)):
        if word and begins and number not in special:
            yield word, weight[number]


def known_share(words: Mapping[str, int], vocabulary: Container[str]) -> float:
    """The share of running words, but for numbers and marks, that a vocabulary has in lower case.

    Example:

    ```python
    >>> known_share({"The": 3, "xyzzy": 1, "!": 9}, {"the"})
    0.75
    ```
    """
    letters = {word: count for word, count in words.items() if word.isalpha()}
    known = sum(count for word, count in letters.items() if word.lower() in vocabulary)
    return known / max(sum(letters.values()), 1)


def _is_model(path: str | PathLike[str]) -> bool:
    return released_folder(str(path)) is not None or (Path(path).expanduser() / "config.json").is_file()


def read_vector_table(path: str | PathLike[str], spelling: SpellingTables, longest: int, most: int) -> VectorTable:
    """The vectors of a file for all words that a tokenizer can spell, in lower case.

    Of words that are equal in lower case, the first has its vector read, which is the most frequent one in most files.
    All vectors are divided by one number, so that their units deviate by 0.1, as those of new embeddings do.

    Args:
        path: As in [`load_word_vectors`], or the name or folder of a model, whose embeddings are taken.
        spelling: Of the tokenizer.
        longest: Characters that are read of a word.
        most: How many words are read at most.

    Raises:
        FileNotFoundError: When there is no such file.
        ValueError: For a file that is damaged or of another format, or has no word that can be spelt.

    Example:

    ```python
    >>> from hfattnlstm.data.word_tokenizer import spelling_tables
    >>> table = read_vector_table("glove.6B.300d.txt", spelling_tables(tokenizer, 24), longest=24, most=1000)
    >>> table.vectors.shape[1]
    300
    ```
    """
    places = {character: number for number, character in enumerate(spelling.alphabet, 1)}
    found: dict[str, np.ndarray] = {}
    left_out = 0
    entries = islice(vectors_of_model(str(path)), most) if _is_model(path) else read_word_vectors(path, most)
    for word, vector in entries:
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
    scale = 0.1 / float(vectors.std().clamp(min=1e-12))
    return VectorTable(numbers, vectors * scale, scale)


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

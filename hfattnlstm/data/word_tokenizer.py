"""Tokenizers for words that are given, and tables of how the tokens of a tokenizer are spelt."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast
from transformers.utils import logging

from ..modeling.spelling import DIGIT, LOWER, OTHER, PIECE, SPECIAL, SPELLS, UPPER, WORD
from .token_pieces import GOES_ON, token_pieces
from .tokenization import finished_tokenizer, open_vocabulary, text_normalizer
from .word_splitting import count_words, whole_share, word_splitter


logger = logging.get_logger(__name__)

# Below this, texts are cut into other words than those that a model has learnt from.
_MANY_WHOLE = 0.9


def train_word_tokenizer(
    sentences: Iterable[Sequence[str]],
    *,
    vocab_size: int = 30_000,
    lowercase: bool = False,
    min_frequency: int = 2,
    model_max_length: int = 512,
) -> PreTrainedTokenizerFast:
    """Trains a tokenizer with an open vocabulary on words that are given.

    A frequent word is a token, and others are spelt, a token a character. Texts are cut into words as well as what was
    given shows how: with the points of its abbreviations, with what stands inside its words, and with English verbs in
    parts where they are given so.

    Args:
        sentences: Lists of words.
        vocab_size, lowercase, min_frequency, model_max_length: As in [`train_tokenizer`].

    Raises:
        ValueError: There is no word, or no room for the characters.

    Example:

    ```python
    >>> tokenizer = train_word_tokenizer([["do", "n't", "go"]] * 2)
    >>> tokenizer.tokenize("don't gone")
    ['do', "n't", 'g', '##o', '##n', '##�']
    ```
    """
    words = count_words(sentences)
    if not any(map(str.strip, words)):
        raise ValueError("There is no word to train a tokenizer on: all sentences are empty.")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = text_normalizer(lowercase)
    counts = count_words([tokenizer.normalizer.normalize_str(word)] * count for word, count in words.items())
    splitter = word_splitter(counts)
    share = whole_share(splitter, counts)
    if share < _MANY_WHOLE:
        logger.warning(
            "Of the words that are given, %.0f %% are cut where they stand in a text: what is given as a list of "
            "words is tagged as it is, and a text less well.",
            100 * (1 - share),
        )
    tokenizer.pre_tokenizer = splitter
    open_vocabulary(tokenizer, counts, min(vocab_size, sys.maxsize), min_frequency)
    return finished_tokenizer(tokenizer, "open", model_max_length)


class SpellingTables(NamedTuple):
    """What [`AttnLSTMModel.set_spelling`] takes: how tokens are spelt, and what they are.

    Attributes:
        characters: (tokens, longest), the numbers of the characters of each token from 1 on, 0 behind the last.
        roles: (tokens,), see [`Spelling`].
        kinds, lower: (characters + 1,), what each character is, and its lower case.
        alphabet: The characters, in the order of their numbers.
    """

    characters: np.ndarray
    roles: np.ndarray
    kinds: np.ndarray
    lower: np.ndarray
    alphabet: str


def spelling_tables(tokenizer: PreTrainedTokenizerBase, longest: int) -> SpellingTables:
    """How the tokens of a tokenizer are spelt.

    Args:
        tokenizer: A fast tokenizer.
        longest: Characters that are read of a token.

    Example:

    ```python
    >>> tables = spelling_tables(train_word_tokenizer([["tea", "at"]] * 2), longest=4)
    >>> tables.alphabet
    'aet�'
    ```
    """
    pieces = token_pieces(tokenizer)
    special = set(tokenizer.all_special_ids)
    inside = SPELLS if is_open(tokenizer) else PIECE
    bare, roles = [], np.full(len(pieces), WORD, np.int8)
    for number, (text, begins) in enumerate(pieces):
        if number in special:
            # What is unknown is a word all the same.
            roles[number], text = WORD if number == tokenizer.unk_token_id else SPECIAL, ""
        elif not begins:
            roles[number] = inside
        bare.append(text)
    seen = {character for text in bare for character in text}
    # In lower case a word may have characters that no token has.
    alphabet = "".join(sorted({*seen, *(character.lower() for character in seen if len(character.lower()) == 1)}))
    numbers = {character: number for number, character in enumerate(alphabet, 1)}
    characters = np.zeros((len(pieces), longest), np.int32)
    for row, text in zip(characters, bare):
        row[: min(len(text), longest)] = [numbers[character] for character in text[:longest]]
    return SpellingTables(
        characters,
        roles,
        np.array([0, *map(_kind_of, alphabet)], np.int8),
        np.array([0, *(numbers.get(character.lower(), numbers[character]) for character in alphabet)], np.int32),
        alphabet,
    )


def is_open(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Whether a tokenizer spells the words that it does not know.

    Example:

    ```python
    >>> is_open(train_word_tokenizer([["tea", "at"]] * 2))
    True
    ```
    """
    model = tokenizer.backend_tokenizer.model
    return isinstance(model, models.BPE) and bool(model.ignore_merges) and model.continuing_subword_prefix == GOES_ON


def _kind_of(character: str) -> int:
    if character.isdigit():
        return DIGIT
    if character.isupper() or character.istitle():
        return UPPER
    return LOWER if character.isalpha() else OTHER

"""How the tokens of a tokenizer are spelt, so that rare ones learn from others."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from transformers import PreTrainedTokenizerBase

from .ngram_choice import least_count


# Characters in an n-gram, the mark of a beginning counted.
SHORTEST, LONGEST = 2, 5
# What tells, in front of a token, that it goes on with a word, or begins one.
_GOES_ON, _BEGINS = "##", ("▁", "Ġ")
_BEGINNING = "<"


def spelling_of(tokenizer: PreTrainedTokenizerBase) -> sparse.csr_matrix:
    """The n-grams of 2 to 5 characters that each token has.

    Where a word begins, a mark counts as a character; special tokens have none.

    Returns:
        (tokens, different n-grams), float32.

    Example:

    ```python
    >>> tokenizer = train_tokenizer(["tea", "tea"], kind="word")
    >>> int(spelling_of(tokenizer)[tokenizer.vocab["tea"]].sum())  # <t te ea <te tea <tea
    6
    ```
    """
    tokens = tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
    special = set(tokenizer.all_special_ids)
    marked = any(token.startswith(_BEGINS) for index, token in enumerate(tokens) if index not in special)
    places: dict[str, int] = {}
    rows, columns = [], []
    for row, token in enumerate(tokens):
        if row not in special:
            found = [places.setdefault(gram, len(places)) for gram in _grams(_spelt(token, marked))]
            rows += [row] * len(found)
            columns += found
    ones = np.ones(len(rows), np.float32)
    spelling = sparse.csr_matrix((ones, (rows, columns)), shape=(len(tokens), len(places)))
    spelling.sum_duplicates()
    return spelling


def shared_spelling(spelling: sparse.csr_matrix, most: int) -> sparse.csr_matrix:
    """The n-grams that several tokens have, and of these the most common ones.

    Args:
        spelling: As from [`spelling_of`].
        most: How many there are at most; of those that equally many tokens have, all are taken or none.

    Returns:
        (tokens, n-grams that are kept).

    Example:

    ```python
    >>> spelling = sparse.csr_matrix([[1.0, 0.0, 1.0], [1.0, 1.0, 0.0]])
    >>> shared_spelling(spelling, most=2).toarray()
    array([[1.],
           [1.]])
    ```
    """
    tokens = np.bincount(spelling.indices, minlength=spelling.shape[1])
    return spelling[:, tokens >= least_count(tokens, most, least=2)]


def _spelt(token: str, marked: bool) -> str:
    if token.startswith(_GOES_ON) and len(token) > len(_GOES_ON):
        return token.removeprefix(_GOES_ON)
    if token.startswith(_BEGINS):
        return _BEGINNING + token[1:]
    return token if marked else _BEGINNING + token


def _grams(text: str) -> list[str]:
    sizes = range(SHORTEST, LONGEST + 1)
    return [text[start : start + size] for size in sizes for start in range(len(text) - size + 1)]

"""How the tokens of a tokenizer are spelt, so that rare ones learn from others."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from transformers import PreTrainedTokenizerBase

from ..data.token_pieces import token_pieces
from .ngram_choice import least_count


# Characters in an n-gram, the mark of a beginning counted.
SHORTEST, LONGEST = 2, 5
# Stands for the beginning of a word.
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
    pieces = token_pieces(tokenizer)
    special = set(tokenizer.all_special_ids)
    places: dict[str, int] = {}
    rows, columns = [], []
    for row, (text, begins) in enumerate(pieces):
        if row not in special:
            grams = _grams(_BEGINNING + text if begins else text)
            found = [places.setdefault(gram, len(places)) for gram in grams]
            rows += [row] * len(found)
            columns += found
    ones = np.ones(len(rows), np.float32)
    spelling = sparse.csr_matrix((ones, (rows, columns)), shape=(len(pieces), len(places)))
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


def _grams(text: str) -> list[str]:
    sizes = range(SHORTEST, LONGEST + 1)
    return [text[start : start + size] for size in sizes for start in range(len(text) - size + 1)]

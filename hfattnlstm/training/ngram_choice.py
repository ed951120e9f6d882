"""Which n-grams of the training texts get rows in a table, and how often texts have them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch
from scipy import sparse

from ..modeling.ngrams import NgramIndex, ngram_numbers
from ..modeling.text_inputs import pad_ids


# Where nobody says otherwise: tokens in the longest n-gram, and n-grams of two tokens or more at most.
LONGEST, MOST = 3, 400_000
# Texts that are made numbers of at once.
_BATCH = 256
# Different n-grams that are counted at most; beyond, those that were seen once so far are forgotten.
_MOST_COUNTED = 30_000_000


def choose_ngrams(
    rows: Iterable[Sequence[int]], longest: int, most: int, shortest: int = 1, least: int = 1
) -> np.ndarray:
    """The most frequent n-grams of texts.

    Args:
        rows: Token ids of each text.
        longest, shortest: Tokens in an n-gram.
        most: How many there are at most; of those that are equally frequent, all are taken or none.
        least: How often one must occur.

    Returns:
        Their numbers, see [`ngram_numbers`], in rising order; int64.

    Example:

    ```python
    >>> len(choose_ngrams([[5, 6, 5], [5, 6]], longest=2, most=3))
    3
    ```
    """
    numbers, counts = np.empty(0, np.int64), np.empty(0, np.int64)
    for pool in _pools(rows, longest, shortest):
        found, times = np.unique(pool, return_counts=True)
        numbers, counts = _added(numbers, counts, found, times)
        if len(numbers) > _MOST_COUNTED:
            numbers, counts = numbers[counts > 1], counts[counts > 1]
    return numbers[counts >= least_count(counts, most, least)]


def least_count(counts: np.ndarray, most: int, least: int) -> int:
    """From which count on there are no more than so many; of those that are equally frequent, all are taken or none.

    Args:
        counts: Of everything that there is.
        most: How many are taken at most.
        least: The count that one must have in any case.

    Example:

    ```python
    >>> least_count(np.array([5, 3, 3, 2]), most=2, least=1)
    4
    ```
    """
    if (counts >= least).sum() <= most:
        return least
    # The count of the first one that has no place, which none of its like has then.
    return int(np.sort(counts)[::-1][most]) + 1


def count_ngrams(index: NgramIndex, rows: Iterable[Sequence[int]]) -> sparse.csr_matrix:
    """How often each text has each n-gram of a table.

    Returns:
        (texts, size), float32.

    Example:

    ```python
    >>> index = NgramIndex(size=1, longest=1)
    >>> index.numbers.copy_(torch.tensor([6]))
    tensor([6])
    >>> count_ngrams(index, [[5, 7, 5], [7]]).toarray()
    array([[2.],
           [0.]], dtype=float32)
    ```
    """
    places, ends = [np.empty(0, np.int64)], [np.zeros(1, np.int64)]
    total = 0
    for ids, mask in _batches(rows):
        found = index(ids, mask).flatten(1).numpy()
        # Row by row, as the matrix has them.
        places.append(found[found > 0] - 1)
        ends.append(total + (found > 0).sum(1).cumsum())
        total = int(ends[-1][-1])
    indices, pointers = np.concatenate(places), np.concatenate(ends)
    shape = (len(pointers) - 1, len(index.numbers))
    counts = sparse.csr_matrix((np.ones(len(indices), np.float32), indices, pointers), shape=shape)
    counts.sum_duplicates()
    return counts


def _added(
    numbers: np.ndarray, counts: np.ndarray, found: np.ndarray, times: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Two sorted lists of numbers with their counts as one."""
    merged, places = np.unique(np.concatenate([numbers, found]), return_inverse=True)
    return merged, np.bincount(places, np.concatenate([counts, times]), len(merged)).astype(np.int64)


def _pools(rows: Iterable[Sequence[int]], longest: int, shortest: int, batches: int = 64) -> Iterator[np.ndarray]:
    """Numbers of the n-grams of many texts at once, as often as they occur: merging costs more than counting."""
    pool: list[np.ndarray] = []
    for ids, mask in _batches(rows):
        numbers = ngram_numbers(ids, mask, longest)[..., shortest - 1 :].numpy()
        pool.append(numbers[numbers > 0])
        if len(pool) == batches:
            yield np.concatenate(pool)
            pool = []
    if pool:
        yield np.concatenate(pool)


def _batches(rows: Iterable[Sequence[int]]) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    batch: list[Sequence[int]] = []
    for row in rows:
        batch.append(row)
        if len(batch) == _BATCH:
            yield _padded(batch)
            batch = []
    if batch:
        yield _padded(batch)


def _padded(batch: list[Sequence[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    ids, mask = pad_ids(batch, 0)
    return torch.from_numpy(ids), torch.from_numpy(mask)

"""A unigram vocabulary by expectation maximisation.

It stands here because no other trainer keeps what [`train_tokenizer`] promises: the same texts give the same tokenizer
in every process, with at most `vocab_size` tokens, each as frequent as `min_frequency` says.

- `tokenizers.trainers.UnigramTrainer` sums in the order of a hash table that differs from process to process. So the
  scores differ in their last digits, and where two ways are equally probable, a text is cut differently; still so in
  0.23.3, and seen before in https://github.com/huggingface/tokenizers/pull/762 (review of the test). The size that it
  is given holds for no alphabet larger than it; see also https://github.com/huggingface/tokenizers/issues/950.
- The trainer of `sentencepiece` is deterministic, but knows no least frequency, and finds few pieces in few texts.

This one follows Kudo (2018), https://aclanthology.org/P18-1007; step by step, it drops the pieces with the smallest
expected counts.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np


_MAX_PIECE = 16
# The rest of the distinct words are rare ones, and change little but the memory that it takes.
_MAX_CHARACTERS = 2_000_000
_SHRINKING = 0.75


def train_unigram(
    words: Iterable[tuple[list[str], int]], alphabet: list[str], room: int, min_frequency: int
) -> list[tuple[str, float]]:
    """The pieces of a unigram model.

    Args:
        words: The symbols of each distinct word and how often it occurs, the most frequent first.
        alphabet: All symbols; they stay pieces whatever happens.
        room: Pieces at most, those of the alphabet included.
        min_frequency: How often a piece must occur.

    Returns:
        The pieces with their log-probabilities, the most probable first.

    Example:

    ```python
    >>> [piece for piece, _ in train_unigram([(["a", "b"], 5)], ["a", "b"], 3, 1)]
    ['ab', 'a', 'b']
    ```
    """
    codes, left, weights = _flatten(words, alphabet)
    if not codes.size:
        return [(symbol, 0.0) for symbol in alphabet]
    table, spans = _frequent_substrings(codes, left, weights, len(alphabet), min_frequency)
    lattice = _Lattice(table, left, weights)
    expected = lattice.occurrences(spans) * spans[:, 1]
    while True:
        for _ in range(2):
            expected = lattice.expected_counts(_log_probabilities(expected))
        if len(spans) <= room:
            break
        kept = _most_expected(expected, len(alphabet), max(room, int(_SHRINKING * len(spans))))
        lattice.keep(kept, len(spans))
        spans, expected = spans[kept], expected[kept]
    # What is left out here would be a token that the model never meets in training.
    kept = np.flatnonzero((expected >= 1) | (spans[:, 1] == 1))
    strings = ["".join(alphabet[code] for code in codes[start : start + length]) for start, length in spans[kept]]
    strings[: len(alphabet)] = alphabet
    # Rounded, so that the last digits of another processor make no other tokenizer.
    scores = _log_probabilities(expected[kept]).round(6).tolist()
    return sorted(zip(strings, scores), key=lambda scored: -scored[1])


def _flatten(words: Iterable[tuple[list[str], int]], alphabet: list[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All words one after the other, the frequent ones first, each with a place after its last character.

    Returns:
        For every place (places,): the character's number in the alphabet, how many characters there are from it to the
        end of the word, and the count of the word.
    """
    numbers = {symbol: number for number, symbol in enumerate(alphabet)}
    codes, left, weights = [], [], []
    for symbols, count in words:
        if len(codes) + len(symbols) > _MAX_CHARACTERS:
            break
        codes += [*(numbers[symbol] for symbol in symbols), 0]
        left += range(len(symbols), -1, -1)
        weights += [count] * (len(symbols) + 1)
    return np.array(codes, np.int64), np.array(left, np.int64), np.array(weights, np.float64)


def _frequent_substrings(
    codes: np.ndarray, left: np.ndarray, weights: np.ndarray, alphabet_size: int, min_frequency: int
) -> tuple[np.ndarray, np.ndarray]:
    """The alphabet, and after it all longer pieces of words that occur often enough, the shorter ones first.

    Returns:
        A table (places, lengths + 1) with the number of the piece of each length that starts at each place, or -1; and
        for each piece (pieces, 2) a place where it starts and its length. The alphabet's places are not filled in.
    """
    places = np.flatnonzero(left)
    table = np.full((len(codes), _MAX_PIECE + 1), -1, np.int32)
    table[places, 1] = codes[places]
    spans, total = [np.tile([0, 1], (alphabet_size, 1))], alphabet_size
    for length in range(2, _MAX_PIECE + 1):
        # A piece can only be frequent where the one that is shorter by a character is.
        places = places[left[places] >= length]
        pairs = table[places, length - 1].astype(np.int64) * alphabet_size + codes[places + length - 1]
        _, examples, inverse = np.unique(pairs, return_index=True, return_inverse=True)
        frequent = np.bincount(inverse, weights[places]) >= max(2, min_frequency)
        starts = places[examples[frequent]]
        spans.append(np.stack([starts, np.full_like(starts, length)], 1))
        numbers = total + np.cumsum(frequent) - 1
        kept = frequent[inverse]
        places = places[kept]
        table[places, length] = numbers[inverse[kept]]
        total += len(starts)
    return table, np.concatenate(spans)


def _log_probabilities(expected: np.ndarray) -> np.ndarray:
    # A character that is never needed by itself still needs a score.
    expected = np.maximum(expected, 0.5)
    return np.log(expected / expected.sum())


def _most_expected(expected: np.ndarray, alphabet_size: int, most: int) -> np.ndarray:
    """Numbers of the pieces to keep, in order: the alphabet, and of the others those with the largest counts."""
    order = alphabet_size + np.argsort(-expected[alphabet_size:], kind="stable")
    return np.concatenate([np.arange(alphabet_size), np.sort(order[: most - alphabet_size])])


class _Lattice:
    """All ways to cut the words into pieces.

    Args:
        table: (places, lengths + 1) number of the piece of each length at each place, or -1.
        left: (places,) characters from each place to the end of its word.
        weights: (places,) count of the word.
    """

    def __init__(self, table: np.ndarray, left: np.ndarray, weights: np.ndarray):
        self._left, self._weights = left, weights
        source, length = np.nonzero(table >= 0)
        piece = table[source, length]
        self._forward = _Sweep(source, source + length, piece, -left)
        self._backward = _Sweep(source + length, source, piece, left)

    def occurrences(self, spans: np.ndarray) -> np.ndarray:
        """How often each piece (pieces,) occurs in the words, whatever overlaps it."""
        source, _, piece = self._forward.edges
        return np.bincount(piece, self._weights[source], len(spans))

    def expected_counts(self, scores: np.ndarray) -> np.ndarray:
        """How often each piece (pieces,) occurs, if words are cut at random in proportion to the probabilities."""
        before, after = self._forward.log_sums(scores), self._backward.log_sums(scores)
        source, target, piece = self._forward.edges
        whole_word = before[target + self._left[target]]
        shares = np.exp(before[source] + scores[piece] + after[target] - whole_word)
        return np.bincount(piece, shares * self._weights[source], len(scores))

    def keep(self, kept: np.ndarray, size: int) -> None:
        """Leave out all of the `size` pieces but these, which get new numbers in the same order."""
        numbers = np.full(size, -1, np.int32)
        numbers[kept] = np.arange(len(kept))
        self._forward.renumber(numbers)
        self._backward.renumber(numbers)


class _Sweep:
    """A pass over all words at once, from one end to the other."""

    def __init__(self, source: np.ndarray, target: np.ndarray, piece: np.ndarray, rank: np.ndarray):
        """Edges (edges,) lead from places of lower rank (places,) to places of higher rank."""
        self._rank = rank
        order = np.lexsort((target, rank[target]))
        self.edges = source[order], target[order], piece[order]
        self._find_groups()

    def renumber(self, numbers: np.ndarray) -> None:
        """Give the pieces other numbers (pieces,), and leave out those with a negative one."""
        source, target, piece = self.edges
        kept = numbers[piece] >= 0
        self.edges = source[kept], target[kept], numbers[piece[kept]]
        self._find_groups()

    def _find_groups(self) -> None:
        """Edges to places of the same rank make a group, within which those to the same place lie together."""
        target = self.edges[1]
        heads = np.flatnonzero(np.diff(target, prepend=-1))
        changes = np.flatnonzero(np.diff(self._rank[target[heads]])) + 1
        self._groups = np.split(heads, changes)

    def log_sums(self, scores: np.ndarray) -> np.ndarray:
        """Logarithms (places,) of the summed probabilities of all ways to each place."""
        source, target, piece = self.edges
        sums = np.zeros(len(self._rank))
        ends = [*(heads[0] for heads in self._groups[1:]), len(target)]
        for heads, end in zip(self._groups, ends):
            group = slice(heads[0], end)
            sums[target[heads]] = np.logaddexp.reduceat(sums[source[group]] + scores[piece[group]], heads - heads[0])
        return sums

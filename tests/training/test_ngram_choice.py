"""The most frequent n-grams are chosen, and counted as they stand."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch

from hfattnlstm.modeling.ngrams import NgramIndex
from hfattnlstm.training import ngram_choice
from hfattnlstm.training.ngram_choice import choose_ngrams, count_ngrams


def texts(count: int = 60) -> list[list[int]]:
    generator = np.random.default_rng(0)
    return [generator.integers(0, 6, generator.integers(0, 12)).tolist() for _ in range(count)]


def counted(rows: list[list[int]], longest: int) -> Counter:
    return Counter(
        tuple(row[start : start + size])
        for row in rows
        for size in range(1, longest + 1)
        for start in range(len(row) - size + 1)
    )


def number_of(ngram: tuple[int, ...], longest: int) -> int:
    bits = 63 // longest
    return sum((token + 1) << bits * place for place, token in enumerate(reversed(ngram)))


@pytest.mark.parametrize("longest", [1, 2, 3])
def test_all_are_chosen_where_there_is_room(longest: int) -> None:
    rows = texts()
    assert choose_ngrams(rows, longest, 10_000).tolist() == sorted(
        number_of(ngram, longest) for ngram in counted(rows, longest)
    )


def test_equally_frequent_ones_are_all_chosen_or_none() -> None:
    counts = counted(texts(), 2)
    ordered = sorted(counts.values(), reverse=True)
    for most in (1, 5, 10, 20):
        expected = {number_of(ngram, 2) for ngram, count in counts.items() if count > ordered[most]}
        assert set(choose_ngrams(texts(), 2, most).tolist()) == expected
        assert len(expected) <= most


def test_the_least_count_and_length_are_kept() -> None:
    counts = counted(texts(), 3)
    expected = sorted(number_of(ngram, 3) for ngram, count in counts.items() if count >= 4 and len(ngram) > 1)
    assert choose_ngrams(texts(), 3, 10_000, shortest=2, least=4).tolist() == expected


def test_pools_of_texts_are_added_up(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = choose_ngrams(texts(), 3, 50)
    monkeypatch.setattr(ngram_choice, "_BATCH", 7)
    assert np.array_equal(choose_ngrams(texts(), 3, 50), whole)


def test_rare_ones_are_forgotten_where_they_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ngram_choice, "_MOST_COUNTED", 10)
    counts = counted(texts(), 1)
    assert set(choose_ngrams(texts(), 1, 100).tolist()) == {token + 1 for (token,) in counts}
    assert len(choose_ngrams(texts(), 3, 1_000)) < len(counted(texts(), 3))


def test_counts_are_those_of_each_text() -> None:
    rows = texts()
    numbers = choose_ngrams(rows, 2, 12)
    index = NgramIndex(len(numbers), 2)
    index.numbers.copy_(torch.from_numpy(numbers))
    matrix = count_ngrams(index, rows).toarray()
    assert matrix.shape == (len(rows), len(numbers))
    for row, found in zip(rows, matrix):
        own = {number_of(ngram, 2): count for ngram, count in counted([row], 2).items()}
        assert found.tolist() == [own.get(number, 0) for number in numbers.tolist()]


def test_no_texts_have_no_counts() -> None:
    assert count_ngrams(NgramIndex(3, 2), []).shape == (0, 3)
    assert len(choose_ngrams([], 2, 5)) == 0

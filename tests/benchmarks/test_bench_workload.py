"""The synthetic texts have the distributions that they should have."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.options import Options
from benchmarks.workload import REVIEWS, SENTENCES, SPECIAL_TOKENS, WORDS, Lengths, Workload, word


@pytest.fixture(scope="module")
def small() -> Workload:
    return Workload("sentences", words=300, seed=1)


def test_reviews_have_the_lengths_of_reviews():
    lengths = REVIEWS.sample(10_000)
    assert abs(np.median(lengths) - 200) <= 1
    assert lengths.max() == 512
    assert lengths.min() >= 1
    # Uncut, a twentieth would be longer than 700.
    uncut = Lengths("uncut", REVIEWS.median, REVIEWS.sigma, 10_000).sample(10_000)
    assert abs(np.percentile(uncut, 95) - 700) <= 5


def test_sentences_have_a_mean_of_20():
    lengths = SENTENCES.sample(10_000)
    assert abs(lengths.mean() - 20) < 0.2
    assert lengths.max() <= SENTENCES.longest


@pytest.mark.parametrize("kind", [REVIEWS, SENTENCES])
def test_a_few_texts_are_as_long_as_many(kind: Lengths):
    assert abs(kind.sample(64).mean() / kind.sample(4096).mean() - 1) < 0.03


def test_all_words_differ_and_frequent_ones_are_short():
    words = [word(rank) for rank in range(WORDS)]
    assert len(set(words)) == WORDS
    assert all(spelling.isascii() and spelling.isalpha() and spelling.islower() for spelling in words)
    assert len(words[0]) < len(words[100]) < len(words[-1])


def test_frequencies_follow_zipfs_law():
    sample = Workload("reviews", words=1_000, seed=0).sample(1_024)
    counts = np.bincount(np.concatenate(sample.ids), minlength=len(SPECIAL_TOKENS) + 1_000)
    assert counts[: len(SPECIAL_TOKENS)].sum() == 0
    first, tenth = counts[len(SPECIAL_TOKENS)], counts[len(SPECIAL_TOKENS) + 9]
    assert abs(first / tenth / 10 - 1) < 0.05


def test_the_tokenizer_reads_the_texts_back_as_their_ids(small: Workload):
    sample = small.sample(50)
    encoded = small.tokenizer()(sample.texts)
    assert encoded["input_ids"] == sample.ids
    assert sample.texts[0][0].isupper()


def test_the_same_seed_gives_the_same_texts(small: Workload):
    again = Workload("sentences", words=300, seed=1).sample(10)
    assert again.ids == small.sample(10).ids
    assert again.ids != Workload("sentences", words=300, seed=2).sample(10).ids


def test_labels_are_balanced_and_follow_from_the_words(small: Workload):
    sample = small.sample(200)
    odd = np.array([np.mean(np.array(ids) % 2) for ids in sample.ids])
    labels = np.array(sample.labels)
    assert 0.4 < labels.mean() < 0.6
    assert odd[labels == 1].min() > odd[labels == 0].max()


def test_texts_come_in_random_order(small: Workload):
    lengths = small.sample(100).lengths
    assert lengths != sorted(lengths)


def test_single_texts_are_those_of_the_sample(small: Workload):
    sample = small.sample(5)
    singles = sample.singles()
    assert [single.texts for single in singles] == [[text] for text in sample.texts]


def test_a_smoke_run_has_short_texts():
    quick = Options(quick=True).workload("reviews")
    assert quick.sample(100).longest == 64
    assert Options().workload("reviews").sample(1).longest == 512

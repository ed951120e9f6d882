"""Synthetic texts with the lengths of reviews or of sentences and the word frequencies of natural language."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import NormalDist

import numpy as np
from tokenizers import models, processors
from transformers import PreTrainedTokenizerFast

from hfattnlstm import train_tokenizer


WORDS = 30_000
SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
MODEL_MAX_LENGTH = 512

_CONSONANTS = "bdfghjklmnprstv"
_VOWELS = "aeiou"
_SYLLABLES = [consonant + vowel for consonant in _CONSONANTS for vowel in _VOWELS]


@dataclass(frozen=True)
class Lengths:
    """Log-normal numbers of tokens, cut at a longest one.

    Attributes:
        name: What such texts are called.
        median: Median length before the cut.
        sigma: Standard deviation of the logarithm.
        longest: What longer texts are cut to.
    """

    name: str
    median: float
    sigma: float
    longest: int

    def scaled(self, share: float) -> Lengths:
        """The same distribution of texts that have this share of the tokens."""
        return replace(self, median=self.median * share, longest=round(self.longest * share))

    def sample(self, count: int) -> np.ndarray:
        """`count` lengths, ascending, one from the middle of each of as many equal shares of the distribution.

        So a few texts have the same distribution as many, and candidates that handle different numbers of texts in
        the same time can be compared.
        """
        shares = (np.arange(count) + 0.5) / count
        normal = NormalDist()
        lengths = [self.median * math.exp(self.sigma * normal.inv_cdf(share)) for share in shares]
        return np.clip(np.rint(lengths), 1, self.longest).astype(np.int64)


# The 95th percentile of a normal distribution lies 1.645 deviations above its median.
REVIEWS = Lengths("reviews", 200, math.log(700 / 200) / 1.645, 512)
# Mean 20; a mean is exp(sigma²/2) times the median.
SENTENCES = Lengths("sentences", 20 / math.exp(0.125), 0.5, 64)
KINDS = {lengths.name: lengths for lengths in (REVIEWS, SENTENCES)}


def word(rank: int) -> str:
    """The pronounceable word of a frequency rank from 0 on: no two are equal, and frequent ones are short.

    Example:

    ```python
    >>> [word(rank) for rank in (0, 74, 75, 29_999)]
    ['ba', 'vu', 'baba', 'dugapu']
    ```
    """
    syllables = []
    rank += 1
    while rank:
        rank, syllable = divmod(rank - 1, len(_SYLLABLES))
        syllables.append(_SYLLABLES[syllable])
    return "".join(reversed(syllables))


@dataclass(frozen=True)
class Sample:
    """Texts for one call of a candidate.

    Attributes:
        ids: Token ids of each text.
        labels: 0 or 1 for each text, about as many of each; they follow from the words.
        words: Word of each token id, special tokens first.
        longest: Tokens of the longest text that there can be.
    """

    ids: list[list[int]]
    labels: list[int]
    words: Sequence[str]
    longest: int

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def texts(self) -> list[str]:
        """The texts that the workload's tokenizer reads as `ids`."""
        return [" ".join(self.words[token] for token in text).capitalize() for text in self.ids]

    @cached_property
    def lengths(self) -> list[int]:
        """Tokens of each text."""
        return [len(text) for text in self.ids]

    def singles(self) -> list[Sample]:
        """Each text on its own."""
        return [Sample([ids], [label], self.words, self.longest) for ids, label in zip(self.ids, self.labels)]

    @property
    def tokens(self) -> int:
        """Tokens in all."""
        return sum(self.lengths)


class Workload:
    """Texts of one kind, the same for the same seed, and the tokenizer that reads them.

    Args:
        lengths: `"reviews"`, `"sentences"`, or another distribution.
        words: Distinct words; their frequencies follow Zipf's law.
        seed: Seed of the texts.

    Example:

    ```python
    >>> sample = Workload("sentences").sample(2)
    >>> sample.lengths
    [25, 13]
    ```
    """

    def __init__(self, lengths: str | Lengths = "reviews", words: int = WORDS, seed: int = 0):
        self.lengths = KINDS[lengths] if isinstance(lengths, str) else lengths
        self.seed = seed
        self.words = [*SPECIAL_TOKENS, *(word(rank) for rank in range(words))]
        # Frequency of the k-th word is proportional to 1/k.
        frequencies = np.cumsum(1 / np.arange(1, words + 1))
        self._cumulative = frequencies / frequencies[-1]

    @property
    def vocab_size(self) -> int:
        """Words and special tokens."""
        return len(self.words)

    def sample(self, count: int) -> Sample:
        """`count` texts in random order, whose lengths are spread over the whole distribution."""
        generator = np.random.default_rng((self.seed, count))
        lengths = generator.permutation(self.lengths.sample(count))
        ranks = np.searchsorted(self._cumulative, generator.random(int(lengths.sum())), side="right")
        ids = np.split(ranks + len(SPECIAL_TOKENS), np.cumsum(lengths)[:-1])
        odd = np.array([(text % 2).mean() for text in ids])
        labels = (odd > np.median(odd)).astype(int)
        return Sample([text.tolist() for text in ids], labels.tolist(), self.words, self.lengths.longest)

    def tokenizer(self) -> PreTrainedTokenizerFast:
        """The package's default tokenizer over these very words: it reads a text back as its ids."""
        tokenizer = train_tokenizer(
            [" ".join(self.words[len(SPECIAL_TOKENS) :])],
            vocab_size=self.vocab_size,
            min_frequency=1,
            model_max_length=MODEL_MAX_LENGTH,
        )
        # Training numbers equally frequent words by the alphabet; here the id is the rank.
        ids = {name: index for index, name in enumerate(self.words)}
        tokenizer.backend_tokenizer.model = models.WordLevel(ids, unk_token="[UNK]")
        return tokenizer

    def bert_tokenizer(self) -> PreTrainedTokenizerFast:
        """The same with the special tokens of a BERT around a text."""
        backend = self.tokenizer().backend_tokenizer
        frame = [(name, self.words.index(name)) for name in ("[CLS]", "[SEP]")]
        backend.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=frame
        )
        names = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}
        return PreTrainedTokenizerFast(
            tokenizer_object=backend,
            model_max_length=MODEL_MAX_LENGTH,
            **{f"{name}_token": token for name, token in names.items()},
        )

"""Made sentences with tags, about as long as those of the news."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from datasets import ClassLabel, Dataset, Features, List, Value

from hfattnlstm.data.tags import tags_of_kinds, tags_of_spans


KINDS = ("LOC", "MISC", "ORG", "PER")
TAGS = tags_of_kinds(KINDS, "bio")
_LETTERS = np.array(list("etaoinshrdlucmfwypvbgk"))


@dataclass(frozen=True)
class TaggedWorkload:
    """Sentences, of which each call reads some.

    Attributes:
        sentences: How many there are.
        words: Different words.
        length: Words of a sentence, on average.
        seed: Of all.

    Example:

    ```python
    >>> len(TaggedWorkload(sentences=10).sample(4))
    4
    ```
    """

    sentences: int = 4_000
    words: int = 20_000
    length: float = 14.5
    seed: int = 0

    @cached_property
    def rows(self) -> list[tuple[list[str], list[str]]]:
        """Words and tags of each sentence; frequent words are frequent as in a language."""
        generator = np.random.default_rng(self.seed)
        vocabulary = np.array([_word(generator) for _ in range(self.words)])
        shares = 1 / np.arange(1, self.words + 1)
        rows = []
        for length in np.maximum(generator.gamma(1.8, self.length / 1.8, self.sentences).astype(int), 2):
            words = vocabulary[generator.choice(self.words, length, p=shares / shares.sum())]
            rows.append(([str(word) for word in words], _tags(generator, int(length))))
        return rows

    def sample(self, count: int) -> list[tuple[list[str], list[str]]]:
        """So many of them, from the beginning again where there are no more."""
        return [self.rows[number % len(self.rows)] for number in range(count)]

    def dataset(self, count: int) -> Dataset:
        """The same as `load_tagged_texts` gives them."""
        words, tags = zip(*self.sample(count))
        features = Features({"tokens": List(Value("string")), "tags": List(ClassLabel(names=TAGS))})
        return Dataset.from_dict({"tokens": list(words), "tags": list(tags)}, features=features)


def _word(generator: np.random.Generator) -> str:
    word = "".join(generator.choice(_LETTERS, generator.integers(2, 11)))
    return word.capitalize() if generator.random() < 0.3 else word


def _tags(generator: np.random.Generator, length: int) -> list[str]:
    spans, place = [], int(generator.integers(0, 6))
    while place < length:
        end = min(place + int(generator.integers(1, 4)), length)
        spans.append((place, end, KINDS[generator.integers(len(KINDS))]))
        place = end + int(generator.integers(2, 10))
    return tags_of_spans(spans, length)

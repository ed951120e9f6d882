"""The points at which growth is measured: one training step or inference of our model, of one size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from .loops import inference, training
from .models import Configuration, ours
from .options import Options
from .targets import LENGTH_100, LENGTH_2000, VOCABULARY_20K, VOCABULARY_200K
from .timing import Candidate
from .workload import SPECIAL_TOKENS, Lengths, Workload


LENGTHS = (50, 100, 200, 500, 1_000, 2_000)
BATCHES = (1, 4, 16, 32, 64, 128, 256)
VOCABULARIES = (10_000, 20_000, 50_000, 100_000, 200_000)
LAYERS = (1, 2, 3, 4)
DOCUMENTS = (1_000, 10_000, 100_000)
QUICK_DOCUMENTS = (32, 64)

LENGTH, BATCH, VOCABULARY = 200, 32, 30_000
# Of a batch, where only the length shall grow: 16 texts of 1,000 tokens.
TOKENS = 16_000
INFERENCE = ", inference"


@dataclass(frozen=True)
class Point:
    """Batches of one size for a model of one size.

    Attributes:
        series: What grows.
        name: This point, for the table.
        x: The number that grows.
        length, batch, vocabulary, layers: The sizes; all texts have the same length.
    """

    series: str
    name: str
    x: int
    length: int = LENGTH
    batch: int = BATCH
    vocabulary: int = VOCABULARY
    layers: int = 1

    def workload(self, seed: int) -> Workload:
        """Texts of this length and vocabulary."""
        words = self.vocabulary - len(SPECIAL_TOKENS)
        return Workload(Lengths(self.name, self.length, 0.0, self.length), words, seed)

    def candidates(self, seed: int) -> list[Candidate]:
        """Training and inference."""
        model = partial(ours, Configuration(layers=self.layers, vocab_size=self.vocabulary))
        shared = {"least": self.batch, "workload": self.workload(seed)}
        return [
            Candidate(self.name, training(model, "random", batch_size=self.batch), **shared),
            Candidate(self.name + INFERENCE, inference(model, "random", batch_size=self.batch), **shared),
        ]


def points(options: Options) -> dict[str, list[Point]]:
    """All points by series; the first and second of each for a smoke run."""
    series: dict[str, list[Point]] = {}
    for point in _every_point():
        series.setdefault(point.series, []).append(point)
    return {name: found[:2] if options.quick else found for name, found in series.items()}


def _every_point() -> Iterator[Point]:
    by_tokens, by_texts = f"length, {TOKENS:,} tokens a batch", f"length, {BATCH} texts a batch"
    for length in LENGTHS:
        yield Point(by_tokens, f"length {length:,}", length, length=length, batch=TOKENS // length)
    for length in LENGTHS:
        yield Point(by_texts, f"length {length:,}, {BATCH} texts", length, length=length)
    for batch in BATCHES:
        yield Point(f"batch, {LENGTH} tokens a text", f"batch {batch:,}", batch, batch=batch)
    for vocabulary in VOCABULARIES:
        yield Point("vocabulary", f"vocabulary {vocabulary:,}", vocabulary, vocabulary=vocabulary)
    for layers in LAYERS:
        yield Point("layers", f"layers {layers}", layers, layers=layers)


# The targets name points.
assert {LENGTH_100, LENGTH_2000, VOCABULARY_20K, VOCABULARY_200K} <= {point.name for point in _every_point()}

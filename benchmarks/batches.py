"""Texts as batches of ids: in random order, grouped by length, or all padded to the same length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from hfattnlstm.data.batching import LengthGroupedSampler

from .workload import Sample


BATCH_SIZE = 32
# The default of TrainingArguments.
TRAINER_SEED = 42


class Batch(NamedTuple):
    """A padded batch: `ids` and `mask` (batch, length), `lengths` (batch,) on the CPU, `labels` (batch,)."""

    ids: Tensor
    mask: Tensor
    lengths: Tensor
    labels: Tensor


def collate(ids: Sequence[Sequence[int]], labels: Sequence[int], length: int | None = None) -> Batch:
    """Pad texts on the right with 0, to the longest of them or to a given length."""
    lengths = [len(text) for text in ids]
    width = length or max(lengths)
    padded = np.zeros((len(ids), width), dtype=np.int64)
    for row, text in enumerate(ids):
        padded[row, : len(text)] = text
    counts = torch.tensor(lengths)
    mask = torch.arange(width)[None] < counts[:, None]
    return Batch(torch.from_numpy(padded), mask, counts, torch.tensor(labels))


def _in_order(sample: Sample, order: Sequence[int], batch_size: int, length: int | None = None) -> Iterator[Batch]:
    for start in range(0, len(order), batch_size):
        chosen = order[start : start + batch_size]
        yield collate([sample.ids[index] for index in chosen], [sample.labels[index] for index in chosen], length)


def random_batches(sample: Sample, batch_size: int = BATCH_SIZE) -> Iterator[Batch]:
    """Batches in the order of the sample, which is random."""
    return _in_order(sample, range(len(sample)), batch_size)


def padded_batches(sample: Sample, length: int, batch_size: int = BATCH_SIZE) -> Iterator[Batch]:
    """Batches in random order, every one padded to the same length."""
    return _in_order(sample, range(len(sample)), batch_size, length)


def grouped_batches(sample: Sample, batch_size: int = BATCH_SIZE) -> Iterator[Batch]:
    """Batches of like length in random order: those of the Trainer's first epoch."""
    return _in_order(sample, list(LengthGroupedSampler(sample.lengths, batch_size, seed=TRAINER_SEED)), batch_size)


def sorted_batches(sample: Sample, batch_size: int = BATCH_SIZE) -> Iterator[Batch]:
    """Batches from the shortest texts to the longest."""
    return _in_order(sample, sorted(range(len(sample)), key=sample.lengths.__getitem__), batch_size)

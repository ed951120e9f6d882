"""The points at which attention between the states of a text is measured: one layer, full or hashed, at one length."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from hfattnlstm.modeling.context import ContextLayer
from hfattnlstm.modeling.multi_head_attention import AttentionRun

from .timing import Call, Candidate, Prepare
from .workload import Lengths, Sample, Workload


HIDDEN, HEADS = 256, 4
LENGTHS = (512, 1_024, 2_048, 4_096, 8_192, 16_384, 32_768)
QUICK_LENGTHS = (64, 128)
# The weights of a text take so much of the memory that longer ones have no room.
LONGEST_EAGER = 8_192
SDPA, EAGER = "full, sdpa", "full, eager"
KINDS: dict[str, dict[str, int]] = {
    SDPA: {},
    EAGER: {},
    **{f"hashed {times} x": {"num_hashes": times} for times in (1, 2, 4)},
}
TRAINING = ", training"


@dataclass(frozen=True)
class AttentionPoint:
    """A layer that reads texts of one length, one at a time.

    Attributes:
        kind: One of `KINDS`.
        length: States of a text.
        trains: Whether gradients are computed, too.
    """

    kind: str
    length: int
    trains: bool = False

    @property
    def name(self) -> str:
        """For the table."""
        return f"{self.kind}, {self.length:,}{TRAINING if self.trains else ''}"

    def call(self, seed: int) -> Callable[[], object]:
        """What is timed."""
        torch.manual_seed(seed)
        options = KINDS[self.kind]
        layer = ContextLayer("lsh_attention" if options else "attention", HIDDEN, num_heads=HEADS, **options)
        states = torch.randn(1, self.length, HIDDEN, requires_grad=self.trains)
        mask = torch.ones(1, self.length, dtype=torch.bool)
        run = AttentionRun("eager" if self.kind == EAGER else "sdpa")
        return partial(_train if self.trains else _infer, layer.train(self.trains), states, mask, run)

    def candidate(self, seed: int) -> Candidate:
        """It, as [`measure`] wants it."""
        words = Workload(Lengths(self.name, self.length, 0.0, self.length), words=1, seed=seed)
        return Candidate(self.name, partial(_load, self, seed), least=1, workload=words)


def points(quick: bool) -> list[AttentionPoint]:
    """All of them, by length."""
    return [
        AttentionPoint(kind, length, trains)
        for length in (QUICK_LENGTHS if quick else LENGTHS)
        for kind in KINDS
        for trains in (False, True)
        if kind != EAGER or length <= LONGEST_EAGER
    ]


def _load(point: AttentionPoint, seed: int) -> Prepare:
    once = point.call(seed)

    def prepare(sample: Sample) -> Call:
        def call() -> int:
            for _ in sample.ids:
                once()
            return len(sample)

        return call

    return prepare


@torch.no_grad()
def _infer(layer: ContextLayer, states: Tensor, mask: Tensor, run: AttentionRun) -> Tensor:
    return layer(states, mask, run)


def _train(layer: ContextLayer, states: Tensor, mask: Tensor, run: AttentionRun) -> None:
    layer(states, mask, run).sum().backward()

"""What a run of the benchmarks can be told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .workload import KINDS, WORDS, Workload


# A smoke run: everything is called, nothing is worth quoting.
QUICK_WORDS = 2_000
QUICK_SHARE = 1 / 8


def _silent(_: str) -> None:
    """Progress that nobody wants to see."""


@dataclass(frozen=True)
class Options:
    """Settings shared by all tables.

    Attributes:
        quick: Whether to shrink everything to a smoke run of seconds.
        rounds: How often each candidate is timed.
        budget: Seconds that one timed call should take; a candidate gets as many texts as fit.
        patience: Seconds that a table may wait in all for the machine to be quiet.
        threads: Threads of torch, the same for all candidates that compute with it.
        seed: Seed of the texts, the batches and the weights.
        only: Parts of the names of the candidates to measure, beside the baseline; all without.
        main: Whether to leave out all configurations but the first.
        report: Called with a line about the progress.
    """

    quick: bool = False
    rounds: int = 7
    budget: float = 2.0
    patience: float = 300.0
    threads: int = 1
    seed: int = 0
    only: tuple[str, ...] = ()
    main: bool = False
    report: Callable[[str], None] = _silent

    @property
    def words(self) -> int:
        """Distinct words of the texts."""
        return QUICK_WORDS if self.quick else WORDS

    def workload(self, kind: str) -> Workload:
        """Reviews or sentences; much shorter ones for a smoke run."""
        lengths = KINDS[kind]
        return Workload(lengths.scaled(QUICK_SHARE) if self.quick else lengths, self.words, self.seed)

    def wants(self, name: str) -> bool:
        """Whether a candidate of this name is to be measured."""
        return not self.only or any(part.lower() in name.lower() for part in self.only)

"""Times candidates against each other, interleaved in one process."""

from __future__ import annotations

import contextlib
import gc
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from .machine import QuietMachine
from .options import Options
from .workload import Sample, Workload


Call = Callable[[], int]
Prepare = Callable[[Sample], Call]

# Below this a longer call is not worth preparing again.
_WORTH_GROWING = 1.5


@dataclass(frozen=True)
class Candidate:
    """Something that handles texts.

    Attributes:
        name: Its name in the tables.
        load: Imports and builds it, once. What it returns is called with a [`Sample`] and gives the call to be timed,
            which returns how many texts (or other units) it has handled.
        least: Texts of the smallest call, a multiple of the batch size; larger calls have a multiple of it.
        most: Texts of the largest call.
        workload: Where its texts come from, if not from the same as those of the others.
    """

    name: str
    load: Callable[[], Prepare]
    least: int = 64
    most: int = 8192
    workload: Workload | None = None


class Spread(NamedTuple):
    """Median and the quartiles around it."""

    median: float
    low: float
    high: float


@dataclass(frozen=True)
class Measurement:
    """Times of a candidate.

    Attributes:
        name: The candidate's.
        texts: Texts (or other units) that one call handled.
        seconds: Time of a text, one number a round.
    """

    name: str
    texts: int
    seconds: tuple[float, ...]

    @property
    def time(self) -> Spread:
        """Seconds of a text."""
        return spread(self.seconds)


@dataclass
class Measurements:
    """What [`measure`] found.

    Attributes:
        by_name: The measured candidates in their order.
        left_out: A sentence for each candidate that could not be measured.
        remarks: Sentences about the circumstances.
    """

    by_name: dict[str, Measurement] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def ratio(self, name: str, reference: str) -> Spread | None:
        """How many times as fast as the reference a candidate is, from the ratios of each round."""
        if name not in self.by_name or reference not in self.by_name:
            return None
        pairs = zip(self.by_name[reference].seconds, self.by_name[name].seconds)
        return spread([slow / fast for slow, fast in pairs])


def spread(values: Sequence[float]) -> Spread:
    """Median and quartiles.

    Example:

    ```python
    >>> spread([1.0, 2.0, 3.0, 4.0, 9.0])
    Spread(median=3.0, low=2.0, high=4.0)
    ```
    """
    if len(values) == 1:
        return Spread(values[0], values[0], values[0])
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return Spread(median, low, high)


def rotated(names: Sequence[str], round_number: int) -> list[str]:
    """The order of a round: each candidate comes first in turn, and so after another one."""
    shift = round_number % len(names) if names else 0
    return [*names[shift:], *names[:shift]]


def rounds(names: Sequence[str], options: Options, quiet: QuietMachine) -> Iterator[list[str]]:
    """The order of each round; before it, whoever patiently waits for a quiet machine does so."""
    for round_number in range(options.rounds):
        options.report(f"round {round_number + 1} of {options.rounds}")
        if options.patience:
            quiet.wait()
        yield rotated(names, round_number)


@contextlib.contextmanager
def settled_heap() -> Iterator[None]:
    """Keep the objects of all the loaded libraries out of the garbage collections of the candidates."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def load_candidates(
    candidates: Sequence[Candidate], options: Options, keep: str | None = None
) -> tuple[dict[str, tuple[Candidate, Prepare]], list[str]]:
    """Load the wanted candidates.

    Args:
        candidates: All that could be measured.
        options: `only` chooses among them.
        keep: A baseline that is always wanted.

    Returns:
        The loaded ones by name, and a sentence for each that cannot be.
    """
    loaded, left_out = {}, []
    for candidate in candidates:
        if candidate.name != keep and not options.wants(candidate.name):
            continue
        options.report(f"preparing {candidate.name}")
        try:
            loaded[candidate.name] = (candidate, candidate.load())
        # A peer may fail in any way; the others are measured all the same.
        except Exception as error:
            left_out.append(f"{candidate.name}, {reason(error)}")
    return loaded, left_out


def reason(error: Exception) -> str:
    """Why a candidate is left out, in one line."""
    if isinstance(error, ModuleNotFoundError):
        return f"not installed: {error.name}"
    if isinstance(error, NotAvailableError):
        return str(error)
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:150] if lines else 'no message'}"


class NotAvailableError(RuntimeError):
    """A candidate cannot be measured here; the message says why."""


def measure(
    candidates: Sequence[Candidate],
    workload: Workload,
    options: Options,
    baseline: str | None = None,
    same_texts: bool = False,
    clock: Callable[[], float] = time.perf_counter,
) -> Measurements:
    """Time candidates in rounds, each once a round, in an order that rotates.

    Args:
        candidates: What to time.
        workload: Where the texts come from.
        options: Rounds, seconds of a call, patience, and which candidates.
        baseline: Name of a candidate that is measured even where `options.only` does not name it.
        same_texts: Whether all handle the texts of the slowest; else each as many as fit into the time of a call.
        clock: Gives the time in seconds.

    Returns:
        Times of a text; candidates that cannot be loaded or fail are left out and named.
    """
    loaded, left_out = load_candidates(candidates, options, keep=baseline)
    with settled_heap():
        calls = _calls(loaded, workload, options, same_texts, clock, left_out)
    result = Measurements(left_out=left_out)
    quiet = QuietMachine(options.patience)
    found = _time_rounds(calls, options, quiet, clock, left_out)
    for name, times in found.items():
        seconds = tuple(elapsed / handled for elapsed, handled in times)
        result.by_name[name] = Measurement(name, times[-1][1], seconds)
    if remark := quiet.remark(options.rounds):
        result.remarks.append(remark)
    return result


def _time_rounds(
    calls: dict[str, Call], options: Options, quiet: QuietMachine, clock: Callable[[], float], left_out: list[str]
) -> dict[str, list[tuple[float, int]]]:
    """Seconds and texts of each call, round by round; whoever fails is left out from then on."""
    found: dict[str, list[tuple[float, int]]] = {name: [] for name in calls}
    with settled_heap():
        for names in rounds(list(calls), options, quiet):
            for name in filter(found.__contains__, names):
                try:
                    found[name].append(timed(calls[name], clock))
                # A peer may fail in any way; the others are measured all the same.
                except Exception as error:
                    del found[name]
                    left_out.append(f"{name}, {reason(error)}")
    return found


def timed(call: Call, clock: Callable[[], float] = time.perf_counter) -> tuple[float, int]:
    """Seconds of a call, and what it returns."""
    gc.collect()
    start = clock()
    handled = call()
    return clock() - start, handled


def _calls(
    loaded: dict[str, tuple[Candidate, Prepare]],
    workload: Workload,
    options: Options,
    same_texts: bool,
    clock: Callable[[], float],
    left_out: list[str],
) -> dict[str, Call]:
    """A warmed-up call of each candidate."""
    calls: dict[str, Call] = {}
    counts: dict[str, int] = {}
    for name, (candidate, prepare) in loaded.items():
        options.report(f"warming up {name}")
        try:
            texts = candidate.workload or workload
            calls[name], counts[name] = _sized_call(candidate, prepare, texts, options, clock)
        except Exception as error:
            left_out.append(f"{name}, {reason(error)}")
    if same_texts and len(set(counts.values())) > 1:
        smallest = workload.sample(min(counts.values()))
        for name in calls:
            calls[name] = loaded[name][1](smallest)
            calls[name]()
    return calls


def _sized_call(
    candidate: Candidate, prepare: Prepare, workload: Workload, options: Options, clock: Callable[[], float]
) -> tuple[Call, int]:
    """A warmed-up call with as many texts as fit into the time of a call, and their number."""
    count = candidate.least
    call = prepare(workload.sample(count))
    # The first call pays for caches and compilers; the second tells the time.
    call()
    if options.quick:
        return call, count
    for _ in range(2):
        wanted = _fitting(count, timed(call, clock)[0], options.budget, candidate)
        if wanted < count * _WORTH_GROWING:
            break
        count = wanted
        call = prepare(workload.sample(count))
        call()
    return call, count


def _fitting(count: int, seconds: float, budget: float, candidate: Candidate) -> int:
    fitting = min(int(count * budget / max(seconds, 1e-9)), candidate.most)
    return max(fitting // candidate.least, 1) * candidate.least

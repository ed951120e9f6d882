"""Latency of one text, from text to result."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from ..machine import QuietMachine
from ..models import Configuration, configurations
from ..options import Options
from ..pipelines import text_candidates
from ..table import Chart, Column, Table
from ..targets import DISTILBERT, targets_of
from ..timing import Call, Prepare, Spread, load_candidates, reason, rounds, settled_heap
from ..workload import Workload


PERCENTILES = (50, 95, 99)
# Calls of a candidate in one round: enough for the rarer percentiles over all rounds, but not more than fit into the
# time of a call.
FEWEST_CALLS, MOST_CALLS = 20, 400
COLUMNS = (
    Column("candidate", "candidate"),
    Column("p50", "p50", "time"),
    Column("p95", "p95", "time"),
    Column("p99", "p99", "time"),
    Column("ratio", "p50 ratio", "ratio"),
    Column("ratio_range", "middle half", "ratio_range"),
    Column("calls", "calls", "count"),
)
NOTES = [
    f'The ratio is the p50 of "{DISTILBERT}" over that of the candidate, the median over the rounds.',
    "Each call is given one review and waits for its result; the reviews of a candidate are spread over the whole "
    "distribution of lengths. Weights and tokenizer are as in the table from text to result.",
]
Latencies = dict[str, list[list[float]]]


def run(options: Options) -> Table:
    """Measure single reviews."""
    table = Table("latency", "Latency of one review", COLUMNS, notes=list(NOTES), chart=Chart("p50", "p50 in seconds"))
    configuration = Configuration(vocab_size=configurations(options)[0].vocab_size)
    workload = options.workload(configuration.kind)
    candidates = text_candidates(configuration, workload, table.notes.append, single=True)
    loaded, left_out = load_candidates(candidates, options, keep=DISTILBERT)
    table.leave_out(left_out)
    calls = _single_calls({name: prepare for name, (_, prepare) in loaded.items()}, workload, options, table)
    latencies = _measure(calls, options, table)
    for name in calls:
        table.rows.append(_row(name, latencies, configuration.name))
    for target in targets_of(table.name):
        table.judge(target, _ratio(latencies, target.fast, target.slow))
    return table


def _single_calls(
    prepares: dict[str, Prepare], workload: Workload, options: Options, table: Table
) -> dict[str, list[Call]]:
    """A call for each single text of a candidate."""
    calls = {}
    for name, prepare in prepares.items():
        options.report(f"warming up {name}")
        try:
            calls[name] = _calls_of(prepare, workload, options)
        # A peer may fail in any way; the others are measured all the same.
        except Exception as error:
            table.leave_out([f"{name}, {reason(error)}"])
    return calls


def _calls_of(prepare: Prepare, workload: Workload, options: Options) -> list[Call]:
    few = _for_each_text(prepare, workload, FEWEST_CALLS)
    few[0]()
    seconds = sum(map(_seconds, few)) / len(few)
    if options.quick:
        return few
    count = min(max(int(options.budget / seconds), FEWEST_CALLS), MOST_CALLS)
    return _for_each_text(prepare, workload, count)


def _for_each_text(prepare: Prepare, workload: Workload, count: int) -> list[Call]:
    return [prepare(single) for single in workload.sample(count).singles()]


def _measure(calls: dict[str, list[Call]], options: Options, table: Table) -> Latencies:
    latencies: Latencies = {name: [] for name in calls}
    quiet = QuietMachine(options.patience)
    with settled_heap():
        for names in rounds(list(calls), options, quiet):
            for name in names:
                # What came before has left the caches full of its own data.
                calls[name][0]()
                latencies[name].append([_seconds(call) for call in calls[name]])
    if remark := quiet.remark(options.rounds):
        table.remark([remark])
    return latencies


def _seconds(call: Callable[[], int]) -> float:
    """Without a collection of garbage before every call, which takes longer than some of them."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _ratio(latencies: Latencies, fast: str, slow: str) -> Spread | None:
    if fast not in latencies or slow not in latencies:
        return None
    medians = zip(latencies[slow], latencies[fast])
    low, median, high = np.percentile([np.median(above) / np.median(below) for above, below in medians], [25, 50, 75])
    return Spread(float(median), float(low), float(high))


def _row(name: str, latencies: Latencies, configuration: str) -> dict:
    every = np.concatenate(latencies[name])
    ratio = _ratio(latencies, name, DISTILBERT)
    return {
        "configuration": configuration,
        "candidate": name,
        **{f"p{share}": float(np.percentile(every, share)) for share in PERCENTILES},
        "ratio": ratio.median if ratio else None,
        "ratio_range": (ratio.low, ratio.high) if ratio else None,
        "calls": len(every),
        "round_p50": [float(np.median(round_)) for round_ in latencies[name]],
    }

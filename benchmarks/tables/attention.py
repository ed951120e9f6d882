"""Attention between the states of a text, full and hashed: time and memory from 512 states to 32,768."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..attention_points import HEADS, HIDDEN, SDPA, AttentionPoint, points
from ..memory import memory_of_attention
from ..options import Options
from ..table import Chart, Column, Table
from ..timing import Measurements, NotAvailableError, measure
from ..workload import Workload


# There are many points, and those of the longest texts take long enough by themselves.
BUDGET_SHARE = 0.1
COLUMNS = (
    Column("candidate", "attention"),
    Column("time", "inference", "time"),
    Column("ratio", "speed", "ratio"),
    Column("memory", "its memory", "bytes"),
    Column("training", "forward and backward", "time"),
    Column("training_ratio", "speed", "ratio"),
    Column("training_memory", "its memory", "bytes"),
)
NOTES = [
    f"One layer with a residual and a normalisation, {HIDDEN} wide, {HEADS} heads, chunks of 64, a text at a time. "
    f"Speed is that of {SDPA} at the same length, seed and round.",
    "Memory is what the peak of a process of its own grows by.",
]


def run(options: Options) -> Table:
    """Measure all lengths."""
    chart = Chart("time", "inference", x="x", second="memory", second_label="memory")
    table = Table("attention", "Attention between the states of a text", COLUMNS, notes=list(NOTES), chart=chart)
    found = points(options.quick)
    shorter = replace(options, budget=options.budget * BUDGET_SHARE)
    measured = measure([point.candidate(options.seed) for point in found], Workload(words=1), shorter)
    table.leave_out(measured.left_out)
    table.remark(measured.remarks)
    for point in found:
        if not point.trains and point.name in measured.by_name:
            table.rows.append(_row(point, measured, options, table))
    return table


def _row(point: AttentionPoint, measured: Measurements, options: Options, table: Table) -> dict[str, Any]:
    training = replace(point, trains=True)
    row = {"configuration": f"{point.length:,} states", "candidate": point.kind, "x": point.length}
    for each, prefix in ((point, ""), (training, "training_")):
        if each.name not in measured.by_name:
            continue
        row["training" if prefix else "time"] = measured.by_name[each.name].time.median
        row[f"{prefix}ratio"] = measured.ratio(each.name, replace(each, kind=SDPA).name).median
        # A process takes a while to begin: a smoke run has one.
        if options.quick and table.rows:
            continue
        options.report(f"memory of {each.name}")
        try:
            row[f"{prefix}memory"] = memory_of_attention(each, options)
        except NotAvailableError as error:
            table.leave_out([f"memory of {each.name}, {error}"])
    return row

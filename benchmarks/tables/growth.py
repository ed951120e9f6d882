"""How time and memory grow with length, batch, vocabulary, layers and the number of documents."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..growth_points import DOCUMENTS, INFERENCE, QUICK_DOCUMENTS, Point, points
from ..memory import memory_of, stream_documents
from ..options import Options
from ..table import Chart, Column, Table
from ..targets import targets_of
from ..timing import Measurement, Measurements, NotAvailableError, measure
from ..workload import Workload


# There are many points, each of a few steps.
BUDGET_SHARE = 0.25
COLUMNS = (
    Column("candidate", "size"),
    Column("batch", "texts a batch", "count"),
    Column("step", "training step", "time"),
    Column("time", "training, a token", "time"),
    Column("time_range", "middle half", "range"),
    Column("inference", "inference, a token", "time"),
    Column("rate", "texts/s", "rate"),
    Column("memory", "peak memory", "bytes"),
)
DOCUMENTS_SERIES = "documents, a generator of reviews through our pipeline"
NOTES = [
    "Our model with 128 units per direction. All texts of a point have the same length; but for what grows they have "
    "200 tokens, 32 in a batch, a vocabulary of 30,000 and one layer.",
    "Peak memory is that of a process of its own, the interpreter with torch and the data included.",
]


def run(options: Options) -> Table:
    """Measure all series."""
    chart = Chart("time", "training, a token", x="x", second="memory", second_label="peak memory")
    table = Table("growth", "Growth of time and memory", COLUMNS, notes=list(NOTES), chart=chart)
    measured = Measurements()
    for index, (series, found) in enumerate(points(options).items()):
        options.report(series)
        by_token = _measure(found, options, table)
        measured.by_name |= by_token.by_name
        rows = [_row(point, by_token) for point in found if point.name in by_token.by_name]
        # A process takes a while to begin: a smoke run has only a few.
        if index == 0 or not options.quick:
            _add_memory(rows, found, options, table)
        table.rows += rows
    table.rows += _documents(options, table)
    for target in targets_of(table.name):
        table.judge(target, measured.ratio(target.fast, target.slow))
    return table


def _measure(found: list[Point], options: Options, table: Table) -> Measurements:
    """Times of a token."""
    options = replace(options, budget=options.budget * BUDGET_SHARE)
    candidates = [candidate for point in found for candidate in point.candidates(options.seed)]
    lengths = {candidate.name: candidate.workload.lengths.longest for candidate in candidates}
    # Every candidate has texts of its own.
    measured = measure(candidates, Workload(words=1), options)
    table.leave_out(measured.left_out)
    table.remark(measured.remarks)
    by_name = {
        name: Measurement(name, times.texts, tuple(seconds / lengths[name] for seconds in times.seconds))
        for name, times in measured.by_name.items()
    }
    return Measurements(by_name)


def _add_memory(rows: list[dict[str, Any]], found: list[Point], options: Options, table: Table) -> None:
    by_name = {point.name: point for point in found}
    for row in rows:
        name = row["candidate"]
        options.report(f"memory of {name}")
        try:
            row["memory"] = memory_of(by_name[name], options)["memory"]
        except NotAvailableError as error:
            table.leave_out([f"memory of {name}, {error}"])


def _row(point: Point, by_token: Measurements) -> dict[str, Any]:
    training = by_token.by_name[point.name]
    inference = by_token.by_name.get(point.name + INFERENCE)
    return {
        "configuration": point.series,
        "candidate": point.name,
        "x": point.x,
        "batch": point.batch,
        "step": training.time.median * point.length * point.batch,
        "time": training.time.median,
        "time_range": (training.time.low, training.time.high),
        "inference": inference.time.median if inference else None,
        "memory": None,
        "rounds": training.seconds,
    }


def _documents(options: Options, table: Table) -> list[dict[str, Any]]:
    rows = []
    for count in QUICK_DOCUMENTS if options.quick else DOCUMENTS:
        name = f"documents {count:,}"
        options.report(name)
        try:
            found = stream_documents(count, options)
        except NotAvailableError as error:
            table.leave_out([f"{name}, {error}"])
            continue
        row = {"configuration": DOCUMENTS_SERIES, "candidate": name, "x": count, "memory": found["memory"]}
        rows.append({**row, "rate": found["documents"] / found["seconds"]})
    return rows

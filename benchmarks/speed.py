"""Tables of candidates that are compared by their time of a text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from .table import Chart, Column, Table
from .targets import targets_of
from .timing import Measurements


COLUMNS = (
    Column("candidate", "candidate"),
    Column("time", "time a text", "time"),
    Column("time_range", "middle half", "range"),
    Column("rate", "texts/s", "rate"),
    Column("ratio", "ratio", "ratio"),
    Column("ratio_range", "middle half", "ratio_range"),
    Column("texts", "texts a call", "count"),
)


def speed_table(name: str, title: str, baseline: str, notes: list[str], drawn: Sequence[str] = ()) -> Table:
    """An empty table of speeds.

    Args:
        name: As on the command line.
        title: A heading.
        baseline: What the candidates are compared with: the ratio is its time over that of the candidate.
        notes: How it is measured.
        drawn: Configurations to draw; all of them where there are none.
    """
    chart = Chart("rate", "texts a second", panels=tuple(drawn))
    notes = [f'The ratio is the speed against "{baseline}": the median over the rounds.', *notes]
    return Table(name, title, COLUMNS, notes=notes, chart=chart)


def add_measurements(
    table: Table, configuration: str, measured: Measurements, baseline: str, targets: str | None = None
) -> None:
    """Add the rows of a configuration.

    Args:
        table: From [`speed_table`].
        configuration: Its name.
        measured: Times of its candidates.
        baseline: What they are compared with.
        targets: What the texts are called, where the targets of the table hold for this configuration.
    """
    table.rows += [speed_row(configuration, name, measured, baseline) for name in measured.by_name]
    table.leave_out(measured.left_out)
    table.remark(measured.remarks)
    if targets:
        for target in targets_of(table.name):
            table.judge(replace(target, what=f"{target.what}, {targets}"), measured.ratio(target.fast, target.slow))


def speed_row(configuration: str, name: str, measured: Measurements, baseline: str) -> dict[str, Any]:
    """A row of one candidate, with the raw times of the rounds for JSON."""
    measurement = measured.by_name[name]
    time, ratio = measurement.time, measured.ratio(name, baseline)
    return {
        "configuration": configuration,
        "candidate": name,
        "time": time.median,
        "time_range": (time.low, time.high),
        "rate": 1 / time.median,
        "ratio": ratio.median if ratio else None,
        "ratio_range": (ratio.low, ratio.high) if ratio else None,
        "texts": measurement.texts,
        "rounds": measurement.seconds,
    }

"""Tables of results: as text, as Markdown and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from .targets import Target
from .timing import Spread


MAIN_PANEL = ""


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        key: Entry of a row.
        heading: What stands above it.
        kind: How a value is written: one of the keys of `FORMATS`.
    """

    key: str
    heading: str
    kind: str = "text"


@dataclass(frozen=True)
class Chart:
    """How a table is drawn.

    Attributes:
        value: Entry of a row that gives the length of a bar or the height of a point.
        label: What it is.
        x: Entry of a row with the horizontal position of a point; bars without.
        second: A further entry drawn below, such as the memory, and
        second_label: what it is.
        panels: The configurations that are drawn; all where it is empty.
        logarithmic: Whether bars are.
    """

    value: str
    label: str
    x: str | None = None
    second: str | None = None
    second_label: str = ""
    panels: tuple[str, ...] = ()
    logarithmic: bool = True


@dataclass
class Table:
    """The result of one benchmark.

    Attributes:
        name: As on the command line.
        title: A heading.
        columns: What is shown of the rows.
        rows: Raw values in seconds, bytes and ratios; rows with the same `configuration` stand together.
        targets: One dictionary a target with `what`, `ratio`, `bound`, `at_least` and `verdict`.
        notes: Sentences about how it was measured.
        left_out: Candidates that were not measured, and why.
        chart: How it is drawn.
    """

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: list[dict[str, Any]] = field(default_factory=list)
    targets: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    chart: Chart | None = None

    def judge(self, target: Target, ratio: Spread | None) -> None:
        """Add a target with the ratio that was measured; nothing where it was not measured."""
        if ratio is None:
            return
        self.targets.append(
            {
                "what": target.what,
                "ratio": ratio._asdict(),
                "bound": target.bound,
                "at_least": target.at_least,
                "verdict": target.verdict(ratio.median),
            }
        )

    def leave_out(self, sentences: Sequence[str]) -> None:
        """Name candidates that were not measured, each once."""
        self.left_out += [sentence for sentence in sentences if sentence not in self.left_out]

    def remark(self, sentences: Sequence[str]) -> None:
        """Add notes, each once."""
        self.notes += [sentence for sentence in sentences if sentence not in self.notes]

    def panels(self) -> dict[str, list[dict[str, Any]]]:
        """The rows by their configuration."""
        panels: dict[str, list[dict[str, Any]]] = {}
        for row in self.rows:
            panels.setdefault(row.get("configuration", MAIN_PANEL), []).append(row)
        return panels

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {key: value for key, value in asdict(self).items() if key not in ("columns", "chart")}


def format_time(seconds: float) -> str:
    """Seconds with three digits in a sensible unit."""
    for factor, unit in ((1, "s"), (1e3, "ms"), (1e6, "µs")):
        if seconds * factor >= 0.9995 or unit == "µs":
            return f"{_three_digits(seconds * factor)} {unit}"
    raise AssertionError("the last unit takes everything")


def _three_digits(value: float) -> str:
    decimals = 2 if value < 9.995 else 1 if value < 99.95 else 0
    return f"{value:,.{decimals}f}"


def _format_bytes(count: float) -> str:
    return f"{count / 2**20:,.0f} MiB"


def _between(pair: Sequence[float]) -> str:
    """The two ends of a range of times in the unit of the upper one."""
    low, high = pair
    upper, unit = format_time(high).split(" ")
    factor = {"s": 1, "ms": 1e3, "µs": 1e6}[unit]
    return f"{_three_digits(low * factor)}–{upper} {unit}"


def _score(summary: dict[str, Any]) -> str:
    """A mean as a percentage, with its deviation where there are several values."""
    deviation = summary["deviation"]
    return f"{100 * summary['mean']:.1f}" + ("" if deviation is None else f" ± {100 * deviation:.1f}")


def _points(summary: dict[str, Any]) -> str:
    """A difference of percentages, with its sign."""
    deviation = summary["deviation"]
    return f"{100 * summary['mean']:+.1f}" + ("" if deviation is None else f" ± {100 * deviation:.1f}")


def _two_decimals(summary: dict[str, Any]) -> str:
    """A mean, with its deviation where there are several values."""
    deviation = summary["deviation"]
    return f"{summary['mean']:.2f}" + ("" if deviation is None else f" ± {deviation:.2f}")


FORMATS = {
    "text": str,
    "score": _score,
    "points": _points,
    "two_decimals": _two_decimals,
    "decimals": lambda summary: f"{summary['mean']:.3f}",
    "minutes": lambda summary: _three_digits(summary["mean"]),
    "megabytes": lambda count: f"{count / 1e6:,.1f}",
    "time": format_time,
    "range": _between,
    "rate": lambda value: f"{_three_digits(value)}" if value < 100 else f"{value:,.0f}",
    "ratio": lambda value: f"{_three_digits(value)} ×",
    "ratio_range": lambda pair: f"{_three_digits(pair[0])}–{_three_digits(pair[1])}",
    "share": lambda value: f"{100 * value:.1f} %",
    "count": lambda value: f"{value:,}",
    "bytes": _format_bytes,
    "gflops": lambda value: f"{value / 1e9:,.1f} GFLOP/s",
}


def _cells(table: Table, rows: Sequence[dict[str, Any]]) -> list[list[str]]:
    """Headings and formatted rows, without the columns that are empty throughout."""
    columns = [column for column in table.columns if any(row.get(column.key) is not None for row in rows)]
    lines = [[column.heading for column in columns]]
    for row in rows:
        values = [(row.get(column.key), column.kind) for column in columns]
        lines.append(["–" if value is None else FORMATS[kind](value) for value, kind in values])
    return lines


def _target_cells(table: Table) -> list[list[str]]:
    lines = [["target", "measured", "middle half", "wanted", ""]]
    for target in table.targets:
        ratio, sign = target["ratio"], "≥" if target["at_least"] else "≤"
        middle = FORMATS["ratio_range"]((ratio["low"], ratio["high"]))
        wanted = f"{sign} {target['bound']:g} ×"
        lines.append([target["what"], FORMATS["ratio"](ratio["median"]), middle, wanted, target["verdict"]])
    return lines


def _aligned(cells: list[list[str]]) -> list[str]:
    """The first column to the left, the others to the right, a line below the headings."""
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    lines = []
    for line in cells:
        padded = [
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths))
        ]
        lines.append("  ".join(padded).rstrip())
    return [lines[0], "-" * max(map(len, lines)), *lines[1:]]


def _piped(cells: list[list[str]]) -> list[str]:
    rule = ["---"] + ["---:"] * (len(cells[0]) - 1)
    return [f"| {' | '.join(line)} |" for line in (cells[0], rule, *cells[1:])]


def as_text(table: Table) -> str:
    """For a terminal."""
    lines = [table.title, "=" * len(table.title)]
    for configuration, rows in table.panels().items():
        lines += ["", *([configuration] if configuration else []), *_aligned(_cells(table, rows))]
    if table.targets:
        lines += ["", *_aligned(_target_cells(table))]
    lines += ["", *table.notes] if table.notes else []
    lines += ["", *(f"Left out: {sentence}" for sentence in table.left_out)] if table.left_out else []
    return "\n".join(lines)


def as_markdown(table: Table) -> str:
    """For a page of documentation."""
    blocks = [f"### {table.title}"]
    for configuration, rows in table.panels().items():
        blocks += [f"**{configuration}**"] if configuration else []
        blocks.append("\n".join(_piped(_cells(table, rows))))
    if table.targets:
        blocks.append("\n".join(_piped(_target_cells(table))))
    blocks += [" ".join(table.notes)] if table.notes else []
    blocks += [f"Left out: {'; '.join(table.left_out)}."] if table.left_out else []
    return "\n\n".join(blocks)

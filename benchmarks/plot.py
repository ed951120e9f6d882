"""Tables as pictures, where matplotlib is installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from .table import FORMATS, Column, Table


OURS, OTHERS = "#1f5fa8", "#9aa5b1"
WIDTH, BAR_HEIGHT, PANEL_MARGIN = 9.0, 0.34, 1.1
PANEL_WIDTH, PANEL_HEIGHT, PANELS_A_ROW = 4.2, 2.8, 3
# Of the lines, by the kind of their column.
UNITS = {"time": ("µs", 1e-6), "bytes": ("MiB", 2**20)}


def draw(table: Table, path: Path) -> bool:
    """Draw a table into a file.

    Args:
        table: Bars for each configuration, or lines where its chart has an `x`.
        path: The picture; its suffix says the format.

    Returns:
        Whether there was anything to draw.
    """
    if table.chart is None or not table.rows:
        return False
    figure = _lines(table) if table.chart.x else _bars(table)
    figure.suptitle(table.title, x=0.01, ha="left", fontsize=13, fontweight="bold")
    figure.savefig(path, dpi=150)
    return True


def _bars(table: Table) -> Figure:
    panels = {
        name: _drawn(rows, table.chart.value)
        for name, rows in table.panels().items()
        if name in (table.chart.panels or (name,))
    }
    heights = [len(rows) * BAR_HEIGHT + PANEL_MARGIN for rows in panels.values()]
    figure = Figure(figsize=(WIDTH, sum(heights) + 0.4), layout="constrained")
    axes = figure.subplots(len(panels), 1, height_ratios=heights, squeeze=False)
    for axis, (name, rows) in zip(axes[:, 0], panels.items()):
        _bar_panel(axis, table, name, rows)
    return figure


def _drawn(rows: list[dict[str, Any]], key: str) -> list[dict[str, Any]]:
    return [row for row in rows if row.get(key)]


def _bar_panel(axis: Axes, table: Table, name: str, rows: list[dict[str, Any]]) -> None:
    value = table.chart.value
    column = _column(table, value)
    # Best on top: short for a time, long for a rate.
    rows = sorted(rows, key=lambda row: row[value], reverse=column.kind == "time")
    colours = [OURS if row["candidate"].startswith(("hfattnlstm", "AttnLSTM")) else OTHERS for row in rows]
    axis.barh([row["candidate"] for row in rows], [row[value] for row in rows], color=colours, height=0.7)
    for position, row in enumerate(rows):
        beside = {"xytext": (4, 0), "textcoords": "offset points", "va": "center", "fontsize": 8}
        axis.annotate(_label(row, column), (row[value], position), **beside)
    _scale(axis, [row[value] for row in rows], table.chart.logarithmic)
    axis.set_title(name, loc="left", fontsize=9)
    axis.set_xlabel(table.chart.label + (", logarithmic" if table.chart.logarithmic else ""), fontsize=8)
    axis.tick_params(axis="y", labelsize=8)
    axis.spines[["top", "right"]].set_visible(False)


def _scale(axis: Axes, values: list[float], logarithmic: bool) -> None:
    """The bars say their values, so the scale needs no marks, only room for them."""
    low, high = min(values), max(values)
    if logarithmic:
        axis.set_xscale("log")
        # The shortest bar is to be seen, too.
        low /= 2.5
        axis.set_xlim(low, low * (high / low) ** 1.4)
    else:
        axis.set_xlim(0, 1.25 * high)
    axis.xaxis.set_major_locator(NullLocator())
    axis.xaxis.set_minor_locator(NullLocator())


def _column(table: Table, key: str) -> Column:
    return next((column for column in table.columns if column.key == key), Column(key, key, "rate"))


def _label(row: dict[str, Any], column: Column) -> str:
    label = FORMATS[column.kind](row[column.key])
    return f"{label}  ({FORMATS['ratio'](row['ratio'])})" if row.get("ratio") else label


def _lines(table: Table) -> Figure:
    """A panel for each series: the value on the left, the second value on the right."""
    panels = table.panels()
    height = -(-len(panels) // PANELS_A_ROW)
    figure = Figure(figsize=(PANEL_WIDTH * PANELS_A_ROW, PANEL_HEIGHT * height + 0.4), layout="constrained")
    axes = figure.subplots(height, PANELS_A_ROW, squeeze=False).flatten()
    for axis in axes[len(panels) :]:
        axis.set_axis_off()
    for axis, (name, rows) in zip(axes, panels.items()):
        axis.set_title(name, loc="left", fontsize=8)
        axis.spines["top"].set_visible(False)
        _line(axis, table, rows, (table.chart.value, table.chart.label), OURS)
        if table.chart.second:
            _line(axis.twinx(), table, rows, (table.chart.second, table.chart.second_label), OTHERS)
        axis.set_xscale("log")
        axis.xaxis.set_major_locator(FixedLocator([row[table.chart.x] for row in rows]))
        axis.xaxis.set_minor_locator(NullLocator())
        axis.xaxis.set_major_formatter(FuncFormatter(lambda number, _: f"{number:,.0f}"))
        axis.tick_params(axis="x", labelsize=7, rotation=45)
    return figure


def _line(axis: Axes, table: Table, rows: list[dict[str, Any]], what: tuple[str, str], colour: str) -> None:
    key, label = what
    rows = _drawn(rows, key)
    axis.spines["top"].set_visible(False)
    if not rows:
        axis.yaxis.set_major_locator(NullLocator())
        return
    unit, size = UNITS[_column(table, key).kind]
    values = [row[key] / size for row in rows]
    axis.plot([row[table.chart.x] for row in rows], values, marker="o", color=colour)
    axis.set_ylim(0, 1.25 * max(values))
    axis.set_ylabel(f"{label}, {unit}", fontsize=7, color=colour)
    axis.tick_params(axis="y", labelsize=7)

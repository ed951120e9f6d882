"""Accuracy against minutes as a picture, where matplotlib is installed."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Annotation
from matplotlib.ticker import FuncFormatter, LogLocator
from matplotlib.transforms import Bbox

from ..plot import OTHERS, OURS
from ..table import Table
from .candidates import MAJORITY
from .candidates import OURS as OUR_NAME
from .scores import MAIN_SCORES


SIZE = (9.0, 5.2)
DPI = 150
# In points: how far a label may be from its point, and what it keeps free around it.
_DISTANCES, _MARGIN = (9, 18, 30, 44, 60, 80), 2
_DIRECTIONS = ((1, 0), (-1, 0), (0, 1), (0, -1), (0.7, 0.7), (0.7, -0.7), (-0.7, 0.7), (-0.7, -0.7))
_POINTS_AN_INCH = 72
_FAR = 12


def draw(table: Table, path: Path) -> bool:
    """Draw a table of accuracies into a file: a point a candidate, with its deviation over seeds.

    Args:
        table: As from `benchmarks.accuracy.measure.run`; the majority class is not drawn, which would take the room of
            the others.
        path: The picture; its suffix says the format.

    Returns:
        Whether there was anything to draw.
    """
    main = next((name for name in MAIN_SCORES.values() if any(name in row for row in table.rows)), None)
    rows = [row for row in table.rows if main in row and row["candidate"] != MAJORITY]
    if not rows:
        return False
    figure = Figure(figsize=SIZE, dpi=DPI, layout="constrained")
    axis = figure.subplots()
    bars = [_point(axis, row, main) for row in rows]
    _frame(axis, rows, main, table.title)
    figure.draw_without_rendering()
    # What has been laid out stays, so that labels are measured where they will be.
    figure.set_layout_engine("none")
    _place_labels(axis, rows, main, [bar.get_window_extent() for bar in bars])
    figure.savefig(path, dpi=DPI)
    return True


def _point(axis: Axes, row: dict[str, Any], main: str) -> Any:
    """A point with its error bar; what is returned is the line of the point."""
    colour = OURS if row["candidate"].startswith(OUR_NAME) else OTHERS
    x, y = row["minutes"]["mean"], 100 * row[main]["mean"]
    deviation = 100 * (row[main]["deviation"] or 0.0)
    axis.errorbar(x, y, yerr=deviation or None, fmt="o", color=colour, capsize=3, markersize=6)
    # Invisible, over all of the bar, so that labels keep away from it.
    return axis.plot([x, x], [y - deviation, y + deviation], alpha=0)[0]


def _frame(axis: Axes, rows: Sequence[dict[str, Any]], main: str, title: str) -> None:
    axis.set_xscale("log")
    minutes = [row["minutes"]["mean"] for row in rows]
    low, high = max(min(minutes), 1e-6), max(minutes)
    # Room for the labels, and at least a decade.
    room = max((high / low) ** 0.15, 2.0)
    axis.set_xlim(low / room, high * room)
    axis.margins(y=0.15)
    axis.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if high / low < 100 else (1.0,)))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.xaxis.set_minor_formatter(FuncFormatter(lambda *_: ""))
    axis.set_xlabel("minutes of training and prediction, logarithmic", fontsize=9)
    axis.set_ylabel(f"{main.replace('f1_micro', 'micro F1')}, %", fontsize=9)
    axis.set_title(title, loc="left", fontsize=13, fontweight="bold")
    axis.tick_params(labelsize=8)
    axis.grid(alpha=0.25)
    axis.spines[["top", "right"]].set_visible(False)


def _place_labels(axis: Axes, rows: Sequence[dict[str, Any]], main: str, taken: Sequence[Bbox]) -> None:
    """Write the names beside their points, each where nothing else stands, the crowded ones first."""
    scale = axis.figure.dpi / _POINTS_AN_INCH
    radius = 5 * scale
    occupied = [Bbox.from_extents(b.x0 - radius, b.y0 - radius, b.x1 + radius, b.y1 + radius) for b in taken]
    for row in sorted(rows, key=lambda row: -row["minutes"]["mean"]):
        point = (row["minutes"]["mean"], 100 * row[main]["mean"])
        label = axis.annotate(row["candidate"], point, xytext=(0, 0), textcoords="offset points", fontsize=8)
        tries = [_moved(label, offset) for offset in _offsets()]
        best = min(range(len(tries)), key=lambda index: (_overlap(tries[index], occupied, axis.bbox), index))
        offset = list(_offsets())[best]
        _moved(label, offset)
        _lead(axis, label, point, offset)
        occupied.append(_extent(label))


def _offsets() -> Iterator[tuple[float, float]]:
    return ((x * far, y * far) for far, (x, y) in itertools.product(_DISTANCES, _DIRECTIONS))


def _moved(label: Annotation, offset: tuple[float, float]) -> Bbox:
    """Put a label at an offset from its point, in points, and say where it then is."""
    x, y = offset
    label.set_position(offset)
    label.set_horizontalalignment("left" if x > 0 else "right" if x < 0 else "center")
    label.set_verticalalignment("center" if y == 0 or x else "bottom" if y > 0 else "top")
    return _extent(label)


def _extent(label: Annotation) -> Bbox:
    box = label.get_window_extent()
    return Bbox.from_extents(box.x0 - _MARGIN, box.y0 - _MARGIN, box.x1 + _MARGIN, box.y1 + _MARGIN)


def _overlap(box: Bbox, occupied: Sequence[Bbox], frame: Bbox) -> float:
    """The area that a label shares with others, and that lies outside."""
    inside = Bbox.intersection(box, frame)
    outside = box.width * box.height - (inside.width * inside.height if inside else 0.0)
    shared = (Bbox.intersection(box, other) for other in occupied)
    return outside + sum(part.width * part.height for part in shared if part)


def _lead(axis: Axes, label: Annotation, point: tuple[float, float], offset: tuple[float, float]) -> None:
    """A thin line to a label that is not right beside its point."""
    if max(map(abs, offset)) > _FAR:
        line = {"arrowstyle": "-", "color": "#c5ccd3", "lw": 0.7, "shrinkA": 0, "shrinkB": 4}
        axis.annotate("", point, xytext=offset, textcoords="offset points", arrowprops=line, zorder=0)

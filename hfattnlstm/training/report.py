"""Scores as plain-text tables."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .intervals import CONFIDENCE, Interval, split_intervals


def format_report(metrics: Mapping[str, Any]) -> str:
    """Writes scores as an aligned plain-text table, for the end of a training run.

    Args:
        metrics: What a metric of `hfattnlstm.training.metrics`, `evaluate.combine` or the Trainer returned. Per-class
            scores, nested as in `classification_report` or flat as in `eval_f1/<name>`, make a second table, one row
            a class; of others, nested under `per_<what>`, what they are of stands above. Intervals, as from
            `intervals.as_scores`, stand beside their scores.

    Returns:
        Lines without a trailing line break; "no metrics" for an empty dictionary.

    Example:
        >>> print(format_report({"accuracy": 0.75, "f1/bad": 0.5, "f1/good": 1.0}))
        metric     value
        accuracy  0.7500
        <BLANKLINE>
        class      f1
        bad    0.5000
        good   1.0000
    """
    return "\n\n".join(map(_table, report_tables(metrics))) or "no metrics"


def report_tables(metrics: Mapping[str, Any]) -> list[list[list[str]]]:
    """The tables of [`format_report`], each as rows of cells, the first one with the names of the columns."""
    scalars: dict[str, Any] = {}
    rows: dict[str, dict[str, Any]] = {}
    plain, intervals = split_intervals(metrics)
    heading = "class"
    for key, value in plain.items():
        if isinstance(value, Mapping):
            nested = all(isinstance(row, Mapping) for row in value.values())
            heading = key.removeprefix("per_") if nested and key.startswith("per_") else heading
            rows.update({name: dict(row) for name, row in (value if nested else {key: value}).items()})
        elif "/" in key:
            column, name = key.split("/", 1)
            rows.setdefault(name, {})[column] = value
        else:
            scalars[key] = value
    tables: list[Sequence[Sequence[Any]]] = [_scalar_rows(scalars, intervals)] if scalars else []
    if rows:
        columns = list(dict.fromkeys(column for row in rows.values() for column in row))
        body = [[name, *(row.get(column, "") for column in columns)] for name, row in rows.items()]
        tables.append([[heading, *columns], *body])
    return [[[format_value(value) for value in row] for row in table] for table in tables]


def _scalar_rows(scalars: Mapping[str, Any], intervals: Mapping[str, Interval]) -> list[tuple[Any, ...]]:
    if not intervals:
        return [("metric", "value"), *scalars.items()]
    shown = {name: " to ".join(map(format_value, interval)) for name, interval in intervals.items()}
    rows = ((name, value, shown.get(name, "")) for name, value in scalars.items())
    return [("metric", "value", f"{CONFIDENCE:.0%} interval".replace("%", " %")), *rows]


def _table(cells: Sequence[Sequence[str]]) -> str:
    widths = [max(map(_display_width, column)) for column in zip(*cells)]
    lines = []
    for row in cells:
        padding = [" " * (width - _display_width(cell)) for cell, width in zip(row, widths)]
        numbers = [pad + cell for pad, cell in zip(padding[1:], row[1:])]
        lines.append("  ".join([row[0] + padding[0], *numbers]).rstrip())
    return "\n".join(lines)


def format_value(value: Any) -> str:
    """A number with four places, and what is no number without characters that could steer a terminal."""
    if isinstance(value, (float, np.floating)):
        return f"{value:.4f}" if value == 0 or 1e-3 <= abs(value) < 1e6 else f"{value:.4g}"
    # Label names come with a model: none may break the table or send commands to the terminal.
    return "".join(character if character.isprintable() else "?" for character in str(value))


def _display_width(text: str) -> int:
    return sum(0 if unicodedata.combining(c) else 1 + (unicodedata.east_asian_width(c) in "WF") for c in text)

"""Tables of scores: drawn on a terminal, and plain text anywhere else."""

# ruff: noqa: T201
from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ..training.report import format_report, report_tables
from .terminal import has_colours


# Columns of a terminal from which on the columns of a table stand further apart.
_ROOMY = 60


def print_scores(parts: Sequence[tuple[str, Mapping[str, Any]]], indent: int = 0) -> None:
    """Print scores on standard output.

    Args:
        parts: Titles, which may be empty, and scores, as [`format_report`] takes them.
        indent: How many spaces stand before each line.

    Example:

    ```python
    >>> print_scores([("on the test split", {"accuracy": 0.75})])
    on the test split
    metric     value
    accuracy  0.7500
    ```
    """
    coloured = has_colours(sys.stdout)
    for number, (title, scores) in enumerate(parts):
        if number:
            print()
        if coloured and scores:
            _draw(title, scores, indent)
        else:
            text = f"{title}\n{format_report(scores)}".lstrip("\n")
            print("\n".join(f"{' ' * indent}{line}".rstrip() for line in text.split("\n")))


def _draw(title: str, scores: Mapping[str, Any], indent: int) -> None:
    console = Console(file=sys.stdout, highlight=False)
    if title:
        console.print(Padding(Text(title, style="bold"), (0, 0, 0, indent), expand=False))
    for number, rows in enumerate(report_tables(scores)):
        if number:
            console.print()
        console.print(Padding(_drawn(rows, console.width), (0, 0, 0, indent), expand=False))


def _drawn(rows: Sequence[Sequence[str]], width: int) -> Table:
    heads, *body = rows
    gap = 1 if width >= _ROOMY else 0
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, gap, 0, 0))
    table.add_column(heads[0], overflow="fold")
    for head in heads[1:]:
        table.add_column(head, justify="right", no_wrap=True)
    for row in body:
        # As Text, for a label must not be taken for markup.
        table.add_row(*map(Text, row))
    return table

"""Scores as the tables of a notebook."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from .report import report_tables


def scores_html(parts: Iterable[tuple[str, Mapping[str, Any]]]) -> str:
    """The tables of [`format_report`] in HTML; names of labels are escaped.

    Args:
        parts: Titles, which may be empty, and scores.

    Example:

    ```python
    >>> print(scores_html([("By class", {"f1/<bad>": 0.5})]))
    <table><caption>By class</caption>
    <tr><th scope="col" style="text-align:left">class</th><th scope="col">f1</th></tr>
    <tr><th scope="row" style="text-align:left">&lt;bad&gt;</th><td>0.5000</td></tr>
    </table>
    ```
    """
    return "\n".join(_table(title, rows) for title, scores in parts for rows in report_tables(scores))


def _table(title: str, rows: Sequence[Sequence[str]]) -> str:
    caption = f"<caption>{escape(title)}</caption>" if title else ""
    head, *body = rows
    lines = [_row(head, "col"), *(_row(row, "row") for row in body)]
    return "\n".join([f"<table>{caption}", *lines, "</table>"])


def _row(cells: Sequence[str], scope: str) -> str:
    first, *others = map(escape, cells)
    tag = 'th scope="col"' if scope == "col" else "td"
    shown = "".join(f"<{tag}>{cell}</{tag[:2]}>" for cell in others)
    return f'<tr><th scope="{scope}" style="text-align:left">{first}</th>{shown}</tr>'

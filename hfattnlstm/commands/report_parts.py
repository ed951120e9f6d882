"""What reports are made of: headings and tables, as wide as the terminal is, and plain text when piped."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterable, Sequence
from typing import TextIO

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from .terminal import has_colours, is_terminal, printable


# Where nobody looks at a terminal, texts are not broken, and squares are as wide as most pages.
_PIPED_WIDTH, _PAGE_WIDTH = 400, 120


def print_parts(parts: Iterable[RenderableType], stream: TextIO) -> None:
    """Print the parts of a report.

    Args:
        parts: What rich can print.
        stream: Where to; a terminal gets bold headings, anything else plain lines.

    Example:

    ```python
    >>> print_parts([table(("split", "texts"), [("train", "48")])], sys.stdout)
    split  texts
    train     48
    ```
    """
    console = _console(stream)
    for part in parts:
        console.print(part)
    if not is_terminal(stream):
        # Cells are filled up to their column's width, also at the end of a line.
        lines = (line.rstrip() for line in console.file.getvalue().splitlines())
        stream.write("\n".join(lines).rstrip() + "\n")
    stream.flush()


def report_width(stream: TextIO) -> int:
    """How wide a square may be: as the terminal, or as most pages.

    Example:

    ```python
    >>> import io
    >>> report_width(io.StringIO())
    120
    ```
    """
    return _console(stream).width if is_terminal(stream) else _PAGE_WIDTH


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], texts: int = 1) -> Table:
    """A table whose first columns are text, which may be folded, and whose others are numbers."""
    drawn = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="underline")
    for place, head in enumerate(heads):
        is_text = place < texts
        drawn.add_column(printable(head), justify="left" if is_text else "right", no_wrap=not is_text, overflow="fold")
    for row in rows:
        drawn.add_row(*(printable(cell) for cell in row))
    return drawn


def section(heading: str, *parts: RenderableType) -> RenderableType:
    """Parts below a heading, which may be empty, with a blank line above."""
    head = [Text(heading, style="bold")] if heading else []
    return Padding(Group(*head, *parts), (1, 0, 0, 0))


def _console(stream: TextIO) -> Console:
    plain = {"markup": False, "emoji": False, "highlight": False}
    if is_terminal(stream):
        # By itself, rich takes a terminal that is called dumb for one of 80 columns.
        width, height = shutil.get_terminal_size()
        # The palette of the shades; with fewer colours rich would take the nearest, such as red for orange.
        colours = {"color_system": "256"} if has_colours(stream) else {"no_color": True}
        return Console(file=stream, width=width, height=height, **colours, **plain)
    return Console(file=io.StringIO(), width=_PIPED_WIDTH, color_system=None, force_terminal=False, **plain)

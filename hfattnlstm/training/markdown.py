"""Markdown of texts that people wrote, in which nothing shall be a mark."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path


# An underscore is one at the edge of a word only.
_MARKS = re.compile(r"([\\`*\[\]<>|~&#$]|(?<![^\W_])_|_(?![^\W_]))")


def escaped(text: str) -> str:
    r"""A text on one line that Markdown shows as it is, in the cell of a table too.

    Example:
        >>> print(escaped("a|b *c*"))
        a\|b \*c\*
    """
    return _MARKS.sub(r"\\\1", " ".join(str(text).split()))


def code_span(text: str) -> str:
    """A text on one line as code, between more backticks than it has itself.

    Example:
        >>> code_span("a`b")
        '``a`b``'
    """
    text = " ".join(str(text).split())
    fence = "`" * (max(map(len, re.findall("`+", text)), default=0) + 1)
    # A space keeps backticks at the ends apart from the fence, and does not show.
    return f"{fence} {text} {fence}" if text.startswith("`") or text.endswith("`") else f"{fence}{text}{fence}"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], texts: int = 1) -> str:
    """A table of Markdown.

    Args:
        heads: Of the columns; escaped by the caller, like the cells.
        rows: Their cells.
        texts: How many columns, from the left, hold text; the others hold numbers.

    Example:
        >>> print(table(["class", "F1"], [["good", "0.9"]]))
        | class | F1 |
        | --- | ---: |
        | good | 0.9 |
    """
    rule = ["---" if place < texts else "---:" for place in range(len(heads))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (heads, rule, *rows))


def shown_name(name: str) -> str:
    """A name on the Hub as it is, and of a local folder or file its own, without where it lies.

    Example:

    ```python
    >>> shown_name("/"), shown_name("stanfordnlp/imdb-model")
    ('', 'stanfordnlp/imdb-model')
    ```
    """
    return Path(name).resolve().name if Path(name).exists() else name

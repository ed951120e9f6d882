"""Predictions on a terminal: a table, with the words shaded by their attention."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Any, TextIO

from ..modeling.attention_entries import strength


# Backgrounds from pale yellow to orange, in the palette of 256 colours; black letters are readable on each of them.
SHADES = (230, 229, 222, 215, 208)
_RESET = "\x1b[0m"
_BOLD = "\x1b[1m"
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def is_terminal(stream: TextIO | None) -> bool:
    """Whether somebody looks at a stream; a closed one is None."""
    return stream is not None and stream.isatty()


def has_colours(stream: TextIO | None) -> bool:
    """Whether a stream takes colours and bold letters: a terminal that knows them, and no `NO_COLOR`.

    Example:

    ```python
    >>> import io
    >>> has_colours(io.StringIO())
    False
    ```
    """
    return is_terminal(stream) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def shade_words(text: str, attention: Sequence[dict[str, Any]]) -> str:
    """The text with each word on a background as strong as its weight, against the largest one.

    Control characters, which could steer the terminal, are shown as �; line breaks and tabs as spaces.

    Args:
        text: The original text.
        attention: `{"start", "end", "weight"}` of each word, as from the attention pipeline.

    Returns:
        The text with ANSI escape codes.

    Example:

    ```python
    >>> shade_words("so good", [{"start": 3, "end": 7, "weight": 1.0}])
    'so \\x1b[30;48;5;208mgood\\x1b[0m'
    ```
    """
    highest = max((entry["weight"] for entry in attention), default=0.0)
    pieces, position = [], 0
    for entry in attention:
        start, end = max(entry["start"], position), entry["end"]
        shade = strength(entry["weight"], highest)
        pieces.append(printable(text[position:start]))
        pieces.append(shaded(text[start:end], SHADES[shade - 1] if shade > 0 else None))
        position = max(position, end)
    pieces.append(printable(text[position:]))
    return "".join(pieces)


def legend() -> str:
    """What the shades of [`shade_words`] mean, with the shades."""
    return f"attention: less {scale_of(SHADES)} more"


def shaded(text: str, colour: int | None) -> str:
    """The text, as [`printable`], on a background of the palette of 256 colours; on none for None."""
    shown = printable(text)
    return shown if colour is None or not shown else f"\x1b[30;48;5;{colour}m{shown}{_RESET}"


def scale_of(palette: Sequence[int]) -> str:
    """The backgrounds of a palette, side by side."""
    return "".join(shaded("  ", colour) for colour in palette)


def printable(text: str) -> str:
    """The text on one line, with control characters replaced by �."""
    return _CONTROL.sub("�", text.replace("\r\n", " ").replace("\n", " ").replace("\t", " "))


def bold(text: str) -> str:
    """The text in bold letters."""
    return f"{_BOLD}{text}{_RESET}"

"""Predictions on a terminal: a table, with the words shaded by their attention."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Any, TextIO


# Backgrounds from pale yellow to orange, in the palette of 256 colours; black letters are readable on each of them.
_SHADES = (230, 229, 222, 215, 208)
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
        shade = _shade(entry["weight"], highest)
        word = printable(text[start:end])
        pieces.append(printable(text[position:start]))
        pieces.append(f"\x1b[30;48;5;{shade}m{word}{_RESET}" if shade is not None and word else word)
        position = max(position, end)
    pieces.append(printable(text[position:]))
    return "".join(pieces)


def legend() -> str:
    """What the shades of [`shade_words`] mean, with the shades."""
    scale = "".join(f"\x1b[30;48;5;{shade}m  {_RESET}" for shade in _SHADES)
    return f"attention: less {scale} more"


def printable(text: str) -> str:
    """The text on one line, with control characters replaced by �."""
    return _CONTROL.sub("�", text.replace("\r\n", " ").replace("\n", " ").replace("\t", " "))


def bold(text: str) -> str:
    """The text in bold letters."""
    return f"{_BOLD}{text}{_RESET}"


def _shade(weight: float, highest: float) -> int | None:
    """Colour of a weight; None below a tenth of the largest, which would only be noise."""
    share = weight / highest if highest > 0 else 0.0
    if share < 0.1:
        return None
    return _SHADES[min(int(share * len(_SHADES)), len(_SHADES) - 1)]

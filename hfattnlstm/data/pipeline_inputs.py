"""Texts in the form in which the pipelines take them, ours and those of transformers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..modeling.text_rows import PAIR


def pipeline_input(text: str | Sequence[str]) -> Any:
    """A text, or what is read together with others, for a pipeline.

    Args:
        text: A text, or several of a row.

    Returns:
        The text; `{"text", "text_pair"}` for two, which the stock pipeline takes, too; a tuple for more.

    Example:

    ```python
    >>> pipeline_input(["A cat sleeps.", "A cat rests."])
    {'text': 'A cat sleeps.', 'text_pair': 'A cat rests.'}
    ```
    """
    if isinstance(text, str):
        return text
    return dict(zip(PAIR, text)) if len(text) == len(PAIR) else tuple(text)

"""What is given to a pipeline, as the text or texts that its model reads together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .text_inputs import check_texts


# How the pipelines of transformers call the two texts of a pair.
PAIR = ("text", "text_pair")


def text_or_row(given: Any, columns: Sequence[str] | None, position: int = 0) -> str | tuple[str, ...]:
    """The text, or the row of texts, that something stands for.

    Args:
        given: A text or `{"text": …}`; for a model of several texts a list or tuple of them, a dictionary by the names
            of their columns, or for a pair `{"text": …, "text_pair": …}`.
        columns: The `text_columns` of the model's configuration.
        position: Where it stands in the user's input.

    Returns:
        A text; for a model of several texts a tuple of them.

    Raises:
        TypeError: For what is no text; it names the position.
        ValueError: For another number of texts than the model reads; it names the position, too.

    Example:

    ```python
    >>> text_or_row({"text": "A cat sleeps.", "text_pair": "A cat rests."}, ["premise", "hypothesis"])
    ('A cat sleeps.', 'A cat rests.')
    ```
    """
    texts = _of_dictionary(given, columns, position) if isinstance(given, Mapping) else given
    if not isinstance(texts, (list, tuple)):
        check_texts([texts], position)
        if columns is None:
            return texts
        raise ValueError(_wrong_number("a single text", columns, position))
    if columns is None or len(texts) != len(columns):
        raise ValueError(_wrong_number(f"a row of {len(texts)} texts", columns, position))
    for text in texts:
        check_texts([text], position)
    return tuple(texts)


def _of_dictionary(given: Mapping[str, Any], columns: Sequence[str] | None, position: int) -> Any:
    keys = set(given)
    if columns is None:
        if keys == {"text"}:
            return given["text"]
    elif keys == set(columns):
        return [given[name] for name in columns]
    elif len(columns) == len(PAIR) and keys == set(PAIR):
        return [given[name] for name in PAIR]
    shown = ", ".join(map(repr, given)) or "no keys"
    raise ValueError(_wrong_number(f"a dictionary with {shown}", columns, position))


def _wrong_number(found: str, columns: Sequence[str] | None, position: int) -> str:
    """The sentence for a pair given to a model of single texts, and the like."""
    sentence = f"Text number {position} is {found}, and the model reads "
    if columns is None:
        return f'{sentence}single texts: give a string, or {{"text": …}}.'
    names = " and ".join([", ".join(columns[:-1]), columns[-1]])
    keys = PAIR if len(columns) == len(PAIR) else columns
    example = ", ".join(f'"{name}": …' for name in keys)
    return f"{sentence}{len(columns)} texts together, {names}: give {{{example}}}, or a list of the {len(columns)}."

"""Checks of the fields of a configuration that say what is read of a word."""

from __future__ import annotations

from typing import Any

from .configuration_base import MOST_UNITS


CHAR_ENCODERS = ("char_cnn", "char_lstm")
VECTORS = "vectors"
TOKEN_INPUTS = ("word", *CHAR_ENCODERS, "case", VECTORS)
MAX_CHARACTERS, MAX_VECTORS = 1_200_000, 50_000_000
# Fields that are for one of these inputs.
FOR_INPUTS = {
    "char_embedding_size": CHAR_ENCODERS,
    "char_hidden_size": CHAR_ENCODERS,
    "char_dropout": CHAR_ENCODERS,
    "char_kernel_size": ("char_cnn",),
    "case_embedding_size": ("case",),
}


def input_widths(config: Any) -> list[int]:
    """Width of each input of a word, its embedding first, the others in the order in which they are read.

    Example:

    ```python
    >>> input_widths(AttnLSTMConfig(token_inputs=["word", "char_cnn"], num_characters=90))
    [128, 50]
    ```
    """
    widths = [config.embedding_size, *(config.char_hidden_size for _ in config.char_encoders)]
    widths += [config.case_embedding_size] if "case" in config.inputs else []
    return widths + list(config.vector_sizes or ())


def check_word_inputs(config: Any) -> None:
    """ValueError for inputs of a word that there are not, or that lack something."""
    inputs = config.inputs
    unknown = [name for name in inputs if name not in TOKEN_INPUTS]
    if unknown or "word" not in inputs or len(set(inputs)) < len(inputs):
        raise ValueError(
            f"token_inputs must be word, or a list of it and any of {', '.join(TOKEN_INPUTS[1:])}, got "
            f"{config.token_inputs!r}."
        )
    if len(inputs) > 1 and not config.num_characters:
        raise ValueError(
            f"{inputs[1]} in token_inputs needs num_characters, how many different characters the tokens consist of: "
            "set it."
        )
    if not 0 <= config.num_characters <= MAX_CHARACTERS:
        raise ValueError(f"num_characters must be between 0 and {MAX_CHARACTERS:,}, got {config.num_characters:,}.")
    for name, default in (("input_merge", "concat"), ("word_input_dropout", 0)):
        if getattr(config, name) != default and len(inputs) == 1:
            raise ValueError(f"{name} is for several token_inputs: leave it out with one.")
    _check_characters(config)
    _check_vectors(config)


def _check_characters(config: Any) -> None:
    for name, needed in FOR_INPUTS.items():
        if getattr(config, name) != getattr(type(config), name) and not set(needed) & set(config.inputs):
            raise ValueError(
                f"{name} has no effect without {' or '.join(needed)} in token_inputs: leave it out, or add that."
            )
    if not 1 <= config.char_kernel_size <= 99 or not config.char_kernel_size % 2:
        raise ValueError(f"char_kernel_size must be an odd number from 1 to 99, got {config.char_kernel_size}.")
    if "char_lstm" in config.inputs and config.char_hidden_size % 2:
        raise ValueError(
            f"char_hidden_size is the width of both directions together and must be even, got "
            f"{config.char_hidden_size}."
        )


def _check_vectors(config: Any) -> None:
    sizes, rows = config.vector_sizes or [], config.vector_rows or []
    if (VECTORS in config.inputs) != bool(sizes) or len(sizes) != len(rows):
        raise ValueError(
            "vectors in token_inputs, vector_sizes and vector_rows belong together, with a number for each file of "
            f"vectors in both: got {config.vector_sizes} and {config.vector_rows}."
        )
    if any(not 1 <= size <= MOST_UNITS for size in sizes) or any(not 1 <= count <= MAX_VECTORS for count in rows):
        raise ValueError(
            f"vector_sizes must be from 1 to {MOST_UNITS:,} and vector_rows from 1 to {MAX_VECTORS:,}, got "
            f"{config.vector_sizes} and {config.vector_rows}."
        )

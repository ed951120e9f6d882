"""What is read of the words of a new model: when its flags have an effect, and how the model gets it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from transformers import PreTrainedTokenizerBase

from ..data.vector_tables import VectorTable, fill_word_vectors, read_vector_table
from ..data.word_tokenizer import SpellingTables, spelling_tables
from ..modeling.configuration_words import CHAR_ENCODERS, TOKEN_INPUTS, VECTORS
from ..modeling.modeling_attnlstm import AttnLSTMModel
from .flag_effects import Effect, without
from .word_input_arguments import WordInputArguments, input_fields


class WordTables(NamedTuple):
    """What a new model knows of words from elsewhere than its training.

    Attributes:
        fields: Of the configuration.
        spelling: How the tokens are spelt; None where nobody asks.
        vectors: Those of each file.
    """

    fields: dict[str, Any]
    spelling: SpellingTables | None
    vectors: list[VectorTable]


def input_effects(token_inputs: Sequence[str]) -> tuple[Effect, ...]:
    """When the flags have an effect: beside these inputs, of the flags or of the model that a run goes on from."""
    inputs = set(token_inputs)
    several = "with one of --token_inputs: add another, or leave it out"
    return (
        Effect(
            ("char_embedding_size", "char_hidden_size", "char_dropout"),
            lambda _: bool(inputs & set(CHAR_ENCODERS)),
            without("char_cnn or char_lstm in --token_inputs"),
        ),
        Effect(("char_kernel_size",), lambda _: "char_cnn" in inputs, without("char_cnn in --token_inputs")),
        Effect(("case_embedding_size",), lambda _: "case" in inputs, without("case in --token_inputs")),
        Effect(("input_merge", "word_input_dropout", "max_word_length"), lambda _: len(inputs) > 1, several),
        Effect(
            ("freeze_word_vectors", "max_word_vectors"),
            lambda _: VECTORS in inputs,
            without("vectors in --token_inputs"),
        ),
    )


def check_inputs(arguments: WordInputArguments, lowercase: bool = False) -> None:
    """Refuse inputs that there are not, or that lack something.

    Args:
        arguments: The flags.
        lowercase: Whether the tokenizer makes all letters small.

    Raises:
        ValueError: Names the flag and the mend.

    Example:

    ```python
    >>> check_inputs(WordInputArguments(token_inputs=["word", "vectors"]))
    Traceback (most recent call last):
    ValueError: vectors in --token_inputs need --word_vectors: name their files, or leave them out.
    ```
    """
    inputs, files = arguments.token_inputs, arguments.word_vectors or []
    wrong = [name for name in inputs if name not in TOKEN_INPUTS]
    if wrong or len(set(inputs)) < len(inputs) or "word" not in inputs:
        raise ValueError(
            f"--token_inputs takes word and any of {', '.join(TOKEN_INPUTS[1:])}, each once, got {' '.join(inputs)}."
        )
    if "case" in inputs and lowercase:
        raise ValueError(
            "case in --token_inputs sees nothing of a text in lower case: add --lowercase false, or leave it out."
        )
    if VECTORS in inputs and not files:
        raise ValueError("vectors in --token_inputs need --word_vectors: name their files, or leave them out.")
    if VECTORS not in inputs and len(files) > 1:
        raise ValueError(
            f"--word_vectors names {len(files)} files, and one alone can start the embedding: add vectors to "
            "--token_inputs, to read them beside it."
        )


def read_word_tables(
    arguments: WordInputArguments, tokenizer: PreTrainedTokenizerBase, by_words: bool = False
) -> WordTables:
    """Read what the flags name.

    Args:
        arguments: The flags.
        tokenizer: Of the model.
        by_words: Whether the model must know which tokens make up words, whatever it reads of them.

    Raises:
        FileNotFoundError: There is no such file of vectors.
        ValueError: It is damaged, or of another format.

    Example:

    ```python
    >>> read_word_tables(WordInputArguments(token_inputs=["word", "case"]), tokenizer).fields["token_inputs"]
    ['word', 'case']
    ```
    """
    values = input_fields(arguments)
    if len(arguments.token_inputs) == 1 and not by_words:
        return WordTables(values, None, [])
    longest = arguments.max_word_length
    spelling = spelling_tables(tokenizer, longest)
    paths = arguments.word_vectors or () if VECTORS in arguments.token_inputs else ()
    tables = [read_vector_table(path, spelling, longest, arguments.max_word_vectors) for path in paths]
    values["num_characters"] = len(spelling.kinds)
    if tables:
        values["vector_sizes"] = [table.vectors.shape[1] for table in tables]
        values["vector_rows"] = [len(table.numbers) for table in tables]
    return WordTables(values, spelling, tables)


def fields_of_unread(arguments: WordInputArguments) -> dict[str, Any]:
    """What stands in a configuration for tables that are not read yet, to check the others beside it.

    Example:

    ```python
    >>> fields_of_unread(WordInputArguments(token_inputs=["word", "case"]))
    {'num_characters': 1}
    ```
    """
    values: dict[str, Any] = {"num_characters": 1} if len(arguments.token_inputs) > 1 else {}
    if VECTORS in arguments.token_inputs:
        values |= {"vector_sizes": [1], "vector_rows": [1]}
        # Whether it has a place is seen when their width is known.
        values["residual"] = False
    return values


def give_word_tables(backbone: AttnLSTMModel, tables: WordTables) -> None:
    """Put what was read into a model that was made with these fields."""
    if tables.spelling is not None:
        backbone.set_spelling(*(torch.from_numpy(table) for table in tables.spelling[:-1]))
    for module, table in zip(backbone.embeddings.further.vectors if tables.vectors else (), tables.vectors):
        fill_word_vectors(module, table)


def freeze_vectors(backbone: AttnLSTMModel) -> None:
    """Keep the vectors of a model, which were trained elsewhere, as they are."""
    further = backbone.embeddings.further
    for vectors in () if further is None else further.vectors:
        vectors.table.requires_grad_(False)

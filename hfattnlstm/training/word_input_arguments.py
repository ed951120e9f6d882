"""The flags that say what is read of a word, which classifiers and taggers share."""

# No `from __future__ import annotations`: HfArgumentParser wants types, and TrainingArguments' are types.
from dataclasses import dataclass, fields
from typing import Any, Literal

from ..modeling.configuration_attnlstm import AttnLSTMConfig
from ..modeling.configuration_words import CHAR_ENCODERS, FOR_INPUTS
from .arguments import flag


@dataclass
class WordInputArguments:
    """What is read of a word beside its embedding."""

    token_inputs: list[str] = flag(
        ["word"],
        "What is read of a word: word, its embedding, and any of char_cnn and char_lstm, its characters, case, how it "
        "is written, and vectors, those of --word_vectors.",
    )
    input_merge: Literal["concat", "sum", "gated", "attention"] = flag("concat", "How these become one.")
    word_input_dropout: float = flag(
        0.0, "Share of the words that are read in training without their embedding, as unknown ones are."
    )
    max_word_length: int = flag(24, "Characters read of a word.")
    char_embedding_size: int = flag(30, "Width of the embedding of a character.")
    char_hidden_size: int = flag(50, "Filters over the characters, or width of the states of both directions.")
    char_kernel_size: int = flag(3, "Characters that a filter sees.")
    char_dropout: float = flag(0.0, "Dropout on the embeddings of characters.")
    case_embedding_size: int = flag(10, "Width of the embedding of how a word is written.")
    word_vectors: list[str] | None = flag(
        None,
        "GloVe or word2vec file to start the embedding from; with vectors in --token_inputs, one or more that are "
        "read beside it, for words that are no tokens, too.",
    )
    freeze_word_vectors: bool = flag(False, "Whether vectors that are read beside the embedding stay as they are.")
    max_word_vectors: int = flag(400_000, "Words at most that have such a vector of each file, the first ones.")


def input_fields(arguments: WordInputArguments) -> dict[str, Any]:
    """Those of the flags that are fields of [`AttnLSTMConfig`] and have an effect beside the others, by name.

    Example:

    ```python
    >>> input_fields(WordInputArguments())
    {'token_inputs': 'word'}
    ```
    """
    inputs = arguments.token_inputs
    if len(inputs) == 1:
        return {"token_inputs": inputs[0]}
    names = {item.name for item in fields(AttnLSTMConfig)} & {item.name for item in fields(WordInputArguments)}
    idle = {name for name, needed in FOR_INPUTS.items() if not set(needed) & set(inputs)}
    return {name: getattr(arguments, name) for name in names - idle}


def reads_characters(arguments: WordInputArguments) -> bool:
    """Whether the characters of words are read.

    Example:

    ```python
    >>> reads_characters(WordInputArguments(token_inputs=["word", "char_cnn"]))
    True
    ```
    """
    return bool(set(CHAR_ENCODERS) & set(arguments.token_inputs))

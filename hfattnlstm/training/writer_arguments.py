"""The flags that all models which write have: of their tokens, and of their decoder."""

# No `from __future__ import annotations`: HfArgumentParser wants types, and TrainingArguments' are types.
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from ..modeling.configuration_seq2seq import AttnLSTMSeq2SeqConfig
from .arguments import flag


# What follows from the data, or from flags of other names.
_FROM_THE_DATA = frozenset({"vocab_size", "image_conv_sizes", "label_smoothing"})


@dataclass
class WriterArguments:
    """Which model writes."""

    model_name_or_path: str | None = flag(None, "Model to go on from, with its flags; a new one without.")
    tokenizer_kind: Literal["bpe", "word", "char"] = flag(
        "bpe", "What a token is: a frequent piece of a word, a word, or a character."
    )
    vocab_size: int = flag(8_000, "Tokens at most.")
    lowercase: bool = flag(False, "Whether upper and lower case are the same, which all that is written then lacks.")
    max_length: int = flag(128, "Tokens of a text at most.")
    embedding_size: int = flag(256, "Width of the embeddings.")
    hidden_size: int = flag(512, "Width of the encoder's states, both directions together.")
    decoder_hidden_size: int | None = flag(None, "Width of the decoder's states; hidden_size without.")
    num_decoder_layers: int = flag(1, "LSTM layers of the decoder.")
    input_feeding: bool = flag(True, "Whether the decoder reads what its last token was predicted by.")
    cross_attention_score: Literal["additive", "linear", "dot", "general", "diagonal_dot"] = flag(
        "additive", "Score of the attention."
    )
    cross_attention_size: int | None = flag(None, "Inner width of the score; hidden_size without.")
    cross_attention_num_heads: int = flag(1, "Attention heads.")
    cross_attention_normalizer: Literal["softmax", "sparsemax", "entmax15"] = flag("softmax", "Scores to weights.")
    cross_attention_temperature: float = flag(1.0, "Divides the scores.")
    coverage: bool = flag(False, "Whether the score is told where attention has been.")
    coverage_loss_coef: float = flag(0.0, "Weight of the attention that goes where attention has been.")
    hidden_dropout_prob: float = flag(0.2, "Dropout between layers, and on what the decoder attends to.")
    embedding_dropout: float = flag(0.3, "Dropout on the embeddings.")
    locked_dropout: bool = flag(False, "Whether these drop the same units at every token.")
    word_dropout: float = flag(0.0, "Share of the tokens left out in training, on both sides.")
    readout_dropout: float = flag(0.3, "Dropout on what a token is predicted by.")
    tie_word_embeddings: bool = flag(True, "Whether tokens are predicted by the embeddings that are read.")
    initializer_range: float = flag(0.1, "Standard deviation of the initial embedding.")


def with_default(name: str, default: Any) -> Any:
    """The flag of that name with a default of its own, for a subclass of [`WriterArguments`]."""
    return field(default=default, metadata=WriterArguments.__dataclass_fields__[name].metadata)


def config_fields(arguments: WriterArguments) -> dict[str, Any]:
    """The flags that are fields of [`AttnLSTMSeq2SeqConfig`], by name, but for what the data decide."""
    names = {item.name for item in fields(AttnLSTMSeq2SeqConfig)} & {item.name for item in fields(arguments)}
    return {name: getattr(arguments, name) for name in names - _FROM_THE_DATA}

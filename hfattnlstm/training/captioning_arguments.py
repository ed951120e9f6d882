"""The flags of a model that describes pictures: where they come from, and which model learns from them."""

# No `from __future__ import annotations`: HfArgumentParser wants types, and TrainingArguments' are types.
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal

from ..data.image_text_processor import SIDE
from ..modeling.configuration_seq2seq import AttnLSTMSeq2SeqConfig
from .arguments import Passes, flag
from .seq2seq_arguments import Seq2SeqRunArguments


# What the captions or the pictures decide.
_FROM_THE_DATA = frozenset({"vocab_size", "image_conv_sizes"})


@dataclass
class CaptionArguments:
    """Where the pictures with captions come from."""

    dataset: str | None = flag(None, "Hub name or folder, with a column of pictures, in place of train_file.")
    dataset_config: str | None = flag(None, "Configuration of the data set, where it has several.")
    train_file: str | None = flag(
        None, "File with the training pictures: parquet with pictures, or csv or jsonl with the names of their files."
    )
    validation_file: str | None = flag(None, "The same for validation; some pictures are held out without.")
    test_file: str | None = flag(None, "The same for the test metrics.")
    further_splits: list[str] | None = flag(None, "Further splits of the data set that are measured, beside test.")
    caption_column: str | None = flag(None, "Column with the captions, texts or lists; found by its name without.")
    image_column: str | None = flag(
        None,
        "Column with the pictures, names of their files, or lists of features of regions; found by its name without.",
    )
    validation_size: float | None = flag(
        None, "Share of the training pictures held out without validation pictures; a tenth, but at most 2,000."
    )
    split_seed: int = flag(42, "Seed of that split alone; --seed is that of the run.")
    max_train_samples: int | None = flag(None, "Train on so many pictures only, to try things out.")


@dataclass
class CaptionModelArguments:
    """Which model describes pictures."""

    model_name_or_path: str | None = flag(None, "Model to go on from, with its flags; a new one without.")
    tokenizer_kind: Literal["bpe", "word", "char"] = flag(
        "word", "What a token is: a frequent piece of a word, a word, or a character."
    )
    vocab_size: int = flag(8_000, "Tokens at most.")
    lowercase: bool = flag(True, "Whether captions are written in lower case.")
    max_length: int = flag(64, "Tokens of a caption at most.")
    image_side: int = flag(SIDE, "Pixels of a picture's side, to which all are resized.")
    image_conv_sizes: list[int] = flag(
        [24, 48, 96, 128], "Filters of the convolutions that read pictures, each of which halves their sides."
    )
    embedding_size: int = flag(128, "Width of the embeddings.")
    hidden_size: int = flag(256, "Width of the state of a region.")
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
    coverage: bool = flag(True, "Whether the score is told where attention has been.")
    coverage_loss_coef: float = flag(0.0, "Weight of the attention that goes where attention has been.")
    hidden_dropout_prob: float = flag(0.0, "Dropout between layers, and on what the decoder attends to.")
    embedding_dropout: float = flag(0.0, "Dropout on the embeddings.")
    locked_dropout: bool = flag(False, "Whether these drop the same units at every token.")
    word_dropout: float = flag(0.0, "Share of the tokens left out in training.")
    readout_dropout: float = flag(0.0, "Dropout on what a token is predicted by.")
    tie_word_embeddings: bool = flag(True, "Whether tokens are predicted by the embeddings that are read.")
    initializer_range: float = flag(0.1, "Standard deviation of the initial embedding.")


@dataclass
class CaptionRunArguments(Seq2SeqRunArguments):
    """The flags of the run, with the defaults of a model that describes pictures."""

    train_sampling_strategy: Literal["random", "sequential", "group_by_length"] = flag(
        "random", "random, sequential or group_by_length."
    )
    num_train_epochs: float | None = flag(
        None, "Passes over the training captions; without, as many as give 3,000 updates, but 4 to 60.", "epochs"
    )
    learning_rate: float = flag(1e-3, "Highest learning rate.", "lr")
    label_smoothing_factor: float = flag(0.0, "Share of the target that the loss spreads over all tokens.")
    generation_num_beams: int | None = flag(3, "Beams with which the model writes when it is trained.")

    passes: ClassVar[tuple[Passes, ...]] = (Passes(3_000, 4, 60),) * 3
    unit: ClassVar[str] = "captions"


def caption_fields(arguments: CaptionModelArguments) -> dict[str, Any]:
    """The flags that are fields of [`AttnLSTMSeq2SeqConfig`], by name, but for what the data decide."""
    names = {item.name for item in fields(AttnLSTMSeq2SeqConfig)} & {item.name for item in fields(arguments)}
    return {name: getattr(arguments, name) for name in names - _FROM_THE_DATA}

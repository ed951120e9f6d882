"""The flags of a model that describes pictures: where they come from, and which model learns from them."""

# No `from __future__ import annotations`: HfArgumentParser wants types, and TrainingArguments' are types.
from dataclasses import dataclass
from typing import ClassVar, Literal

from ..data.image_text_processor import SIDE
from .arguments import Passes, flag
from .seq2seq_arguments import Seq2SeqRunArguments
from .writer_arguments import WriterArguments, with_default


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
class CaptionModelArguments(WriterArguments):
    """Which model describes pictures."""

    tokenizer_kind: Literal["bpe", "word", "char"] = with_default("tokenizer_kind", "word")
    lowercase: bool = flag(True, "Whether captions are written in lower case.")
    max_length: int = with_default("max_length", 64)
    embedding_size: int = with_default("embedding_size", 128)
    hidden_size: int = flag(256, "Width of the state of a region.")
    coverage: bool = with_default("coverage", True)
    hidden_dropout_prob: float = with_default("hidden_dropout_prob", 0.0)
    embedding_dropout: float = with_default("embedding_dropout", 0.0)
    word_dropout: float = flag(0.0, "Share of the tokens left out in training.")
    readout_dropout: float = with_default("readout_dropout", 0.0)
    image_side: int = flag(SIDE, "Pixels of a picture's side, to which all are resized.")
    image_conv_sizes: list[int] = flag(
        [24, 48, 96, 128], "Filters of the convolutions that read pictures, each of which halves their sides."
    )


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

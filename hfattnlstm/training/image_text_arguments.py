"""The flags of a classification of texts with pictures: where they come from, and which model learns from them."""

# No `from __future__ import annotations`: HfArgumentParser wants types, and TrainingArguments' are types.
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal

from ..data.image_text_processor import SIDE
from ..modeling.configuration_attnlstm import AttnLSTMConfig
from .arguments import Passes, RunArguments, flag
from .context_arguments import ContextArguments


# What the texts, the pictures or the labels decide.
_FROM_THE_DATA = frozenset({"vocab_size", "image_conv_sizes"})


@dataclass
class ImageTextArguments:
    """Where the texts with pictures come from."""

    dataset: str | None = flag(None, "Hub name or folder, with a column of pictures, in place of train_file.")
    dataset_config: str | None = flag(None, "Configuration of the data set, where it has several.")
    train_file: str | None = flag(
        None, "File with the training rows: parquet with pictures, or csv or jsonl with the names of their files."
    )
    validation_file: str | None = flag(None, "File with the validation rows; some are held out without.")
    test_file: str | None = flag(None, "File for the test metrics.")
    further_splits: list[str] | None = flag(None, "Further splits of the data set that are measured, beside test.")
    text_column: list[str] | None = flag(
        None, "Column with the texts, or several that are read together; found by its name without."
    )
    label_column: str | None = flag(None, "Column with the labels; found by its name without.")
    image_column: str | None = flag(
        None,
        "Column with the pictures, names of their files, or lists of features of regions; found by its name without.",
    )
    group_column: str | None = flag(
        None,
        "Column whose equal values belong together, such as statements on the same pictures: they are held out "
        "together, and stand in a batch together; the column group, where there is one, without.",
    )
    kind_column: str | None = flag(
        None, "Column by whose values scores are given, too, such as what a statement is about."
    )
    problem_type: str | None = flag(
        None, "single_label_classification, multi_label_classification or regression; seen from the labels without."
    )
    validation_size: float = flag(0.1, "Share of the training rows held out without a validation split.")
    split_seed: int = flag(42, "Seed of that split alone; --seed is that of the run.")


@dataclass
class ImageTextModelArguments(ContextArguments):
    """Which model reads texts with pictures."""

    model_name_or_path: str | None = flag(None, "Model to go on from, with its flags; a new one without.")
    lowercase: bool = flag(True, "Whether the tokenizer, of whole words, lower-cases.")
    vocab_size: int = flag(30_000, "Words that it has at most.")
    max_length: int = flag(128, "Words read of a text.")
    truncation: Literal["head", "tail", "head_tail"] = flag("head", "Which part of a longer text is read.")
    image_side: int = flag(SIDE, "Pixels of a picture's side, to which all are resized.")
    image_conv_sizes: list[int] = flag(
        [24, 48, 96, 128], "Filters of the convolutions that read pictures, each of which halves their sides."
    )
    num_attention_heads: int = flag(4, "Heads of the layers between words and regions, and of the context layers.")
    num_cross_modal_layers: int = flag(2, "Layers in which words and regions attend to each other.")
    cross_modal_intermediate_size: int | None = flag(None, "Width of their feed-forward part; four times hidden_size.")
    embedding_size: int = flag(128, "Width of the embedding.")
    hidden_size: int = flag(128, "Width of the states, both directions together.")
    num_hidden_layers: int = flag(1, "LSTM layers.")
    bidirectional: bool = flag(True, "Whether the layers also read from the end.")
    direction_merge: Literal["concat", "sum", "mean", "weighted"] = flag("concat", "How two directions become one.")
    residual: bool = flag(False, "Whether a layer's input is added to its output.")
    hidden_dropout_prob: float = flag(0.0, "Dropout between layers, and on what attention adds.")
    embedding_dropout: float = flag(0.0, "Dropout on the embeddings.")
    word_dropout: float = flag(0.0, "Share of the words left out in training.")
    classifier_pooling: list[str] = flag(["attention"], "Of attention, mean, max, last, sum.")
    pooler_score: Literal["additive", "linear", "dot", "general", "diagonal_dot"] = flag(
        "additive", "Score of the attention."
    )
    pooler_num_heads: int = flag(1, "Heads of the pooling.")
    pooler_temperature: float = flag(1.0, "Divides the scores.")
    pooler_normalizer: Literal["softmax", "sparsemax", "entmax15"] = flag("softmax", "Scores to weights.")
    classifier_hidden_size: int | None = flag(None, "Width of a hidden layer before the logits.")
    classifier_dropout: float = flag(0.0, "Dropout before the logits.")


@dataclass
class ImageTextRunArguments(RunArguments):
    """The flags of the run, with the defaults of a classifier of texts with pictures."""

    train_sampling_strategy: Literal["random", "sequential"] = flag("random", "random or sequential.")
    num_train_epochs: float | None = flag(
        None, "Passes over the training rows; without, as many as give 9,000 updates, but 4 to 40.", "epochs"
    )
    learning_rate: float = flag(1e-3, "Highest learning rate.", "lr")
    per_device_train_batch_size: int = flag(64, "Rows in a training batch of one process.", "batch_size")
    per_device_eval_batch_size: int = flag(128, "Rows in an evaluation batch of one process.")
    warmup_steps: float = flag(0.1, "Share of the steps, or steps, in which the learning rate rises.")
    baselines: bool = flag(
        True, "Whether the same model is also trained on the texts alone, and on the pictures alone, to compare."
    )

    passes: ClassVar[tuple[Passes, ...]] = (Passes(9_000, 4, 40),) * 3
    unit: ClassVar[str] = "texts"


def config_fields(arguments: ImageTextModelArguments) -> dict[str, Any]:
    """The flags that are fields of [`AttnLSTMConfig`], by name, but for what the data decide."""
    names = {item.name for item in fields(AttnLSTMConfig)} & {item.name for item in fields(arguments)}
    values = {name: getattr(arguments, name) for name in names - _FROM_THE_DATA}
    poolings = values["classifier_pooling"]
    values["classifier_pooling"] = poolings[0] if len(poolings) == 1 else poolings
    return values

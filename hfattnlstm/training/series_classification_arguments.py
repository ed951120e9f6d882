"""The flags of a training that classifies whole series."""

# No `from __future__ import annotations`: HfArgumentParser wants types, and TrainingArguments' are types.
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal

from ..modeling.configuration_forecaster import AttnLSTMForecasterConfig
from .arguments import RunArguments, flag


@dataclass
class LabelledSeriesArguments:
    """Where the series with labels come from."""

    dataset: str | None = flag(None, "Hub name or folder, in place of train_file; its split train is read.")
    train_file: str | None = flag(
        None, "File with a series a row: jsonl or parquet with lists, or csv with a number a column."
    )
    validation_file: str | None = flag(None, "File to measure on; some training series are held out without.")
    test_file: str | None = flag(None, "File for the test metrics.")
    values_column: str | None = flag(None, "Column with the values; found by its name without.")
    label_column: str | None = flag(None, "Column with the labels; found by its name without.")
    problem_type: Literal["regression", "single_label_classification", "multi_label_classification"] | None = flag(
        None, "What the labels are; found without."
    )
    validation_size: float = flag(0.1, "Share of the training series held out.")
    split_seed: int = flag(42, "Seed of that choice alone; --seed is that of the run.")


@dataclass
class SeriesClassifierArguments:
    """Which model classifies."""

    model_name_or_path: str | None = flag(None, "Trained model to go on from; a new one without.")
    lookback: int | None = flag(None, "Steps that are read, the last ones; those of the longest series without.")
    scaler: Literal["standard", "none"] = flag("standard", "Whether channels are scaled by their mean and deviation.")
    mix_channels: bool = flag(True, "Whether the channels are read together, and not each by itself.")
    instance_center: Literal["none", "mean", "last"] = flag("none", "What is taken off each series.")
    instance_scale: Literal["none", "std", "mean_abs"] = flag("none", "What the rest of it is divided by.")
    front: Literal["segments", "convolution"] = flag("segments", "What reads the values.")
    segment_length: int | None = flag(None, "Steps of a segment; without, as many as make about 60 of a series.")
    conv_kernel_size: int = flag(3, "Steps that a convolution sees.")
    conv_pool_size: int = flag(2, "Steps of a window of which the maximum is kept.")
    embedding_size: int = flag(64, "Width of what the LSTM reads.")
    hidden_size: int = flag(128, "Width of its states, both directions together.")
    num_hidden_layers: int = flag(1, "LSTM layers.")
    bidirectional: bool = flag(True, "Whether the series is also read from its end.")
    direction_merge: Literal["concat", "sum", "mean", "weighted"] = flag("concat", "How two directions become one.")
    residual: bool = flag(False, "Whether a layer's input is added to its output.")
    hidden_dropout_prob: float = flag(0.1, "Dropout between layers, and on what context layers add.")
    context_layers: list[str] | None = flag(None, "Layers after the LSTM: attention, transformer, or several.")
    num_attention_heads: int = flag(4, "Heads of these.")
    intermediate_size: int | None = flag(None, "Width inside a transformer's layer; four times hidden_size.")
    pooling: list[str] = flag(["attention"], "What a label is made of: attention, mean, max, last, sum.")
    pooler_score: Literal["additive", "linear", "dot", "general", "diagonal_dot"] = flag("additive", "Its score.")
    pooler_size: int | None = flag(None, "Inner width of the scores additive and diagonal_dot.")
    pooler_num_heads: int = flag(1, "Weightings of the series.")
    pooler_normalizer: Literal["softmax", "sparsemax", "entmax15"] = flag("softmax", "What makes weights of them.")
    classifier_hidden_size: int | None = flag(None, "Width of a tanh layer before the logits; none without.")
    classifier_dropout: float = flag(0.1, "Dropout on what enters the head's layers.")


@dataclass
class SeriesClassificationArguments(RunArguments):
    """The flags of the run, with the defaults of a classifier of series."""

    train_sampling_strategy: Literal["random", "sequential"] = flag("random", "random or sequential.")
    per_device_train_batch_size: int = flag(32, "Series in a training batch of one process.", "batch_size")
    per_device_eval_batch_size: int = flag(64, "Series in an evaluation batch of one process.")

    unit: ClassVar[str] = "series"


def classifier_fields(arguments: SeriesClassifierArguments) -> dict[str, Any]:
    """The flags that are fields of [`AttnLSTMForecasterConfig`], by name, but for what the series decide."""
    names = {item.name for item in fields(AttnLSTMForecasterConfig)} & {item.name for item in fields(arguments)}
    return {name: getattr(arguments, name) for name in names - {"segment_length"}}

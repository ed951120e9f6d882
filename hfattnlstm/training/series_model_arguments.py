"""The flags of the models of time series, and what forecasters and classifiers of series share of them."""

# No `from __future__ import annotations`: HfArgumentParser wants types.
from dataclasses import dataclass, fields
from typing import Any, Literal

from ..modeling.configuration_forecaster import AttnLSTMForecasterConfig
from .arguments import flag
from .context_arguments import CONTEXT_EFFECTS, ContextArguments
from .flag_effects import Effect, beside, without


@dataclass
class SeriesModelArguments(ContextArguments):
    """Which model reads series."""

    model_name_or_path: str | None = flag(None, "Trained model to go on from, with its flags; a new one without.")
    lookback: int | None = flag(None, "Steps that are read, the last ones; those of the longest series without.")
    scaler: Literal["standard", "none"] = flag("standard", "Whether channels are scaled by their mean and deviation.")
    mix_channels: bool = flag(True, "Whether the channels are read together, and not each by itself.")
    instance_center: Literal["none", "mean", "last"] = flag("none", "What is taken off what is read.")
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
    pooling: list[str] = flag(["attention"], "What the output is made of: attention, mean, max, last, sum.")
    pooler_score: Literal["additive", "linear", "dot", "general", "diagonal_dot"] = flag("additive", "Its score.")
    pooler_size: int | None = flag(None, "Inner width of the scores additive and diagonal_dot.")
    pooler_num_heads: int = flag(1, "Weightings of the series.")
    pooler_temperature: float = flag(1.0, "Divides the scores.")
    pooler_normalizer: Literal["softmax", "sparsemax", "entmax15"] = flag("softmax", "What makes weights of them.")
    pooler_l2_coef: float = flag(0.0, "Weight of the squares of the attention in the loss.")
    pooler_entropy_coef: float = flag(0.0, "Weight of its entropy in the loss.")
    pooler_diversity_coef: float = flag(0.0, "Weight of the overlap of its heads in the loss.")
    classifier_hidden_size: int | None = flag(None, "Width of a tanh layer before the output; none without.")
    classifier_dropout: float | None = flag(0.1, "Dropout on what enters the head's layers.")


def config_fields(arguments: SeriesModelArguments) -> dict[str, Any]:
    """The flags that are fields of [`AttnLSTMForecasterConfig`], by name, but for what the series decide."""
    names = {item.name for item in fields(AttnLSTMForecasterConfig)} & {item.name for item in fields(arguments)}
    return {name: getattr(arguments, name) for name in names - {"segment_length"}}


def layer_effects(model: SeriesModelArguments, reads_segments: bool) -> tuple[Effect, ...]:
    """Flags that need layers which may not be there, by the flags of the model.

    Args:
        model: The flags.
        reads_segments: Whether the length of a segment has an effect.
    """
    layers = model.num_hidden_layers > 1 or model.context_layers
    return (
        Effect(("segment_length",), lambda _: reads_segments, beside("--front convolution")),
        Effect(("hidden_dropout_prob",), lambda _: bool(layers), without("--num_hidden_layers 2 or --context_layers")),
        *CONTEXT_EFFECTS,
    )

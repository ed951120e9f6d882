"""The flags of context layers, which all trainings of models with labels, tags or forecasts share."""

# No `from __future__ import annotations`: HfArgumentParser wants types, and TrainingArguments' are types.
from dataclasses import dataclass, fields
from typing import Any, Literal

from ..modeling.configuration_context import FOR_LAYERS
from .arguments import flag
from .flag_effects import Effect, without


@dataclass
class ContextArguments:
    """How the states of the LSTM attend to each other."""

    context_layers: list[str] | None = flag(
        None,
        "Layers after the LSTM in which its states attend to each other: attention, transformer, which has a "
        "feed-forward part too, lsh_attention and lsh_transformer, which hash, for long texts; or several.",
    )
    context_merge: Literal["add", "concat"] = flag("add", "How what a state attends to comes to it.")
    context_causal: bool = flag(False, "Whether a state attends only to those before it.")
    num_attention_heads: int = flag(4, "Heads of these layers.")
    intermediate_size: int | None = flag(None, "Width inside a transformer's layer; four times hidden_size.")
    num_hashes: int = flag(2, "How often layers with lsh hash the states.")
    num_buckets: int = flag(512, "Into how many buckets at most.")
    lsh_attn_chunk_length: int = flag(64, "States that stand together once they are sorted by bucket.")


CONTEXT_FLAGS = tuple(item.name for item in fields(ContextArguments))


def _has(kinds: tuple[str, ...]) -> Any:
    return lambda config: bool(set(kinds) & set(config.context_layers or ()))


# From a configuration, or flags of the same names.
CONTEXT_EFFECTS = (
    Effect(("num_attention_heads",), lambda config: bool(config.context_layers), without("--context_layers")),
    *(
        Effect((name,), _has(kinds), without(f"{' or '.join(kinds)} in --context_layers"))
        for name, kinds in FOR_LAYERS.items()
    ),
)

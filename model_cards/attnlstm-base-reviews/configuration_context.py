"""Checks of the fields of a configuration that say how the states of a sequence attend to each other."""

from __future__ import annotations

from typing import Any


# With a residual and a normalisation; as the layer of a transformer; and the two with hashed attention.
ATTENTION, TRANSFORMER, LSH_ATTENTION, LSH_TRANSFORMER = "attention", "transformer", "lsh_attention", "lsh_transformer"
CONTEXT_LAYERS = (ATTENTION, TRANSFORMER, LSH_ATTENTION, LSH_TRANSFORMER)
WITH_FEED_FORWARD = (TRANSFORMER, LSH_TRANSFORMER)
HASHED = (LSH_ATTENTION, LSH_TRANSFORMER)
CONTEXT_MERGES = ("add", "concat")
# Fields that are for some kinds of layers, and those kinds.
FOR_LAYERS = {
    "context_merge": CONTEXT_LAYERS,
    "context_causal": CONTEXT_LAYERS,
    "intermediate_size": WITH_FEED_FORWARD,
    **dict.fromkeys(("num_hashes", "num_buckets", "lsh_attn_chunk_length"), HASHED),
}


def check_context_layers(config: Any) -> None:
    """ValueError for context layers that there are not, or that do not fit the rest of a configuration."""
    layers = config.context_layers or []
    for kind in layers:
        if kind not in CONTEXT_LAYERS:
            raise ValueError(f"context_layers must be some of {', '.join(CONTEXT_LAYERS)}, got {kind!r}.")
    if layers and config.hidden_size % config.num_attention_heads:
        raise ValueError(
            f"hidden_size={config.hidden_size} must be a multiple of num_attention_heads={config.num_attention_heads}."
        )
    for name, kinds in FOR_LAYERS.items():
        if getattr(config, name) != getattr(type(config), name) and not set(kinds) & set(layers):
            raise ValueError(f"{name} is for {_either(kinds)} in context_layers: leave it out, or add that.")
    if config.num_buckets % 2:
        raise ValueError(f"num_buckets must be even, for the two ends of each direction, got {config.num_buckets}.")
    if config.context_causal and config.bidirectional:
        raise ValueError(
            "context_causal is for states that know nothing of what comes: leave it out, or set bidirectional=False."
        )


def _either(kinds: tuple[str, ...]) -> str:
    return " or ".join([", ".join(f'"{kind}"' for kind in kinds[:-1]), f'"{kinds[-1]}"'])

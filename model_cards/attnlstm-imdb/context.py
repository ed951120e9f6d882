"""Layers in which the states of a sequence attend to each other, after the recurrence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers.modeling_layers import GradientCheckpointingLayer

from .configuration_context import CONTEXT_LAYERS, CONTEXT_MERGES, HASHED, WITH_FEED_FORWARD
from .layout import zero_where
from .lsh_attention import LSHSelfAttention
from .multi_head_attention import EAGER, PLAIN, AttentionRun, MultiHeadAttention


class StateMerge(nn.Module):
    """A state and what it has attended to, as one normalised state.

    Args:
        kind: `"add"`, or `"concat"`: both side by side through a linear layer.
        hidden_size: Width of each, and of the result.
        dropout: On what was attended to.

    Raises:
        ValueError: For another kind.

    Example:

    ```python
    >>> StateMerge("concat", 8)(torch.zeros(3, 5, 8), torch.zeros(3, 5, 8)).shape
    torch.Size([3, 5, 8])
    ```
    """

    def __init__(self, kind: str, hidden_size: int, dropout: float = 0.0):
        super().__init__()
        if kind not in CONTEXT_MERGES:
            raise ValueError(f"context_merge must be one of {', '.join(CONTEXT_MERGES)}, got {kind!r}.")
        self.dropout = nn.Dropout(dropout)
        self.join = nn.Linear(2 * hidden_size, hidden_size) if kind == "concat" else None
        self.norm = nn.LayerNorm(hidden_size)

    def forward(self, states: Tensor, attended: Tensor) -> Tensor:
        attended = self.dropout(attended)
        return self.norm(states + attended if self.join is None else self.join(torch.cat([states, attended], -1)))


class FeedForward(nn.Module):
    """Two linear layers with a GELU between them.

    Args:
        hidden_size: Width of what it reads and returns.
        intermediate_size: Width between them.
    """

    def __init__(self, hidden_size: int, intermediate_size: int):
        super().__init__()
        self.enter = nn.Linear(hidden_size, intermediate_size)
        self.leave = nn.Linear(intermediate_size, hidden_size)

    def forward(self, states: Tensor) -> Tensor:
        return self.leave(F.gelu(self.enter(states)))


class ContextLayer(GradientCheckpointingLayer):
    """Self-attention with a residual and a normalisation; as a transformer's layer with a feed-forward part after it.

    Args:
        kind: One of `CONTEXT_LAYERS`; those with `lsh` hash the states.
        hidden_size: Width of the states.
        num_heads: Heads.
        intermediate_size: Width inside the feed-forward part; four times `hidden_size` when it is None.
        merge: How what is attended to comes to the states; see [`StateMerge`].
        causal: Whether a state attends only to itself and those before it.
        dropout: Dropout on what comes to the states.
        **hashing: Those of [`LSHSelfAttention`], for layers that hash.

    Raises:
        ValueError: For another kind.

    Example:

    ```python
    >>> layer = ContextLayer("attention", 8, num_heads=2)
    >>> layer(torch.zeros(3, 5, 8), torch.ones(3, 5, dtype=torch.bool)).shape
    torch.Size([3, 5, 8])
    ```
    """

    def __init__(
        self,
        kind: str,
        hidden_size: int,
        *,
        num_heads: int,
        intermediate_size: int | None = None,
        merge: str = "add",
        causal: bool = False,
        dropout: float = 0.0,
        **hashing: Any,
    ):
        super().__init__()
        if kind not in CONTEXT_LAYERS:
            raise ValueError(f"context_layers must be some of {', '.join(CONTEXT_LAYERS)}, got {kind!r}.")
        if kind in HASHED:
            self.attention = LSHSelfAttention(hidden_size, num_heads, causal=causal, **hashing)
        else:
            self.attention = MultiHeadAttention(hidden_size, num_heads, causal=causal)
        self.merge = StateMerge(merge, hidden_size, dropout)
        self.feed_forward = self.feed_forward_merge = None
        if kind in WITH_FEED_FORWARD:
            self.feed_forward = FeedForward(hidden_size, intermediate_size or 4 * hidden_size)
            self.feed_forward_merge = StateMerge("add", hidden_size, dropout)

    def forward(self, states: Tensor, mask: Tensor, run: AttentionRun = PLAIN) -> Tensor:
        """Attend.

        Args:
            states: (batch, length, hidden_size).
            mask: Boolean (batch, length), True on real tokens.
            run: How attention is computed.

        Returns:
            (batch, length, hidden_size), 0 on padding.
        """
        states = self.merge(states, self.attention(states, mask, run=run).states)
        if self.feed_forward is not None:
            states = self.feed_forward_merge(states, self.feed_forward(states))
        return zero_where(~mask[..., None], states)


class ContextOutput(NamedTuple):
    """Result of a [`ContextStack`]: `states` (batch, length, hidden_size), 0 on padding, and `final` (batch,
    hidden_size), that of the last real token, 0 where there is none."""

    states: Tensor
    final: Tensor


class ContextStack(nn.Module):
    """Context layers one after the other.

    Args:
        kinds: Of [`ContextLayer`], in order.
        hidden_size: Width of the states.
        **options: Those of [`ContextLayer`]; layers that do not hash pass over those of hashing.

    Example:

    ```python
    >>> stack = ContextStack(["attention", "transformer"], 8, num_heads=2)
    >>> stack(torch.zeros(3, 5, 8), torch.ones(3, 5, dtype=torch.bool)).final.shape
    torch.Size([3, 8])
    ```
    """

    def __init__(self, kinds: Sequence[str], hidden_size: int, **options: Any):
        super().__init__()
        self.layers = nn.ModuleList(ContextLayer(kind, hidden_size, **options) for kind in kinds)

    def forward(self, states: Tensor, mask: Tensor, run: AttentionRun = PLAIN) -> ContextOutput:
        """As [`ContextLayer.forward`]."""
        for layer in self.layers:
            states = layer(states, mask, run)
        return ContextOutput(states, last_states(states, mask))


def context_stack(config: Any) -> ContextStack | None:
    """That of a configuration with the fields of context layers; None for one without any.

    Example:

    ```python
    >>> len(context_stack(AttnLSTMConfig(context_layers=["attention"])).layers)
    1
    ```
    """
    if not config.context_layers:
        return None
    return ContextStack(
        config.context_layers,
        config.hidden_size,
        num_heads=config.num_attention_heads,
        intermediate_size=config.intermediate_size,
        merge=config.context_merge,
        causal=config.context_causal,
        dropout=config.hidden_dropout_prob,
        num_hashes=config.num_hashes,
        num_buckets=config.num_buckets,
        chunk_length=config.lsh_attn_chunk_length,
    )


def attention_run(config: Any, kwargs: dict[str, Any]) -> AttentionRun:
    """How attention is computed by a model of this configuration, called with these arguments."""
    wanted = kwargs.get("output_attentions")
    return AttentionRun(
        getattr(config, "_attn_implementation", None) or EAGER,
        bool(getattr(config, "output_attentions", False) if wanted is None else wanted),
    )


def last_states(states: Tensor, mask: Tensor) -> Tensor:
    """Of states (batch, length, hidden_size) those at the last real place, (batch, hidden_size)."""
    places = torch.arange(mask.shape[1], device=mask.device)
    last = torch.where(mask, places, 0).amax(1)
    return states.gather(1, last[:, None, None].expand(-1, 1, states.shape[2])).squeeze(1)

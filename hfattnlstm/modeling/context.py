"""Layers in which the states of a sequence attend to each other, after the recurrence."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers.modeling_layers import GradientCheckpointingLayer

from .attention import masked_softmax
from .capturing import PicklableCapture
from .configuration_forecaster import CONTEXT_LAYERS
from .layout import zero_where


class SelfAttention(PicklableCapture, nn.Module):
    """Multi-head self-attention (Vaswani et al., 2017).

    Args:
        hidden_size: Width of the states.
        num_heads: Heads, which share the width out among them.

    Raises:
        ValueError: When the width is no multiple of the heads.

    Example:

    ```python
    >>> attention = SelfAttention(8, 2)
    >>> states, weights = attention(torch.zeros(3, 5, 8), torch.ones(3, 5, dtype=torch.bool))
    >>> states.shape, weights.shape
    (torch.Size([3, 5, 8]), torch.Size([3, 2, 5, 5]))
    ```
    """

    def __init__(self, hidden_size: int, num_heads: int):
        super().__init__()
        if hidden_size % num_heads:
            raise ValueError(f"hidden_size={hidden_size} must be a multiple of num_attention_heads={num_heads}.")
        self.num_heads = num_heads
        self.query = nn.Linear(hidden_size, hidden_size)
        self.key = nn.Linear(hidden_size, hidden_size)
        self.value = nn.Linear(hidden_size, hidden_size)
        self.output = nn.Linear(hidden_size, hidden_size)

    def forward(self, states: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Attend.

        Args:
            states: (batch, length, hidden_size).
            mask: Boolean (batch, length), True on real tokens.

        Returns:
            (batch, length, hidden_size), and the weights (batch, heads, length, length), 0 on and of padding.
        """
        query, key, value = (self._heads(layer(states)) for layer in (self.query, self.key, self.value))
        scores = query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5
        wide = scores if scores.dtype == torch.float64 else scores.float()
        weights = masked_softmax(wide, mask[:, None, None, :]).to(states.dtype)
        weights = weights.masked_fill(~mask[:, None, :, None], 0.0)
        return self.output((weights @ value).transpose(1, 2).flatten(2)), weights

    def _heads(self, states: Tensor) -> Tensor:
        return states.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)


class ContextLayer(GradientCheckpointingLayer):
    """Self-attention with a residual and a normalisation; as a transformer's layer with a feed-forward part after it.

    Args:
        kind: `"attention"` or `"transformer"`.
        hidden_size: Width of the states.
        num_heads: Heads.
        intermediate_size: Width inside the feed-forward part.
        dropout: Dropout on what is added to the states.

    Raises:
        ValueError: For another kind.

    Example:

    ```python
    >>> layer = ContextLayer("attention", 8, num_heads=2, intermediate_size=16)
    >>> layer(torch.zeros(3, 5, 8), torch.ones(3, 5, dtype=torch.bool)).shape
    torch.Size([3, 5, 8])
    ```
    """

    def __init__(self, kind: str, hidden_size: int, *, num_heads: int, intermediate_size: int, dropout: float = 0.0):
        super().__init__()
        if kind not in CONTEXT_LAYERS:
            raise ValueError(f"context_layers must be some of {', '.join(CONTEXT_LAYERS)}, got {kind!r}.")
        self.attention = SelfAttention(hidden_size, num_heads)
        self.norm = nn.LayerNorm(hidden_size)
        self.dropout = nn.Dropout(dropout)
        self.feed_forward = None
        if kind == "transformer":
            self.feed_forward = FeedForward(hidden_size, intermediate_size)
            self.feed_forward_norm = nn.LayerNorm(hidden_size)

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """(batch, length, hidden_size), 0 where the mask (batch, length) is False."""
        attended, _ = self.attention(states, mask)
        states = self.norm(states + self.dropout(attended))
        if self.feed_forward is not None:
            states = self.feed_forward_norm(states + self.dropout(self.feed_forward(states)))
        return zero_where(~mask[..., None], states)


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

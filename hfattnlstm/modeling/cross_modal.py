"""Layers in which the tokens of a text and the regions of a picture attend to each other."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn
from transformers.modeling_layers import GradientCheckpointingLayer

from .context import FeedForward
from .layout import zero_where
from .multi_head_attention import PLAIN, AttentionRun, MultiHeadAttention


class CrossModalWeights(NamedTuple):
    """Attention weights of a layer, (batch, heads, what attends, what is attended to); None where nobody asked.

    Attributes:
        text_over_image, image_over_text: From one to the other.
        text, image: Of each among themselves.
    """

    text_over_image: Tensor | None
    image_over_text: Tensor | None
    text: Tensor | None
    image: Tensor | None


class _Stream(nn.Module):
    """One side of a layer: attention to the other side, to its own, and a feed-forward part, each normalised before.

    What it takes from the other side comes to it in two ways: by itself, and multiplied with its own state, so that
    a state can say at once whether the two agree.
    """

    def __init__(self, hidden_size: int, num_heads: int, intermediate_size: int, dropout: float):
        super().__init__()
        self.cross_norm, self.self_norm, self.feed_forward_norm = (nn.LayerNorm(hidden_size) for _ in range(3))
        self.cross_attention = MultiHeadAttention(hidden_size, num_heads)
        self.self_attention = MultiHeadAttention(hidden_size, num_heads)
        self.agreement = nn.Linear(hidden_size, hidden_size)
        self.feed_forward = FeedForward(hidden_size, intermediate_size)
        self.dropout = nn.Dropout(dropout)

    def look(
        self, states: Tensor, mask: Tensor, others: Tensor, others_mask: Tensor, run: AttentionRun
    ) -> tuple[Tensor, Tensor | None]:
        """States (batch, length, hidden_size) with what they take from `others`, both normalised; and the weights."""
        attended, weights = self.cross_attention(states, mask, others, others_mask, run)
        return self.dropout(attended + self.agreement(states * attended)), weights

    def reflect(self, states: Tensor, mask: Tensor, run: AttentionRun) -> tuple[Tensor, Tensor | None]:
        attended, weights = self.self_attention(self.self_norm(states), mask, run=run)
        states = states + self.dropout(attended)
        states = states + self.dropout(self.feed_forward(self.feed_forward_norm(states)))
        return zero_where(~mask[..., None], states), weights


class CrossModalLayer(GradientCheckpointingLayer):
    """Text and picture attend to each other, both at once; then each to itself, with a feed-forward part.

    After Tan and Bansal (2019), with the normalisation before each part, not behind: behind it, the weak first signal
    of what text and picture say only together was lost.

    Args:
        hidden_size: Width of all states.
        num_heads: Heads of each attention.
        intermediate_size: Width inside the feed-forward part; four times `hidden_size` when it is None.
        dropout: On what comes to the states.

    Example:

    ```python
    >>> layer = CrossModalLayer(8, 2)
    >>> text, image = torch.zeros(3, 5, 8), torch.zeros(3, 4, 8)
    >>> masks = torch.ones(3, 5, dtype=torch.bool), torch.ones(3, 4, dtype=torch.bool)
    >>> text, image, weights = layer(text, masks[0], image, masks[1])
    >>> text.shape, image.shape
    (torch.Size([3, 5, 8]), torch.Size([3, 4, 8]))
    ```
    """

    def __init__(
        self, hidden_size: int, num_heads: int, *, intermediate_size: int | None = None, dropout: float = 0.0
    ):
        super().__init__()
        sizes = hidden_size, num_heads, intermediate_size or 4 * hidden_size, dropout
        self.text, self.image = _Stream(*sizes), _Stream(*sizes)

    def forward(
        self, text: Tensor, text_mask: Tensor, image: Tensor, image_mask: Tensor, run: AttentionRun = PLAIN
    ) -> tuple[Tensor, Tensor, CrossModalWeights]:
        """Attend.

        Args:
            text, text_mask: (batch, length, hidden_size), and boolean (batch, length), True on real tokens.
            image, image_mask: (batch, regions, hidden_size), and boolean (batch, regions), True on real regions.
            run: How attention is computed.

        Returns:
            Both, 0 on padding, and the weights.
        """
        tokens, regions = self.text.cross_norm(text), self.image.cross_norm(image)
        seen, over_image = self.text.look(tokens, text_mask, regions, image_mask, run)
        told, over_text = self.image.look(regions, image_mask, tokens, text_mask, run)
        text, among_text = self.text.reflect(text + seen, text_mask, run)
        image, among_image = self.image.reflect(image + told, image_mask, run)
        return text, image, CrossModalWeights(over_image, over_text, among_text, among_image)

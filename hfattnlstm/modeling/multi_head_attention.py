"""Multi-head attention of the states of one sequence over those of another, or over themselves."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from .attention import masked_softmax
from .capturing import PicklableCapture
from .layout import can_be_read


EAGER = "eager"


class AttentionRun(NamedTuple):
    """How attention is computed, which changes no result but for rounding.

    Attributes:
        implementation: `"eager"`, `"sdpa"`, or a name of transformers' `AttentionInterface`, whose function gets a
            boolean mask that is True where a query may look, or None.
        output_attentions: Whether the weights are returned, too. No result depends on it: where the implementation
            has none, they are computed beside it, and no gradient flows through them.
    """

    implementation: str = EAGER
    output_attentions: bool = False


PLAIN = AttentionRun()


class Attended(NamedTuple):
    """Result of an attention: `states` (batch, queries, hidden_size), and `weights` (batch, heads, queries, length),
    0 on and of padding, or None where nobody asked."""

    states: Tensor
    weights: Tensor | None


class MultiHeadAttention(PicklableCapture, nn.Module):
    """Multi-head scaled dot-product attention (Vaswani et al., 2017).

    Args:
        hidden_size: Width of the states that attend, and of what is returned.
        num_heads: Heads, which share the width out among them.
        key_size: Width of the states that are attended to; `hidden_size` when it is None.
        causal: Whether a state attends only to those that stand no later than it.

    Raises:
        ValueError: When the width is no multiple of the heads.

    Example:

    ```python
    >>> attention = MultiHeadAttention(8, 2)
    >>> states, mask = torch.zeros(3, 5, 8), torch.ones(3, 5, dtype=torch.bool)
    >>> states, weights = attention(states, mask, run=AttentionRun(output_attentions=True))
    >>> states.shape, weights.shape
    (torch.Size([3, 5, 8]), torch.Size([3, 2, 5, 5]))
    ```
    """

    def __init__(self, hidden_size: int, num_heads: int, *, key_size: int | None = None, causal: bool = False):
        super().__init__()
        check_heads(hidden_size, num_heads)
        self.num_heads = num_heads
        self.is_causal = causal
        self.query = nn.Linear(hidden_size, hidden_size)
        self.key = nn.Linear(key_size or hidden_size, hidden_size)
        self.value = nn.Linear(key_size or hidden_size, hidden_size)
        self.output = nn.Linear(hidden_size, hidden_size)

    def forward(
        self,
        states: Tensor,
        mask: Tensor,
        others: Tensor | None = None,
        others_mask: Tensor | None = None,
        run: AttentionRun = PLAIN,
    ) -> Attended:
        """Attend.

        Args:
            states: (batch, queries, hidden_size), what attends.
            mask: Boolean (batch, queries), True on real tokens.
            others, others_mask: (batch, length, key_size) and (batch, length), what is attended to; `states`
                themselves without. Where no other is real, the result is 0, but for the bias of the last layer.
            run: How it is computed.

        Returns:
            The states, which say nothing on padding, and the weights.
        """
        others, others_mask = (states, mask) if others is None else (others, others_mask)
        query = split_heads(self.query(states), self.num_heads)
        key, value = (split_heads(layer(others), self.num_heads) for layer in (self.key, self.value))
        visible = _visible(others_mask, query.shape[2], self.is_causal)
        # transformers' functions cannot do without rows.
        attend = _function(run.implementation if query.shape[0] else EAGER)
        asking = mask[:, None, :, None]
        context, weights = attend(
            self,
            query,
            key,
            value,
            visible & asking if attend is eager_attention else _never_blind(visible, others_mask),
            dropout=0.0,
            scaling=query.shape[-1] ** -0.5,
            is_causal=self.is_causal,
        )
        # Where there is nothing to look at, a kernel may return anything.
        context = context.flatten(2).masked_fill(~visible.any(-1).squeeze(1)[..., None], 0.0)
        if run.output_attentions and weights is None:
            weights = _weights(query, key, visible & asking)
        return Attended(self.output(context), weights if run.output_attentions else None)


def check_heads(hidden_size: int, num_heads: int) -> None:
    """ValueError for a width that the heads cannot share out."""
    if hidden_size % num_heads:
        raise ValueError(f"hidden_size={hidden_size} must be a multiple of num_attention_heads={num_heads}.")


def split_heads(states: Tensor, num_heads: int) -> Tensor:
    """(batch, length, hidden_size) to (batch, heads, length, head_size)."""
    # Not −1, which stands for nothing in a batch without rows.
    return states.unflatten(-1, (num_heads, states.shape[-1] // num_heads)).transpose(1, 2)


def eager_attention(
    module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor, **_: object
) -> tuple[Tensor, Tensor]:
    """The function `"eager"`, as transformers' `AttentionInterface` wants them.

    Args:
        module: Not read.
        query, key, value: (batch, heads, length, head_size).
        attention_mask: Boolean, broadcast to (batch, heads, queries, length), True where a query may look.

    Returns:
        (batch, queries, heads, head_size), and the weights (batch, heads, queries, length).
    """
    weights = _weights(query, key, attention_mask)
    return (weights @ value).transpose(1, 2), weights


def _weights(query: Tensor, key: Tensor, visible: Tensor) -> Tensor:
    scores = query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5
    wide = scores if scores.dtype == torch.float64 else scores.float()
    return masked_softmax(wide, visible).to(query.dtype)


def _function(name: str):
    return eager_attention if name == EAGER else ALL_ATTENTION_FUNCTIONS[name]


def _visible(mask: Tensor, queries: int, causal: bool) -> Tensor:
    """Boolean (batch, 1, queries or 1, length), True where a query may look."""
    visible = mask[:, None, None, :]
    if causal:
        earlier = torch.ones(queries, mask.shape[1], dtype=torch.bool, device=mask.device).tril()
        visible = visible & earlier
    return visible


def _never_blind(visible: Tensor, mask: Tensor) -> Tensor | None:
    """None where all are real, which the fastest kernels want; else with a place to look for every query."""
    if can_be_read(mask) and bool(mask.all()):
        return None
    return visible | ~visible.any(-1, keepdim=True)

"""From the states of a text to one vector: attention pooling, the other poolings, and penalties on the weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from .attention import Attention
from .capturing import PicklableCapture


POOLINGS = ("attention", "mean", "max", "last", "sum")


class PooledStates(NamedTuple):
    """Result of a pooling: `pooled` (batch, width), and `weights` (batch, heads, 1, length) or None."""

    pooled: Tensor
    weights: Tensor | None


class AttentionPooling(PicklableCapture, nn.Module):
    """Weighted means of the states, one a head, joined.

    What the states are scored against depends on the score: `"dot"` has a learned query a head, `"general"` takes the
    state after the whole text, `"diagonal_dot"` each state itself, and the others need none.

    Args:
        hidden_size: Width of the states.
        score, **options: As for [`Attention`].

    Example:

    ```python
    >>> pooling = AttentionPooling(8, num_heads=2)
    >>> states, mask = torch.zeros(3, 5, 8), torch.ones(3, 5, dtype=torch.bool)
    >>> pooling(states, mask, states[:, -1]).pooled.shape
    torch.Size([3, 16])
    ```
    """

    def __init__(self, hidden_size: int, *, score: str = "additive", **options: Any):
        super().__init__()
        self.attends_final_state = score == "general"
        query_size = hidden_size if self.attends_final_state else None
        self.attend = Attention(hidden_size, query_size, score=score, **options)

    def forward(self, states: Tensor, mask: Tensor, final_state: Tensor) -> PooledStates:
        """Pool.

        Args:
            states: (batch, length, hidden_size).
            mask: Boolean (batch, length), True on real tokens.
            final_state: (batch, hidden_size), the state after the whole text.
        """
        query = final_state.unsqueeze(1) if self.attends_final_state else None
        context, weights = self.attend(states, query, mask)
        return PooledStates(context.flatten(1), weights)


class Pooler(nn.Module):
    """One or several poolings of the states, joined in the order given.

    Args:
        hidden_size: Width of the states.
        poolings: Of `POOLINGS`, each at most once.
        **attention: Those of [`AttentionPooling`], for `"attention"`.

    Raises:
        ValueError: For an unknown pooling, or none.

    Example:

    ```python
    >>> pooler = Pooler(8, ["attention", "max"])
    >>> states, mask = torch.zeros(3, 5, 8), torch.ones(3, 5, dtype=torch.bool)
    >>> pooler(states, mask, states[:, -1]).pooled.shape
    torch.Size([3, 16])
    ```
    """

    def __init__(self, hidden_size: int, poolings: Sequence[str], **attention: Any):
        super().__init__()
        unknown = [name for name in poolings if name not in POOLINGS]
        if unknown or not poolings:
            raise ValueError(f"Poolings must be some of {', '.join(POOLINGS)}, got {list(poolings)}.")
        self.poolings = tuple(poolings)
        self.attention = AttentionPooling(hidden_size, **attention) if "attention" in poolings else None

    def forward(self, states: Tensor, mask: Tensor, final_state: Tensor) -> PooledStates:
        """As [`AttentionPooling.forward`]; the weights are those of the attention, None without."""
        attended = self.attention(states, mask, final_state) if self.attention is not None else None
        parts = [
            attended.pooled if name == "attention" else _pool(name, states, mask, final_state)
            for name in self.poolings
        ]
        pooled = parts[0] if len(parts) == 1 else torch.cat(parts, dim=-1)
        return PooledStates(pooled, attended.weights if attended is not None else None)


def _pool(name: str, states: Tensor, mask: Tensor, final_state: Tensor) -> Tensor:
    if name == "last":
        return final_state
    if name == "max":
        highest = states.masked_fill(~mask[..., None], torch.finfo(states.dtype).min).amax(1)
        return highest.masked_fill(~mask.any(1)[:, None], 0.0)
    total = states.sum(1)
    return total / mask.sum(1, keepdim=True).clamp(min=1).to(total.dtype) if name == "mean" else total


def attention_penalty(weights: Tensor, *, l2: float = 0.0, entropy: float = 0.0, diversity: float = 0.0) -> Tensor:
    """Sum of penalties on attention weights; texts without a token count for nothing.

    Args:
        weights: (batch, heads, 1, length).
        l2, entropy, diversity: The coefficients.

    Returns:
        A scalar: l2 · Σa² + entropy · (−Σa·log a), each averaged over texts and heads, + diversity · ‖AAᵀ−I‖²,
        averaged over texts (Lin et al., 2017).

    Example:

    ```python
    >>> attention_penalty(torch.tensor([[[[0.5, 0.5]]]]), l2=1.0)
    tensor(0.5000)
    ```
    """
    weights = weights.squeeze(2)
    weights = weights if weights.dtype == torch.float64 else weights.float()
    filled = (weights.sum(dim=(1, 2)) > 0).to(weights.dtype)
    heads = weights.shape[1]
    penalty = weights.new_zeros(weights.shape[0])
    if l2:
        penalty = penalty + l2 * weights.square().sum((1, 2)) / heads
    if entropy:
        # log of a weight of 0 would give 0 · −inf; xlogy has the limit, but not its gradient.
        logs = weights.clamp(min=torch.finfo(weights.dtype).tiny).log()
        penalty = penalty - entropy * (weights * logs).sum((1, 2)) / heads
    if diversity:
        overlap = weights @ weights.transpose(1, 2) - torch.eye(heads, dtype=weights.dtype, device=weights.device)
        penalty = penalty + diversity * overlap.square().sum((1, 2))
    return (penalty * filled).sum() / max(weights.shape[0], 1)

"""Self-attention among states that are hashed alike (Kitaev et al., 2020), for texts too long for the full one.

The states are sorted by their bucket and cut into chunks; each attends to its own chunk and the two beside it. This is
done once for every round of hashing. A pair of states counts once, in the first round that brings it together, so the
weights are exactly those of the full attention over all pairs that any round has seen.

Where a state stands after sorting depends on the real tokens of its own text alone: padding changes nothing.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import initialization as init

from .capturing import PicklableCapture
from .multi_head_attention import PLAIN, Attended, AttentionRun, check_heads, split_heads
from .reading_order import invert


# Of a state's score with itself, which is always the highest: it counts only where there is no other.
_ITSELF = -5e4
# States that are hashed together, which bounds the memory that the scores of all buckets take.
_HASHED_AT_ONCE = 4096
# Sorts padding behind every bucket.
_BEHIND = 2**30


class SortedStates(NamedTuple):
    """Where one round of hashing puts the states; rows are texts and heads.

    Attributes:
        order: (rows, chunks · chunk_length), which state stands at each place; behind the real ones, others.
        place: (rows, length), the inverse.
        chunk: (rows, length), the chunk in which each stands.
    """

    order: Tensor
    place: Tensor
    chunk: Tensor


class Recall(NamedTuple):
    """What hashing has seen of each text, by heads.

    Attributes:
        weights: (batch, heads), the share of the weights of full attention, the mean over the real tokens; 0 for a
            text without any.
        pairs: (batch, heads), the share of the pairs themselves, which is what it would see of even weights.
    """

    weights: Tensor
    pairs: Tensor


class LSHSelfAttention(PicklableCapture, nn.Module):
    """Multi-head self-attention with locality-sensitive hashing (Kitaev et al., 2020).

    Queries and keys are the same states, the keys brought to length 1. A state's bucket is the end of a random
    direction to which it is nearest; there are two for each chunk that the text fills. No state attends to itself
    unless it is alone.

    Args:
        hidden_size: Width of the states.
        num_heads: Heads, which share the width out among them.
        causal: Whether a state attends only to those before it.
        num_hashes: Rounds of hashing.
        num_buckets: Buckets at most, an even number.
        chunk_length: States that stand together after sorting. A text that is no longer is attended to in full.

    Raises:
        ValueError: When the width is no multiple of the heads, or the buckets are no even number.

    Example:

    ```python
    >>> attention = LSHSelfAttention(8, 2, chunk_length=4)
    >>> attention(torch.randn(3, 50, 8), torch.ones(3, 50, dtype=torch.bool)).states.shape
    torch.Size([3, 50, 8])
    ```
    """

    def __init__(
        self,
        hidden_size: int,
        num_heads: int,
        *,
        causal: bool = False,
        num_hashes: int = 2,
        num_buckets: int = 512,
        chunk_length: int = 64,
    ):
        super().__init__()
        check_heads(hidden_size, num_heads)
        if num_buckets < 2 or num_buckets % 2:
            raise ValueError(f"num_buckets must be even and 2 at least, got {num_buckets}.")
        self.num_heads = num_heads
        self.is_causal = causal
        self.chunk_length = chunk_length
        self.query_key = nn.Linear(hidden_size, hidden_size, bias=False)
        self.value = nn.Linear(hidden_size, hidden_size)
        self.output = nn.Linear(hidden_size, hidden_size)
        # Kept with the weights, so that a model that is loaded hashes as it did.
        shape = (num_hashes, num_heads, hidden_size // num_heads, num_buckets // 2)
        self.register_buffer("directions", torch.randn(shape))

    def init_parameters(self) -> None:
        """Start from random directions."""
        init.copy_(self.directions, torch.randn(self.directions.shape))

    # Not compiled: how many buckets there are follows from the lengths, and each number would get a graph of its own.
    @torch.compiler.disable
    def forward(self, states: Tensor, mask: Tensor, run: AttentionRun = PLAIN) -> Attended:
        """Attend.

        Args:
            states: (batch, length, hidden_size).
            mask: Boolean (batch, length), True on real tokens.
            run: Whether to return the weights, whose memory grows with the square of the length; there is one
                implementation.

        Raises:
            ValueError: While a graph is exported.
        """
        if torch.compiler.is_exporting():
            raise ValueError("Attention that hashes cannot be exported: train a model with full attention for that.")
        queries, keys, values = self._projected(states)
        real = mask.repeat_interleave(self.num_heads, 0)
        weights = None
        if states.shape[1] <= self.chunk_length:
            # One chunk holds all: there is nothing to sort.
            weights = _weights(queries, keys, self._visible(real))
            context = weights @ values
        else:
            rounds = self._rounds(queries, mask)
            context = self._over_rounds(queries, keys, values, real, rounds)
            if run.output_attentions:
                weights = _weights(queries, keys, self._visible(real) & _together(rounds))
        context = self._of_heads(context.masked_fill(~real[..., None], 0.0).to(states.dtype))
        return Attended(
            self.output(context.transpose(1, 2).flatten(2)),
            self._of_heads(weights).to(states.dtype) if run.output_attentions else None,
        )

    @torch.no_grad()
    def recall(self, states: Tensor, mask: Tensor) -> Recall:
        """Which share of the full attention's weights falls on pairs that hashing has seen.

        Args:
            states, mask: As in `forward`; memory grows with the square of the length.

        Example:

        ```python
        >>> attention = LSHSelfAttention(8, 2, chunk_length=64)
        >>> attention.recall(torch.randn(1, 50, 8), torch.ones(1, 50, dtype=torch.bool)).weights
        tensor([[1., 1.]])
        ```
        """
        queries, keys, _ = self._projected(states)
        real = mask.repeat_interleave(self.num_heads, 0)
        visible = self._visible(real)
        seen = visible & _together(self._rounds(queries, mask))
        weights = _weights(queries, keys, visible).masked_fill(~seen, 0.0).sum((1, 2)) / real.sum(1).clamp(min=1)
        pairs = seen.sum((1, 2)) / visible.sum((1, 2)).clamp(min=1)
        return Recall(self._of_heads(weights), self._of_heads(pairs))

    def _projected(self, states: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values (batch · heads, length, head_size), at least in single precision."""
        queries, values = (
            split_heads(layer(states), self.num_heads).flatten(0, 1) for layer in (self.query_key, self.value)
        )
        if queries.dtype not in (torch.float32, torch.float64):
            queries, values = queries.float(), values.float()
        return queries, F.normalize(queries, dim=-1), values

    @torch.no_grad()
    def _rounds(self, queries: Tensor, mask: Tensor) -> list[SortedStates]:
        count = mask.sum(1)
        chunks = -(-count // self.chunk_length)
        # Of each text, because a longer one beside it must change nothing.
        ends = torch.where(chunks > 1, chunks, 0).clamp(max=self.directions.shape[-1])
        ends = ends.repeat_interleave(self.num_heads, 0)
        real = mask.repeat_interleave(self.num_heads, 0)
        return [
            _sorted(_buckets(queries, directions.to(queries.dtype), ends), real, self.chunk_length)
            for directions in self.directions
        ]

    def _over_rounds(
        self, queries: Tensor, keys: Tensor, values: Tensor, real: Tensor, rounds: list[SortedStates]
    ) -> Tensor:
        """What each state attends to, (rows, length, head_size), of all that any round has brought together."""
        found = [self._attend(queries, keys, values, real, rounds[: index + 1]) for index in range(len(rounds))]
        if len(found) == 1:
            return found[0][0]
        contexts, totals = zip(*found)
        shares = torch.stack(totals).softmax(0)[..., None]
        return (torch.stack(contexts) * shares).sum(0)

    def _attend(
        self, queries: Tensor, keys: Tensor, values: Tensor, real: Tensor, rounds: list[SortedStates]
    ) -> tuple[Tensor, Tensor]:
        """Attention to what the last of the rounds has brought together, and none before it.

        Returns:
            (rows, length, head_size), and the logarithm of the sum of the scores' exponentials (rows, length).
        """
        own = rounds[-1]
        size = self.chunk_length
        inside = (own.order.unflatten(1, (-1, size)), _with_neighbours(own.order, size))
        there = torch.arange(own.order.shape[1], device=real.device) < real.sum(1, keepdim=True)
        visible = _with_neighbours(there, size)[:, :, None, :]
        query, key = (each[..., None] if axis == 0 else each[:, :, None, :] for axis, each in enumerate(inside))
        if self.is_causal:
            visible = visible & (key <= query)
        for earlier in rounds[:-1]:
            chunk = earlier.chunk.gather(1, own.order)
            apart = chunk.unflatten(1, (-1, size))[..., None] - _with_neighbours(chunk, size)[:, :, None, :]
            visible = visible & (apart.abs() > 1)
        scores = _sorted_by(queries, own.order).unflatten(1, (-1, size)) @ _with_neighbours(
            _sorted_by(keys, own.order), size
        ).transpose(-1, -2)
        scores = scores.masked_fill(query == key, _ITSELF).masked_fill(~visible, torch.finfo(scores.dtype).min)
        total = scores.logsumexp(-1)
        weights = (scores - total[..., None]).exp()
        context = weights @ _with_neighbours(_sorted_by(values, own.order), size)
        context, total = context.flatten(1, 2), total.flatten(1)
        return _sorted_by(context, own.place), total.gather(1, own.place)

    def _of_heads(self, of_rows: Tensor) -> Tensor:
        """(batch · heads, …) as (batch, heads, …)."""
        return of_rows.unflatten(0, (of_rows.shape[0] // self.num_heads, self.num_heads))

    def _visible(self, real: Tensor) -> Tensor:
        """Boolean (rows, length, length), True where a state may look."""
        visible = real[:, None, :] & real[:, :, None]
        return visible.tril() if self.is_causal else visible


def _buckets(queries: Tensor, directions: Tensor, ends: Tensor) -> Tensor:
    """The bucket of each state: the end of the direction to which it is nearest.

    Args:
        queries: (rows, length, head_size).
        directions: (heads, head_size, directions).
        ends: (rows,), how many of the directions a row uses; 0 for one bucket.

    Returns:
        (rows, length).
    """
    most = max(int(ends.max()), 1) if len(ends) else 1
    directions = directions[..., :most].repeat(len(queries) // len(directions), 1, 1)
    unused = torch.arange(most, device=ends.device) >= ends[:, None, None]
    found = []
    for part in queries.split(_HASHED_AT_ONCE, 1):
        along = part @ directions
        high, upper = along.masked_fill(unused, -torch.inf).max(-1)
        low, lower = along.masked_fill(unused, torch.inf).min(-1)
        found.append(torch.where(high >= -low, upper, ends[:, None] + lower))
    # Where a row uses none, both are without end, and all fall into one bucket.
    return torch.cat(found, 1)


def _sorted(buckets: Tensor, real: Tensor, chunk_length: int) -> SortedStates:
    """Sort by bucket, in the order of the text within it, with padding behind."""
    length = buckets.shape[1]
    keys = F.pad(buckets.masked_fill(~real, _BEHIND), (0, -length % chunk_length), value=_BEHIND)
    order = keys.argsort(dim=1, stable=True)
    place = invert(order)[:, :length]
    # Places behind the end hold no state at all; any will do.
    return SortedStates(order.clamp(max=length - 1), place, (place // chunk_length).int())


def _sorted_by(states: Tensor, order: Tensor) -> Tensor:
    """(rows, length, width) in another order (rows, places)."""
    return states.gather(1, order[..., None].expand(-1, -1, states.shape[2]))


def _with_neighbours(values: Tensor, chunk_length: int) -> Tensor:
    """(rows, chunks · chunk_length, …) as (rows, chunks, 3 · chunk_length, …): each chunk between the ones beside it.

    Zeros, or False, stand beside the first and the last.
    """
    chunks = values.unflatten(1, (-1, chunk_length))
    edge = chunks.new_zeros(chunks.shape[0], 1, *chunks.shape[2:])
    padded = torch.cat([edge, chunks, edge], 1)
    return torch.cat([padded[:, :-2], padded[:, 1:-1], padded[:, 2:]], 2)


def _together(rounds: list[SortedStates]) -> Tensor:
    """Boolean (rows, length, length), True for pairs that any round has brought together."""
    near = [(chunk[:, :, None] - chunk[:, None, :]).abs() <= 1 for _, _, chunk in rounds]
    return torch.stack(near).any(0)


def _weights(queries: Tensor, keys: Tensor, visible: Tensor) -> Tensor:
    """Those of shared queries and keys, (rows, length, length), over all that is visible."""
    scores = queries @ keys.transpose(1, 2)
    itself = torch.eye(scores.shape[1], dtype=torch.bool, device=scores.device)
    scores = scores.masked_fill(itself, _ITSELF).masked_fill(~visible, torch.finfo(scores.dtype).min)
    return scores.softmax(-1).masked_fill(~visible, 0.0)

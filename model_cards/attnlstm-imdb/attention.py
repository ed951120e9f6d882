"""Attention: scores of keys for queries, normalisers of the scores, and the weighted means of the keys.

Shapes are batch-first; memory is read time-major, as the recurrence leaves its states there, so nothing is copied.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from .layout import over_tokens


# A score takes keys (batch, length, key_size) and a query, and returns (batch, heads, queries, length). The query is
# (batch, queries, query_size): one for a text, or one for each step of a decoder or region of an image. It is None
# where a score can do without, for which there is one row of scores.
#
# It does so in two parts: `project` makes of the keys all that no query is needed for, which a decoder does once for
# all of its steps, and `match` compares that with a query. `project` is affine.


def _tanh(values: Tensor) -> Tensor:
    """In place where no gradient can need the old values."""
    return torch.tanh(values) if torch.is_grad_enabled() else values.tanh_()


class AdditiveScore(nn.Module):
    """vᵀtanh(Wk + Uq + b), with one v a head (Bahdanau et al., 2015; several heads after Lin et al., 2017).

    Args:
        key_size: Width of the keys.
        query_size: Width of the queries; None for none, where b stands for a learned one.
        num_heads: Heads.
        size: Inner width; `key_size` when it is None.
    """

    def __init__(self, key_size: int, query_size: int | None = None, *, num_heads: int = 1, size: int | None = None):
        super().__init__()
        width = size or key_size
        self.projection = nn.Linear(key_size, width)
        self.query = nn.Linear(query_size, width, bias=False) if query_size is not None else None
        self.vector = nn.Linear(width, num_heads, bias=False)

    def project(self, keys: Tensor) -> Tensor:
        return over_tokens(self.projection, keys)

    def match(self, projected: Tensor, query: Tensor) -> Tensor:
        # (batch, queries, length, width)
        inner = projected.unsqueeze(1) + self.query(query).unsqueeze(2)
        return self.vector(_tanh(inner)).permute(0, 3, 1, 2)

    def forward(self, keys: Tensor, query: Tensor | None = None) -> Tensor:
        if query is None:
            scores = over_tokens(lambda states: self.vector(_tanh(self.projection(states))), keys)
            return scores.transpose(1, 2).unsqueeze(2)
        return self.match(self.project(keys), query)


class LinearScore(nn.Module):
    """tanh(wᵀk + uᵀq + b). Args as for [`AdditiveScore`], but for `size`."""

    def __init__(self, key_size: int, query_size: int | None = None, *, num_heads: int = 1):
        super().__init__()
        self.projection = nn.Linear(key_size, num_heads)
        self.query = nn.Linear(query_size, num_heads, bias=False) if query_size is not None else None

    def project(self, keys: Tensor) -> Tensor:
        return over_tokens(self.projection, keys)

    def match(self, projected: Tensor, query: Tensor) -> Tensor:
        return _tanh(projected.transpose(1, 2).unsqueeze(2) + self.query(query).transpose(1, 2).unsqueeze(3))

    def forward(self, keys: Tensor, query: Tensor | None = None) -> Tensor:
        if query is None:
            return _tanh(self.project(keys).transpose(1, 2).unsqueeze(2))
        return self.match(self.project(keys), query)


class DotScore(nn.Module):
    """qᵀk.

    Args:
        key_size: Width of the keys.
        query_size: Width of the queries, which is num_heads · key_size; None for a learned one a head, the same for
            all texts (Yang et al., 2016).
        num_heads: Heads.

    Raises:
        ValueError: For queries of another width.
    """

    def __init__(self, key_size: int, query_size: int | None = None, *, num_heads: int = 1):
        super().__init__()
        if query_size not in (None, num_heads * key_size):
            raise ValueError(f"A dot score of {num_heads} head(s) needs query_size={num_heads * key_size}.")
        self.num_heads = num_heads
        # A layer, which it is for whoever adapts all linear ones.
        self.query = nn.Linear(key_size, num_heads, bias=False) if query_size is None else None

    def project(self, keys: Tensor) -> Tensor:
        return keys

    def match(self, projected: Tensor, query: Tensor) -> Tensor:
        return _dot(projected, query, self.num_heads)

    def forward(self, keys: Tensor, query: Tensor | None = None) -> Tensor:
        if query is None:
            return over_tokens(self.query, keys).transpose(1, 2).unsqueeze(2)
        return self.match(self.project(keys), query)


def _dot(keys: Tensor, query: Tensor, num_heads: int) -> Tensor:
    """Scores (batch, heads, queries, length) for queries (batch, queries, heads · key_size)."""
    batch, queries = query.shape[:2]
    rows = query.view(batch, queries * num_heads, keys.shape[-1])
    scores = keys @ rows.transpose(1, 2)
    return scores.unflatten(2, (queries, num_heads)).permute(0, 3, 2, 1)


class GeneralScore(nn.Module):
    """qᵀWk with one W a head (Luong et al., 2015). Args as for [`LinearScore`]; it needs a query."""

    def __init__(self, key_size: int, query_size: int, *, num_heads: int = 1):
        super().__init__()
        self.num_heads = num_heads
        self.query = nn.Linear(query_size, num_heads * key_size, bias=False)

    def project(self, keys: Tensor) -> Tensor:
        return keys

    def match(self, projected: Tensor, query: Tensor) -> Tensor:
        return _dot(projected, self.query(query), self.num_heads)

    def forward(self, keys: Tensor, query: Tensor) -> Tensor:
        return self.match(self.project(keys), query)


class DiagonalDotScore(nn.Module):
    """(W_q q)·(W_k k); the heads share the width out among them.

    Without a query, each key is its own: the diagonal of self-attention. Args as for [`AdditiveScore`].
    """

    def __init__(self, key_size: int, query_size: int | None = None, *, num_heads: int = 1, size: int | None = None):
        super().__init__()
        width = size or key_size
        self.num_heads = num_heads
        self.query = nn.Linear(key_size if query_size is None else query_size, width, bias=False)
        self.key = nn.Linear(key_size, width, bias=False)

    def project(self, keys: Tensor) -> Tensor:
        return over_tokens(self.key, keys)

    def match(self, projected: Tensor, query: Tensor) -> Tensor:
        queries = self.query(query).unflatten(-1, self._share).transpose(1, 2)
        return queries @ projected.unflatten(-1, self._share).permute(0, 2, 3, 1)

    def forward(self, keys: Tensor, query: Tensor | None = None) -> Tensor:
        if query is None:
            product = over_tokens(self.query, keys) * self.project(keys)
            return product.unflatten(-1, self._share).sum(-1).transpose(1, 2).unsqueeze(2)
        return self.match(self.project(keys), query)

    @property
    def _share(self) -> tuple[int, int]:
        return self.num_heads, self.key.out_features // self.num_heads


def make_score(name: str, key_size: int, query_size: int | None, num_heads: int, size: int | None) -> nn.Module:
    """One of `SCORES` by its name; the args are those of the scores, which take what they can use.

    Raises:
        ValueError: For another name.
    """
    if name == "additive":
        return AdditiveScore(key_size, query_size, num_heads=num_heads, size=size)
    if name == "linear":
        return LinearScore(key_size, query_size, num_heads=num_heads)
    if name == "dot":
        return DotScore(key_size, query_size, num_heads=num_heads)
    if name == "general":
        return GeneralScore(key_size, query_size, num_heads=num_heads)
    if name == "diagonal_dot":
        return DiagonalDotScore(key_size, query_size, num_heads=num_heads, size=size)
    raise ValueError(f"The score must be one of {', '.join(SCORES)}, got {name!r}.")


SCORES = ("additive", "linear", "dot", "general", "diagonal_dot")


def masked_softmax(scores: Tensor, mask: Tensor) -> Tensor:
    """Softmax over the last dimension of `scores` where `mask` is True; 0 elsewhere, and in rows without True."""
    lowest = torch.finfo(scores.dtype).min
    weights = torch.softmax(scores.masked_fill(~mask, lowest), dim=-1)
    return weights.masked_fill(~mask, 0.0)


def masked_sparsemax(scores: Tensor, mask: Tensor) -> Tensor:
    """Sparsemax over the last dimension where `mask` is True, in closed form (Martins and Astudillo, 2016).

    Args:
        scores: (…, length), in float32 or wider.
        mask: Boolean, broadcast to `scores`.

    Returns:
        Weights (…, length): they sum to 1 in every row with a True in `mask`; all other entries are 0.

    Example:

    ```python
    >>> scores = torch.tensor([[1.0, 0.8, -1.0]])
    >>> masked_sparsemax(scores, torch.ones_like(scores, dtype=torch.bool))
    tensor([[0.6000, 0.4000, 0.0000]])
    ```
    """
    shifted = _shift_below_zero(scores, mask)
    support = _support(shifted, lambda total, _, count: (total - 1) / count)
    count = support.sum(-1, keepdim=True).clamp(min=1)
    threshold = ((shifted * support).sum(-1, keepdim=True) - 1) / count
    return (shifted - threshold).clamp(min=0).masked_fill(~mask, 0.0)


def masked_entmax15(scores: Tensor, mask: Tensor) -> Tensor:
    """Entmax with α = 1.5 over the last dimension where `mask` is True, in closed form (Peters et al., 2019).

    Args and returned shape as for [`masked_sparsemax`].

    Example:

    ```python
    >>> scores = torch.tensor([[1.0, 0.8, -2.0]])
    >>> masked_entmax15(scores, torch.ones_like(scores, dtype=torch.bool))
    tensor([[0.5705, 0.4295, 0.0000]])
    ```
    """
    shifted = _shift_below_zero(scores / 2, mask)
    support = _support(shifted, _entmax15_threshold)
    count = support.sum(-1, keepdim=True).clamp(min=1)
    inside = shifted * support
    # The threshold is computed again on the support alone: differentiating the sorted form would take the square
    # root of 0 for candidates that were not chosen, and turn the gradient into NaN.
    threshold = _entmax15_threshold(inside.sum(-1, keepdim=True), inside.square().sum(-1, keepdim=True), count)
    return (shifted - threshold).clamp(min=0).square().masked_fill(~mask, 0.0)


NORMALIZERS = {"softmax": masked_softmax, "sparsemax": masked_sparsemax, "entmax15": masked_entmax15}


def _shift_below_zero(scores: Tensor, mask: Tensor) -> Tensor:
    """Move the largest real score to 0 and the masked ones to −2: any score below −1 gets no weight."""
    highest = scores.masked_fill(~mask, torch.finfo(scores.dtype).min).amax(-1, keepdim=True)
    return (scores - highest.detach()).masked_fill(~mask, -2.0)


def _entmax15_threshold(total: Tensor, total_of_squares: Tensor, count: Tensor) -> Tensor:
    mean = total / count
    spread = total_of_squares - count * mean.square()
    return mean - ((1 - spread) / count).clamp(min=1e-12).sqrt()


@torch.no_grad()
def _support(shifted: Tensor, threshold_of) -> Tensor:
    """True where the entries lie above their row's threshold, found on the sorted row."""
    ordered = shifted.sort(dim=-1, descending=True).values
    count = torch.arange(1, shifted.shape[-1] + 1, device=shifted.device, dtype=shifted.dtype)
    thresholds = threshold_of(ordered.cumsum(-1), ordered.square().cumsum(-1), count)
    size = (ordered > thresholds).sum(-1, keepdim=True).clamp(min=1)
    return shifted > thresholds.gather(-1, size - 1)


class AttentionOutput(NamedTuple):
    """Result of [`Attention`]: `context` (batch, heads, queries, key_size), `weights` with length for key_size."""

    context: Tensor
    weights: Tensor


class AttentionMemory(NamedTuple):
    """What there is to attend to, made ready for many queries.

    Attributes:
        keys: (batch, length, key_size).
        projected: What the score makes of them.
        mask: Boolean (batch, length), True on real ones.
    """

    keys: Tensor
    projected: Tensor
    mask: Tensor


class Attention(nn.Module):
    """Weighted means of the keys, one for each head and query.

    Args:
        key_size: Width of the keys.
        query_size: Width of the queries; None for none.
        score: Name of the score, see [`make_score`].
        num_heads: Heads.
        size: Inner width of the score.
        normalizer: `"softmax"`, `"sparsemax"` or `"entmax15"`.
        temperature: Divides the scores.

    Raises:
        ValueError: For an unknown score or normaliser.

    Example:

    ```python
    >>> attention = Attention(8, 4, score="general")
    >>> keys, query = torch.zeros(3, 5, 8), torch.zeros(3, 2, 4)
    >>> attention(keys, query, torch.ones(3, 5, dtype=torch.bool)).context.shape
    torch.Size([3, 1, 2, 8])
    ```
    """

    def __init__(
        self,
        key_size: int,
        query_size: int | None = None,
        *,
        score: str = "additive",
        num_heads: int = 1,
        size: int | None = None,
        normalizer: str = "softmax",
        temperature: float = 1.0,
    ):
        super().__init__()
        if normalizer not in NORMALIZERS:
            raise ValueError(f"The normalizer must be one of {', '.join(NORMALIZERS)}, got {normalizer!r}.")
        # Not `score`: peft takes a module of that name for a classifier's last layer.
        self.scoring = make_score(score, key_size, query_size, num_heads, size)
        self.normalizer = normalizer
        self.temperature = temperature

    def forward(self, keys: Tensor, query: Tensor | None, mask: Tensor) -> AttentionOutput:
        """Attend.

        Args:
            keys: (batch, length, key_size).
            query: As the score takes it; None where it needs none.
            mask: Boolean (batch, length), True on real tokens.
        """
        return self._weigh(self.scoring(keys, query), keys, mask)

    def memory(self, keys: Tensor, mask: Tensor) -> AttentionMemory:
        """Keys (batch, length, key_size) and their mask, ready for [`recall`]."""
        return AttentionMemory(keys, self.scoring.project(keys), mask)

    def recall(self, memory: AttentionMemory, query: Tensor) -> AttentionOutput:
        """As [`forward`], of keys that are asked for again and again; a query is needed."""
        return self._weigh(self.scoring.match(memory.projected, query), memory.keys, memory.mask)

    def _weigh(self, scores: Tensor, keys: Tensor, mask: Tensor) -> AttentionOutput:
        # Half precision is too coarse to make a thousand weights sum to 1.
        wide = scores if scores.dtype == torch.float64 else scores.float()
        weights = NORMALIZERS[self.normalizer](wide / self.temperature, mask[:, None, None, :]).to(keys.dtype)
        context = weights.flatten(1, 2) @ keys
        return AttentionOutput(context.unflatten(1, weights.shape[1:3]), weights)

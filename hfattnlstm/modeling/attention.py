"""Attention pooling: scores of the states, normalisers of the scores, and penalties on the weights."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from .capturing import PicklableCapture
from .configuration_attnlstm import AttnLSTMConfig


class PooledStates(NamedTuple):
    """Result of [`AttentionPooling`]: `pooled` (batch, heads · hidden) and `weights` (batch, heads, 1, length)."""

    pooled: Tensor
    weights: Tensor


# The scores take time-major states (length, batch, hidden), as they lie in memory, and the final states
# (batch, hidden); they return (length, batch, heads).


def _tanh(values: Tensor) -> Tensor:
    """In place where no gradient can need the old values."""
    return torch.tanh(values) if torch.is_grad_enabled() else values.tanh_()


class AdditiveScore(nn.Module):
    """vᵀtanh(Wh+b), with one v a head (Bahdanau et al., 2015; several heads after Lin et al., 2017)."""

    def __init__(self, config: AttnLSTMConfig):
        super().__init__()
        width = config.pooler_size or config.hidden_size
        self.projection = nn.Linear(config.hidden_size, width)
        self.vector = nn.Linear(width, config.pooler_num_heads, bias=False)

    def forward(self, states: Tensor, final_state: Tensor) -> Tensor:
        return self.vector(_tanh(self.projection(states)))


class LinearScore(nn.Module):
    """tanh(wᵀh+b)."""

    def __init__(self, config: AttnLSTMConfig):
        super().__init__()
        self.projection = nn.Linear(config.hidden_size, config.pooler_num_heads)

    def forward(self, states: Tensor, final_state: Tensor) -> Tensor:
        return _tanh(self.projection(states))


class DotScore(nn.Module):
    """qᵀh with a learned query for each head."""

    def __init__(self, config: AttnLSTMConfig):
        super().__init__()
        self.query = nn.Linear(config.hidden_size, config.pooler_num_heads, bias=False)

    def forward(self, states: Tensor, final_state: Tensor) -> Tensor:
        return self.query(states)


class GeneralScore(nn.Module):
    """cᵀWh, with c the final states of the text and one W a head (Luong et al., 2015)."""

    def __init__(self, config: AttnLSTMConfig):
        super().__init__()
        self.num_heads = config.pooler_num_heads
        self.query = nn.Linear(config.hidden_size, config.pooler_num_heads * config.hidden_size, bias=False)

    def forward(self, states: Tensor, final_state: Tensor) -> Tensor:
        query = self.query(final_state).view(final_state.shape[0], self.num_heads, final_state.shape[-1])
        return (states.transpose(0, 1) @ query.transpose(1, 2)).transpose(0, 1)


class DiagonalDotScore(nn.Module):
    """(W_q h)·(W_k h) of each state with itself; the heads share the width out among them."""

    def __init__(self, config: AttnLSTMConfig):
        super().__init__()
        self.num_heads = config.pooler_num_heads
        width = config.pooler_size or config.hidden_size
        self.query = nn.Linear(config.hidden_size, width, bias=False)
        self.key = nn.Linear(config.hidden_size, width, bias=False)

    def forward(self, states: Tensor, final_state: Tensor) -> Tensor:
        product = self.query(states) * self.key(states)
        return product.view(*product.shape[:2], self.num_heads, product.shape[-1] // self.num_heads).sum(-1)


SCORES: dict[str, type[nn.Module]] = {
    "additive": AdditiveScore,
    "linear": LinearScore,
    "dot": DotScore,
    "general": GeneralScore,
    "diagonal_dot": DiagonalDotScore,
}


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


class AttentionPooling(PicklableCapture, nn.Module):
    """Weighted means of the states, one a head, with the weights of the configured score and normaliser.

    Args of `forward`:
        states: (batch, length, hidden).
        mask: Boolean (batch, length), True on real tokens.
        final_state: (batch, hidden), the states after reading the whole text.
    """

    def __init__(self, config: AttnLSTMConfig):
        super().__init__()
        # Not `score`: peft takes a module of that name for a classifier's last layer.
        self.scoring = SCORES[config.pooler_score](config)
        self.normalizer = config.pooler_normalizer
        self.temperature = config.pooler_temperature

    def forward(self, states: Tensor, mask: Tensor, final_state: Tensor) -> PooledStates:
        scores = self.scoring(states.transpose(0, 1), final_state).permute(1, 2, 0)
        # Half precision is too coarse to make a thousand weights sum to 1.
        wide = scores if scores.dtype == torch.float64 else scores.float()
        weights = NORMALIZERS[self.normalizer](wide / self.temperature, mask[:, None, :])
        weights = weights.to(states.dtype).unsqueeze(2)
        pooled = (weights.squeeze(2) @ states).flatten(1)
        return PooledStates(pooled, weights)


def attention_penalty(weights: Tensor, config: AttnLSTMConfig) -> Tensor:
    """Sum of the configured penalties on the attention weights; texts without a token count for nothing.

    Args:
        weights: (batch, heads, 1, length).
        config: Gives the coefficients.

    Returns:
        A scalar: l2 · Σa² + entropy · (−Σa·log a), each averaged over texts and heads, + diversity · ‖AAᵀ−I‖²,
        averaged over texts (Lin et al., 2017).
    """
    weights = weights.squeeze(2)
    weights = weights if weights.dtype == torch.float64 else weights.float()
    filled = (weights.sum(dim=(1, 2)) > 0).to(weights.dtype)
    heads = weights.shape[1]
    penalty = weights.new_zeros(weights.shape[0])
    if config.pooler_l2_coef:
        penalty = penalty + config.pooler_l2_coef * weights.square().sum((1, 2)) / heads
    if config.pooler_entropy_coef:
        # log of a weight of 0 would give 0 · −inf; xlogy has the limit, but not its gradient.
        logs = weights.clamp(min=torch.finfo(weights.dtype).tiny).log()
        penalty = penalty - config.pooler_entropy_coef * (weights * logs).sum((1, 2)) / heads
    if config.pooler_diversity_coef:
        overlap = weights @ weights.transpose(1, 2) - torch.eye(heads, dtype=weights.dtype, device=weights.device)
        penalty = penalty + config.pooler_diversity_coef * overlap.square().sum((1, 2))
    return (penalty * filled).sum() / max(weights.shape[0], 1)

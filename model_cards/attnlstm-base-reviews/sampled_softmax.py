"""Cross entropy over a vocabulary of which only some tokens are computed, for the training of language models."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from transformers import initialization as init


# How much flatter than the tokens themselves the drawn ones are distributed (Mikolov et al., 2013).
_FLATTENING = 0.75
# Logits that are computed in one go: they stay in a processor's second cache, where all of them would not.
_BLOCK = 2**19
_LEAST_ROWS = 128
# As a logit: never chosen. Finite, for an infinite one less an infinite maximum is no number.
_NEVER = -1e30


class TokenSampler(nn.Module):
    """Draws different tokens, each with a probability that is known and grows with how frequent it is.

    The most frequent tokens are always drawn. Where the logit of a drawn token is lessened by the logarithm of its
    probability, the sum of the exponentials is that of the whole vocabulary on average (Horvitz and Thompson, 1952),
    so a softmax over the drawn tokens is corrected as in Bengio and Senécal (2008).

    Args:
        vocab_size: Tokens that there are.
        size: Tokens that are drawn; 0 or at least `vocab_size` for all of them.

    Attributes:
        counts: (vocab_size,) how often each token occurs; never, until [`TokenSampler.set_counts`].

    Example:

    ```python
    >>> sampler = TokenSampler(vocab_size=4, size=2)
    >>> sampler.set_counts(torch.tensor([0, 16, 1, 0]))
    >>> tokens, log_probability = sampler.draw()
    >>> 1 in tokens, len(tokens)
    (True, 2)
    ```
    """

    def __init__(self, vocab_size: int, size: int):
        super().__init__()
        self.vocab_size, self.size = vocab_size, size if 0 < size < vocab_size else vocab_size
        # Whole numbers, which no change of the dtype rounds.
        self.register_buffer("counts", torch.zeros(vocab_size, dtype=torch.long))
        # What they were when the probabilities were computed, and these.
        self._known: tuple[Tensor, Tensor] | None = None

    def init_parameters(self) -> None:
        """Start with the same probability for all."""
        init.zeros_(self.counts)

    @torch.no_grad()
    def set_counts(self, counts: Tensor) -> None:
        """Set how often each token occurs, (vocab_size,)."""
        self.counts.copy_(counts)

    def inclusion(self) -> Tensor:
        """The probability of each token to be drawn, (vocab_size,) in float64; their sum is the size."""
        known = self._known
        if known is None or known[0].device != self.counts.device or not torch.equal(known[0], self.counts):
            self._known = known = self.counts.clone(), self._probabilities()
        return known[1]

    def _probabilities(self) -> Tensor:
        weights = (self.counts.double().cpu() + 1) ** _FLATTENING
        always = torch.zeros(self.vocab_size, dtype=torch.bool)
        while True:
            rest = self.size - int(always.sum())
            shares = torch.where(always, 1.0, weights * (rest / weights[~always].sum()) if rest else 0.0)
            certain = shares >= 1
            if torch.equal(certain, always):
                return shares.to(self.counts.device)
            always = certain

    @torch.compiler.disable
    def draw(self) -> tuple[Tensor, Tensor]:
        """Tokens (size,) in rising order, all different, and the logarithms of their probabilities (size,).

        Drawn systematically (Madow, 1949): marks at equal distances are put on a line of which each token has as much
        as its probability.
        """
        if self.size == self.vocab_size:
            tokens = torch.arange(self.vocab_size, device=self.counts.device)
            return tokens, torch.zeros(self.vocab_size, device=tokens.device)
        inclusion = self.inclusion()
        ends = inclusion.cumsum(0)
        # From torch's general generator, whose state a checkpoint keeps.
        start = torch.rand((), dtype=torch.float64).to(ends.device)
        marks = (start + torch.arange(self.size, device=ends.device)) * (ends[-1] / self.size)
        tokens = torch.searchsorted(ends, marks, right=True).clamp(max=self.vocab_size - 1)
        return tokens, inclusion[tokens].log().float()

    def extra_repr(self) -> str:
        return f"{self.vocab_size}, {self.size}"


# Where a graph is made of it, the blocks would be unrolled, for each number of targets anew.
@torch.compiler.disable
def candidate_cross_entropy(
    states: Tensor,
    candidates: Tensor,
    candidate_bias: Tensor,
    targets: Tensor,
    target_bias: Tensor,
    places: Tensor,
) -> Tensor:
    """The mean cross entropy of targets among candidates, without keeping the logits.

    Logits and their gradients are computed block by block in one pass, as their matrix is the largest thing in the
    training of a small language model. Products are computed in the dtype of autocast, sums in float32.

    Args:
        states: (tokens, width), what predicts each target.
        candidates: (candidates, width), the output embeddings of the tokens that each target is compared with.
        candidate_bias: (candidates,), added to their logits; with the correction for how they were drawn.
        targets: (tokens, width), the output embeddings of the targets.
        target_bias: (tokens,), added to their logits.
        places: (tokens,), where the target stands among the candidates, which are then compared with without it; -1
            where it is none of them.

    Returns:
        A scalar; 0 where there are no targets.

    Example:

    ```python
    >>> states, embeddings, bias = torch.zeros(1, 4), torch.zeros(3, 4), torch.zeros(3)
    >>> token = torch.tensor([2])
    >>> candidate_cross_entropy(states, embeddings, bias, embeddings[token], bias[token], token)
    tensor(1.0986)
    ```
    """
    return _CandidateCrossEntropy.apply(states, candidates, candidate_bias, targets, target_bias, places)


class _CandidateCrossEntropy(torch.autograd.Function):
    """See [`candidate_cross_entropy`]; the gradients are computed with the loss, while the logits are there."""

    @staticmethod
    def forward(ctx: Any, *inputs: Tensor) -> Tensor:
        kind = inputs[0].device.type
        dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else inputs[0].dtype
        with torch.autocast(kind, enabled=False):
            return _loss_and_gradients(ctx, dtype, *inputs)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        scaled = (saved * gradient for saved in ctx.saved_tensors)
        return *(value.to(dtype) for value, dtype in zip(scaled, ctx.dtypes)), None


def _loss_and_gradients(
    ctx: Any,
    dtype: torch.dtype,
    states: Tensor,
    candidates: Tensor,
    candidate_bias: Tensor,
    targets: Tensor,
    target_bias: Tensor,
    places: Tensor,
) -> Tensor:
    count, bias = len(states), candidate_bias.float()
    rough_states, rough_candidates = states.to(dtype), candidates.to(dtype)
    columns = rough_candidates.t().contiguous()
    own = (states.float() * targets.float()).sum(1) + target_bias.float()
    normalizer = torch.empty_like(own)
    of_states = torch.empty(states.shape, dtype=torch.float32, device=states.device)
    of_candidates = torch.zeros(candidates.shape, dtype=torch.float32, device=states.device)
    of_bias = torch.zeros_like(bias)
    size = max(_BLOCK // len(candidates), _LEAST_ROWS)
    for first in range(0, count, size):
        rows = slice(first, first + size)
        logits = (rough_states[rows] @ columns).float().add_(bias)
        logits.scatter_add_(1, places[rows, None].clamp(min=0), _NEVER * (places[rows, None] >= 0).float())
        highest = torch.maximum(logits.amax(1), own[rows])
        shares = logits.sub_(highest[:, None]).exp_()
        total = shares.sum(1) + (own[rows] - highest).exp()
        normalizer[rows] = highest + total.log()
        shares.div_(total[:, None])
        rough_shares = shares.to(dtype)
        of_states[rows] = (rough_shares @ rough_candidates).float()
        of_candidates += (rough_shares.t() @ rough_states[rows]).float()
        of_bias += shares.sum(0)
    missing = (own - normalizer).exp() - 1
    of_states.addcmul_(missing[:, None], targets.float())
    of_targets = missing[:, None] * states.float()
    gradients = (of_states, of_candidates, of_bias, of_targets, missing)
    ctx.save_for_backward(*(value / max(count, 1) for value in gradients))
    ctx.dtypes = tuple(each.dtype for each in (states, candidates, candidate_bias, targets, target_bias))
    return (normalizer - own).sum() / max(count, 1)


def cross_entropies(states: Tensor, embeddings: Tensor, bias: Tensor, tokens: Tensor) -> Tensor:
    """The cross entropy of each token among all of the vocabulary, (tokens,), block by block.

    Args:
        states: (tokens, width), what predicts each token.
        embeddings: (vocab_size, width), the output embeddings.
        bias: (vocab_size,), added to the logits.
        tokens: (tokens,) ids.

    Example:

    ```python
    >>> cross_entropies(torch.zeros(1, 4), torch.zeros(3, 4), torch.zeros(3), torch.tensor([2]))
    tensor([1.0986])
    ```
    """
    rows = max(_BLOCK // len(embeddings), _LEAST_ROWS)
    blocks = zip(states.split(rows), tokens.split(rows))
    losses = [
        nn.functional.cross_entropy(nn.functional.linear(block, embeddings, bias).float(), ids, reduction="none")
        for block, ids in blocks
    ]
    return torch.cat(losses)

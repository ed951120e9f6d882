"""A linear-chain conditional random field: scores of whole sequences of tags, and the best of them."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F
from transformers import initialization as init

from .reading_order import invert, place_in_order
from .tag_schemes import AllowedTags


class Chains(NamedTuple):
    """Sequences of tags whose members stand in front.

    Attributes:
        emissions: (batch, steps, tags), a score for each tag of each member; 0 behind the last.
        mask: Boolean (batch, steps), True on members.
        place: (batch, length), where each position of the text has gone.
        steps: Of the longest chain, 1 at least.
    """

    emissions: Tensor
    mask: Tensor
    place: Tensor
    steps: int


class DecodedTags(NamedTuple):
    """What a CRF says of a batch.

    Attributes:
        tags: (batch, length), those of the best sequence; 0 where no member stands.
        log_marginals: (batch, length, tags), the logarithm of the probability of each tag at each member, whatever
            the others are; 0 elsewhere.
    """

    tags: Tensor
    log_marginals: Tensor


class LinearChainCRF(nn.Module):
    """Scores of sequences of tags (Lafferty et al., 2001): those of the tags themselves and of pairs of neighbours.

    The members of a chain are the positions that a mask marks, wherever they stand: what lies between two members is
    passed over. Sums over all sequences are taken in float64; the scores of the tags at one position may be up to
    some 700 apart before the least of them counts for nothing.

    Args:
        num_tags: Tags.
        allowed: Which tags may follow each other, begin and end; all without.

    Attributes:
        transitions: (tags, tags), from row to column.
        start, end: (tags,), of the first and the last tag.

    Example:

    ```python
    >>> crf = LinearChainCRF(2)
    >>> emissions, mask = torch.tensor([[[0.0, 1.0], [2.0, 0.0]]]), torch.ones(1, 2, dtype=torch.bool)
    >>> crf.decode(emissions, mask).tags
    tensor([[1, 0]])
    >>> crf.log_likelihood(emissions, torch.tensor([[1, 0]]), mask).shape
    torch.Size([1])
    ```
    """

    def __init__(self, num_tags: int, allowed: AllowedTags | None = None):
        super().__init__()
        self.transitions = nn.Parameter(torch.zeros(num_tags, num_tags))
        self.start = nn.Parameter(torch.zeros(num_tags))
        self.end = nn.Parameter(torch.zeros(num_tags))
        self._allowed = AllowedTags.all(num_tags) if allowed is None else allowed
        for name, values in zip(("may_follow", "may_begin", "may_end"), self._allowed):
            self.register_buffer(name, torch.tensor(values))

    @torch.no_grad()
    def init_parameters(self) -> None:
        """Start from tags that do not depend on each other, but for what is not allowed."""
        for weight in (self.transitions, self.start, self.end):
            init.zeros_(weight)
        for name, values in zip(("may_follow", "may_begin", "may_end"), self._allowed):
            init.copy_(getattr(self, name), torch.tensor(values))

    @torch.compiler.disable
    def log_likelihood(self, emissions: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
        """The logarithm of the probability of sequences of tags.

        Args:
            emissions: (batch, length, tags).
            tags: (batch, length), of which those of the members are read.
            mask: Boolean (batch, length), True on the members of each chain.

        Returns:
            (batch,) in float64; 0 for a chain without members, -inf for tags that may not follow each other.
        """
        chains = _chains(emissions, mask)
        numbers = _to_front(tags, chains)[:, : chains.steps].where(chains.mask, 0)
        weights = self._weights()
        return _score(chains, numbers, *weights) - _LogPartition.apply(chains.emissions, *weights, chains.mask)

    @torch.compiler.disable
    @torch.no_grad()
    def decode(self, emissions: Tensor, mask: Tensor) -> DecodedTags:
        """The best sequence of tags, and the probability of each tag.

        Args:
            emissions: (batch, length, tags).
            mask: Boolean (batch, length), True on the members of each chain.
        """
        chains = _chains(emissions, mask)
        weights = self._weights()
        tags, _ = _best_sequences(chains, *weights, count=1)
        marginals = _forward_backward(chains.emissions, *weights, chains.mask).marginals
        # The logarithm of what is impossible is finite, so that nothing which is multiplied by it becomes NaN.
        logs = marginals.clamp(min=torch.finfo(torch.float32).tiny).log().to(emissions.dtype)
        return DecodedTags(_back(tags[:, 0], chains).where(mask, 0), _back(logs, chains).where(mask[..., None], 0.0))

    @torch.compiler.disable
    @torch.no_grad()
    def best_sequences(self, emissions: Tensor, mask: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """The best sequences of tags.

        Args:
            emissions: (batch, length, tags).
            mask: Boolean (batch, length), True on the members of each chain.
            count: How many.

        Returns:
            The tags (batch, count, length), the best sequence first, 0 where no member stands; and the logarithms of
            their probabilities (batch, count) in float64, -inf where there are no more sequences.

        Raises:
            ValueError: For a `count` below 1.

        Example:

        ```python
        >>> crf = LinearChainCRF(2)
        >>> emissions, mask = torch.tensor([[[0.0, 1.0], [2.0, 0.0]]]), torch.ones(1, 2, dtype=torch.bool)
        >>> crf.best_sequences(emissions, mask, count=2)[0]
        tensor([[[1, 0],
                 [0, 0]]])
        ```
        """
        if count < 1:
            raise ValueError(f"count must be 1 or more, got {count}.")
        chains = _chains(emissions, mask)
        weights = self._weights()
        tags, scores = _best_sequences(chains, *weights, count=count)
        total = _LogPartition.apply(chains.emissions, *weights, chains.mask)
        places = torch.stack([_back(tags[:, rank], chains) for rank in range(count)], 1)
        return places.where(mask[:, None], 0), scores - total[:, None]

    def _weights(self) -> tuple[Tensor, Tensor, Tensor]:
        """Transitions, start and end in float64, -inf for what is not allowed."""
        pairs = ((self.transitions, self.may_follow), (self.start, self.may_begin), (self.end, self.may_end))
        return tuple(weight.double().masked_fill(~allowed, -torch.inf) for weight, allowed in pairs)


def _chains(emissions: Tensor, mask: Tensor) -> Chains:
    if not mask.shape[1]:
        # One place, at which no member stands.
        emissions, mask = F.pad(emissions, (0, 0, 0, 1)), F.pad(mask, (0, 1))
    count = mask.sum(1)
    place = place_in_order(mask, count[:, None])
    steps = max(int(count.max()) if len(count) else 0, 1)
    order = invert(place)[:, :steps]
    members = torch.arange(steps, device=mask.device) < count[:, None]
    moved = emissions.gather(1, order[..., None].expand(-1, -1, emissions.shape[-1]))
    return Chains(moved.double().masked_fill(~members[..., None], 0.0), members, place, steps)


def _to_front(values: Tensor, chains: Chains) -> Tensor:
    """Values (batch, length) with those of the members in front."""
    values = F.pad(values, (0, chains.place.shape[1] - values.shape[1]))
    return values.gather(1, invert(chains.place))


def _back(values: Tensor, chains: Chains) -> Tensor:
    """Values (batch, steps, …) of the members where these stand in the text; undefined elsewhere."""
    place = chains.place.clamp(max=chains.steps - 1)
    if values.dim() == 2:
        return values.gather(1, place)
    return values.gather(1, place[..., None].expand(-1, -1, values.shape[-1]))


def _score(chains: Chains, tags: Tensor, transitions: Tensor, start: Tensor, end: Tensor) -> Tensor:
    """(batch,), that of the sequences of tags (batch, steps)."""
    emitted = chains.emissions.gather(2, tags[..., None]).squeeze(2).where(chains.mask, 0.0).sum(1)
    follow = transitions[tags[:, :-1], tags[:, 1:]].where(chains.mask[:, 1:], 0.0).sum(1)
    count = chains.mask.sum(1, keepdim=True)
    last = tags.gather(1, (count - 1).clamp(min=0)).squeeze(1)
    return emitted + follow + (start[tags[:, 0]] + end[last]).where(count.squeeze(1) > 0, 0.0)


class _Sums(NamedTuple):
    """Of a forward and a backward pass.

    Attributes:
        total: (batch,), the logarithm of the sum over all sequences; 0 for a chain without members.
        forward: (batch, steps, tags), of the sequences up to a member, to a sum of 1.
        backward: The same of those behind it, scaled so that the product of the two sums to 1.
        marginals: (batch, steps, tags), that product; 0 behind the last member.
        entered: (batch, steps, tags), what enters a member from the one before: `backward` times its own score.
    """

    total: Tensor
    forward: Tensor
    backward: Tensor
    marginals: Tensor
    entered: Tensor


def _forward_backward(emissions: Tensor, transitions: Tensor, start: Tensor, end: Tensor, mask: Tensor) -> _Sums:
    """Sums over all sequences, with each step scaled as in a hidden Markov model (Rabiner, 1989)."""
    highest = emissions.amax(2, keepdim=True)
    own, follow, leave = (emissions - highest).exp(), transitions.exp(), end.exp()
    steps, members = emissions.shape[1], mask.unbind(1)
    alphas, scales = [], []
    alpha = own[:, 0] * start.exp()
    for step in range(steps):
        if step:
            alpha = torch.where(members[step][:, None], alpha @ follow * own[:, step], alphas[-1])
        scale = alpha.sum(1, keepdim=True)
        alpha = alpha / scale
        alphas.append(alpha)
        scales.append(scale)
    forward, scale = torch.stack(alphas, 1), torch.cat(scales, 1)
    leaving = (alphas[-1] * leave).sum(1)
    total = (scale.log() + highest.squeeze(2)).where(mask, 0.0).sum(1) + leaving.log()
    beta = (leave / leaving[:, None]).expand_as(alphas[-1])
    betas, entered = [beta], []
    for step in range(steps - 1, 0, -1):
        enters = own[:, step] * beta / scales[step]
        entered.append(enters)
        beta = torch.where(members[step][:, None], enters @ follow.t(), beta)
        betas.append(beta)
    backward = torch.stack(betas[::-1], 1)
    enters = torch.stack([torch.zeros_like(beta), *entered[::-1]], 1).masked_fill(~mask[..., None], 0.0)
    marginals = (forward * backward).masked_fill(~mask[..., None], 0.0)
    return _Sums(total.where(mask[:, 0], 0.0), forward, backward, marginals, enters)


class _LogPartition(torch.autograd.Function):
    """The logarithm of the sum over all sequences, (batch,); its gradients are expected counts of tags and pairs."""

    @staticmethod
    def forward(ctx: Any, emissions: Tensor, transitions: Tensor, start: Tensor, end: Tensor, mask: Tensor) -> Tensor:
        sums = _forward_backward(emissions, transitions, start, end, mask)
        ctx.save_for_backward(sums.forward, sums.marginals, sums.entered, transitions, mask)
        return sums.total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        forward, marginals, entered, transitions, mask = ctx.saved_tensors
        weighted = upstream[:, None, None] * marginals
        before = (upstream[:, None, None] * forward[:, :-1]).flatten(0, 1)
        pairs = transitions.exp() * (before.t() @ entered[:, 1:].flatten(0, 1))
        last = (mask.sum(1) - 1).clamp(min=0)
        end = weighted[torch.arange(len(last), device=last.device), last].sum(0)
        return weighted, pairs, weighted[:, 0].sum(0), end, None


def _best_sequences(
    chains: Chains, transitions: Tensor, start: Tensor, end: Tensor, count: int
) -> tuple[Tensor, Tensor]:
    """Viterbi's algorithm (1967) for the best `count` sequences: tags (batch, count, steps), scores (batch, count)."""
    emissions, members = chains.emissions, chains.mask.unbind(1)
    batch, steps, tags = emissions.shape
    scores = torch.full((batch, count, tags), -torch.inf, dtype=emissions.dtype, device=emissions.device)
    scores[:, 0] = emissions[:, 0] + start
    # The rank and tag, as one number, from which each rank of each tag has come.
    own = torch.arange(count * tags, device=emissions.device).view(count, tags).expand(batch, -1, -1)
    sources = []
    for step in range(1, steps):
        reached = (scores[..., None] + transitions).flatten(1, 2)
        best, source = reached.max(1, keepdim=True) if count == 1 else reached.topk(count, dim=1)
        member = members[step][:, None, None]
        scores = torch.where(member, best + emissions[:, step, None], scores)
        sources.append(torch.where(member, source, own))
    ended, place = (scores + end).flatten(1).topk(count, dim=1)
    places = [place]
    for source in reversed(sources):
        place = source.flatten(1).gather(1, place)
        places.append(place)
    found = torch.stack(places[::-1], 2) % tags
    empty = ~chains.mask[:, 0]
    nothing = torch.full_like(ended, -torch.inf)
    nothing[:, 0] = 0.0
    return found, torch.where(empty[:, None], nothing, ended)

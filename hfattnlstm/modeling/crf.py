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


# Of a model that has none, and is asked for what only one gives.
NO_CRF = "n_best is for models with a CRF, and this one tags each word by itself: leave it out."


class Chains(NamedTuple):
    """Sequences of tags whose members stand in front.

    Attributes:
        emissions: (batch, steps, tags), a score for each tag of each member, in float64; 0 behind the last.
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
    passed over. Everything is computed in float64.

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
        total = _log_partition(chains, *weights)
        # Where no sequence is allowed, none has a probability.
        return _score(chains, numbers, *weights) - total.where(total > -torch.inf, 0.0)

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
        marginals = _marginals(chains, *weights)
        # The logarithm of what is impossible is finite, so that nothing which is multiplied by it becomes NaN.
        logs = marginals.clamp(min=torch.finfo(torch.float32).tiny).log().to(emissions.dtype)
        return DecodedTags(_back(tags[:, 0], chains).where(mask, 0), _back(logs, chains).where(mask[..., None], 0.0))

    @torch.compiler.disable
    @torch.no_grad()
    def best_path(self, emissions: Tensor, mask: Tensor) -> Tensor:
        """The best sequence of tags alone, (batch, length); 0 where no member stands.

        Args:
            emissions, mask: As in [`decode`].
        """
        chains = _chains(emissions, mask)
        tags, _ = _best_sequences(chains, *self._weights(), count=1)
        return _back(tags[:, 0], chains).where(mask, 0)

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
        total = _log_partition(chains, *weights)
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


def _log_partition(chains: Chains, transitions: Tensor, start: Tensor, end: Tensor) -> Tensor:
    """The logarithm of the sum over all sequences, (batch,); -inf where none is allowed, 0 without members."""
    weights = chains.emissions, transitions, start, end
    total = _LogPartition.apply(*weights, chains.mask)
    return total if bool(total.isfinite().all()) else _log_partition_in_logarithms(*weights, chains.mask)


def _marginals(chains: Chains, transitions: Tensor, start: Tensor, end: Tensor) -> Tensor:
    """The probability of each tag at each member, (batch, steps, tags); 0 behind the last."""
    sums = _forward_backward(chains.emissions, transitions, start, end, chains.mask)
    if bool(sums.total.isfinite().all()):
        return sums.marginals
    # They are the gradients of the logarithm of the sum.
    with torch.inference_mode(False), torch.enable_grad():
        emissions, *weights = (each.detach().clone() for each in (chains.emissions, transitions, start, end))
        total = _log_partition_in_logarithms(emissions.requires_grad_(), *weights, chains.mask.clone())
        (gradients,) = torch.autograd.grad(total.sum(), emissions)
    return gradients.nan_to_num()


class _Sums(NamedTuple):
    """Of a forward and a backward pass.

    Attributes:
        total: (batch,), the logarithm of the sum over all sequences; 0 for a chain without members, not finite where
            the numbers are too small or too large for its scaling.
        forward: (batch, steps, tags), of the sequences up to a member, to a sum of 1; 0 behind the last.
        entered: (batch, steps, tags), of the sequences from a member on, so that its product with `forward` of the
            one before and with the transition between them is the probability of the pair.
        marginals: (batch, steps, tags), the probability of each tag; 0 behind the last member.
    """

    total: Tensor
    forward: Tensor
    entered: Tensor
    marginals: Tensor


# Below this, a sum over the tags of a step may depend on numbers that have lost digits, with weights up to _HIGHEST.
_LEAST, _HIGHEST = 1e-200, 230.0
# A logarithm in place of that of 0.
_NEVER = -1e30


def _forward_backward(emissions: Tensor, transitions: Tensor, start: Tensor, end: Tensor, mask: Tensor) -> _Sums:
    """Sums over all sequences, with each step scaled as in a hidden Markov model (Rabiner, 1989).

    A chain is read from both ends at once: seen from its end, it is a chain whose transitions are turned round.
    """
    highest = emissions.amax(2, keepdim=True)
    own, follow = (emissions - highest).exp(), transitions.exp()
    count = mask.sum(1, keepdim=True)
    places = torch.arange(mask.shape[1], device=mask.device)
    turned = torch.where(mask, count - 1 - places, places)[..., None].expand_as(own)
    both = torch.stack([own, own.gather(1, turned)])
    states, scales = _scaled_sums(both, torch.stack([follow, follow.t()]), torch.stack([start, end]).exp())
    forward, backward = states[0], states[1].gather(1, turned)
    # What comes behind each member: the next one, or the end.
    behind = F.pad(backward[:, 1:] @ follow.t(), (0, 0, 0, 1)).where((places < count - 1)[..., None], end.exp())
    products = forward * behind
    whole = products.sum(2, keepdim=True)
    last = whole.squeeze(2).gather(1, (count - 1).clamp(min=0)).squeeze(1)
    total = (scales[0].log() + highest.squeeze(2)).where(mask, 0.0).sum(1) + last.log()
    is_exact = (torch.stack([*scales, whole.squeeze(2)]) > _LEAST).all(0) | ~mask
    total = total.masked_fill(
        ~is_exact.all(1) | (max(map(torch.amax, (transitions, start, end))) > _HIGHEST), torch.nan
    )
    # What became of the steps behind a chain may be anything.
    behind_it = ~mask[..., None]
    entered = F.pad(backward[:, 1:] / whole[:, :-1], (0, 0, 1, 0)).masked_fill(behind_it, 0.0)
    marginals = (products / whole).masked_fill(behind_it, 0.0)
    return _Sums(total.where(mask[:, 0], 0.0), forward.masked_fill(behind_it, 0.0), entered, marginals)


def _scaled_sums(own: Tensor, follow: Tensor, begin: Tensor) -> tuple[Tensor, Tensor]:
    """The sums up to each step, to a sum of 1, and by what they were divided.

    Args:
        own: (directions, batch, steps, tags), the factor of each tag.
        follow: (directions, tags, tags), that of a pair.
        begin: (directions, tags), that of the first tag.

    Returns:
        (directions, batch, steps, tags), and (directions, batch, steps).
    """
    state, states, scales = own[:, :, 0] * begin[:, None], [], []
    for step, factors in enumerate(own.unbind(2)):
        if step:
            state = torch.bmm(state, follow) * factors
        scale = state.sum(2, keepdim=True)
        state = state / scale
        states.append(state)
        scales.append(scale)
    return torch.stack(states, 2), torch.cat(scales, 2)


class _LogPartition(torch.autograd.Function):
    """The logarithm of the sum over all sequences, (batch,); its gradients are expected counts of tags and pairs.

    It is not finite where the scaled sums are not exact.
    """

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


def _log_partition_in_logarithms(
    emissions: Tensor, transitions: Tensor, start: Tensor, end: Tensor, mask: Tensor
) -> Tensor:
    """The same as [`_LogPartition`], slower, for scores that are any distance apart."""
    transitions, start, end = (weight.clamp(min=_NEVER) for weight in (transitions, start, end))
    sums = emissions[:, 0] + start
    for step in range(1, emissions.shape[1]):
        reached = (sums[..., None] + transitions).logsumexp(1) + emissions[:, step]
        sums = torch.where(mask[:, step, None], reached, sums)
    total = (sums + end).logsumexp(1)
    return torch.where(total < _NEVER / 2, -torch.inf, total).where(mask[:, 0], 0.0)


def _best_sequences(
    chains: Chains, transitions: Tensor, start: Tensor, end: Tensor, count: int
) -> tuple[Tensor, Tensor]:
    """Viterbi's algorithm (1967) for the best `count` sequences: tags (batch, count, steps), scores (batch, count)."""
    batch, steps, tags = chains.emissions.shape
    emissions = chains.emissions.unbind(1)
    scores = torch.full((batch, tags, count), -torch.inf, dtype=torch.float64, device=start.device)
    scores[..., 0] = emissions[0] + start
    # From each rank of each tag, as one number; the tags that are reached stand in front.
    reach = transitions.t().repeat_interleave(count, 1)
    reached, sources = [scores], []
    for own in emissions[1:]:
        through = scores.flatten(1)[:, None] + reach
        best, source = through.max(2, keepdim=True) if count == 1 else through.topk(count, dim=2)
        scores = best + own[..., None]
        reached.append(scores)
        sources.append(source)
    members = chains.mask.sum(1)
    # Those after the last member of each chain; what was reached behind it is not looked at.
    last = (members - 1).clamp(min=0).view(1, batch, 1, 1).expand(1, -1, tags, count)
    scores = torch.stack(reached).gather(0, last).squeeze(0)
    ended, place = (scores + end[:, None]).flatten(1).topk(count, dim=1)
    places = [place]
    for step in range(steps - 1, 0, -1):
        came = sources[step - 1].flatten(1).gather(1, place)
        place = torch.where((step < members)[:, None], came, place)
        places.append(place)
    found = torch.stack(places[::-1], 2) // count
    nothing = torch.full_like(ended, -torch.inf)
    nothing[:, 0] = 0.0
    return found, torch.where(members[:, None] == 0, nothing, ended)

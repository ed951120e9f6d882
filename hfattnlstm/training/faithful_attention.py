"""Penalties in training that make the attention of a text say more of what the model does with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F


# By the names of the arguments of a training.
PENALTIES = ("conicity_coef", "tying_coef", "alignment_coef", "rationale_coef")
# All that a training can add to the loss of a classifier.
LOSS_TERMS = ("rdrop_alpha", "adversarial_epsilon", "vat_epsilon", "erasure_coef", *PENALTIES)


# Of what speaks against a label.
SHARE_AGAINST = 0.25


@dataclass(frozen=True)
class AttentionPenalties:
    """What is added to the loss of a batch.

    Attributes:
        conicity: Weight of the [`conicity`] of the states.
        tying: Weight of [`distance_to_embeddings`].
        alignment: Weight of the [`misalignment`] of the attention with what the gradient says of each token.
        rationale: Weight of the [`misalignment`] of the attention with what people have marked; of texts without marks
            there is none.

    Example:

    ```python
    >>> AttentionPenalties(conicity=0.5).wanted_outputs
    {'output_hidden_states': True}
    ```
    """

    conicity: float = 0.0
    tying: float = 0.0
    alignment: float = 0.0
    rationale: float = 0.0

    def __bool__(self) -> bool:
        return any(vars(self).values())

    @property
    def wanted_outputs(self) -> dict[str, bool]:
        """What the model must be asked for."""
        wanted = {
            "output_hidden_states": self.conicity or self.tying,
            "output_attentions": self.alignment or self.rationale,
        }
        return {name: True for name, value in wanted.items() if value}

    def of(
        self, outputs: Any, mask: Tensor, relevance: Tensor | None = None, rationale: Tensor | None = None
    ) -> Tensor:
        """The penalty of a batch.

        Args:
            outputs: Of the model, with `wanted_outputs`.
            mask: Boolean (batch, length), True on real tokens.
            relevance: (batch, length), what the gradient says; without it, there is no misalignment with that.
            rationale: (batch, length), 1 for tokens that are marked, else 0; as relevance.

        Returns:
            A scalar, the mean over the texts.
        """
        total = mask.new_zeros((), dtype=torch.float32)
        if self.conicity:
            total = total + self.conicity * conicity(outputs["hidden_states"][-1], mask)
        if self.tying:
            states = outputs["hidden_states"]
            total = total + self.tying * distance_to_embeddings(states[-1], states[0], mask)
        if self.alignment and relevance is not None:
            total = total + self.alignment * misalignment(outputs["attentions"][-1], relevance, mask)
        if self.rationale and rationale is not None:
            total = total + self.rationale * misalignment(outputs["attentions"][-1], rationale, mask)
        return total


def conicity(states: Tensor, mask: Tensor) -> Tensor:
    """How alike the states of a text are: the mean cosine between each of them and their mean.

    Mohankumar et al. (2020) call it conicity, and add it to the loss (diversity training): where states are alike, it
    does not matter which of them the attention takes.

    Args:
        states: (batch, length, width).
        mask: Boolean (batch, length), True on real tokens.

    Returns:
        A scalar from 0 to 1, the mean over the texts.

    Example:

    ```python
    >>> conicity(torch.tensor([[[1.0, 0.0], [0.0, 1.0]]]), torch.ones(1, 2, dtype=torch.bool))
    tensor(0.7071)
    ```
    """
    states, real = states.float(), mask.float()
    count = real.sum(1).clamp(min=1)
    mean = (states * real[..., None]).sum(1, keepdim=True) / count[:, None, None]
    alike = F.cosine_similarity(states, mean, dim=-1).abs() * real
    return (alike.sum(1) / count).mean()


def distance_to_embeddings(states: Tensor, embedded: Tensor, mask: Tensor) -> Tensor:
    """How far each state is from the embedding of its own token, so that it stands for that (Tutek and Šnajder, 2020).

    Args:
        states: (batch, length, width); the width is that of the embeddings, or of both directions twice that.
        embedded: (batch, length, embedding_size), what enters the LSTM.
        mask: Boolean (batch, length), True on real tokens.

    Returns:
        A scalar: squared differences, their mean over units, tokens and texts.

    Example:

    ```python
    >>> states, embedded = torch.ones(1, 3, 4), torch.zeros(1, 3, 2)
    >>> distance_to_embeddings(states, embedded, torch.ones(1, 3, dtype=torch.bool))
    tensor(1.)
    ```
    """
    repeated = embedded.repeat(1, 1, states.shape[-1] // embedded.shape[-1])
    real = mask.float()
    apart = (states.float() - repeated.float()).square().mean(-1) * real
    return (apart.sum(1) / real.sum(1).clamp(min=1)).mean()


def misalignment(weights: Tensor, relevance: Tensor, mask: Tensor) -> Tensor:
    """How far the attention is from a relevance of the tokens, as shares: the Kullback-Leibler divergence.

    Args:
        weights: (batch, heads, 1, length), of which the mean of the heads counts.
        relevance: (batch, length), at least 0; through it no gradient flows. Texts where it is 0 throughout add
            nothing.
        mask: Boolean (batch, length), True on real tokens.

    Returns:
        A scalar, the mean over the texts.

    Example:

    ```python
    >>> mask = torch.ones(1, 2, dtype=torch.bool)
    >>> misalignment(torch.tensor([[[[0.5, 0.5]]]]), torch.tensor([[3.0, 1.0]]), mask)
    tensor(0.1308)
    ```
    """
    relevance = relevance.detach().float() * mask
    shares = relevance / relevance.sum(1, keepdim=True).clamp(min=torch.finfo(torch.float32).tiny)
    own = weights.float().mean(1)[:, 0].clamp(min=1e-8)
    return (torch.xlogy(shares, shares) - shares * own.log()).sum(1).mean()


def relevance_of(gradient: Tensor, embedded: Tensor) -> Tensor:
    """What the gradient of a loss says of each token: how much the loss would change without its embedding.

    What speaks for the label counts in full, what speaks against it by a quarter: without the former the label turns,
    and both change the score.

    Args:
        gradient: (batch, length, width), of the loss in the embeddings.
        embedded: (batch, length, width).

    Returns:
        (batch, length), at least 0.

    Example:

    ```python
    >>> relevance_of(torch.tensor([[[-1.0, 0.0], [1.0, 1.0]]]), torch.ones(1, 2, 2))
    tensor([[1.0000, 0.5000]])
    ```
    """
    change = -(gradient.float() * embedded.detach().float()).sum(-1)
    return change.clamp(min=0) + SHARE_AGAINST * (-change).clamp(min=0)


def take_penalties(arguments: dict[str, float]) -> AttentionPenalties:
    """The penalties among the arguments of a training, which are taken out of these.

    Example:

    ```python
    >>> arguments = {"conicity_coef": 0.5, "rdrop_alpha": 1.0}
    >>> take_penalties(arguments), arguments
    (AttentionPenalties(conicity=0.5, tying=0.0, alignment=0.0, rationale=0.0), {'rdrop_alpha': 1.0})
    ```
    """
    return AttentionPenalties(**{name.removesuffix("_coef"): arguments.pop(name, 0.0) for name in PENALTIES})

"""A language model of both directions on the backbone, for pretraining on texts without labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import initialization as init
from transformers.utils.generic import ModelOutput, can_return_tuple

from .configuration_attnlstm import AttnLSTMConfig
from .layout import can_be_read
from .losses import IGNORED
from .modeling_attnlstm import AttnLSTMModel, AttnLSTMPreTrainedModel
from .reading_order import invert, is_seen_in_order, mask_of, place_in_order
from .sampled_softmax import TokenSampler, candidate_cross_entropy, cross_entropies


@dataclass
class AttnLSTMForPreTrainingOutput(ModelOutput):
    """Output of [`AttnLSTMForPreTraining`].

    Attributes:
        loss: Scalar, the mean of the directions' mean cross entropies in nats, where labels are given; of a sampled
            softmax in training mode, else of the full one.
        logits: (batch, length, directions, vocab_size), what each direction expects next; 0 on padding. None where
            labels are given: they are the largest thing here.
        cross_entropies: (batch, directions), the sum over the tokens of each text that are predicted, in nats, of the
            full softmax; where labels are given in evaluation mode.
        hidden_states, attentions: As of the backbone, on request.
    """

    loss: Tensor | None = None
    logits: Tensor | None = None
    cross_entropies: Tensor | None = None
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None


@dataclass(frozen=True)
class Side:
    """What one direction predicts, and from what; rows are texts.

    Attributes:
        states: (batch, length − 1, size).
        tokens: (batch, length − 1), what each state is to predict.
        valid: Boolean (batch, length − 1), where there is something to predict.
    """

    states: Tensor
    tokens: Tensor
    valid: Tensor


class LanguageModelHead(nn.Module):
    """What predicts tokens from the states of each direction; the embeddings of the tokens are those that are read.

    Args:
        directions: How many there are.
        state_size: Width of a direction's states.
        embedding_size: Width of the embeddings.
        vocab_size: Tokens that there are.
        num_sampled_tokens: Tokens that a target is compared with in training; 0 for all.
        dropout: Share of the states' units that are dropped.

    Example:

    ```python
    >>> LanguageModelHead(2, 4, 3, vocab_size=9).project(torch.zeros(5, 4), direction=1).shape
    torch.Size([5, 3])
    ```
    """

    def __init__(
        self,
        directions: int,
        state_size: int,
        embedding_size: int,
        *,
        vocab_size: int,
        num_sampled_tokens: int = 0,
        dropout: float = 0.0,
    ):
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.projections = nn.ModuleList(nn.Linear(state_size, embedding_size) for _ in range(directions))
        self.bias = nn.Parameter(torch.zeros(vocab_size))
        self.sampler = TokenSampler(vocab_size, num_sampled_tokens)

    def init_parameters(self) -> None:
        """Start with no token more likely than another."""
        init.zeros_(self.bias)

    def project(self, states: Tensor, direction: int) -> Tensor:
        """States (…, state_size) of a direction to where the embeddings are, (…, embedding_size)."""
        return self.projections[direction](self.dropout(states))


class AttnLSTMForPreTraining(AttnLSTMPreTrainedModel):
    """Language model of both directions: each predicts the token that it reads next (Peters et al., 2018).

    The forward direction has read a token and all before it, the backward direction a token and all behind it, so
    neither has seen what it predicts. Two layers would mix the directions, and n-grams, which end at a token, would
    tell the backward direction what comes: the model has one layer, and n-grams are added later. Its tokens have one
    embedding, which is read and predicted (Press and Wolf, 2017).

    Raises:
        ValueError: For a configuration of several layers, with embeddings of n-grams, or with context layers.

    Example:

    ```python
    >>> model = AttnLSTMForPreTraining(AttnLSTMConfig(vocab_size=9))
    >>> model(torch.tensor([[5, 6, 7]])).logits.shape
    torch.Size([1, 3, 2, 9])
    ```
    """

    def __init__(self, config: AttnLSTMConfig):
        super().__init__(config)
        _check_sides(config)
        self.attnlstm = AttnLSTMModel(config, add_pooling_layer=False)
        lstms = self.attnlstm.encoder.layers[0].lstms
        self.lm_head = LanguageModelHead(
            len(lstms),
            lstms[0].hidden_size,
            config.embedding_size,
            vocab_size=config.vocab_size,
            num_sampled_tokens=config.num_sampled_tokens,
            dropout=config.classifier_dropout,
        )
        self.post_init()

    @torch.no_grad()
    def set_token_counts(self, counts: Tensor) -> None:
        """Begin with what is known of the tokens: how often each occurs.

        They set what the sampled softmax draws, and the bias of the logits to the logarithms of the frequencies.

        Args:
            counts: (vocab_size,) of the texts for training.

        Example:

        ```python
        >>> model = AttnLSTMForPreTraining(AttnLSTMConfig(vocab_size=3))
        >>> model.set_token_counts(torch.tensor([0, 5, 2]))
        >>> model.lm_head.bias
        Parameter containing:
        tensor([-2.3026, -0.5108, -1.2040], requires_grad=True)
        ```
        """
        self.lm_head.sampler.set_counts(counts)
        smoothed = counts.double() + 1
        self.lm_head.bias.copy_((smoothed / smoothed.sum()).log())

    @can_return_tuple
    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        **kwargs: Any,
    ) -> AttnLSTMForPreTrainingOutput:
        """Predict the tokens of a batch from both sides.

        Args:
            input_ids, attention_mask, inputs_embeds: As in [`AttnLSTMModel.forward`].
            labels: (batch, length) the tokens themselves, such as `input_ids`: each is predicted where the one before
                it, and the one behind it, has been read. -100 for those that are not predicted.

        Returns:
            `logits` without labels; with labels, the `loss`, and in evaluation mode the `cross_entropies`.

        Raises:
            ValueError: For the mistakes that [`AttnLSTMModel.forward`] names, and labels that do not fit.
        """
        kwargs |= {"output_direction_states": True, "return_dict": True}
        outputs = self.attnlstm(input_ids, attention_mask, inputs_embeds, **kwargs)
        states, given = outputs.direction_states, input_ids if inputs_embeds is None else inputs_embeds
        mask = mask_of(given[:, :, 0] if given.dim() > 2 else given, attention_mask)
        loss = logits = summed = None
        if labels is None:
            # Of texts without any token, the backbone has read one of padding.
            logits = self._logits(states[:, : given.shape[1]], mask)
        elif self.training:
            loss = self._sampled_loss(_sides(states, labels, mask, self.config.vocab_size))
        else:
            loss, summed = self._full_loss(_sides(states, labels, mask, self.config.vocab_size))
        return AttnLSTMForPreTrainingOutput(
            loss=loss,
            logits=logits,
            cross_entropies=summed,
            hidden_states=outputs.hidden_states,
            attentions=outputs.attentions,
        )

    def _logits(self, states: Tensor, mask: Tensor) -> Tensor:
        table, head = self._table(), self.lm_head
        sides = [F.linear(head.project(states[:, :, side], side), table, head.bias) for side in range(states.shape[2])]
        return torch.stack(sides, 2) * mask[..., None, None]

    def _sampled_loss(self, sides: list[Side]) -> Tensor:
        head, embeddings = self.lm_head, self.attnlstm.embeddings
        candidates, log_probability = head.sampler.draw()
        rows, bias = embeddings.tokens(candidates), head.bias.index_select(0, candidates) - log_probability
        places = torch.full((self.config.vocab_size,), -1, device=candidates.device)
        places[candidates] = torch.arange(len(candidates), device=candidates.device)
        losses = [
            candidate_cross_entropy(
                head.project(side.states[side.valid], number),
                rows,
                bias,
                embeddings.tokens(tokens := side.tokens[side.valid]),
                head.bias.index_select(0, tokens),
                places[tokens],
            )
            for number, side in enumerate(sides)
        ]
        return torch.stack(losses).mean()

    def _full_loss(self, sides: list[Side]) -> tuple[Tensor, Tensor]:
        """The loss, and the sums (batch, directions)."""
        table, head = self._table(), self.lm_head
        summed = []
        for number, side in enumerate(sides):
            found = cross_entropies(
                head.project(side.states[side.valid], number), table, head.bias, side.tokens[side.valid]
            )
            losses = found.new_zeros(side.valid.shape)
            losses[side.valid] = found
            summed.append(losses.sum(1))
        counts = torch.stack([side.valid.sum() for side in sides]).clamp(min=1)
        joined = torch.stack(summed, 1)
        return (joined.sum(0) / counts).mean(), joined

    def _table(self) -> Tensor:
        """The embeddings of all tokens, (vocab_size, embedding_size)."""
        return self.attnlstm.embeddings.tokens(torch.arange(self.config.vocab_size, device=self.lm_head.bias.device))

    def get_output_embeddings(self) -> None:
        """None: the base class would look for a table in the head, and what is predicted is in that of the input."""

    def resize_token_embeddings(self, *args: Any, **kwargs: Any) -> nn.Embedding:
        """As the base class's; new tokens begin as likely as the average one."""
        embedding = super().resize_token_embeddings(*args, **kwargs)
        head, size = self.lm_head, len(embedding.weight)
        missing = size - len(head.bias)
        if missing:
            old = head.bias.data
            counts, more = head.sampler.counts, max(missing, 0)
            head.bias = nn.Parameter(torch.cat([old, old.mean().expand(more)])[:size])
            head.sampler = TokenSampler(size, self.config.num_sampled_tokens).to(old.device)
            head.sampler.set_counts(torch.cat([counts, counts.sum().div(len(counts)).long().expand(more)])[:size])
        return embedding


def _sides(states: Tensor, labels: Tensor, mask: Tensor, vocab_size: int) -> list[Side]:
    """Of the states (batch, length, directions, size), each direction's with the tokens that it reads next."""
    _check_labels(labels, mask, vocab_size)
    states = states[:, : mask.shape[1]]
    if mask.shape[1] and not is_seen_in_order(mask):
        count = mask.sum(1, keepdim=True)
        places = invert(place_in_order(mask, count))
        states = states.gather(1, places[..., None, None].expand_as(states))
        labels, mask = labels.gather(1, places), mask.gather(1, places)
    # Both ends of a step are real where the later one is.
    both = mask[:, 1:]
    sides = [Side(states[:, :-1, 0], labels[:, 1:], both & (labels[:, 1:] != IGNORED))]
    if states.shape[2] > 1:
        sides.append(Side(states[:, 1:, 1], labels[:, :-1], both & (labels[:, :-1] != IGNORED)))
    return sides


def _check_sides(config: AttnLSTMConfig) -> None:
    if config.num_hidden_layers > 1:
        raise ValueError(
            f"num_hidden_layers={config.num_hidden_layers}: above the first layer, each direction of a language model "
            "would have seen what it predicts. Pretrain one layer; a further one can be added on top of it later."
        )
    if config.embedding_ngrams:
        raise ValueError(
            "embedding_ngrams tell the backward direction the tokens that it predicts: pretrain without, and add them "
            "in the training that follows."
        )
    if config.context_layers:
        raise ValueError(
            "context_layers would show each direction of a language model what it predicts: pretrain without, and add "
            "them in the training that follows."
        )


def _check_labels(labels: Tensor, mask: Tensor, vocab_size: int) -> None:
    if labels.shape != mask.shape:
        raise ValueError(
            f"labels has the shape {tuple(labels.shape)}, but the tokens have {tuple(mask.shape)}: give the token ids "
            "themselves, such as labels=input_ids."
        )
    if can_be_read(labels):
        wrong = labels[mask & (labels != IGNORED) & ((labels < 0) | (labels >= vocab_size))]
        if len(wrong):
            raise ValueError(
                f"labels holds {int(wrong[0])}, and the model has {vocab_size} tokens: give token ids, or {IGNORED} "
                "for what is not predicted."
            )


__all__ = ["AttnLSTMForPreTraining"]

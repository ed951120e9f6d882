"""What the models that write sequences share: the decoder, its loss, and what `generate` needs of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers.modeling_outputs import BaseModelOutput, Seq2SeqLMOutput

from .configuration_seq2seq import AttnLSTMSeq2SeqConfig
from .decoder import AttentionDecoder, DecoderOutput, DecoderState, Replace
from .embeddings import TokenEmbeddings
from .layout import can_be_read
from .losses import IGNORED
from .modeling_base import AttnLSTMBaseModel
from .reading_order import boolean_mask


@dataclass
class Memory:
    """What an encoder has read, for the decoder.

    Attributes:
        states: (batch, length, hidden_size), 0 on padding.
        mask: Boolean (batch, length).
    """

    states: Tensor
    mask: Tensor


class AttnLSTMSeq2SeqPreTrainedModel(AttnLSTMBaseModel):
    """An encoder, which each model brings along, and an LSTM decoder with attention over what it has read.

    A model makes `self.encoder`, which returns a `ModelOutput` with `last_hidden_state`, and calls `_make_decoder`. It
    inherits from `GenerationMixin`, too, which transformers wants to see in the class itself.
    """

    config_class = AttnLSTMSeq2SeqConfig
    base_model_prefix = "attnlstm_seq2seq"
    # The loss is divided by the tokens of all accumulated batches where the Trainer says how many those are.
    accepts_loss_kwargs = True
    # `generate` must not go back to an earlier step, as assisted decoding does.
    _is_stateful = True
    _no_split_modules = ["LSTMLayer", "TokenEmbeddings", "ContextLayer", "AttentionDecoder"]
    # The model's own share of the tokens that it reads, in training, in place of the right ones.
    sampling_probability: float = 0.0

    def _make_decoder(self, config: AttnLSTMSeq2SeqConfig) -> None:
        self.decoder = AttentionDecoder(
            config.embedding_size,
            config.hidden_size,
            hidden_size=config.decoder_size,
            readout_size=config.embedding_size,
            num_layers=config.num_decoder_layers,
            input_feeding=config.input_feeding,
            coverage=config.coverage,
            dropout=config.hidden_dropout_prob,
            locked_dropout=config.locked_dropout,
            num_heads=config.cross_attention_num_heads,
            score=config.cross_attention_score,
            size=config.cross_attention_size,
            normalizer=config.cross_attention_normalizer,
            temperature=config.cross_attention_temperature,
        )
        self.decoder_embeddings = TokenEmbeddings(
            config.target_vocab_size,
            config.embedding_size,
            padding_idx=config.pad_token_id,
            dropout=config.embedding_dropout,
            locked_dropout=config.locked_dropout,
            word_dropout=config.word_dropout,
        )
        self.memory_dropout = nn.Dropout(config.hidden_dropout_prob)
        self.readout_dropout = nn.Dropout(config.readout_dropout)
        self.lm_head = nn.Linear(config.embedding_size, config.target_vocab_size)

    def _tie(self, config: AttnLSTMSeq2SeqConfig, keys: dict[str, str]) -> None:
        """Which parameters are others where embeddings are tied, by their names."""
        self._tied_weights_keys = keys
        # Whoever loads a checkpoint need not be told that what is one tensor is there once.
        self._keys_to_ignore_on_save = list(keys) if config.tie_word_embeddings else None

    @classmethod
    def _supports_default_dynamic_cache(cls) -> bool:
        # The state is made by the first call of `forward`.
        return False

    def prepare_inputs_for_generation(
        self, input_ids: Tensor, past_key_values: DecoderState | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        """What `generate` calls the model with, of the tokens (batch, length) written so far: those not read yet."""
        read = 0 if past_key_values is None else past_key_values.get_seq_length()
        left_out = ("decoder_input_ids", "inputs_embeds", "labels", "next_sequence_length", "is_first_iteration")
        inputs = {name: value for name, value in kwargs.items() if name not in left_out}
        mask = inputs.pop("decoder_attention_mask", None)
        if mask is not None:
            # It is that of the beginning, which somebody gave; what was written since is real.
            missing = input_ids.shape[1] - mask.shape[1]
            inputs["decoder_attention_mask"] = F.pad(mask, (0, max(missing, 0)), value=1)[:, read:]
        return {**inputs, "decoder_input_ids": input_ids[:, read:], "past_key_values": past_key_values}

    def prepare_decoder_input_ids_from_labels(self, labels: Tensor) -> Tensor:
        """What the decoder reads to write the labels (batch, length): the same, one place later.

        Example:

        ```python
        >>> model.prepare_decoder_input_ids_from_labels(torch.tensor([[7, 8, 3, -100]]))
        tensor([[2, 7, 8, 3]])
        ```
        """
        shifted = labels.new_full(labels.shape, self.config.decoder_start_token_id)
        shifted[:, 1:] = labels[:, :-1]
        return shifted.masked_fill(shifted == IGNORED, self.config.pad_token_id or 0)

    def _write(
        self,
        memory: Memory | None,
        encoded: Mapping[str, Any],
        decoder_input_ids: Tensor | None,
        decoder_attention_mask: Tensor | None,
        decoder_inputs_embeds: Tensor | None,
        labels: Tensor | None,
        past_key_values: DecoderState | None,
        use_cache: bool | None,
        num_items_in_batch: Tensor | int | None,
        output_attentions: bool | None,
        output_hidden_states: bool | None,
    ) -> Seq2SeqLMOutput:
        """The second half of `forward`, behind the encoder."""
        if labels is not None and decoder_input_ids is None and decoder_inputs_embeds is None:
            decoder_input_ids = self.prepare_decoder_input_ids_from_labels(labels)
        embedded = self._embedded(decoder_input_ids, decoder_inputs_embeds)
        mask = _decoder_mask(decoder_attention_mask, embedded)
        state = past_key_values
        if state is None:
            # Not in place: the states may be somebody else's.
            dropped = self.memory_dropout(memory.states).masked_fill(~memory.mask[..., None], 0.0)
            state = self.decoder.start(dropped, memory.mask)
        output = self.decoder(embedded, state, mask, self._replacement(embedded))
        logits = self.lm_head(self.readout_dropout(output.readouts))
        wants_weights = self.config.output_attentions if output_attentions is None else output_attentions
        wants_states = self.config.output_hidden_states if output_hidden_states is None else output_hidden_states
        return Seq2SeqLMOutput(
            loss=None if labels is None else self._loss(logits, labels, output, num_items_in_batch),
            logits=logits,
            past_key_values=output.state if use_cache else None,
            decoder_hidden_states=(embedded, *output.layers) if wants_states else None,
            cross_attentions=(output.weights,) if wants_weights else None,
            encoder_last_hidden_state=encoded.get("last_hidden_state") if wants_states else None,
            encoder_hidden_states=encoded.get("hidden_states") if wants_states else None,
            encoder_attentions=encoded.get("attentions") if wants_weights else None,
        )

    def _embedded(self, ids: Tensor | None, embeds: Tensor | None) -> Tensor:
        if (ids is None) == (embeds is None):
            raise ValueError("Give exactly one of decoder_input_ids and decoder_inputs_embeds, or labels.")
        given = ids if embeds is None else embeds
        return self.decoder_embeddings(ids, embeds, torch.ones(given.shape[:2], dtype=torch.bool, device=given.device))

    def _replacement(self, embedded: Tensor) -> Replace | None:
        """Scheduled sampling (Bengio et al., 2015): reads what the model has just written, not what it should have."""
        if not self.training or not self.sampling_probability:
            return None
        chosen = torch.rand(embedded.shape[:2], device=embedded.device) < self.sampling_probability
        # The first token is written by nobody.
        chosen[:, 0] = False

        def replace(step: int, readout: Tensor) -> tuple[Tensor, Tensor] | None:
            if can_be_read(chosen) and not chosen[:, step].any():
                return None
            with torch.no_grad():
                tokens = self.lm_head(readout).argmax(-1)
            return self._embedded(tokens[:, None], None).squeeze(1), chosen[:, step]

        return replace

    def _loss(
        self, logits: Tensor, labels: Tensor, output: DecoderOutput, num_items_in_batch: Tensor | int | None
    ) -> Tensor:
        self._check_labels(labels, logits)
        target = labels.to(logits.device)
        total = F.cross_entropy(
            (logits if logits.dtype == torch.float64 else logits.float()).flatten(0, 1),
            target.flatten(),
            ignore_index=IGNORED,
            reduction="sum",
            label_smoothing=self.config.label_smoothing if self.training else 0.0,
        )
        real = target != IGNORED
        if self.config.coverage_loss_coef and self.training:
            total = total + self.config.coverage_loss_coef * (output.covered * real).sum()
        count = real.sum().clamp(min=1) if num_items_in_batch is None else num_items_in_batch
        return total / count

    def _check_labels(self, labels: Tensor, logits: Tensor) -> None:
        if labels.shape != logits.shape[:2]:
            raise ValueError(
                f"labels has the shape {tuple(labels.shape)}, but the decoder reads {tuple(logits.shape[:2])} tokens: "
                "leave decoder_input_ids out, or make them as long."
            )
        if can_be_read(labels):
            wrong = labels[(labels != IGNORED) & ((labels < 0) | (labels >= logits.shape[-1]))]
            if len(wrong):
                raise ValueError(
                    f"labels holds {int(wrong[0])}, and the model writes {logits.shape[-1]} tokens: give token ids of "
                    f"the target, or {IGNORED} for padding."
                )

    def _resize_target(self, size: int) -> nn.Embedding:
        own = self.decoder_embeddings
        own.word_embeddings = self._get_resized_embeddings(own.word_embeddings, size)
        self.lm_head = self._get_resized_lm_head(self.lm_head, size)
        self.tie_weights()
        return own.word_embeddings

    def get_output_embeddings(self) -> nn.Linear:
        return self.lm_head

    def set_output_embeddings(self, value: nn.Linear) -> None:
        self.lm_head = value


def memory_of(encoded: Mapping[str, Any], given: Tensor | None, name: str) -> Memory:
    """What the decoder attends to.

    Args:
        encoded: Output of the encoder.
        given: Its mask (batch, length), or (batch, 1) for all; all is real without one.
        name: What that is called, for the sentence of a mistake.

    Raises:
        ValueError: The mask has another shape.
    """
    states, mask = encoded["last_hidden_state"], encoded.get("mask")
    if mask is None and given is not None:
        if not given.shape[1]:
            # The encoder has read a token of padding, where there was none at all.
            given = given.new_zeros(len(given), 1)
        if given.shape[0] != states.shape[0] or given.shape[1] not in (1, states.shape[1]):
            raise ValueError(
                f"{name} has the shape {tuple(given.shape)}, but the encoder's states have {tuple(states.shape[:2])}: "
                "they must be equal."
            )
        mask = boolean_mask(given, states.device, name).expand(states.shape[:2])
    if mask is None:
        mask = torch.ones(states.shape[:2], dtype=torch.bool, device=states.device)
    return Memory(states, mask)


def as_encoder_output(given: Any) -> Mapping[str, Any]:
    """`encoder_outputs` as a mapping, which may come as a tuple whose first part is the last hidden state."""
    return given if isinstance(given, Mapping) else BaseModelOutput(last_hidden_state=given[0])


def _decoder_mask(mask: Tensor | None, embedded: Tensor) -> Tensor | None:
    if mask is None:
        return None
    if mask.shape != embedded.shape[:2]:
        raise ValueError(
            f"decoder_attention_mask has the shape {tuple(mask.shape)}, but the decoder reads "
            f"{tuple(embedded.shape[:2])} tokens: they must be equal."
        )
    mask = boolean_mask(mask, embedded.device, "decoder_attention_mask")
    return None if can_be_read(mask) and mask.all() else mask


__all__ = ["AttnLSTMSeq2SeqPreTrainedModel"]

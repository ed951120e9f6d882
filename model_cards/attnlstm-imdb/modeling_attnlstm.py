"""The backbone of the attention-LSTM models for text, and what all its heads share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers.modeling_outputs import BaseModelOutputWithPooling
from transformers.utils.generic import merge_with_config_defaults
from transformers.utils.output_capturing import capture_outputs

from .configuration_attnlstm import AttnLSTMConfig
from .configuration_words import input_widths
from .context import attention_run, context_stack
from .embeddings import TokenEmbeddings
from .lstm_backends import LSTMState
from .modeling_base import AttnLSTMBaseModel
from .ngrams import NgramEmbedding
from .pooling import Pooler
from .reading_order import boolean_mask, full_reading_order, mask_of, reading_order
from .recurrence import LSTMStack
from .spelling import Spelling, WordTokens
from .subwords import SubwordEmbedding
from .word_inputs import (
    CaseEmbedding,
    CharacterCNN,
    CharacterEncoder,
    CharacterLSTM,
    InputMerge,
    WordInputs,
    WordVectors,
)


@dataclass
class AttnLSTMModelOutput(BaseModelOutputWithPooling):
    """`BaseModelOutputWithPooling`, with five fields more.

    Attributes:
        pooler_weights: (batch, heads, 1, length), the attention of the pooling; None unless asked for, and without
            attention pooling.
        direction_states: (batch, length, directions, size), the states of the last LSTM's directions by themselves,
            undefined on padding; None unless asked for. Of one layer, each has read its side of the text only.
        state: Hidden state and cell of all LSTMs after the last real token of each text, each
            (layers · directions, batch, size) in the order of `nn.LSTM`; None unless asked for.
        words: The tokens of the batch, seen as words; None unless asked for, and where nothing is known of them.
        mask: Boolean (batch, length), True on the tokens that were read; None unless asked for.
    """

    pooler_weights: Tensor | None = None
    direction_states: Tensor | None = None
    state: LSTMState | None = None
    words: WordTokens | None = None
    mask: Tensor | None = None


class AttnLSTMPreTrainedModel(AttnLSTMBaseModel):
    """What the models for text share."""

    config_class = AttnLSTMConfig
    base_model_prefix = "attnlstm"
    # Of a pretrained model, every other head leaves this one behind.
    _keys_to_ignore_on_load_unexpected = [r"^lm_head\."]
    _no_split_modules = ["LSTMLayer", "TokenEmbeddings", "ContextLayer"]

    def embed(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """What `inputs_embeds` stands for: the embeddings of the tokens, with those of n-grams where there are any.

        Args:
            input_ids: (batch, length) token ids.
            attention_mask: (batch, length) of 0 and 1; all tokens are real without it.

        Returns:
            (batch, length, config.input_size).

        Example:

        ```python
        >>> model = AttnLSTMModel(AttnLSTMConfig())
        >>> model.embed(torch.tensor([[5, 6, 7]])).shape
        torch.Size([1, 3, 128])
        ```
        """
        return self.base_model.embeddings.embed(input_ids, mask_of(input_ids, attention_mask))

    def tokens_read(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """The mask that belongs to what [`embed`] returns, as booleans (batch, length).

        It is `attention_mask`, but for tokens that only spell a word on, which are read with the word's first one.

        Example:

        ```python
        >>> AttnLSTMModel(AttnLSTMConfig()).tokens_read(torch.tensor([[5, 6]]), torch.tensor([[1, 0]]))
        tensor([[ True, False]])
        ```
        """
        mask = mask_of(input_ids, attention_mask)
        words = self.base_model.embeddings.words(input_ids, mask)
        return mask if words is None else words.read

    def get_input_embeddings(self) -> nn.Embedding:
        return self.base_model.embeddings.word_embeddings

    def set_input_embeddings(self, value: nn.Embedding) -> None:
        self.base_model.embeddings.word_embeddings = value

    def resize_token_embeddings(self, *args: Any, **kwargs: Any) -> nn.Embedding:
        """As the base class's; tokens share no embeddings any more, because new ones are not known to be spelt."""
        self.base_model.fold_subwords()
        embedding = super().resize_token_embeddings(*args, **kwargs)
        if self.base_model.embeddings.spelling is not None:
            self.base_model.embeddings.spelling.resize(len(embedding.weight))
        return embedding


class AttnLSTMModel(AttnLSTMPreTrainedModel):
    """Embeddings, LSTM stack, context layers and pooling.

    Args:
        config: The configuration.
        add_pooling_layer: Whether there is a `pooler_output`, and are parameters for it.

    Example:

    ```python
    >>> model = AttnLSTMModel(AttnLSTMConfig())
    >>> outputs = model(torch.tensor([[5, 6, 7]]), output_attentions=True)
    >>> outputs.last_hidden_state.shape, outputs.pooler_output.shape, outputs.attentions[-1].shape
    (torch.Size([1, 3, 256]), torch.Size([1, 256]), torch.Size([1, 1, 1, 3]))
    ```
    """

    def __init__(self, config: AttnLSTMConfig, add_pooling_layer: bool = True):
        super().__init__(config)
        self.embeddings = TokenEmbeddings(
            config.vocab_size,
            config.embedding_size,
            padding_idx=config.pad_token_id,
            dropout=config.embedding_dropout,
            locked_dropout=config.locked_dropout,
            word_dropout=config.word_dropout,
            ngrams=_ngram_embedding(config),
            subwords=_subword_embedding(config),
            spelling=_spelling(config),
            further=_word_inputs(config),
        )
        self.encoder = LSTMStack(
            config.input_size,
            config.hidden_size,
            num_layers=config.num_hidden_layers,
            bidirectional=config.bidirectional,
            direction_merge=config.direction_merge,
            residual=config.residual,
            dropout=config.hidden_dropout_prob,
            locked_dropout=config.locked_dropout,
        )
        self.context = context_stack(config)
        self.pooler = text_pooler(config) if add_pooling_layer else None
        self.post_init()

    @torch.no_grad()
    def set_ngrams(self, numbers: Tensor, longest: int, dropout: float = 0.0) -> None:
        """Give n-grams an embedding of their own, in place of those that have one; it is random.

        Args:
            numbers: (size,), those of the n-grams in rising order, see [`ngram_numbers`]; of size 0 for none.
            longest: Tokens in the longest of them.
            dropout: On their embeddings.

        Example:

        ```python
        >>> model = AttnLSTMModel(AttnLSTMConfig())
        >>> model.set_ngrams(torch.tensor([6 * 2**31 + 7]), longest=2)  # token 6 after token 5
        >>> model.config.embedding_ngrams
        1
        ```
        """
        if not len(numbers):
            # What has no effect stands at its default.
            longest, dropout = AttnLSTMConfig.embedding_ngram_length, AttnLSTMConfig.ngram_dropout
        self.config.embedding_ngrams = len(numbers)
        self.config.embedding_ngram_length, self.config.ngram_dropout = longest, dropout
        self.config.validate_architecture()
        self.embeddings.ngrams = _ngram_embedding(self.config)
        if self.embeddings.ngrams is not None:
            self._init_weights(self.embeddings.ngrams.table)
            self.embeddings.ngrams.to(self.device, self.dtype).index.numbers.copy_(numbers)

    @torch.no_grad()
    def set_subwords(self, starts: Tensor, members: Tensor) -> None:
        """Let tokens share embeddings of the character n-grams that they consist of; these are random.

        Args:
            starts, members: As in [`SubwordEmbedding`], with each n-gram a number from 0 on.

        Example:

        ```python
        >>> model = AttnLSTMModel(AttnLSTMConfig(vocab_size=7))
        >>> model.set_subwords(torch.tensor([0, 0, 0, 0, 0, 0, 2, 3]), torch.tensor([0, 1, 0]))
        >>> model.config.subword_ngrams, model.config.subword_entries
        (2, 3)
        ```
        """
        self.config.subword_ngrams = int(members.max()) + 1 if len(members) else 0
        self.config.subword_entries = len(members)
        self.config.validate_architecture()
        self.embeddings.subwords = subwords = _subword_embedding(self.config)
        if subwords is not None:
            self._init_weights(subwords.table)
            subwords.to(self.device, self.dtype)
            subwords.starts.copy_(starts)
            subwords.members.copy_(members)

    @torch.no_grad()
    def set_spelling(self, characters: Tensor, roles: Tensor, kinds: Tensor, lower: Tensor) -> None:
        """Tell the model how tokens are spelt, and which of them make up words.

        Args:
            characters, roles, kinds, lower: As in [`Spelling`].

        Raises:
            ValueError: They are of other sizes than the configuration says.

        Example:

        ```python
        >>> model = AttnLSTMModel(AttnLSTMConfig(vocab_size=3, num_characters=2, max_word_length=1))
        >>> tables = torch.tensor([[0], [1], [1]]), torch.tensor([3, 0, 2]), torch.tensor([0, 1]), torch.tensor([0, 1])
        >>> model.set_spelling(*tables)
        >>> model.tokens_read(torch.tensor([[1, 2]]))
        tensor([[ True, False]])
        ```
        """
        spelling = self.embeddings.spelling
        given = {"characters": characters, "roles": roles, "kinds": kinds, "lower": lower}
        for name, table in given.items():
            own = None if spelling is None else getattr(spelling, name)
            if own is None or own.shape != table.shape:
                raise ValueError(
                    f"{name} has the shape {tuple(table.shape)}, and the configuration says "
                    f"vocab_size={self.config.vocab_size}, num_characters={self.config.num_characters} and "
                    f"max_word_length={self.config.max_word_length}: make them equal."
                )
            own.copy_(table)

    @torch.no_grad()
    def fold_subwords(self) -> None:
        """Give each token the sum of its embeddings as its own, with which the model computes the same.

        Example:

        ```python
        >>> model.attnlstm.fold_subwords()
        >>> model.config.subword_ngrams
        0
        ```
        """
        subwords = self.embeddings.subwords
        if subwords is not None:
            tokens = torch.arange(self.config.vocab_size, device=self.device)
            weight = self.embeddings.word_embeddings.weight
            # Not in place: another model may share the numbers.
            weight.data = weight.data + subwords(tokens)
            self.embeddings.subwords = None
            self.config.subword_ngrams = self.config.subword_entries = 0

    @merge_with_config_defaults
    @capture_outputs
    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        char_ids: Tensor | None = None,
        output_pooler_weights: bool = False,
        output_direction_states: bool = False,
        output_state: bool = False,
        output_words: bool = False,
        output_mask: bool = False,
        **kwargs: Any,
    ) -> AttnLSTMModelOutput:
        """Encode a batch.

        Args:
            input_ids: (batch, length) token ids.
            attention_mask: (batch, length) of 0 and 1, of any dtype; 1 marks the real tokens, wherever they stand. All
                tokens are real without it.
            inputs_embeds: (batch, length, config.input_size), in place of `input_ids`; see [`tokens_read`] for the
                mask that belongs to them.
            char_ids: (batch, length, characters) numbers of the characters of each token, 0 behind the last, for
                words that the tokenizer cannot spell; those of `spelling` without.
            output_pooler_weights: Whether to return `pooler_weights`.
            output_direction_states: Whether to return `direction_states`.
            output_state: Whether to return `state`.
            output_words: Whether to return `words`.
            output_mask: Whether to return `mask`.

        Returns:
            `last_hidden_state` (batch, length, hidden_size), 0 on padding; `pooler_output` (batch, pooled_size) where
            there is a pooling layer; on request `hidden_states`, the input of the first LSTM layer and the output of
            each, the last of them after the context layers, `attentions`, of each context layer (batch, heads, length,
            length) and of the pooling, the last one, (batch, heads, 1, length), and the fields of
            [`AttnLSTMModelOutput`].

        Raises:
            ValueError: When neither or both of `input_ids` and `inputs_embeds` are given, or the mask has another
                shape than they, or other values than 0 and 1.
        """
        given = _check_inputs(input_ids, attention_mask, inputs_embeds)
        if given.shape[1] == 0:
            input_ids, inputs_embeds, attention_mask = _one_masked_token(self.config, input_ids, inputs_embeds)
            given = input_ids if inputs_embeds is None else inputs_embeds
        if attention_mask is None:
            mask = torch.ones(given.shape[:2], dtype=torch.bool, device=given.device)
            order = full_reading_order(*mask.shape, mask.device)
        else:
            mask = boolean_mask(attention_mask, given.device)
            order = reading_order(mask)
        words = self._words(input_ids, mask, char_ids)
        if words is not None and words.read is not mask:
            mask = words.read
            order = reading_order(mask)

        embedded = self.embeddings(input_ids, inputs_embeds, mask, words)
        states, directions, final, state = self.encoder(embedded, order, return_state=output_state)
        if self.context is not None:
            states, final = self.context(states, mask, attention_run(self.config, kwargs))
        pooled, weights = (None, None) if self.pooler is None else self.pooler(states, mask, final)
        return AttnLSTMModelOutput(
            last_hidden_state=states,
            pooler_output=pooled,
            pooler_weights=weights if output_pooler_weights else None,
            direction_states=directions if output_direction_states else None,
            state=state,
            words=words if output_words else None,
            mask=mask if output_mask else None,
        )

    def _words(self, input_ids: Tensor | None, mask: Tensor, char_ids: Tensor | None) -> WordTokens | None:
        if char_ids is not None and (input_ids is None or self.embeddings.spelling is None):
            raise ValueError(
                "char_ids goes with input_ids and a model that reads characters: leave it out, or set num_characters "
                "in the configuration."
            )
        return None if input_ids is None else self.embeddings.words(input_ids, mask, char_ids)


def _spelling(config: AttnLSTMConfig) -> Spelling | None:
    if not config.num_characters:
        return None
    return Spelling(config.vocab_size, config.num_characters, config.max_word_length)


def _word_inputs(config: AttnLSTMConfig) -> WordInputs | None:
    if len(config.inputs) == 1:
        return None
    return WordInputs(
        {name: _character_encoder(config, name) for name in config.char_encoders},
        CaseEmbedding(config.case_embedding_size) if "case" in config.inputs else None,
        [WordVectors(*table) for table in zip(config.vector_rows or (), config.vector_sizes or ())],
        InputMerge(input_widths(config), config.embedding_size, config.input_merge),
        config.word_input_dropout,
    )


def _character_encoder(config: AttnLSTMConfig, name: str) -> CharacterEncoder:
    sizes = config.num_characters, config.char_embedding_size
    options = {"output_size": config.char_hidden_size, "dropout": config.char_dropout}
    if name == "char_lstm":
        return CharacterLSTM(*sizes, **options)
    return CharacterCNN(*sizes, kernel_size=config.char_kernel_size, **options)


def _ngram_embedding(config: AttnLSTMConfig) -> NgramEmbedding | None:
    if not config.embedding_ngrams:
        return None
    return NgramEmbedding(
        config.embedding_ngrams, config.embedding_ngram_length, config.embedding_size, config.ngram_dropout
    )


def _subword_embedding(config: AttnLSTMConfig) -> SubwordEmbedding | None:
    if not config.subword_ngrams:
        return None
    return SubwordEmbedding(config.vocab_size, config.subword_ngrams, config.subword_entries, config.embedding_size)


def text_pooler(config: AttnLSTMConfig) -> Pooler:
    """The pooling that a configuration names.

    Example:

    ```python
    >>> text_pooler(AttnLSTMConfig(classifier_pooling="max")).poolings
    ('max',)
    ```
    """
    return Pooler(
        config.hidden_size,
        config.poolings,
        score=config.pooler_score,
        num_heads=config.pooler_num_heads,
        size=config.pooler_size,
        normalizer=config.pooler_normalizer,
        temperature=config.pooler_temperature,
    )


def _check_inputs(input_ids: Tensor | None, attention_mask: Tensor | None, inputs_embeds: Tensor | None) -> Tensor:
    """The one of `input_ids` and `inputs_embeds` that is given."""
    if (input_ids is None) == (inputs_embeds is None):
        raise ValueError("Give exactly one of input_ids and inputs_embeds.")
    name, dimensions = ("input_ids", 2) if inputs_embeds is None else ("inputs_embeds", 3)
    given = input_ids if inputs_embeds is None else inputs_embeds
    if given.dim() != dimensions:
        raise ValueError(f"{name} must have {dimensions} dimensions, batch first, got the shape {tuple(given.shape)}.")
    if attention_mask is not None and attention_mask.shape != given.shape[:2]:
        raise ValueError(
            f"attention_mask has the shape {tuple(attention_mask.shape)}, but the input has {tuple(given.shape[:2])}: "
            "they must be equal."
        )
    return given


def _one_masked_token(
    config: AttnLSTMConfig, input_ids: Tensor | None, inputs_embeds: Tensor | None
) -> tuple[Tensor | None, Tensor | None, Tensor]:
    """A batch of texts without any token, as the LSTM can read it: one padding token each."""
    given = input_ids if inputs_embeds is None else inputs_embeds
    mask = torch.zeros(given.shape[0], 1, dtype=torch.bool, device=given.device)
    if inputs_embeds is not None:
        return None, inputs_embeds.new_zeros(inputs_embeds.shape[0], 1, inputs_embeds.shape[2]), mask
    # Tokenizers return an empty list as floats: the ids are made anew.
    return torch.full_like(mask, config.pad_token_id or 0, dtype=torch.long), None, mask


__all__ = ["AttnLSTMModel", "AttnLSTMPreTrainedModel"]

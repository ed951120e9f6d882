"""Configuration of the attention-LSTM models that write sequences."""

# No `from __future__ import annotations` here: `strict` checks types only where the annotations are types.
import copy
from typing import Literal

from huggingface_hub.dataclasses import strict

from .configuration_attnlstm import AttnLSTMConfig
from .configuration_base import MOST_UNITS, UPPER_BOUNDS, AttnLSTMBaseConfig
from .configuration_checks import check_positive
from .configuration_images import check_images, region_width
from .configuration_pooled import SIZED_SCORES


MOST_TOKENS = 50_000_000
# What is for pictures, and for texts, that are read.
IMAGE_FIELDS = ("image_feature_size", "image_conv_sizes", "num_image_channels")
TEXT_FIELDS = (
    *("num_hidden_layers", "bidirectional", "direction_merge", "residual", "context_layers", "decoder_vocab_size"),
)
# What the encoder is told under another name, or has no use for.
_ENCODER_FIELDS = (
    *("vocab_size", "embedding_size", "hidden_size", "num_hidden_layers", "bidirectional", "direction_merge"),
    *("residual", "hidden_dropout_prob", "embedding_dropout", "locked_dropout", "word_dropout", "context_layers"),
    *("context_merge", "context_causal", "num_attention_heads", "intermediate_size", "num_hashes", "num_buckets"),
    *("lsh_attn_chunk_length", "initializer_range", "pad_token_id"),
)


@strict
class AttnLSTMSeq2SeqConfig(AttnLSTMBaseConfig):
    r"""
    Configuration of an LSTM decoder with attention over what an encoder has read: a text, or a picture. The defaults
    give a bidirectional LSTM of 256 units a direction, and a decoder of one layer with additive attention and input
    feeding.

    Args:
        vocab_size: Rows of the embedding, of encoder and decoder alike.
        decoder_vocab_size: Rows of the decoder's embedding, where the written tokens are others than those that are
            read; None for one vocabulary.
        embedding_size: Width of a token's embedding, on both sides, and of what a token is predicted by.
        hidden_size: Width of the encoder's states. With `direction_merge="concat"` each direction has half of it.
        num_hidden_layers: LSTM layers of the encoder.
        bidirectional, direction_merge, residual: Of the encoder, as in [`AttnLSTMConfig`].
        context_layers, context_merge, context_causal, num_attention_heads, intermediate_size, num_hashes, num_buckets,
            lsh_attn_chunk_length: Layers after the encoder's LSTM in which its states attend to each other, as in
            [`AttnLSTMConfig`].
        hidden_dropout_prob: Dropout between layers, and on the encoder's states that the decoder attends to.
        embedding_dropout, locked_dropout, word_dropout: On the embeddings of both sides, as in [`AttnLSTMConfig`].
        decoder_hidden_size: Width of the decoder's states; `hidden_size` when it is None.
        num_decoder_layers: LSTM layers of the decoder.
        input_feeding: Whether the decoder also reads what its last token was predicted by (Luong et al., 2015).
        cross_attention_score: Score of an encoder's state h for the decoder's state s: `"additive"` vᵀtanh(Wh+Us+b)
            (Bahdanau et al., 2015), `"general"` sᵀWh or `"dot"` sᵀh (Luong et al., 2015), `"linear"` or
            `"diagonal_dot"`; see [`Attention`].
        cross_attention_size: Inner width of the additive and diagonal_dot scores; `hidden_size` when it is None.
        cross_attention_num_heads: Weightings of the encoder's states, whose means are joined.
        cross_attention_normalizer: `"softmax"`, `"sparsemax"` or `"entmax15"`.
        cross_attention_temperature: Divides the scores.
        coverage: Whether the score is told how much attention each state has had already (See et al., 2017).
        coverage_loss_coef: Added to the loss times the attention that goes where attention has been, a token.
        readout_dropout: Dropout on what a token is predicted by.
        label_smoothing: Share of the target that the loss spreads evenly over the tokens (Szegedy et al., 2016).
        image_feature_size: Width of the `image_features` of a model that describes pictures.
        image_conv_sizes: Filters of each convolution that reads its `pixel_values`; see [`RegionEncoder`]. None where
            `image_features` come from elsewhere.
        num_image_channels: Of these pixels.
        initializer_range: Standard deviation of the initial embeddings.
        pad_token_id: Row of the embedding that stays zero in what is read; None for none.
        bos_token_id: Begins what is written, unless `decoder_start_token_id` says otherwise.
        eos_token_id: Ends it.
        decoder_start_token_id: What the decoder reads first; `bos_token_id` when it is None.
        tie_word_embeddings: Whether tokens are predicted by the embedding that the decoder reads (Press and Wolf,
            2017), and, with one vocabulary, the encoder reads the same.

    Raises:
        ValueError: For a misspelt field, an impossible value, or one that has no effect beside the others. A field
            that is unknown and resembles none is told in a warning, and kept.
        StrictDataclassFieldValidationError: For a value of another type than the field's.

    Example:

    ```python
    >>> from hfattnlstm import AttnLSTMSeq2SeqConfig
    >>> config = AttnLSTMSeq2SeqConfig(hidden_size=128, num_decoder_layers=2)
    >>> config.decoder_size, config.decoder_start_token_id
    (128, 2)
    ```
    """

    model_type = "attnlstm_seq2seq"
    keys_to_ignore_at_inference = [
        *("past_key_values", "decoder_hidden_states", "decoder_attentions", "cross_attentions"),
        *("encoder_last_hidden_state", "encoder_hidden_states", "encoder_attentions"),
    ]
    upper_bounds = {
        **UPPER_BOUNDS,
        **dict.fromkeys(("vocab_size", "decoder_vocab_size"), MOST_TOKENS),
        **dict.fromkeys(("decoder_hidden_size", "cross_attention_size", "image_feature_size"), MOST_UNITS),
        "num_decoder_layers": 256,
        "cross_attention_num_heads": 4_096,
        "num_image_channels": 1_024,
    }
    probabilities = ("embedding_dropout", "word_dropout", "hidden_dropout_prob", "readout_dropout")
    needed_by = {"coverage": ("coverage_loss_coef",)}

    vocab_size: int = 8_000
    decoder_vocab_size: int | None = None
    embedding_size: int = 256
    hidden_size: int = 512
    embedding_dropout: float | int = 0.3
    locked_dropout: bool = False
    word_dropout: float | int = 0.0
    decoder_hidden_size: int | None = None
    num_decoder_layers: int = 1
    input_feeding: bool = True
    cross_attention_score: Literal["additive", "linear", "dot", "general", "diagonal_dot"] = "additive"
    cross_attention_size: int | None = None
    cross_attention_num_heads: int = 1
    cross_attention_normalizer: Literal["softmax", "sparsemax", "entmax15"] = "softmax"
    cross_attention_temperature: float | int = 1.0
    coverage: bool = False
    coverage_loss_coef: float | int = 0.0
    readout_dropout: float | int = 0.3
    label_smoothing: float | int = 0.1
    image_feature_size: int = 768
    image_conv_sizes: list[int] | None = None
    num_image_channels: int = 3
    initializer_range: float | int = 0.1
    pad_token_id: int | None = 0
    bos_token_id: int | None = 2
    eos_token_id: int | list[int] | None = 3
    decoder_start_token_id: int | None = None
    tie_word_embeddings: bool = True
    is_encoder_decoder: bool = True

    def __post_init__(self, **kwargs):
        if self.decoder_start_token_id is None:
            self.decoder_start_token_id = self.bos_token_id
        super().__post_init__(**kwargs)

    @property
    def decoder_size(self) -> int:
        """Width of the decoder's states."""
        return self.decoder_hidden_size or self.hidden_size

    @property
    def target_vocab_size(self) -> int:
        """Tokens that can be written."""
        return self.decoder_vocab_size or self.vocab_size

    @property
    def region_size(self) -> int:
        """Width of a region of a picture, as `image_features` have it."""
        return region_width(self)

    @property
    def encoder_config(self) -> AttnLSTMConfig:
        """The configuration of the encoder of a text."""
        own = AttnLSTMConfig(**{name: getattr(self, name) for name in _ENCODER_FIELDS})
        own._attn_implementation = self._attn_implementation
        return own

    def get_text_config(self, decoder: bool | None = None, encoder: bool | None = None) -> "AttnLSTMSeq2SeqConfig":
        """This configuration; for the decoder, with its sizes under their general names, as generation reads them.

        So it is, too, where nobody says which of the two and what is written has a vocabulary of its own: transformers
        asks so for the number of tokens that are scored.
        """
        has_own_tokens = self.decoder_vocab_size is not None and decoder is None
        if encoder or not (decoder or has_own_tokens):
            return self
        own = copy.copy(self)
        vars(own).update(
            vocab_size=self.target_vocab_size,
            hidden_size=self.decoder_size,
            num_hidden_layers=self.num_decoder_layers,
        )
        return own

    def refuse_without_effect(self, names: tuple[str, ...], why: str) -> None:
        """ValueError for the first of these fields that is not at its default, with what is in the way."""
        for name in names:
            if getattr(self, name) != getattr(type(self), name):
                raise ValueError(f"{name} has no effect in {why}: leave it out.")

    def validate_architecture(self) -> None:
        """Sizes, probabilities and the fields that depend on each other."""
        super().validate_architecture()
        self._validate_tokens()
        self._validate_cross_attention()
        check_images(self)
        if not 0 <= self.label_smoothing < 1:
            raise ValueError(f"label_smoothing must be at least 0 and below 1, got {self.label_smoothing}.")
        if self.initializer_range < 0:
            raise ValueError(f"initializer_range must not be negative, got {self.initializer_range}.")
        if not self.is_encoder_decoder:
            raise ValueError("is_encoder_decoder is what this model is: leave it at true.")

    def _validate_tokens(self) -> None:
        ends = self.eos_token_id if isinstance(self.eos_token_id, list) else [self.eos_token_id]
        written = {"bos_token_id": [self.bos_token_id], "eos_token_id": ends}
        written["decoder_start_token_id"] = [self.decoder_start_token_id]
        sizes = {"pad_token_id": (min(self.vocab_size, self.target_vocab_size), [self.pad_token_id])}
        sizes |= {name: (self.target_vocab_size, ids) for name, ids in written.items()}
        for name, (size, ids) in sizes.items():
            for number in ids:
                if number is not None and not 0 <= number < size:
                    raise ValueError(f"{name} must be below the {size:,} tokens and not negative, got {number}.")
        if self.decoder_start_token_id is None:
            raise ValueError("decoder_start_token_id is what is read first: set it, or bos_token_id.")

    def _validate_cross_attention(self) -> None:
        check_positive("cross_attention_temperature", self.cross_attention_temperature)
        score, heads = self.cross_attention_score, self.cross_attention_num_heads
        if self.cross_attention_size is not None and score not in SIZED_SCORES:
            raise ValueError(
                f"cross_attention_size is for the scores {' and '.join(SIZED_SCORES)}: leave it out with "
                f"cross_attention_score={score!r}."
            )
        width = self.cross_attention_size or self.hidden_size
        if score == "diagonal_dot" and width % heads:
            raise ValueError(
                f"cross_attention_size={width} must be a multiple of cross_attention_num_heads={heads} with "
                'cross_attention_score="diagonal_dot".'
            )
        if score == "dot" and self.decoder_size != heads * self.hidden_size:
            raise ValueError(
                f'cross_attention_score="dot" compares states of one width: make decoder_hidden_size '
                f'{heads * self.hidden_size}, or choose "general".'
            )
        if self.coverage_loss_coef < 0:
            raise ValueError(f"coverage_loss_coef must not be negative, got {self.coverage_loss_coef}.")


__all__ = ["AttnLSTMSeq2SeqConfig"]

"""Configuration of the attention-LSTM models."""

# No `from __future__ import annotations` here: `strict` checks types only where the annotations are types.
from typing import Literal

from huggingface_hub.dataclasses import strict

from .configuration_base import MOST_UNITS, MULTI_LABEL, REGRESSION
from .configuration_checks import check_positive, check_threshold, largest_vocabulary
from .configuration_images import check_images, region_width
from .configuration_pooled import POOLED_BOUNDS, AttnLSTMPooledConfig
from .configuration_words import CHAR_ENCODERS, check_word_inputs, input_widths
from .tag_schemes import allowed_tags


# Numbers of n-grams, of which there may be none, and the lengths of the longest ones.
NGRAM_FIELDS = {"embedding_ngrams": "embedding_ngram_length", "classifier_ngrams": "classifier_ngram_length"}
MAX_NGRAMS, MAX_NGRAM_LENGTH = 100_000_000, 5


@strict
class AttnLSTMConfig(AttnLSTMPooledConfig):
    r"""
    Configuration of an LSTM stack with attention pooling. The defaults give a one-layer bidirectional LSTM of 128
    units a direction with additive attention.

    Args:
        vocab_size: Rows of the embedding.
        embedding_size: Width of a token's embedding.
        hidden_size: Width of `last_hidden_state`. With `direction_merge="concat"` each direction has half of it.
        num_hidden_layers: LSTM layers.
        bidirectional: Whether every layer also reads the text from its end.
        direction_merge: How the two directions become one state: `"concat"`, `"sum"`, `"mean"`, or `"weighted"`
            (a learned weight for each direction).
        residual: Whether a layer's input is added to its output, where the two are equally wide.
        hidden_dropout_prob: Dropout between layers, and on what context layers add.
        context_layers: Layers after the LSTM in which its states attend to each other: a list of `"attention"`,
            self-attention with a residual and a normalisation (Vaswani et al., 2017), `"transformer"`, which has a
            feed-forward part too, and `"lsh_attention"` and `"lsh_transformer"`, the same two with attention among
            states that are hashed alike, for long texts; see [`LSHSelfAttention`].
        context_merge: How what a state attends to comes to it: `"add"`, the residual, or `"concat"`, both side by side
            through a linear layer that brings them back to `hidden_size`.
        context_causal: Whether a state attends only to itself and those before it.
        num_attention_heads: Heads of the context layers.
        intermediate_size: Width inside their feed-forward part; four times `hidden_size` when it is None.
        num_hashes: How often a layer with `lsh` hashes the states; what is near is missed less often with more.
        num_buckets: Into how many buckets at most; a text has two for each chunk.
        lsh_attn_chunk_length: States that stand together once they are sorted by bucket, and attend to each other and
            to the chunks beside theirs. A text that is no longer is attended to in full.
        embedding_dropout: Dropout on the embeddings.
        locked_dropout: Whether those two drop the same units at every token of a text (Gal and Ghahramani, 2016).
        word_dropout: Share of the tokens whose whole embedding is zeroed in training (Iyyer et al., 2015).
        classifier_pooling: What becomes of the states: one of `"attention"`, `"mean"`, `"max"`, `"last"` and
            `"sum"`, or several, which are joined in the order given. `"sum"` is the attention of the first sketch of
            this package with all weights at 1; no measurement here speaks for it.
        pooler_score: Score of a state h in the attention pooling: `"additive"` vᵀtanh(Wh+b) (Bahdanau et al., 2015),
            `"linear"` tanh(wᵀh+b) (the model that this package grew from), `"dot"` qᵀh with a learned query (Yang et
            al., 2016), `"general"` cᵀWh with c the final states of the text (Luong et al., 2015), `"diagonal_dot"`
            (W_q h)·(W_k h), the diagonal of self-attention, as sketches on the web have it; no measurement here
            speaks for that one.
        pooler_size: Inner width of the additive and diagonal_dot scores; `hidden_size` when it is None.
        pooler_num_heads: Weightings of the text; their pooled states are joined (Lin et al., 2017).
        pooler_temperature: Divides the scores: above 1 flatter weights, below 1 sharper ones.
        pooler_normalizer: `"softmax"`, `"sparsemax"` (Martins and Astudillo, 2016) or `"entmax15"` (Peters et
            al., 2019).
        pooler_l2_coef: Added to the loss times Σa², averaged over texts and heads: positive spreads the weights,
            negative gathers them.
        pooler_entropy_coef: Added to the loss times −Σa·log a, averaged over texts and heads: positive sharpens
            the weights, negative flattens them.
        pooler_diversity_coef: Added to the loss times ‖AAᵀ−I‖², averaged over texts (Lin et al., 2017).
        classifier_hidden_size: Width of a tanh layer before the logits; None leaves it out.
        classifier_dropout: Dropout on what enters the head's layers.
        class_weights: A weight in the loss for each label: its class in single-label problems, its positive
            examples in multi-label ones.
        label_smoothing: Share of the target that the loss spreads evenly over the labels (Szegedy et al., 2016); in
            multi-label problems over yes and no. None in a regression.
        threshold: In multi-label problems, the probability above which a label is taken to apply: one number, or a
            list with one for each label.
        truncation: Which part of a text beyond the tokenizer's `model_max_length` is read in training and in the
            attention pipeline: `"head"`, `"tail"`, or `"head_tail"`, a quarter from the beginning and the rest from
            the end (Sun et al., 2019).
        text_columns: Of a model that reads several texts together, such as a pair, the names of their columns in the
            order in which they are read; None for single texts.
        embedding_ngrams: How many n-grams, runs of tokens, have an embedding of their own, which is added to that of
            their last token; see [`NgramEmbedding`].
        embedding_ngram_length: Tokens in the longest of them; the shortest have two.
        ngram_dropout: Dropout on their embeddings.
        subword_ngrams: While a model is trained, how many character n-grams have an embedding of their own, which the
            tokens share that have them; see [`SubwordEmbedding`]. A trained model has none.
        subword_entries: How many character n-grams the tokens have, all together.
        token_inputs: What is read of a word: `"word"`, its embedding, and any of `"char_cnn"` (Ma and Hovy, 2016) and
            `"char_lstm"` (Lample et al., 2016), its characters, `"case"`, how it is written, and `"vectors"`, vectors
            that were trained elsewhere.
        input_merge: How several become one: `"concat"`, or, each brought to `embedding_size`, `"sum"`, `"gated"` (a
            weight for each unit) or `"attention"` (a weight for each input); see [`InputMerge`].
        word_input_dropout: Share of the words that are read in training without their embedding, by the other inputs
            alone, as words are that are not known.
        num_characters: Different characters of which tokens consist, with one more that stands for none; 0 where it
            is not known how they are spelt. See [`Spelling`].
        max_word_length: Characters that are read of a word.
        char_embedding_size: Width of a character's embedding.
        char_hidden_size: Filters of the convolution over characters, or width of the states of both directions of the
            LSTM over them.
        char_kernel_size: Characters that a filter sees.
        char_dropout: Dropout on the embeddings of characters.
        case_embedding_size: Width of the embedding of how a word is written.
        vector_sizes, vector_rows: Of each file of vectors, their width and how many words have one.
        use_crf: Whether a tagger scores sequences of tags, with a linear-chain CRF, and not each tag by itself.
        tagging_scheme: How the tags of a tagger mark spans: `"bio"`, `"iob1"`, `"iobes"`, or None where they are no
            spans. A CRF allows no other sequences.
        sentence_context: Whether a tagger reads, for each word, the pooled states of its sentence, too, whose
            attention is then its own.
        classifier_ngrams: How many n-grams, single tokens among them, have weights that are added to the logits; see
            [`NgramLogits`].
        classifier_ngram_length: Tokens in the longest of them.
        image_feature_size: Width of the `image_features` of a model of texts with pictures.
        image_conv_sizes: Filters of each convolution that reads its `pixel_values`; see [`RegionEncoder`]. None where
            `image_features` come from elsewhere.
        num_image_channels: Of these pixels.
        num_cross_modal_layers: Layers in which text and picture attend to each other, with `num_attention_heads`; see
            [`CrossModalLayer`].
        cross_modal_intermediate_size: Width inside their feed-forward part; four times `hidden_size` when it is None.
        num_sampled_tokens: In pretraining, tokens that a target is compared with (sampled softmax); 0 for all of the
            vocabulary.
        calibration_temperature: Divides the logits where this package makes probabilities of them; above 1, they are
            less sure (Guo et al., 2017). The logits that the model returns are not divided.
        initializer_range: Standard deviation of the initial embeddings.
        pad_token_id: Row of the embedding that stays zero; None for none.
        bos_token_id, eos_token_id: Kept for tokenizers that have them; the model does not use them.
        tie_word_embeddings: Not used: what a language model predicts has the embeddings that it reads.

    Raises:
        ValueError: For a misspelt field, an impossible value, one that has no effect beside the others, or labels that
            contradict each other. A field that is unknown and resembles none is told in a warning, and kept.
        StrictDataclassFieldValidationError: For a value of another type than the field's.

    Example:

    ```python
    >>> from hfattnlstm import AttnLSTMConfig
    >>> config = AttnLSTMConfig(hidden_size=64, classifier_pooling=["attention", "max"], id2label={0: "neg", 1: "pos"})
    >>> config.label2id
    {'neg': 0, 'pos': 1}
    ```
    """

    model_type = "attnlstm"
    keys_to_ignore_at_inference = ["hidden_states", "attentions"]
    upper_bounds = {
        **POOLED_BOUNDS,
        "vocab_size": 50_000_000,
        "max_word_length": 1_000,
        "image_feature_size": MOST_UNITS,
        "num_image_channels": 1_024,
        "num_cross_modal_layers": 256,
        "cross_modal_intermediate_size": MOST_UNITS,
        **dict.fromkeys(("char_embedding_size", "char_hidden_size", "case_embedding_size"), MOST_UNITS),
    }
    probabilities = (
        *("embedding_dropout", "word_dropout", "hidden_dropout_prob", "classifier_dropout", "ngram_dropout"),
        *("char_dropout", "word_input_dropout"),
    )
    needed_by = {
        "num_characters": ("max_word_length",),
        "embedding_ngrams": ("embedding_ngram_length", "ngram_dropout"),
        "classifier_ngrams": ("classifier_ngram_length",),
        "subword_ngrams": ("subword_entries",),
    }
    by_label = ("class_weights", "threshold")
    pooling_field = "classifier_pooling"

    vocab_size: int = 30_000
    embedding_dropout: float | int = 0.1
    locked_dropout: bool = False
    word_dropout: float | int = 0.0
    classifier_pooling: str | list[str] = "attention"
    threshold: float | int | list[float | int] = 0.5
    truncation: Literal["head", "tail", "head_tail"] = "head"
    text_columns: list[str] | None = None
    embedding_ngrams: int = 0
    embedding_ngram_length: int = 3
    ngram_dropout: float | int = 0.0
    subword_ngrams: int = 0
    subword_entries: int = 0
    token_inputs: str | list[str] = "word"
    input_merge: Literal["concat", "sum", "gated", "attention"] = "concat"
    word_input_dropout: float | int = 0.0
    num_characters: int = 0
    max_word_length: int = 24
    char_embedding_size: int = 30
    char_hidden_size: int = 50
    char_kernel_size: int = 3
    char_dropout: float | int = 0.0
    case_embedding_size: int = 10
    vector_sizes: list[int] | None = None
    vector_rows: list[int] | None = None
    use_crf: bool = False
    tagging_scheme: Literal["bio", "iob1", "iobes"] | None = None
    sentence_context: bool = False
    classifier_ngrams: int = 0
    classifier_ngram_length: int = 3
    image_feature_size: int = 768
    image_conv_sizes: list[int] | None = None
    num_image_channels: int = 3
    num_cross_modal_layers: int = 2
    cross_modal_intermediate_size: int | None = None
    num_sampled_tokens: int = 1024
    calibration_temperature: float | int = 1.0
    initializer_range: float | int = 0.1
    pad_token_id: int | None = 0
    bos_token_id: int | None = None
    eos_token_id: int | list[int] | None = None
    tie_word_embeddings: bool = False

    @property
    def model_input_names(self) -> tuple[str, ...]:
        """What the model reads of a batch of texts, and what therefore is collated, sent and exported."""
        return ("input_ids", "attention_mask")

    @property
    def inputs(self) -> tuple[str, ...]:
        """What is read of a word, as a tuple."""
        return (self.token_inputs,) if isinstance(self.token_inputs, str) else tuple(self.token_inputs)

    @property
    def char_encoders(self) -> tuple[str, ...]:
        """Those of the inputs that read characters."""
        return tuple(name for name in self.inputs if name in CHAR_ENCODERS)

    @property
    def input_size(self) -> int:
        """Width of what the recurrence reads, and of `inputs_embeds`."""
        return sum(input_widths(self)) if self.input_merge == "concat" else self.embedding_size

    @property
    def region_size(self) -> int:
        """Width of a region of a picture, as `image_features` have it."""
        return region_width(self)

    def validate_architecture(self) -> None:
        """Sizes, probabilities and the fields that depend on each other."""
        check_word_inputs(self)
        super().validate_architecture()
        self._validate_decisions()
        self._validate_text_columns()
        self._validate_tags()
        check_images(self)

    def _validate_tags(self) -> None:
        if self.tagging_scheme is not None:
            allowed_tags(list(self.id2label.values()), self.tagging_scheme)
        if self.use_crf and (self.class_weights is not None or self.label_smoothing):
            name = "label_smoothing" if self.label_smoothing else "class_weights"
            raise ValueError(f"{name} is for tags that are scored by themselves: leave it out with use_crf=True.")

    def _validate_sizes(self) -> None:
        super()._validate_sizes()
        if self.pad_token_id is not None and not 0 <= self.pad_token_id < self.vocab_size:
            raise ValueError(
                f"pad_token_id must be below vocab_size={self.vocab_size} and not negative, got {self.pad_token_id}."
            )
        for count, length in NGRAM_FIELDS.items():
            self._validate_ngrams(count, length)
        for name, least in (("subword_ngrams", 0), ("subword_entries", self.subword_ngrams)):
            if not least <= getattr(self, name) <= MAX_NGRAMS:
                raise ValueError(f"{name} must be between {least:,} and {MAX_NGRAMS:,}, got {getattr(self, name):,}.")
        if self.num_sampled_tokens < 0:
            raise ValueError(f"num_sampled_tokens must not be negative, got {self.num_sampled_tokens}.")
        if self.initializer_range < 0:
            raise ValueError(f"initializer_range must not be negative, got {self.initializer_range}.")

    def _validate_ngrams(self, count: str, length: str) -> None:
        number, longest, least = getattr(self, count), getattr(self, length), 2 if count == "embedding_ngrams" else 1
        if not 0 <= number <= MAX_NGRAMS:
            raise ValueError(f"{count} must be between 0 and {MAX_NGRAMS:,}, got {number:,}.")
        if not least <= longest <= MAX_NGRAM_LENGTH:
            raise ValueError(f"{length} must be between {least} and {MAX_NGRAM_LENGTH}, got {longest}.")
        if number and self.vocab_size > (bound := largest_vocabulary(longest)):
            raise ValueError(
                f"{length}={longest} is for vocabularies of at most {bound:,} tokens, and this one has "
                f"{self.vocab_size:,}: make one of the two smaller."
            )

    def _validate_text_columns(self) -> None:
        names = self.text_columns
        if names is not None and (len(names) < 2 or len(set(names)) < len(names) or not all(map(str.strip, names))):
            raise ValueError(
                f"text_columns must be two or more different names, or None for single texts, got {names!r}."
            )

    def _validate_decisions(self) -> None:
        check_positive("calibration_temperature", self.calibration_temperature)
        if self.calibration_temperature != 1 and self.resolve_problem_type() == REGRESSION:
            raise ValueError("A regression has no calibration_temperature: leave it out.")
        check_threshold(self.threshold, self.num_labels)
        if self.threshold != 0.5 and self.resolve_problem_type(float_labels=True) != MULTI_LABEL:
            raise ValueError(
                f"threshold is for multi-label problems: leave it at 0.5, or set problem_type={MULTI_LABEL!r}."
            )


__all__ = ["AttnLSTMConfig"]

"""Configuration of the attention-LSTM models."""

# No `from __future__ import annotations` here: `strict` checks types only where the annotations are types.
import math
from dataclasses import fields
from typing import Any, Literal

from huggingface_hub.dataclasses import strict
from transformers import PreTrainedConfig

from .configuration_checks import (
    check_num_labels,
    check_positive,
    check_threshold,
    check_unknown,
    largest_vocabulary,
    refuse_misspelt,
    whole_numbers,
)


POOLINGS = ("attention", "mean", "max", "last", "sum")
REGRESSION, SINGLE_LABEL, MULTI_LABEL = "regression", "single_label_classification", "multi_label_classification"
PROBLEM_TYPES = (REGRESSION, SINGLE_LABEL, MULTI_LABEL)

# A hostile or damaged config.json must be refused before anything of its size is allocated.
UPPER_BOUNDS = {
    "vocab_size": 50_000_000,
    "embedding_size": 65_536,
    "hidden_size": 65_536,
    "num_hidden_layers": 256,
    "pooler_num_heads": 4_096,
    "pooler_size": 65_536,
    "classifier_hidden_size": 65_536,
}
# Numbers of n-grams, of which there may be none, and the lengths of the longest ones.
NGRAM_FIELDS = {"embedding_ngrams": "embedding_ngram_length", "classifier_ngrams": "classifier_ngram_length"}
# Fields that are for what another one sets up.
NEEDED_BY = {
    "embedding_ngrams": ("embedding_ngram_length", "ngram_dropout"),
    "classifier_ngrams": ("classifier_ngram_length",),
    "subword_ngrams": ("subword_entries",),
}
MAX_NGRAMS, MAX_NGRAM_LENGTH = 100_000_000, 5
# The scores in which `pooler_size` has a part.
SIZED_SCORES = ("additive", "diagonal_dot")
NO_SELF_ATTENTION = (
    "num_attention_heads is for self-attention, which this model has not: set pooler_num_heads for the pooling."
)
LABEL_KEYS = ("num_labels", "id2label", "label2id")
# Lists with a number a label: given together with other labels, they replace those of a checkpoint.
BY_LABEL = ("class_weights", "threshold")
PROBABILITIES = ("embedding_dropout", "word_dropout", "hidden_dropout_prob", "classifier_dropout", "ngram_dropout")

# What transformers itself, the Hub and older checkpoints write beside the declared fields.
BASE_KEYS = frozenset(
    {
        *("_attn_implementation", "_attn_implementation_autoset", "_attn_implementation_internal", "_commit_hash"),
        *("_experts_implementation_internal", "_name_or_path", "_output_attentions", "attn_implementation"),
        *("auto_map", "cls_token_id", "custom_pipelines", "decoder_start_token_id", "experts_implementation"),
        *("finetuning_task", "is_decoder", "model_type", "name_or_path", "num_labels", "output_attentions"),
        *("per_layer_config", "prefix", "pruned_heads", "quantization_config", "sep_token_id"),
        *("task_specific_params", "tie_last_hidden_states", "tokenizer_class", "torch_dtype", "torchscript"),
        "use_cache",
    }
)


@strict
class AttnLSTMConfig(PreTrainedConfig):
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
        hidden_dropout_prob: Dropout between layers.
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
        classifier_ngrams: How many n-grams, single tokens among them, have weights that are added to the logits; see
            [`NgramLogits`].
        classifier_ngram_length: Tokens in the longest of them.
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

    vocab_size: int = 30_000
    embedding_size: int = 128
    hidden_size: int = 256
    num_hidden_layers: int = 1
    bidirectional: bool = True
    direction_merge: Literal["concat", "sum", "mean", "weighted"] = "concat"
    residual: bool = False
    hidden_dropout_prob: float | int = 0.1
    embedding_dropout: float | int = 0.1
    locked_dropout: bool = False
    word_dropout: float | int = 0.0
    classifier_pooling: str | list[str] = "attention"
    pooler_score: Literal["additive", "linear", "dot", "general", "diagonal_dot"] = "additive"
    pooler_size: int | None = None
    pooler_num_heads: int = 1
    pooler_temperature: float | int = 1.0
    pooler_normalizer: Literal["softmax", "sparsemax", "entmax15"] = "softmax"
    pooler_l2_coef: float | int = 0.0
    pooler_entropy_coef: float | int = 0.0
    pooler_diversity_coef: float | int = 0.0
    classifier_hidden_size: int | None = None
    classifier_dropout: float | int = 0.1
    class_weights: list[float | int] | None = None
    label_smoothing: float | int = 0.0
    threshold: float | int | list[float | int] = 0.5
    truncation: Literal["head", "tail", "head_tail"] = "head"
    text_columns: list[str] | None = None
    embedding_ngrams: int = 0
    embedding_ngram_length: int = 3
    ngram_dropout: float | int = 0.0
    subword_ngrams: int = 0
    subword_entries: int = 0
    classifier_ngrams: int = 0
    classifier_ngram_length: int = 3
    num_sampled_tokens: int = 1024
    calibration_temperature: float | int = 1.0
    initializer_range: float | int = 0.1
    pad_token_id: int | None = 0
    bos_token_id: int | None = None
    eos_token_id: int | list[int] | None = None
    tie_word_embeddings: bool = False

    def __post_init__(self, **kwargs):
        if "num_attention_heads" in kwargs:
            raise ValueError(NO_SELF_ATTENTION)
        check_unknown(kwargs, self._known_keys())
        num_labels = kwargs.get("num_labels")
        check_num_labels(num_labels)
        self._reconcile_labels(num_labels)
        super().__post_init__(**kwargs)
        # `strict` runs the validators too, but hides their sentence behind its own.
        self.validate_architecture()

    @classmethod
    def from_dict(cls, config_dict: dict[str, Any], **kwargs: Any) -> Any:
        """As the base class's. Keys that others have added to a config.json are kept; misspelt fields are refused.

        Labels given as `num_labels`, `id2label` or `label2id` replace all of the dictionary's.

        Raises:
            ValueError: For a key that is one of the fields but for a slip.
        """
        known = cls._known_keys()
        refuse_misspelt([*config_dict, *kwargs], known)
        extras = {key: value for key, value in config_dict.items() if key not in known}
        for key in extras:
            if isinstance(getattr(cls, key, None), property):
                raise ValueError(f"The configuration sets {key!r}, which follows from other fields: remove it.")
        declared = {key: value for key, value in config_dict.items() if key in known}
        declared |= {key: kwargs.pop(key) for key in BY_LABEL if key in kwargs}
        labels = {key: kwargs.pop(key) for key in LABEL_KEYS if kwargs.get(key) is not None}
        if labels:
            declared = {key: value for key, value in declared.items() if key not in LABEL_KEYS} | labels
        loaded = super().from_dict(declared, **kwargs)
        config = loaded[0] if isinstance(loaded, tuple) else loaded
        for key, value in extras.items():
            setattr(config, key, value)
        config.forget_own_pipeline()
        return loaded

    def forget_own_pipeline(self) -> None:
        """Drop `custom_pipelines`, except in code that came with a checkpoint.

        With this attribute, `pipeline` takes its class from the checkpoint and asks for trust_remote_code, even where
        the installed package has registered the same pipeline.
        """
        from_checkpoint = type(self).__module__.startswith("transformers_modules.")
        if not from_checkpoint and hasattr(self, "custom_pipelines"):
            del self.custom_pipelines

    @classmethod
    def _known_keys(cls) -> frozenset[str]:
        return BASE_KEYS | {field.name for field in fields(cls)}

    # A property of the base class; here it refuses an absurd number before allocating that many names.
    @property
    def num_labels(self) -> int | None:
        return len(self.id2label) if self.id2label is not None else None

    @num_labels.setter
    def num_labels(self, num_labels: int) -> None:
        check_num_labels(num_labels)
        if self.id2label is None or len(self.id2label) != num_labels:
            self.id2label = {index: f"LABEL_{index}" for index in range(num_labels)}
            self.label2id = {name: index for index, name in self.id2label.items()}

    @property
    def poolings(self) -> tuple[str, ...]:
        """`classifier_pooling` as a tuple, in the order in which the parts are joined."""
        single = isinstance(self.classifier_pooling, str)
        return (self.classifier_pooling,) if single else tuple(self.classifier_pooling)

    def resolve_problem_type(self, float_labels: bool = False) -> str:
        """`problem_type`, or what the model is taken for where it is not set.

        Args:
            float_labels: Whether there are labels, given as floating-point numbers: for several labels they mean that
                each text has any number of them.

        Example:

        ```python
        >>> AttnLSTMConfig(num_labels=1).resolve_problem_type()
        'regression'
        ```
        """
        if self.problem_type is not None:
            return self.problem_type
        if self.num_labels == 1:
            return REGRESSION
        return MULTI_LABEL if float_labels else SINGLE_LABEL

    @property
    def model_input_names(self) -> tuple[str, ...]:
        """What the model reads of a batch of texts, and what therefore is collated, sent and exported."""
        return ("input_ids", "attention_mask")

    @property
    def pooled_size(self) -> int:
        """Width of `pooler_output`."""
        return sum(self.hidden_size * (self.pooler_num_heads if name == "attention" else 1) for name in self.poolings)

    @property
    def num_attention_heads(self) -> int:
        """Heads of the self-attention between the states, of which there is none: 1. It cannot be set."""
        return 1

    @num_attention_heads.setter
    def num_attention_heads(self, value: int) -> None:
        # What transformers' own configurations raise for a common property that they do not take.
        raise NotImplementedError(NO_SELF_ATTENTION)

    @property
    def penalises_attention(self) -> bool:
        """Whether the loss has a term on the attention weights."""
        return any((self.pooler_l2_coef, self.pooler_entropy_coef, self.pooler_diversity_coef))

    def _reconcile_labels(self, num_labels: int | None) -> None:
        """Fill in the missing one of `id2label` and `label2id`."""
        if self.id2label is None and self.label2id is None:
            return
        if self.id2label is None:
            ids = whole_numbers("the values of label2id", self.label2id.values())
            if len(set(ids)) != len(ids):
                raise ValueError(f"label2id gives the same number to two labels: {self.label2id}.")
            self.id2label = dict(zip(ids, self.label2id))
        check_num_labels(len(self.id2label))
        if num_labels is not None and num_labels != len(self.id2label):
            raise ValueError(
                f"num_labels={num_labels} contradicts the {len(self.id2label)} labels of id2label: give only one."
            )
        ids = whole_numbers("the keys of id2label", self.id2label)
        self.id2label = dict(zip(ids, self.id2label.values()))
        if self.label2id is None:
            self.label2id = {name: index for index, name in self.id2label.items()}
        self.validate_labels()

    def validate_labels(self) -> None:
        """Labels are names for 0 … n−1, and `label2id` is the inverse of `id2label`."""
        if self.id2label is None:
            return
        ids = sorted(whole_numbers("the keys of id2label", self.id2label))
        if ids != list(range(len(ids))) or not ids:
            raise ValueError(f"The keys of id2label must be 0 … {max(len(ids) - 1, 0)}, got {ids[:10]}.")
        names = list(self.id2label.values())
        if not all(isinstance(name, str) for name in names):
            raise ValueError("The labels in id2label must be strings.")
        if len(set(names)) != len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise ValueError(f"id2label has the label {twice!r} twice: every label needs a name of its own.")
        inverse = dict(
            zip(self.label2id or {}, whole_numbers("the values of label2id", (self.label2id or {}).values()))
        )
        if inverse != {name: int(index) for index, name in self.id2label.items()}:
            raise ValueError("label2id and id2label contradict each other: leave one of them out.")

    def validate_architecture(self) -> None:
        """Sizes, probabilities and the fields that depend on each other."""
        super().validate_architecture()
        self._validate_sizes()
        self._validate_probabilities()
        self._validate_numbers()
        self._validate_pooling()
        self._validate_attention()
        self._validate_effects()
        if self.problem_type not in (None, *PROBLEM_TYPES):
            raise ValueError(f"problem_type must be one of {', '.join(PROBLEM_TYPES)}, got {self.problem_type!r}.")
        for name in ("class_weights", "label_smoothing"):
            if getattr(self, name) and self.resolve_problem_type() == REGRESSION:
                raise ValueError(f"A regression has no {name}: leave it out.")
        if self.class_weights is not None:
            self._validate_class_weights()
        self._validate_decisions()
        self._validate_text_columns()

    def _validate_numbers(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            numbers = value if isinstance(value, list) else [value]
            if any(isinstance(number, float) and not math.isfinite(number) for number in numbers):
                raise ValueError(f"{item.name} must be finite, got {value}.")

    def _validate_sizes(self) -> None:
        for name, bound in UPPER_BOUNDS.items():
            value = getattr(self, name)
            if value is not None and not 1 <= value <= bound:
                raise ValueError(f"{name} must be between 1 and {bound:,}, got {value:,}.")
        if self.bidirectional and self.direction_merge == "concat" and self.hidden_size % 2:
            raise ValueError(
                f"hidden_size is the width of both directions together and must be even, got {self.hidden_size}: "
                'make it even, or choose another direction_merge than "concat".'
            )
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

    def _validate_probabilities(self) -> None:
        for name in PROBABILITIES:
            value = getattr(self, name)
            if not 0 <= value < 1:
                raise ValueError(f"{name} is a share of units and must be at least 0 and below 1, got {value}.")

    def _validate_pooling(self) -> None:
        unknown = [name for name in self.poolings if name not in POOLINGS]
        if unknown or not self.poolings or len(set(self.poolings)) != len(self.poolings):
            raise ValueError(
                f"classifier_pooling must be one of {', '.join(POOLINGS)}, or a list of different ones, "
                f"got {self.classifier_pooling!r}."
            )

    def _validate_attention(self) -> None:
        check_positive("pooler_temperature", self.pooler_temperature)
        width = self.pooler_size or self.hidden_size
        if self.pooler_score == "diagonal_dot" and width % self.pooler_num_heads:
            raise ValueError(
                f"pooler_size={width} must be a multiple of pooler_num_heads={self.pooler_num_heads} "
                'with pooler_score="diagonal_dot".'
            )

    def _validate_effects(self) -> None:
        """Fields that are set and would have no effect beside the others."""
        if self.pooler_size is not None and self.pooler_score not in SIZED_SCORES:
            raise ValueError(
                f"pooler_size is for the scores {' and '.join(SIZED_SCORES)}: leave it out with "
                f"pooler_score={self.pooler_score!r}."
            )
        if self.direction_merge != "concat" and not self.bidirectional:
            raise ValueError("direction_merge is for two directions: leave it out with bidirectional=False.")
        if self.residual and self.num_hidden_layers == 1 and self.embedding_size != self.hidden_size:
            raise ValueError(
                "residual needs a layer that is as wide as what it reads: leave it out, add a layer, or make "
                "embedding_size and hidden_size equal."
            )
        for needed, names in NEEDED_BY.items():
            self._validate_needed(names, needed)
        if "attention" in self.poolings:
            return
        for item in fields(self):
            if item.name.startswith("pooler_") and getattr(self, item.name) != item.default:
                raise ValueError(f'{item.name} needs "attention" in classifier_pooling: leave it out, or add that.')

    def _validate_needed(self, names: tuple[str, ...], needed: str) -> None:
        for item in fields(self):
            if item.name in names and getattr(self, item.name) != item.default and not getattr(self, needed):
                raise ValueError(f"{item.name} has no effect without {needed}: leave it out, or set that.")

    def _validate_text_columns(self) -> None:
        names = self.text_columns
        if names is not None and (len(names) < 2 or len(set(names)) < len(names) or not all(map(str.strip, names))):
            raise ValueError(
                f"text_columns must be two or more different names, or None for single texts, got {names!r}."
            )

    def _validate_class_weights(self) -> None:
        if len(self.class_weights) != self.num_labels:
            raise ValueError(
                f"class_weights has {len(self.class_weights)} numbers for {self.num_labels} labels: give one a label."
            )
        if any(weight < 0 for weight in self.class_weights) or not any(self.class_weights):
            raise ValueError(f"class_weights must not be negative, and not all 0, got {self.class_weights}.")

    def _validate_decisions(self) -> None:
        check_positive("calibration_temperature", self.calibration_temperature)
        if self.calibration_temperature != 1 and self.resolve_problem_type() == REGRESSION:
            raise ValueError("A regression has no calibration_temperature: leave it out.")
        if not 0 <= self.label_smoothing < 1:
            raise ValueError(f"label_smoothing must be at least 0 and below 1, got {self.label_smoothing}.")
        check_threshold(self.threshold, self.num_labels)
        if self.threshold != 0.5 and self.resolve_problem_type(float_labels=True) != MULTI_LABEL:
            raise ValueError(
                f"threshold is for multi-label problems: leave it at 0.5, or set problem_type={MULTI_LABEL!r}."
            )


__all__ = ["AttnLSTMConfig"]

"""What the configurations of all systems share: the recurrence, layers of attention after it, labels, and checks."""

# No `from __future__ import annotations` here: `strict` checks types only where the annotations are types.
import math
from dataclasses import fields
from typing import Any, ClassVar, Literal

from huggingface_hub.dataclasses import strict
from transformers import PreTrainedConfig

from .configuration_checks import check_num_labels, check_unknown, refuse_misspelt, whole_numbers
from .configuration_context import check_context_layers


REGRESSION, SINGLE_LABEL, MULTI_LABEL = "regression", "single_label_classification", "multi_label_classification"
PROBLEM_TYPES = (REGRESSION, SINGLE_LABEL, MULTI_LABEL)
LABEL_KEYS = ("num_labels", "id2label", "label2id")

# A hostile or damaged config.json must be refused before anything of its size is allocated.
MOST_UNITS = 65_536
UPPER_BOUNDS = {
    "embedding_size": MOST_UNITS,
    "hidden_size": MOST_UNITS,
    "num_hidden_layers": 256,
    **dict.fromkeys(("num_attention_heads", "intermediate_size", "lsh_attn_chunk_length", "num_buckets"), MOST_UNITS),
    "num_hashes": 64,
}

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
class AttnLSTMBaseConfig(PreTrainedConfig):
    """Fields of the recurrence and of the layers after it, with their checks.

    Each system documents them where it has them.

    Raises:
        ValueError: For a misspelt field, an impossible value, one that has no effect beside the others, or labels that
            contradict each other. A field that is unknown and resembles none is told in a warning, and kept.
        StrictDataclassFieldValidationError: For a value of another type than the field's.
    """

    # Of the numbers that are sizes, the largest that is taken; they are 1 or more.
    upper_bounds: ClassVar[dict[str, int]] = UPPER_BOUNDS
    # Shares of units or tokens that are dropped.
    probabilities: ClassVar[tuple[str, ...]] = ("hidden_dropout_prob",)
    # Fields that are for what another one sets up.
    needed_by: ClassVar[dict[str, tuple[str, ...]]] = {}
    # Lists with a number a label: given together with other labels, they replace those of a checkpoint.
    by_label: ClassVar[tuple[str, ...]] = ()

    embedding_size: int = 128
    hidden_size: int = 256
    num_hidden_layers: int = 1
    bidirectional: bool = True
    direction_merge: Literal["concat", "sum", "mean", "weighted"] = "concat"
    residual: bool = False
    hidden_dropout_prob: float | int = 0.1
    context_layers: list[str] | None = None
    context_merge: Literal["add", "concat"] = "add"
    context_causal: bool = False
    num_attention_heads: int = 4
    intermediate_size: int | None = None
    num_hashes: int = 2
    num_buckets: int = 512
    lsh_attn_chunk_length: int = 64

    def __post_init__(self, **kwargs):
        check_unknown(type(self).__name__, kwargs, self._known_keys())
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
        declared |= {key: kwargs.pop(key) for key in cls.by_label if key in kwargs}
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
    def output_attentions(self) -> bool:
        """Whether models return their attentions unless they are told otherwise."""
        return self._output_attentions

    @output_attentions.setter
    def output_attentions(self, value: bool) -> None:
        # The base class refuses it beside any implementation but "eager"; here they are all asked for weights.
        self._output_attentions = value

    def validate_output_attentions(self) -> None:
        """As the base class's, but every implementation gives attentions here."""

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
    def input_size(self) -> int:
        """Width of what the recurrence reads."""
        return self.embedding_size

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
        check_context_layers(self)
        self._validate_effects()
        if self.problem_type not in (None, *PROBLEM_TYPES):
            raise ValueError(f"problem_type must be one of {', '.join(PROBLEM_TYPES)}, got {self.problem_type!r}.")

    def _validate_sizes(self) -> None:
        for name, bound in self.upper_bounds.items():
            value = getattr(self, name)
            if value is not None and not 1 <= value <= bound:
                raise ValueError(f"{name} must be between 1 and {bound:,}, got {value:,}.")
        if self.bidirectional and self.direction_merge == "concat" and self.hidden_size % 2:
            raise ValueError(
                f"hidden_size is the width of both directions together and must be even, got {self.hidden_size}: "
                'make it even, or choose another direction_merge than "concat".'
            )

    def _validate_probabilities(self) -> None:
        for name in self.probabilities:
            value = getattr(self, name)
            if not 0 <= value < 1:
                raise ValueError(f"{name} is a share of units and must be at least 0 and below 1, got {value}.")

    def _validate_numbers(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            numbers = value if isinstance(value, list) else [value]
            if any(isinstance(number, float) and not math.isfinite(number) for number in numbers):
                raise ValueError(f"{item.name} must be finite, got {value}.")

    def _validate_effects(self) -> None:
        """Fields that are set and would have no effect beside the others."""
        if self.direction_merge != "concat" and not self.bidirectional:
            raise ValueError("direction_merge is for two directions: leave it out with bidirectional=False.")
        if self.residual and self.num_hidden_layers == 1 and self.input_size != self.hidden_size:
            raise ValueError(
                "residual needs a layer that is as wide as what it reads: leave it out, add a layer, or make "
                "embedding_size and hidden_size equal."
            )
        for needed, names in self.needed_by.items():
            self._validate_needed(names, needed)

    def _validate_needed(self, names: tuple[str, ...], needed: str) -> None:
        for item in fields(self):
            if item.name in names and getattr(self, item.name) != item.default and not getattr(self, needed):
                raise ValueError(f"{item.name} has no effect without {needed}: leave it out, or set that.")


__all__ = ["AttnLSTMBaseConfig"]

"""What the configurations share that pool the states of a sequence: attention, and the loss of a classifier."""

# No `from __future__ import annotations` here: `strict` checks types only where the annotations are types.
from dataclasses import fields
from typing import ClassVar, Literal

from huggingface_hub.dataclasses import strict

from .configuration_base import MOST_UNITS, REGRESSION, UPPER_BOUNDS, AttnLSTMBaseConfig
from .configuration_checks import check_positive


POOLINGS = ("attention", "mean", "max", "last", "sum")
# The scores in which `pooler_size` has a part.
SIZED_SCORES = ("additive", "diagonal_dot")
POOLED_BOUNDS = {
    **UPPER_BOUNDS,
    "pooler_num_heads": 4_096,
    "pooler_size": MOST_UNITS,
    "classifier_hidden_size": MOST_UNITS,
}


@strict
class AttnLSTMPooledConfig(AttnLSTMBaseConfig):
    """[`AttnLSTMBaseConfig`] with the fields of the attention that pools, and of a classifier.

    Each system documents them where it has them.

    Raises:
        ValueError, StrictDataclassFieldValidationError: As [`AttnLSTMBaseConfig`].
    """

    upper_bounds = POOLED_BOUNDS
    probabilities = ("hidden_dropout_prob", "classifier_dropout")
    by_label = ("class_weights",)
    # The field that says what becomes of the states.
    pooling_field: ClassVar[str] = "pooling"

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

    @property
    def poolings(self) -> tuple[str, ...]:
        """What becomes of the states, as a tuple in the order in which the parts are joined."""
        named = getattr(self, self.pooling_field)
        return (named,) if isinstance(named, str) else tuple(named)

    @property
    def pooled_size(self) -> int:
        """Width of `pooler_output`."""
        return sum(self.hidden_size * (self.pooler_num_heads if name == "attention" else 1) for name in self.poolings)

    @property
    def attention_penalties(self) -> dict[str, float]:
        """What the loss has on the attention weights, as [`attention_penalty`] takes it; empty for nothing."""
        coefs = {
            "l2": self.pooler_l2_coef,
            "entropy": self.pooler_entropy_coef,
            "diversity": self.pooler_diversity_coef,
        }
        return {name: coef for name, coef in coefs.items() if coef}

    def validate_architecture(self) -> None:
        """Sizes, probabilities and the fields that depend on each other."""
        super().validate_architecture()
        self._validate_attention()
        self._validate_pooler_effects()
        self._validate_loss()

    def _validate_attention(self) -> None:
        unknown = [name for name in self.poolings if name not in POOLINGS]
        if unknown or not self.poolings or len(set(self.poolings)) != len(self.poolings):
            raise ValueError(
                f"{self.pooling_field} must be one of {', '.join(POOLINGS)}, or a list of different ones, "
                f"got {getattr(self, self.pooling_field)!r}."
            )
        check_positive("pooler_temperature", self.pooler_temperature)
        width = self.pooler_size or self.hidden_size
        if self.pooler_score == "diagonal_dot" and width % self.pooler_num_heads:
            raise ValueError(
                f"pooler_size={width} must be a multiple of pooler_num_heads={self.pooler_num_heads} "
                'with pooler_score="diagonal_dot".'
            )

    def _validate_pooler_effects(self) -> None:
        """Fields that are set and would have no effect beside the others."""
        if self.pooler_size is not None and self.pooler_score not in SIZED_SCORES:
            raise ValueError(
                f"pooler_size is for the scores {' and '.join(SIZED_SCORES)}: leave it out with "
                f"pooler_score={self.pooler_score!r}."
            )
        if not self.attends:
            self._refuse_pooler_fields()

    @property
    def attends(self) -> bool:
        """Whether something pays attention to the states, as the fields that begin with `pooler_` say."""
        return "attention" in self.poolings

    def _refuse_pooler_fields(self) -> None:
        for item in fields(self):
            if item.name.startswith("pooler_") and getattr(self, item.name) != item.default:
                raise ValueError(f'{item.name} needs "attention" in {self.pooling_field}: leave it out, or add that.')

    def _validate_loss(self) -> None:
        for name in ("class_weights", "label_smoothing"):
            if getattr(self, name) and self.resolve_problem_type() == REGRESSION:
                raise ValueError(f"A regression has no {name}: leave it out.")
        if self.class_weights is not None:
            self._validate_class_weights()
        if not 0 <= self.label_smoothing < 1:
            raise ValueError(f"label_smoothing must be at least 0 and below 1, got {self.label_smoothing}.")

    def _validate_class_weights(self) -> None:
        if len(self.class_weights) != self.num_labels:
            raise ValueError(
                f"class_weights has {len(self.class_weights)} numbers for {self.num_labels} labels: give one a label."
            )
        if any(weight < 0 for weight in self.class_weights) or not any(self.class_weights):
            raise ValueError(f"class_weights must not be negative, and not all 0, got {self.class_weights}.")


__all__ = ["AttnLSTMPooledConfig"]

"""Configuration of the attention-LSTM models of time series."""

# No `from __future__ import annotations` here: `strict` checks types only where the annotations are types.
from typing import Literal

from huggingface_hub.dataclasses import strict

from .configuration_base import MOST_UNITS
from .configuration_checks import check_positive
from .configuration_pooled import POOLED_BOUNDS, AttnLSTMPooledConfig


MOST_STEPS, MOST_CATEGORIES = 100_000, 10_000_000
# The outermost tell what hardly ever happens.
QUANTILES = (0.01, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.99)
DIRECT, AUTOREGRESSIVE = "direct", "autoregressive"


@strict
class AttnLSTMForecasterConfig(AttnLSTMPooledConfig):
    r"""
    Configuration of an LSTM with attention over the past of time series, which forecasts or classifies them. The
    defaults give one LSTM over segments of a day of an hourly series, with additive attention, which forecasts each
    channel by itself.

    Args:
        num_input_channels: Series that are measured together.
        context_length: Steps of the past that are read.
        prediction_length: Steps that are forecast.
        mix_channels: Whether the channels are read together; without, one network reads each by itself.
        num_time_features: Numbers that are known of every step, of past and future, such as the hour or a price.
        num_static_real_features: Numbers that are known of a series.
        cardinality: Of each category that is known of a series, how many there are; None for none.
        static_embedding_size: Width of the embedding of a category.
        instance_center: What is taken off each series, and put back on its forecast: `"none"`, `"mean"`, or `"last"`,
            the last value (Zeng et al., 2023).
        instance_scale: What the rest is divided by: `"none"`, `"std"` (Kim et al., 2022), or `"mean_abs"`, the mean of
            the absolute values (Salinas et al., 2020).
        front: What reads the values: `"segments"`, a linear layer over runs of steps (Lin et al., 2023), or
            `"convolution"`, one with a maximum over windows.
        segment_length: Steps of a segment, and of what autoregressive decoding forecasts in one go.
        conv_kernel_size: Steps that a convolution sees.
        conv_pool_size: Steps of a window of which the maximum is kept.
        embedding_size: Width of what the recurrence reads.
        hidden_size: Width of `last_hidden_state`. With `direction_merge="concat"` each direction has half of it.
        num_hidden_layers: LSTM layers.
        bidirectional: Whether every layer also reads the past from its end.
        direction_merge: How two directions become one state: `"concat"`, `"sum"`, `"mean"`, or `"weighted"`.
        residual: Whether a layer's input is added to its output, where the two are equally wide.
        hidden_dropout_prob: Dropout between layers, and on what context layers add.
        context_layers, context_merge, context_causal, num_attention_heads, intermediate_size, num_hashes, num_buckets,
            lsh_attn_chunk_length: Layers after the LSTM in which the states attend to each other, as in
            [`AttnLSTMConfig`].
        pooling: What a forecast, or a label, is made of: `"attention"`, the weighted mean of the states, `"mean"`,
            `"max"`, `"last"`, the state after the last step, `"sum"`, or several, which are joined.
        pooler_score, pooler_size, pooler_num_heads, pooler_temperature, pooler_normalizer: Of the attention, as in
            [`AttnLSTMConfig`].
        pooler_l2_coef, pooler_entropy_coef, pooler_diversity_coef: Penalties on its weights, as in [`AttnLSTMConfig`].
        decoding: `"direct"`, all steps at once from the pooled states, or `"autoregressive"`, segment after segment by
            an LSTM which reads its own last segment, and attends to the past anew for each.
        linear_forecast: Whether a linear forecast from the past is added (Zeng et al., 2023).
        recurrent_share: What the recurrent forecast is multiplied by before that; below 1 where both were weighed.
        quantile_spread: What the distances of quantiles from their median, or the scale of a distribution, are
            multiplied by, to be as wide as held-out values say: one number, or of quantiles a list with one for each.
        loss: `"mae"`, `"mse"`, `"huber"`, `"quantile"`, or `"nll"`, the likelihood of `distribution_output`.
        quantiles: Those that are forecast with `loss="quantile"`, in rising order, .5 among them; .01, .1, .2 to .9
            and .99 when it is None.
        distribution_output: `"student_t"`, `"normal"` or `"negative_binomial"`, the last one for counts.
        num_parallel_samples: Futures that `generate` draws of each series.
        classifier_hidden_size: Width of a tanh layer before the forecast or the logits; None leaves it out.
        classifier_dropout: Dropout on what enters the head's layers.
        class_weights, label_smoothing: Of a classifier's loss, as in [`AttnLSTMConfig`].
        initializer_range: Standard deviation of the initial embeddings of categories.

    Raises:
        ValueError: For a misspelt field, an impossible value, or one that has no effect beside the others. A field
            that is unknown and resembles none is told in a warning, and kept.
        StrictDataclassFieldValidationError: For a value of another type than the field's.

    Example:

    ```python
    >>> from hfattnlstm import AttnLSTMForecasterConfig
    >>> AttnLSTMForecasterConfig(context_length=336, segment_length=24).num_steps
    14
    ```
    """

    model_type = "attnlstm_forecaster"
    keys_to_ignore_at_inference = ["hidden_states", "attentions", "loc", "scale"]
    upper_bounds = {
        **POOLED_BOUNDS,
        **dict.fromkeys(("context_length", "prediction_length", "segment_length"), MOST_STEPS),
        **dict.fromkeys(("conv_kernel_size", "conv_pool_size"), MOST_STEPS),
        **dict.fromkeys(("num_input_channels", "static_embedding_size", "num_parallel_samples"), MOST_UNITS),
    }
    needed_by = {"cardinality": ("static_embedding_size",), "linear_forecast": ("recurrent_share",)}

    num_input_channels: int = 1
    context_length: int = 336
    prediction_length: int = 96
    mix_channels: bool = False
    num_time_features: int = 0
    num_static_real_features: int = 0
    cardinality: list[int] | None = None
    static_embedding_size: int = 16
    instance_center: Literal["none", "mean", "last"] = "last"
    instance_scale: Literal["none", "std", "mean_abs"] = "none"
    front: Literal["segments", "convolution"] = "segments"
    segment_length: int = 24
    conv_kernel_size: int = 3
    conv_pool_size: int = 2
    embedding_size: int = 256
    bidirectional: bool = False
    pooling: str | list[str] = "attention"
    decoding: Literal["direct", "autoregressive"] = "direct"
    linear_forecast: bool = False
    recurrent_share: float | int = 1.0
    quantile_spread: float | int | list[float | int] = 1.0
    loss: Literal["mae", "mse", "huber", "quantile", "nll"] = "mae"
    quantiles: list[float | int] | None = None
    distribution_output: Literal["student_t", "normal", "negative_binomial"] = "student_t"
    num_parallel_samples: int = 100
    initializer_range: float | int = 0.1

    @property
    def quantile_levels(self) -> tuple[float, ...]:
        """Those that are forecast, in rising order; none but with `loss="quantile"`."""
        return tuple(self.quantiles or QUANTILES) if self.loss == "quantile" else ()

    @property
    def num_steps(self) -> int:
        """Steps of the recurrence: segments, or windows of the convolution."""
        window = self.segment_length if self.front == "segments" else self.conv_pool_size
        return -(-self.context_length // window)

    @property
    def model_input_names(self) -> tuple[str, ...]:
        """What the model reads of a batch."""
        names = ["past_values", "past_observed_mask"]
        if self.num_time_features:
            names += ["past_time_features", "future_time_features"]
        if self.num_static_real_features:
            names.append("static_real_features")
        if self.cardinality:
            names.append("static_categorical_features")
        return tuple(names)

    @property
    def attends(self) -> bool:
        """Whether something pays attention to the states, as the fields that begin with `pooler_` say."""
        return self.decoding == AUTOREGRESSIVE or super().attends

    def validate_architecture(self) -> None:
        """Sizes, probabilities and the fields that depend on each other."""
        super().validate_architecture()
        self._validate_layers()
        self._validate_covariates()
        self._validate_output()

    def _validate_layers(self) -> None:
        if self.conv_kernel_size % 2 == 0:
            raise ValueError(f"conv_kernel_size must be odd, got {self.conv_kernel_size}.")
        for name in ("conv_kernel_size", "conv_pool_size"):
            if self.front != "convolution" and getattr(self, name) != getattr(type(self), name):
                raise ValueError(f'{name} is for front="convolution": leave it out, or set that.')
        if self.front == "convolution" and self.decoding == DIRECT:
            self._refuse("segment_length", 'front="convolution", which reads windows')
        if self.decoding == AUTOREGRESSIVE:
            self._refuse("classifier_hidden_size", 'decoding="autoregressive", which has a layer of its own')
            if self.poolings != ("attention",):
                raise ValueError('pooling is for decoding="direct": leave one of the two out.')
            if self.pooler_score == "dot" and self.pooler_num_heads > 1:
                raise ValueError('pooler_score="dot" has one head in an autoregressive decoder: take "general".')

    def _refuse(self, name: str, beside: str) -> None:
        if getattr(self, name) != getattr(type(self), name):
            raise ValueError(f"{name} has no effect with {beside}: leave it out.")

    def _validate_covariates(self) -> None:
        for name in ("num_time_features", "num_static_real_features"):
            if not 0 <= getattr(self, name) <= MOST_UNITS:
                raise ValueError(f"{name} must be between 0 and {MOST_UNITS:,}, got {getattr(self, name)}.")
        if any(not 1 <= number <= MOST_CATEGORIES for number in self.cardinality or ()):
            raise ValueError(f"cardinality must hold numbers from 1 to {MOST_CATEGORIES:,}, got {self.cardinality}.")
        if self.initializer_range < 0:
            raise ValueError(f"initializer_range must not be negative, got {self.initializer_range}.")

    def _validate_output(self) -> None:
        spreads = self.quantile_spread if isinstance(self.quantile_spread, list) else [self.quantile_spread]
        for spread in spreads:
            check_positive("quantile_spread", spread)
        if self.recurrent_share < 0:
            raise ValueError(f"recurrent_share must not be negative, got {self.recurrent_share}.")
        if self.quantile_spread != 1 and self.loss not in ("quantile", "nll"):
            raise ValueError(f"quantile_spread is for quantiles: leave it out with loss={self.loss!r}.")
        if isinstance(self.quantile_spread, list):
            if self.loss == "nll":
                raise ValueError("quantile_spread must be one number for a distribution, not a list.")
            if len(spreads) != len(self.quantile_levels):
                raise ValueError(
                    f"quantile_spread has {len(spreads)} numbers for {len(self.quantile_levels)} quantiles: "
                    "give one for each."
                )
        levels = self.quantiles
        if levels is not None:
            if self.loss != "quantile":
                raise ValueError('quantiles are for loss="quantile": leave them out, or set that.')
            if sorted(set(levels)) != list(levels) or not all(0 < level < 1 for level in levels) or 0.5 not in levels:
                raise ValueError(f"quantiles must rise, lie between 0 and 1, and have 0.5 among them, got {levels}.")
        if self.loss != "nll":
            for name in ("distribution_output", "num_parallel_samples"):
                if getattr(self, name) != getattr(type(self), name):
                    raise ValueError(f'{name} is for loss="nll": leave it out, or set that.')
        elif self.distribution_output == "negative_binomial":
            if self.instance_center != "none":
                raise ValueError(
                    'A negative binomial is for counts, of which nothing is taken off: set instance_center="none".'
                )
            for name in ("linear_forecast", "recurrent_share", "quantile_spread"):
                if getattr(self, name) != getattr(type(self), name):
                    raise ValueError(f"{name} has no place in a negative binomial, whose logits are no forecast.")


__all__ = ["AttnLSTMForecasterConfig"]

"""The backbone of the attention-LSTM models of time series."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import initialization as init
from transformers.modeling_outputs import ModelOutput
from transformers.utils.generic import can_return_tuple, merge_with_config_defaults
from transformers.utils.output_capturing import capture_outputs

from .configuration_forecaster import DIRECT, AttnLSTMForecasterConfig
from .context import attention_run, context_stack
from .layout import can_be_read
from .modeling_base import AttnLSTMBaseModel
from .pooling import PooledStates, Pooler
from .reading_order import ReadingOrder, full_reading_order, reading_order
from .recurrence import LSTMStack
from .series_fronts import ConvolutionFront, SegmentFront, any_in_windows
from .series_scaling import InstanceScaling, ScaledSeries


class SeriesReading(NamedTuple):
    """What heads make forecasts and labels of. A row is a channel of a series, or all of them where they are mixed.

    Attributes:
        states: (rows, steps, hidden_size).
        mask: Boolean (rows, steps), True where a step has a value that was observed.
        final: (rows, hidden_size), the state after the last step.
        pooled: (rows, pooled_size); None without a pooling layer.
        weights: (rows, heads, 1, steps), its attention; None without any.
        series: The values themselves.
        static: (rows, width), what is known of a series; None for nothing.
    """

    states: Tensor
    mask: Tensor
    final: Tensor
    pooled: Tensor | None
    weights: Tensor | None
    series: ScaledSeries
    static: Tensor | None


@dataclass
class AttnLSTMForecasterModelOutput(ModelOutput):
    """Output of [`AttnLSTMForecasterModel`].

    Attributes:
        last_hidden_state: (batch, channels, steps, hidden_size); without `channels` where they are mixed.
        pooler_output: (batch, channels, pooled_size), or (batch, pooled_size); None without a pooling layer.
        hidden_states: The input of the first LSTM layer and the output of each, in the same form, the last of them
            after the context layers; None unless asked for.
        attentions: Of each context layer (batch, channels · heads, steps, steps), and of the pooling, the last one,
            (batch, channels · heads, 1, steps), channel by channel; None unless asked for.
        loc, scale: (batch, 1, channels), what was taken off each series, and what the rest was divided by.
        reading: For heads; None unless asked for.
    """

    last_hidden_state: Tensor | None = None
    pooler_output: Tensor | None = None
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None
    loc: Tensor | None = None
    scale: Tensor | None = None
    reading: SeriesReading | None = None


class AttnLSTMForecasterPreTrainedModel(AttnLSTMBaseModel):
    """What the models of time series share."""

    config_class = AttnLSTMForecasterConfig
    base_model_prefix = "attnlstm_forecaster"
    main_input_name = "past_values"
    _no_split_modules = ["LSTMLayer", "ContextLayer"]

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        _init_small(module)


def _init_small(module: nn.Module) -> None:
    """Start the weights of linear layers, convolutions and LSTMs as torch does; the biases stay as they are.

    Forecasters learn from few and noisy series. From the larger weights that models of texts start with, their errors
    on held-out windows are two per cent higher, and they learn the others by heart sooner.
    """
    if isinstance(module, nn.Linear | nn.Conv1d):
        bound = module.weight[0].numel() ** -0.5
        init.uniform_(module.weight, -bound, bound)
    elif isinstance(module, nn.LSTM):
        size = module.hidden_size
        for weight in (module.weight_ih_l0, module.weight_hh_l0):
            init.uniform_(weight, -(size**-0.5), size**-0.5)


class StaticFeatures(nn.Module):
    """What is known of a series as one vector: numbers as they are, categories by their embeddings.

    A category below 0 is one that training has not seen, for which the mean of all embeddings stands.

    Args:
        config: The configuration.
    """

    def __init__(self, config: AttnLSTMForecasterConfig):
        super().__init__()
        self.num_real = config.num_static_real_features
        width = config.static_embedding_size
        self.embeddings = nn.ModuleList(nn.Embedding(number, width) for number in config.cardinality or ())
        self.size = self.num_real + width * len(self.embeddings)

    def forward(self, real: Tensor | None, categorical: Tensor | None) -> Tensor:
        """(batch, numbers) and (batch, categories) to (batch, size).

        Raises:
            ValueError: When there are more or fewer of them than the configuration says.
        """
        parts = []
        if self.num_real:
            parts.append(checked_input("static_real_features", real, (self.num_real,)))
        if self.embeddings:
            ids = checked_input("static_categorical_features", categorical, (len(self.embeddings),)).long()
            parts += [_embedded(table, ids[:, index]) for index, table in enumerate(self.embeddings)]
        return torch.cat([part.to(parts[-1].dtype) for part in parts], -1)


def _embedded(table: nn.Embedding, ids: Tensor) -> Tensor:
    known = (ids >= 0).unsqueeze(-1)
    return torch.where(known, table(ids.clamp(min=0)), table.weight.mean(0))


class AttnLSTMForecasterModel(AttnLSTMForecasterPreTrainedModel):
    """Scaling, front, LSTM stack, context layers and pooling.

    Args:
        config: The configuration.
        add_pooling_layer: Whether there is a `pooler_output`, and are parameters for it; an autoregressive decoder has
            none in either case.

    Example:

    ```python
    >>> model = AttnLSTMForecasterModel(AttnLSTMForecasterConfig(context_length=96, segment_length=24))
    >>> outputs = model(torch.randn(2, 96, 1), output_attentions=True)
    >>> outputs.last_hidden_state.shape, outputs.attentions[-1].shape
    (torch.Size([2, 1, 4, 256]), torch.Size([2, 1, 1, 4]))
    ```
    """

    def __init__(self, config: AttnLSTMForecasterConfig, add_pooling_layer: bool = True):
        super().__init__(config)
        self.scaling = InstanceScaling(config.instance_center, config.instance_scale)
        channels = config.num_input_channels if config.mix_channels else 1
        self.front = _front(config, channels + config.num_time_features)
        static = StaticFeatures(config)
        self.static = static if static.size else None
        self.static_projection = nn.Linear(static.size, config.embedding_size, bias=False) if static.size else None
        self.encoder = LSTMStack(
            config.embedding_size,
            config.hidden_size,
            num_layers=config.num_hidden_layers,
            bidirectional=config.bidirectional,
            direction_merge=config.direction_merge,
            residual=config.residual,
            dropout=config.hidden_dropout_prob,
        )
        self.context = context_stack(config)
        self.pooler = _pooler(config) if add_pooling_layer and config.decoding == DIRECT else None
        self.post_init()

    @can_return_tuple
    def forward(
        self,
        past_values: Tensor,
        past_observed_mask: Tensor | None = None,
        past_time_features: Tensor | None = None,
        static_real_features: Tensor | None = None,
        static_categorical_features: Tensor | None = None,
        output_reading: bool = False,
        **kwargs: Any,
    ) -> AttnLSTMForecasterModelOutput:
        """Read a batch of series.

        Args:
            past_values: (batch, length, channels), the last step last. Of more steps than `context_length`, the last
                ones are read; fewer are read as if what came before were missing. NaN counts as missing.
            past_observed_mask: The same shape, 0 where a value is missing, whatever stands there; all are there
                without it. Steps before the first value of a series are not read. Inside of it, and at its end, a
                missing value is read as the one before it, because the time goes on.
            past_time_features: (batch, length, num_time_features), what is known of each step.
            static_real_features: (batch, num_static_real_features).
            static_categorical_features: (batch, categories), numbers from 0 below `cardinality`; -1 for one that
                training has not seen, for which the mean of the others stands.
            output_reading: Whether to return `reading`.

        Returns:
            As [`AttnLSTMForecasterModelOutput`] says.

        Raises:
            ValueError: For inputs of other shapes than the configuration says, or missing ones.
        """
        outputs = self._read(
            past_values,
            past_observed_mask,
            past_time_features,
            static_real_features,
            static_categorical_features,
            **kwargs | {"return_dict": True},
        )
        reading = outputs.reading
        fold = (lambda tensor: tensor) if self.config.mix_channels else self._with_channels
        return AttnLSTMForecasterModelOutput(
            last_hidden_state=fold(outputs.last_hidden_state),
            pooler_output=None if reading.pooled is None else fold(reading.pooled),
            hidden_states=None if outputs.hidden_states is None else tuple(map(fold, outputs.hidden_states)),
            attentions=None
            if outputs.attentions is None
            else tuple(attention_by_series(each, self.config) for each in outputs.attentions),
            loc=outputs.loc,
            scale=outputs.scale,
            reading=reading if output_reading else None,
        )

    @merge_with_config_defaults
    @capture_outputs
    def _read(
        self,
        past_values: Tensor,
        past_observed_mask: Tensor | None,
        past_time_features: Tensor | None,
        static_real_features: Tensor | None,
        static_categorical_features: Tensor | None,
        **kwargs: Any,
    ) -> AttnLSTMForecasterModelOutput:
        """As `forward`; its tensors have rows for what is read by itself, not series and channels."""
        config = self.config
        values = checked_input("past_values", past_values, (None, config.num_input_channels))
        if past_observed_mask is not None and past_observed_mask.shape != values.shape:
            raise ValueError(
                f"past_observed_mask has the shape {tuple(past_observed_mask.shape)}, but past_values "
                f"{tuple(values.shape)}: they must be equal."
            )
        features = None
        if config.num_time_features:
            features = checked_input(
                "past_time_features", past_time_features, (values.shape[1], config.num_time_features)
            )
        values, mask, features = _as_long_as(config.context_length, values, past_observed_mask, features)
        series = self.scaling(values, mask)
        static = None
        if self.static is not None:
            static = self._to_rows(self.static(static_real_features, static_categorical_features))

        inputs = self.front(self._step_inputs(series, features))
        if static is not None:
            static = static.to(self.dtype)
            inputs = inputs + self.static_projection(static).unsqueeze(1)
        order, mask = self._steps(series, inputs)
        states, _, final, _ = self.encoder(inputs, order)
        if self.context is not None:
            states, final = self.context(states, mask, attention_run(config, kwargs))
        pooled, weights = (None, None) if self.pooler is None else self._pool(states, mask, final, series)
        return AttnLSTMForecasterModelOutput(
            last_hidden_state=states,
            loc=series.loc,
            scale=series.scale,
            reading=SeriesReading(states, mask, final, pooled, weights, series, static),
        )

    def _pool(self, states: Tensor, mask: Tensor, final: Tensor, series: ScaledSeries) -> PooledStates:
        if series.observed is not None:
            # Where nothing was observed inside of a series, the LSTM has states all the same.
            states = states.masked_fill(~mask[..., None], 0.0)
        return self.pooler(states, mask, final)

    def _step_inputs(self, series: ScaledSeries, features: Tensor | None) -> Tensor:
        """(rows, length, width); 0 before the first value."""
        values = series.values.to(self.dtype)
        if not self.config.mix_channels:
            values = values.transpose(1, 2).flatten(0, 1).unsqueeze(-1)
        if features is None:
            return values
        features = self._to_rows(features).to(values.dtype)
        if series.begun is not None:
            features = torch.where(self._of_rows(series.begun).unsqueeze(-1), features, 0.0)
        return torch.cat([values, features], -1)

    def _steps(self, series: ScaledSeries, inputs: Tensor) -> tuple[ReadingOrder, Tensor]:
        """Which steps the recurrence reads, those from the first value on, and which have a value to attend to."""
        rows, steps = inputs.shape[:2]
        if series.observed is None:
            mask = torch.ones(rows, steps, dtype=torch.bool, device=inputs.device)
            return full_reading_order(rows, steps, inputs.device), mask
        begun, observed = (
            any_in_windows(self._of_rows(flags), self.front.window) for flags in (series.begun, series.observed)
        )
        complete = can_be_read(begun) and bool(begun.all())
        return full_reading_order(rows, steps, inputs.device) if complete else reading_order(begun), observed

    def _of_rows(self, flags: Tensor) -> Tensor:
        """Of (batch, length, channels), for each row (rows, length)."""
        return flags.any(-1) if self.config.mix_channels else flags.transpose(1, 2).flatten(0, 1)

    def _to_rows(self, of_series: Tensor) -> Tensor:
        """(batch, …) for each of its rows."""
        return (
            of_series if self.config.mix_channels else of_series.repeat_interleave(self.config.num_input_channels, 0)
        )

    def _with_channels(self, of_rows: Tensor) -> Tensor:
        return of_rows.unflatten(0, by_channels(of_rows, self.config))


def by_channels(of_rows: Tensor, config: AttnLSTMForecasterConfig) -> tuple[int, int]:
    """Series and channels of so many rows; the batch may have none."""
    channels = 1 if config.mix_channels else config.num_input_channels
    return of_rows.shape[0] // channels, channels


def attention_by_series(weights: Tensor, config: AttnLSTMForecasterConfig) -> Tensor:
    """Attention (rows, heads, queries, steps) as (batch, channels · heads, queries, steps), channel by channel."""
    return weights.unflatten(0, by_channels(weights, config)).flatten(1, 2)


def _front(config: AttnLSTMForecasterConfig, input_size: int) -> SegmentFront | ConvolutionFront:
    if config.front == "segments":
        return SegmentFront(input_size, config.embedding_size, segment_length=config.segment_length)
    return ConvolutionFront(
        input_size, config.embedding_size, kernel_size=config.conv_kernel_size, pool_size=config.conv_pool_size
    )


def _pooler(config: AttnLSTMForecasterConfig) -> Pooler:
    return Pooler(
        config.hidden_size,
        config.poolings,
        score=config.pooler_score,
        num_heads=config.pooler_num_heads,
        size=config.pooler_size,
        normalizer=config.pooler_normalizer,
        temperature=config.pooler_temperature,
    )


def _as_long_as(length: int, values: Tensor, *others: Tensor | None) -> list[Tensor | None]:
    """The last steps of values, mask and features; where there are fewer, missing ones before them."""
    short = length - values.shape[1]
    if short <= 0:
        return [None if each is None else each[:, -length:] for each in (values, *others)]
    mask, *features = others
    if mask is None:
        mask = torch.ones_like(values, dtype=torch.bool)
    return [None if each is None else F.pad(each, (0, 0, short, 0)) for each in (values, mask, *features)]


def checked_input(name: str, given: Tensor | None, shape: tuple[int | None, ...]) -> Tensor:
    """What was given, if it has this shape behind the batch; None stands for any size."""
    expected = ", ".join("length" if size is None else str(size) for size in shape)
    if given is None:
        raise ValueError(f"The model reads {name}: give it, of the shape (batch, {expected}).")
    fits = given.dim() == len(shape) + 1 and all(
        wanted in (None, size) for wanted, size in zip(shape, given.shape[1:], strict=True)
    )
    if not fits:
        raise ValueError(f"{name} must have the shape (batch, {expected}), got {tuple(given.shape)}.")
    return given


__all__ = ["AttnLSTMForecasterModel", "AttnLSTMForecasterPreTrainedModel"]

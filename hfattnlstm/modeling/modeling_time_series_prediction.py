"""Forecasts of time series, on the backbone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers.modeling_outputs import ModelOutput, SampleTSPredictionOutput
from transformers.utils.generic import can_return_tuple

from .configuration_forecaster import AUTOREGRESSIVE, AttnLSTMForecasterConfig
from .forecast_distributions import (
    distribution_parameters,
    make_distribution,
    negative_log_likelihood,
    num_parameters,
)
from .forecast_heads import AutoregressiveDecoder, Decoded, DirectDecoder, LinearForecast
from .forecast_losses import mean_over_known, point_loss, quantile_loss
from .modeling_forecaster import (
    AttnLSTMForecasterModel,
    AttnLSTMForecasterPreTrainedModel,
    SeriesReading,
    attention_by_series,
    by_channels,
    checked_input,
)
from .pooling import attention_penalty
from .series_scaling import ScaledSeries, observed_values


@dataclass
class AttnLSTMForecasterOutput(ModelOutput):
    """Output of [`AttnLSTMForTimeSeriesPrediction`].

    Attributes:
        loss: Where `future_values` are given.
        prediction_outputs: (batch, prediction_length, channels), the forecast, with quantiles their median. With
            `loss="nll"`, the parameters of the distribution of each value, a tuple of such tensors, as
            [`make_distribution`] takes them.
        quantile_outputs: (batch, prediction_length, channels, quantiles), in rising order; None without quantiles.
        hidden_states: The input of the first LSTM layer and the output of each, (batch, channels, steps, width), the
            last of them after the context layers; None unless asked for.
        attentions: Of each context layer, and last of what makes the forecast, (batch, channels · heads, queries,
            steps) each, with one query for the whole future, or one for each segment of it; None unless asked for.
        loc, scale: (batch, 1, channels), what was taken off each series, and what the rest was divided by. Forecasts
            are in the scale of the series.
    """

    loss: Tensor | None = None
    prediction_outputs: Tensor | tuple[Tensor, ...] | None = None
    quantile_outputs: Tensor | None = None
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None
    loc: Tensor | None = None
    scale: Tensor | None = None


class AttnLSTMForTimeSeriesPrediction(AttnLSTMForecasterPreTrainedModel):
    """Forecaster of time series: points, quantiles, or distributions.

    The Trainer evaluates it with `TrainingArguments(label_names=["future_values"])`.

    Example:

    ```python
    >>> config = AttnLSTMForecasterConfig(context_length=96, prediction_length=24, num_input_channels=3)
    >>> model = AttnLSTMForTimeSeriesPrediction(config)
    >>> model(torch.randn(2, 96, 3)).prediction_outputs.shape
    torch.Size([2, 24, 3])
    ```
    """

    def __init__(self, config: AttnLSTMForecasterConfig):
        super().__init__(config)
        self.attnlstm_forecaster = AttnLSTMForecasterModel(config)
        self.num_outputs = _num_outputs(config)
        self.decoder = _decoder(config, self.attnlstm_forecaster, self.num_outputs)
        self.linear = (
            LinearForecast(config.context_length, config.prediction_length) if config.linear_forecast else None
        )
        self.post_init()

    @torch.no_grad()
    def set_linear_forecast(self, weight: Tensor, bias: Tensor, recurrent_share: float) -> None:
        """Add a linear forecast to a share of the recurrent one.

        Args:
            weight: (prediction_length, context_length), of the past after its centre was taken off, and scaled.
            bias: (prediction_length,).
            recurrent_share: What the recurrent forecast is multiplied by.

        Raises:
            ValueError: For weights of another shape, a negative share, or a model without a place for them, which
                stays as it was.

        Example:

        ```python
        >>> steps, horizon = model.config.context_length, model.config.prediction_length
        >>> model.set_linear_forecast(torch.zeros(horizon, steps), torch.zeros(horizon), recurrent_share=1.0)
        >>> model.config.linear_forecast
        True
        ```
        """
        config = self.config
        shape = (config.prediction_length, config.context_length)
        if weight.shape != shape or bias.shape != shape[:1]:
            raise ValueError(
                f"weight and bias must have the shapes {shape} and {shape[:1]}, as prediction_length and "
                f"context_length say, got {tuple(weight.shape)} and {tuple(bias.shape)}."
            )
        before = config.linear_forecast, config.recurrent_share
        config.linear_forecast, config.recurrent_share = True, recurrent_share
        try:
            config.validate_architecture()
        except ValueError:
            config.linear_forecast, config.recurrent_share = before
            raise
        self.linear = LinearForecast(config.context_length, config.prediction_length).to(self.device, self.dtype)
        self.linear.weight.copy_(weight)
        self.linear.bias.copy_(bias)

    @can_return_tuple
    def forward(
        self,
        past_values: Tensor,
        past_observed_mask: Tensor | None = None,
        past_time_features: Tensor | None = None,
        static_real_features: Tensor | None = None,
        static_categorical_features: Tensor | None = None,
        future_time_features: Tensor | None = None,
        future_values: Tensor | None = None,
        future_observed_mask: Tensor | None = None,
        **kwargs: Any,
    ) -> AttnLSTMForecasterOutput:
        """Forecast a batch of series.

        Args:
            past_values, past_observed_mask, past_time_features, static_real_features, static_categorical_features: As
                in [`AttnLSTMForecasterModel.forward`].
            future_time_features: (batch, prediction_length, num_time_features), what is known of each future step.
            future_values: (batch, prediction_length, channels), what came; NaN counts as missing.
            future_observed_mask: The same shape, 0 where a value is missing and shall not count.

        Returns:
            As [`AttnLSTMForecasterOutput`] says.

        Raises:
            ValueError: For inputs of other shapes than the configuration says, or missing ones.
        """
        asked = kwargs.get("output_attentions")
        outputs = self.attnlstm_forecaster(
            past_values,
            past_observed_mask,
            past_time_features,
            static_real_features,
            static_categorical_features,
            **kwargs | {"output_reading": True, "return_dict": True},
        )
        reading = outputs.reading
        decoded = self._decode(reading, future_time_features)
        forecast, quantiles = self._to_forecast(decoded.outputs, reading.series)
        attentions = outputs.attentions
        if decoded.weights is not None and (self.config.output_attentions if asked is None else asked):
            attentions = (*(attentions or ()), attention_by_series(decoded.weights, self.config))
        loss = None
        if future_values is not None:
            weights = reading.weights if decoded.weights is None else decoded.weights
            loss = self._loss(forecast, quantiles, future_values, future_observed_mask, weights)
        return AttnLSTMForecasterOutput(
            loss=loss,
            prediction_outputs=forecast,
            quantile_outputs=quantiles,
            hidden_states=outputs.hidden_states,
            attentions=attentions,
            loc=outputs.loc,
            scale=outputs.scale,
        )

    @torch.no_grad()
    def generate(self, past_values: Tensor, *args: Any, **kwargs: Any) -> SampleTSPredictionOutput:
        """Draw futures of each series, every value by itself.

        Args:
            past_values, *args, **kwargs: As in `forward`.

        Returns:
            `sequences`, (batch, num_parallel_samples, prediction_length, channels).

        Raises:
            ValueError: When the model forecasts no distribution.
        """
        if self.config.loss != "nll":
            raise ValueError(
                f'generate draws from distributions, which a model with loss="{self.config.loss}" does not forecast: '
                'call the model itself, or train one with loss="nll".'
            )
        outputs = self(past_values, *args, **kwargs | {"return_dict": True})
        # Half precision has no random numbers for all of them.
        parameters = tuple(part.float() for part in outputs.prediction_outputs)
        distribution = make_distribution(self.config.distribution_output, parameters)
        drawn = distribution.sample((self.config.num_parallel_samples,))
        return SampleTSPredictionOutput(sequences=drawn.transpose(0, 1))

    def _decode(self, reading: SeriesReading, features: Tensor | None) -> Decoded:
        """Outputs (batch, prediction_length, channels, num_outputs) in the scale in which the series was read."""
        config = self.config
        rows, (_, channels) = reading.states.shape[0], by_channels(reading.states, config)
        if config.num_time_features:
            shape = (config.prediction_length, config.num_time_features)
            features = checked_input("future_time_features", features, shape)
            features = features.repeat_interleave(channels, 0).to(reading.states.dtype)
        else:
            features = None
        known = [] if reading.static is None else [reading.static]
        if config.decoding == AUTOREGRESSIVE:
            context, last = torch.cat([reading.final, *known], -1), self._last_segment(reading, rows)
            decoded = self.decoder(reading.states, reading.mask, context, last, self._to_values, features)
        else:
            decoded = self.decoder(torch.cat([reading.pooled, *known], -1), features)
        outputs = decoded.outputs.unflatten(-1, (-1, self.num_outputs))
        if not config.mix_channels:
            outputs = outputs.squeeze(2).unflatten(0, by_channels(outputs, config)).transpose(1, 2)
        return Decoded(self._with_linear(outputs, reading.series), decoded.weights)

    def _with_linear(self, outputs: Tensor, series: ScaledSeries) -> Tensor:
        """The share of the forecast, the quantiles, or the centre of a distribution, with the linear forecast."""
        config = self.config
        linear = 0.0 if self.linear is None else self.linear(series.values.to(outputs.dtype)).unsqueeze(-1)
        if config.loss == "nll":
            if config.distribution_output == "negative_binomial":
                return outputs
            # The last of the parameters is its scale, the one before it its centre.
            center = config.recurrent_share * outputs[..., -2:-1] + linear
            return torch.cat([outputs[..., :-2], center, outputs[..., -1:]], -1)
        if config.loss != "quantile":
            return config.recurrent_share * outputs + linear
        # In order, as quantiles are, which brings each of them nearer to the true one (Chernozhukov et al., 2010).
        ordered = outputs.sort(-1).values
        median = self._median(ordered).unsqueeze(-1)
        spread = outputs.new_tensor(config.quantile_spread)
        widened = config.recurrent_share * median + spread * (ordered - median) + linear
        # One that is widened more than the next would pass it.
        return widened.sort(-1).values if spread.dim() else widened

    def _last_segment(self, reading: SeriesReading, rows: int) -> Tensor:
        """(rows, segment_length, channels)."""
        size, values = self.config.segment_length, reading.series.values
        last = values[:, -size:]
        last = torch.nn.functional.pad(last, (0, 0, size - last.shape[1], 0)).to(reading.states.dtype)
        return last if self.config.mix_channels else last.transpose(1, 2).reshape(rows, size, 1)

    def _to_values(self, raw: Tensor) -> Tensor:
        """The forecast in the scale in which the series was read, of outputs (…, num_outputs)."""
        if self.config.loss != "nll":
            return self._median(raw.sort(-1).values)
        one = raw.new_ones(1)
        parameters = distribution_parameters(self.config.distribution_output, raw, 0 * one, one)
        return make_distribution(self.config.distribution_output, parameters).mean

    def _to_forecast(self, raw: Tensor, series: ScaledSeries) -> tuple[Tensor | tuple[Tensor, ...], Tensor | None]:
        """Forecast and quantiles in the scale of the series."""
        config = self.config
        if config.loss == "nll":
            *rest, spread = distribution_parameters(config.distribution_output, raw, series.loc, series.scale)
            counts = config.distribution_output == "negative_binomial"
            return (*rest, spread if counts else config.quantile_spread * spread), None
        values = raw * series.scale.unsqueeze(-1) + series.loc.unsqueeze(-1)
        return (self._median(values), values) if config.loss == "quantile" else (values.squeeze(-1), None)

    def _median(self, values: Tensor) -> Tensor:
        """Of the quantiles in the last dimension; of one number, that."""
        levels = self.config.quantile_levels
        return values[..., levels.index(0.5) if levels else 0]

    def _loss(
        self,
        forecast: Tensor | tuple[Tensor, ...],
        quantiles: Tensor | None,
        future_values: Tensor,
        future_observed_mask: Tensor | None,
        weights: Tensor | None,
    ) -> Tensor:
        """That of the forecast, with the penalties on the attention (rows, heads, queries, steps)."""
        config = self.config
        shape = (config.prediction_length, config.num_input_channels)
        target = checked_input("future_values", future_values, shape)
        if future_observed_mask is not None:
            checked_input("future_observed_mask", future_observed_mask, shape)
        known = observed_values(target, future_observed_mask)
        if known is not None:
            target = torch.where(known, target, 0.0)
        if config.loss == "nll":
            losses = negative_log_likelihood(config.distribution_output, forecast, target.to(forecast[0]))
        elif config.loss == "quantile":
            losses = quantile_loss(quantiles, target.to(quantiles), config.quantile_levels)
        else:
            losses = point_loss(config.loss, forecast, target.to(forecast))
        loss = mean_over_known(losses, known)
        penalties = config.attention_penalties
        if not penalties:
            return loss
        # Each query by itself.
        return loss + attention_penalty(weights.transpose(1, 2).flatten(0, 1).unsqueeze(2), **penalties)


def _num_outputs(config: AttnLSTMForecasterConfig) -> int:
    """Numbers that make the forecast of a value."""
    if config.loss == "nll":
        return num_parameters(config.distribution_output)
    return len(config.quantile_levels) or 1


def _decoder(
    config: AttnLSTMForecasterConfig, backbone: AttnLSTMForecasterModel, num_outputs: int
) -> DirectDecoder | AutoregressiveDecoder:
    channels = config.num_input_channels if config.mix_channels else 1
    static = 0 if backbone.static is None else backbone.static.size
    if config.decoding == AUTOREGRESSIVE:
        return AutoregressiveDecoder(
            config.hidden_size,
            config.prediction_length,
            config.segment_length,
            num_channels=channels,
            num_outputs=num_outputs,
            static_size=static,
            num_features=config.num_time_features,
            dropout=config.classifier_dropout,
            num_heads=config.pooler_num_heads,
            score=config.pooler_score,
            size=config.pooler_size,
            normalizer=config.pooler_normalizer,
            temperature=config.pooler_temperature,
        )
    return DirectDecoder(
        config.pooled_size + static,
        config.prediction_length,
        channels * num_outputs,
        num_features=config.num_time_features,
        hidden_size=config.classifier_hidden_size,
        dropout=config.classifier_dropout,
    )


__all__ = ["AttnLSTMForTimeSeriesPrediction"]

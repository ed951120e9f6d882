"""Forecasts of a model for windows of series, in the scale in which it reads them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..modeling.configuration_forecaster import QUANTILES, AttnLSTMForecasterConfig
from ..modeling.forecast_distributions import make_distribution


class Forecast(NamedTuple):
    """What a model says of the futures of a batch.

    Attributes:
        values: (batch, length, channels).
        quantiles: (batch, length, channels, levels); None where it forecasts points alone.
        attention: (batch, channels · heads, queries, steps); None unless asked for.
    """

    values: Tensor
    quantiles: Tensor | None
    attention: Tensor | None = None


def levels_of(config: AttnLSTMForecasterConfig) -> tuple[float, ...]:
    """Levels of the quantiles that a model tells; none for points alone.

    Example:

    ```python
    >>> levels_of(AttnLSTMForecasterConfig(loss="quantile", quantiles=[0.1, 0.5, 0.9]))
    (0.1, 0.5, 0.9)
    ```
    """
    if config.loss == "nll":
        return QUANTILES
    return config.quantile_levels


def unscaled(forecast: Forecast, mean: Tensor, std: Tensor, bounds: tuple[float, float]) -> Forecast:
    """A forecast in the unit of its series, between its bounds.

    Args:
        forecast: Scaled.
        mean, std: (batch, 1, channels), of the scale.
        bounds: The smallest and the largest value that is forecast.

    Example:

    ```python
    >>> zeros = torch.zeros(1, 2, 1)
    >>> unscaled(Forecast(zeros - 1, None), zeros[:, :1] + 3, zeros[:, :1] + 5, (0.0, 10.0)).values.flatten()
    tensor([0., 0.])
    ```
    """
    quantiles = forecast.quantiles
    if quantiles is not None:
        quantiles = (quantiles * std.unsqueeze(-1) + mean.unsqueeze(-1)).clamp(*bounds)
    return forecast._replace(values=(forecast.values * std + mean).clamp(*bounds), quantiles=quantiles)


def model_inputs(batch: dict[str, Any]) -> dict[str, Tensor]:
    """What a model reads of a batch of windows: all but what came."""
    return {name: values for name, values in batch.items() if not name.startswith("future_values")}


@torch.inference_mode()
def forecast_batch(model: Any, batch: dict[str, Any], attention: bool = False) -> Forecast:
    """Forecast a batch of windows.

    Args:
        model: An [`AttnLSTMForTimeSeriesPrediction`] in evaluation mode.
        batch: As from [`collate_windows`].
        attention: Whether to return it.
    """
    inputs = {name: values.to(model.device) for name, values in model_inputs(batch).items()}
    outputs = model(**inputs, output_attentions=attention)
    config = model.config
    # Without a pooling by attention, the last weights are those between the states.
    weights = outputs.attentions[-1].float().cpu() if attention and config.attends else None
    if config.loss != "nll":
        quantiles = None if outputs.quantile_outputs is None else outputs.quantile_outputs.float().cpu()
        return Forecast(outputs.prediction_outputs.float().cpu(), quantiles, weights)
    parameters = tuple(part.float().cpu() for part in outputs.prediction_outputs)
    return Forecast(*mean_and_quantiles(config, parameters), weights)


def mean_and_quantiles(config: AttnLSTMForecasterConfig, parameters: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
    """What is told of the distributions that a model with `loss="nll"` forecasts.

    Args:
        config: Of the model.
        parameters: As for [`make_distribution`], tensors of one shape.

    Returns:
        The means in that shape, and the quantiles of [`levels_of`] with one more dimension behind.
    """
    name = config.distribution_output
    return make_distribution(name, parameters).mean, distribution_quantiles(name, parameters, levels_of(config))


def distribution_quantiles(name: str, parameters: tuple[Tensor, ...], levels: Sequence[float]) -> Tensor:
    """Quantiles of distributions.

    Args:
        name, parameters: As for [`make_distribution`], tensors of one shape.
        levels: Of the quantiles.

    Returns:
        The same shape with one more dimension behind.

    Example:

    ```python
    >>> distribution_quantiles("normal", (torch.zeros(1), torch.ones(1)), [0.5, 0.9])
    tensor([[0.0000, 1.2816]])
    ```
    """
    from scipy import stats

    parts = [part.double().numpy()[..., None] for part in parameters]
    level = np.asarray(levels)
    if name == "negative_binomial":
        total, logits = parts
        found = stats.nbinom.ppf(level, total, 1 / (1 + np.exp(logits)))
    elif name == "student_t":
        found = stats.t.ppf(level, parts[0], parts[1], parts[2])
    else:
        found = stats.norm.ppf(level, parts[0], parts[1])
    return torch.from_numpy(found).float()

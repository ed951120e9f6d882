"""The scores by which the Trainer chooses the best checkpoint of a forecaster."""

from __future__ import annotations

from typing import Any

import torch
from transformers import EvalPrediction

from ..modeling.configuration_forecaster import AttnLSTMForecasterConfig
from .forecast_metrics import MAE, MSE, ForecastBatch, ForecastSums
from .forecasts import levels_of, mean_and_quantiles


class StreamedErrors:
    """The `compute_metrics` of a Trainer with `batch_eval_metrics`, for forecasts.

    Args:
        config: Of the model.

    Example:

    ```python
    >>> errors = StreamedErrors(AttnLSTMForecasterConfig())
    >>> errors(EvalPrediction(torch.zeros(1, 2, 1), torch.ones(1, 2, 1)), compute_result=True)
    {'mse': 1.0, 'mae': 1.0}
    ```
    """

    def __init__(self, config: AttnLSTMForecasterConfig):
        self._config = config
        self._sums = self._fresh()

    def _fresh(self) -> ForecastSums:
        return ForecastSums(levels_of(self._config))

    def __call__(self, prediction: EvalPrediction, compute_result: bool = True) -> dict[str, float]:
        """Add a batch; after the last one, return the metrics of all."""
        forecast, quantiles = self._forecast(prediction.predictions)
        target = torch.as_tensor(prediction.label_ids).cpu()
        zeros = torch.zeros_like(target[:, :1])
        self._sums.add(forecast, ForecastBatch(target, zeros, zeros + 1, zeros), quantiles)
        if not compute_result:
            return {}
        found = self._sums.metrics()
        self._sums = self._fresh()
        return {name: found[name] for name in names_of_errors(self._config) if name in found}

    def _forecast(self, predictions: Any) -> tuple[torch.Tensor, torch.Tensor | None]:
        if self._config.loss == "nll":
            parameters = tuple(torch.as_tensor(part).float().cpu() for part in predictions)
            return mean_and_quantiles(self._config, parameters)
        if self._config.loss == "quantile":
            values, quantiles = (torch.as_tensor(part).float().cpu() for part in predictions)
            return values, quantiles
        return torch.as_tensor(predictions).float().cpu(), None


def names_of_errors(config: AttnLSTMForecasterConfig) -> tuple[str, ...]:
    """The errors by which a checkpoint can be chosen.

    Example:

    ```python
    >>> names_of_errors(AttnLSTMForecasterConfig())
    ('mse', 'mae')
    ```
    """
    return (MSE, MAE, *(["crps"] if levels_of(config) else []))

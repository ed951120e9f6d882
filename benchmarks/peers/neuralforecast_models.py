"""neuralforecast: its LSTM and NLinear, with their default sizes."""

from __future__ import annotations

from functools import cache
from typing import Any

from neuralforecast import NeuralForecast, models

from ..series import Setting, calls_of
from ..timing import Call, Prepare


# Of Lightning, which shows progress, writes logs and keeps checkpoints otherwise.
_SILENT = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "enable_checkpointing": False}


def training(model: str, setting: Setting, batch_size: int) -> Prepare:
    """`fit` of a model on series that neuralforecast has read, for as many steps as give the windows.

    Args:
        model: Name of a class of `neuralforecast.models`.
        setting: Series, lookback and horizon.
        batch_size: Windows of a batch.
    """
    fitted = _fitted(model, setting, batch_size)
    trained = fitted.models[0]

    def prepare(windows: range) -> Call:
        steps = len(windows) // batch_size

        def call() -> int:
            # The one is for neuralforecast, the other for Lightning.
            trained.max_steps = trained.trainer_kwargs["max_steps"] = steps
            trained.fit(fitted.dataset)
            return len(windows)

        return call

    return prepare


def forecasts(model: str, setting: Setting, batch_size: int, series: int) -> Prepare:
    """`predict` of a table.

    Args:
        model, setting, batch_size: As in [`training`].
        series: Of the table.
    """
    fitted = _fitted(model, setting, batch_size)
    return calls_of(lambda frame: fitted.predict(df=frame), setting, series)


# Kept, because the one step that it must train for takes seconds.
@cache
def _fitted(model: str, setting: Setting, batch_size: int) -> NeuralForecast:
    trainer: dict[str, Any] = {"accelerator": "cpu", "devices": 1, "max_steps": 1, **_SILENT}
    sizes = {"h": setting.horizon, "input_size": setting.lookback, "windows_batch_size": batch_size}
    fitted = NeuralForecast(models=[getattr(models, model)(**sizes, **trainer)], freq="h")
    fitted.fit(setting.training_table())
    return fitted

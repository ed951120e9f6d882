"""The callbacks that the flags of a run ask for."""

from __future__ import annotations

from transformers import EarlyStoppingCallback, TrainerCallback

from .arguments import RunArguments
from .averaging import WeightAveraging
from .callbacks import GradientValueClipping
from .layer_depth import GradualUnfreezing


def callbacks_of(training: RunArguments) -> list[TrainerCallback]:
    """What follows a training because its flags ask for it.

    Example:

    ```python
    >>> callbacks_of(RunArguments("out", ema_decay=0.998))
    [<hfattnlstm.training.averaging.WeightAveraging object at ...>]
    ```
    """
    callbacks: list[TrainerCallback] = []
    if training.early_stopping_patience is not None:
        callbacks.append(EarlyStoppingCallback(training.early_stopping_patience))
    if training.max_grad_value is not None:
        callbacks.append(GradientValueClipping(training.max_grad_value))
    if training.unfreeze_steps:
        callbacks.append(GradualUnfreezing(training.unfreeze_steps))
    if training.ema_decay:
        callbacks.append(WeightAveraging(training.ema_decay))
    return callbacks

"""Callbacks for the Trainer."""

from __future__ import annotations

from typing import Any

from torch import nn
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from .lazy_adamw import LazyAdamW
from .sparse_gradients import clip_sparse_grad_value_


class GradientValueClipping(TrainerCallback):
    """Clips every entry of the gradients to [-max_value, max_value], after the clipping by norm.

    Args:
        max_value: The bound, above 0.

    Raises:
        ValueError: When `max_value` is not above 0.

    Example:

    ```python
    >>> trainer = Trainer(model, args, train_dataset=encoded, callbacks=[GradientValueClipping(0.5)])
    ```
    """

    def __init__(self, max_value: float):
        if not max_value > 0:
            raise ValueError(f"max_grad_value must be above 0, got {max_value}.")
        self.max_value = max_value

    def on_pre_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Called by the Trainer when the gradients are complete."""
        clip_sparse_grad_value_(kwargs["model"].parameters(), self.max_value)


class CatchingUp(TrainerCallback):
    """Catches up with all rows that a [`LazyAdamW`] has put off, before weights are saved or a better model is loaded.

    Args:
        optimizer: The optimiser.
        weight: The parameter whose rows they are.

    Example:

    ```python
    >>> trainer.add_callback(CatchingUp(optimizer, model.get_input_embeddings().weight))
    ```
    """

    def __init__(self, optimizer: LazyAdamW, weight: nn.Parameter):
        self.optimizer = optimizer
        self.weight = weight

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Called by the Trainer after an update; by then it is decided whether to save."""
        if control.should_save or control.should_evaluate or control.should_training_stop:
            self.optimizer.catch_up(self.weight)

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Called by the Trainer before the evaluation of an epoch, and before the best model is loaded."""
        self.optimizer.catch_up(self.weight)

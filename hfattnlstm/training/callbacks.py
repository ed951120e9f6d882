"""Callbacks for the Trainer."""

from __future__ import annotations

from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

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

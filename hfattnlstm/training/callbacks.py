"""Callbacks for the Trainer."""

from __future__ import annotations

import time
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


class TokenRate(TrainerCallback):
    """Adds to what is logged how many tokens the training has read in a second, over all processes.

    Args:
        tokens_per_row: Tokens of a row of the training, on average.

    Example:

    ```python
    >>> trainer = Trainer(model, args, train_dataset=encoded, callbacks=[TokenRate(256)])
    ```
    """

    def __init__(self, tokens_per_row: float):
        self.tokens_per_row = tokens_per_row
        self._start, self._first_step, self._apart = 0.0, 0, 0.0
        self._last = 0.0

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Begin to count."""
        self._start = self._last = time.perf_counter()
        self._first_step, self._apart = state.global_step, 0.0

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Note when a step has ended: what comes between the steps, such as a measurement, is no reading."""
        self._last = time.perf_counter()

    def on_step_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Leave out the time since the last step."""
        self._apart += time.perf_counter() - self._last

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **_: Any,
    ) -> None:
        """Add the rate to the losses, and to the summary at the end."""
        steps = state.global_step - self._first_step
        if not logs or not steps or not ("loss" in logs or "train_runtime" in logs):
            return
        rows = steps * args.train_batch_size * args.gradient_accumulation_steps * max(args.world_size, 1)
        rate = rows * self.tokens_per_row / max(self._last - self._start - self._apart, 1e-9)
        logs["train_tokens_per_second" if "train_runtime" in logs else "tokens_per_second"] = round(rate)

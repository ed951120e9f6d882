"""An average of the weights over the steps of a training, which is measured and kept in place of the last weights."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments


# Where the optimiser's state, which is saved and loaded whole, has what a checkpoint's model does not have.
AVERAGES = "averaged_weights"
# The average takes weights so many times in the steps that it looks back on.
_TIMES = 20


def decay_over(first: int, last: int, decay: float) -> float:
    """What steps leave of an average: the product of min(decay, (1 + step) / (10 + step)).

    Args:
        first, last: The steps; both count.
        decay: What a late step leaves of it; the first ones leave less, for they begin far from where they end.

    Example:

    ```python
    >>> decay_over(1, 1, 0.998), decay_over(9_001, 9_010, 0.998) == 0.998**10
    (0.18181818181818182, True)
    ```
    """
    late = max(math.ceil((10 * decay - 1) / (1 - decay)), first)
    early = (min(decay, (1 + step) / (10 + step)) for step in range(first, min(late, last + 1)))
    return math.prod(early, start=decay ** max(last + 1 - late, 0))


class WeightAveraging(TrainerCallback):
    """Averages the weights over the steps, exponentially (Polyak and Juditsky, 1992; Tarvainen and Valpola, 2017).

    The average is what is evaluated, chosen as the best and saved as the model; the training goes on from the weights
    themselves. A checkpoint has the average as its model, and beside the state of the optimiser what a training needs
    that goes on from it, bit for bit as without the interruption.

    The average takes the weights of every n-th step, with what n steps leave of it, `decay_over`: it costs little,
    and rows of an embedding that [`LazyAdamW`] puts off are caught up with no more often than that.

    Give it to any Trainer as the last of its callbacks: what asks for an evaluation or a checkpoint is heard after it.

    Args:
        decay: What a step leaves of the average, such as 0.998, which looks back on about 500 steps.
        every: The n; 20 times in the steps that the average looks back on without it: 25 with a decay of 0.998.

    Raises:
        ValueError: When `decay` is not between 0 and 1 or `every` is below 1; from `train`, when a checkpoint has no
            average, or one with another decay, or when DeepSpeed or FSDP have the weights in pieces.

    Example:

    ```python
    >>> trainer = Trainer(model, args, train_dataset=encoded, callbacks=[WeightAveraging(0.998)])
    ```
    """

    def __init__(self, decay: float, every: int | None = None):
        if not 0 < decay < 1:
            raise ValueError(f"ema_decay must be above 0 and below 1, got {decay}.")
        if every is not None and every < 1:
            raise ValueError(f"every must be at least 1, got {every}.")
        self.decay = decay
        self.every = max(round(1 / (1 - decay) / _TIMES), 1) if every is None else every
        # By the names of the parameters; float32 or wider.
        self._average: dict[str, Tensor] = {}
        # The last step that is in the average.
        self._step = 0
        # The weights themselves, while the model has the average.
        self._raw: dict[str, Tensor] | None = None

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Called by the Trainer: begins with the weights that there are, or goes on from those of a checkpoint."""
        if args.deepspeed or args.fsdp:
            raise ValueError("ema_decay needs all weights in one place: leave it out beside deepspeed and fsdp.")
        model, optimizer = kwargs["model"], kwargs["optimizer"]
        saved = optimizer.state.pop(AVERAGES, None)
        self._raw = None
        if state.global_step:
            self._go_on(model, saved)
            return
        self._step = 0
        # Those that are learnt: what is frozen at first only is among them.
        learnt = {id(weight) for group in optimizer.param_groups for weight in group["params"]}
        found = {name: weight for name, weight in model.named_parameters() if id(weight) in learnt}
        self._average = {name: _wide(weight.detach().clone()) for name, weight in found.items()}

    def _go_on(self, model: nn.Module, saved: dict[str, Any] | None) -> None:
        if saved is None or saved["decay"] != self.decay:
            has = "no average of the weights" if saved is None else f"an average of the weights by {saved['decay']}"
            raise ValueError(
                f"ema_decay {self.decay} contradicts the checkpoint, which has {has}: give what the training began "
                "with, or begin anew."
            )
        self._step = saved["step"]
        places = dict(model.named_parameters())
        self._average = {name: weight.to(places[name].device) for name, weight in saved["average"].items()}
        _fill(self._weights(model), saved["raw"])

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Called by the Trainer after every update."""
        if state.global_step % self.every == 0:
            self._take(kwargs["model"], state.global_step)
        self._show_if_needed(state, control, **kwargs)

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Called by the Trainer, which then may evaluate and save."""
        self._show_if_needed(state, control, **kwargs)

    def on_epoch_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Called by the Trainer, before it looks at how many batches there are."""
        self._hide(**kwargs)

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Called by the Trainer before every update."""
        self._hide(**kwargs)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Called by the Trainer, which has loaded the best model by then, if it was to: that of an average."""
        best_is_loaded = args.load_best_model_at_end and state.best_model_checkpoint is not None
        if self._raw is None and not best_is_loaded:
            self._show(state.global_step, **kwargs)
        kwargs["optimizer"].state.pop(AVERAGES, None)
        self._average, self._raw = {}, None

    @torch.no_grad()
    def _take(self, model: nn.Module, step: int) -> None:
        """Bring the average to a step, unless it is there."""
        if step == self._step:
            return
        left = decay_over(self._step + 1, step, self.decay)
        for name, weight in self._weights(model).items():
            average = self._average[name]
            average.lerp_(weight.detach().to(average.dtype), 1 - left)
        self._step = step

    def _weights(self, model: nn.Module) -> dict[str, nn.Parameter]:
        """Those of which there is an average."""
        return {name: weight for name, weight in model.named_parameters() if name in self._average}

    def _show_if_needed(self, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if self._raw is None and (control.should_evaluate or control.should_save):
            self._show(state.global_step, **kwargs)

    def _show(self, step: int, model: nn.Module, optimizer: Any, **_: Any) -> None:
        """Put the average in the model's place, and what a checkpoint needs beside it in the optimiser's state."""
        self._take(model, step)
        places = self._weights(model)
        self._raw = {name: weight.detach().clone() for name, weight in places.items()}
        _fill(places, self._average)
        # A weight read from the state of the optimiser is copied when it is saved, and not before.
        optimizer.state[AVERAGES] = {
            "decay": self.decay,
            "step": self._step,
            "average": self._average,
            "raw": self._raw,
        }

    def _hide(self, model: nn.Module, optimizer: Any, **_: Any) -> None:
        """Give the model its own weights back."""
        if self._raw is not None:
            _fill(self._weights(model), self._raw)
            optimizer.state.pop(AVERAGES, None)
            self._raw = None


def _wide(weight: Tensor) -> Tensor:
    """In bfloat16, steps of an average would be lost in rounding."""
    return weight if weight.dtype == torch.float64 else weight.float()


@torch.no_grad()
def _fill(places: dict[str, nn.Parameter], values: dict[str, Tensor]) -> None:
    # In place: whoever holds a parameter, such as an optimiser or another process' counterpart, goes on with it.
    for name, weight in places.items():
        weight.copy_(values[name])

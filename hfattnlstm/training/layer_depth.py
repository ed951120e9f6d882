"""Layers that learn more slowly, or later, the further they are from the head: for models that were pretrained."""

from __future__ import annotations

import math
import re
from typing import Any

import torch
from torch import nn
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments


# In the name of a parameter, whatever is wrapped around the model.
_PLACE = re.compile(r"(?:^|\.)(?:encoder\.layers\.(\d+)|(embeddings))\.")


def depths(model: nn.Module) -> dict[int, int]:
    """How far each parameter is from the head, by its `id`.

    Head and pooling are at 0, the last LSTM layer is at 1, and the embeddings are behind the first one.

    Example:

    ```python
    >>> model = AttnLSTMForSequenceClassification(AttnLSTMConfig(num_hidden_layers=2))
    >>> found = depths(model)
    >>> found[id(model.classifier.out_proj.weight)], found[id(model.get_input_embeddings().weight)]
    (0, 3)
    ```
    """
    layers, found = getattr(model, "module", model).config.num_hidden_layers, {}
    for name, parameter in model.named_parameters():
        place = _PLACE.search(name)
        if place is None:
            found[id(parameter)] = 0
        else:
            found[id(parameter)] = layers + 1 if place[2] else layers - int(place[1])
    return found


def decay_by_depth(optimizer: torch.optim.Optimizer, model: nn.Module, decay: float) -> None:
    """Give each layer its share of the learning rate (discriminative fine-tuning, Howard and Ruder, 2018).

    Args:
        optimizer: Of a training that has not begun; its groups are split.
        model: Whose parameters it has.
        decay: What is left of the learning rate one layer further from the head.

    Example:

    ```python
    >>> model = AttnLSTMForSequenceClassification(AttnLSTMConfig())
    >>> optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    >>> decay_by_depth(optimizer, model, 0.5)
    >>> [group["lr"] for group in optimizer.param_groups]
    [0.01, 0.005, 0.0025]
    ```
    """
    found, groups = depths(model), []
    for group in optimizer.param_groups:
        own = {id(parameter): found.get(id(parameter), 0) for parameter in group["params"]}
        for depth in sorted(set(own.values())):
            members = [parameter for parameter in group["params"] if own[id(parameter)] == depth]
            groups.append({**group, "params": members, "lr": group["lr"] * decay**depth})
    # In place, because whoever schedules the learning rate may hold the list.
    optimizer.param_groups[:] = groups


class GradualUnfreezing(TrainerCallback):
    """Lets the head learn alone at first, then one layer more after so many steps each (Howard and Ruder, 2018).

    Args:
        steps: Updates of the weights until the next layer is let learn.

    Example:

    ```python
    >>> trainer = Trainer(model, args, train_dataset=encoded, callbacks=[GradualUnfreezing(200)])
    ```
    """

    def __init__(self, steps: int):
        self.steps = steps
        # How far each frozen parameter is from the head.
        self._frozen: list[tuple[int, nn.Parameter]] = []

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, model: Any = None, **_: Any
    ) -> None:
        """Freeze all that is to be learnt later; what somebody else has frozen stays so."""
        self.release()
        found = depths(model)
        learnt = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self._frozen = [(found[id(parameter)], parameter) for parameter in learnt if found[id(parameter)]]
        for _depth, parameter in self._frozen:
            parameter.requires_grad_(False)

    def on_step_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Unfreeze what is due."""
        self._unfreeze(state.global_step // self.steps)

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Leave nothing frozen that was not."""
        self.release()

    def release(self) -> None:
        """Unfreeze all that a training has left, perhaps one that was broken off."""
        self._unfreeze(math.inf)

    def _unfreeze(self, deepest: float) -> None:
        for depth, parameter in self._frozen:
            if depth <= deepest:
                parameter.requires_grad_(True)
        self._frozen = [each for each in self._frozen if each[0] > deepest]

"""Dropout over sequences."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class SequenceDropout(nn.Module):
    """Dropout over (batch, length, width), optionally of the same units at every position of a text.

    The locked form is the variational dropout of Gal and Ghahramani (2016).
    """

    def __init__(self, probability: float, locked: bool):
        super().__init__()
        self.probability = probability
        self.locked = locked

    def forward(self, states: Tensor) -> Tensor:
        if not self.training or not self.probability:
            return states
        if not self.locked:
            return nn.functional.dropout(states, self.probability)
        units = states.new_ones(states.shape[0], 1, states.shape[2])
        return states * nn.functional.dropout(units, self.probability)

    def noise(self, like: Tensor) -> Tensor | None:
        """What states (batch, width) as these are multiplied by at every step of a text; None for nothing."""
        if not self.training or not self.probability:
            return None
        return nn.functional.dropout(torch.ones_like(like), self.probability)

    def extra_repr(self) -> str:
        return f"p={self.probability}, locked={self.locked}"

"""From pooled states to logits."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ClassificationHead(nn.Module):
    """Dropout and a linear layer, with dropout and a tanh layer before them where `hidden_size` is given.

    Args:
        input_size: Width of the pooled states.
        num_labels: Width of the logits.
        hidden_size: Width of the tanh layer; None leaves it out.
        dropout: Share of the units that are dropped before each layer.

    Example:

    ```python
    >>> ClassificationHead(8, 2, hidden_size=4)(torch.zeros(3, 8)).shape
    torch.Size([3, 2])
    ```
    """

    def __init__(self, input_size: int, num_labels: int, *, hidden_size: int | None = None, dropout: float = 0.0):
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.dense = nn.Linear(input_size, hidden_size) if hidden_size is not None else None
        self.out_proj = nn.Linear(hidden_size or input_size, num_labels)

    def forward(self, pooled: Tensor) -> Tensor:
        """Pooled states (batch, input_size) to logits (batch, num_labels)."""
        pooled = self.dropout(pooled)
        if self.dense is not None:
            pooled = self.dropout(torch.tanh(self.dense(pooled)))
        return self.out_proj(pooled)

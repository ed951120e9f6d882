"""From pooled states to logits, or to a forecast."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class PooledHead(nn.Module):
    """Dropout and a linear layer, with dropout and a tanh layer before them where `hidden_size` is given.

    Args:
        input_size: Width of the pooled states.
        output_size: Width of what comes out, such as the logits.
        hidden_size: Width of the tanh layer; None leaves it out.
        dropout: Share of the units that are dropped before each layer.

    Example:

    ```python
    >>> PooledHead(8, 2, hidden_size=4)(torch.zeros(3, 8)).shape
    torch.Size([3, 2])
    ```
    """

    def __init__(self, input_size: int, output_size: int, *, hidden_size: int | None = None, dropout: float = 0.0):
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.dense = nn.Linear(input_size, hidden_size) if hidden_size is not None else None
        self.out_proj = nn.Linear(hidden_size or input_size, output_size)

    def forward(self, pooled: Tensor) -> Tensor:
        """Pooled states (batch, input_size) to (batch, output_size)."""
        pooled = self.dropout(pooled)
        if self.dense is not None:
            pooled = self.dropout(torch.tanh(self.dense(pooled)))
        return self.out_proj(pooled)

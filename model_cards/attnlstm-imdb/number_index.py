"""Rows of a table for numbers that were chosen: a sorted list, in which a number is looked up."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from transformers import initialization as init

from .configuration_checks import NGRAM_BITS
from .layout import is_traced_for_onnx


# More than any number that is looked up: a list that was not filled yet holds nothing else.
_NONE = 2**NGRAM_BITS - 1


class NumberIndex(nn.Module):
    """Numbers that have a row of a table, of which row 0 is for all others.

    Args:
        size: How many have a row.

    Attributes:
        numbers: (size,), in rising order.

    Example:

    ```python
    >>> index = NumberIndex(size=2)
    >>> index.numbers.copy_(torch.tensor([3, 8]))
    tensor([3, 8])
    >>> index.rows(torch.tensor([8, 5]))
    tensor([2, 0])
    ```
    """

    def __init__(self, size: int):
        super().__init__()
        self.register_buffer("numbers", torch.full((size,), _NONE))

    def init_parameters(self) -> None:
        """Start without any number."""
        init.constant_(self.numbers, _NONE)

    def rows(self, numbers: Tensor) -> Tensor:
        """The place of each number among those that have a row, counted from 1; 0 for the others."""
        search = _search_in_graph if is_traced_for_onnx() else torch.searchsorted
        place = search(self.numbers, numbers).clamp(max=len(self.numbers) - 1)
        return torch.where(self.numbers[place] == numbers, place + 1, 0)

    def extra_repr(self) -> str:
        return str(len(self.numbers))


def _search_in_graph(numbers: Tensor, wanted: Tensor) -> Tensor:
    """`torch.searchsorted`, of which ONNX has none: how many of the sorted `numbers` are below each one wanted."""
    below = torch.zeros_like(wanted)
    for step in reversed([2**power for power in range(len(numbers).bit_length())]):
        probe = (below + step).clamp(max=len(numbers))
        below = torch.where(numbers[probe - 1] < wanted, probe, below)
    return below

"""From the values of a series to the inputs of the recurrence, one a step: segments, or convolutions with pooling."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


FRONTS = ("segments", "convolution")


def _whole_windows(values: Tensor, size: int) -> Tensor:
    """(batch, length, width) with zeros in front, so that windows of this size end where the series ends."""
    return F.pad(values, (0, 0, -values.shape[1] % size, 0))


def _in_windows(values: Tensor, size: int) -> Tensor:
    """(batch, windows, size, width)."""
    whole = _whole_windows(values, size)
    return whole.unflatten(1, (whole.shape[1] // size, size))


def any_in_windows(flags: Tensor, size: int) -> Tensor:
    """Whether any of the flags (batch, length) in a window is True: (batch, windows), the last window ends at the end.

    Example:

    ```python
    >>> any_in_windows(torch.tensor([[False, True, False, False, True]]), 2)
    tensor([[False,  True,  True]])
    ```
    """
    return _in_windows(flags.unsqueeze(-1), size).flatten(2).any(-1)


class SegmentFront(nn.Module):
    """A linear layer over each segment of consecutive steps, with a ReLU (Lin et al., 2023).

    Args:
        input_size: Numbers at a step.
        output_size: Width of what comes out.
        segment_length: Steps of a segment; the last one ends where the series ends.

    Example:

    ```python
    >>> SegmentFront(1, 8, segment_length=4)(torch.zeros(2, 10, 1)).shape
    torch.Size([2, 3, 8])
    ```
    """

    def __init__(self, input_size: int, output_size: int, *, segment_length: int):
        super().__init__()
        self.window = segment_length
        self.projection = nn.Linear(input_size * segment_length, output_size)

    def forward(self, values: Tensor) -> Tensor:
        """(batch, length, input_size) to (batch, segments, output_size)."""
        return torch.relu(self.projection(_in_windows(values, self.window).flatten(2)))


class ConvolutionFront(nn.Module):
    """A convolution over time with a ReLU, and the maximum of each window of it.

    Args:
        input_size: Numbers at a step.
        output_size: Width of what comes out.
        kernel_size: Steps that the convolution sees; an odd number.
        pool_size: Steps of a window; the last one ends where the series ends.

    Example:

    ```python
    >>> ConvolutionFront(1, 8, kernel_size=3, pool_size=2)(torch.zeros(2, 10, 1)).shape
    torch.Size([2, 5, 8])
    ```
    """

    def __init__(self, input_size: int, output_size: int, *, kernel_size: int, pool_size: int):
        super().__init__()
        self.window = pool_size
        self.convolution = nn.Conv1d(input_size, output_size, kernel_size, padding=kernel_size // 2)

    def forward(self, values: Tensor) -> Tensor:
        """(batch, length, input_size) to (batch, windows, output_size)."""
        read = self.convolution(_whole_windows(values, self.window).transpose(1, 2))
        return F.max_pool1d(torch.relu(read), self.window).transpose(1, 2)

"""From the pixels of a picture to its regions, side by side as the tokens of a text are."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F


# Of the first convolution, and of all others.
_FIRST_KERNEL, _KERNEL = 5, 3


class RegionEncoder(nn.Module):
    """Convolutions that halve width and height, and one with a residual, by which each region sees its neighbours.

    A region is told where it is: its last two numbers go from -1, left and at the top, to 1, right and at the bottom
    (Liu et al., 2018).

    Args:
        num_channels: Of the pixels.
        sizes: Filters of each convolution that halves.

    Example:

    ```python
    >>> RegionEncoder(3, [8, 16])(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 64, 18])
    ```
    """

    def __init__(self, num_channels: int, sizes: Sequence[int]):
        super().__init__()
        entered = [num_channels, *sizes[:-1]]
        kernels = [_FIRST_KERNEL, *[_KERNEL] * (len(sizes) - 1)]
        self.convolutions = nn.ModuleList(
            nn.Conv2d(enter, leave, kernel, stride=2, padding=kernel // 2)
            for enter, leave, kernel in zip(entered, sizes, kernels)
        )
        self.norms = nn.ModuleList(nn.GroupNorm(1, size) for size in sizes)
        self.around = nn.Conv2d(sizes[-1], sizes[-1], _KERNEL, padding=_KERNEL // 2)

    def forward(self, pixel_values: Tensor) -> Tensor:
        """(batch, channels, height, width) to (batch, regions, sizes[-1] + 2), row by row."""
        maps = pixel_values
        for convolution, norm in zip(self.convolutions, self.norms):
            maps = F.relu(norm(convolution(maps)))
        maps = maps + F.relu(self.around(maps))
        return torch.cat([maps, places(maps)], 1).flatten(2).transpose(1, 2)


def region_grid(height: int, width: int, convolutions: int) -> tuple[int, int]:
    """Rows and columns of the regions of a picture.

    Args:
        height, width: Of the picture, in pixels.
        convolutions: How many halve it.

    Example:

    ```python
    >>> region_grid(64, 48, 3)
    (8, 6)
    ```
    """
    return -(-height // 2**convolutions), -(-width // 2**convolutions)


def places(maps: Tensor) -> Tensor:
    """Where each region of maps (batch, width, rows, columns) is, (batch, 2, rows, columns): across, and down.

    Example:

    ```python
    >>> places(torch.zeros(1, 8, 1, 2)).flatten().tolist()
    [-0.5, 0.5, 0.0, 0.0]
    ```
    """
    rows, columns = maps.shape[2:]
    across, down = (_from_side_to_side(count, maps) for count in (columns, rows))
    both = torch.stack([across.expand(rows, columns), down[:, None].expand(rows, columns)])
    return both.expand(maps.shape[0], -1, -1, -1)


def _from_side_to_side(count: int, like: Tensor) -> Tensor:
    """The middles of so many parts of the way from -1 to 1."""
    return (torch.arange(count, dtype=like.dtype, device=like.device) * 2 + 1) / count - 1

"""Features of the regions of pictures as one batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor


def padded_features(features: Sequence[Any]) -> dict[str, Tensor]:
    """Features of the regions of each picture, as a batch.

    Args:
        features: Of each picture (regions, width).

    Returns:
        `image_features` (pictures, most regions, width), 0 on padding, and `image_mask`, boolean (pictures, most
        regions); at least one region.

    Raises:
        ValueError: The widths differ, or something is no table of numbers.

    Example:

    ```python
    >>> batch = padded_features([np.zeros((4, 16)), np.zeros((2, 16))])
    >>> batch["image_features"].shape, batch["image_mask"].sum(1)
    (torch.Size([2, 4, 16]), tensor([4, 2]))
    ```
    """
    rows = [np.asarray(each, dtype=np.float32) for each in features]
    widths = {row.shape[1:] for row in rows}
    if len(widths) > 1 or any(row.ndim != 2 for row in rows):
        shapes = sorted({row.shape for row in rows})[:5]
        raise ValueError(f"Features must be of shape (regions, width), with one width, got {shapes}.")
    most = max((len(row) for row in rows), default=1) or 1
    padded = np.zeros((len(rows), most, *(widths.pop() if widths else (0,))), dtype=np.float32)
    mask = np.zeros((len(rows), most), dtype=bool)
    for place, row in enumerate(rows):
        padded[place, : len(row)], mask[place, : len(row)] = row, True
    return {"image_features": torch.from_numpy(padded), "image_mask": torch.from_numpy(mask)}


def checked_features(given: Any, width: int, position: int) -> np.ndarray:
    """Features of a picture that somebody gives.

    Args:
        given: Numbers (regions, width).
        width: Of a region.
        position: Of the picture among others, for the sentence of a mistake.

    Raises:
        ValueError: They have another shape, or are no finite numbers.

    Example:

    ```python
    >>> checked_features([[0.5, 1.0]], 2, position=0)
    array([[0.5, 1. ]], dtype=float32)
    ```
    """
    try:
        features = np.asarray(given, dtype=np.float32)
    except (TypeError, ValueError):
        features = np.empty(0)
    if features.ndim != 2 or features.shape[1] != width or not np.isfinite(features).all():
        raise ValueError(
            f"The image_features of number {position} must be {width} numbers for each region, as a table (regions, "
            f"{width})."
        )
    return features

"""Checks of the fields of a configuration that say how a picture beside the text is read."""

from __future__ import annotations

from typing import Any

from .configuration_base import MOST_UNITS


MAX_CONVOLUTIONS = 8
# Across and down, which a region of pixels is told.
PLACE_SIZE = 2


def region_width(config: Any) -> int:
    """Width of a region of a picture, as `image_features` have it.

    Example:

    ```python
    >>> region_width(AttnLSTMConfig(image_conv_sizes=[8, 16]))
    18
    ```
    """
    return config.image_conv_sizes[-1] + PLACE_SIZE if config.image_conv_sizes else config.image_feature_size


def check_images(config: Any) -> None:
    """ValueError for pictures that cannot be read so."""
    sizes = config.image_conv_sizes
    if sizes is None:
        if config.num_image_channels != type(config).num_image_channels:
            raise ValueError("num_image_channels has no effect without image_conv_sizes: leave it out, or set that.")
        return
    if not 1 <= len(sizes) <= MAX_CONVOLUTIONS or any(not 1 <= size <= MOST_UNITS for size in sizes):
        raise ValueError(
            f"image_conv_sizes must be 1 to {MAX_CONVOLUTIONS} numbers from 1 to {MOST_UNITS:,}, got {sizes}."
        )
    if config.image_feature_size != type(config).image_feature_size:
        raise ValueError("image_feature_size follows from image_conv_sizes: leave one of the two out.")

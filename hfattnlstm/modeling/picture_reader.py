"""What a model makes of a picture: a state for each of its regions."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .image_regions import RegionEncoder
from .layout import zero_where
from .reading_order import boolean_mask


class PictureReader(nn.Module):
    """States of the regions of pictures, which come as features, or as pixels.

    Args:
        region_size: Width of the features of a region.
        hidden_size: Width of a state.
        conv_sizes: Filters of the convolutions that make features of pixels; None for features that come from
            elsewhere.
        num_channels: Of the pixels.

    Example:

    ```python
    >>> states, mask = PictureReader(16, 8)(image_features=torch.zeros(2, 4, 16))
    >>> states.shape, mask.shape
    (torch.Size([2, 4, 8]), torch.Size([2, 4]))
    ```
    """

    def __init__(
        self, region_size: int, hidden_size: int, conv_sizes: Sequence[int] | None = None, num_channels: int = 3
    ):
        super().__init__()
        self.region_size, self.num_channels = region_size, num_channels
        self.region_encoder = RegionEncoder(num_channels, conv_sizes) if conv_sizes else None
        self.projection = nn.Linear(region_size, hidden_size)
        self.norm = nn.LayerNorm(hidden_size)

    def forward(
        self,
        image_features: Tensor | None = None,
        image_mask: Tensor | None = None,
        pixel_values: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Read a batch.

        Args:
            image_features: (batch, regions, region_size).
            image_mask: (batch, regions) of 0 and 1; of shape (batch, 1) it is for whole pictures.
            pixel_values: (batch, channels, height, width), in place of `image_features`.

        Returns:
            States (batch, regions, hidden_size), 0 on padding, at least one region; and the mask as booleans.

        Raises:
            ValueError: A picture is missing, is there twice, or has another shape.
        """
        features = self._features(image_features, pixel_values)
        if features.dim() != 3 or features.shape[2] != self.region_size:
            raise ValueError(
                f"image_features must be of shape (batch, regions, {self.region_size}), got {tuple(features.shape)}."
            )
        mask = _image_mask(image_mask, features)
        if not features.shape[1]:
            # Attention cannot do without one.
            features, mask = features.new_zeros(len(features), 1, features.shape[2]), mask.new_zeros(len(mask), 1)
        features = features.to(self.projection.weight.dtype).masked_fill(~mask[..., None], 0.0)
        return zero_where(~mask[..., None], self.norm(self.projection(features))), mask

    def _features(self, image_features: Tensor | None, pixel_values: Tensor | None) -> Tensor:
        if (image_features is None) == (pixel_values is None):
            raise ValueError(
                "Give exactly one of image_features and pixel_values; an image_mask of 0 leaves a picture out."
            )
        if pixel_values is None:
            return image_features
        if self.region_encoder is None:
            raise ValueError(
                "The model reads image_features, not pixel_values: give those, or set image_conv_sizes in the "
                "configuration."
            )
        if pixel_values.dim() != 4 or pixel_values.shape[1] != self.num_channels:
            raise ValueError(
                f"pixel_values must be of shape (batch, {self.num_channels}, height, width), got "
                f"{tuple(pixel_values.shape)}."
            )
        return self.region_encoder(pixel_values.to(self.projection.weight.dtype))


def _image_mask(mask: Tensor | None, features: Tensor) -> Tensor:
    """Boolean (batch, regions)."""
    batch, regions = features.shape[:2]
    if mask is None:
        return torch.ones(batch, regions, dtype=torch.bool, device=features.device)
    if mask.dim() != 2 or mask.shape[0] != batch or mask.shape[1] not in (1, regions):
        raise ValueError(
            f"image_mask must be of shape {(batch, regions)}, or {(batch, 1)} for whole pictures, got "
            f"{tuple(mask.shape)}."
        )
    return boolean_mask(mask, features.device, "image_mask").expand(batch, regions)

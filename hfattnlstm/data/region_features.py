"""Features of the regions of pictures, by a vision model of transformers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from datasets import Dataset, Features, List, Value
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import PreTrainedModel

from ..modeling.image_opening import open_image
from .picture_files import kept_on_disk, read_picture, undecoded
from .pictures import IMAGE, IMAGE_FEATURES


# Tokens that stand for a whole picture: one of its class, and registers.
_MOST_SPECIAL = 16


class RegionFeatures:
    """What a vision model says of the regions of pictures.

    Args:
        model: Any model whose `last_hidden_state` is (pictures, tokens, width), as that of ViT, or (pictures, width,
            rows, columns), as that of ResNet; it is set to evaluation.
        image_processor: That of the model.
        grid: Rows and columns of regions; each is the mean of those of the model that lie in it. The model's own
            without, with the tokens that stand for the whole picture.

    Raises:
        TypeError: For a model that reads no pictures.
        ValueError: For a grid that is finer than that of the model, or below 1.

    Example:

    ```python
    >>> from PIL import Image
    >>> vision, image_processor = vision_model()
    >>> RegionFeatures(vision, image_processor, grid=2)([Image.new("RGB", (40, 40))]).shape
    (1, 4, 16)
    ```
    """

    def __init__(self, model: PreTrainedModel, image_processor: Any, grid: int | None = None):
        if grid is not None and grid < 1:
            raise ValueError(f"A grid must have a row at least, got {grid}.")
        # A model of texts and pictures has one of pictures in it.
        self.model: nn.Module = getattr(model, "vision_model", model).eval()
        if getattr(self.model, "main_input_name", "pixel_values") != "pixel_values":
            raise TypeError(
                f"{type(model).__name__} is a model that reads no pictures: name one that does, such as a ViT."
            )
        self.image_processor, self.grid = image_processor, grid

    def check(self, image: Any) -> None:
        """Try a picture.

        Raises:
            ValueError: The model has fewer regions than the grid, or none that lie in one, or gives other features
                each time, as one does that masks at random.
        """
        if not np.array_equal(self([image]), self([image])):
            raise ValueError(
                "The model gives other features each time, as one does that masks regions at random: set that off in "
                "its config.json (mask_ratio 0), or name another."
            )

    @torch.inference_mode()
    def __call__(self, images: Sequence[Any]) -> np.ndarray:
        """Pictures of Pillow to their features, (pictures, regions, width) float32."""
        inputs = self.image_processor([open_image(image) for image in images], return_tensors="pt")
        pixels = inputs["pixel_values"].to(next(self.model.parameters()))
        states = self.model(pixel_values=pixels).last_hidden_state.float()
        if self.grid is not None:
            states = F.adaptive_avg_pool2d(self._as_map(states, pixels), self.grid)
        if states.dim() == 4:
            states = states.flatten(2).transpose(1, 2)
        return states.cpu().numpy()

    def _as_map(self, states: Tensor, pixels: Tensor) -> Tensor:
        """(pictures, width, rows, columns), without the tokens that stand for the whole picture, which come first."""
        if states.dim() == 3:
            rows, columns = self._sides(states.shape[1], *pixels.shape[2:])
            states = states[:, -rows * columns :].transpose(1, 2).unflatten(2, (rows, columns))
        rows, columns = states.shape[2:]
        if self.grid > min(rows, columns):
            raise ValueError(
                f"The model has {rows} x {columns} regions, too few for a grid of {self.grid}: give a smaller one."
            )
        return states

    def _sides(self, tokens: int, height: int, width: int) -> tuple[int, int]:
        patch = getattr(self.model.config, "patch_size", None)
        patches = patch if isinstance(patch, (list, tuple)) else (patch, patch)
        if all(isinstance(size, int) and size > 0 for size in patches[-2:]):
            rows, columns = height // patches[-2], width // patches[-1]
            if 0 <= tokens - rows * columns <= _MOST_SPECIAL:
                return rows, columns
        # Layers may have merged regions since.
        side = math.isqrt(tokens)
        if side * side != tokens or height != width:
            raise ValueError(f"The {tokens} regions of the model lie in no grid: leave the grid out.")
        return side, side


def with_region_features(split: Dataset, features: RegionFeatures, batch_size: int, name: str = "train") -> Dataset:
    """The same rows with a column `image_features` in the place of `image`.

    Args:
        split: With a column `image`.
        features: What makes them.
        batch_size: Pictures that are computed together.
        name: Of the split, for the sentence about a picture that cannot be read.

    Raises:
        ValueError: One cannot be read; names its file and its row.

    Example:

    ```python
    >>> features = RegionFeatures(*vision_model(), grid=2)
    >>> len(with_region_features(load_image_texts("scenes")[0].splits["train"], features, 8)[0]["image_features"])
    4
    ```
    """

    def computed(rows: dict[str, list], numbers: list[int]) -> dict[str, list]:
        places = (f"in row {number} of the split {name!r}" for number in (each + 1 for each in numbers))
        return {IMAGE_FEATURES: list(features([read_picture(*each) for each in zip(rows[IMAGE], places)]))}

    kept = {column: feature for column, feature in split.features.items() if column != IMAGE}
    return undecoded(split, IMAGE).map(
        computed,
        batched=True,
        batch_size=batch_size,
        with_indices=True,
        remove_columns=[IMAGE],
        features=Features({**kept, IMAGE_FEATURES: List(List(Value("float32")))}),
        load_from_cache_file=False,
        desc="Reading pictures",
        **kept_on_disk(split),
    )

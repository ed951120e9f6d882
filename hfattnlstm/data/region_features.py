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

from .pictures import IMAGE, IMAGE_FEATURES


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

    @torch.inference_mode()
    def __call__(self, images: Sequence[Any]) -> np.ndarray:
        """Pictures of Pillow to their features, (pictures, regions, width) float32."""
        inputs = self.image_processor([image.convert("RGB") for image in images], return_tensors="pt")
        parameter = next(self.model.parameters())
        pixels = inputs["pixel_values"].to(parameter)
        states = self.model(pixel_values=pixels).last_hidden_state.float()
        if self.grid is not None:
            states = F.adaptive_avg_pool2d(_as_map(states, self.grid), self.grid)
        if states.dim() == 4:
            states = states.flatten(2).transpose(1, 2)
        return states.cpu().numpy()


def _as_map(states: Tensor, grid: int) -> Tensor:
    """(pictures, width, rows, columns), without the tokens that stand for the whole picture, which come first."""
    if states.dim() == 3:
        side = math.isqrt(states.shape[1])
        states = states[:, -side * side :].transpose(1, 2).unflatten(2, (side, side))
    if grid > min(states.shape[2:]):
        raise ValueError(
            f"The model has {states.shape[2]} x {states.shape[3]} regions, too few for a grid of {grid}: coarsen that."
        )
    return states


def with_region_features(split: Dataset, features: RegionFeatures, batch_size: int) -> Dataset:
    """The same rows with a column `image_features` in the place of `image`.

    Args:
        split: With a column `image`.
        features: What makes them.
        batch_size: Pictures that are computed together.

    Example:

    ```python
    >>> features = RegionFeatures(*vision_model(), grid=2)
    >>> len(with_region_features(load_image_texts("scenes")[0].splits["train"], features, 8)[0]["image_features"])
    4
    ```
    """

    def computed(rows: dict[str, list]) -> dict[str, list]:
        return {IMAGE_FEATURES: list(features(rows[IMAGE]))}

    kept = {name: feature for name, feature in split.features.items() if name != IMAGE}
    return split.map(
        computed,
        batched=True,
        batch_size=batch_size,
        remove_columns=[IMAGE],
        features=Features({**kept, IMAGE_FEATURES: List(List(Value("float32")))}),
        load_from_cache_file=False,
        desc="Reading pictures",
    )

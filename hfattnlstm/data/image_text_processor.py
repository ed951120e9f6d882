"""What turns texts with pictures into the inputs of a model, and is saved beside it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from os import PathLike
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import AutoTokenizer, BatchFeature, PreTrainedTokenizerBase

from .._extras import needs_extra
from .._places import loading_from
from ..modeling.image_inputs import padded_features
from ..modeling.image_opening import load_image_processor, open_image
from ..modeling.text_inputs import TextEncoder, pad_ids


# Of a picture, so many pixels on either side, where nobody says otherwise.
SIDE = 64
# A channel that is the same everywhere is left as it is.
_LEAST_STD = 1e-3


class ImageTextProcessor:
    """A tokenizer and, for pictures that come as pixels, an image processor of transformers.

    Args:
        tokenizer: A fast tokenizer.
        image_processor: Resizes pictures, and scales their pixels; None for features of regions.
        truncation: Which part of a text is read that is too long, as in the configuration of the model.

    Raises:
        ValueError: For an image processor that gives pictures of different sizes.

    Example:

    ```python
    >>> processor = ImageTextProcessor(tokenizer)
    >>> list(processor(["Slow soup"], image_features=[np.zeros((4, 16))]))
    ['input_ids', 'attention_mask', 'image_features', 'image_mask']
    ```
    """

    def __init__(
        self, tokenizer: PreTrainedTokenizerBase, image_processor: Any | None = None, truncation: str = "head"
    ):
        if image_processor is not None and not _has_one_size(image_processor):
            raise ValueError(
                f"{type(image_processor).__name__} gives pictures of different sizes: give an image processor that "
                "resizes all to one height and width, such as ViTImageProcessorPil."
            )
        self.tokenizer, self.image_processor = tokenizer, image_processor
        self.encoder = TextEncoder(tokenizer, None, truncation)

    @classmethod
    def fit(
        cls, tokenizer: PreTrainedTokenizerBase, images: Iterable[Any], *, side: int = SIDE, truncation: str = "head"
    ) -> ImageTextProcessor:
        """One whose image processor gives the pixels of these pictures a mean of 0 and a deviation of 1.

        Args:
            tokenizer: A fast tokenizer.
            images: Pictures of the training, one or more.
            side: Pixels of a picture's side, to which all are resized.
            truncation: As in the class.

        Raises:
            ImportError: Pillow is not installed.

        Example:

        ```python
        >>> from PIL import Image
        >>> ImageTextProcessor.fit(tokenizer, [Image.new("RGB", (8, 8), "red")]).image_processor.image_mean
        [1.0, 0.0, 0.0]
        ```
        """
        with needs_extra("Reading pictures"):
            from transformers import ViTImageProcessorPil

            plain = ViTImageProcessorPil(size={"height": side, "width": side})
        processor = cls(tokenizer, plain, truncation)
        count, sums, squares = 0, np.zeros(3), np.zeros(3)
        for image in images:
            values = processor.pixels([image])[0].reshape(3, -1) * plain.rescale_factor
            count += values.shape[1]
            sums, squares = sums + values.sum(1), squares + (values**2).sum(1)
        mean = sums / count
        std = np.sqrt(np.maximum(squares / count - mean**2, 0))
        plain.image_mean = mean.round(6).tolist()
        plain.image_std = np.where(std < _LEAST_STD, 1.0, std).round(6).tolist()
        return processor

    @property
    def model_input_names(self) -> list[str]:
        """What the model reads."""
        image = ("image_features", "image_mask") if self.image_processor is None else ("pixel_values",)
        return ["input_ids", "attention_mask", *image]

    @property
    def pad_token_id(self) -> int | None:
        """What fills texts up."""
        return self.tokenizer.pad_token_id

    def pixels(self, images: Sequence[Any]) -> np.ndarray:
        """Pictures, resized, as bytes (pictures, 3, height, width).

        Args:
            images: Each a picture of Pillow, or the name or address of one.

        Raises:
            ValueError: A picture cannot be read; see [`open_image`].
        """
        loaded = [open_image(image) for image in images]
        options = {"do_rescale": False, "do_normalize": False, "return_tensors": "np"}
        return np.asarray(self.image_processor(loaded, **options)["pixel_values"], dtype=np.uint8)

    def scaled(self, pixels: np.ndarray) -> Tensor:
        """Bytes (pictures, 3, height, width) as the numbers that the model reads."""
        own = self.image_processor
        mean, std = (torch.tensor(values).view(-1, 1, 1) for values in (own.image_mean, own.image_std))
        return (torch.from_numpy(pixels).float() * own.rescale_factor - mean) / std

    def __call__(
        self,
        texts: Sequence[Any],
        images: Sequence[Any] | None = None,
        image_features: Sequence[Any] | None = None,
    ) -> BatchFeature:
        """The inputs of a batch, as tensors.

        Args:
            texts: Texts, or rows of them.
            images: As in [`pixels`].
            image_features: Of each picture (regions, width), in place of `images`.

        Raises:
            ValueError: When a text has no picture, or a picture is of the other kind.
        """
        ids, mask = pad_ids([text.input_ids for text in self.encoder(texts)], self.pad_token_id)
        batch = {"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(mask)}
        return BatchFeature({**batch, **self.picture_inputs(len(texts), images, image_features)})

    def picture_inputs(
        self, count: int, images: Sequence[Any] | None, image_features: Sequence[Any] | None
    ) -> dict[str, Tensor]:
        """Those of the pictures of so many texts; see [`__call__`]."""
        wanted, given, other = ("images", images, image_features)
        if self.image_processor is None:
            wanted, given, other = ("image_features", image_features, images)
        if given is None or other is not None:
            raise ValueError(f"The model reads {wanted}: give those, and nothing else for the pictures.")
        if len(given) != count:
            raise ValueError(f"There are {count} texts and {len(given)} pictures: give one for each text.")
        if self.image_processor is None:
            return padded_features(given)
        return {"pixel_values": self.scaled(self.pixels(given))}

    def save_pretrained(self, folder: str | PathLike, **kwargs: Any) -> None:
        """Write both, where `AutoTokenizer` and `AutoImageProcessor` find them."""
        self.tokenizer.save_pretrained(folder, **kwargs)
        if self.image_processor is not None:
            self.image_processor.save_pretrained(folder, **kwargs)

    @classmethod
    def from_pretrained(cls, name: str | PathLike, config: Any) -> ImageTextProcessor:
        """Of a folder or a name on the Hub.

        Args:
            name: Of the model.
            config: Its configuration, which says whether it reads pixels, and which part of a text.

        Raises:
            OSError: There is none.
            ImportError: Pillow is not installed.

        Example:

        ```python
        >>> config = AutoConfig.from_pretrained("scenes-model")
        >>> dict(ImageTextProcessor.from_pretrained("scenes-model", config).image_processor.size)
        {'height': 64, 'width': 64}
        ```
        """
        with loading_from(name) as place, needs_extra("Reading pictures"):
            image_processor = load_image_processor(place) if config.image_conv_sizes else None
        with loading_from(name, "tokenizer") as place:
            # Captions are read from their beginning.
            return cls(AutoTokenizer.from_pretrained(place), image_processor, getattr(config, "truncation", "head"))


def _has_one_size(image_processor: Any) -> bool:
    size = dict(getattr(image_processor, "size", None) or {})
    return all(size.get(side) for side in ("height", "width"))

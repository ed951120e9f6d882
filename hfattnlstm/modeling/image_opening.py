"""Pictures of every kind as Pillow's RGB, and what resizes them."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import transformers
from transformers.image_processing_base import ImageProcessingMixin
from transformers.image_utils import load_image


# What a picture of 16 bits goes up to, in steps of one of 8 bits.
_STEPS_OF_16_BITS = 257


def open_image(image: Any) -> Any:
    """A picture as RGB, turned as its camera was held; what is transparent shows white.

    Args:
        image: A picture of Pillow, or the name of its file, or its address.

    Raises:
        ValueError: There is no such file, or it is no picture that can be read; the sentence begins behind its name.

    Example:

    ```python
    >>> open_image("scene.png").mode
    'RGB'
    ```
    """
    if isinstance(image, (str, PathLike)) and not _is_address(str(image)) and not Path(image).expanduser().is_file():
        shown = f"{str(image)[:80]}…" if len(str(image)) > 80 else str(image)
        raise ValueError(f"is {shown}, where there is no file: mend the name.")
    try:
        return _as_rgb(_opened(image))
    # Pillow's error for pictures that are far too large is of none of the usual kinds.
    except Exception as error:
        raise unreadable(error) from error


def unreadable(error: Exception) -> ValueError:
    """The error for a picture that some library could not read; the sentence begins behind its name."""
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return ValueError(f"cannot be read ({reason}): mend it, or leave it out.")


def load_image_processor(name: str, **options: Any) -> Any:
    """The image processor that was saved with a model, which computes with Pillow where it can.

    torchvision would resize to pixels that differ by rounding, and transformers' Auto class takes it where it is
    installed, or, in older versions, demands it.

    Args:
        name: Folder or Hub name.
        **options: Of `from_pretrained`.

    Raises:
        OSError: There is none.

    Example:

    ```python
    >>> load_image_processor("scenes-model").do_resize
    True
    ```
    """
    saved, _ = ImageProcessingMixin.get_image_processor_dict(name, **options)
    kind = str(saved.get("image_processor_type", "")).removesuffix("Pil").removesuffix("Fast")
    found = getattr(transformers, f"{kind}Pil", None) if kind else None
    # What is not there stands as a dummy that raises when it is used.
    if found is None or getattr(found, "is_dummy", False):
        found = transformers.AutoImageProcessor
    return found.from_pretrained(name, **options)


def _is_address(name: str) -> bool:
    return name.startswith(("http://", "https://", "data:"))


def _opened(image: Any) -> Any:
    if isinstance(image, (str, PathLike)) and not _is_address(str(image)):
        from PIL import Image, ImageOps

        with Image.open(Path(image).expanduser()) as opened:
            return ImageOps.exif_transpose(opened)
    if isinstance(image, str):
        return load_image(image)
    from PIL import ImageOps

    return ImageOps.exif_transpose(image)


def _as_rgb(image: Any) -> Any:
    from PIL import Image

    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        # Pillow would cut off all that is above 255.
        values = np.asarray(image, dtype=np.float64)
        if values.min(initial=0) < 0 or image.mode == "F":
            raise ValueError(f"its values, of mode {image.mode}, have no range: give it with 8 or 16 bits")
        # Of the other mode it is not known how many bits were meant.
        scale = _STEPS_OF_16_BITS if image.mode != "I" or values.max(initial=0) > 255 else 1
        image = Image.fromarray((values / scale).round().clip(0, 255).astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return image.convert("RGB")


def image_processor_of(model: Any) -> Any:
    """That of a model which was loaded, from where it was loaded.

    Raises:
        ValueError: There is none.
    """
    try:
        return load_image_processor(model.name_or_path, revision=getattr(model.config, "_commit_hash", None))
    except (OSError, ValueError) as error:
        raise ValueError(
            "The model reads pictures, and has no image processor beside it: give image_processor, the one of its "
            "training."
        ) from error

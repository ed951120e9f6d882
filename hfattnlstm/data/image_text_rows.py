"""Texts with pictures as the rows that a Trainer reads, and as its batches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from datasets import Dataset, Features, Value, concatenate_datasets
from torch import Tensor

from ..modeling.image_inputs import padded_features
from .batching import PaddingCollator
from .encoding import encode_split
from .image_text_processor import ImageTextProcessor
from .marks import BATCH_GROUP, GROUP, KIND
from .naming import quote
from .picture_files import kept_on_disk, read_picture, undecoded
from .pictures import IMAGE, IMAGE_FEATURES


# The columns of rows: bytes of resized pixels, or lists of features.
PIXELS = "pixel_values"
_PICTURES_AT_ONCE = 64
# What a model is left with that is not told the one or the other.
TEXT_ALONE, IMAGE_ALONE = "text_alone", "image_alone"


def encode_image_texts(split: Dataset, processor: ImageTextProcessor) -> Dataset:
    """Tokenise the texts of a split, and resize its pictures.

    Args:
        split: With the columns `text`, `label`, and `image` or `image_features`, as from [`load_image_texts`].
        processor: What makes inputs of them.

    Returns:
        The columns `input_ids`, `length` and `labels` of [`encode_texts`], `pixel_values`, the bytes of each picture,
        or `image_features`; and `batch_group` and `kind`, where the split has groups and kinds.

    Raises:
        ValueError: A picture cannot be read; names its file and its text.

    Example:

    ```python
    >>> train = load_image_texts("scenes")[0].splits["train"]
    >>> processor = ImageTextProcessor.fit(tokenizer, train["image"][:2])
    >>> encode_image_texts(train, processor).column_names
    ['input_ids', 'length', 'labels', 'pixel_values', 'batch_group']
    ```
    """
    kept = [name for name in (GROUP, KIND) if name in split.column_names]
    further = [split.select_columns(kept)] if kept else []
    pictures = encode_pictures(split, processor)
    rows = concatenate_datasets([encode_split(split, processor.encoder), pictures, *further], axis=1)
    if GROUP in kept:
        rows = rows.rename_column(GROUP, BATCH_GROUP)
    return with_arrays(rows)


def encode_pictures(split: Dataset, processor: ImageTextProcessor) -> Dataset:
    """The pictures of a split, resized, or their features.

    Args:
        split: With the columns `image`, and `text` by which one is told that cannot be read, or `image_features`.
        processor: Resizes pictures.

    Returns:
        The column `pixel_values`, the bytes of each, or `image_features`.

    Raises:
        ValueError: A picture cannot be read; names its file and its text.
    """
    return split.select_columns(IMAGE_FEATURES) if IMAGE_FEATURES in split.column_names else _pixels(split, processor)


def with_arrays(rows: Dataset) -> Dataset:
    """The same rows, whose features come as arrays: lists of lists would take as long to make as a model to read."""
    if IMAGE_FEATURES in rows.column_names:
        return rows.with_format("numpy", columns=[IMAGE_FEATURES], output_all_columns=True)
    return rows


def _pixels(split: Dataset, processor: ImageTextProcessor) -> Dataset:
    def resized(rows: dict[str, list]) -> dict[str, list]:
        return {PIXELS: [processor.pixels([picture]).tobytes() for picture in pictures_of(rows)]}

    return undecoded(split.select_columns([IMAGE, "text"]), IMAGE).map(
        resized,
        batched=True,
        batch_size=_PICTURES_AT_ONCE,
        remove_columns=[IMAGE, "text"],
        features=Features({PIXELS: Value("binary")}),
        load_from_cache_file=False,
        desc="Resizing",
        **kept_on_disk(split),
    )


def pictures_of(rows: Mapping[str, list]) -> Iterator[Any]:
    """The pictures of rows with `image`, undecoded, and `text`; one that cannot be read is told by its text.

    Example:

    ```python
    >>> next(pictures_of({"image": [{"bytes": None, "path": "scene.png"}], "text": ["there is a ring"]})).size
    (64, 64)
    ```
    """
    for value, text in zip(rows[IMAGE], rows["text"]):
        shown = text if isinstance(text, str) else " | ".join(text)
        yield read_picture(value, f"of the text {quote([shown])}")


class ImageTextCollator:
    """Rows of [`encode_image_texts`] as the tensors of a batch.

    Args:
        processor: What has encoded them.
        region_size: Width of a region, as the configuration of the model has it.
        told: `"text_alone"`, `"image_alone"`, or None for both; what a model is not told is masked.

    Example:

    ```python
    >>> collate = ImageTextCollator(ImageTextProcessor(tokenizer), region_size=2)
    >>> list(collate([{"input_ids": [7, 8], "labels": 1, "image_features": [[0.5, 0.5]]}]))
    ['input_ids', 'attention_mask', 'labels', 'image_features', 'image_mask']
    ```
    """

    def __init__(self, processor: ImageTextProcessor, region_size: int, told: str | None = None):
        self.processor, self.region_size, self.told = processor, region_size, told
        self._texts = PaddingCollator(processor.pad_token_id, ("input_ids", "attention_mask"))

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Tensor]:
        """Rows with `input_ids`, a picture and, for training, `labels`."""
        if self.told == IMAGE_ALONE:
            rows = [{**row, "input_ids": [self.processor.pad_token_id or 0]} for row in rows]
        batch = self._texts(rows)
        if self.told == IMAGE_ALONE:
            batch["attention_mask"] = torch.zeros_like(batch["attention_mask"])
        if self.told == TEXT_ALONE:
            # One region, which is not there, costs nothing to read.
            return batch | {
                "image_features": torch.zeros(len(rows), 1, self.region_size),
                "image_mask": torch.zeros(len(rows), 1, dtype=torch.bool),
            }
        return batch | picture_batch(rows, self.processor)


def picture_batch(rows: Sequence[Mapping[str, Any]], processor: ImageTextProcessor) -> dict[str, Tensor]:
    """The pictures of rows of [`encode_pictures`] as a model reads them."""
    if IMAGE_FEATURES in rows[0]:
        return padded_features([row[IMAGE_FEATURES] for row in rows])
    size = processor.image_processor.size
    flat = np.frombuffer(b"".join(row[PIXELS] for row in rows), dtype=np.uint8)
    # A copy, because torch may not write to bytes.
    return {PIXELS: processor.scaled(flat.reshape(len(rows), -1, size["height"], size["width"]).copy())}

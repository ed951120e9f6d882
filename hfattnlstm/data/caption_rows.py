"""Pictures with captions as the rows that a Trainer reads, and as its batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from datasets import Dataset, Features, List, Value, concatenate_datasets
from torch import Tensor

from .batching import padded_labels
from .captions import CAPTIONS
from .image_text_processor import ImageTextProcessor
from .image_text_rows import encode_pictures, picture_batch, with_arrays


def encode_captions(split: Dataset, processor: ImageTextProcessor, every: bool) -> Dataset:
    """Token ids of captions, and resized pictures.

    Args:
        split: With the columns `captions`, and `image` or `image_features`, as from [`load_captions`].
        processor: What makes inputs of them.
        every: Whether there is a row for each caption, as a training needs it; else one for each picture, with its
            first.

    Returns:
        The columns `labels` and `length`, in tokens, and `pixel_values` or `image_features`.

    Raises:
        ValueError: A picture cannot be read; names its file and its caption.

    Example:

    ```python
    >>> splits = load_captions("scenes").splits
    >>> encode_captions(splits["train"], processor, every=True).column_names
    ['labels', 'length', 'pixel_values']
    ```
    """
    said = split[CAPTIONS][:]
    pictures = encode_pictures(split.add_column("text", [texts[0] for texts in said]), processor)
    texts = [(row, text) for row, own in enumerate(said) for text in (own if every else own[:1])]
    labels = processor.encoder.input_ids([text for _, text in texts])
    features = Features({"labels": List(Value("int32")), "length": Value("int32")})
    columns = Dataset.from_dict({"labels": labels, "length": list(map(len, labels))}, features=features)
    if len(texts) > len(said):
        pictures = pictures.select(np.array([row for row, _ in texts]))
    return with_arrays(concatenate_datasets([columns, pictures], axis=1))


class CaptionCollator:
    """Rows of [`encode_captions`] as the tensors of a batch.

    Args:
        processor: What has encoded them.

    Example:

    ```python
    >>> rows = encode_captions(load_captions("scenes").splits["train"], processor, every=False)
    >>> CaptionCollator(processor)(list(rows.select(range(2))))["pixel_values"].shape
    torch.Size([2, 3, 64, 64])
    ```
    """

    def __init__(self, processor: ImageTextProcessor):
        self.processor = processor

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Tensor]:
        """Rows with a picture and, for training, `labels`."""
        return picture_batch(rows, self.processor) | padded_labels(rows)

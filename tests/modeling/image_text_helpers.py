"""Tiny models of texts with pictures, and batches for them."""

from __future__ import annotations

from typing import Any

import torch
from modeling_helpers import ids_of, mask_of, tiny_model
from torch import Tensor

from hfattnlstm import AttnLSTMForImageTextClassification


WIDTH, REGIONS, SIDE = 5, 4, 8
FEATURES: dict[str, Any] = {"image_feature_size": WIDTH, "num_attention_heads": 2}
PIXELS: dict[str, Any] = {"image_conv_sizes": [3, 4], "num_attention_heads": 2}
# Together these have every part.
MODELS: dict[str, dict[str, Any]] = {
    "features": FEATURES,
    "pixels": {**PIXELS, "num_cross_modal_layers": 1, "cross_modal_intermediate_size": 7},
    "context": {**FEATURES, "context_layers": ["transformer"], "classifier_hidden_size": 5},
    "no attention": {**PIXELS, "classifier_pooling": ["max", "last"]},
    "general": {**FEATURES, "pooler_score": "general", "pooler_num_heads": 3, "num_labels": 4},
    "characters": {**FEATURES, "num_hidden_layers": 2, "direction_merge": "weighted"},
}


def image_model(**options: Any) -> Any:
    return tiny_model(AttnLSTMForImageTextClassification, **options)


def picture_of(model: Any, rows: int) -> dict[str, Tensor]:
    """Random pictures: pixels, or features of four regions, of which the second picture has two."""
    if model.config.image_conv_sizes:
        return {"pixel_values": torch.randn(rows, 3, SIDE, SIDE)}
    mask = torch.ones(rows, REGIONS, dtype=torch.bool)
    if rows > 1:
        mask[1, [0, 2]] = False
    return {"image_features": torch.randn(rows, REGIONS, WIDTH), "image_mask": mask}


def image_batch(model: Any, kind: str = "right") -> dict[str, Tensor]:
    mask = mask_of(kind)
    return {"input_ids": ids_of(mask), "attention_mask": mask, **picture_of(model, len(mask))}


def row_of(batch: dict[str, Tensor], row: int) -> dict[str, Tensor]:
    """One row without anything that is masked."""
    kept = batch["attention_mask"][row]
    alone = {"input_ids": batch["input_ids"][row, kept][None]}
    if "pixel_values" in batch:
        return alone | {"pixel_values": batch["pixel_values"][row][None]}
    return alone | {"image_features": batch["image_features"][row, batch["image_mask"][row]][None]}

"""Texts with pictures as rows and batches, and the processor that makes and keeps them."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from datasets import Dataset, Image, Value
from transformers import AutoImageProcessor

from data.image_text_helpers import colour_rows, feature_rows, picture, picture_files
from hfattnlstm import AttnLSTMConfig, train_tokenizer
from hfattnlstm.data.batching import GroupedSampler
from hfattnlstm.data.image_text_processor import ImageTextProcessor
from hfattnlstm.data.image_text_rows import IMAGE_ALONE, TEXT_ALONE, ImageTextCollator, encode_image_texts
from hfattnlstm.data.pictures import load_image_texts


pytest.importorskip("PIL")
TEXTS = ["it is red", "it is green", "it is blue", "it is white", "number 0 1"]


def processor_of(images: list[Any] | None, side: int = 6) -> ImageTextProcessor:
    tokenizer = train_tokenizer(TEXTS * 3, kind="word")
    return ImageTextProcessor(tokenizer) if images is None else ImageTextProcessor.fit(tokenizer, images, side=side)


def test_pixels_are_scaled_by_what_the_pictures_are() -> None:
    images = [picture("red"), picture("blue"), picture("white")]
    processor = processor_of(images)
    scaled = processor.scaled(processor.pixels(images))
    assert scaled.shape == (3, 3, 6, 6)
    assert torch.allclose(scaled.mean((0, 2, 3)), torch.zeros(3), atol=1e-5)
    assert torch.allclose(scaled.std((0, 2, 3), correction=0), torch.ones(3), atol=1e-4)
    # As the image processor does it, which users load.
    own = processor.image_processor(images, return_tensors="pt")["pixel_values"]
    assert torch.allclose(scaled, own, atol=1e-5)
    # A channel that is the same everywhere.
    assert processor_of([picture("red")]).image_processor.image_std == [1.0, 1.0, 1.0]


def test_it_is_saved_beside_a_model(tmp_path: Path) -> None:
    processor = processor_of([picture("red"), picture("green")])
    processor.save_pretrained(tmp_path)
    AttnLSTMConfig(image_conv_sizes=[4]).save_pretrained(tmp_path)
    loaded = ImageTextProcessor.from_pretrained(tmp_path, AttnLSTMConfig(image_conv_sizes=[4]))
    batch, other = (each(["it is red"], images=[picture("red")]) for each in (processor, loaded))
    assert list(batch) == ["input_ids", "attention_mask", "pixel_values"] == processor.model_input_names
    assert all(torch.equal(batch[name], other[name]) for name in batch)
    assert [*AutoImageProcessor.from_pretrained(tmp_path).image_mean] == [*processor.image_processor.image_mean]
    of_features = ImageTextProcessor.from_pretrained(tmp_path, AttnLSTMConfig())
    assert of_features.image_processor is None
    assert of_features.model_input_names == ["input_ids", "attention_mask", "image_features", "image_mask"]


@pytest.mark.parametrize(
    ("images", "given", "sentence"),
    [
        (None, {"images": [1]}, "The model reads image_features: give those, and nothing else"),
        (None, {}, "The model reads image_features"),
        (None, {"image_features": []}, "There are 1 texts and 0 pictures: give one for each text"),
        (None, {"image_features": [np.zeros(3)]}, r"Features must be of shape \(regions, width\), .*got \[\(3,\)\]"),
        (["red"], {"image_features": [np.zeros((2, 3))]}, "The model reads images: give those"),
    ],
)
def test_the_wrong_kind_of_picture(images: list[str] | None, given: dict[str, Any], sentence: str) -> None:
    processor = processor_of(None if images is None else [picture(name) for name in images])
    with pytest.raises(ValueError, match=sentence):
        processor(["it is red"], **given)


def test_rows_and_batches_of_pictures() -> None:
    train = load_image_texts(colour_rows(8), validation_size=4)[0].splits["train"]
    processor = processor_of(train["image"][:])
    rows = encode_image_texts(train, processor)
    assert rows.column_names == ["input_ids", "length", "labels", "pixel_values", "batch_group"]
    batch = ImageTextCollator(processor, 6)([rows[0], rows[2]])
    expected = processor(train["text"][:3:2], images=[train[0]["image"], train[2]["image"]])
    assert all(torch.equal(batch[name], expected[name]) for name in expected)
    assert batch["labels"].tolist() == [train[0]["label"], train[2]["label"]]


def test_rows_and_batches_of_features() -> None:
    train = load_image_texts(feature_rows(20))[0].splits["train"]
    processor = processor_of(None)
    rows = encode_image_texts(train, processor)
    batch = ImageTextCollator(processor, 3)([rows[0], rows[1]])
    regions = [len(row["image_features"]) for row in train.select([0, 1])]
    assert batch["image_features"].shape == (2, max(regions), 3)
    assert batch["image_mask"].sum(1).tolist() == regions


def test_what_a_model_is_not_told_is_masked() -> None:
    train = load_image_texts(colour_rows(8), validation_size=4)[0].splits["train"]
    processor = processor_of(train["image"][:])
    rows = [encode_image_texts(train, processor)[0]]
    texts = ImageTextCollator(processor, 6, TEXT_ALONE)(rows)
    assert "pixel_values" not in texts and texts["image_features"].shape == (1, 1, 6) and not texts["image_mask"].any()
    assert texts["attention_mask"].all()
    images = ImageTextCollator(processor, 6, IMAGE_ALONE)(rows)
    assert not images["attention_mask"].any() and images["input_ids"].shape == (1, 1)
    assert images["pixel_values"].shape == (1, 3, 6, 6)


def test_a_broken_picture_is_named_with_its_text() -> None:
    rows = Dataset.from_dict({"image": [{"bytes": b"no picture", "path": "photos/red.png"}]})
    train = rows.cast_column("image", Image()).add_column("text", ["it is red"])
    train = train.add_column("label", [0.5], feature=Value("float32"))
    sentence = r"The picture red.png of the text 'it is red' cannot be read \(.*\): mend it, or leave it out"
    with pytest.raises(ValueError, match=sentence):
        encode_image_texts(train, processor_of([picture("red")]))


def test_rows_of_a_table_are_kept_on_disk(tmp_path: Path) -> None:
    train = load_image_texts({"train": picture_files(tmp_path)}, validation_size=2)[0].splits["train"]
    rows = encode_image_texts(train, processor_of(train["image"][:]))
    assert any("pictures-" in file["filename"] for file in rows.cache_files)


def test_rows_of_a_group_follow_each_other() -> None:
    groups = ["b", "a", "b", "c", "a"]
    sampler = GroupedSampler(groups, seed=3)
    orders = []
    for epoch in range(6):
        sampler.set_epoch(epoch)
        order = list(sampler)
        assert sorted(order) == list(range(5)) and len(sampler) == 5
        shown = [groups[row] for row in order]
        assert sum(one != other for one, other in itertools.pairwise(shown)) == 2
        orders.append(order)
    assert len({tuple(order) for order in orders}) > 1
    sampler.set_epoch(2)
    assert list(sampler) == orders[2]

"""The pipeline of models that describe pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import pipeline

from data.image_text_helpers import picture
from hfattnlstm import (
    AttnLSTMForImageCaptioning,
    AttnLSTMImageToTextPipeline,
    AttnLSTMSeq2SeqConfig,
    ImageTextProcessor,
    train_pair_tokenizer,
)


pytest.importorskip("PIL")


def save_captioner(folder: Path, **options: Any) -> str:
    """An untrained one with its tokenizer and, for pixels, its image processor."""
    tokenizer = train_pair_tokenizer(["it is red", "it is blue"], kind="word", min_frequency=1)
    pixels = "image_feature_size" not in options
    if pixels:
        options = {"image_conv_sizes": [4, 6], **options}
    torch.manual_seed(0)
    config = AttnLSTMSeq2SeqConfig(vocab_size=len(tokenizer), embedding_size=8, hidden_size=12, **options)
    model = AttnLSTMForImageCaptioning(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0, 0.5)
    model.generation_config.update(max_length=7, num_beams=2, suppress_tokens=[1])
    model.save_pretrained(folder)
    processor = (
        ImageTextProcessor.fit(tokenizer, [picture("red"), picture("blue")], side=8)
        if pixels
        else ImageTextProcessor(tokenizer)
    )
    processor.save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_captioner(tmp_path_factory.mktemp("captioner") / "model")


@pytest.fixture(scope="module")
def writer(folder: str) -> Any:
    return pipeline("attention-image-to-text", model=folder)


def test_it_writes_what_generate_writes_and_shows_where_it_looked(writer):
    inputs = writer.image_processor([picture("red")], return_tensors="pt")
    ids = writer.model.generate(pixel_values=inputs["pixel_values"])
    result = writer(picture("red"))
    assert result["generated_text"] == writer.tokenizer.decode(ids[0], skip_special_tokens=True)
    assert result["attention"] and result["score"] < 0
    for word in result["attention"]:
        assert result["generated_text"][word["start"] : word["end"]] == word["text"]
        assert np.shape(word["regions"]) == (2, 2)
        assert np.sum(word["regions"]) == pytest.approx(1, abs=1e-5)


def test_one_many_a_file_and_a_stream(writer, tmp_path):
    picture("blue").save(tmp_path / "blue.png")
    results = writer([picture("red"), str(tmp_path / "blue.png")], batch_size=1)
    assert results[0] == writer(picture("red")) and results[1] == writer(str(tmp_path / "blue.png"))
    assert list(writer(iter([picture("red")]))) == results[:1]
    assert writer(picture("red"), num_beams=1, max_new_tokens=1, level="token")["generated_text"] is not None


def test_features_of_different_numbers_of_regions(tmp_path):
    writer = pipeline("attention-image-to-text", model=save_captioner(tmp_path / "model", image_feature_size=3))
    features = [np.random.default_rng(0).normal(size=(rows, 3)) for rows in (2, 5)]
    results = writer(features)
    for own, result in zip(features, results):
        alone = writer({"image_features": own})
        assert alone["generated_text"] == result["generated_text"]
        assert {len(word["regions"]) for word in result["attention"]} <= {len(own)}
    assert writer(features[0])["generated_text"] == results[0]["generated_text"]
    with pytest.raises(ValueError, match="number 1 must be 3 numbers for each region"):
        writer([features[0], np.zeros((2, 4))])


@pytest.mark.parametrize(
    ("given", "options", "sentence"),
    [
        ("nowhere.png", {}, "The picture of number 0 is nowhere.png, where there is no file"),
        ("scene", {"beams": 2}, "no parameter 'beams'"),
        ("scene", {"level": "line"}, "level must be one of word, token"),
    ],
)
def test_what_cannot_be_is_refused(writer, given, options, sentence):
    with pytest.raises(ValueError, match=sentence):
        writer(given, **options)


def test_another_model_is_refused(writer):
    with pytest.raises(ValueError, match="writes no captions"):
        AttnLSTMImageToTextPipeline(writer.model.encoder, writer.tokenizer)

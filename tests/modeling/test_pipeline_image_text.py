"""The pipeline of texts with pictures: labels, where each word looks, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from image_text_helpers import PIXELS
from modeling_helpers import tiny_model
from transformers import pipeline

from data.image_text_helpers import picture
from hfattnlstm import (
    AttnLSTMForImageTextClassification,
    AttnLSTMForSequenceClassification,
    AttnLSTMImageTextClassificationPipeline,
    ImageTextProcessor,
    train_tokenizer,
)


pytest.importorskip("PIL")
TASK = "attention-image-text-classification"
TEXTS = ["it is red", "nothing is blue here", "it is it", "unheard"]


def tokenizer_of() -> Any:
    return train_tokenizer(TEXTS[:3] * 3, kind="word")


def saved(folder: Path, **options: Any) -> Path:
    tokenizer = tokenizer_of()
    fields = {"vocab_size": len(tokenizer), **PIXELS, **options}
    fields = {name: value for name, value in fields.items() if value is not None}
    model = tiny_model(AttnLSTMForImageTextClassification, **fields)
    model.save_pretrained(folder)
    if model.config.image_conv_sizes:
        processor = ImageTextProcessor.fit(tokenizer, [picture("red"), picture("blue")], side=8)
    else:
        processor = ImageTextProcessor(tokenizer)
    processor.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Any:
    torch.manual_seed(0)
    return pipeline(TASK, model=str(saved(tmp_path_factory.mktemp("pixels"))))


def rows(count: int = 5) -> list[dict[str, Any]]:
    colours = ["red", "green", "blue", "white"]
    return [{"image": picture(colours[n % 4], 10 + n, 20 - n), "text": TEXTS[n % 4]} for n in range(count)]


def test_labels_and_attention_are_those_of_the_model(classifier: Any) -> None:
    assert type(classifier) is AttnLSTMImageTextClassificationPipeline
    model = classifier.model
    processor = ImageTextProcessor(classifier.tokenizer, classifier.image_processor)
    for row, result in zip(rows(), classifier(rows(), batch_size=2), strict=True):
        batch = processor([row["text"]], images=[row["image"]])
        with torch.no_grad():
            outputs = model(**batch, output_attentions=True)
        scores = outputs.logits.softmax(-1)[0]
        assert result["label"] == model.config.id2label[int(scores.argmax())]
        assert result["score"] == pytest.approx(float(scores.max()), abs=1e-6)
        assert [word["text"] for word in result["attention"]] == row["text"].split()
        weights = outputs.attentions[-1][0, 0, 0]
        assert [word["weight"] for word in result["attention"]] == pytest.approx(weights.tolist(), abs=1e-6)
        looks = torch.stack(outputs.cross_attentions).mean((0, 2))[0].view(-1, 2, 2)
        for word, look in zip(result["attention"], looks):
            assert np.allclose(word["regions"], look, atol=1e-6) and np.sum(word["regions"]) == pytest.approx(1)


def test_one_many_and_a_stream(classifier: Any, tmp_path: Path) -> None:
    many = classifier(rows(3))
    assert classifier(rows(1)[0])["score"] == pytest.approx(many[0]["score"])
    stream = classifier(row for row in rows(3))
    assert not isinstance(stream, list) and [each["label"] for each in stream] == [each["label"] for each in many]
    picture("red", 10, 20).save(tmp_path / "red.png")
    for name in (tmp_path / "red.png", str(tmp_path / "red.png")):
        alone = classifier({"image": name, "text": TEXTS[0]})
        assert alone["score"] == pytest.approx(many[0]["score"]) and alone["label"] == many[0]["label"]
    assert classifier([]) == []


def test_parameters(classifier: Any) -> None:
    row = rows(1)[0]
    both = classifier(row, top_k=2)["labels"]
    assert both[0]["label"] == classifier(row)["label"] and len(both) == 2
    one, other = (classifier(row, layer=layer)["attention"][0]["regions"] for layer in (0, -1))
    assert not np.allclose(one, other)
    assert np.allclose(classifier(row)["attention"][0]["regions"], (np.array(one) + other) / 2)


def test_pieces_of_a_word_are_one_entry(tmp_path: Path) -> None:
    tokenizer = train_tokenizer(TEXTS * 3, kind="char")
    model = tiny_model(AttnLSTMForImageTextClassification, vocab_size=len(tokenizer), image_feature_size=3)
    found = pipeline(TASK, model=model, tokenizer=tokenizer)({"image_features": np.ones((5, 3)), "text": "it is"})
    words = found["attention"]
    assert [word["text"] for word in words] == ["it", "is"] and np.shape(words[0]["regions"]) == (5,)
    assert sum(word["weight"] for word in words) == pytest.approx(1)
    assert np.sum(words[1]["regions"]) == pytest.approx(1)


@pytest.mark.parametrize(
    ("options", "keys"),
    [
        ({"problem_type": "multi_label_classification", "num_labels": 3}, {"labels", "attention"}),
        ({"problem_type": "regression", "num_labels": 1}, {"label", "score", "attention"}),
        ({"classifier_pooling": "max"}, {"label", "score", "attention"}),
    ],
)
def test_other_problems_and_poolings(options: dict[str, Any], keys: set[str], tmp_path: Path) -> None:
    found = pipeline(TASK, model=str(saved(tmp_path, **options)))(rows(1)[0])
    assert set(found) == keys
    assert ("weight" in found["attention"][0]) == ("classifier_pooling" not in options)
    if "labels" in keys:
        assert all(each["score"] > 0.5 for each in found["labels"])


def test_two_texts_with_a_picture(tmp_path: Path) -> None:
    found = pipeline(TASK, model=str(saved(tmp_path, text_columns=["one", "two"], image_conv_sizes=[4])))
    tokenizer = found.tokenizer
    if tokenizer.sep_token is None:
        pytest.skip("a tokenizer of single texts")
    result = found({"image": picture("red"), "one": "it is red", "two": "nothing is blue"})
    assert [word["text_index"] for word in result["attention"]] == [0] * 3 + [1] * 3


@pytest.mark.parametrize(
    ("given", "options", "sentence"),
    [
        ("it is red", {}, r"takes {\"image\": …, \"text\": …}, or several of them, got str"),
        ({"text": "a"}, {}, r"Number 0 is 'text': give {\"image\": …, \"text\": …}"),
        ([{"image": "no.png", "text": "a"}], {}, "The picture of number 0 is no.png, where there is no file: mend"),
        ({"image": 3, "text": "a"}, {}, "The picture of number 0 cannot be read"),
        ({"image": "x"}, {}, "Number 0 has no text: give"),
        (rows(1), {"top": 1}, "has no parameter 'top': it takes top_k, layer and batch_size"),
        (rows(1), {"layer": 2}, "layer must be between -2 and 1, got 2"),
        (rows(1), {"top_k": 0}, "top_k must be a whole number of at least 1, or None, got 0"),
    ],
)
def test_what_cannot_be_is_refused(classifier: Any, given: Any, options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        classifier(given, **options)


def test_what_does_not_belong_together(tmp_path: Path) -> None:
    tokenizer = tokenizer_of()
    model = tiny_model(AttnLSTMForImageTextClassification, vocab_size=len(tokenizer), **PIXELS)
    with pytest.raises(ValueError, match="reads pictures, and has no image processor beside it: give image_proc"):
        pipeline(TASK, model=model, tokenizer=tokenizer)
    small = tiny_model(AttnLSTMForImageTextClassification, vocab_size=3, image_feature_size=3)
    with pytest.raises(ValueError, match="but the model's embedding has 3 rows"):
        pipeline(TASK, model=small, tokenizer=tokenizer)
    other = tiny_model(AttnLSTMForSequenceClassification, vocab_size=len(tokenizer))
    with pytest.raises(ValueError, match="AttnLSTMForSequenceClassification, which reads no pictures: name one that"):
        AttnLSTMImageTextClassificationPipeline(model=other, tokenizer=tokenizer)


def test_it_is_saved_with_the_model(classifier: Any, tmp_path: Path) -> None:
    classifier.save_pretrained(tmp_path)
    again = pipeline(TASK, model=str(tmp_path))
    assert again(rows(2)) == classifier(rows(2))


@pytest.mark.parametrize("given", [np.ones((2, 4)), np.ones(3), [[1.0, 2.0, 3.0], [1.0]], "x", [[np.nan] * 3]])
def test_features_of_another_shape_are_named_by_their_position(given: Any) -> None:
    tokenizer = tokenizer_of()
    model = tiny_model(AttnLSTMForImageTextClassification, vocab_size=len(tokenizer), image_feature_size=3)
    found = pipeline(TASK, model=model, tokenizer=tokenizer)
    rows_given = [{"image_features": np.ones((2, 3)), "text": "it"}, {"image_features": given, "text": "it"}]
    with pytest.raises(ValueError, match="The image_features of number 1 must be 3 numbers for each region"):
        found(rows_given)
    # A picture without any region is none.
    assert found({"image_features": np.ones((0, 3)), "text": "it"})["label"] in model.config.label2id


def test_a_broken_model_is_told() -> None:
    tokenizer = tokenizer_of()
    model = tiny_model(AttnLSTMForImageTextClassification, vocab_size=len(tokenizer), image_feature_size=3)
    torch.nn.init.constant_(model.classifier.out_proj.bias, torch.nan)
    row = {"image_features": np.ones((2, 3)), "text": "it"}
    with pytest.raises(ValueError, match="computes NaN or infinity for number 0: load its weights again"):
        pipeline(TASK, model=model, tokenizer=tokenizer)([row])

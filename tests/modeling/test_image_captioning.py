"""A model that describes pictures: regions, outputs, generation, checkpoints."""

from __future__ import annotations

import pytest
import torch
from modeling_helpers import assert_near
from transformers import AutoModelForImageTextToText
from writer_helpers import NO_DROPOUT, START

from hfattnlstm import AttnLSTMForImageCaptioning, AttnLSTMSeq2SeqConfig
from loopback_hub import run_python
from shipped_files import SHIPPED


WIDTH = 5
MODELS = {
    "pixels": {"image_conv_sizes": [4, 6]},
    "features": {"image_feature_size": WIDTH},
    "coverage, 2 layers": {"image_conv_sizes": [4, 6], "coverage": True, "num_decoder_layers": 2},
}
every_model = pytest.mark.parametrize("name", MODELS)


def new_captioner(name: str, **options) -> AttnLSTMForImageCaptioning:
    torch.manual_seed(0)
    sizes = {"vocab_size": 20, "embedding_size": 8, "hidden_size": 12, **NO_DROPOUT}
    return AttnLSTMForImageCaptioning(AttnLSTMSeq2SeqConfig(**{**sizes, **MODELS[name], **options})).train()


def captioner(name: str, **options) -> AttnLSTMForImageCaptioning:
    model = new_captioner(name, **options)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0, 0.5)
        model.decoder_embeddings.word_embeddings.weight[0] = 0
    return model.eval()


def inputs_of(model, rows: int = 3) -> dict:
    torch.manual_seed(2)
    if model.config.image_conv_sizes:
        return {"pixel_values": torch.randn(rows, 3, 8, 12)}
    mask = torch.ones(rows, 6, dtype=torch.bool)
    mask[1, 4:], mask[2, :3] = False, False
    return {"image_features": torch.randn(rows, 6, WIDTH), "image_mask": mask}


LABELS = torch.tensor([[7, 8, 9, 3], [10, 3, -100, -100], [11, 12, 3, -100]])


@every_model
def test_outputs(name):
    model = captioner(name)
    inputs = inputs_of(model)
    plain = model(**inputs, labels=LABELS)
    asked = model(**inputs, labels=LABELS, output_attentions=True, output_hidden_states=True)
    assert [*plain] == ["loss", "logits"] and plain.logits.equal(asked.logits)
    (weights,) = asked.cross_attentions
    assert weights.shape == (3, 1, 4, 6)
    assert_near(weights.sum(-1), torch.ones(3, 1, 4))
    if "image_mask" in inputs:
        assert not weights.transpose(1, 3)[~inputs["image_mask"]].any()


def test_regions_under_the_mask_change_nothing():
    model = captioner("features")
    inputs = inputs_of(model)
    expected = model(**inputs, labels=LABELS).logits
    changed = inputs["image_features"].clone()
    changed[~inputs["image_mask"]] = float("nan")
    assert_near(model(image_features=changed, image_mask=inputs["image_mask"], labels=LABELS).logits, expected)
    for row, mask in enumerate(inputs["image_mask"]):
        alone = model(image_features=inputs["image_features"][row : row + 1, mask], labels=LABELS[row : row + 1])
        assert_near(alone.logits[0], expected[row], 1e-5)


def test_a_picture_that_is_left_out_has_no_attention():
    model = captioner("features")
    inputs = inputs_of(model)
    inputs["image_mask"] = torch.tensor([[1], [0], [1]])
    outputs = model(**inputs, labels=LABELS, output_attentions=True)
    assert outputs.logits.isfinite().all() and not outputs.cross_attentions[0][1].any()
    empty = model(image_features=torch.zeros(3, 0, WIDTH), labels=LABELS)
    assert empty.logits.isfinite().all()


@every_model
def test_every_parameter_learns_and_a_batch_is_overfitted(name):
    model = new_captioner(name, embedding_size=16)
    inputs = inputs_of(model)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for step in range(80):
        optimizer.zero_grad()
        model(**inputs, labels=LABELS).loss.backward()
        if step == 1:
            assert not [key for key, parameter in model.named_parameters() if not parameter.grad.any()]
        optimizer.step()
    assert model.eval()(**inputs, labels=LABELS).loss < 0.1
    written = model.generate(**inputs, num_beams=3, max_new_tokens=5)
    for row, labels in zip(written.tolist(), LABELS.tolist()):
        right = [START, *(token for token in labels if token > 0)]
        assert row[: len(right)] == right


@pytest.mark.parametrize("options", [{}, {"num_beams": 3}, {"do_sample": True}], ids=str)
@every_model
def test_with_and_without_the_state(name, options):
    model = captioner(name)
    found = []
    for cached in (True, False):
        torch.manual_seed(4)
        found.append(model.generate(**inputs_of(model), **options, use_cache=cached, max_new_tokens=6))
    assert found[0].equal(found[1]) and len(found[0]) == 3


@every_model
def test_what_the_encoder_has_read_can_be_given(name):
    model = captioner(name)
    inputs = inputs_of(model)
    states = model.encoder(**inputs)
    assert_near(model(encoder_outputs=states, labels=LABELS).logits, model(**inputs, labels=LABELS).logits)


@every_model
def test_save_and_load(name, tmp_path):
    model = captioner(name)
    model.save_pretrained(tmp_path)
    loaded, report = AutoModelForImageTextToText.from_pretrained(tmp_path, output_loading_info=True)
    assert type(loaded) is AttnLSTMForImageCaptioning and not report["missing_keys"]
    inputs = inputs_of(model)
    assert_near(loaded(**inputs, labels=LABELS).logits, model(**inputs, labels=LABELS).logits, 1e-5)
    assert {path.stem for path in tmp_path.glob("*.py")} == SHIPPED["AttnLSTMForImageCaptioning"]


def test_it_writes_where_the_package_cannot_be_imported(tmp_path):
    model = captioner("pixels")
    model.save_pretrained(tmp_path / "model")
    torch.save(inputs_of(model)["pixel_values"], tmp_path / "pixels.pt")
    expected = model.generate(**inputs_of(model), num_beams=2, max_new_tokens=5).tolist()
    code = f"""
import sys
sys.modules["hfattnlstm"] = None
import torch
from transformers import AutoModelForImageTextToText
model = AutoModelForImageTextToText.from_pretrained("model", trust_remote_code=True)
pixels = torch.load("pixels.pt", weights_only=True)
assert model.generate(pixel_values=pixels, num_beams=2, max_new_tokens=5).tolist() == {expected}
"""
    run_python(code, {"HF_MODULES_CACHE": str(tmp_path / "code"), "HF_HUB_OFFLINE": "1"}, tmp_path)


@pytest.mark.parametrize("size", [15, 24])
def test_the_vocabulary_can_grow_and_shrink(size):
    model = captioner("pixels")
    before = model(**inputs_of(model), labels=LABELS).logits
    model.resize_token_embeddings(size)
    after = model(**inputs_of(model), labels=LABELS).logits
    assert after.shape[-1] == size == model.config.vocab_size
    assert_near(after[..., : min(size, 20)], before[..., : min(size, 20)])
    assert model.lm_head.weight is model.get_input_embeddings().weight


@pytest.mark.parametrize(
    ("inputs", "sentence"),
    [
        ({}, "exactly one of image_features and pixel_values"),
        ({"image_features": torch.zeros(3, 4, 9)}, "image_features must be of shape"),
        ({"pixel_values": torch.zeros(3, 1, 8, 8)}, "pixel_values must be of shape"),
    ],
)
def test_pictures_that_cannot_be_read(inputs, sentence):
    with pytest.raises(ValueError, match=sentence):
        captioner("pixels")(**inputs, labels=LABELS)
    with pytest.raises(ValueError, match="reads image_features, not pixel_values"):
        captioner("features")(pixel_values=torch.zeros(3, 3, 8, 8), labels=LABELS)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"num_hidden_layers": 2}, "num_hidden_layers has no effect in a model that reads pictures"),
        ({"decoder_vocab_size": 9}, "decoder_vocab_size has no effect"),
        ({"image_conv_sizes": []}, "image_conv_sizes must be 1 to 8 numbers"),
    ],
)
def test_fields_that_have_no_effect(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        new_captioner("pixels", **options)

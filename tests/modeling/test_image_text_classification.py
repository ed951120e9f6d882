"""Classifiers of texts with pictures: on masks, outputs, losses, checkpoints and refusals."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
import torch
from image_text_helpers import FEATURES, MODELS, PIXELS, REGIONS, WIDTH, image_batch, image_model, picture_of, row_of
from modeling_helpers import NO_DROPOUT, assert_near, ids_of, mask_of, tiny_config, tiny_model
from transformers import AutoModel, AutoModelForVisualQuestionAnswering

from hfattnlstm import AttnLSTMConfig, AttnLSTMForImageTextClassification, AttnLSTMModel
from hfattnlstm.modeling.losses import classification_loss
from hfattnlstm.modeling.multi_head_attention import MultiHeadAttention
from hfattnlstm.modeling.pooling import attention_penalty


every_model = pytest.mark.parametrize("name", MODELS)
every_mask = pytest.mark.parametrize("kind", ["right", "left", "holes", "empty"])
FULL_OUTPUTS = ("attentions", "cross_attentions", "image_cross_attentions", "image_attentions")


class TestMasks:
    """What is masked must not be there, neither a word nor a region."""

    @every_mask
    @every_model
    def test_every_row_gives_what_it_gives_alone(self, name, kind):
        model = image_model(**MODELS[name]).double()
        batch = {
            key: each.double() if each.is_floating_point() else each for key, each in image_batch(model, kind).items()
        }
        with torch.no_grad():
            together = model(**batch, output_attentions=True)
            for row, kept in enumerate(batch["attention_mask"]):
                alone = model(**row_of(batch, row), output_attentions=True)
                assert_near(together.logits[row], alone.logits[0], 1e-9)
                regions = batch["image_mask"][row] if "image_mask" in batch else slice(None)
                for mine, theirs in zip(together.cross_attentions, alone.cross_attentions, strict=True):
                    if kept.any():
                        assert_near(mine[row][:, kept][:, :, regions], theirs[0], 1e-9)

    @every_mask
    @every_model
    def test_what_stands_under_a_mask_and_more_of_it_change_nothing(self, name, kind):
        model = image_model(**MODELS[name])
        batch = image_batch(model, kind)
        with torch.no_grad():
            expected = model(**batch).logits
            ids, mask = batch["input_ids"], batch["attention_mask"]
            others = batch | {"input_ids": ids.where(mask, (ids + 7) % 30)}
            if "image_mask" in batch:
                noise = torch.full_like(batch["image_features"], torch.nan)
                others["image_features"] = batch["image_features"].where(batch["image_mask"][..., None], noise)
            assert model(**others).logits.equal(expected)
            rows = len(ids)
            more = batch | {
                "input_ids": torch.cat([ids, torch.zeros(rows, 2, dtype=torch.long)], 1),
                "attention_mask": torch.cat([mask, torch.zeros(rows, 2, dtype=torch.bool)], 1),
            }
            if "image_mask" in batch:
                more["image_features"] = torch.cat([batch["image_features"], torch.randn(rows, 3, WIDTH)], 1)
                more["image_mask"] = torch.cat([batch["image_mask"], torch.zeros(rows, 3, dtype=torch.bool)], 1)
            assert_near(model(**more).logits, expected, 1e-5)

    @pytest.mark.parametrize("dtype", [torch.bool, torch.int32, torch.int64, torch.float32, torch.bfloat16])
    def test_masks_of_every_type(self, dtype):
        model = image_model(**FEATURES)
        batch = image_batch(model, "holes")
        typed = batch | {name: batch[name].to(dtype) for name in ("attention_mask", "image_mask")}
        assert model(**typed).logits.equal(model(**batch).logits)

    @every_model
    def test_no_mask_is_a_mask_of_ones(self, name):
        model = image_model(**MODELS[name])
        batch = image_batch(model, "full")
        batch.pop("image_mask", None)
        regions = REGIONS
        masked = batch | {"image_mask": torch.ones(len(batch["input_ids"]), regions)}
        del batch["attention_mask"]
        assert_near(model(**batch).logits, model(**masked).logits, 1e-6)

    @every_model
    def test_a_picture_that_is_left_out_has_no_part(self, name):
        model = image_model(**MODELS[name])
        batch = image_batch(model, "right") | {"image_mask": torch.tensor([[1], [0], [0], [1]])}
        outputs = model(**batch, output_attentions=True)
        others = batch | {key: each.flip(0) for key, each in picture_of(model, 4).items() if key != "image_mask"}
        assert_near(model(**others).logits[1:3], outputs.logits[1:3])
        assert not any(weights[1:3].any() for weights in outputs.cross_attentions)

    @every_model
    def test_neither_a_text_nor_a_picture_is_harmless(self, name):
        model = image_model(**MODELS[name]).train()
        batch = image_batch(model, "empty") | {"image_mask": torch.tensor([[1], [0], [1], [0]])}
        outputs = model(**batch, labels=torch.tensor([0, 1, 1, 0]), output_attentions=True)
        assert outputs.logits.isfinite().all()
        for field in ("attentions", "image_cross_attentions"):
            assert not any(weights[1].any() for weights in outputs[field])
        outputs.loss.backward()
        assert all(each.grad is None or each.grad.isfinite().all() for each in model.parameters())

    @pytest.mark.parametrize(("rows", "length"), [(2, 0), (0, 4), (0, 0)])
    @every_model
    def test_batches_without_rows_or_without_columns(self, name, rows, length):
        model = image_model(**MODELS[name])
        logits = model(torch.zeros(rows, length, dtype=torch.long), **picture_of(model, rows)).logits
        assert logits.shape == (rows, model.config.num_labels) and logits.isfinite().all()


class TestOutputs:
    """What comes back, and on whose request."""

    @every_model
    def test_attention_sums_to_one_and_is_zero_on_padding(self, name):
        model = image_model(**MODELS[name])
        batch = image_batch(model, "holes")
        outputs = model(**batch, output_attentions=True)
        words = batch["attention_mask"]
        regions = batch.get("image_mask", torch.ones(len(words), REGIONS, dtype=torch.bool))
        config = model.config
        sides = {"attentions": (words, words), "cross_attentions": (words, regions)}
        sides |= {"image_cross_attentions": (regions, words), "image_attentions": (regions, regions)}
        pooled = "attention" in config.poolings
        for field, (asking, asked) in sides.items():
            layers = list(outputs[field])
            of_backbone = len(config.context_layers or ()) if field == "attentions" else 0
            pools = pooled and field in ("attentions", "image_attentions")
            assert len(layers) == config.num_cross_modal_layers + of_backbone + pools
            if pools:
                last = layers.pop()
                assert last.shape == (len(words), config.pooler_num_heads, 1, asked.shape[1])
                assert_near(last.sum(-1), torch.ones(last.shape[:-1]))
            for weights in layers:
                assert weights.shape == (len(words), 2, asking.shape[1], asked.shape[1])
                assert not weights.masked_select(~asked[:, None, None]).any()
                assert_near(weights.sum(-1), asking[:, None].expand(-1, 2, -1).float())

    @every_model
    def test_asking_for_attention_changes_no_logit(self, name):
        model = image_model(**MODELS[name])
        batch = image_batch(model)
        assert list(model(**batch)) == ["logits"]
        assert list(model(**batch, labels=torch.zeros(4, dtype=torch.long))) == ["loss", "logits"]
        assert model(**batch, output_attentions=True).logits.equal(model(**batch).logits)

    @pytest.mark.parametrize("field", ["hidden_states", "attentions"])
    def test_the_argument_wins_over_the_configuration(self, field):
        talkative = image_model(**FEATURES, **{f"output_{field}": True})
        batch = image_batch(talkative)
        assert field in talkative(**batch)
        assert field not in talkative(**batch, **{f"output_{field}": False})
        assert ("cross_attentions" in talkative(**batch)) == (field == "attentions")

    def test_hidden_states_are_those_of_the_backbone(self):
        model = image_model(**MODELS["characters"])
        batch = image_batch(model)
        outputs = model(**batch, output_hidden_states=True)
        assert [each.shape[-1] for each in outputs.hidden_states] == [8, 12, 12]

    def test_tuples_hold_what_dicts_hold(self):
        model = image_model(**FEATURES)
        batch = image_batch(model)
        outputs = model(**batch, return_dict=False, output_attentions=True)
        expected = model(**batch, output_attentions=True)
        assert isinstance(outputs, tuple) and outputs[0].equal(expected.logits)
        assert outputs[2][0].equal(expected.cross_attentions[0])
        assert isinstance(image_model(**FEATURES, return_dict=False)(**batch), tuple)

    def test_embeddings_in_the_place_of_ids(self):
        model = image_model(**FEATURES)
        batch = image_batch(model, "holes")
        embedded = model.embed(batch["input_ids"], batch["attention_mask"])
        given = {key: each for key, each in batch.items() if key != "input_ids"}
        assert_near(model(inputs_embeds=embedded, **given).logits, model(**batch).logits)

    @pytest.mark.parametrize("implementation", ["eager", "sdpa"])
    def test_every_implementation_of_attention_gives_the_same(self, implementation):
        model = image_model(**MODELS["context"])
        batch = image_batch(model, "holes")
        expected = model(**batch, output_attentions=True)
        model.set_attn_implementation(implementation)
        found = model(**batch, output_attentions=True)
        assert_near(found.logits, expected.logits, 1e-5)
        for field in FULL_OUTPUTS:
            for mine, theirs in zip(found[field], expected[field], strict=True):
                assert_near(mine, theirs, 1e-5)

    def test_features_of_the_encoder_stand_for_pixels(self):
        model = image_model(**PIXELS)
        batch = image_batch(model)
        pixels = batch.pop("pixel_values")
        regions = model.picture_reader.region_encoder(pixels)
        assert regions.shape == (4, REGIONS, model.config.region_size)
        assert model(**batch, image_features=regions).logits.equal(model(**batch, pixel_values=pixels).logits)


class TestTraining:
    """Losses, gradients and what is learnt."""

    @pytest.mark.parametrize(
        "problem_type", ["single_label_classification", "multi_label_classification", "regression"]
    )
    def test_the_loss_is_that_of_the_problem_type_with_the_penalties(self, problem_type):
        weights = {} if problem_type == "regression" else {"class_weights": [1.0, 2.0, 0.5], "label_smoothing": 0.1}
        options = {"problem_type": problem_type, "num_labels": 3, "pooler_l2_coef": 0.1, **weights}
        model = image_model(**FEATURES, **options)
        labels = torch.tensor([0, 2, 1, 1]) if problem_type.startswith("single") else torch.rand(4, 3)
        outputs = model(**image_batch(model), labels=labels, output_attentions=True)
        expected = classification_loss(outputs.logits, labels, problem_type, *weights.values())
        assert_near(outputs.loss, expected + attention_penalty(outputs.attentions[-1], l2=0.1))

    @every_model
    def test_every_parameter_has_a_gradient(self, name):
        model = image_model(**MODELS[name])
        model(**image_batch(model, "full"), labels=torch.tensor([0, 1, 1])).loss.backward()
        unused = [key for key, each in model.named_parameters() if each.grad is None or not each.grad.any()]
        # The softmax does not see what is added to all keys.
        assert not [key for key in unused if not key.endswith("key.bias")]

    @pytest.mark.parametrize("name", ["features", "pixels"])
    def test_what_neither_side_tells_is_learnt(self, name):
        torch.manual_seed(0)
        model = AttnLSTMForImageTextClassification(tiny_config(**MODELS[name] | NO_DROPOUT)).train()
        pictures = {key: each.repeat(2, *[1] * (each.dim() - 1)) for key, each in picture_of(model, 2).items()}
        batch = {"input_ids": torch.tensor([[5, 6], [5, 6], [5, 7], [5, 7]]), **pictures}
        labels = torch.tensor([0, 1, 1, 0])
        optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
        for _ in range(60):
            optimizer.zero_grad()
            model(**batch, labels=labels).loss.backward()
            optimizer.step()
        assert model(**batch, labels=labels).loss.item() < 0.1

    @pytest.mark.parametrize("reentrant", [False, True])
    def test_activation_checkpointing_gives_the_plain_gradients(self, reentrant):
        gradients = []
        for checkpointing in (False, True):
            model = image_model(**MODELS["pixels"]).train()
            if checkpointing:
                model.activation_checkpointing_enable({"use_reentrant": reentrant})
                model.enable_input_require_grads()
            torch.manual_seed(1)
            model(**image_batch(model), labels=torch.tensor([0, 1, 1, 0])).loss.backward()
            gradients.append([each.grad for each in model.parameters()])
        for plain, checkpointed in zip(*gradients):
            assert_near(checkpointed, plain, 1e-6)

    @pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
    @pytest.mark.parametrize("name", ["features", "pixels"])
    def test_half_precision(self, name, dtype):
        model = image_model(**MODELS[name]).to(dtype).train()
        batch = image_batch(model)
        loss = model(**batch, labels=torch.tensor([0, 1, 1, 0])).loss
        loss.backward()
        assert loss.dtype == torch.float32 and loss.isfinite()
        with torch.autocast("cpu", torch.bfloat16):
            assert image_model(**MODELS[name])(**batch).logits.isfinite().all()


class TestCheckpoints:
    """Saved, copied, and loaded from and into a backbone."""

    @every_model
    def test_save_and_load(self, name, tmp_path):
        model = image_model(**MODELS[name])
        batch = image_batch(model)
        model.save_pretrained(tmp_path)
        for loader in (AttnLSTMForImageTextClassification, AutoModelForVisualQuestionAnswering):
            loaded = loader.from_pretrained(tmp_path)
            assert type(loaded) is AttnLSTMForImageTextClassification
            assert loaded(**batch).logits.equal(model(**batch).logits)
        for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
            assert other(**batch).logits.equal(model(**batch).logits)

    def test_a_backbone_and_a_head_load_into_each_other(self, tmp_path):
        model = image_model(**FEATURES)
        model.save_pretrained(tmp_path / "head")
        backbone = AutoModel.from_pretrained(tmp_path / "head", add_pooling_layer=False)
        mask = mask_of("right")
        ids = ids_of(mask)
        assert backbone(ids, mask).last_hidden_state.equal(model.attnlstm(ids, mask).last_hidden_state)
        tiny_model(AttnLSTMModel, **FEATURES).save_pretrained(tmp_path / "backbone")
        loaded = AttnLSTMForImageTextClassification.from_pretrained(tmp_path / "backbone")
        assert loaded.attnlstm(ids, mask).last_hidden_state.isfinite().all()
        assert all(each.isfinite().all() for each in loaded.parameters())
        with pytest.raises(ValueError, match="which have started at random"):
            loaded.check_trained()

    def test_new_tokens_and_a_default_configuration(self):
        model = image_model(**FEATURES)
        batch = image_batch(model)
        expected = model(**batch).logits
        model.resize_token_embeddings(40)
        assert_near(model(**batch).logits, expected)
        default = AttnLSTMForImageTextClassification(AttnLSTMConfig()).eval()
        assert default(**default.dummy_inputs).logits.shape == (3, 2)


REFUSALS: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    (FEATURES, {}, "Give exactly one of image_features and pixel_values; an image_mask of 0 leaves a picture out"),
    (
        PIXELS,
        {"image_features": torch.zeros(3, 4, 6), "pixel_values": torch.zeros(3, 3, 8, 8)},
        "Give exactly one of image_features and pixel_values",
    ),
    (
        FEATURES,
        {"pixel_values": torch.zeros(3, 3, 8, 8)},
        "reads image_features, not pixel_values: give those, or set",
    ),
    (
        FEATURES,
        {"image_features": torch.zeros(3, 4, 6)},
        r"of shape \(batch, regions, 5\), got \(3, 4, 6\)",
    ),
    (FEATURES, {"image_features": torch.zeros(2, 4, 5)}, "There are 3 texts and 2 pictures"),
    (FEATURES, {"image_features": torch.zeros(3, 5)}, r"of shape \(batch, regions, 5\), got \(3, 5\)"),
    (PIXELS, {"pixel_values": torch.zeros(3, 1, 8, 8)}, r"of shape \(batch, 3, height, width\), got \(3, 1, 8, 8\)"),
    (
        FEATURES,
        {"image_features": torch.zeros(3, 4, 5), "image_mask": torch.ones(3, 3)},
        r"image_mask must be of shape \(3, 4\), or \(3, 1\) for whole pictures, got \(3, 3\)",
    ),
    (
        FEATURES,
        {"image_features": torch.zeros(3, 4, 5), "image_mask": torch.full((3, 4), -1e4)},
        "image_mask must hold 1 for what is real and 0 for padding",
    ),
]


@pytest.mark.parametrize(("options", "given", "sentence"), REFUSALS)
def test_what_cannot_be_gets_a_sentence(options, given, sentence):
    with pytest.raises(ValueError, match=sentence):
        image_model(**options)(torch.ones(3, 2, dtype=torch.long), **given)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"image_conv_sizes": []}, "image_conv_sizes must be 1 to 8 numbers from 1 to 65,536"),
        ({"image_conv_sizes": [8, 0]}, "image_conv_sizes must be 1 to 8 numbers"),
        (
            {"image_conv_sizes": [8], "image_feature_size": 5},
            "follows from image_conv_sizes: leave one of the two out",
        ),
        ({"num_image_channels": 1}, "num_image_channels has no effect without image_conv_sizes"),
        ({"num_cross_modal_layers": 0}, "num_cross_modal_layers must be between 1 and 256, got 0"),
        ({"image_feature_size": 0}, "image_feature_size must be between 1 and 65,536"),
    ],
)
def test_a_configuration_that_cannot_be(fields, sentence):
    with pytest.raises(ValueError, match=sentence):
        AttnLSTMConfig(**fields)


def test_heads_that_do_not_share_the_width_out():
    with pytest.raises(ValueError, match="hidden_size=12 must be a multiple of num_attention_heads=5"):
        image_model(image_feature_size=5, num_attention_heads=5)


def test_attention_over_the_picture_is_that_of_one_module():
    """All attention of the model is the one that other systems have."""
    model = image_model(**FEATURES)
    assert sum(isinstance(part, MultiHeadAttention) for part in model.layers.modules()) == 2 * 4

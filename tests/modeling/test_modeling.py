"""What the models promise on padding, masks, outputs and their interface."""

from __future__ import annotations

import pytest
import torch
from modeling_helpers import NO_DROPOUT, ROWS, assert_near, ids_of, mask_of, tiny_config, tiny_model
from torch import Tensor, nn

from hfattnlstm import AttnLSTMForSequenceClassification, AttnLSTMModel, AttnLSTMPreTrainedModel


BOTH = [AttnLSTMModel, AttnLSTMForSequenceClassification]
# Together these use every score, normaliser, pooling and way to merge.
MODELS = {
    "default": {},
    "linear, sparsemax": {"pooler_score": "linear", "pooler_normalizer": "sparsemax", "num_hidden_layers": 2},
    "dot, entmax15": {"pooler_score": "dot", "pooler_normalizer": "entmax15", "direction_merge": "weighted"},
    "general": {"pooler_score": "general", "pooler_num_heads": 3, "residual": True, "num_hidden_layers": 2},
    "diagonal_dot": {"pooler_score": "diagonal_dot", "pooler_num_heads": 2, "direction_merge": "mean"},
    "all poolings": {"classifier_pooling": ["attention", "mean", "max", "last", "sum"], "direction_merge": "sum"},
    "one direction": {
        "bidirectional": False,
        "classifier_pooling": ["last", "attention"],
        "classifier_hidden_size": 5,
    },
    "self-attention": {"context_layers": ["attention"], "pooler_score": "general", "context_merge": "concat"},
    "transformers": {"context_layers": ["transformer", "attention"], "num_attention_heads": 3, "intermediate_size": 7},
    "causal": {"context_layers": ["transformer"], "context_causal": True, "bidirectional": False},
    "hashed": {
        "context_layers": ["lsh_attention", "lsh_transformer"],
        "lsh_attn_chunk_length": 2,
        "classifier_pooling": ["last", "attention"],
    },
    "hashed, causal": {
        "context_layers": ["lsh_attention"],
        "num_hashes": 3,
        "num_buckets": 4,
        "lsh_attn_chunk_length": 1,
        "context_causal": True,
        "bidirectional": False,
    },
}
every_model = pytest.mark.parametrize("name", MODELS)
every_padding = pytest.mark.parametrize("kind", ["right", "left", "holes"])


def batch_of(kind: str) -> tuple[Tensor, Tensor]:
    mask = mask_of(kind)
    return ids_of(mask), mask


class SeedModel(nn.Module):
    """The model that this package grew from, in plain torch."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(30, 8)
        self.lstm = nn.LSTM(8, 6, bidirectional=True, batch_first=True)
        self.score = nn.Linear(12, 1)
        self.output = nn.Linear(12, 3)

    def forward(self, ids: Tensor) -> Tensor:
        states = self.lstm(self.embedding(ids))[0]
        weights = torch.softmax(torch.tanh(self.score(states)), dim=1)
        return self.output((weights * states).sum(1))


def test_the_weights_of_the_seed_model_give_its_logits():
    seed = SeedModel()
    model = tiny_model(pooler_score="linear", classifier_pooling="attention", num_labels=3, pad_token_id=None)
    backbone = "attnlstm"
    renamed = {"embedding.weight": f"{backbone}.embeddings.word_embeddings.weight"}
    for name in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"):
        renamed[f"lstm.{name}"] = f"{backbone}.encoder.layers.0.forward_lstm.{name}"
        renamed[f"lstm.{name}_reverse"] = f"{backbone}.encoder.layers.0.backward_lstm.{name}"
    for kind in ("weight", "bias"):
        renamed[f"score.{kind}"] = f"{backbone}.pooler.attention.attend.scoring.projection.{kind}"
        renamed[f"output.{kind}"] = f"classifier.out_proj.{kind}"
    model.load_state_dict({renamed[name]: tensor for name, tensor in seed.state_dict().items()})
    ids = torch.randint(0, 30, (5, 9))
    assert_near(model(ids).logits, seed(ids))
    assert_near(model(ids, torch.ones_like(ids)).logits, seed(ids))


class TestPadding:
    """What is masked must not be there."""

    @every_padding
    @every_model
    def test_every_row_gives_the_logits_it_gives_alone(self, name, kind):
        model = tiny_model(**MODELS[name])
        ids, mask = batch_of(kind)
        with torch.no_grad():
            together = model(ids, mask, output_attentions=True)
            for row, kept in enumerate(mask):
                alone = model(ids[row, kept][None], output_attentions=True)
                assert_near(together.logits[row], alone.logits[0])
                assert_near(together.attentions[-1][row, :, 0, kept], alone.attentions[-1][0, :, 0])

    @pytest.mark.parametrize("kind", ["right", "left", "holes", "empty"])
    @every_model
    def test_ids_under_the_mask_and_more_padding_change_nothing(self, name, kind):
        model = tiny_model(**MODELS[name])
        ids, mask = batch_of(kind)
        with torch.no_grad():
            expected = model(ids, mask).logits
            others = torch.where(mask, ids, (ids + 7) % 30)
            assert model(others, mask).logits.equal(expected)
            pad, none = torch.zeros(len(ids), 3, dtype=torch.long), torch.zeros(len(ids), 3, dtype=torch.bool)
            assert_near(model(torch.cat([ids, pad], 1), torch.cat([mask, none], 1)).logits, expected)
            assert_near(model(torch.cat([pad, ids], 1), torch.cat([none, mask], 1)).logits, expected)

    @every_model
    def test_no_mask_is_a_mask_of_ones(self, name):
        model = tiny_model(**MODELS[name])
        ids, mask = batch_of("full")
        assert_near(model(ids).logits, model(ids, mask).logits)

    @pytest.mark.parametrize("kind", ["right", "left", "holes", "empty"])
    @pytest.mark.parametrize("dtype", [torch.int32, torch.int64, torch.float32, torch.bfloat16, torch.float16])
    def test_masks_of_every_type(self, dtype, kind):
        model = tiny_model()
        ids, mask = batch_of(kind)
        assert model(ids, mask.to(dtype)).logits.equal(model(ids, mask).logits)

    def test_padding_ids_count_where_no_mask_says_otherwise(self):
        model = tiny_model()
        ids = torch.tensor([[4, 5, 0, 0]])
        assert not torch.allclose(model(ids).logits, model(ids[:, :2]).logits)

    @every_model
    def test_a_row_without_tokens_is_harmless(self, name):
        model = tiny_model(**MODELS[name])
        ids, mask = batch_of("empty")
        outputs = model(ids, mask, labels=torch.tensor([0, 1, 1, 0]), output_attentions=True)
        assert outputs.logits.isfinite().all()
        assert not outputs.attentions[-1][1].any()
        assert not model.attnlstm(ids, mask).pooler_output[1].any()
        outputs.loss.backward()
        assert all(parameter.grad.isfinite().all() for parameter in model.parameters())
        without = model(ids[[0, 2, 3]], mask[[0, 2, 3]]).logits
        assert_near(outputs.logits[[0, 2, 3]], without)

    @every_model
    def test_a_batch_of_nothing_but_padding(self, name):
        model = tiny_model(**MODELS[name])
        mask = torch.zeros(2, 4, dtype=torch.bool)
        outputs = model(ids_of(mask), mask, labels=torch.tensor([0, 1]), output_attentions=True)
        outputs.loss.backward()
        assert not outputs.attentions[-1].any()
        assert all(parameter.grad.isfinite().all() for parameter in model.parameters())

    @pytest.mark.parametrize(("batch", "length"), [(2, 0), (0, 4), (0, 0)])
    @every_model
    def test_batches_without_rows_or_without_columns(self, name, batch, length):
        model = tiny_model(**MODELS[name])
        ids = torch.zeros(batch, length, dtype=torch.long)
        embedded = torch.zeros(batch, length, 8)
        for outputs in (model(ids), model(ids, torch.ones_like(ids)), model(inputs_embeds=embedded)):
            assert outputs.logits.shape == (batch, 2)
            assert outputs.logits.isfinite().all()
        if batch:
            padded = model(torch.zeros(batch, 3, dtype=torch.long), torch.zeros(batch, 3)).logits
            assert_near(model(ids).logits, padded)

    def test_texts_without_columns_can_be_trained_on(self):
        model = tiny_model(pooler_entropy_coef=0.1)
        loss = model(torch.zeros(2, 0, dtype=torch.long), labels=torch.tensor([0, 1])).loss
        loss.backward()
        assert all(parameter.grad.isfinite().all() for parameter in model.parameters())


class TestOutputs:
    """What comes back, and on whose request."""

    @pytest.mark.parametrize("layers", [1, 3])
    @pytest.mark.parametrize("model_class", BOTH)
    def test_hidden_states(self, model_class, layers):
        model = tiny_model(model_class, num_hidden_layers=layers)
        ids, mask = batch_of("holes")
        states = model(ids, mask, output_hidden_states=True).hidden_states
        backbone = model.base_model
        assert isinstance(states, tuple)
        assert len(states) == layers + 1
        assert states[0].equal(backbone.get_input_embeddings()(ids))
        assert states[-1].equal(backbone(ids, mask).last_hidden_state)
        for entry in states[1:]:
            assert entry.shape == (4, 9, 12)
            assert not entry[~mask].any()
        if layers == 3:
            assert not states[1].equal(states[2])

    @pytest.mark.parametrize("what", ["hidden_states", "attentions"])
    @pytest.mark.parametrize("model_class", BOTH)
    def test_asked_for_by_argument_or_config_and_the_argument_wins(self, model_class, what):
        ids, mask = batch_of("right")
        silent, talkative = tiny_model(model_class), tiny_model(model_class, **{f"output_{what}": True})
        asked, refused = {f"output_{what}": True}, {f"output_{what}": False}
        assert what not in silent(ids, mask)
        assert what in silent(ids, mask, **asked)
        assert what in talkative(ids, mask)
        assert what not in talkative(ids, mask, **refused)
        assert getattr(talkative(ids, mask), what)[-1].equal(getattr(silent(ids, mask, **asked), what)[-1])

    @pytest.mark.parametrize("kind", ROWS)
    @every_model
    def test_attentions(self, name, kind):
        model = tiny_model(**MODELS[name])
        ids, mask = batch_of(kind)
        outputs = model(ids, mask, output_attentions=True)
        *context, weights = outputs.attentions
        assert len(context) == len(MODELS[name].get("context_layers", ()))
        for each in context:
            assert each.shape == (len(ids), model.config.num_attention_heads, 9, 9)
            assert_near(each.sum(-1), mask[:, None].expand(each.shape[:3]).float())
            assert not each.masked_select(~mask[:, None, None]).any()
            if model.config.context_causal:
                assert not each.triu(1).any()
        assert weights.shape == (len(ids), MODELS[name].get("pooler_num_heads", 1), 1, 9)
        assert not weights.masked_select(~mask[:, None, None]).any()
        totals = mask.any(1).float()[:, None, None].expand(weights.shape[:3])
        assert_near(weights.sum(-1), totals)
        assert outputs.logits.equal(model(ids, mask).logits)

    @pytest.mark.parametrize("asked", [{}, {"output_attentions": True}, {"output_attentions": False}])
    def test_a_penalty_returns_attentions_only_on_request(self, asked):
        ids, mask = batch_of("right")
        for configured in (False, True):
            model = tiny_model(pooler_l2_coef=0.1, output_attentions=configured)
            outputs = model(ids, mask, labels=torch.tensor([0, 1, 0, 1]), **asked)
            assert ("attentions" in outputs) == asked.get("output_attentions", configured)
            assert outputs.loss > model(ids, mask, labels=torch.tensor([0, 1, 0, 1])).loss - 1e-6

    def test_only_logits_and_the_loss_by_default(self):
        model = tiny_model()
        ids, mask = batch_of("right")
        assert list(model(ids, mask)) == ["logits"]
        assert list(model(ids, mask, labels=torch.tensor([0, 1, 1, 0]))) == ["loss", "logits"]
        assert list(model.attnlstm(ids, mask)) == ["last_hidden_state", "pooler_output"]

    @pytest.mark.parametrize("options", [{}, {"pooler_l2_coef": 0.1}])
    @pytest.mark.parametrize("configured", [False, True])
    @pytest.mark.parametrize("model_class", BOTH)
    def test_tuples_hold_what_dicts_hold(self, model_class, configured, options):
        ids, mask = batch_of("right")
        asked = {"output_hidden_states": True, "output_attentions": True}
        if model_class is AttnLSTMForSequenceClassification:
            asked["labels"] = torch.tensor([0, 1, 1, 0])
        expected = tiny_model(model_class, **options)(ids, mask, **asked)
        if configured:
            outputs = tiny_model(model_class, return_dict=False, **options)(ids, mask, **asked)
        else:
            outputs = tiny_model(model_class, **options)(ids, mask, return_dict=False, **asked)
        assert isinstance(outputs, tuple)
        assert len(outputs) == len(expected)
        for mine, theirs in zip(outputs, expected.values()):
            pairs = zip(mine, theirs) if isinstance(theirs, tuple) else [(mine, theirs)]
            assert all(one.equal(other) for one, other in pairs)

    @pytest.mark.parametrize("model_class", BOTH)
    def test_return_dict_by_argument_wins_over_the_config(self, model_class):
        model = tiny_model(model_class, return_dict=False)
        assert not isinstance(model(torch.tensor([[1, 2]]), return_dict=True), tuple)

    def test_attentions_of_a_batch_are_left_out_of_predictions(self):
        assert tiny_config().keys_to_ignore_at_inference == ["hidden_states", "attentions"]

    @pytest.mark.parametrize("model_class", BOTH)
    def test_what_a_tokenizer_or_trainer_adds_is_accepted(self, model_class):
        model = tiny_model(model_class)
        ids, mask = batch_of("right")
        extra = {"token_type_ids": torch.zeros_like(ids), "num_items_in_batch": torch.tensor(4)}
        assert model(ids, mask, **extra)[0].equal(model(ids, mask)[0])


class TestInterface:
    """Names and arguments that the rest of the ecosystem relies on."""

    @pytest.mark.parametrize("model_class", BOTH)
    def test_input_ids_come_first_and_embeddings_are_accepted_in_their_place(self, model_class):
        model = tiny_model(model_class)
        assert model.main_input_name == "input_ids"
        ids, mask = batch_of("left")
        embedded = model.get_input_embeddings()(ids)
        expected = model(ids, mask)[0]
        assert model(input_ids=ids, attention_mask=mask)[0].equal(expected)
        assert model(inputs_embeds=embedded, attention_mask=mask)[0].equal(expected)
        assert model(inputs_embeds=embedded)[0].equal(model(ids)[0])
        hidden = torch.where(mask[..., None], embedded, torch.tensor(1e4))
        assert model(inputs_embeds=hidden, attention_mask=mask)[0].equal(expected)

    @pytest.mark.parametrize("model_class", BOTH)
    def test_mistaken_inputs_get_a_sentence(self, model_class):
        model = tiny_model(model_class)
        ids = torch.tensor([[1, 2, 3]])
        with pytest.raises(ValueError, match="exactly one of input_ids and inputs_embeds"):
            model()
        with pytest.raises(ValueError, match="exactly one of input_ids and inputs_embeds"):
            model(ids, inputs_embeds=torch.zeros(1, 3, 8))
        with pytest.raises(ValueError, match=r"attention_mask has the shape \(1, 2\), but the input has \(1, 3\)"):
            model(ids, torch.ones(1, 2))

    def test_a_mask_that_does_not_fit_an_input_without_columns(self):
        with pytest.raises(ValueError, match=r"attention_mask has the shape \(1, 2\), but the input has \(1, 0\)"):
            tiny_model()(torch.zeros(1, 0, dtype=torch.long), torch.ones(1, 2))

    def test_ids_without_a_batch_dimension_get_a_sentence(self):
        with pytest.raises(ValueError, match="input_ids"):
            tiny_model()(torch.tensor([1, 2, 3]))

    def test_the_prefix_is_the_attribute(self):
        model = tiny_model()
        assert AttnLSTMPreTrainedModel.base_model_prefix == "attnlstm"
        assert model.base_model is model.attnlstm
        assert isinstance(model.base_model, AttnLSTMModel)

    @pytest.mark.parametrize("model_class", BOTH)
    def test_input_embeddings_can_be_replaced(self, model_class):
        model = tiny_model(model_class)
        replacement = nn.Embedding(30, 8)
        model.set_input_embeddings(replacement)
        assert model.get_input_embeddings() is replacement is model.base_model.embeddings.word_embeddings
        ids = torch.tensor([[4, 5]])
        assert model(ids, output_hidden_states=True).hidden_states[0].equal(replacement(ids))

    @pytest.mark.parametrize("pad_token_id", [0, 5, None])
    @pytest.mark.parametrize("model_class", BOTH)
    def test_the_vocabulary_can_grow_and_shrink(self, model_class, pad_token_id):
        model = tiny_model(model_class, pad_token_id=pad_token_id)
        before = model.get_input_embeddings().weight.detach().clone()
        for size in (40, 20):
            model.resize_token_embeddings(size, mean_resizing=False)
            embedding = model.get_input_embeddings()
            assert embedding.weight.shape == (size, 8)
            assert model.config.vocab_size == size
            assert embedding.padding_idx == pad_token_id
            assert embedding.weight[:20].equal(before[:20])
            assert embedding.weight[: min(size, 30)].equal(before[:size])
        model(torch.tensor([[0, 5, 19]]))[0].sum().backward()
        if pad_token_id is not None:
            assert not model.get_input_embeddings().weight.grad[pad_token_id].any()

    def test_new_words_of_a_grown_vocabulary_can_be_read(self):
        model = tiny_model(**NO_DROPOUT)
        model.resize_token_embeddings(40)
        outputs = model(torch.tensor([[35, 39]]), labels=torch.tensor([1]))
        outputs.loss.backward()
        assert outputs.logits.isfinite().all()
        assert model.get_input_embeddings().weight.grad[35].any()


class TestPoolingLayer:
    """It is optional, and its weights come from itself."""

    def test_a_model_without_it_carries_none_of_its_parameters(self):
        model = AttnLSTMModel(tiny_config(), add_pooling_layer=False)
        assert not [name for name in model.state_dict() if "pooler" in name]
        outputs = model(torch.tensor([[1, 2]]), output_attentions=True, output_pooler_weights=True)
        assert list(outputs) == ["last_hidden_state"] or not outputs.attentions
        assert "pooler_output" not in outputs and "pooler_weights" not in outputs

    def test_its_states_are_those_of_a_model_with_it(self):
        model = tiny_model(AttnLSTMModel)
        bare = AttnLSTMModel(model.config, add_pooling_layer=False).eval()
        report = bare.load_state_dict(model.state_dict(), strict=False)
        assert not report.missing_keys and all(name.startswith("pooler.") for name in report.unexpected_keys)
        ids, mask = batch_of("holes")
        assert bare(ids, mask).last_hidden_state.equal(model(ids, mask).last_hidden_state)

    def test_its_weights_are_the_last_of_the_attentions(self):
        model = tiny_model(AttnLSTMModel, pooler_num_heads=2)
        ids, mask = batch_of("left")
        outputs = model(ids, mask, output_attentions=True, output_pooler_weights=True)
        assert outputs.pooler_weights.equal(outputs.attentions[-1])
        assert "pooler_weights" not in model(ids, mask)
        silent = tiny_model(AttnLSTMModel, classifier_pooling="max")
        assert "pooler_weights" not in silent(ids, mask, output_pooler_weights=True)

    def test_the_loss_does_not_depend_on_what_is_captured(self, monkeypatch):
        """Not on the hooks of transformers, nor on which attention stands last."""
        model = tiny_model(pooler_l2_coef=0.5)
        ids, mask = batch_of("right")
        labels = torch.tensor([0, 1, 1, 0])
        expected = model(ids, mask, labels=labels).loss
        assert model(ids, mask, labels=labels, output_attentions=True).loss.equal(expected)
        monkeypatch.setattr(AttnLSTMPreTrainedModel, "_can_record_outputs", {})
        fresh = tiny_model(pooler_l2_coef=0.5)
        assert fresh(ids, mask, labels=labels).loss.equal(expected)


class TestRefusals:
    """What would give wrong numbers in silence gets a sentence."""

    @pytest.mark.parametrize(
        "mask",
        [
            torch.tensor([[0.0, -1e9, 0.0]]),
            torch.tensor([[0.0, float("-inf"), 0.0]]),
            torch.tensor([[0.0, torch.finfo(torch.float32).min, 0.0]]),
            torch.tensor([[1, 2, 0]]),
            torch.tensor([[0.5, 1.0, 1.0]], dtype=torch.bfloat16),
        ],
    )
    def test_an_additive_mask(self, mask):
        with pytest.raises(ValueError, match="attention_mask must hold 1 for what is real and 0 for padding"):
            tiny_model()(torch.tensor([[1, 2, 3]]), mask)

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("classifier_pooling", "bogus"),
            ("classifier_pooling", ["max", "max"]),
            ("hidden_size", 7),
            ("word_dropout", 1.5),
            ("pooler_temperature", 0),
            ("pad_token_id", 99),
            ("class_weights", [1.0]),
        ],
    )
    @pytest.mark.parametrize("model_class", BOTH)
    def test_a_config_that_was_spoilt_after_it_was_made(self, model_class, name, value):
        config = tiny_config()
        setattr(config, name, value)
        with pytest.raises(ValueError, match=name):
            model_class(config)

    def test_labels_without_dimensions(self):
        with pytest.raises(ValueError, match=r"labels of shape \(\) do not fit"):
            tiny_model()(torch.tensor([[1, 2], [3, 4]]), labels=torch.tensor(1))

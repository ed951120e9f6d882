"""A model that writes: padding, outputs, loss, generation, checkpoints."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
import transformers
from modeling_helpers import ROWS, assert_near, ids_of, mask_of
from torch import nn
from torch.nn import functional as F
from transformers import AutoConfig, AutoModelForSeq2SeqLM
from writer_helpers import END, START, WRITERS, new_writer, tiny_writer, writer_batch, writer_config

from hfattnlstm import AttnLSTMForConditionalGeneration, AttnLSTMSeq2SeqConfig
from loopback_hub import run_python
from shipped_files import SHIPPED


every_writer = pytest.mark.parametrize("name", WRITERS)
every_padding = pytest.mark.parametrize("kind", ROWS)


class TestPadding:
    """What is under the mask changes nothing, on either side."""

    @every_padding
    @every_writer
    def test_each_text_is_read_as_if_it_were_alone(self, name, kind):
        model = tiny_writer(**WRITERS[name])
        batch = writer_batch(model, kind)
        together = model(**batch, output_attentions=True)
        for row, mask in enumerate(batch["attention_mask"]):
            ids = batch["input_ids"][row : row + 1, mask]
            alone = model(ids, labels=batch["labels"][row : row + 1], output_attentions=True)
            assert_near(together.logits[row], alone.logits[0], 1e-5)
            if len(ids[0]):
                weights = together.cross_attentions[0][row][..., mask]
                assert_near(weights, alone.cross_attentions[0][0], 1e-6)

    @every_writer
    def test_ids_under_the_mask_and_further_columns_change_nothing(self, name):
        model = tiny_writer(**WRITERS[name])
        batch = writer_batch(model, "holes")
        expected = model(**batch).logits
        ids, mask = batch["input_ids"].clone(), batch["attention_mask"]
        ids[~mask] = 7
        wider = {"input_ids": F.pad(ids, (0, 3), value=9), "attention_mask": F.pad(mask, (0, 3))}
        assert_near(model(**{**batch, **wider}).logits, expected, 1e-5)

    @pytest.mark.parametrize("dtype", [torch.bool, torch.int32, torch.int64, torch.float32, torch.bfloat16])
    def test_masks_of_every_dtype(self, dtype):
        model = tiny_writer()
        batch = writer_batch(model, "left")
        expected = model(**batch).logits
        assert_near(model(**{**batch, "attention_mask": batch["attention_mask"].to(dtype)}).logits, expected)

    def test_no_mask_is_a_mask_of_ones(self):
        model = tiny_writer()
        batch = writer_batch(model, "full")
        expected = model(**batch).logits
        del batch["attention_mask"]
        assert_near(model(**batch).logits, expected)

    @every_writer
    def test_a_text_without_tokens_has_finite_logits_and_no_attention(self, name):
        model = new_writer(**WRITERS[name])
        batch = writer_batch(model, "empty")
        outputs = model(**batch, output_attentions=True)
        outputs.loss.backward()
        assert outputs.logits.isfinite().all() and not outputs.cross_attentions[0][1].any()
        assert all(parameter.grad.isfinite().all() for parameter in model.parameters())
        assert model(torch.zeros(2, 0, dtype=torch.long), labels=batch["labels"][:2]).logits.isfinite().all()

    @every_writer
    def test_targets_with_holes(self, name):
        model = tiny_writer(**WRITERS[name])
        ids = ids_of(mask_of("full"))[:2]
        targets = torch.randint(4, 17, (2, 5))
        mask = torch.tensor([[1, 1, 1, 1, 1], [0, 1, 0, 1, 1]])
        together = model(ids, decoder_input_ids=targets, decoder_attention_mask=mask).logits
        alone = model(ids[1:], decoder_input_ids=targets[1:, mask[1].bool()]).logits
        assert_near(together[1, mask[1].bool()], alone[0], 1e-5)

    def test_masks_of_another_shape_are_refused(self):
        model = tiny_writer()
        ids, targets = ids_of(mask_of("full")), torch.full((3, 2), START)
        with pytest.raises(ValueError, match=r"decoder_attention_mask has the shape \(3, 4\)"):
            model(ids, decoder_input_ids=targets, decoder_attention_mask=torch.ones(3, 4))
        states = model.encoder(ids)
        with pytest.raises(ValueError, match=r"attention_mask has the shape \(3, 5\), but the encoder's states"):
            model(encoder_outputs=states, attention_mask=torch.ones(3, 5), decoder_input_ids=targets)


class TestOutputs:
    """What is returned, and when."""

    @every_writer
    def test_attention_sums_to_1_over_the_real_tokens(self, name):
        model = tiny_writer(**WRITERS[name])
        batch = writer_batch(model, "holes")
        plain, asked = model(**batch), model(**batch, output_attentions=True, output_hidden_states=True)
        assert plain.logits.equal(asked.logits) and plain.loss.equal(asked.loss)
        (weights,) = asked.cross_attentions
        heads = model.config.cross_attention_num_heads
        assert weights.shape == (4, heads, 6, 9)
        assert not weights.transpose(1, 3)[~batch["attention_mask"]].any()
        assert_near(weights.sum(-1), torch.ones(4, heads, 6))
        states = asked.decoder_hidden_states
        assert [state.shape[-1] for state in states] == [8, *[model.config.decoder_size] * (len(states) - 1)]
        assert len(states) == model.config.num_decoder_layers + 1
        assert asked.encoder_last_hidden_state.shape == (4, 9, 12)
        assert len(asked.encoder_hidden_states) == model.config.num_hidden_layers + 1

    def test_only_what_is_asked_for(self):
        model = tiny_writer()
        batch = writer_batch(model)
        assert [*model(**batch)] == ["loss", "logits"]
        del batch["labels"]
        assert [*model(**batch, decoder_input_ids=torch.full((4, 1), START))] == ["logits"]

    def test_by_the_configuration_and_the_argument_wins(self):
        model = tiny_writer(output_attentions=True)
        batch = writer_batch(model)
        assert model(**batch).cross_attentions is not None and model(**batch).encoder_attentions is not None
        assert model(**batch, output_attentions=False).cross_attentions is None

    def test_tuples_hold_what_dicts_hold(self):
        model = tiny_writer()
        batch = writer_batch(model)
        options = {"output_attentions": True, "output_hidden_states": True, "use_cache": True}
        loss, logits, state, *rest = model(**batch, **options, return_dict=False)
        named = model(**batch, **options)
        assert loss.equal(named.loss) and logits.equal(named.logits) and state.get_seq_length() == 6
        assert len(rest) == len(named) - 3

    @every_writer
    def test_embeddings_stand_for_ids(self, name):
        model = tiny_writer(**WRITERS[name])
        ids, targets = ids_of(mask_of("full")), torch.randint(4, 17, (3, 4))
        expected = model(ids, decoder_input_ids=targets).logits
        embeds = model.encoder.embed(ids)
        assert_near(model(inputs_embeds=embeds, decoder_input_ids=targets).logits, expected)
        read = model.decoder_embeddings.word_embeddings(targets)
        assert_near(model(ids, decoder_inputs_embeds=read).logits, expected)

    def test_what_is_given_stays_as_it_is(self):
        model = tiny_writer()
        ids, mask, labels = writer_batch(model, "left").values()
        given = model.encoder(ids, mask)
        # Also what stands under the mask.
        given.last_hidden_state = given.last_hidden_state + 1
        before = given.last_hidden_state.detach().clone()
        model(encoder_outputs=given, attention_mask=mask, labels=labels)
        assert torch.equal(given.last_hidden_state, before)

    def test_what_the_encoder_has_read_can_be_given(self):
        model = tiny_writer()
        batch = writer_batch(model, "holes")
        expected = model(**batch).logits
        ids, mask, labels = batch.values()
        states = model.encoder(ids, mask)
        assert_near(model(encoder_outputs=states, attention_mask=mask, labels=labels).logits, expected)
        as_tuple = (states.last_hidden_state,)
        assert_near(model(encoder_outputs=as_tuple, attention_mask=mask, labels=labels).logits, expected)

    @pytest.mark.parametrize(
        "inputs", [{}, {"decoder_input_ids": torch.ones(3, 2).long(), "decoder_inputs_embeds": torch.ones(3, 2, 8)}]
    )
    def test_a_target_that_is_missing_or_there_twice(self, inputs):
        with pytest.raises(ValueError, match="exactly one of decoder_input_ids and decoder_inputs_embeds, or labels"):
            tiny_writer()(ids_of(mask_of("full")), **inputs)


class TestLoss:
    """Cross entropy of the tokens that count."""

    @pytest.mark.parametrize("smoothing", [0, 0.1])
    def test_by_hand(self, smoothing):
        model = new_writer(label_smoothing=smoothing)
        batch = writer_batch(model)
        outputs = model(**batch)
        logs, labels = outputs.logits.log_softmax(-1), batch["labels"]
        real = labels != -100
        right = logs.gather(2, labels.clamp(min=0)[..., None])[..., 0][real]
        assert_near(outputs.loss, -((1 - smoothing) * right + smoothing * logs.mean(-1)[real]).mean(), 1e-5)
        assert_near(model.eval()(**batch).loss, -right.mean(), 1e-5)

    def test_the_decoder_reads_the_labels_one_place_later(self):
        model = tiny_writer()
        labels = torch.tensor([[7, 8, END], [9, END, -100]])
        shifted = model.prepare_decoder_input_ids_from_labels(labels)
        assert shifted.tolist() == [[START, 7, 8], [START, 9, END]]
        ids = ids_of(mask_of("full"))[:2]
        assert model(ids, labels=labels).logits.equal(model(ids, decoder_input_ids=shifted).logits)

    def test_coverage_costs_what_is_covered(self):
        model = new_writer(**WRITERS["coverage"])
        batch = writer_batch(model)
        with_loss = model(**batch).loss
        model.config.coverage_loss_coef = 0.0
        plain = model(**batch, output_attentions=True)
        attended = plain.cross_attentions[0].mean(1)
        had = attended.cumsum(1) - attended
        real = batch["labels"] != -100
        covered = torch.minimum(attended, had).sum(-1)[real].mean()
        assert covered > 0
        assert_near(with_loss - plain.loss, 0.5 * covered, 1e-5)

    @pytest.mark.parametrize("kind", ["right", "empty"])
    @every_writer
    def test_several_small_batches_are_one_large_one(self, name, kind):
        model = new_writer(**WRITERS[name])
        batch = writer_batch(model, kind)
        count = (batch["labels"] != -100).sum()
        model(**batch).loss.backward()
        expected = {key: parameter.grad.clone() for key, parameter in model.named_parameters()}
        model.zero_grad()
        for rows in ([0], [1, 2], [3]):
            model(**{key: value[rows] for key, value in batch.items()}, num_items_in_batch=count).loss.backward()
        for key, parameter in model.named_parameters():
            assert_near(parameter.grad, expected[key], 1e-5)

    @pytest.mark.parametrize(
        ("labels", "sentence"),
        [
            (torch.full((4, 3), 30), "labels holds 30, and the model writes 30 tokens"),
            (torch.full((4, 3), -1), "labels holds -1"),
        ],
    )
    def test_labels_that_are_no_tokens(self, labels, sentence):
        model = tiny_writer()
        with pytest.raises(ValueError, match=sentence):
            model(**{**writer_batch(model), "labels": labels}, decoder_input_ids=torch.full((4, 3), START))

    def test_labels_of_another_length(self):
        model = tiny_writer()
        with pytest.raises(ValueError, match=r"labels has the shape \(4, 6\), but the decoder reads \(4, 3\)"):
            model(**writer_batch(model), decoder_input_ids=torch.full((4, 3), START))


class TestTraining:
    """What a step does."""

    @every_writer
    def test_every_parameter_gets_a_gradient(self, name):
        model = new_writer(**WRITERS[name])
        model(**writer_batch(model)).loss.backward()
        model.zero_grad()
        # The weight of the coverage needs attention that has moved.
        model(**writer_batch(model)).loss.backward()
        assert not [key for key, parameter in model.named_parameters() if not parameter.grad.any()]

    @pytest.mark.parametrize(
        "name", ["default", *(pytest.param(name, marks=pytest.mark.long) for name in WRITERS if name != "default")]
    )
    def test_a_batch_can_be_overfitted(self, name):
        model = new_writer(**{"embedding_size": 16, **WRITERS[name]})
        batch = writer_batch(model)
        optimizer = torch.optim.Adam(model.parameters(), lr=0.03)
        for _ in range(150):
            optimizer.zero_grad()
            model(**batch).loss.backward()
            optimizer.step()
        assert model.eval()(**batch).loss < 0.1

    def test_its_own_tokens_are_read_as_often_as_it_is_told(self):
        model = new_writer()
        batch = writer_batch(model, "full")
        batch["labels"].clamp_(min=4)
        right = model(**batch).logits
        model.sampling_probability = 1.0
        own = model(**batch).logits
        # The first is read as it is, each other is what the model has just written.
        read = torch.cat([torch.full((3, 1), START), own.argmax(-1)[:, :-1]], 1)
        model.sampling_probability = 0.0
        assert_near(own, model(batch["input_ids"], decoder_input_ids=read).logits, 1e-5)
        assert not torch.allclose(own, right)
        model.sampling_probability = 1.0
        assert model.eval()(**batch).logits.equal(right)

    @pytest.mark.parametrize("reentrant", [True, False])
    def test_activation_checkpointing_gives_the_plain_gradients(self, reentrant):
        model = new_writer(**WRITERS["general, 2 layers"])
        batch = writer_batch(model)
        model(**batch).loss.backward()
        expected = {key: parameter.grad.clone() for key, parameter in model.named_parameters()}
        model.zero_grad()
        model.activation_checkpointing_enable({"use_reentrant": reentrant})
        model(**batch).loss.backward()
        for key, parameter in model.named_parameters():
            assert_near(parameter.grad, expected[key], 1e-6)

    @pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
    @every_writer
    def test_half_precision_forward_and_backward(self, name, dtype):
        model = new_writer(**WRITERS[name]).to(dtype)
        loss = model(**writer_batch(model, "empty")).loss
        loss.backward()
        assert loss.isfinite() and all(parameter.grad.isfinite().all() for parameter in model.parameters())

    @every_writer
    def test_autocast(self, name):
        model = new_writer(**WRITERS[name])
        batch = writer_batch(model)
        exact = model(**batch).loss
        with torch.autocast("cpu", dtype=torch.bfloat16):
            rough = model(**batch).loss
        rough.backward()
        assert abs(rough - exact) < 0.05
        assert all(parameter.grad.isfinite().all() for parameter in model.parameters())

    @pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
    @pytest.mark.parametrize("name", ["default", "coverage"])
    def test_lora(self, name):
        from peft import LoraConfig, get_peft_model

        model = new_writer(**WRITERS[name])
        batch = writer_batch(model)
        before = model(**batch).logits.detach()
        adapted = get_peft_model(model, LoraConfig(target_modules="all-linear", r=2))
        adapted(**batch).loss.backward()
        assert_near(adapted(**batch).logits, before, 1e-5)
        assert any(parameter.grad is not None and parameter.grad.any() for parameter in adapted.parameters())


class TestTokens:
    """Embeddings, one or two vocabularies."""

    def test_one_vocabulary_has_one_embedding(self):
        model = tiny_writer()
        table = model.get_input_embeddings().weight
        assert model.decoder_embeddings.word_embeddings.weight is table and model.lm_head.weight is table

    def test_two_vocabularies_share_what_is_written(self):
        model = tiny_writer(**WRITERS["two vocabularies"])
        assert model.decoder_embeddings.word_embeddings.weight is model.lm_head.weight
        assert model.get_input_embeddings().weight.shape == (30, 8) and model.lm_head.weight.shape == (17, 8)

    def test_untied_each_has_its_own(self):
        model = tiny_writer(**WRITERS["untied"])
        tables = model.get_input_embeddings().weight, model.decoder_embeddings.word_embeddings.weight
        assert len({id(table) for table in (*tables, model.lm_head.weight)}) == 3

    @pytest.mark.parametrize("size", [25, 33])
    @pytest.mark.parametrize("name", ["default", "untied"])
    def test_the_vocabulary_can_grow_and_shrink(self, name, size, tmp_path):
        model = tiny_writer(**WRITERS[name])
        batch = {
            key: value.clamp(max=24) if value.dtype == torch.long else value
            for key, value in writer_batch(model).items()
        }
        before = model(**batch).logits
        model.resize_token_embeddings(size)
        assert model.config.vocab_size == model.encoder.config.vocab_size == size
        assert model.get_input_embeddings().padding_idx == 0
        after = model(**batch).logits
        kept = min(size, 30)
        assert after.shape[-1] == size
        assert_near(after[..., :kept], before[..., :kept])
        if name == "default":
            assert model.lm_head.weight is model.get_input_embeddings().weight
        model.save_pretrained(tmp_path)
        loaded = AttnLSTMForConditionalGeneration.from_pretrained(tmp_path)
        assert_near(loaded(**batch).logits, after, 1e-5)

    def test_each_of_two_vocabularies_can(self):
        model = tiny_writer(**WRITERS["two vocabularies"])
        model.resize_token_embeddings(40)
        model.resize_decoder_token_embeddings(20)
        assert (model.config.vocab_size, model.config.decoder_vocab_size) == (40, 20)
        assert model(**writer_batch(model)).logits.shape[-1] == 20
        assert model.lm_head.weight is model.decoder_embeddings.word_embeddings.weight
        with pytest.raises(ValueError, match="one vocabulary"):
            tiny_writer().resize_decoder_token_embeddings(40)


class TestCheckpoints:
    """Saved, loaded, copied."""

    @every_writer
    def test_save_and_load(self, name, tmp_path):
        model = tiny_writer(**WRITERS[name])
        batch = writer_batch(model, "holes")
        model.save_pretrained(tmp_path)
        loaded, report = AttnLSTMForConditionalGeneration.from_pretrained(tmp_path, output_loading_info=True)
        assert not report["missing_keys"] and not report["unexpected_keys"]
        assert_near(loaded(**batch).logits, model(**batch).logits, 1e-5)
        assert type(AutoModelForSeq2SeqLM.from_pretrained(tmp_path)) is AttnLSTMForConditionalGeneration
        assert type(AutoConfig.from_pretrained(tmp_path)) is AttnLSTMSeq2SeqConfig
        assert {path.stem for path in tmp_path.glob("*.py")} == SHIPPED["AttnLSTMForConditionalGeneration"]

    def test_what_a_checkpoint_lacks_is_started_anew_and_nothing_else(self, tmp_path):
        from safetensors.torch import load_file, save_file

        model = tiny_writer()
        model.save_pretrained(tmp_path)
        weights = load_file(tmp_path / "model.safetensors")
        del weights["decoder.bridge.weight"]
        save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})
        loaded = AttnLSTMForConditionalGeneration.from_pretrained(tmp_path)
        own, other = dict(model.named_parameters()), dict(loaded.named_parameters())
        assert [key for key in own if not own[key].equal(other[key])] == ["decoder.bridge.weight"]
        with pytest.raises(ValueError, match=r"lacks 1 of the weights, such as decoder\.bridge\.weight"):
            loaded.check_trained()

    @pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
    def test_copies_are_equal_and_independent(self, copied):
        model = new_writer()
        batch = writer_batch(model)
        model(**batch).loss.backward()
        other = copied(model)
        assert other.eval()(**batch).logits.equal(model.eval()(**batch).logits)
        nn.init.zeros_(other.lm_head.bias)
        nn.init.ones_(other.decoder.bridge.bias)
        assert not other(**batch).logits.equal(model(**batch).logits)
        assert other.lm_head.weight is other.get_input_embeddings().weight

    def test_it_writes_where_the_package_cannot_be_imported(self, tmp_path):
        model = tiny_writer()
        model.save_pretrained(tmp_path / "model")
        ids = ids_of(mask_of("full"))
        expected = model.generate(ids, num_beams=3, max_new_tokens=6).tolist()
        code = f"""
import sys
sys.modules["hfattnlstm"] = None
import torch
import transformers
from transformers import AutoModelForSeq2SeqLM
model = AutoModelForSeq2SeqLM.from_pretrained("model", trust_remote_code=True)
assert model.generate(torch.tensor({ids.tolist()}), num_beams=3, max_new_tokens=6).tolist() == {expected}
model.save_pretrained("again")
again = AutoModelForSeq2SeqLM.from_pretrained("again", trust_remote_code=True)
assert again.generate(torch.tensor({ids.tolist()}), num_beams=3, max_new_tokens=6).tolist() == {expected}
"""
        run_python(code, {"HF_MODULES_CACHE": str(tmp_path / "code"), "HF_HUB_OFFLINE": "1"}, tmp_path)


class TestConfiguration:
    """What is refused."""

    @pytest.mark.parametrize(
        ("options", "sentence"),
        [
            ({"hiden_size": 4}, "did you mean 'hidden_size'"),
            ({"cross_attention_score": "dot", "decoder_hidden_size": 7}, "compares states of one width"),
            (
                {"cross_attention_score": "general", "cross_attention_size": 7},
                "cross_attention_size is for the scores",
            ),
            ({"cross_attention_score": "diagonal_dot", "cross_attention_num_heads": 5}, "must be a multiple"),
            ({"coverage_loss_coef": 1.0}, "coverage_loss_coef has no effect without coverage"),
            ({"coverage": True, "coverage_loss_coef": -1.0}, "must not be negative"),
            ({"decoder_vocab_size": 3}, "eos_token_id must be below the 3 tokens"),
            ({"bos_token_id": None}, "decoder_start_token_id is what is read first"),
            ({"pad_token_id": 99}, "pad_token_id must be below"),
            ({"vocab_size": 10**9}, "vocab_size must be between"),
            ({"readout_dropout": 1.0}, "readout_dropout is a share"),
            ({"label_smoothing": 1.0}, "label_smoothing must be at least 0"),
            ({"is_encoder_decoder": False}, "is_encoder_decoder"),
            ({"cross_attention_temperature": 0}, "cross_attention_temperature must be above 0"),
        ],
    )
    def test_mistakes(self, options, sentence):
        with pytest.raises(ValueError, match=sentence):
            writer_config(**options)

    def test_round_trip(self, tmp_path):
        config = writer_config(decoder_vocab_size=9, num_decoder_layers=3, input_feeding=False, coverage=True)
        config.save_pretrained(tmp_path)
        loaded = AutoConfig.from_pretrained(tmp_path)
        assert loaded.to_diff_dict() == config.to_diff_dict() | {"transformers_version": transformers.__version__}

    def test_the_decoder_is_described_to_generation(self):
        own = writer_config(decoder_vocab_size=9, decoder_hidden_size=5, num_decoder_layers=3)
        decoder = own.get_text_config(decoder=True)
        assert (decoder.vocab_size, decoder.hidden_size, decoder.num_hidden_layers) == (9, 5, 3)
        assert own.get_text_config().vocab_size == 9 and own.vocab_size == 30
        assert own.get_text_config(encoder=True) is own
        joint = writer_config()
        assert joint.get_text_config() is joint

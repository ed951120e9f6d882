"""The tagger: what its logits mean, its interface, and its way through files."""

from __future__ import annotations

import copy
import itertools
import json
import math
import pickle

import pytest
import torch
from modeling_helpers import assert_near, ids_of, mask_of, tiny_config, tiny_model
from tagger_helpers import (
    BIO,
    IGNORED,
    INPUTS,
    ROLES,
    SPELLING,
    TAGGERS,
    TAGS,
    places_of_words,
    prepared,
    tagged_batch,
    tiny_tagger,
)
from torch import Tensor, nn
from transformers import AutoModel, AutoModelForTokenClassification

from hfattnlstm import AttnLSTMConfig, AttnLSTMForTokenClassification, AttnLSTMModel
from hfattnlstm.modeling.spelling import SPECIAL
from hfattnlstm.modeling.tag_schemes import tags_inside
from loopback_hub import run_python


every_tagger = pytest.mark.parametrize("name", TAGGERS)
every_input = pytest.mark.parametrize("name", INPUTS)
EVERY_ROLE = torch.tensor([[0, 6, 18, 26, 5, 2, 1, 11, 20], [26, 6, 27, 19, 2, 18, 7, 26, 26]])


def emissions_of(model: nn.Module, *inputs: Tensor) -> Tensor:
    outputs = model.attnlstm(*inputs)
    return model.score_tags(outputs.last_hidden_state, outputs.pooler_output)


class TestLogits:
    """What chooses the tags."""

    def test_without_a_crf_they_are_scores_of_each_token(self):
        model, mask = tiny_tagger(num_labels=3), mask_of("holes")
        ids = ids_of(mask)
        states = model.attnlstm(ids, mask).last_hidden_state
        assert model(ids, mask).logits.equal(model.classifier(states))
        assert model.crf is None

    @pytest.mark.parametrize("kind", ["right", "left", "holes", "empty"])
    @pytest.mark.parametrize("scheme", TAGS)
    def test_with_one_they_are_logarithms_whose_highest_is_the_best_sequence(self, scheme, kind):
        model = tiny_tagger(id2label=dict(enumerate(TAGS[scheme])), tagging_scheme=scheme, use_crf=True)
        differ = 0
        for seed in range(5):
            torch.manual_seed(seed)
            mask = mask_of(kind)
            ids = ids_of(mask)
            logits = model(ids, mask).logits
            decoded = model.crf.decode(emissions_of(model, ids, mask), mask)
            assert logits.argmax(-1)[mask].equal(decoded.tags[mask])
            totals = logits.exp().sum(-1)[mask]
            assert_near(totals, torch.ones_like(totals), 1e-5)
            assert_near(logits.sort(-1).values, decoded.log_marginals.sort(-1).values)
            assert not logits[~mask].any()
            differ += int((decoded.log_marginals.argmax(-1) != decoded.tags)[mask].sum())
        # Else there would be nothing to exchange.
        assert differ or scheme is None

    @pytest.mark.parametrize("scheme", ["bio", "iob1", "iobes"])
    def test_the_tags_chosen_are_allowed(self, scheme):
        model = tiny_tagger(id2label=dict(enumerate(TAGS[scheme])), tagging_scheme=scheme, use_crf=True)
        crf = model.crf
        for tags in model(torch.randint(1, 30, (20, 9))).logits.argmax(-1).tolist():
            assert crf.may_begin[tags[0]] and crf.may_end[tags[-1]]
            assert all(crf.may_follow[pair] for pair in itertools.pairwise(tags))

    @every_tagger
    def test_in_training_they_are_the_scores_that_the_loss_reads(self, name):
        options = dict.fromkeys(("embedding_dropout", "hidden_dropout_prob", "classifier_dropout"), 0)
        model, batch = tiny_tagger(**TAGGERS[name], **options), tagged_batch("holes")
        inputs = batch["input_ids"], batch["attention_mask"]
        assert_near(model.train()(*inputs).logits, emissions_of(model, *inputs))
        # Whatever the mode, the loss is of these.
        assert_near(model(**batch).loss, model.eval()(**batch).loss)

    @pytest.mark.parametrize("crf", [False, True])
    @pytest.mark.parametrize("scheme", ["bio", "iobes"])
    def test_tokens_inside_a_word_have_the_tag_that_goes_on(self, scheme, crf):
        options = {"id2label": dict(enumerate(TAGS[scheme])), "tagging_scheme": scheme, "use_crf": crf}
        model, inside, seen = tiny_tagger(**options, **INPUTS["char_cnn"]), tags_inside(TAGS[scheme]), set()
        for seed in range(30):
            torch.manual_seed(seed)
            mask = mask_of("holes")
            ids = torch.randint(3, 30, mask.shape)
            logits = model._logits(torch.randn(4, 9, 5), mask, model.attnlstm.embeddings.words(ids, mask))
            tags, probabilities = logits.argmax(-1), logits.softmax(-1)
            for row, (own, kept) in enumerate(zip(ids.tolist(), mask.tolist())):
                begun = places_of_words(own, kept)
                for place in set(mask[row].nonzero().flatten().tolist()) - set(begun):
                    start = max(at for at in begun if at <= place)
                    expected = torch.zeros(5).index_add(0, torch.tensor(inside), probabilities[row, start])
                    assert_near(probabilities[row, place].sort().values, expected.sort().values, 1e-6)
                    assert tags[row, place] == inside[tags[row, start]]
                    seen.add((TAGS[scheme][tags[row, start]], TAGS[scheme][tags[row, place]]))
        assert seen == {(tag, TAGS[scheme][number]) for tag, number in zip(TAGS[scheme], inside)}
        assert ("B-A", "I-A") in seen

    def test_tokens_inside_a_word_follow_it_where_two_tags_become_one(self):
        """To begin and to go on are together more probable than the word's own tag."""
        model = tiny_tagger(**BIO, **SPELLING)
        scores = torch.tensor([0.4, 0.3, 0.25, 0.03, 0.02]).log().expand(1, 2, -1)
        mask = torch.ones(1, 2, dtype=torch.bool)
        logits = model._logits(scores, mask, model.attnlstm.embeddings.words(torch.tensor([[6, 26]]), mask))
        assert logits.argmax(-1).tolist() == [[0, 0]]
        assert_near(logits[0, 1].exp().sort().values, torch.tensor([0.0, 0.0, 0.05, 0.4, 0.55]))

    def test_what_a_crf_does_not_see_takes_no_place_in_its_sequence(self):
        """Pieces and special tokens lie between words."""
        model = tiny_tagger(**BIO, use_crf=True, **INPUTS["char_cnn"])
        scores = emissions_of(model, EVERY_ROLE)
        mask = torch.zeros_like(EVERY_ROLE, dtype=torch.bool)
        for row, ids in enumerate(EVERY_ROLE.tolist()):
            mask[row, places_of_words(ids, [True] * 9)] = True
        assert mask.sum(1).tolist() == [4, 3]
        expected = model.crf.decode(scores, mask).tags
        assert model(EVERY_ROLE).logits.argmax(-1)[mask].equal(expected[mask])
        special = torch.tensor([[ROLES[token] == SPECIAL for token in row] for row in EVERY_ROLE.tolist()])
        assert model(EVERY_ROLE).logits[special].isfinite().all()

    def test_numbers_of_half_precision_stay_finite(self):
        for dtype in (torch.bfloat16, torch.float16):
            model = tiny_tagger(**TAGGERS["spelt, crf"]).to(dtype)
            logits = model(EVERY_ROLE).logits
            assert logits.dtype == dtype and logits.isfinite().all()

    def test_a_loss_by_hand(self):
        model, batch = tiny_tagger(num_labels=3, class_weights=[1, 2, 3.0], label_smoothing=0.1), tagged_batch("right")
        logits = model(batch["input_ids"], batch["attention_mask"]).logits
        loss = nn.CrossEntropyLoss(torch.tensor([1, 2, 3.0]), reduction="sum", label_smoothing=0.1)
        counted = (batch["labels"] != IGNORED).sum()
        assert_near(model(**batch).loss, loss(logits.flatten(0, 1), batch["labels"].flatten()) / counted)

    def test_penalties_on_the_attention_of_the_sentence(self):
        batch = tagged_batch("right")
        plain = tiny_tagger(**BIO, sentence_context=True)(**batch).loss
        outputs = tiny_tagger(**BIO, sentence_context=True, pooler_l2_coef=0.5)(**batch, output_attentions=True)
        assert_near(outputs.loss, plain + 0.5 * outputs.attentions[-1].square().sum() / 4)


class TestBestSequences:
    """Those behind the logits."""

    @pytest.mark.parametrize("name", ["crf", "spelt, crf", "spelt, context"])
    def test_they_are_those_of_the_crf(self, name):
        model = tiny_tagger(**TAGGERS[name])
        mask = mask_of("holes")
        ids = torch.randint(0, 30, mask.shape)
        outputs = model(ids, mask, n_best=3)
        tags, logs = outputs.sequences, outputs.sequences_scores
        assert not tags.requires_grad and not logs.requires_grad
        begun = torch.zeros_like(mask)
        for row, (own, kept) in enumerate(zip(ids.tolist(), mask.tolist())):
            begun[row, places_of_words(own, kept) if model.config.num_characters else mask[row]] = True
        expected = model.crf.best_sequences(emissions_of(model, ids, mask), begun, 3)
        assert tags.equal(expected[0]) and logs.equal(expected[1])
        assert tags[:, 0][begun].equal(outputs.logits.argmax(-1)[begun])
        assert outputs.logits.equal(model(ids, mask).logits)
        assert logs.diff(dim=1).nan_to_num(neginf=-1).le(0).all() and logs.exp().sum(1).le(1 + 1e-9).all()
        assert model(ids, n_best=1).sequences.shape == (4, 1, 9)
        assert "sequences" not in model(ids)

    def test_they_go_by_what_the_model_has_read(self):
        model = tiny_tagger(**TAGGERS["spelt, crf"])
        ids, characters = torch.tensor([[5, 6, 7]]), torch.tensor([[[3, 4], [5, 0], [4, 4]]])
        given = model(ids, char_ids=characters, n_best=2)
        assert not given.sequences_scores.equal(model(ids, n_best=2).sequences_scores)
        plain = tiny_tagger(**TAGGERS["crf"])
        embedded = plain.attnlstm.embed(ids)
        assert_near(plain(inputs_embeds=embedded, n_best=2).sequences_scores, plain(ids, n_best=2).sequences_scores)

    def test_mistakes(self):
        with pytest.raises(ValueError, match="n_best is for models with a CRF, and this one tags each word by itself"):
            tiny_tagger(num_labels=3)(torch.tensor([[1, 2]]), n_best=2)
        with pytest.raises(ValueError, match="count must be 1 or more"):
            tiny_tagger(**TAGGERS["crf"])(torch.tensor([[1, 2]]), n_best=0)


class TestOutputs:
    """What comes back, and on whose request."""

    @pytest.mark.parametrize("layers", [1, 3])
    @every_tagger
    def test_hidden_states(self, name, layers):
        model = tiny_tagger(**{**TAGGERS[name], "num_hidden_layers": layers})
        mask = mask_of("holes")
        ids = ids_of(mask)
        states = model(ids, mask, output_hidden_states=True).hidden_states
        assert isinstance(states, tuple) and len(states) == layers + 1
        assert states[0].equal(model.embed(ids, mask))
        assert states[-1].equal(model.attnlstm(ids, mask).last_hidden_state)

    @pytest.mark.parametrize("what", ["hidden_states", "attentions"])
    def test_asked_for_by_argument_or_config_and_the_argument_wins(self, what):
        ids, options = torch.tensor([[1, 2, 3]]), TAGGERS["context"]
        silent, talkative = tiny_tagger(**options), tiny_tagger(**options, **{f"output_{what}": True})
        assert what not in silent(ids) and what in talkative(ids)
        assert what in silent(ids, **{f"output_{what}": True})
        assert what not in talkative(ids, **{f"output_{what}": False})
        assert silent(ids, **{f"output_{what}": True}).logits.equal(silent(ids).logits)

    @pytest.mark.parametrize("name", ["context", "spelt, context"])
    @pytest.mark.parametrize("kind", ["full", "right", "left", "holes", "empty"])
    def test_attention_over_the_sentence(self, kind, name):
        model, mask = tiny_tagger(**TAGGERS[name]), mask_of(kind)
        ids = torch.randint(0, 30, mask.shape)
        weights = model(ids, mask, output_attentions=True).attentions[-1]
        read = model.tokens_read(ids, mask)
        assert weights.shape == (len(ids), model.config.pooler_num_heads, 1, 9)
        assert not weights.masked_select(~read[:, None, None]).any()
        assert_near(weights.sum(-1), mask.any(1).float()[:, None, None].expand(weights.shape[:3]))

    def test_a_tagger_without_context_has_no_attention(self):
        model = tiny_tagger(num_labels=3)
        assert not model(torch.tensor([[1, 2]]), output_attentions=True).attentions
        assert not [name for name in model.state_dict() if "pooler" in name]

    @pytest.mark.parametrize("configured", [False, True])
    def test_tuples_hold_what_dicts_hold(self, configured):
        batch = {**tagged_batch("right"), "output_hidden_states": True, "output_attentions": True}
        expected = tiny_tagger(**TAGGERS["context"])(**batch)
        if configured:
            outputs = tiny_tagger(**TAGGERS["context"], return_dict=False)(**batch)
        else:
            outputs = tiny_tagger(**TAGGERS["context"])(**batch, return_dict=False)
        assert isinstance(outputs, tuple) and list(expected) == ["loss", "logits", "hidden_states", "attentions"]
        assert outputs[0].equal(expected.loss) and outputs[1].equal(expected.logits)
        assert all(one.equal(other) for one, other in zip(outputs[2], expected.hidden_states))

    def test_only_what_is_asked_for(self):
        model = tiny_tagger(**TAGGERS["context"])
        batch = tagged_batch("right")
        assert list(model(**batch)) == ["loss", "logits"]
        assert list(model(batch["input_ids"])) == ["logits"]
        extra = {"token_type_ids": batch["input_ids"], "num_items_in_batch": None}
        assert model(batch["input_ids"], **extra).logits.equal(model(batch["input_ids"]).logits)


class TestInterface:
    """Names and arguments that the rest of the ecosystem relies on."""

    @every_input
    def test_embeddings_stand_for_ids(self, name):
        model = tiny_tagger(num_labels=3, **INPUTS[name])
        mask = mask_of("left")
        ids = torch.randint(3, 18, mask.shape)
        embedded = model.embed(ids, mask)
        given = model(inputs_embeds=embedded, attention_mask=model.tokens_read(ids, mask)).logits
        assert_near(given[mask], model(ids, mask).logits[mask])
        assert model.main_input_name == "input_ids" and model.base_model is model.attnlstm
        with pytest.raises(ValueError, match="exactly one of input_ids and inputs_embeds"):
            model()

    def test_embeddings_with_a_crf(self):
        model = tiny_tagger(**TAGGERS["crf"])
        ids = torch.randint(1, 30, (3, 5))
        assert_near(model(inputs_embeds=model.embed(ids)).logits, model(ids).logits)

    @pytest.mark.parametrize(
        ("labels", "sentence"),
        [
            (torch.tensor([[0, 1, 3]]), "labels holds 3, but the model has 3 tags, numbered from 0 to 2"),
            (torch.tensor([[0, -1, 1]]), r"labels holds -1, .*\(-100 leaves a token out\)"),
            (torch.tensor([0, 1, 2]), r"labels of shape \(3,\) do not fit the tokens \(1, 3\)"),
            (
                torch.tensor([[0, 1]]),
                r"labels of shape \(1, 2\) do not fit the tokens \(1, 3\): give a number for each",
            ),
        ],
    )
    @pytest.mark.parametrize("crf", [False, True])
    def test_labels_that_do_not_fit(self, labels, sentence, crf):
        with pytest.raises(ValueError, match=sentence):
            tiny_tagger(num_labels=3, use_crf=crf)(torch.tensor([[1, 2, 3]]), labels=labels)

    @pytest.mark.parametrize("pad_token_id", [0, 5, None])
    @pytest.mark.parametrize("options", [{}, INPUTS["everything, concat"]], ids=["word", "everything"])
    def test_the_vocabulary_can_grow_and_shrink(self, options, pad_token_id):
        model = tiny_tagger(num_labels=3, pad_token_id=pad_token_id, **options)
        before = model.get_input_embeddings().weight.detach().clone()
        for size in (40, 20):
            model.resize_token_embeddings(size, mean_resizing=False)
            assert model.get_input_embeddings().padding_idx == pad_token_id
            assert model.config.vocab_size == size and model.get_input_embeddings().weight.shape == (size, 8)
            assert model.get_input_embeddings().weight[:20].equal(before[:20])
            assert model(torch.tensor([[0, 5, size - 1]])).logits.isfinite().all()

    def test_input_embeddings_can_be_replaced(self):
        model, replacement = tiny_tagger(num_labels=3), nn.Embedding(30, 8)
        model.set_input_embeddings(replacement)
        assert model.get_input_embeddings() is replacement
        ids = torch.tensor([[4, 5]])
        assert model(ids, output_hidden_states=True).hidden_states[0].equal(replacement(ids))

    def test_the_trainer_is_told_that_the_loss_counts_tags_itself(self):
        assert AttnLSTMForTokenClassification.accepts_loss_kwargs is True

    def test_class_weights_are_refused_by_a_crf(self):
        for name, value in (("class_weights", [1.0, 2.0]), ("label_smoothing", 0.1)):
            with pytest.raises(ValueError, match=f"{name} is for tags that are scored by themselves: leave it out"):
                tiny_config(use_crf=True, **{name: value})

    def test_tags_of_another_scheme_are_refused(self):
        with pytest.raises(ValueError, match="'S-A' is none of the scheme bio"):
            tiny_config(id2label=dict(enumerate(TAGS["iobes"])), tagging_scheme="bio")
        config = tiny_config(**BIO)
        config.id2label = {0: "O", 1: "B"}
        config.label2id = {"O": 0, "B": 1}
        with pytest.raises(ValueError, match="'B' is none of the scheme bio"):
            AttnLSTMForTokenClassification(config)


def logits_of(model: nn.Module) -> Tensor:
    with torch.no_grad():
        return model(EVERY_ROLE)[0]


class TestFiles:
    """Saving and loading gives the same model back."""

    @every_tagger
    def test_save_and_load(self, name, tmp_path):
        model = tiny_tagger(**TAGGERS[name])
        model.save_pretrained(tmp_path)
        for loader in (AttnLSTMForTokenClassification, AutoModelForTokenClassification):
            loaded, report = loader.from_pretrained(tmp_path, output_loading_info=True)
            assert type(loaded) is AttnLSTMForTokenClassification and not loaded.training
            assert not any(report.values())
            assert logits_of(loaded).equal(logits_of(model))

    @every_input
    def test_heads_and_the_backbone_load_each_other(self, name, tmp_path):
        base = tiny_tagger(AttnLSTMModel, **BIO, use_crf=True, **INPUTS[name])
        base.save_pretrained(tmp_path / "base")
        loaded, report = AutoModelForTokenClassification.from_pretrained(tmp_path / "base", output_loading_info=True)
        crf = {f"crf.{part}" for part in (*("transitions", "start", "end"), *("may_follow", "may_begin", "may_end"))}
        assert report["missing_keys"] == {"classifier.out_proj.weight", "classifier.out_proj.bias", *crf}
        assert logits_of(loaded.base_model).equal(logits_of(base))
        assert loaded.crf.may_begin.tolist() == [True, True, False, True, False]
        assert logits_of(loaded).isfinite().all()
        loaded.save_pretrained(tmp_path / "head")
        again, report = AutoModel.from_pretrained(tmp_path / "head", output_loading_info=True)
        # What a tagger without context does not have.
        assert all(key.startswith("pooler.") for key in report["missing_keys"])
        assert logits_of(again).equal(logits_of(base))

    def test_shards(self, tmp_path):
        model = tiny_tagger(**TAGGERS["spelt, crf"])
        model.save_pretrained(tmp_path, max_shard_size="3KB")
        assert len(list(tmp_path.glob("*.safetensors"))) > 2
        assert logits_of(AutoModelForTokenClassification.from_pretrained(tmp_path)).equal(logits_of(model))

    @pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
    def test_precision(self, dtype, tmp_path):
        model = tiny_tagger(**TAGGERS["spelt, context"])
        tables = copy.deepcopy(dict(model.attnlstm.embeddings.named_buffers()))
        model.to(dtype).save_pretrained(tmp_path)
        for wanted, got in (("auto", dtype), (dtype, dtype), (torch.float32, torch.float32)):
            loaded = AutoModelForTokenClassification.from_pretrained(tmp_path, dtype=wanted)
            assert {parameter.dtype for parameter in loaded.parameters()} == {got}
            assert logits_of(loaded).dtype == got and logits_of(loaded).isfinite().all()
            # Tables of characters are whole numbers, and numbers of words have 63 bits.
            for name, table in loaded.attnlstm.embeddings.named_buffers():
                assert table.dtype == tables[name].dtype and table.equal(tables[name])
        assert json.loads((tmp_path / "config.json").read_text())["dtype"] == str(dtype).removeprefix("torch.")

    @pytest.mark.parametrize("device_map", ["cpu", "auto"])
    def test_device_map(self, device_map, tmp_path):
        pytest.importorskip("accelerate")
        model = tiny_tagger(**TAGGERS["spelt, crf"])
        model.save_pretrained(tmp_path)
        loaded = AutoModelForTokenClassification.from_pretrained(tmp_path, device_map=device_map)
        assert_near(logits_of(loaded.cpu()), logits_of(model))

    @pytest.mark.parametrize("name", ["spelt, crf", "spelt, context"])
    @pytest.mark.parametrize("copied", [lambda model: pickle.loads(pickle.dumps(model)), copy.deepcopy])
    def test_copies_are_equal_and_independent_at_any_moment(self, copied, name):
        model, batch = tiny_tagger(**TAGGERS[name]).train(), tagged_batch("right")
        optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
        for _ in range(2):
            # Hooks that capture outputs, gradients and the state of an optimiser are there, too.
            model(**batch, output_attentions=True, output_hidden_states=True).loss.backward()
            optimizer.step()
            twin = copied(model)
            assert twin.training and twin.state_dict().keys() == model.state_dict().keys()
            before = logits_of(model.eval())
            assert logits_of(twin.eval()).equal(before)
            with torch.no_grad():
                for parameter in twin.parameters():
                    parameter.add_(1)
            assert logits_of(model).equal(before) and not logits_of(twin).equal(before)
            assert len(twin(EVERY_ROLE, output_hidden_states=True).hidden_states) == 2
            model.train()


# A process in which the package cannot be imported; it loads what was saved, and saves it once more.
WITHOUT = """
import sys
sys.modules["hfattnlstm"] = None
import torch
from transformers import AutoConfig, AutoModel, AutoModelForTokenClassification

ids, expected = torch.load("batch.pt")
for folder in ("first", "second"):
    try:
        AutoModelForTokenClassification.from_pretrained(folder)
    except ValueError as error:
        assert "trust_remote_code=True" in str(error), error
    else:
        raise AssertionError("loaded without trust")
    config = AutoConfig.from_pretrained(folder, trust_remote_code=True)
    assert config.token_inputs[-1] == "vectors" and config.tagging_scheme == "bio"
    model = AutoModelForTokenClassification.from_pretrained(folder, trust_remote_code=True)
    assert type(model).__module__.startswith("transformers_modules.")
    with torch.no_grad():
        logits = model(ids).logits
        states = AutoModel.from_pretrained(folder, trust_remote_code=True)(ids).last_hidden_state
    assert torch.equal(logits, expected[0]) and torch.equal(states, expected[1])
    assert model(ids, n_best=1).sequences.shape == (2, 1, 9)
    model.save_pretrained("second")
"""


def test_a_checkpoint_loads_where_the_package_cannot_be_imported(tmp_path):
    model = tiny_tagger(**TAGGERS["spelt, crf"])
    with torch.no_grad():
        expected = logits_of(model), model.attnlstm(EVERY_ROLE).last_hidden_state
    torch.save((EVERY_ROLE, expected), tmp_path / "batch.pt")
    model.save_pretrained(tmp_path / "first")
    config = json.loads((tmp_path / "first" / "config.json").read_text())
    assert config["custom_pipelines"]["attention-token-classification"]["pt"] == ["AutoModelForTokenClassification"]
    run_python(WITHOUT, {"HF_HUB_OFFLINE": "1", "HF_MODULES_CACHE": str(tmp_path / "modules")}, tmp_path)


@pytest.mark.parametrize("options", [{}, SPELLING, TAGGERS["spelt, crf"]], ids=["plain", "spelt", "everything"])
def test_a_new_model_tags_at_once(options):
    """Before anything is known of how words are spelt."""
    model = prepared(AttnLSTMForTokenClassification(AttnLSTMConfig(**{"vocab_size": 30, **options})).eval())
    logits = model(EVERY_ROLE).logits
    assert logits.shape == (2, 9, model.config.num_labels) and logits.isfinite().all()
    if model.crf is not None:
        assert math.isclose(logits[0, 1].exp().sum().item(), 1, abs_tol=1e-5)
    assert tiny_model(AttnLSTMForTokenClassification, num_labels=4).num_labels == 4

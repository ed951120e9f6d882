"""What taggers, and the layers below them, promise on padding, masks and places without a tag."""

from __future__ import annotations

import pytest
import torch
from modeling_helpers import ROWS, array, assert_near, exact_backbone, ids_of, mask_of, numpy_stack
from tagger_helpers import BIO, IGNORED, INPUTS, TAGGERS, tagged_batch, tiny_tagger
from torch import Tensor

from hfattnlstm import AttnLSTMModel
from hfattnlstm.modeling import lstm_backends
from hfattnlstm.modeling.lstm_backends import read_with_torch
from hfattnlstm.modeling.reading_order import reading_order


every_tagger = pytest.mark.parametrize("name", TAGGERS)
every_padding = pytest.mark.parametrize("kind", ["right", "left", "holes"])
every_mask = pytest.mark.parametrize("kind", ["right", "left", "holes", "empty"])


def batch_of(kind: str) -> tuple[Tensor, Tensor]:
    """Tokens of every role; the first may spell something on."""
    mask = mask_of(kind)
    return torch.randint(0, 30, mask.shape), mask


class TestPadding:
    """What is masked must not be there."""

    @pytest.mark.parametrize("training", [False, True])
    @every_padding
    @every_tagger
    def test_every_row_gives_the_logits_it_gives_alone(self, name, kind, training):
        options = dict.fromkeys(("embedding_dropout", "hidden_dropout_prob", "classifier_dropout"), 0)
        model = tiny_tagger(**TAGGERS[name], **options).train(training)
        ids, mask = batch_of(kind)
        context = "context" in name
        with torch.no_grad():
            together = model(ids, mask, output_attentions=context)
            for row, kept in enumerate(mask):
                alone = model(ids[row, kept][None], output_attentions=context)
                assert_near(together.logits[row, kept], alone.logits[0], 2e-5)
                if context:
                    assert_near(together.attentions[-1][row, :, 0, kept], alone.attentions[-1][0, :, 0])

    @every_mask
    @every_tagger
    def test_ids_under_the_mask_and_more_padding_change_nothing(self, name, kind):
        model = tiny_tagger(**TAGGERS[name])
        ids, mask = batch_of(kind)
        with torch.no_grad():
            expected = model(ids, mask).logits
            assert model(ids.where(mask, (ids + 7) % 30), mask).logits.equal(expected)
            pad, none = torch.zeros(len(ids), 3, dtype=torch.long), torch.zeros(len(ids), 3, dtype=torch.bool)
            after = model(torch.cat([ids, pad], 1), torch.cat([mask, none], 1)).logits[:, :9]
            before = model(torch.cat([pad, ids], 1), torch.cat([none, mask], 1)).logits[:, 3:]
        assert_near(after[mask], expected[mask], 1e-5)
        assert_near(before[mask], expected[mask], 1e-5)

    @every_tagger
    def test_no_mask_is_a_mask_of_ones(self, name):
        model = tiny_tagger(**TAGGERS[name])
        ids, mask = batch_of("full")
        assert_near(model(ids).logits, model(ids, mask).logits)

    @pytest.mark.parametrize("name", ["plain", "spelt, context"])
    @every_mask
    @pytest.mark.parametrize("dtype", [torch.int32, torch.int64, torch.float32, torch.bfloat16, torch.float16])
    def test_masks_of_every_type(self, dtype, kind, name):
        model = tiny_tagger(**TAGGERS[name])
        ids, mask = batch_of(kind)
        assert model(ids, mask.to(dtype)).logits.equal(model(ids, mask).logits)

    @every_tagger
    def test_a_row_without_tokens_is_harmless(self, name):
        model = tiny_tagger(**TAGGERS[name])
        batch = tagged_batch("empty")
        asked = {"output_attentions": True} if "context" in name else {}
        outputs = model(**batch, **asked)
        assert outputs.logits.isfinite().all()
        if asked:
            assert not outputs.attentions[-1][1].any()
        outputs.loss.backward()
        assert all(parameter.grad.isfinite().all() for parameter in model.parameters())
        rest = {key: tensor[[0, 2, 3]] for key, tensor in batch.items()}
        assert_near(outputs.logits[[0, 2, 3]], model(**rest).logits, 1e-5)
        assert_near(outputs.loss, model(**rest).loss, 1e-5)

    @every_tagger
    def test_a_batch_of_nothing_but_padding(self, name):
        model = tiny_tagger(**TAGGERS[name])
        mask = torch.zeros(2, 4, dtype=torch.bool)
        outputs = model(ids_of(mask), mask, labels=torch.full((2, 4), IGNORED))
        outputs.loss.backward()
        assert outputs.loss == 0 and outputs.logits.isfinite().all()
        gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
        assert gradients and all(gradient.isfinite().all() for gradient in gradients)

    @pytest.mark.parametrize(("batch", "length"), [(2, 0), (0, 4), (0, 0)])
    @every_tagger
    def test_batches_without_rows_or_without_columns(self, name, batch, length):
        model = tiny_tagger(**TAGGERS[name])
        ids = torch.zeros(batch, length, dtype=torch.long)
        embedded = torch.zeros(batch, length, model.config.input_size)
        labels = torch.full((batch, length), IGNORED)
        for outputs in (
            model(ids, labels=labels),
            model(ids, torch.ones_like(ids), labels=labels),
            model(inputs_embeds=embedded, labels=labels),
        ):
            assert outputs.logits.shape == (batch, length, model.config.num_labels)
            assert outputs.loss == 0
        if model.crf is not None:
            assert model(ids, n_best=2).sequences.shape == (batch, 2, length)


class TestPlacesWithoutATag:
    """A label of -100 leaves a token out of the loss, not out of the text."""

    @every_mask
    @pytest.mark.parametrize("name", ["plain", "crf"])
    def test_the_loss_is_that_of_the_places_that_count(self, name, kind):
        model = tiny_tagger(**TAGGERS[name]).double()
        batch = tagged_batch(kind)
        outputs = model(**batch)
        states = model.attnlstm(batch["input_ids"], batch["attention_mask"]).last_hidden_state
        emissions, counted = model.classifier(states), batch["labels"] != IGNORED
        if model.crf is None:
            expected = torch.nn.functional.cross_entropy(emissions[counted], batch["labels"][counted])
        else:
            total = 0.0
            for row, kept in enumerate(counted):
                if kept.any():
                    own, tags = emissions[row, kept][None], batch["labels"][row, kept][None]
                    total = total - model.crf.log_likelihood(own, tags, torch.ones_like(tags, dtype=torch.bool)).sum()
            expected = total / counted.sum()
        assert_near(outputs.loss, expected, 1e-9)

    def test_tags_behind_a_left_out_place_follow_those_before_it(self):
        """As if the words between them were not there, wherever they stand."""
        model = tiny_tagger(**BIO, use_crf=True).double()
        emissions = torch.randn(1, 6, 5, dtype=torch.float64)
        labels = torch.tensor([[IGNORED, 1, IGNORED, IGNORED, 2, IGNORED]])
        assert model._loss(emissions, labels, None).isfinite()
        kept = torch.tensor([1, 4])
        assert_near(model._loss(emissions, labels, None), model._loss(emissions[:, kept], labels[:, kept], None))
        # I-A may not begin a sentence.
        assert model._loss(emissions, torch.tensor([[IGNORED, IGNORED, 2, 0, 0, 0]]), None).isinf()

    @pytest.mark.parametrize("name", ["plain", "crf"])
    def test_what_counts_for_the_mean(self, name):
        model, batch = tiny_tagger(**TAGGERS[name]), tagged_batch("holes")
        count = int((batch["labels"] != IGNORED).sum())
        loss = model(**batch).loss
        assert_near(model(**batch, num_items_in_batch=2 * count).loss * 2, loss)
        assert_near(model(**batch, num_items_in_batch=torch.tensor(count)).loss, loss)


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The steps of each LSTM, as a list that grows; those over characters are left out."""
    steps: list[int] = []
    original = lstm_backends.run_lstm

    def counting(lstm, inputs, *rest):
        if lstm.hidden_size > 3:
            steps.append(len(inputs))
        return original(lstm, inputs, *rest)

    monkeypatch.setattr(lstm_backends, "run_lstm", counting)
    return steps


class TestTrailingPadding:
    """Steps behind the longest text are not taken, and nobody sees it."""

    @pytest.mark.parametrize("padding", [0, 1, 5])
    @pytest.mark.parametrize("kind", ROWS)
    def test_states_are_those_of_numpy(self, kind, padding, taken):
        model = exact_backbone(num_hidden_layers=2, direction_merge="weighted")
        mask = torch.cat([mask_of(kind)[1:], torch.zeros(len(ROWS[kind]) - 1, padding, dtype=torch.bool)], 1)
        ids = torch.randint(1, 30, mask.shape)
        with torch.no_grad():
            outputs = model(ids, mask, output_state=True)
        assert taken == [max(int(mask.sum(1).max()), 1)] * 4
        words = array(model.embeddings.word_embeddings.weight)
        for row, kept in enumerate(mask):
            if not kept.any():
                continue
            states, _ = numpy_stack(model, words[array(ids[row, kept])], 2, True, "weighted", False)
            assert_near(outputs.last_hidden_state[row, kept], states)
        assert not outputs.last_hidden_state[~mask].any()

    @pytest.mark.parametrize("kind", ROWS)
    def test_all_that_is_returned_equals_what_all_steps_give(self, kind, monkeypatch, taken):
        mask = torch.cat([mask_of(kind), torch.zeros(len(ROWS[kind]), 4, dtype=torch.bool)], 1)
        ids, results = torch.randint(1, 30, mask.shape), []
        for all_steps in (False, True):
            if all_steps:
                monkeypatch.setattr(lstm_backends, "_steps", lambda order, inputs: len(inputs))
            model = exact_backbone(num_hidden_layers=2, classifier_pooling=["last", "max", "attention"])
            taken.clear()
            outputs = model(ids, mask, output_state=True, output_attentions=True, output_hidden_states=True)
            outputs.pooler_output.square().sum().backward()
            gradients = [parameter.grad for parameter in model.parameters()]
            results.append([*outputs.hidden_states, outputs.pooler_output, *outputs.state, *gradients])
            assert taken == [13 if all_steps else 9] * 4
        for one, other in zip(*results):
            assert_near(one, other, 1e-12)

    def test_the_columns_of_the_states_stay(self):
        backbone = exact_backbone()
        layer = backbone.encoder.layers[0]
        mask = torch.tensor([[True, True, False, False], [False, True, False, False]])
        inputs = torch.randn(4, 2, 8, dtype=torch.float64)
        order = reading_order(mask)
        found = read_with_torch([layer.forward_lstm, layer.backward_lstm], inputs, order, None, True)
        assert found.states.shape == (2, 4, 2, 6) and found.hidden.shape == found.cell.shape == (2, 2, 6)

    @pytest.mark.parametrize("name", INPUTS)
    def test_words_that_are_spelt_to_the_end(self, name, taken):
        """Then the steps are fewer than the tokens, without any padding."""
        model = tiny_tagger(AttnLSTMModel, **INPUTS[name]).double()
        ids = torch.tensor([[6, 18, 19, 20, 21], [7, 6, 18, 18, 18]])
        model(ids)
        assert taken == [5 if name == "word" else 2] * 2

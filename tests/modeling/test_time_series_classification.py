"""Classifiers and regressors of whole series: against NumPy, on masks, outputs, losses and refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from forecaster_helpers import (
    COVARIATES,
    GAPS,
    NO_DROPOUT,
    exact_series_model,
    numpy_head,
    numpy_rows,
    numpy_static,
    series_batch,
    series_config,
    series_model,
    series_of_row,
)
from forecaster_options import TRANSFORMER
from modeling_helpers import array, assert_near
from torch import Tensor

from hfattnlstm import AttnLSTMForTimeSeriesClassification
from hfattnlstm.modeling.losses import classification_loss
from hfattnlstm.modeling.pooling import attention_penalty


SINGLE, MULTI, REGRESSION = "single_label_classification", "multi_label_classification", "regression"
MODELS: dict[str, dict[str, Any]] = {
    "default": {},
    "mixed channels": {"mix_channels": True, "num_labels": 4, "instance_scale": "std"},
    "covariates": {**COVARIATES, "classifier_hidden_size": 5},
    "covariates, mixed channels": {**COVARIATES, "mix_channels": True, "pooling": ["last", "attention"]},
    "convolution": {"front": "convolution", "pooler_score": "general", "pooler_num_heads": 2},
    "both directions": {"bidirectional": True, "pooling": ["attention", "max"], "num_hidden_layers": 2},
    "transformer": {**TRANSFORMER, "pooler_score": "dot"},
    "no attention": {"pooling": ["max", "last"]},
}
every_model = pytest.mark.parametrize("name", MODELS)
every_gap = pytest.mark.parametrize("kind", GAPS)


def classifier(**options: Any) -> Any:
    return series_model(AttnLSTMForTimeSeriesClassification, **options)


def batch_for(model: Any, kind: str = "inside", exact: bool = False) -> dict[str, Tensor]:
    return series_batch(model, kind, exact=exact, future=False)


@every_gap
@every_model
def test_every_series_gets_the_logits_that_numpy_gives_it(name, kind):
    model = exact_series_model(AttnLSTMForTimeSeriesClassification, **MODELS[name])
    backbone, batch = model.attnlstm_forecaster, batch_for(model, kind, exact=True)
    with torch.no_grad():
        outputs = model(**batch, output_attentions=True)
    assert outputs.logits.shape == (len(batch["past_values"]), MODELS[name].get("num_labels", 2))
    for index in range(len(outputs.logits)):
        series = series_of_row(batch, index)
        rows, _ = numpy_rows(backbone, series)
        pooled = np.concatenate([row.pooled for row in rows] + [numpy_static(backbone, series)])
        assert_near(outputs.logits[index], numpy_head(model.classifier, pooled), 1e-9)
        for mine, theirs in zip(outputs.attentions, zip(*(row.attentions for row in rows)), strict=True):
            assert_near(mine[index], np.concatenate(theirs), 1e-9)


class TestMasks:
    """What is missing must not be there."""

    @every_gap
    @every_model
    def test_values_under_the_mask_change_nothing(self, name, kind):
        model = classifier(**MODELS[name])
        batch = batch_for(model, kind)
        mask, expected = batch["past_observed_mask"], model(**batch).logits
        for hidden in (torch.randn(mask.shape), torch.nan, torch.inf):
            others = batch | {"past_values": torch.where(mask, batch["past_values"], hidden)}
            assert model(**others).logits.equal(expected)
        for dtype in (torch.int64, torch.bfloat16):
            assert model(**batch | {"past_observed_mask": mask.to(dtype)}).logits.equal(expected)
        nan = batch | {"past_values": torch.where(mask, batch["past_values"], torch.nan), "past_observed_mask": None}
        assert model(**nan).logits.equal(expected)

    @every_model
    def test_a_shorter_series_is_one_that_begins_later(self, name):
        model = exact_series_model(AttnLSTMForTimeSeriesClassification, **MODELS[name])
        batch = batch_for(model, "full", exact=True)
        short = {key: each[:, -5:] if key.startswith("past_") else each for key, each in batch.items()}
        batch["past_observed_mask"][:, :-5] = False
        assert_near(model(**short).logits, model(**batch).logits, 1e-9)

    @every_model
    def test_a_series_of_nothing_is_harmless(self, name):
        model = classifier(**MODELS[name]).train()
        batch = batch_for(model, "everything")
        outputs = model(**batch, labels=torch.tensor([0, 1, 1]), output_attentions=True)
        assert outputs.logits.isfinite().all()
        assert not any(weights[0].any() for weights in outputs.attentions)
        outputs.loss.backward()
        assert all(parameter.grad.isfinite().all() for parameter in model.parameters())


class TestOutputs:
    """What comes back, and on whose request."""

    def test_only_logits_and_the_loss_by_default(self):
        model = classifier()
        batch = batch_for(model)
        assert list(model(**batch)) == ["logits"]
        assert list(model(**batch, labels=torch.tensor([0, 1, 1]))) == ["loss", "logits"]

    @pytest.mark.parametrize("what", ["hidden_states", "attentions"])
    @pytest.mark.parametrize("name", ["default", "transformer"])
    def test_asked_for_by_argument_or_config_and_the_argument_wins(self, name, what):
        silent, talkative = classifier(**MODELS[name]), classifier(**MODELS[name], **{f"output_{what}": True})
        batch = batch_for(silent)
        asked, refused = {f"output_{what}": True}, {f"output_{what}": False}
        assert what not in silent(**batch)
        assert what in talkative(**batch)
        assert what not in talkative(**batch, **refused)
        one, other = getattr(talkative(**batch), what), getattr(silent(**batch, **asked), what)
        assert len(one) == len(other) == (2 if name == "transformer" or what == "hidden_states" else 1)
        assert all(mine.equal(theirs) for mine, theirs in zip(one, other))
        assert silent(**batch, **asked).logits.equal(silent(**batch).logits)

    @pytest.mark.parametrize("configured", [False, True])
    def test_tuples_hold_what_dicts_hold(self, configured):
        options = {"return_dict": False} if configured else {}
        model = classifier(**options)
        batch = {**batch_for(model), "labels": torch.tensor([0, 1, 1]), "output_attentions": True}
        expected = classifier()(**batch)
        outputs = model(**batch) if configured else model(**batch, return_dict=False)
        assert isinstance(outputs, tuple) and len(outputs) == len(expected) == 3
        assert outputs[0].equal(expected.loss) and outputs[1].equal(expected.logits)
        assert outputs[2][0].equal(expected.attentions[0])
        assert not isinstance(model(**batch, return_dict=True), tuple)


class TestLoss:
    """As that of the text classifier."""

    @pytest.mark.parametrize("penalties", [{}, {"pooler_l2_coef": 0.1, "pooler_diversity_coef": 0.2}], ids=str)
    @pytest.mark.parametrize("problem_type", [SINGLE, MULTI, REGRESSION])
    def test_it_is_that_of_the_problem_type_with_the_penalties(self, problem_type, penalties):
        weights = {} if problem_type == REGRESSION else {"class_weights": [1.0, 2.0, 0.5], "label_smoothing": 0.1}
        model = classifier(problem_type=problem_type, num_labels=3, pooler_num_heads=2, **weights, **penalties)
        batch = batch_for(model, "everything")
        labels = torch.tensor([0, 2, 1]) if problem_type == SINGLE else torch.rand(3, 3)
        outputs = model(**batch, labels=labels, output_attentions=True)
        expected = classification_loss(outputs.logits, labels, problem_type, *weights.values())
        if penalties:
            by_row = outputs.attentions[-1].view(6, 2, 1, -1)
            expected = expected + attention_penalty(by_row, l2=0.1, diversity=0.2)
        assert_near(outputs.loss, expected)

    def test_one_label_is_a_regression(self):
        model = classifier(num_labels=1, problem_type=REGRESSION)
        batch = batch_for(model)
        outputs = model(**batch, labels=torch.tensor([0.5, 1.0, -1.0]))
        expected = (outputs.logits[:, 0] - torch.tensor([0.5, 1.0, -1.0])).square().mean()
        assert_near(outputs.loss, expected)

    @pytest.mark.parametrize(
        "options",
        [{}, {"mix_channels": True, "problem_type": MULTI}, {"pooling": "last"}],
        ids=str,
    )
    def test_a_batch_can_be_overfitted(self, options):
        torch.manual_seed(0)
        model = AttnLSTMForTimeSeriesClassification(series_config(num_labels=3, **options, **NO_DROPOUT)).train()
        batch = {"past_values": torch.randn(4, 12, 2), "labels": torch.tensor([0, 1, 2, 1])}
        if options.get("problem_type") == MULTI:
            batch["labels"] = torch.nn.functional.one_hot(batch["labels"], 3).float()
        optimizer = torch.optim.Adam(model.parameters(), lr=0.03)
        start = model(**batch).loss.item()
        for _ in range(90):
            optimizer.zero_grad()
            model(**batch).loss.backward()
            optimizer.step()
        assert model(**batch).loss.item() < 0.05 < start


class TestRefusals:
    """What cannot be gets a sentence."""

    def test_an_autoregressive_decoder(self):
        with pytest.raises(
            ValueError, match='decoding="autoregressive" makes forecasts: leave it out for a classifier'
        ):
            classifier(decoding="autoregressive")

    @pytest.mark.parametrize(
        ("labels", "sentence"),
        [
            (torch.tensor([0, 1]), r"labels of shape \(2,\) do not fit"),
            (torch.tensor([0, 1, 2]), "labels holds 2, but the model has 2 labels"),
        ],
    )
    def test_labels_that_do_not_fit(self, labels, sentence):
        model = classifier()
        with pytest.raises(ValueError, match=sentence):
            model(**batch_for(model), labels=labels)

    @pytest.mark.parametrize(
        ("changes", "sentence"),
        [
            ({"past_values": (3, 12, 1)}, r"past_values must have the shape \(batch, length, 2\)"),
            ({"past_time_features": None}, "reads past_time_features: give it"),
            ({"static_real_features": (3, 1)}, r"static_real_features must have the shape \(batch, 3\)"),
            ({"static_categorical_features": None}, "reads static_categorical_features: give it"),
        ],
    )
    def test_inputs_that_do_not_fit(self, changes, sentence):
        model = classifier(**COVARIATES)
        batch = batch_for(model)
        for name, shape in changes.items():
            batch[name] = None if shape is None else torch.zeros(shape)
        with pytest.raises(ValueError, match=sentence):
            model(**batch)


def test_the_backbone_is_that_of_the_forecaster():
    model = classifier()
    assert model.base_model is model.attnlstm_forecaster
    pooled = model.base_model(**batch_for(model)).pooler_output
    assert_near(model(**batch_for(model)).logits, model.classifier(pooled.flatten(1)))
    assert model.classifier.out_proj.in_features == 2 * 8


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@every_model
def test_half_precision(name, dtype):
    model = classifier(**MODELS[name]).train(False)
    batch = {**batch_for(model, "everything"), "labels": torch.tensor([0, 1, 1])}
    exact = model(**batch)
    rough = model.to(dtype)(**batch)
    assert rough.logits.dtype == dtype and rough.loss.dtype == torch.float32
    assert_near(rough.logits.float(), exact.logits, 0.15)
    rough.loss.backward()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())


def test_a_model_that_reads_vectors():
    """Steps of eight channels, one a segment: what another network has made of each."""
    model = exact_series_model(
        AttnLSTMForTimeSeriesClassification,
        num_input_channels=8,
        mix_channels=True,
        segment_length=1,
        instance_center="none",
    )
    vectors = torch.randn(2, 12, 8, dtype=torch.float64)
    front = model.attnlstm_forecaster.front.projection
    read = model(vectors, output_hidden_states=True).hidden_states[0]
    assert_near(read, np.maximum(array(front(vectors)), 0), 1e-12)

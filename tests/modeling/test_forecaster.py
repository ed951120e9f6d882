"""The forecaster against NumPy, for every option and every kind of gap, and what it promises on its outputs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from forecaster_helpers import (
    CHANNELS,
    CONTEXT,
    FUTURE,
    SEGMENT,
    exact_series_model,
    forecast_of,
    future_of,
    numpy_forecast,
    numpy_rows,
    series_batch,
    series_model,
    series_of_row,
    training_batch,
    without_future,
)
from forecaster_options import AUTO, MODELS, QUANTILES, TRANSFORMER, every_gap, every_model
from modeling_helpers import array, assert_near

from hfattnlstm import AttnLSTMForecasterModel, AttnLSTMForTimeSeriesPrediction


BOTH = [AttnLSTMForecasterModel, AttnLSTMForTimeSeriesPrediction]


@every_gap
@every_model
def test_every_series_gets_the_forecast_that_numpy_gives_it(name, kind):
    model = exact_series_model(**MODELS[name])
    batch = series_batch(model, kind)
    with torch.no_grad():
        outputs = model(**batch, output_attentions=True)
    found = forecast_of(outputs)
    for row in range(len(found)):
        with np.errstate(over="ignore"):  # by the only value of a series that has no spread
            expected = numpy_forecast(model, series_of_row(batch, row))
        values = np.stack(expected.values, -1) if isinstance(expected.values, tuple) else expected.values
        assert_near(found[row], values, 1e-9 * max(1, np.abs(values).max()))
        assert_near(outputs.loc[row, 0], expected.scaled.loc, 1e-12)
        assert_near(outputs.scale[row, 0], expected.scaled.scale, 1e-12)
        assert len(outputs.attentions) == len(expected.attentions)
        for mine, theirs in zip(outputs.attentions, expected.attentions):
            assert_near(mine[row], theirs, 1e-9)


@every_gap
@every_model
def test_every_series_is_read_as_numpy_reads_it(name, kind):
    model = exact_series_model(AttnLSTMForecasterModel, **MODELS[name])
    batch = series_batch(model, kind, future=False)
    with torch.no_grad():
        outputs = model(**batch, output_hidden_states=True)
    for index in range(len(batch["past_values"])):
        with np.errstate(over="ignore"):  # by the only value of a series that has no spread
            rows, _ = numpy_rows(model, series_of_row(batch, index))
        for position, row in enumerate(rows):
            place = (index,) if model.config.mix_channels else (index, position)
            assert_near(outputs.last_hidden_state[place], row.states, 1e-9)
            if row.pooled is not None:
                assert_near(outputs.pooler_output[place], row.pooled, 1e-9)
            layers = row.layers if not model.config.context_layers else [*row.layers[:-1], row.states]
            assert len(outputs.hidden_states) == len(layers) == model.config.num_hidden_layers + 1
            for mine, theirs in zip(outputs.hidden_states, layers):
                assert_near(mine[place], theirs, 1e-9 * max(1, np.abs(theirs).max()))


def test_the_last_values_missing_does_not_make_the_forecast_forget_the_rest():
    model = exact_series_model(context_layers=["attention"], pooling="last", instance_center="none")
    batch = series_batch(model, "full")
    batch["past_observed_mask"][:, -SEGMENT:] = False
    one = model(**batch).prediction_outputs
    batch["past_values"][:, : 2 * SEGMENT] += 1
    assert not torch.allclose(one, model(**batch).prediction_outputs, atol=1e-6)


class TestOutputs:
    """What comes back, and on whose request."""

    def test_only_the_forecast_and_the_loss_by_default(self):
        model = series_model()
        batch = training_batch(model)
        assert list(model(**batch)) == ["loss", "prediction_outputs", "loc", "scale"]
        del batch["future_values"]
        assert list(model(**batch)) == ["prediction_outputs", "loc", "scale"]
        assert model(**batch).prediction_outputs.shape == (3, FUTURE, CHANNELS)
        backbone = model.attnlstm_forecaster
        assert list(backbone(**batch)) == ["last_hidden_state", "pooler_output", "loc", "scale"]

    def test_quantiles_rise_and_the_forecast_is_their_median(self):
        model = series_model(loss="quantile", quantiles=[0.2, 0.5, 0.6, 0.9])
        outputs = model(**series_batch(model, exact=False))
        assert list(outputs) == ["prediction_outputs", "quantile_outputs", "loc", "scale"]
        assert outputs.quantile_outputs.shape == (3, FUTURE, CHANNELS, 4)
        assert outputs.quantile_outputs.diff(dim=-1).ge(0).all()
        assert outputs.prediction_outputs.equal(outputs.quantile_outputs[..., 1])

    @pytest.mark.parametrize(("name", "count"), [("student_t", 3), ("normal", 2)])
    def test_a_distribution_comes_as_its_parameters(self, name, count):
        model = series_model(loss="nll", distribution_output=name)
        outputs = model(**series_batch(model, exact=False))
        assert list(outputs) == ["prediction_outputs", "loc", "scale"]
        assert [part.shape for part in outputs.prediction_outputs] == [(3, FUTURE, CHANNELS)] * count
        assert outputs.prediction_outputs[-1].gt(0).all()

    @pytest.mark.parametrize("mixed", [False, True])
    @pytest.mark.parametrize("layers", [1, 3])
    @pytest.mark.parametrize("model_class", BOTH)
    def test_hidden_states(self, model_class, layers, mixed):
        model = series_model(model_class, num_hidden_layers=layers, mix_channels=mixed)
        batch = series_batch(model, "short", exact=False)
        states = model(**batch, output_hidden_states=True).hidden_states
        assert isinstance(states, tuple)
        assert len(states) == layers + 1
        rows = (3,) if mixed else (3, CHANNELS)
        assert [entry.shape for entry in states] == [(*rows, 4, 6)] + [(*rows, 4, 8)] * layers
        assert states[-1].equal(model.base_model(**batch).last_hidden_state)

    @pytest.mark.parametrize("options", [{}, AUTO, {**TRANSFORMER, **AUTO}, TRANSFORMER], ids=str)
    @pytest.mark.parametrize("what", ["hidden_states", "attentions"])
    def test_asked_for_by_argument_or_config_and_the_argument_wins(self, what, options):
        silent, talkative = series_model(**options), series_model(**options, **{f"output_{what}": True})
        batch = series_batch(silent, exact=False)
        asked, refused = {f"output_{what}": True}, {f"output_{what}": False}
        assert what not in silent(**batch)
        assert what in silent(**batch, **asked)
        assert what in talkative(**batch)
        assert what not in talkative(**batch, **refused)
        one, other = getattr(talkative(**batch), what), getattr(silent(**batch, **asked), what)
        assert len(one) == len(other)
        assert all(mine.equal(theirs) for mine, theirs in zip(one, other))
        expected = silent(**batch).prediction_outputs
        assert silent(**batch, **asked).prediction_outputs.equal(expected)

    @every_gap
    @every_model
    def test_attentions_sum_to_one_over_the_steps_with_a_value(self, name, kind):
        model = series_model(**MODELS[name])
        batch = series_batch(model, kind, exact=False)
        outputs = model(**batch, output_attentions=True, output_hidden_states=True)
        reading = model.attnlstm_forecaster(**without_future(batch), output_reading=True).reading
        steps = reading.mask.shape[1]
        attended = "attention" in model.config.poolings or model.config.decoding == "autoregressive"
        assert len(outputs.attentions) == len(model.config.context_layers or ()) + attended
        for layer, weights in enumerate(outputs.attentions):
            context = layer < len(model.config.context_layers or ())
            heads = model.config.num_attention_heads if context else model.config.pooler_num_heads
            queries = steps if context else weights.shape[2]
            mask = reading.mask.view(len(weights), -1, 1, 1, steps)
            each = weights.view(*mask.shape[:2], heads, queries, steps)
            assert not each.masked_select(~mask).any()
            real = mask.any(-1).expand(each.shape[:-1])
            if context:
                real = real & mask.squeeze(-2).unsqueeze(-1).squeeze(-1)
            assert_near(each.sum(-1), real.float())
        assert forecast_of(outputs).equal(forecast_of(model(**batch)))

    @pytest.mark.parametrize("options", [{}, AUTO, {"loss": "nll"}, QUANTILES], ids=str)
    @pytest.mark.parametrize("configured", [False, True])
    def test_tuples_hold_what_dicts_hold(self, configured, options):
        model = series_model(**options)
        batch = {**training_batch(model), "output_hidden_states": True, "output_attentions": True}
        expected = model(**batch)
        if configured:
            outputs = series_model(return_dict=False, **options)(**batch)
        else:
            outputs = model(**batch, return_dict=False)
        assert isinstance(outputs, tuple)
        assert len(outputs) == len(expected)
        for mine, theirs in zip(outputs, expected.values()):
            pairs = zip(mine, theirs) if isinstance(theirs, tuple) else [(mine, theirs)]
            assert all(one.equal(other) for one, other in pairs)
        assert not isinstance(series_model(return_dict=False, **options)(**batch, return_dict=True), tuple)

    def test_tuples_of_the_backbone_hold_what_its_dicts_hold(self):
        model = series_model(AttnLSTMForecasterModel)
        batch = series_batch(model, exact=False)
        expected = model(**batch, output_attentions=True)
        for outputs in (
            model(**batch, output_attentions=True, return_dict=False),
            series_model(AttnLSTMForecasterModel, return_dict=False)(**batch, output_attentions=True),
        ):
            assert isinstance(outputs, tuple) and len(outputs) == len(expected) == 5
            for mine, theirs in zip(outputs, expected.values()):
                assert mine[0].equal(theirs[0])

    def test_what_is_no_forecast_is_left_out_of_predictions(self):
        expected = ["hidden_states", "attentions", "loc", "scale"]
        assert series_model().config.keys_to_ignore_at_inference == expected

    @pytest.mark.parametrize("options", [{}, AUTO], ids=str)
    @pytest.mark.parametrize("asked", [{}, {"output_attentions": True}, {"output_attentions": False}], ids=str)
    def test_a_penalty_returns_attentions_only_on_request(self, asked, options):
        for configured in (False, True):
            model = series_model(pooler_l2_coef=0.1, output_attentions=configured, **options)
            outputs = model(**training_batch(model), **asked)
            assert ("attentions" in outputs) == asked.get("output_attentions", configured)

    def test_what_a_trainer_adds_is_accepted(self):
        model = series_model()
        batch = training_batch(model)
        assert model(**batch, num_items_in_batch=torch.tensor(4)).loss.equal(model(**batch).loss)

    def test_the_prefix_is_the_attribute(self):
        model = series_model()
        assert model.base_model_prefix == "attnlstm_forecaster"
        assert model.base_model is model.attnlstm_forecaster
        assert model.main_input_name == "past_values"


class TestPoolingLayer:
    """It is optional, and a decoder that attends by itself has none."""

    def test_a_model_without_it_carries_none_of_its_parameters(self):
        model = series_model(AttnLSTMForecasterModel)
        bare = AttnLSTMForecasterModel(model.config, add_pooling_layer=False).eval()
        assert not [name for name in bare.state_dict() if "pooler" in name]
        report = bare.load_state_dict(model.state_dict(), strict=False)
        assert not report.missing_keys and all(name.startswith("pooler.") for name in report.unexpected_keys)
        batch = series_batch(model, exact=False)
        outputs = bare(**batch, output_attentions=True)
        assert "pooler_output" not in outputs
        assert not outputs.attentions
        assert outputs.last_hidden_state.equal(model(**batch).last_hidden_state)

    def test_an_autoregressive_decoder_has_none(self):
        model = series_model(AttnLSTMForecasterModel, **AUTO)
        assert model.pooler is None
        assert "pooler_output" not in model(**series_batch(model, exact=False))


class TestLinearForecast:
    """One that was found elsewhere is added."""

    @pytest.mark.parametrize("options", [{}, QUANTILES, {"loss": "nll", "instance_scale": "std"}], ids=str)
    def test_it_is_added_to_a_share_of_the_recurrent_one(self, options, tmp_path):
        model = exact_series_model(**options)
        batch = series_batch(model)
        weight, bias = torch.randn(FUTURE, CONTEXT).double(), torch.randn(FUTURE).double()
        model.set_linear_forecast(weight, bias, recurrent_share=0.25)
        assert model.config.linear_forecast and model.config.recurrent_share == 0.25
        found = forecast_of(model(**batch))
        for row in range(3):
            expected = numpy_forecast(model, series_of_row(batch, row)).values
            assert_near(found[row], np.stack(expected, -1) if isinstance(expected, tuple) else expected, 1e-9)
        model.save_pretrained(tmp_path)
        loaded = AttnLSTMForTimeSeriesPrediction.from_pretrained(tmp_path, dtype=torch.float64)
        assert_near(forecast_of(loaded(**batch)), found, 1e-9)
        # Alone, and once more.
        model.set_linear_forecast(2 * weight, bias, recurrent_share=0)
        assert model.linear.weight.equal(2 * weight)

    def test_alone_it_is_the_forecast(self):
        model = exact_series_model(instance_center="mean", instance_scale="std")
        weight, bias = torch.randn(FUTURE, CONTEXT).double(), torch.randn(FUTURE).double()
        model.set_linear_forecast(weight, bias, recurrent_share=0)
        values = series_batch(model, "full")["past_values"]
        centre, spread = values.mean(1, keepdim=True), values.std(1, correction=0, keepdim=True)
        expected = (weight @ ((values - centre) / spread) + bias[:, None]) * spread + centre
        assert_near(model(values).prediction_outputs, expected, 1e-9)

    def test_it_has_the_dtype_of_the_model(self):
        model = series_model().to(torch.bfloat16)
        model.set_linear_forecast(torch.randn(FUTURE, CONTEXT), torch.randn(FUTURE), recurrent_share=1)
        assert {parameter.dtype for parameter in model.parameters()} == {torch.bfloat16}

    @pytest.mark.parametrize(
        ("options", "share", "sentence"),
        [
            ({}, -0.5, "recurrent_share must not be negative"),
            (MODELS["negative_binomial"], 1, "linear_forecast has no place in a negative binomial"),
        ],
        ids=["share", "counts"],
    )
    def test_what_cannot_be_is_refused_and_leaves_the_model_as_it_was(self, options, share, sentence):
        model = series_model(**options)
        with pytest.raises(ValueError, match=sentence):
            model.set_linear_forecast(torch.zeros(FUTURE, CONTEXT), torch.zeros(FUTURE), recurrent_share=share)
        assert model.linear is None
        assert not model.config.linear_forecast and model.config.recurrent_share == 1

    @pytest.mark.parametrize("weight, bias", [((FUTURE, CONTEXT + 1), FUTURE), ((FUTURE, CONTEXT), 1)], ids=str)
    def test_weights_of_another_shape_are_refused(self, weight, bias):
        model = series_model()
        with pytest.raises(ValueError, match="as prediction_length and context_length say, got"):
            model.set_linear_forecast(torch.zeros(weight), torch.zeros(bias), recurrent_share=1)
        assert model.linear is None and not model.config.linear_forecast


class TestGenerate:
    """Futures drawn of distributions."""

    @pytest.mark.parametrize("name", ["student_t", "normal", "negative_binomial"])
    def test_one_drawing_a_future(self, name):
        centre = {"instance_center": "none"} if name == "negative_binomial" else {}
        options = {"loss": "nll", "distribution_output": name, "num_parallel_samples": 400, **centre}
        model = series_model(**options)
        batch = series_batch(model, "full", exact=False)
        drawn = model.generate(**batch).sequences
        assert drawn.shape == (2, 400, FUTURE, CHANNELS)
        assert not drawn.requires_grad
        parameters = model(**batch).prediction_outputs
        if name == "negative_binomial":
            expected, spread = parameters[0] * parameters[1].exp(), drawn.std(1)
            assert drawn.eq(drawn.round()).all() and drawn.ge(0).all()
        else:
            expected, spread = parameters[-2], drawn.std(1)
        assert ((drawn.mean(1) - expected).abs() < 6 * spread / 400**0.5).all()
        torch.manual_seed(3)
        one = model.generate(batch["past_values"], batch["past_observed_mask"]).sequences
        torch.manual_seed(3)
        assert model.generate(**batch).sequences.equal(one)
        assert not drawn[:, 0].equal(drawn[:, 1])

    @pytest.mark.parametrize("inputs", ["float32", "the same"])
    @pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
    @pytest.mark.parametrize("name", ["student_t", "normal", "negative_binomial"])
    def test_half_precision(self, name, dtype, inputs):
        centre = {"instance_center": "none"} if name == "negative_binomial" else {}
        model = series_model(loss="nll", distribution_output=name, **centre).to(dtype)
        values = torch.randint(0, 5, (3, 12, 2)).to(torch.float32 if inputs == "float32" else dtype)
        drawn = model.generate(values).sequences
        assert drawn.shape == (3, 100, FUTURE, CHANNELS) and drawn.isfinite().all()

    @pytest.mark.parametrize("loss", ["mae", "quantile"])
    def test_a_model_without_a_distribution_refuses(self, loss):
        model = series_model(loss=loss)
        with pytest.raises(ValueError, match=f'generate draws from distributions, which a model with loss="{loss}"'):
            model.generate(**series_batch(model, exact=False))

    def test_tuples_by_config_do_no_harm(self):
        model = series_model(loss="nll", return_dict=False)
        assert model.generate(**series_batch(model, exact=False)).sequences.shape == (3, 100, FUTURE, CHANNELS)


@pytest.mark.parametrize("batch", [0, 1])
@pytest.mark.parametrize("options", [{}, AUTO, {"mix_channels": True}], ids=str)
def test_batches_of_few_series(options, batch):
    model = series_model(**options)
    outputs = model(torch.zeros(batch, 12, 2), output_attentions=True)
    assert outputs.prediction_outputs.shape == (batch, FUTURE, CHANNELS)
    assert future_of(model, batch).shape == (batch, FUTURE, CHANNELS)


def test_channels_are_read_by_the_same_network_unless_they_are_mixed():
    model = series_model()
    batch = series_batch(model, "full", exact=False)
    both = model(**batch).prediction_outputs
    swapped = model(batch["past_values"].flip(-1)).prediction_outputs
    assert_near(swapped, both.flip(-1))
    mixed = series_model(mix_channels=True)
    assert not np.allclose(
        array(mixed(batch["past_values"].flip(-1)).prediction_outputs),
        array(mixed(**batch).prediction_outputs.flip(-1)),
        atol=1e-3,
    )

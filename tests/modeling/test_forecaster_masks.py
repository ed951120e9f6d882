"""What is missing of a series must not be there, and inputs that do not fit get a sentence."""

from __future__ import annotations

import pytest
import torch
from forecaster_helpers import (
    CHANNELS,
    CONTEXT,
    COVARIATES,
    FUTURE,
    exact_series_model,
    forecast_of,
    mask_of_series,
    series_batch,
    series_model,
    training_batch,
    without_future,
)
from forecaster_options import AUTO, MODELS, QUANTILES, every_gap, every_model
from modeling_helpers import assert_near
from torch import Tensor, nn

from hfattnlstm import AttnLSTMForecasterModel, AttnLSTMForTimeSeriesPrediction


BOTH = [AttnLSTMForecasterModel, AttnLSTMForTimeSeriesPrediction]
# Something of each kind, for what costs more.
SOME = {
    name: MODELS[name]
    for name in ("default", "covariates, mixed channels", "all poolings", "autoregressive, covariates", "student_t")
} | {"convolution, both ways": {"front": "convolution", "bidirectional": True, "context_layers": ["transformer"]}}
some_models = pytest.mark.parametrize("name", SOME)


def forecast(model: nn.Module, batch: dict[str, Tensor]) -> Tensor:
    with torch.no_grad():
        return forecast_of(model(**batch))


class TestMasks:
    """Missing values, however they are marked."""

    @every_gap
    @every_model
    def test_values_under_the_mask_change_nothing(self, name, kind):
        model = series_model(**MODELS[name])
        batch = series_batch(model, kind, exact=False)
        mask, expected = batch["past_observed_mask"], forecast(model, batch)
        for hidden in (torch.randn(mask.shape), torch.nan, -torch.inf):
            others = batch | {"past_values": torch.where(mask, batch["past_values"], hidden)}
            assert forecast(model, others).equal(expected)

    @every_gap
    @every_model
    def test_numbers_that_are_none_are_missing(self, name, kind):
        model = series_model(**MODELS[name])
        batch = series_batch(model, kind, exact=False)
        mask, expected = batch["past_observed_mask"], forecast(model, batch)
        for missing in (torch.nan, torch.inf):
            others = batch | {"past_values": torch.where(mask, batch["past_values"], missing)}
            assert forecast(model, others | {"past_observed_mask": torch.ones_like(mask)}).equal(expected)
            assert forecast(model, others | {"past_observed_mask": None}).equal(expected)

    @every_model
    def test_no_mask_is_a_mask_of_ones(self, name):
        model = exact_series_model(**MODELS[name])
        batch = series_batch(model, "full")
        assert_near(forecast(model, batch | {"past_observed_mask": None}), forecast(model, batch), 1e-12)

    @pytest.mark.parametrize(
        "dtype", [torch.bool, torch.int32, torch.int64, torch.float32, torch.bfloat16, torch.float16]
    )
    @every_gap
    def test_masks_of_every_type(self, kind, dtype):
        model = series_model()
        batch = series_batch(model, kind, exact=False)
        others = batch | {"past_observed_mask": batch["past_observed_mask"].to(dtype)}
        assert forecast(model, others).equal(forecast(model, batch))

    @every_model
    def test_a_shorter_series_is_one_that_begins_later(self, name):
        model = exact_series_model(**MODELS[name])
        batch = series_batch(model, "full")
        for length in (1, 5, 8):
            short = {key: each[:, -length:] if key.startswith("past_") else each for key, each in batch.items()}
            late = batch | {"past_observed_mask": batch["past_observed_mask"].clone()}
            late["past_observed_mask"][:, :-length] = False
            expected = forecast(model, late)
            assert_near(forecast(model, short), expected, 1e-9 * max(1.0, expected.abs().max().item()))
            unmasked = short | {"past_observed_mask": None}
            assert forecast(model, unmasked).equal(forecast(model, short))
            if "past_time_features" in batch:
                # Nor is what was known of the steps before.
                early = batch["past_time_features"].clone()
                early[:, :-length] = 1e6
                assert forecast(model, late | {"past_time_features": early}).equal(expected)

    @every_model
    def test_steps_before_the_context_are_not_read(self, name):
        model = series_model(**MODELS[name])
        batch = series_batch(model, "inside", exact=False)
        longer = {
            key: torch.cat([torch.ones(len(each), 4, each.shape[2]).to(each.dtype) * 9, each], 1)
            if key.startswith("past_")
            else each
            for key, each in batch.items()
        }
        assert forecast(model, longer).equal(forecast(model, batch))
        assert forecast(model, longer | {"past_observed_mask": None}).equal(
            forecast(model, batch | {"past_observed_mask": None})
        )

    @pytest.mark.parametrize("options", [{}, AUTO, {"front": "convolution"}], ids=str)
    def test_a_gap_is_read_as_the_value_before_it(self, options):
        """But for the centre and the spread, and where a segment without any value gets no attention."""
        options = {"instance_center": "none", **options}
        model = exact_series_model(**options, **({"segment_length": 4} if "front" not in options else {}))
        values = torch.randn(1, CONTEXT, CHANNELS, dtype=torch.float64)
        mask = torch.ones(1, CONTEXT, CHANNELS, dtype=torch.bool)
        mask[:, [5, 9]] = False
        filled = values.clone()
        filled[:, [5, 9]] = values[:, [4, 8]]
        assert_near(model(values, mask).prediction_outputs, model(filled).prediction_outputs, 1e-12)

    def test_the_last_value_is_the_last_that_was_observed(self):
        model = series_model()
        values = torch.arange(24.0).view(1, 12, 2)
        mask = torch.ones(1, 12, 2)
        mask[:, 9:, 0] = 0
        assert model(values, mask).loc.flatten().tolist() == [16.0, 23.0]

    def test_channels_are_masked_by_themselves(self):
        model = series_model()
        batch = series_batch(model, "short", exact=False)
        expected = forecast(model, batch)
        batch["past_observed_mask"][..., 1] = False
        assert forecast(model, batch)[:, :, 0].equal(expected[:, :, 0])


class TestNothing:
    """Series of which nothing was observed."""

    @every_model
    def test_they_get_finite_forecasts_no_attention_and_finite_gradients(self, name):
        model = series_model(**MODELS[name]).train()
        batch = training_batch(model, "everything")
        outputs = model(**batch, output_attentions=True)
        assert forecast_of(outputs).isfinite().all() and outputs.loss.isfinite()
        for weights in outputs.attentions:
            assert not weights[0].any()
        outputs.loss.backward()
        assert all(parameter.grad.isfinite().all() for parameter in model.parameters() if parameter.grad is not None)
        reading = model.attnlstm_forecaster(**without_future(batch), output_reading=True).reading
        rows = [0] if model.config.mix_channels else [0, 1]
        assert not reading.states[rows].any() and not reading.final[rows].any() and not reading.mask[rows].any()
        assert reading.pooled is None or not reading.pooled[rows].any()

    @every_model
    def test_they_do_not_change_the_others(self, name):
        model = exact_series_model(**MODELS[name])
        batch = series_batch(model, "everything")
        expected = forecast(model, {key: each[1:] for key, each in batch.items()})
        assert_near(forecast(model, batch)[1:], expected, 1e-9)

    @some_models
    def test_a_batch_of_nothing_else(self, name):
        model = series_model(**SOME[name]).train()
        batch = training_batch(model)
        batch["past_observed_mask"] = torch.zeros_like(batch["past_observed_mask"])
        outputs = model(**batch, output_attentions=True)
        outputs.loss.backward()
        assert forecast_of(outputs).isfinite().all()
        assert not any(weights.any() for weights in outputs.attentions)
        assert all(parameter.grad is None or parameter.grad.isfinite().all() for parameter in model.parameters())

    @some_models
    def test_series_without_a_step(self, name):
        model = series_model(**SOME[name])
        batch = series_batch(model, "full", exact=False)
        expected = forecast(model, batch | {"past_observed_mask": torch.zeros_like(batch["past_observed_mask"])})
        none = {key: each[:, :0] if key.startswith("past_") else each for key, each in batch.items()}
        assert_near(forecast(model, none), expected)

    def test_a_constant_series_is_harmless(self):
        for options in ({"instance_scale": "std"}, {"instance_center": "mean", "instance_scale": "std"}):
            model = series_model(**options)
            outputs = model(torch.full((1, 12, 2), 0.1))
            assert_near(outputs.prediction_outputs, torch.full((1, 5, 2), 0.1), 1e-3)
        model = series_model(instance_center="none", instance_scale="mean_abs")
        outputs = model(torch.zeros(1, 12, 2))
        assert outputs.scale.eq(1).all() and outputs.prediction_outputs.isfinite().all()


class TestFuture:
    """What is missing of what came does not count."""

    @pytest.mark.parametrize(
        "options",
        [
            {"loss": "mae"},
            {"loss": "mse"},
            {"loss": "huber"},
            QUANTILES,
            {"loss": "nll"},
            {"loss": "nll", "distribution_output": "normal"},
            MODELS["negative_binomial"],
        ],
        ids=str,
    )
    def test_missing_values_do_not_count_in_the_loss(self, options):
        model = series_model(**options)
        batch = training_batch(model, "full")
        future, known = batch["future_values"], torch.rand(2, FUTURE, CHANNELS) < 0.6
        batch["future_values"] = torch.where(known, future, 1e4)
        expected = model(**batch, future_observed_mask=known).loss
        assert expected.isfinite()
        for dtype in (torch.int64, torch.float32, torch.bfloat16):
            assert model(**batch, future_observed_mask=known.to(dtype)).loss.equal(expected)
        for missing in (torch.nan, torch.inf, 5.0):
            others = batch | {"future_values": torch.where(known, future, missing)}
            assert model(**others, future_observed_mask=known).loss.equal(expected)
            if missing != 5.0:
                assert model(**others).loss.equal(expected)
        model.zero_grad()
        model(**batch | {"future_values": torch.where(known, future, torch.nan)}).loss.backward()
        assert all(parameter.grad.isfinite().all() for parameter in model.parameters())

    def test_it_is_the_mean_over_what_is_known(self):
        model = exact_series_model(loss="mse")
        batch = training_batch(model, "full")
        known = torch.rand(2, FUTURE, CHANNELS) < 0.5
        outputs = model(**batch, future_observed_mask=known)
        expected = (outputs.prediction_outputs - batch["future_values"])[known].square().mean()
        assert_near(outputs.loss, expected, 1e-12)
        expected = (outputs.prediction_outputs - batch["future_values"]).square().mean()
        assert_near(model(**batch).loss, expected, 1e-12)

    @some_models
    def test_nothing_known_is_no_loss(self, name):
        model = series_model(**SOME[name]).train()
        batch = training_batch(model)
        loss = model(**batch, future_observed_mask=torch.zeros_like(batch["future_values"])).loss
        assert loss.item() == 0
        loss.backward()
        assert not any(parameter.grad.any() for parameter in model.parameters() if parameter.grad is not None)

    def test_what_came_changes_no_forecast(self):
        model = series_model()
        batch = training_batch(model)
        assert forecast(model, batch).equal(forecast(model, without_future(batch)))


def test_no_gradient_flows_into_what_is_missing():
    for options in ({}, {"instance_center": "mean", "instance_scale": "std"}, {"instance_scale": "mean_abs"}):
        model = exact_series_model(**options)
        mask = mask_of_series("inside")
        for hidden in (1e3, torch.nan, torch.inf):
            values = torch.where(mask, torch.randn(mask.shape, dtype=torch.float64), hidden).requires_grad_()
            model(values, mask).prediction_outputs.square().sum().backward()
            assert values.grad.isfinite().all(), (options, hidden)
            assert not values.grad[~mask].any()
            assert values.grad[mask].any()


def test_whole_numbers_are_read_as_values():
    """Counts come as integers."""
    for options in (
        {"instance_center": "mean", "instance_scale": "std"},
        {"instance_center": "none", "instance_scale": "mean_abs"},
        {"instance_center": "last"},
    ):
        model = series_model(**options)
        batch = {"past_values": torch.randint(0, 9, (3, 12, 2)), "future_values": torch.randint(0, 9, (3, 5, 2))}
        expected = model(**{name: tensor.float() for name, tensor in batch.items()})
        outputs = model(**batch)
        assert_near(outputs.prediction_outputs, expected.prediction_outputs)
        assert_near(outputs.loss, expected.loss)


class TestRefusals:
    """Inputs of other shapes, and missing ones."""

    @pytest.mark.parametrize(
        ("changes", "sentence"),
        [
            ({"past_values": (3, 12)}, r"past_values must have the shape \(batch, length, 2\), got \(3, 12\)"),
            ({"past_values": (3, 12, 3)}, r"past_values must have the shape \(batch, length, 2\), got \(3, 12, 3\)"),
            (
                {"past_observed_mask": (3, 12, 1)},
                r"past_observed_mask has the shape \(3, 12, 1\), but past_values \(3, 12, 2\): they must be equal",
            ),
            ({"past_observed_mask": (3, 12)}, r"past_observed_mask has the shape \(3, 12\), but"),
            ({"past_time_features": None}, r"reads past_time_features: give it, of the shape \(batch, 12, 2\)"),
            ({"past_time_features": (3, 11, 2)}, r"past_time_features must have the shape \(batch, 12, 2\), got"),
            ({"past_time_features": (3, 12, 1)}, r"past_time_features must have .*, got \(3, 12, 1\)"),
            ({"static_real_features": None}, r"reads static_real_features: give it, of the shape \(batch, 3\)"),
            ({"static_real_features": (3, 2)}, r"static_real_features must have the shape \(batch, 3\), got"),
            ({"static_real_features": (3, 3, 1)}, r"static_real_features must have the shape \(batch, 3\), got"),
            ({"static_categorical_features": None}, r"static_categorical_features: give it, .*\(batch, 2\)"),
            ({"static_categorical_features": (3, 1)}, r"static_categorical_features must .*, got \(3, 1\)"),
        ],
    )
    @pytest.mark.parametrize("model_class", BOTH)
    def test_of_the_past(self, model_class, changes, sentence):
        model = series_model(model_class, **COVARIATES)
        batch = series_batch(model, exact=False, future=model_class is AttnLSTMForTimeSeriesPrediction)
        for name, shape in changes.items():
            batch[name] = None if shape is None else torch.zeros(shape)
        with pytest.raises(ValueError, match=sentence):
            model(**batch)

    @pytest.mark.parametrize("options", [{}, AUTO], ids=str)
    @pytest.mark.parametrize(
        ("changes", "sentence"),
        [
            ({"future_time_features": None}, r"future_time_features: give it, of the shape \(batch, 5, 2\)"),
            ({"future_time_features": (3, 4, 2)}, r"future_time_features must have the shape \(batch, 5, 2\), got"),
            ({"future_time_features": (3, 5, 3)}, r"future_time_features must have .*, got \(3, 5, 3\)"),
            ({"future_values": (3, 4, 2)}, r"future_values must have the shape \(batch, 5, 2\), got \(3, 4, 2\)"),
            ({"future_values": (3, 5)}, r"future_values must have the shape \(batch, 5, 2\), got \(3, 5\)"),
            ({"future_values": (3, 5, 1)}, "future_values must have"),
        ],
    )
    def test_of_the_future(self, changes, sentence, options):
        model = series_model(**COVARIATES, **options)
        batch = training_batch(model)
        for name, shape in changes.items():
            batch[name] = None if shape is None else torch.zeros(shape)
        with pytest.raises(ValueError, match=sentence):
            model(**batch)

    def test_a_mask_of_the_future_of_another_shape(self):
        model = series_model()
        for shape in [(3, FUTURE), (3, FUTURE, 1), (3, FUTURE + 1, CHANNELS)]:
            with pytest.raises(ValueError, match="future_observed_mask"):
                model(**training_batch(model), future_observed_mask=torch.ones(shape))

    @pytest.mark.parametrize("model_class", BOTH)
    def test_covariates_that_the_model_does_not_read_are_no_crash(self, model_class):
        model = series_model(model_class)
        batch = series_batch(model, exact=False)
        expected = model(**batch)[0]
        for name, shape in {
            "past_time_features": (3, 12, 2),
            "static_real_features": (3, 2),
            "static_categorical_features": (3, 1),
        }.items():
            try:
                found = model(**batch, **{name: torch.ones(shape)})[0]
            except ValueError as error:
                assert name in str(error)
            else:
                assert found.equal(expected)

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("pooling", "bogus"),
            ("hidden_size", 0),
            ("conv_kernel_size", 4),
            ("quantiles", [0.5]),
            ("cardinality", [0]),
        ],
    )
    @pytest.mark.parametrize("model_class", BOTH)
    def test_a_config_that_was_spoilt_after_it_was_made(self, model_class, name, value):
        config = series_model().config
        setattr(config, name, value)
        with pytest.raises(ValueError, match=name):
            model_class(config)

    def test_a_loss_that_was_set_after_it_was_made(self):
        config = series_model().config
        config.loss = "quantile"
        assert AttnLSTMForTimeSeriesPrediction(config).num_outputs == len(config.quantile_levels) == 11

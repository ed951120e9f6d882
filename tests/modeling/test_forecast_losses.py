"""Losses and distributions of forecasts against NumPy and SciPy, a value at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from forecaster_helpers import exact_series_model, numpy_forecast, numpy_parameters, series_of_row, training_batch
from forecaster_options import AUTO, TRANSFORMER
from modeling_helpers import array, assert_near
from scipy import stats

from hfattnlstm.modeling.configuration_forecaster import AttnLSTMForecasterConfig
from hfattnlstm.modeling.forecast_distributions import (
    DISTRIBUTIONS,
    distribution_parameters,
    make_distribution,
    negative_log_likelihood,
    num_parameters,
)
from hfattnlstm.modeling.forecast_losses import POINT_LOSSES, mean_over_known, point_loss, quantile_loss


LEVELS = [0.1, 0.5, 0.8]
NAMES = ["student_t", "normal", "negative_binomial"]
NUMPY_LOSSES = {
    "mae": abs,
    "mse": lambda error: error**2,
    "huber": lambda error: error**2 / 2 if abs(error) <= 1 else abs(error) - 0.5,
}
PENALTIES = {"pooler_l2_coef": 0.1, "pooler_entropy_coef": -0.2, "pooler_diversity_coef": 0.3}


def numpy_pinball(forecast: np.ndarray, target: float, levels: list[float]) -> float:
    parts = [
        level * (target - value) if target >= value else (1 - level) * (value - target)
        for value, level in zip(forecast, levels)
    ]
    return 2 * float(np.mean(parts))


def scipy_log_likelihood(name: str, parameters: list[float], value: float) -> float:
    if name == "student_t":
        return stats.t(parameters[0], parameters[1], parameters[2]).logpdf(value)
    if name == "normal":
        return stats.norm(parameters[0], parameters[1]).logpdf(value)
    # SciPy's p is the probability of what stops the counting.
    return stats.nbinom(parameters[0], 1 / (1 + np.exp(parameters[1]))).logpmf(value)


@pytest.mark.parametrize("kind", POINT_LOSSES)
def test_point_losses(kind):
    forecast, target = 2 * torch.randn(2, 4, 3, dtype=torch.float64), torch.randn(2, 4, 3, dtype=torch.float64)
    found = point_loss(kind, forecast, target)
    assert found.shape == (2, 4, 3)
    for loss, error in zip(found.flatten().tolist(), (forecast - target).flatten().tolist()):
        assert loss == pytest.approx(NUMPY_LOSSES[kind](error), abs=1e-12)
    assert AttnLSTMForecasterConfig.__annotations__["loss"].__args__[:3] == POINT_LOSSES


class TestQuantiles:
    """The pinball loss."""

    def test_each_value(self):
        forecast, target = torch.randn(2, 4, 3, dtype=torch.float64), torch.randn(2, 4, dtype=torch.float64)
        found = quantile_loss(forecast, target, LEVELS)
        assert found.shape == (2, 4)
        for row, column in np.ndindex(2, 4):
            expected = numpy_pinball(array(forecast[row, column]), target[row, column].item(), LEVELS)
            assert found[row, column].item() == pytest.approx(expected, abs=1e-12)

    def test_the_median_alone_is_the_absolute_error(self):
        forecast, target = torch.randn(9, 1), torch.randn(9)
        assert_near(quantile_loss(forecast, target, [0.5]), point_loss("mae", forecast[:, 0], target))

    def test_the_true_quantiles_have_the_least_loss(self):
        drawn = torch.randn(20_000, dtype=torch.float64)
        best = torch.tensor(stats.norm.ppf(LEVELS))
        least = quantile_loss(best.expand(20_000, 3), drawn, LEVELS).mean()
        for position in range(3):
            for step in (-0.2, 0.2):
                other = best.clone()
                other[position] += step
                assert quantile_loss(other.expand(20_000, 3), drawn, LEVELS).mean() > least

    def test_many_of_them_make_the_crps(self):
        levels = [(index + 0.5) / 2000 for index in range(2000)]
        forecast = torch.tensor(stats.norm.ppf(levels))
        for value in (-1.0, 0.0, 0.7):
            expected = value * (2 * stats.norm.cdf(value) - 1) + 2 * stats.norm.pdf(value) - np.pi**-0.5
            found = quantile_loss(forecast, torch.tensor(value, dtype=torch.float64), levels).item()
            assert found == pytest.approx(expected, abs=1e-3)


class TestDistributions:
    """Their parameters and likelihoods."""

    @pytest.mark.parametrize("name", NAMES)
    def test_parameters_and_likelihoods(self, name):
        raw = 2 * torch.randn(2, 5, 3, num_parameters(name), dtype=torch.float64)
        loc, scale = torch.randn(2, 1, 3).double(), torch.rand(2, 1, 3).double() + 0.5
        if name == "negative_binomial":
            loc = torch.zeros_like(loc)
        parameters = distribution_parameters(name, raw, loc, scale)
        target = 3 * torch.randn(2, 5, 3).double()
        target = target.abs().round() if name == "negative_binomial" else target
        found = negative_log_likelihood(name, parameters, target)
        assert found.shape == (2, 5, 3)
        for place in np.ndindex(2, 5, 3):
            row, _, channel = place
            expected = numpy_parameters(
                name, array(raw[place]), loc[row, 0, channel].item(), scale[row, 0, channel].item()
            )
            own = [part[place].item() for part in parameters]
            assert own == pytest.approx([float(part) for part in expected], abs=1e-12)
            likelihood = scipy_log_likelihood(name, own, target[place].item())
            assert found[place].item() == pytest.approx(-likelihood, abs=1e-9)

    @pytest.mark.parametrize("name", NAMES)
    def test_scaling_a_distribution_scales_its_mean(self, name):
        raw, one = torch.randn(2, 5, 3, num_parameters(name), dtype=torch.float64), torch.ones(2, 1, 3).double()
        loc = 0 * one if name == "negative_binomial" else 4 * one
        plain = make_distribution(name, distribution_parameters(name, raw, 0 * one, one))
        scaled = make_distribution(name, distribution_parameters(name, raw, loc, 3 * one))
        assert_near(scaled.mean, 3 * plain.mean + loc, 1e-9)

    @pytest.mark.parametrize("name", ["student_t", "normal"])
    def test_the_likelihood_of_scaled_values_is_that_of_the_values_they_were(self, name):
        raw, one = torch.randn(2, 5, 3, num_parameters(name), dtype=torch.float64), torch.ones(2, 1, 3).double()
        target = torch.randn(2, 5, 3).double()
        plain = negative_log_likelihood(name, distribution_parameters(name, raw, 0 * one, one), target)
        moved = negative_log_likelihood(name, distribution_parameters(name, raw, 5 * one, 3 * one), 3 * target + 5)
        assert_near(moved, plain + np.log(3), 1e-9)

    @pytest.mark.parametrize("name", NAMES)
    def test_half_precision_gets_a_likelihood_in_float32(self, name):
        raw, one = torch.randn(2, 5, 3, num_parameters(name)), torch.ones(2, 1, 3)
        target = torch.randint(0, 4, (2, 5, 3)).float()
        exact = negative_log_likelihood(name, distribution_parameters(name, raw, 0 * one, one), target)
        rough = distribution_parameters(name, raw.bfloat16(), 0 * one, one)
        found = negative_log_likelihood(name, rough, target)
        assert found.dtype == torch.float32
        assert_near(found, exact, 0.3)

    @pytest.mark.parametrize("name", NAMES)
    def test_extreme_outputs_are_allowed_parameters(self, name):
        for size in (-100.0, 100.0):
            raw, one = torch.full((1, 2, 1, num_parameters(name)), size), torch.ones(1, 1, 1)
            parameters = distribution_parameters(name, raw, 0 * one, one)
            found = negative_log_likelihood(name, parameters, torch.tensor([[[0.0], [3.0]]]))
            assert found.isfinite().all()

    def test_their_names_are_those_of_the_configuration(self):
        assert AttnLSTMForecasterConfig.__annotations__["distribution_output"].__args__ == tuple(DISTRIBUTIONS)
        assert [num_parameters(name) for name in NAMES] == [3, 2, 2]


class TestMean:
    """Over what is known."""

    def test_it_is_that_of_the_known_values(self):
        losses, known = torch.tensor([[1.0, torch.nan], [3.0, 8.0]]), torch.tensor([[True, False], [True, False]])
        assert mean_over_known(losses, known).item() == 2
        assert mean_over_known(losses[:, :1], None).item() == 2

    def test_it_is_0_of_nothing(self):
        assert mean_over_known(torch.ones(2, 2), torch.zeros(2, 2, dtype=torch.bool)).item() == 0


def numpy_penalty(attentions: list[np.ndarray]) -> float:
    """Of the weights (heads, steps) of each query of a batch."""
    total = 0.0
    for weights in attentions:
        if weights.sum() > 0:
            logs = np.log(np.where(weights > 0, weights, 1))
            total += 0.1 * np.square(weights).sum() / len(weights)
            total += -0.2 * -(weights * logs).sum() / len(weights)
            total += 0.3 * np.square(weights @ weights.T - np.eye(len(weights))).sum()
    return total / len(attentions)


LOSSES: dict[str, dict[str, Any]] = {
    "mae": {},
    "mse": {"loss": "mse", "instance_scale": "std"},
    "huber": {"loss": "huber", "mix_channels": True},
    "quantile": {"loss": "quantile", "quantiles": LEVELS, "instance_scale": "mean_abs"},
    "nine quantiles": {"loss": "quantile"},
    "student_t": {"loss": "nll", "instance_scale": "std"},
    "normal": {"loss": "nll", "distribution_output": "normal"},
    "negative_binomial": {
        "loss": "nll",
        "distribution_output": "negative_binomial",
        "instance_center": "none",
        "instance_scale": "mean_abs",
    },
}


class TestLossOfAModel:
    """The loss that a forecaster returns, from the forecast that NumPy computes."""

    @pytest.mark.parametrize("kind", ["full", "inside", "everything"])
    @pytest.mark.parametrize("name", LOSSES)
    def test_it_is_the_mean_over_the_known_values(self, name, kind):
        model = exact_series_model(**LOSSES[name])
        batch = training_batch(model, kind)
        known = torch.rand(batch["future_values"].shape) < 0.7
        target = torch.where(known, batch["future_values"], torch.nan)
        expected = []
        for row in range(len(target)):
            forecast = numpy_forecast(model, series_of_row(batch, row)).values
            for step, channel in np.argwhere(array(known[row])):
                value = target[row, step, channel].item()
                if name in NAMES:
                    own = [float(part[step, channel]) for part in forecast]
                    expected.append(-scipy_log_likelihood(name, own, value))
                elif "quantile" in name:
                    expected.append(numpy_pinball(forecast[step, channel], value, model.config.quantile_levels))
                else:
                    expected.append(NUMPY_LOSSES[name](forecast[step, channel, 0] - value))
        loss = model(**batch | {"future_values": target}).loss.item()
        assert loss == pytest.approx(np.mean(expected), rel=1e-9)

    @pytest.mark.parametrize("kind", ["inside", "everything"])
    @pytest.mark.parametrize(
        "options",
        [
            {"pooler_num_heads": 2},
            {**AUTO, "pooler_num_heads": 2, "segment_length": 2},
            {"mix_channels": True},
            TRANSFORMER,
        ],
        ids=str,
    )
    def test_penalties_are_on_the_weights_of_every_query(self, options, kind):
        model = exact_series_model(**PENALTIES, **options)
        plain = exact_series_model(**options)
        batch = training_batch(model, kind)
        rows = []
        for row in range(len(batch["past_values"])):
            weights = numpy_forecast(model, series_of_row(batch, row)).attentions[-1]
            by_channel = weights.reshape(-1, model.config.pooler_num_heads, *weights.shape[1:])
            rows += [channel[:, query] for channel in by_channel for query in range(channel.shape[1])]
        expected = plain(**batch).loss.item() + numpy_penalty(rows)
        assert model(**batch).loss.item() == pytest.approx(expected, abs=1e-9)

    def test_quantiles_that_cross_are_sorted_before_the_loss(self):
        model = exact_series_model(loss="quantile", quantiles=LEVELS, instance_center="none")
        batch = training_batch(model, "full")
        with torch.no_grad():
            model.decoder.head.out_proj.weight.zero_()
            model.decoder.head.out_proj.bias.copy_(torch.tensor([3.0, 1.0, 2.0] * 5))
        outputs = model(**batch)
        assert outputs.quantile_outputs.eq(torch.tensor([1.0, 2.0, 3.0])).all()
        assert outputs.prediction_outputs.eq(2).all()
        expected = quantile_loss(outputs.quantile_outputs, batch["future_values"], LEVELS).mean()
        assert_near(outputs.loss, expected, 1e-12)

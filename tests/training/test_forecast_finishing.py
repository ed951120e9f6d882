"""Shares of the forecasts that are added to a trained model, and how wide its quantiles are made."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from hfattnlstm import AttnLSTMForecasterConfig
from hfattnlstm.data.series_windows import SeriesWindows
from hfattnlstm.modeling.forecast_losses import quantile_loss
from hfattnlstm.modeling.series_scaling import InstanceScaling
from hfattnlstm.training.forecast_finishing import add_linear_forecast, candidate_maps, fit_spread
from hfattnlstm.training.forecasts import forecast_batch, levels_of
from hfattnlstm.training.linear_forecasts import LinearMap, batches_of, fit_linear
from training.forecasting_helpers import FUTURE, PAST, SEASON, tiny_model, wave, windows_of


LEVELS = (0.1, 0.5, 0.9)


class Stand:
    """Stands in for a model: what it forecasts is a function of the past."""

    device = torch.device("cpu")

    def __init__(self, values: Callable[[Tensor], Tensor], quantiles: Callable[[Tensor], Tensor] | None = None):
        self._values, self._quantiles = values, quantiles
        levels = {"loss": "mse"} if quantiles is None else {"loss": "quantile", "quantiles": list(LEVELS)}
        sizes = {"context_length": PAST, "prediction_length": FUTURE, "segment_length": 6}
        self.config = AttnLSTMForecasterConfig(instance_center="mean", instance_scale="std", **sizes, **levels)
        self.attnlstm_forecaster = SimpleNamespace(scaling=InstanceScaling("mean", "std"))
        self.linear: tuple[Tensor, Tensor, float] | None = None

    def __call__(self, past_values: Tensor, **_: Any) -> SimpleNamespace:
        quantiles = None if self._quantiles is None else self._quantiles(past_values)
        values = self._values(past_values)
        return SimpleNamespace(prediction_outputs=values, quantile_outputs=quantiles, attentions=None)

    def set_linear_forecast(self, weight: Tensor, bias: Tensor, recurrent_share: float) -> None:
        self.linear = weight, bias, recurrent_share


def logistic(length: int = 300, start: float = 0.3) -> np.ndarray:
    """Chaos: each value follows from the one before, but no linear forecast knows it."""
    values = [start]
    for _ in range(length - 1):
        values.append(3.9 * values[-1] * (1 - values[-1]))
    return np.array(values)[:, None]


def next_of_logistic(past: Tensor) -> Tensor:
    steps, last = [], past[:, -1:].double()
    for _ in range(FUTURE):
        last = 3.9 * last * (1 - last)
        steps.append(last)
    return torch.cat(steps, 1).float()


def made_up(seed: int = 0, missing: float = 0.0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    series = [np.stack([wave(90, seed + index, level=4, noise=1), wave(90, seed + 9, noise=2)], 1) for index in (0, 1)]
    for values in series:
        values[rng.random(values.shape) < missing] = np.nan
    return series


def errors_on(windows: SeriesWindows, forecasts: list[Callable[[dict], Tensor]]) -> tuple[np.ndarray, np.ndarray]:
    """Forecasts (values, forecasts) and what came (values,), where it is known."""
    said, came = [], []
    for batch in batches_of(windows, 64):
        known = torch.isfinite(batch["future_values"])
        said.append(torch.stack([each(batch)[known] for each in forecasts], 1))
        came.append(batch["future_values"][known])
    return torch.cat(said).double().numpy(), torch.cat(came).double().numpy()


def of_map(each: LinearMap, scaling: InstanceScaling) -> Callable[[dict], Tensor]:
    def forecast(batch: dict) -> Tensor:
        series = scaling(batch["past_values"])
        return each(series.values) * series.scale + series.loc

    return forecast


class TestShares:
    """They are not negative, sum to 1, and have the smallest squared error."""

    def test_a_perfect_model_has_all(self) -> None:
        windows = windows_of([logistic(), logistic(start=0.7)])
        model = Stand(next_of_logistic)
        shares = add_linear_forecast(model, windows, windows, season=1)
        assert shares.recurrent == pytest.approx(1, abs=1e-3)
        assert max(shares.others.values()) < 1e-3
        assert model.linear[2] == shares.recurrent and model.linear[0].abs().max() < 1e-3

    @pytest.mark.parametrize("useless", [0.0, 100.0, "noise"])
    def test_a_useless_one_has_nothing(self, useless: float | str) -> None:
        generator = torch.Generator().manual_seed(0)

        def forecast(past: Tensor) -> Tensor:
            shape = (len(past), FUTURE, past.shape[2])
            return 20 * torch.randn(shape, generator=generator) if useless == "noise" else torch.full(shape, useless)

        windows = windows_of(made_up())
        shares = add_linear_forecast(Stand(forecast), windows, windows, SEASON)
        assert shares.recurrent < 0.005
        assert sum(shares.others.values()) == pytest.approx(1 - shares.recurrent, abs=1e-6)

    @pytest.mark.parametrize("seed", range(6))
    def test_a_random_walk_is_continued_by_its_last_value(self, seed: int) -> None:
        """What follows the trend of a part of it seems better there, and is not surely so."""
        walk = np.random.default_rng(seed).normal(size=(140, 1)).cumsum(0)
        train, held_out = windows_of([walk[:90]]), windows_of([walk[60:]])
        model = Stand(
            lambda past: past[:, -1:] + (past[:, -1:] - past[:, :1]) * torch.arange(1, FUTURE + 1)[:, None] / 40
        )
        shares = add_linear_forecast(model, train, held_out, season=1)
        assert shares.naive == "last value" and shares.recurrent == 0
        past = held_out[0]["past_values"][:, 0]
        level, scale = past.mean(), past.std()
        weight, bias, _ = model.linear
        said = (weight @ torch.from_numpy((past - level) / scale) + bias) * scale + level
        np.testing.assert_allclose(said, past[-1], rtol=1e-4, atol=1e-4)

    def test_of_naive_forecasts_the_better_one_stands_alone(self) -> None:
        generator = torch.Generator().manual_seed(0)
        rng = np.random.default_rng(0)
        seasons = np.tile(rng.normal(size=SEASON) * 5, 20)[:, None] + rng.normal(0, 0.5, (20 * SEASON, 1))

        def model(past: Tensor) -> Tensor:
            said = past[:, -SEASON:][:, :FUTURE]
            return said + 0.1 * torch.randn(said.shape, generator=generator)

        noise = windows_of([rng.normal(size=(60, 1))])
        assert add_linear_forecast(Stand(model), noise, windows_of([seasons]), SEASON).naive == "last season"

    @pytest.mark.parametrize(("length", "naive"), [(27, None), (31, "last value")])
    def test_two_stretches_of_time_tell_nothing(self, length: int, naive: str | None) -> None:
        walk = np.random.default_rng(3).normal(size=(200, 1)).cumsum(0)
        generator = torch.Generator().manual_seed(0)

        def model(past: Tensor) -> Tensor:
            return past[:, -1:].expand(-1, FUTURE, -1) + 0.01 * torch.randn(len(past), FUTURE, 1, generator=generator)

        shares = add_linear_forecast(Stand(model), windows_of([walk]), windows_of([walk[:length]]), season=1)
        assert shares.naive == naive

    @pytest.mark.parametrize("seed", [0, 1, 2])
    @pytest.mark.parametrize("missing", [0.0, 0.1])
    def test_no_other_shares_are_better(self, seed: int, missing: float) -> None:
        """Not of those that have any, and hardly, where the last value and the last season have none."""
        train, held_out = windows_of(made_up(seed, missing)), windows_of(made_up(seed + 5, missing))
        model = tiny_model(seed, num_input_channels=2, loss="mse")
        rivals = candidate_maps(model, train, SEASON).values()
        scaling = model.attnlstm_forecaster.scaling
        forecasts = [lambda batch: forecast_batch(model, batch).values, *(of_map(each, scaling) for each in rivals)]
        said, came = errors_on(held_out, forecasts)
        found = add_linear_forecast(model, train, held_out, SEASON)
        shares = np.array([found.recurrent, *found.others.values()])
        assert (shares >= 0).all() and shares.sum() == pytest.approx(1, abs=1e-6)

        def error(other: np.ndarray) -> float:
            return float(((said @ other - came) ** 2).mean())

        rng, taken = np.random.default_rng(seed), shares > 0
        taken[:2] = True
        every = [*np.eye(len(shares)), *rng.dirichlet(np.ones(len(shares)), 300)]
        every += [0.98 * shares + 0.02 * other for other in every]
        of_taken = [other for other in every if not other[~taken].any()]
        masked = [other * taken / (other * taken).sum() for other in every if (other * taken).any()]
        assert min(map(error, (*of_taken, *masked))) > error(shares) * (1 - 1e-5)
        assert min(map(error, every)) > error(shares) * 0.98**2

    def test_the_last_season_has_a_share_where_it_is_worth_it(self) -> None:
        """What is learnt from noise is worth less than a season that goes on."""
        rng = np.random.default_rng(0)
        train = windows_of([rng.normal(size=(60, 1))])
        season = np.tile(rng.normal(size=SEASON), 15)[:, None]
        shares = add_linear_forecast(Stand(zeros), train, windows_of([season]), SEASON)
        assert shares.others["last season"] == pytest.approx(1, abs=1e-3)
        shares = add_linear_forecast(Stand(zeros), train, windows_of([rng.normal(size=(60, 1))]), SEASON)
        assert shares.others["last season"] == shares.others["last value"] == 0

    @pytest.mark.parametrize(
        "fields",
        [{"loss": "mse"}, {"loss": "quantile"}, {"loss": "nll"}, {"loss": "nll", "distribution_output": "normal"}],
    )
    @pytest.mark.parametrize("center", ["mean", "last"])
    def test_the_model_then_forecasts_the_sum_of_the_shares(self, fields: dict, center: str) -> None:
        windows = windows_of(made_up(missing=0.05))
        model = tiny_model(num_input_channels=2, instance_center=center, instance_scale="std", **fields)
        maps = candidate_maps(model, windows, SEASON)
        batch = next(batches_of(windows, 20))
        before = forecast_batch(model, batch).values
        shares = add_linear_forecast(model, windows, windows, SEASON)
        scaling = model.attnlstm_forecaster.scaling
        expected = shares.recurrent * before
        for name, share in shares.others.items():
            expected = expected + share * of_map(maps[name], scaling)(batch)
        torch.testing.assert_close(forecast_batch(model, batch).values, expected, atol=2e-4, rtol=1e-4)
        assert model.config.linear_forecast and model.config.recurrent_share == shares.recurrent

    def test_quantiles_keep_their_distance_from_the_median(self) -> None:
        windows = windows_of(made_up())
        model = tiny_model(num_input_channels=2, loss="quantile", quantiles=list(LEVELS))
        batch = next(batches_of(windows, 20))
        before = forecast_batch(model, batch).quantiles
        add_linear_forecast(model, windows, windows, SEASON)
        after = forecast_batch(model, batch)
        torch.testing.assert_close(after.quantiles.diff(dim=-1), before.diff(dim=-1), atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(after.quantiles[..., 1], after.values)

    def test_it_is_hardly_worse_on_held_out_windows_than_any_forecast_alone(self) -> None:
        train, held_out = windows_of(made_up(1)), windows_of(made_up(4))
        model = tiny_model(num_input_channels=2, loss="mse")
        scaling = model.attnlstm_forecaster.scaling
        maps = candidate_maps(model, train, SEASON).values()
        said, came = errors_on(
            held_out, [lambda batch: forecast_batch(model, batch).values, *(of_map(each, scaling) for each in maps)]
        )
        add_linear_forecast(model, train, held_out, SEASON)
        after, _ = errors_on(held_out, [lambda batch: forecast_batch(model, batch).values])
        alone = ((said - came[:, None]) ** 2).mean(0)
        assert ((after[:, 0] - came) ** 2).mean() <= min(alone[:2].min(), alone.min() / 0.98**2) + 1e-6

    @pytest.mark.parametrize("value", [0.0, 5.0, np.nan])
    def test_series_of_which_there_is_nothing_to_learn(self, value: float) -> None:
        windows = windows_of([np.full((40, 1), value)])
        shares = add_linear_forecast(tiny_model(loss="mse"), windows, windows, SEASON)
        every = [shares.recurrent, *shares.others.values()]
        assert sum(every) == pytest.approx(1, abs=1e-6) and min(every) >= 0


class TestCandidates:
    """Which linear forecasts there are."""

    def test_all(self) -> None:
        maps = candidate_maps(tiny_model(), windows_of([wave()[:, None]]), SEASON)
        assert list(maps) == ["linear", "last value", "last season"]

    @pytest.mark.parametrize("season", [1, PAST + 1])
    def test_no_season_or_one_that_is_longer_than_the_past(self, season: int) -> None:
        assert "last season" not in candidate_maps(tiny_model(), windows_of([wave()[:, None]]), season)

    def test_the_linear_one_is_that_of_least_squares_in_the_scale_of_the_model(self) -> None:
        model, windows = tiny_model(instance_center="mean", instance_scale="std"), windows_of([wave()[:, None]])
        found = candidate_maps(model, windows, SEASON)["linear"]
        (expected,) = fit_linear(windows, InstanceScaling("mean", "std"), [PAST])
        torch.testing.assert_close(found.weight, expected.weight)


def normal_quantiles(width: float) -> Callable[[Tensor], Tensor]:
    """Of a normal distribution around 0."""
    levels = torch.from_numpy(stats.norm.ppf(LEVELS)).float()
    return lambda past: (width * levels).expand(len(past), FUTURE, past.shape[2], 3)


def zeros(past: Tensor) -> Tensor:
    return torch.zeros(len(past), FUTURE, past.shape[2])


class TestSpread:
    """What the distances from the median are multiplied by."""

    noise = np.random.default_rng(0).normal(size=(1500, 1))

    @pytest.mark.parametrize("width", [0.3, 0.6, 1.0, 2.0, 5.0])
    def test_too_narrow_and_too_wide_ones_become_as_wide_as_the_errors(self, width: float) -> None:
        model = Stand(zeros, normal_quantiles(width))
        fit_spread(model, windows_of([self.noise]))
        low, middle, high = model.config.quantile_spread
        assert middle == 1
        assert (low * width, high * width) == pytest.approx((1, 1), rel=0.15)

    def test_no_other_one_has_a_smaller_loss(self) -> None:
        windows = windows_of(made_up(missing=0.1))
        model = tiny_model(num_input_channels=2, loss="quantile")
        levels = levels_of(model.config)
        found = [forecast_batch(model, batch) for batch in batches_of(windows, 64)]
        quantiles = torch.cat([each.quantiles for each in found])
        target = torch.cat([batch["future_values"] for batch in batches_of(windows, 64)])
        known = torch.isfinite(target)
        quantiles, target = quantiles[known].double(), target[known].double()
        median = quantiles[:, levels.index(0.5), None]

        def loss(spread: list[float]) -> float:
            widened = median + torch.tensor(spread) * (quantiles - median)
            return float(quantile_loss(widened, target, levels).mean())

        fit_spread(model, windows)
        found = model.config.quantile_spread
        for index in range(len(levels)):
            others = ([*found[:index], float(each), *found[index + 1 :]] for each in np.geomspace(0.05, 5, 100))
            assert loss(found) <= min(map(loss, others)) * 1.001, levels[index]

    @pytest.mark.parametrize("fields", [{"loss": "quantile"}, {"loss": "nll", "distribution_output": "normal"}])
    def test_the_model_forecasts_them_so_wide(self, fields: dict) -> None:
        windows = windows_of(made_up())
        # A new model is surer of itself than a trained one.
        model = tiny_model(num_input_channels=2, quantile_spread=30, **fields)
        batch = next(batches_of(windows, 20))
        before = forecast_batch(model, batch)
        fit_spread(model, windows)
        spread = torch.tensor(model.config.quantile_spread) / 30
        after = forecast_batch(model, batch)
        middle = before.quantiles[..., 5:6]
        torch.testing.assert_close(after.values, before.values)
        widened = middle + spread * (before.quantiles - middle)
        torch.testing.assert_close(after.quantiles, widened.sort(-1).values, atol=1e-4, rtol=1e-4)

    def test_one_becomes_wider_where_the_others_are_right(self) -> None:
        narrow = normal_quantiles(1)(torch.zeros(1, 1, 1))[0, 0, 0] * torch.tensor([0.5, 1, 1])
        model = Stand(zeros, lambda past: narrow.expand(len(past), FUTURE, past.shape[2], 3))
        fit_spread(model, windows_of([self.noise]))
        low, _, high = model.config.quantile_spread
        assert (low, high) == pytest.approx((2, 1), rel=0.15)

    def test_a_distribution_has_one(self) -> None:
        model = tiny_model(num_input_channels=2, loss="nll", distribution_output="normal")
        fit_spread(model, windows_of(made_up()))
        assert isinstance(model.config.quantile_spread, float) and model.config.quantile_spread != 1

    def test_where_nothing_is_known_they_stay_as_wide_as_they_are(self) -> None:
        model = Stand(zeros, normal_quantiles(1))
        fit_spread(model, windows_of([np.full((60, 1), np.nan)]))
        assert model.config.quantile_spread == 1

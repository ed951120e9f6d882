"""Naive 2 and the denominator of MASE, against plain loops that follow their definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hfattnlstm.training.naive_forecasts import naive2, seasonal_errors
from training.forecasting_helpers import wave


def autocorrelation(values: list[float], lag: int) -> float:
    mean = sum(values) / len(values)
    centred = [value - mean for value in values]
    power = sum(value**2 for value in centred)
    return sum(centred[step] * centred[step - lag] for step in range(lag, len(values))) / power if power else 0.0


def has_season(values: list[float], season: int) -> bool:
    """The test of the M4 competition: with 90 %, from three seasons on."""
    if season < 2 or len(values) < 3 * season:
        return False
    before = sum(autocorrelation(values, lag) ** 2 for lag in range(1, season))
    limit = 1.645 * math.sqrt((1 + 2 * before) / len(values))
    return abs(autocorrelation(values, season)) > limit


def seasonal_factors(values: list[float], season: int) -> list[float]:
    """Classical decomposition, multiplied: what each place of a season has, compared with the moving mean."""
    ratios: list[list[float]] = [[] for _ in range(season)]
    half = season // 2
    for step in range(half, len(values) - half):
        around = values[step - half : step + half + 1]
        if season % 2 == 0:
            around = [around[0] / 2, *around[1:-1], around[-1] / 2]
        ratios[step % season].append(values[step] / (sum(around) / season))
    factors = [sum(each) / len(each) for each in ratios]
    return [factor / (sum(factors) / season) for factor in factors]


def naive2_by_hand(values: list[float], season: int, horizon: int) -> list[float]:
    if not has_season(values, season) or min(values) <= 0:
        return [values[-1]] * horizon
    factors = seasonal_factors(values, season)
    last = values[-1] / factors[(len(values) - 1) % season]
    return [last * factors[(len(values) + step) % season] for step in range(horizon)]


def noise(length: int, seed: int = 0) -> np.ndarray:
    return 5 + np.random.default_rng(seed).uniform(-1, 1, length)


class TestNaive2:
    """The last value, without the season and with it again."""

    @pytest.mark.parametrize(("season", "length"), [(2, 36), (2, 41), (3, 36), (4, 60), (5, 41), (7, 61), (12, 96)])
    def test_it_is_what_its_definition_says(self, season: int, length: int) -> None:
        rows = [wave(length, seed, season=season, noise=0.5) for seed in range(4)]
        rows += [noise(length, seed) for seed in range(6)]
        rows += [wave(length, seed, level=3, season=season, noise=3) for seed in range(6)]
        rows.append(np.linspace(1, 9, length) * (1 + 0.3 * (np.arange(length) % season == 0)))
        past = np.stack(rows)
        expected = [naive2_by_hand(row.tolist(), season, 15) for row in rows]
        np.testing.assert_allclose(naive2(past, season, 15), expected, rtol=1e-10)
        found = [has_season(row.tolist(), season) for row in rows]
        assert any(found) and not all(found)

    def test_series_do_not_change_each_other(self) -> None:
        past = np.stack([wave(40, 1), noise(40), -wave(40, 2), wave(40, 3, noise=2)])
        alone = np.concatenate([naive2(row[None], 6, 9) for row in past])
        np.testing.assert_array_equal(naive2(past, 6, 9), alone)

    def test_an_exact_season_goes_on(self) -> None:
        pattern = np.array([2.0, 4.0, 8.0, 6.0])
        past = np.tile(pattern, 6)[:-1]
        np.testing.assert_allclose(naive2(past[None], 4, 6)[0], [6, 2, 4, 8, 6, 2], rtol=1e-12)

    def test_a_season_of_a_growing_series_is_multiplied(self) -> None:
        """The level is that of the last value."""
        pattern = np.array([0.5, 1.0, 1.5])
        past = np.tile(pattern, 10) * 1.02 ** np.arange(30)
        factors = np.array(naive2(past[None], 3, 3)[0]) / past[-1] * 1.5
        np.testing.assert_allclose(factors, pattern, rtol=0.05)

    @pytest.mark.parametrize("length", [6, 7, 17])
    def test_less_than_three_seasons_are_none(self, length: int) -> None:
        past = np.tile([1.0, 2, 3, 4, 5, 6], 3)[:length]
        np.testing.assert_array_equal(naive2(past[None], 6, 3), [[past[-1]] * 3])

    def test_three_seasons_are_enough(self) -> None:
        past = np.tile([9.0, 1, 1, 1], 3)
        assert naive2(past[None], 4, 2)[0].tolist() == naive2_by_hand(past.tolist(), 4, 2)

    @pytest.mark.parametrize("level", [0.0, -10.0])
    def test_values_that_are_not_above_0_keep_their_season(self, level: float) -> None:
        past = np.tile([0.0, 2.0, 5.0], 8) + level
        np.testing.assert_array_equal(naive2(past[None], 3, 4), [[past[-1]] * 4])

    @pytest.mark.parametrize("value", [0.0, 3.0])
    def test_a_constant_series_goes_on(self, value: float) -> None:
        np.testing.assert_array_equal(naive2(np.full((2, 30), value), 5, 4), np.full((2, 4), value))

    def test_without_a_season_it_is_the_last_value(self) -> None:
        past = np.stack([wave(30), wave(30, 1)])
        np.testing.assert_array_equal(naive2(past, 1, 5), np.repeat(past[:, -1:], 5, 1))

    def test_the_past_is_left_as_it_is(self) -> None:
        past = wave(40)[None]
        before = past.copy()
        naive2(past, 6, 5)
        np.testing.assert_array_equal(past, before)


class TestSeasonalErrors:
    """The denominator of MASE."""

    @pytest.mark.parametrize("season", [1, 2, 7])
    @pytest.mark.parametrize("missing", [0.0, 0.3])
    def test_it_is_the_mean_of_all_pairs_that_are_known(self, season: int, missing: float) -> None:
        rng = np.random.default_rng(3)
        values = rng.normal(size=(40, 3))
        values[rng.random(values.shape) < missing] = np.nan
        expected = []
        for channel in range(3):
            pairs = [(values[step, channel], values[step - season, channel]) for step in range(season, 40)]
            expected.append(np.mean([abs(now - before) for now, before in pairs if np.isfinite(now - before)]))
        np.testing.assert_allclose(seasonal_errors(values, season), expected)

    @pytest.mark.parametrize("length", [0, 1, 4])
    def test_a_part_that_is_no_longer_than_a_season_has_none(self, length: int) -> None:
        assert seasonal_errors(np.ones((length, 2)), 4).tolist() == [0, 0]

    def test_a_channel_without_a_pair_has_none(self) -> None:
        values = np.array([[1.0, np.nan], [2.0, 1.0], [5.0, np.nan]])
        assert seasonal_errors(values, 1).tolist() == [2.0, 0.0]

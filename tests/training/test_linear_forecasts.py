"""Linear forecasts against least squares of NumPy on the windows written out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from hfattnlstm.modeling.series_scaling import SMALLEST_SCALE, InstanceScaling
from hfattnlstm.training import linear_forecasts
from hfattnlstm.training.linear_forecasts import PENALTY, LinearMap, batches_of, fit_linear, naive_map
from training.forecasting_helpers import FUTURE, PAST, wave, windows_of


def scaled_by_hand(past: np.ndarray, center: str, scale: str) -> tuple[np.ndarray, float, float]:
    """The past (length,) without gaps, its centre, and what the rest was divided by."""
    known = np.isfinite(past)
    filled = past.copy()
    for step in range(1, len(past)):
        if not known[step]:
            filled[step] = filled[step - 1]
    begun = np.maximum.accumulate(known)
    filled[~begun] = 0
    loc = {"none": 0.0, "mean": past[known].mean() if known.any() else 0.0, "last": filled[-1]}[center]
    spread = 1.0
    if scale == "std":
        spread = max(past[known].std(), SMALLEST_SCALE)
    elif scale == "mean_abs":
        spread = np.abs(past[known]).mean()
    return np.where(begun, (filled - loc) / spread, 0.0), float(loc), float(spread)


def table_by_hand(
    series: Sequence[np.ndarray], center: str, scale: str, every: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of all windows and channels whose future is known whole: pasts with a column for the bias, and futures."""
    pasts, futures, number = [], [], -1
    for values in series:
        for step in range(PAST, len(values) - FUTURE + 1):
            number += 1
            for channel in range(values.shape[1]) if number % every == 0 else ():
                future = values[step : step + FUTURE, channel].astype(float)
                row, loc, spread = scaled_by_hand(values[step - PAST : step, channel].astype(float), center, scale)
                if np.isfinite(future).all():
                    # Large errors count as much as they are.
                    pasts.append(np.append(row, 1.0) * spread)
                    futures.append(future - loc)
    return np.array(pasts), np.array(futures)


def ridge_by_hand(pasts: np.ndarray, futures: np.ndarray, lookback: int, penalty: float) -> tuple[np.ndarray, ...]:
    """As least squares of a taller table, whose last rows pull the weights to 0."""
    kept = np.append(np.arange(PAST - lookback, PAST), PAST)
    table = pasts[:, kept]
    power = (table**2).sum(0)
    pulls = np.sqrt(np.append(np.full(lookback, penalty * power[:-1].mean()), 1e-6 * power[-1]))
    taller = np.vstack([table, np.diag(pulls)])
    solved = np.linalg.lstsq(taller, np.vstack([futures, np.zeros((lookback + 1, FUTURE))]), rcond=None)[0]
    weight = np.zeros((FUTURE, PAST))
    weight[:, PAST - lookback :] = solved[:-1].T
    return weight, solved[-1]


def made_up(channels: int = 2, missing: float = 0.0) -> list[np.ndarray]:
    """Three series of which one is longer, with gaps."""
    rng, series = np.random.default_rng(5), []
    for number, length in enumerate((40, 60, 47)):
        values = np.stack(
            [wave(length, 7 * number + index, level=3 * number, noise=1) for index in range(channels)], 1
        )
        values[rng.random(values.shape) < missing] = np.nan
        series.append(values.astype(np.float32))
    return series


class TestFit:
    """Least squares with a penalty."""

    @pytest.mark.parametrize("center", ["none", "mean", "last"])
    @pytest.mark.parametrize("scale", ["none", "std", "mean_abs"])
    def test_it_is_that_of_numpy(self, center: str, scale: str) -> None:
        series = made_up()
        found = fit_linear(windows_of(series), InstanceScaling(center, scale), [PAST, PAST // 2])
        pasts, futures = table_by_hand(series, center, scale)
        for lookback, each in zip((PAST, PAST // 2), found, strict=True):
            weight, bias = ridge_by_hand(pasts, futures, lookback, PENALTY)
            np.testing.assert_allclose(each.weight.numpy(), weight, atol=2e-4)
            np.testing.assert_allclose(each.bias.numpy(), bias, atol=2e-3)

    @pytest.mark.parametrize("missing", [0.02, 0.1])
    def test_gaps_of_the_past_are_filled_and_futures_with_gaps_are_left_out(self, missing: float) -> None:
        series = made_up(missing=missing)
        (found,) = fit_linear(windows_of(series), InstanceScaling("mean", "std"), [PAST])
        pasts, futures = table_by_hand(series, "mean", "std")
        complete = table_by_hand(made_up(), "mean", "std")
        assert 0 < len(pasts) < len(complete[0])
        weight, bias = ridge_by_hand(pasts, futures, PAST, PENALTY)
        np.testing.assert_allclose(found.weight.numpy(), weight, atol=5e-4)
        np.testing.assert_allclose(found.bias.numpy(), bias, atol=5e-3)

    @pytest.mark.parametrize("gaps", ["every third", "a third"])
    def test_where_hardly_a_future_is_whole_it_is_that_of_what_is_known(self, gaps: str) -> None:
        """Each step by itself, from the windows in which it is known."""
        series = [wave(400, seed, level=3 * seed, noise=0.1)[:, None].astype(np.float32) for seed in range(2)]
        for values in series:
            chosen = np.random.default_rng(1).random(400) < 1 / 3 if gaps == "a third" else np.arange(400) % 3 == 0
            values[chosen] = np.nan
        windows = windows_of(series)
        (found,) = fit_linear(windows, InstanceScaling("mean", "none"), [PAST])
        rows = [(window["past_values"][:, 0], window["future_values"][:, 0]) for window in windows]
        for step in range(FUTURE):
            known = [(past, future[step]) for past, future in rows if np.isfinite(future[step])]
            table = [scaled_by_hand(past.astype(float), "mean", "none")[:2] for past, _ in known]
            pasts = np.array([np.append(row, 1.0) for row, _ in table])
            target = np.array([value for _, value in known]) - np.array([loc for _, loc in table])
            weight, bias = ridge_by_hand(pasts, np.repeat(target[:, None], FUTURE, 1), PAST, PENALTY)
            least = np.abs(pasts @ np.append(weight[0], bias[0]) - target).mean()
            told = np.abs(pasts @ np.append(found.weight[step], found.bias[step]) - target).mean()
            assert told < 1.15 * least < 0.5, step

    @pytest.mark.parametrize("known", [[0, 3], [1, 2], [3], [0, 1, 2, 3], [2]])
    def test_gaps_lie_on_a_line_at_first(self, known: list[int]) -> None:
        future = torch.full((1, 4), torch.nan)
        future[0, known] = torch.tensor([5.0, 2.0, 4.0, -8.0])[known]
        line = np.interp(np.arange(4), known, future[0, known].numpy())
        np.testing.assert_allclose(linear_forecasts._between_neighbours(future, future)[0], line, rtol=1e-6)

    @pytest.mark.parametrize("penalty", [1e-6, 1e-3, 1.0])
    def test_the_penalty_is_relative_to_the_size_of_the_values(self, penalty: float) -> None:
        series = made_up(channels=1)
        pasts, futures = table_by_hand(series, "last", "none")
        weight, _ = ridge_by_hand(pasts, futures, PAST, penalty)
        for factor in (1, 100):
            scaled = windows_of([factor * values for values in series])
            (found,) = fit_linear(scaled, InstanceScaling("last", "none"), [PAST], penalty)
            np.testing.assert_allclose(found.weight.numpy(), weight, atol=1e-3)

    def test_an_exact_rule_is_found(self) -> None:
        """A sine that is sampled evenly follows x(t + 1) = 2 cos(w) x(t) − x(t − 1)."""
        steps = np.arange(200)
        values = [np.sin(0.7 * steps)[:, None], 3 * np.sin(0.7 * steps + 1)[:, None]]
        windows = windows_of(values)
        (found,) = fit_linear(windows, InstanceScaling("none", "none"), [2], penalty=1e-9)
        expected = np.zeros(PAST)
        expected[-2:] = -1, 2 * np.cos(0.7)
        np.testing.assert_allclose(found.weight[0].numpy(), expected, atol=1e-3)
        batch = next(batches_of(windows, 50))
        np.testing.assert_allclose(found(batch["past_values"]), batch["future_values"], atol=5e-3)

    def test_steps_before_the_lookback_have_no_weight(self) -> None:
        found = fit_linear(windows_of(made_up()), InstanceScaling("mean", "none"), [5])[0]
        assert not found.weight[:, :-5].any() and found.weight[:, -5:].all()

    def test_the_order_of_batches_does_not_matter(self, monkeypatch: pytest.MonkeyPatch) -> None:
        windows, scaling = windows_of(made_up()), InstanceScaling("mean", "none")
        whole = fit_linear(windows, scaling, [PAST])[0]
        monkeypatch.setattr(linear_forecasts, "_ROWS_AT_ONCE", 7)
        pieces = fit_linear(windows, scaling, [PAST])[0]
        torch.testing.assert_close(pieces.weight, whole.weight, atol=1e-4, rtol=0)

    def test_of_many_windows_some_are_taken_evenly(self, monkeypatch: pytest.MonkeyPatch) -> None:
        series = made_up()
        windows = windows_of(series)
        most = len(windows) // 3
        monkeypatch.setattr(linear_forecasts, "_MOST_ROWS", most * 2)
        (found,) = fit_linear(windows, InstanceScaling("last", "none"), [PAST])
        every = -(-len(windows) // most)
        assert every > 2
        weight, bias = ridge_by_hand(*table_by_hand(series, "last", "none", every), PAST, PENALTY)
        np.testing.assert_allclose(found.weight.numpy(), weight, atol=2e-4)
        np.testing.assert_allclose(found.bias.numpy(), bias, atol=2e-3)

    @pytest.mark.parametrize("filling", [np.nan, 0.0, 4.0])
    def test_nothing_to_learn_gives_finite_numbers(self, filling: float) -> None:
        (found,) = fit_linear(windows_of([np.full((40, 1), filling)]), InstanceScaling("mean", "std"), [PAST])
        assert found.weight.isfinite().all() and found.bias.isfinite().all()
        said = found(torch.zeros(1, PAST, 1))
        np.testing.assert_allclose(said, torch.zeros(1, FUTURE, 1), atol=1e-3)


class TestNaiveMap:
    """The last season again."""

    @pytest.mark.parametrize("season", [1, 2, 3, 5, PAST])
    @pytest.mark.parametrize("horizon", [1, 4, 11])
    def test_each_step_is_the_one_so_many_seasons_before(self, season: int, horizon: int) -> None:
        past = np.random.default_rng(0).normal(size=PAST)
        known = list(past)
        for _ in range(horizon):
            known.append(known[-season])
        found = naive_map(PAST, horizon, season)(torch.from_numpy(past).float().view(1, -1, 1))
        np.testing.assert_allclose(found[0, :, 0], known[PAST:], rtol=1e-6)


def test_a_map_is_a_weighted_sum_of_each_channel() -> None:
    rng = np.random.default_rng(0)
    weight, bias, values = rng.normal(size=(4, 7)), rng.normal(size=4), rng.normal(size=(3, 7, 2))
    found = LinearMap(torch.from_numpy(weight), torch.from_numpy(bias))(torch.from_numpy(values))
    expected = np.stack([[weight @ row[:, channel] + bias for channel in range(2)] for row in values])
    np.testing.assert_allclose(found, expected.transpose(0, 2, 1))


def test_batches_come_in_order_with_the_last_one() -> None:
    windows = windows_of(made_up())
    batches = list(batches_of(windows, 8))
    assert [len(batch["past_values"]) for batch in batches[:-1]] == [8] * (len(windows) // 8)
    assert 0 < len(batches[-1]["past_values"]) == len(windows) % 8
    joined = torch.cat([batch["future_values"] for batch in batches])
    np.testing.assert_array_equal(joined, np.stack([windows[index]["future_values"] for index in range(len(windows))]))

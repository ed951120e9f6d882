"""Metrics of forecasts against NumPy, value by value."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from hfattnlstm.training.forecast_metrics import ForecastBatch, ForecastSums, owa


LEVELS = (0.01, 0.1, 0.5, 0.9, 0.99)


def by_hand(
    forecast: np.ndarray,
    target: np.ndarray,
    mean: np.ndarray,
    std: np.ndarray,
    mase_scale: np.ndarray,
    quantiles: np.ndarray | None = None,
    levels: Sequence[float] = (),
    step: int | None = None,
) -> dict[str, float]:
    """One value after the other; those that are missing, and those without a denominator, do not count."""
    found: dict[str, list[float]] = {}
    for row, place, channel in np.ndindex(target.shape):
        true, said = float(target[row, place, channel]), float(forecast[row, place, channel])
        if not np.isfinite(true) or (step is not None and place != step):
            continue
        level, spread, seasonal = (float(part[row, 0, channel]) for part in (mean, std, mase_scale))
        real, shown = true * spread + level, said * spread + level
        values = {"mse": (said - true) ** 2, "mae": abs(said - true)}
        values |= {"unscaled_mse": (shown - real) ** 2, "unscaled_mae": abs(shown - real)}
        if abs(real) + abs(shown) > 0:
            values["smape"] = 200 * abs(shown - real) / (abs(real) + abs(shown))
        if seasonal > 0:
            values["mase"] = abs(said - true) / seasonal
        if quantiles is not None:
            said_by_level = dict(zip(levels, quantiles[row, place, channel].astype(float), strict=True))
            losses = [
                level * (true - low) if true >= low else (1 - level) * (low - true)
                for level, low in said_by_level.items()
            ]
            values["crps"] = 2 * float(np.mean(losses))
            for low, high in ((levels[0], levels[-1]), (0.1, 0.9)):
                if {low, high} <= {*levels}:
                    name = f"coverage_{round(100 * (high - low))}"
                    values[name] = float(said_by_level[low] <= true <= said_by_level[high])
        for name, value in values.items():
            found.setdefault(name, []).append(value)
    return {name: float(np.mean(values)) for name, values in found.items()}


def random_case(seed: int = 0, rows: int = 9, length: int = 4, channels: int = 2, missing: float = 0.2) -> dict:
    """Forecasts, what came with some of it missing, scales, and quantiles in rising order."""
    rng = np.random.default_rng(seed)
    target = rng.normal(size=(rows, length, channels))
    target[rng.random(target.shape) < missing] = np.nan
    forecast = rng.normal(size=target.shape)
    spread = np.sort(rng.normal(size=(*target.shape, len(LEVELS))), -1)
    return {
        "forecast": forecast.astype(np.float32),
        "target": target.astype(np.float32),
        "mean": rng.normal(3, 2, (rows, 1, channels)).astype(np.float32),
        "std": rng.uniform(0.5, 4, (rows, 1, channels)).astype(np.float32),
        "mase_scale": rng.uniform(0.2, 2, (rows, 1, channels)).astype(np.float32),
        "quantiles": (forecast[..., None] + spread - spread[..., 2:3]).astype(np.float32),
    }


def summed(case: dict, size: int = 100, levels: Sequence[float] = LEVELS) -> ForecastSums:
    """In batches of a size."""
    sums = ForecastSums(levels)
    tensors = {name: torch.from_numpy(values) for name, values in case.items()}
    for start in range(0, len(case["target"]), size):
        part = {name: values[start : start + size] for name, values in tensors.items()}
        batch = ForecastBatch(part["target"], part["mean"], part["std"], part["mase_scale"])
        sums.add(part["forecast"], batch, part["quantiles"] if levels else None)
    return sums


@pytest.mark.parametrize("missing", [0.0, 0.2, 0.9])
@pytest.mark.parametrize("seed", [0, 1])
def test_every_metric_is_that_of_numpy(seed: int, missing: float) -> None:
    case = random_case(seed, missing=missing)
    expected = by_hand(**case, levels=LEVELS)
    found = summed(case).metrics()
    assert set(found) == set(expected)
    assert {"mse", "mae", "unscaled_mse", "unscaled_mae", "smape", "mase", "crps"} < set(found)
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-5), name


@pytest.mark.parametrize("size", [1, 2, 4])
def test_batches_change_nothing(size: int) -> None:
    case = random_case()
    assert summed(case, size).metrics() == pytest.approx(summed(case).metrics(), rel=1e-9)


def test_of_each_step() -> None:
    case = random_case(rows=20, missing=0.4)
    sums = summed(case, 6)
    for name in ("mse", "mae", "unscaled_mae", "smape", "mase", "crps", "coverage_80"):
        expected = [by_hand(**case, levels=LEVELS, step=step)[name] for step in range(4)]
        assert sums.by_step(name) == pytest.approx(expected, rel=1e-5), name


def test_a_forecaster_of_points_has_no_metrics_of_quantiles() -> None:
    found = summed(random_case(), levels=()).metrics()
    assert set(found) == {"mse", "mae", "unscaled_mse", "unscaled_mae", "smape", "mase"}


class TestMissing:
    """What is not known does not count."""

    def test_what_is_forecast_there_has_no_effect(self) -> None:
        case = random_case(missing=0.3)
        unknown = np.isnan(case["target"])
        other = {**case, "forecast": case["forecast"].copy(), "quantiles": case["quantiles"].copy()}
        other["forecast"][unknown], other["quantiles"][unknown] = 1e6, -1e6
        assert summed(other).metrics() == summed(case).metrics()
        other["forecast"][unknown] = np.nan
        assert summed(other).metrics() == summed(case).metrics()

    def test_infinite_values_are_missing_too(self) -> None:
        case = random_case(missing=0.3)
        infinite = {**case, "target": np.where(np.isnan(case["target"]), np.inf, case["target"])}
        assert summed(infinite).metrics() == summed(case).metrics()

    def test_a_forecast_that_is_no_number_is_not_hidden(self) -> None:
        case = random_case(missing=0.0)
        case["forecast"][0, 0, 0] = np.nan
        found = summed(case).metrics()
        assert np.isnan(found["mse"]) and np.isnan(found["mae"])

    def test_a_step_of_which_nothing_is_known_has_no_error(self) -> None:
        case = random_case(missing=0.0)
        case["target"][:, 2] = np.nan
        errors = summed(case).by_step("mse")
        assert errors[2] == 0 and errors[1] > 0

    def test_where_nothing_at_all_is_known_the_error_is_not_0(self) -> None:
        """A model would be perfect on a part in which nothing was measured."""
        case = random_case()
        case["target"][:] = np.nan
        found = summed(case).metrics()
        assert found.get("mse") != 0 and found.get("mae") != 0


class TestDenominators:
    """Where a metric would divide by nothing, a value does not count in it."""

    def test_two_zeros_do_not_count_in_smape(self) -> None:
        case = random_case(missing=0.0)
        case["mean"][:], case["std"][:] = 0, 1
        case["target"][:3], case["forecast"][:3] = 0, 0
        expected = by_hand(**case, levels=LEVELS)
        rest = {name: values[3:] for name, values in case.items()}
        assert summed(case).metrics()["smape"] == pytest.approx(expected["smape"], rel=1e-5)
        assert summed(case).metrics()["smape"] == pytest.approx(summed(rest).metrics()["smape"], rel=1e-6)
        assert summed(case).metrics()["mse"] == pytest.approx(expected["mse"], rel=1e-5)

    def test_a_zero_beside_a_forecast_counts_two_hundred_percent(self) -> None:
        one = torch.ones(1, 1, 1)
        sums = ForecastSums()
        sums.add(3 * one, ForecastBatch(0 * one, 0 * one, one, one))
        assert sums.metrics()["smape"] == pytest.approx(200)

    def test_a_series_without_a_seasonal_error_does_not_count_in_mase(self) -> None:
        case = random_case(missing=0.1)
        case["mase_scale"][::2, :, 0] = 0
        expected = by_hand(**case, levels=LEVELS)
        assert summed(case).metrics()["mase"] == pytest.approx(expected["mase"], rel=1e-5)
        assert summed(case).by_step("mase") == pytest.approx(
            [by_hand(**case, levels=LEVELS, step=step)["mase"] for step in range(4)], rel=1e-5
        )

    def test_metrics_that_no_value_counts_in_are_left_out(self) -> None:
        case = random_case(missing=0.0)
        case["mase_scale"][:] = 0
        assert "mase" not in summed(case).metrics()
        case["mean"][:], case["target"][:], case["forecast"][:] = 0, 0, 0
        found = summed(case).metrics()
        assert "smape" not in found and found["mse"] == 0


class TestQuantiles:
    """CRPS and coverage."""

    def test_crps_is_twice_the_mean_pinball_loss(self) -> None:
        """Of a value of 1, and quantiles that lie 1 below, on it, and 2 above."""
        one = torch.ones(1, 1, 1)
        sums = ForecastSums((0.2, 0.5, 0.7))
        said = torch.tensor([0.0, 1.0, 3.0]).view(1, 1, 1, 3)
        sums.add(one, ForecastBatch(one, 0 * one, one, one), said)
        assert sums.metrics()["crps"] == pytest.approx(2 * (0.2 * 1 + 0.0 + 0.3 * 2) / 3)

    def test_crps_of_many_quantiles_is_that_of_the_distribution(self) -> None:
        """Of a standard normal distribution at 0.3, by its formula."""
        from scipy import stats

        levels = np.round((np.arange(999) + 1) / 1000, 3)
        said = torch.from_numpy(stats.norm.ppf(levels)).float().view(1, 1, 1, -1)
        sums, one = ForecastSums(tuple(levels.tolist())), torch.ones(1, 1, 1)
        sums.add(one, ForecastBatch(0.3 * one, 0 * one, one, one), said)
        expected = 0.3 * (2 * stats.norm.cdf(0.3) - 1) + 2 * stats.norm.pdf(0.3) - 1 / np.sqrt(np.pi)
        assert sums.metrics()["crps"] == pytest.approx(expected, abs=2e-3)

    @pytest.mark.parametrize(
        ("levels", "names"),
        [
            ((0.1, 0.5, 0.9), {"coverage_80"}),
            ((0.05, 0.1, 0.5, 0.9, 0.95), {"coverage_80", "coverage_90"}),
            ((0.2, 0.5, 0.8), {"coverage_60"}),
            ((0.1, 0.5, 0.8), {"coverage_70"}),
            ((0.025, 0.5, 0.975), {"coverage_95"}),
            ((0.01, 0.1, 0.5, 0.9, 0.99), {"coverage_80", "coverage_98"}),
        ],
    )
    def test_intervals_are_named_by_their_width(self, levels: tuple[float, ...], names: set[str]) -> None:
        sums, one = ForecastSums(levels), torch.ones(1, 1, 1)
        said = torch.linspace(-1, 1, len(levels)).view(1, 1, 1, -1)
        sums.add(one, ForecastBatch(0 * one, 0 * one, one, one), said)
        found = {name: value for name, value in sums.metrics().items() if name.startswith("coverage")}
        assert found == dict.fromkeys(names, 1.0)

    def test_the_median_alone_is_no_interval(self) -> None:
        sums, one = ForecastSums((0.5,)), torch.ones(1, 1, 1)
        sums.add(one, ForecastBatch(0 * one, 0 * one, one, one), one.unsqueeze(-1))
        assert not [name for name in sums.metrics() if name.startswith("coverage")]

    def test_a_value_on_a_bound_is_covered(self) -> None:
        sums, values = ForecastSums((0.1, 0.5, 0.9)), torch.tensor([-1.0, 1.0, 1.1, -1.1]).view(4, 1, 1)
        said = torch.tensor([-1.0, 0.0, 1.0]).expand(4, 1, 1, 3)
        zeros = torch.zeros(4, 1, 1)
        sums.add(zeros, ForecastBatch(values, zeros, zeros + 1, zeros), said)
        assert sums.metrics()["coverage_80"] == 0.5


def test_small_errors_are_not_lost_among_many_values() -> None:
    """Sums of float32 would stop growing."""
    sums, many = ForecastSums(), torch.full((100_000, 10, 1), 1000.0)
    nothing = torch.zeros(100_000, 1, 1)
    for _ in range(3):
        sums.add(many, ForecastBatch(torch.zeros_like(many), nothing, nothing + 1, nothing))
    small = torch.full((1, 10, 1), 0.5)
    sums.add(small, ForecastBatch(torch.zeros_like(small), nothing[:1], nothing[:1] + 1, nothing[:1]))
    expected = (3_000_000 * 1e6 + 10 * 0.25) / 3_000_010
    assert sums.metrics()["mse"] == pytest.approx(expected, rel=1e-12)


def test_owa_is_the_mean_of_two_ratios() -> None:
    assert owa(12.0, 1.5, 8.0, 3.0) == pytest.approx((1.5 + 0.5) / 2)
    assert owa(7.0, 2.0, 7.0, 2.0) == 1

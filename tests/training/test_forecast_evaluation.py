"""Evaluations of forecasts: every window counts, and what the model is compared with is what it is called."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from hfattnlstm.data.series import Series
from hfattnlstm.data.series_processor import SeriesProcessor
from hfattnlstm.data.series_windows import SeriesWindows
from hfattnlstm.modeling.series_scaling import InstanceScaling
from hfattnlstm.training.forecast_evaluation import (
    SHOWN_WINDOWS,
    ForecastEvaluation,
    evaluate_forecasts,
    show_windows,
)
from hfattnlstm.training.forecasts import Forecast, forecast_batch, levels_of
from hfattnlstm.training.linear_forecasts import LinearMap
from hfattnlstm.training.naive_forecasts import naive2
from training.forecasting_helpers import FUTURE, PAST, SEASON, tiny_model, wave, windows_of


LEVELS = (0.1, 0.5, 0.9)
SCALES = [(10.0, 2.0), (-3.0, 0.5)]
MASE_SCALES = [np.array([0.5, 2.0]), np.array([1.5, 0.0])]


def made_up(missing: float = 0.0, lengths: tuple[int, ...] = (60, 75)) -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    series = [
        np.stack([wave(length, 2 * place, level=8), wave(length, 2 * place + 1, level=12, noise=1)], 1)
        for place, length in enumerate(lengths)
    ]
    for values in series:
        values[rng.random(values.shape) < missing] = np.nan
    return [values.astype(np.float32) for values in series]


def model(batch: dict[str, Any]) -> Forecast:
    """The mean of the past, and quantiles around it."""
    values = torch.nan_to_num(batch["past_values"]).mean(1, keepdim=True).expand(-1, FUTURE, -1)
    return Forecast(values, torch.stack([values - 1, values, values + 2], -1))


def evaluated(windows: SeriesWindows, size: int = 16, **options: Any) -> ForecastEvaluation:
    options = {"season": SEASON, "quantiles": LEVELS, "batch_size": size, **options}
    return evaluate_forecasts(model, windows, MASE_SCALES, **options)


def filled(past: np.ndarray) -> np.ndarray:
    """Each gap as the value before it."""
    past = past.copy()
    for step in range(1, len(past)):
        past[step] = np.where(np.isnan(past[step]), past[step - 1], past[step])
    return past


def errors_by_hand(windows: SeriesWindows, forecast: Any, whole: bool = False) -> dict[str, float]:
    """Over all windows and channels, one after the other; `forecast` takes a past (length,) and its scale.

    That is the past of the window, or with `whole` that of the series.
    """
    found: dict[str, list[float]] = {name: [] for name in ("mse", "mae", "unscaled_mae", "smape", "mase")}
    for index in range(len(windows)):
        series, step = windows.place(index)
        (mean, std), window = SCALES[series], windows[index]
        known = windows.inputs[series].values[:step] if whole else window["past_values"]
        past = filled(known.astype(float))
        for channel in range(2):
            said = forecast(past[:, channel], mean, std)
            for true, value in zip(window["future_values"][:, channel].astype(float), said, strict=True):
                if not math.isfinite(true):
                    continue
                error = abs(value - true)
                found["mse"].append(error**2)
                found["mae"].append(error)
                found["unscaled_mae"].append(std * error)
                size = abs(true * std + mean) + abs(value * std + mean)
                found["smape"].append(200 * std * error / size)
                if MASE_SCALES[series][channel]:
                    found["mase"].append(error / MASE_SCALES[series][channel])
    return {name: float(np.mean(values)) for name, values in found.items()}


def last_season(past: np.ndarray, *_: float) -> list[float]:
    return [past[-SEASON + step % SEASON] for step in range(FUTURE)]


def unscaled_naive2(past: np.ndarray, mean: float, std: float) -> np.ndarray:
    return (naive2((past * std + mean)[None], SEASON, FUTURE)[0] - mean) / std


class TestFigures:
    """Against NumPy, window by window."""

    @pytest.mark.parametrize("missing", [0.0, 0.05])
    @pytest.mark.parametrize("size", [1, 16, 1000])
    def test_of_the_model_over_every_window_the_last_batch_too(self, missing: float, size: int) -> None:
        windows = windows_of(made_up(missing), scales=SCALES)
        assert len(windows) % 16
        found = evaluated(windows, size)
        means = [
            [np.nan_to_num(windows[index]["past_values"]).mean(0)[channel] for channel in range(2)]
            for index in range(len(windows))
        ]
        queue = iter([value for row in means for value in row])
        expected = errors_by_hand(windows, lambda *_: [next(queue)] * FUTURE)
        for name, value in expected.items():
            assert found.metrics[name] == pytest.approx(value, rel=1e-4), name
        assert found.windows == len(windows)
        assert {"crps", "coverage_80", "owa"} <= set(found.metrics)

    @pytest.mark.parametrize("missing", [0.0, 0.05])
    def test_of_the_last_value_and_the_last_season(self, missing: float) -> None:
        series = made_up(missing)
        for values in series:
            values[:SEASON] = 1.0
        windows = windows_of(series, scales=SCALES)
        found = evaluated(windows).others
        for name, forecast in (
            ("last value", lambda past, *_: [past[-1]] * FUTURE),
            ("last season", last_season),
        ):
            for metric, value in errors_by_hand(windows, forecast).items():
                assert found[name][metric] == pytest.approx(value, rel=1e-4), (name, metric)

    def test_of_a_linear_forecast_in_the_scale_of_its_window(self) -> None:
        windows = windows_of(made_up(), scales=SCALES)
        rng = np.random.default_rng(0)
        weight, bias = rng.normal(size=(FUTURE, PAST)) / PAST, rng.normal(size=FUTURE)
        linear = LinearMap(torch.from_numpy(weight).float(), torch.from_numpy(bias).float())
        found = evaluated(windows, linear=(InstanceScaling("mean", "std"), linear)).others["linear"]

        def forecast(past: np.ndarray, *_: float) -> np.ndarray:
            return (weight @ ((past - past.mean()) / past.std()) + bias) * past.std() + past.mean()

        for metric, value in errors_by_hand(windows, forecast).items():
            assert found[metric] == pytest.approx(value, rel=1e-4), metric

    def test_owa_compares_with_naive_2_of_the_values_themselves(self) -> None:
        windows = windows_of(made_up(), scales=SCALES)
        found = evaluated(windows)
        base = errors_by_hand(windows, unscaled_naive2, whole=True)
        for scores in (found.metrics, *found.others.values()):
            expected = (scores["smape"] / base["smape"] + scores["mase"] / base["mase"]) / 2
            assert scores["owa"] == pytest.approx(expected, rel=1e-4)
        assert "naive 2" not in found.others and "naive 2" not in found.by_step

    def test_naive_2_of_a_short_series_knows_nothing_before_it(self) -> None:
        """What is missing before its first value is no part of its season."""
        past, series = 40, wave(30, noise=0.05)[:, None]
        windows = windows_of([series], past=past, first=24)
        assert np.isnan(windows[0]["past_values"][:16]).all()
        found = evaluate_forecasts(
            lambda batch: Forecast(batch["past_values"][:, -1:].expand(-1, FUTURE, -1), None),
            windows,
            [np.ones(1)],
            season=SEASON,
        )
        smape, mae = [], []
        for step in range(24, 27):
            came = series[step : step + FUTURE, 0]
            said = naive2(series[None, :step, 0], SEASON, FUTURE)[0]
            assert abs(said - series[step - 1, 0]).max() > 0.5
            smape += list(200 * np.abs(said - came) / (said + came))
            mae += list(np.abs(said - came))
        last = found.others["last value"]
        assert last["owa"] == pytest.approx(
            (last["smape"] / np.mean(smape) + last["mase"] / np.mean(mae)) / 2, rel=1e-3
        )

    def test_without_a_season_owa_compares_with_the_last_value(self) -> None:
        found = evaluated(windows_of(made_up(), scales=SCALES), season=1)
        assert list(found.others) == ["last value"]
        assert found.others["last value"]["owa"] == pytest.approx(1)

    def test_a_season_that_is_longer_than_the_past_cannot_be_repeated(self) -> None:
        found = evaluated(windows_of(made_up(), scales=SCALES), season=PAST + 1)
        assert list(found.others) == ["last value"]

    def test_by_step(self) -> None:
        windows = windows_of(made_up(), scales=SCALES)
        found = evaluated(windows)
        assert list(found.by_step) == ["model", "last value", "last season"]
        said = np.stack([[windows[index]["past_values"][-1]] * FUTURE for index in range(len(windows))])
        came = np.stack([windows[index]["future_values"] for index in range(len(windows))])
        assert found.by_step["last value"] == pytest.approx(((said - came) ** 2).mean((0, 2)), rel=1e-4)

    def test_forecasts_of_series_that_are_all_0(self) -> None:
        """Neither smape nor mase has a denominator."""
        found = evaluate_forecasts(
            lambda batch: Forecast(batch["past_values"][:, -FUTURE:], None),
            windows_of([np.zeros((40, 1))]),
            [np.zeros(1)],
            season=SEASON,
        )
        assert found.metrics["mse"] == 0 and not {"smape", "mase", "owa"} & set(found.metrics)

    def test_a_demand_that_has_come_to_nothing(self) -> None:
        """The last season says so exactly, and its smape has no denominator; the last value does not know it yet."""
        values = np.ones((PAST + FUTURE, 1), np.float32)
        values[PAST - SEASON : PAST - 1], values[PAST:] = 0, 0
        windows = windows_of([values])
        assert len(windows) == 1
        found = evaluate_forecasts(
            lambda batch: Forecast(batch["past_values"][:, -1:].expand(-1, FUTURE, -1), None),
            windows,
            [np.ones(1)],
            season=SEASON,
        )
        assert found.metrics["mse"] == 1 and found.others["last season"]["mse"] == 0


class TestBounds:
    """What is beyond the bounds of a series counts as if it were forecast on them."""

    def test_the_model_and_the_others_stay_between_them(self) -> None:
        windows = windows_of(made_up(), scales=SCALES)
        windows.inputs = [each._replace(bounds=(5.0, 9.0)) for each in windows.inputs]

        def within(batch: dict[str, Any]) -> Forecast:
            found, places = model(batch), [windows.place(index)[0] for index in range(len(windows))]
            mean, std = (torch.tensor([SCALES[place][part] for place in places])[:, None, None] for part in (0, 1))
            low, high = (5 - mean) / std, (9 - mean) / std
            return Forecast(found.values.clamp(low, high), found.quantiles.clamp(low[..., None], high[..., None]))

        found = evaluated(windows, size=len(windows))
        free = windows_of(made_up(), scales=SCALES)
        expected = evaluate_forecasts(
            within, free, MASE_SCALES, season=SEASON, quantiles=LEVELS, batch_size=len(windows)
        )
        assert found.metrics == pytest.approx(expected.metrics, rel=1e-6)
        assert found.metrics["mse"] != pytest.approx(evaluated(free).metrics["mse"], rel=0.01)
        assert found.others["last value"]["mse"] != pytest.approx(expected.others["last value"]["mse"], rel=0.01)

    @pytest.mark.parametrize("seed", range(5))
    def test_a_value_on_a_bound_lies_within_an_interval_that_ends_there(self, seed: int) -> None:
        """As days without sales do."""
        mean, std = np.random.default_rng(seed).uniform(0.1, 3, 2)
        processor = SeriesProcessor(scales={"": [[mean], [std]]}, columns={"targets": ["y"]}, lower_bound=0)
        inputs = processor.inputs(Series("", 0, np.zeros((40, 1))))
        windows = SeriesWindows([inputs], [""], [PAST], [36], context_length=PAST, prediction_length=FUTURE)
        below = torch.full((1, FUTURE, 1), -99.0)

        def forecast(batch: dict[str, Any]) -> Forecast:
            values = below.expand(len(batch["past_values"]), -1, -1)
            return Forecast(values, values.unsqueeze(-1).expand(-1, -1, -1, 3))

        found = evaluate_forecasts(forecast, windows, [np.ones(1)], season=1, quantiles=LEVELS)
        assert found.metrics["coverage_80"] == 1 and found.metrics["mse"] == 0

    @pytest.mark.parametrize(("level", "below"), [(100.0, False), (-9.0, True)])
    def test_a_forecast_below_0_is_seen(self, level: float, below: bool) -> None:
        assert evaluated(windows_of(made_up(), scales=[(level, 1.0)] * 2)).below_zero == below

    def test_a_picture_shows_what_is_forecast(self) -> None:
        windows = windows_of([values[:, :1] for values in made_up()], scales=SCALES)
        windows.inputs = [each._replace(bounds=(5.0, 5.5)) for each in windows.inputs]
        for shown in show_windows(tiny_model(loss="quantile"), windows, ["y"]):
            assert ((shown.forecast >= 5) & (shown.forecast <= 5.5)).all()
            assert ((shown.quantiles >= 5) & (shown.quantiles <= 5.5)).all()


class TestRest:
    """What pictures and tables are made of."""

    def test_residuals_are_what_came_less_what_was_forecast(self) -> None:
        windows = windows_of([values[:, :1] for values in made_up(0.05)])
        found = evaluate_forecasts(model, windows, [np.ones(1)] * 2, season=1, quantiles=LEVELS)
        expected = []
        for index in range(len(windows)):
            window = windows[index]
            expected += list(window["future_values"][:, 0] - np.nan_to_num(window["past_values"]).mean())
        known = np.array([value for value in expected if math.isfinite(value)])
        np.testing.assert_allclose(np.sort(found.residuals), np.sort(known), atol=1e-5)

    def test_of_many_residuals_some_are_kept(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("hfattnlstm.training.forecast_evaluation._MOST_RESIDUALS", 50)
        windows = windows_of(made_up(), scales=SCALES)
        every = evaluated(windows).residuals
        assert 20 < len(every) <= 100

    @pytest.mark.parametrize("most", [20_000, 100, 40])
    def test_residuals_are_of_every_channel_and_step(self, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
        monkeypatch.setattr("hfattnlstm.training.forecast_evaluation._MOST_RESIDUALS", most)
        windows = windows_of([np.zeros((100, 2))])
        errors = torch.arange(FUTURE).view(1, -1, 1) + 10.0 * torch.arange(2)
        found = evaluate_forecasts(
            lambda batch: Forecast(-errors.expand(len(batch["past_values"]), -1, -1), None),
            windows,
            [np.ones(2)],
            season=1,
        )
        assert set(found.residuals.tolist()) == {0, 1, 2, 3, 10, 11, 12, 13}

    def test_progress_is_told_to_the_end(self) -> None:
        windows, told = windows_of(made_up()), []
        evaluated(windows, 32, progress=lambda done, total: told.append((done, total)))
        assert told[-1] == (len(windows), len(windows)) and [done for done, _ in told][:2] == [32, 64]

    def test_thinned_windows_are_those_that_are_measured(self) -> None:
        windows = windows_of(made_up(), scales=SCALES).thinned(10)
        found = evaluated(windows, 3)
        assert found.windows == len(windows) <= 10
        expected = errors_by_hand(windows, last_season)
        assert found.others["last season"]["mase"] == pytest.approx(expected["mase"], rel=1e-4)

    def test_the_table_has_what_all_have_the_model_first(self) -> None:
        found = evaluated(windows_of(made_up(), scales=SCALES))
        table = found.table()
        assert list(table) == ["model", "last value", "last season"]
        names = {tuple(scores) for scores in table.values()}
        assert names == {("mse", "mae", "unscaled_mse", "unscaled_mae", "smape", "mase", "owa")}
        assert table["model"]["mse"] == found.metrics["mse"]


class TestVerdict:
    """A sentence that says what the model does not beat."""

    @staticmethod
    def verdict(model: tuple[float, float], *others: tuple[float, float]) -> str:
        named = dict(zip(("last value", "linear"), others))
        scores = {name: {"mse": mse, "mae": mae} for name, (mse, mae) in named.items()}
        return ForecastEvaluation({"mse": model[0], "mae": model[1]}, scores, {}, (), 1, np.empty(0)).verdict()

    def test_it_beats_all(self) -> None:
        told = self.verdict((0.5, 0.5), (1, 1), (0.6, 0.7))
        assert told == "The model beats last value, linear in mse and mae."

    def test_it_is_beaten(self) -> None:
        told = self.verdict((0.5, 0.5), (1, 0.25), (0.4, 0.7))
        assert told == (
            "The model does not beat every simple forecast: last value has mae 0.25 against 0.5; "
            "linear has mse 0.4 against 0.5."
        )

    def test_a_draw_is_no_victory(self) -> None:
        assert not self.verdict((0.5, 0.5), (0.5, 0.5)).startswith("The model beats last value")


class TestShownWindows:
    """Some windows with what a model says of their first channel."""

    def test_they_are_in_the_scale_of_their_series(self) -> None:
        series = made_up()
        windows = windows_of(series, scales=SCALES)
        forecaster = tiny_model(num_input_channels=2, loss="quantile", quantiles=list(LEVELS), pooler_num_heads=3)
        shown = show_windows(forecaster, windows, ("load", "price"))
        assert len(shown) == SHOWN_WINDOWS
        assert [window.name for window in shown] == ["s0/load", "s0/load", "s1/load", "s1/load"]
        first, last = shown[0], shown[-1]
        np.testing.assert_allclose(first.past, series[0][:PAST, 0] * 2 + 10, rtol=1e-5)
        np.testing.assert_allclose(last.future, series[1][-FUTURE:, 0] * 0.5 - 3, rtol=1e-5)
        batch = {"past_values": torch.from_numpy(series[0][None, :PAST])}
        found = forecast_batch(forecaster, batch, attention=True)
        np.testing.assert_allclose(first.forecast, found.values[0, :, 0] * 2 + 10, rtol=1e-5)
        np.testing.assert_allclose(first.quantiles, found.quantiles[0, :, 0] * 2 + 10, rtol=1e-5)
        np.testing.assert_allclose(first.attention, found.attention[0, :3].mean(0), rtol=1e-5)
        np.testing.assert_allclose(first.attention.sum(-1), 1, rtol=1e-5)

    def test_an_autoregressive_decoder_has_a_row_for_each_segment(self) -> None:
        forecaster = tiny_model(decoding="autoregressive", prediction_length=8, segment_length=3)
        windows = windows_of([wave()[:, None]], future=8)
        (window, *_) = show_windows(forecaster, windows, ("y",))
        assert window.attention.shape == (3, 6) and window.quantiles is None
        assert window.name == "s0"

    def test_few_windows_are_all_shown(self) -> None:
        windows = windows_of([wave(PAST + FUTURE + 1)[:, None]])
        assert len(windows) == 2 == len(show_windows(tiny_model(), windows, ("y",)))

    def test_a_series_without_a_name_is_called_by_its_channel(self) -> None:
        windows = windows_of([wave()[:, None]])
        windows.names = [""]
        assert show_windows(tiny_model(), windows, ("load",))[0].name == "load"

    @pytest.mark.parametrize("context", [None, ["attention"]])
    def test_what_attends_nowhere_for_its_forecast_has_no_attention_over_the_past(self, context: Any) -> None:
        """That of a context layer is between steps of the past, a row for each of them."""
        forecaster = tiny_model(pooling="last", context_layers=context)
        (window, *_) = show_windows(forecaster, windows_of([wave()[:, None]]), ("y",))
        assert window.attention is None


@pytest.mark.parametrize("name", ["student_t", "normal", "negative_binomial"])
def test_quantiles_of_distributions_are_those_of_many_drawings(name: str) -> None:
    center = {"instance_center": "none"} if name == "negative_binomial" else {}
    forecaster = tiny_model(loss="nll", distribution_output=name, num_parallel_samples=4000, **center)
    batch = {"past_values": torch.from_numpy(wave(PAST, level=6).round()[None, :, None]).float()}
    found = forecast_batch(forecaster, batch)
    torch.manual_seed(0)
    drawn = forecaster.generate(**batch).sequences[0, :, :, 0].double().numpy()
    assert found.quantiles.shape[-1] == len(levels_of(forecaster.config)) == 11
    for place, level in enumerate(levels_of(forecaster.config)):
        said = found.quantiles[0, :, 0, place].numpy()
        assert ((drawn <= said + 1e-6).mean(0) >= level - 0.03).all()
        assert ((drawn < said - 1e-6).mean(0) <= level + 0.03).all()
    np.testing.assert_allclose(found.values[0, :, 0], drawn.mean(0), atol=6 * drawn.std(0).max() / 4000**0.5)


def test_windows_can_be_put_in_place_of_none() -> None:
    """As the task does where pictures are asked for."""
    windows = windows_of(made_up(), scales=SCALES)
    found = replace(evaluated(windows), shown=show_windows(tiny_model(num_input_channels=2), windows, ("a", "b")))
    assert len(found.shown) == SHOWN_WINDOWS and found.metrics["mse"] > 0

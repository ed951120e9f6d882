"""Pictures of forecasts."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.collections import PolyCollection
from matplotlib.text import Text

from hfattnlstm.training import forecast_plots
from hfattnlstm.training.forecast_evaluation import ForecastEvaluation, ShownWindow
from hfattnlstm.training.forecast_plots import (
    plot_attention,
    plot_error_by_step,
    plot_forecasts,
    plot_residuals,
    plot_windows,
    write_forecast_plots,
)


LEVELS = (0.01, 0.1, 0.5, 0.9, 0.99)
PAST, FUTURE = 30, 4


def window(name: str = "house 1", queries: int | None = 1, levels: int = len(LEVELS)) -> ShownWindow:
    rng = np.random.default_rng(0)
    forecast = rng.normal(size=FUTURE)
    quantiles = forecast[:, None] + np.linspace(-2, 2, levels) if levels else None
    attention = None if queries is None else rng.dirichlet(np.ones(6), queries)
    return ShownWindow(name, rng.normal(size=PAST), rng.normal(size=FUTURE), forecast, quantiles, attention, PAST // 6)


def evaluation(*windows: ShownWindow) -> ForecastEvaluation:
    residuals = np.random.default_rng(1).normal(0.5, 1, 500)
    errors = {"model": [0.1, 0.2, 0.3, 0.4], "last value": [0.5, 0.6, 0.7, 0.8], "linear": [0.2] * 4}
    return ForecastEvaluation({"mse": 0.25}, {}, errors, LEVELS, 9, residuals, windows or (window(), window("b")))


def lines_of(axes: object) -> dict[str, np.ndarray]:
    return {line.get_label(): line.get_xydata() for line in axes.lines}


class TestForecasts:
    """Windows one above the other."""

    def test_past_what_came_and_the_forecast(self) -> None:
        shown = window()
        (axes,) = plot_forecasts(evaluation(shown)).axes
        lines = lines_of(axes)
        # Three steps of the past for one of the future, the last of them at 0.
        np.testing.assert_allclose(lines["past"], np.column_stack([np.arange(-11, 1), shown.past[-12:]]))
        np.testing.assert_allclose(lines["what came"], np.column_stack([np.arange(1, 5), shown.future]))
        np.testing.assert_allclose(lines["forecast"], np.column_stack([np.arange(1, 5), shown.forecast]))
        assert axes.get_ylabel() == "house 1" and axes.get_xlabel() == "steps from the last one that was read"

    def test_the_widest_interval_and_that_of_80_percent(self) -> None:
        shown = window()
        (axes,) = plot_forecasts(evaluation(shown)).axes
        bands = {each.get_label(): each for each in axes.collections if isinstance(each, PolyCollection)}
        assert list(bands) == ["98 % interval", "80 % interval"]
        for name, low, high in (("98 % interval", 0, 4), ("80 % interval", 1, 3)):
            points = bands[name].get_paths()[0].vertices
            assert points[:, 1].min() == pytest.approx(shown.quantiles[:, low].min())
            assert points[:, 1].max() == pytest.approx(shown.quantiles[:, high].max())

    @pytest.mark.parametrize(
        ("levels", "names"),
        [
            ((0.1, 0.5, 0.9), ["80 % interval"]),
            ((0.25, 0.5, 0.75), ["50 % interval"]),
            ((0.1, 0.5, 0.9, 0.95), ["85 % interval", "80 % interval"]),
        ],
    )
    def test_other_intervals(self, levels: tuple[float, ...], names: list[str]) -> None:
        (axes,) = plot_windows([window(levels=len(levels))], levels).axes
        bands = [each.get_label() for each in axes.collections if isinstance(each, PolyCollection)]
        assert sorted(bands) == sorted(names)

    def test_the_median_alone_is_no_interval(self) -> None:
        (axes,) = plot_windows([window(levels=1)], (0.5,)).axes
        assert not [each.get_label() for each in axes.collections if "interval" in str(each.get_label())]

    def test_points_have_no_intervals(self) -> None:
        (axes,) = plot_windows([window(levels=0)], ()).axes
        assert not [each for each in axes.collections if isinstance(each, PolyCollection)]

    def test_what_has_not_come_yet_is_not_drawn(self) -> None:
        shown = replace(window(), future=np.full(FUTURE, np.nan))
        (axes,) = plot_windows([shown], LEVELS).axes
        assert "what came" not in lines_of(axes)

    def test_a_past_that_is_shorter_than_what_is_drawn(self) -> None:
        shown = replace(window(), past=np.array([1.0, np.nan, 2.0]))
        (axes,) = plot_windows([shown], LEVELS).axes
        assert lines_of(axes)["past"][:, 0].tolist() == [-2, -1, 0]

    def test_each_window_has_a_panel_and_one_legend_is_enough(self) -> None:
        figure = plot_windows([window(str(index)) for index in range(4)], LEVELS)
        assert [axes.get_ylabel() for axes in figure.axes] == ["0", "1", "2", "3"]
        assert [axes.get_legend() is not None for axes in figure.axes] == [True, False, False, False]
        assert [axes.get_xlabel() != "" for axes in figure.axes] == [False, False, False, True]

    def test_long_names_are_shortened(self) -> None:
        (axes,) = plot_windows([window("a house with a name that is much too long for a picture")], LEVELS).axes
        assert "…" in axes.get_ylabel() and len(axes.get_ylabel()) <= 30


class TestErrors:
    """By step, and one by one."""

    def test_each_step_and_forecast(self) -> None:
        (axes,) = plot_error_by_step(evaluation()).axes
        lines = lines_of(axes)
        assert list(lines) == ["model", "last value", "linear"]
        np.testing.assert_allclose(lines["last value"], [[1, 0.5], [2, 0.6], [3, 0.7], [4, 0.8]])
        assert axes.get_ylim()[0] == 0

    def test_residuals_with_their_mean(self) -> None:
        found = evaluation()
        (axes,) = plot_residuals(found).axes
        assert sum(bar.get_height() for bar in axes.patches) == pytest.approx(500, rel=0.02)
        (label,) = (text.get_text() for text in axes.get_legend().get_texts())
        assert label == f"mean {found.residuals.mean():+.3f}"
        left, right = axes.patches[0].get_x(), axes.patches[-1].get_x() + axes.patches[-1].get_width()
        assert left == pytest.approx(-right)

    @pytest.mark.parametrize("residuals", [np.empty(0), np.zeros(5), np.array([1.0])], ids=["none", "zeros", "one"])
    def test_few_residuals(self, residuals: np.ndarray, tmp_path: Path) -> None:
        figure = plot_residuals(replace(evaluation(), residuals=residuals))
        figure.savefig(tmp_path / "few.png")
        assert (tmp_path / "few.png").stat().st_size > 1000


class TestAttention:
    """Over the past, a row a window, or a query."""

    def test_of_several_windows(self) -> None:
        shown = [window(), window("b", queries=None), window("c")]
        above, below, *_ = plot_attention(evaluation(*shown)).axes
        image = below.images[0].get_array()
        np.testing.assert_allclose(image, np.concatenate([shown[0].attention, shown[2].attention]))
        assert below.get_ylabel() == "window" and above.get_ylabel() == "house 1"
        # The steps of the recurrence stand below those of the series.
        assert below.images[0].get_extent()[:2] == [-PAST + 0.5, 0.5] and above.lines[0].get_xdata()[0] == -PAST + 1

    def test_a_first_part_that_begins_before_the_past(self) -> None:
        shown = replace(window(), part_length=7)
        above, below, *_ = plot_attention(evaluation(shown)).axes
        assert below.images[0].get_extent()[:2] == [-41.5, 0.5]
        assert above.get_xlim() == below.get_xlim() == (-PAST + 0.5, 0.5)

    def test_of_several_queries_of_the_first_window(self) -> None:
        shown = window(queries=3)
        _, below, *_ = plot_attention(evaluation(shown, window("b", queries=3))).axes
        np.testing.assert_allclose(below.images[0].get_array(), shown.attention)
        assert below.get_ylabel() == "segment forecast" and below.get_yticks().tolist() == [1, 2, 3]


class TestFiles:
    """All of them at once."""

    def test_whole_pngs_and_settings_stay(self, tmp_path: Path) -> None:
        before = dict(matplotlib.rcParams)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            files = write_forecast_plots(tmp_path, evaluation(window("Straße $x_1$ 好")))
        names = ["attention_over_time.png", "error_by_step.png", "forecasts.png", "residuals.png"]
        assert sorted(path.name for path in files) == sorted(path.name for path in tmp_path.iterdir()) == names
        assert all(path.read_bytes().startswith(b"\x89PNG") for path in files)
        assert dict(matplotlib.rcParams) == before and pyplot.get_fignums() == []

    def test_without_attention(self, tmp_path: Path) -> None:
        files = write_forecast_plots(tmp_path, evaluation(window(queries=None)))
        assert forecast_plots.ATTENTION_FILE not in [path.name for path in files] and len(files) == 3

    def test_names_are_shown_as_they_are(self) -> None:
        figure = plot_windows([window("$x_1$ a|b")], LEVELS)
        assert "$x_1$ a|b" in [text.get_text() for text in figure.findobj(Text)]

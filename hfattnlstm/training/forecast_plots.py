"""Pictures of forecasts, by matplotlib (`pip install "hfattnlstm[plots]"`)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..data.figures import new_figure, shortened, with_fonts, write_figure
from .forecast_evaluation import ForecastEvaluation, ShownWindow
from .output_folder import FORECAST_FILES


if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORECASTS_FILE, ERRORS_FILE, RESIDUALS_FILE, ATTENTION_FILE = FORECAST_FILES
# Steps of the past that are drawn for each step of the future, at most.
_PAST = 3
_MODEL_COLOUR, _TRUTH_COLOUR = "C0", "0.25"


def write_forecast_plots(folder: str | Path, evaluation: ForecastEvaluation) -> list[Path]:
    """Write the pictures of an evaluation.

    Args:
        folder: An existing folder.
        evaluation: With some windows in `shown`.

    Returns:
        The files: forecasts with their intervals over what came, the error by step beside those of simple forecasts,
        the residuals, and the attention over the past, where there is any.

    Raises:
        ImportError: matplotlib is not installed.
        OSError: The folder cannot be written.
    """
    figures = {
        FORECASTS_FILE: plot_forecasts(evaluation),
        ERRORS_FILE: plot_error_by_step(evaluation),
        RESIDUALS_FILE: plot_residuals(evaluation),
    }
    if any(window.attention is not None for window in evaluation.shown):
        figures[ATTENTION_FILE] = plot_attention(evaluation)
    return [write_figure(figure, Path(folder) / name) for name, figure in figures.items()]


def plot_forecasts(evaluation: ForecastEvaluation) -> Figure:
    """Some windows: the end of the past, what came, and the forecast with its intervals.

    Example:

    ```python
    >>> plot_forecasts(evaluation).savefig("forecasts.png")
    ```
    """
    return plot_windows(evaluation.shown, evaluation.quantiles)


def plot_windows(windows: Sequence[ShownWindow], quantiles: Sequence[float]) -> Figure:
    """Windows one above the other; see [`plot_forecasts`].

    Args:
        windows: What is drawn; where nothing came yet, `future` is NaN.
        quantiles: Levels of the quantiles.
    """
    figure, axes = new_figure(7.2, 2.1 * len(windows) + 0.4, rows=len(windows))
    panels = np.atleast_1d(axes)
    for panel, window in zip(panels, windows, strict=True):
        _draw_window(panel, window, quantiles)
        panel.set_ylabel(shortened(window.name))
    panels[0].legend(frameon=False, fontsize="small", loc="lower left", bbox_to_anchor=(0, 1), ncols=5)
    panels[-1].set_xlabel("steps from the last one that was read")
    return with_fonts(figure)


def _draw_window(axes: Axes, window: ShownWindow, quantiles: Sequence[float]) -> None:
    horizon = len(window.forecast)
    past = window.past[-_PAST * horizon :]
    before, after = np.arange(-len(past) + 1, 1), np.arange(1, horizon + 1)
    axes.axvline(0.5, color="0.8", linewidth=1)
    axes.plot(before, past, color=_TRUTH_COLOUR, linewidth=1, label="past")
    if np.isfinite(window.future).any():
        axes.plot(after, window.future, color=_TRUTH_COLOUR, linewidth=1, linestyle=":", label="what came")
    if window.quantiles is not None:
        levels = list(quantiles)
        for low, high, shade in _intervals(levels):
            label = f"{100 * (levels[high] - levels[low]):.0f} % interval"
            bounds = window.quantiles[:, low], window.quantiles[:, high]
            axes.fill_between(after, *bounds, color=_MODEL_COLOUR, alpha=shade, linewidth=0, label=label)
    axes.plot(after, window.forecast, color=_MODEL_COLOUR, linewidth=1.4, label="forecast")


def _intervals(levels: list[float]) -> list[tuple[int, int, float]]:
    """The widest interval and, if there is one, that of 80 %, with how dark each is drawn."""
    last = len(levels) - 1
    found = [(0, last, 0.15)] if last else []
    if {0.1, 0.9} <= {*levels} and (levels[0], levels[-1]) != (0.1, 0.9):
        found.append((levels.index(0.1), levels.index(0.9), 0.3))
    return found


def plot_error_by_step(evaluation: ForecastEvaluation) -> Figure:
    """The mean squared error of each future step, of the model and of simple forecasts.

    Example:

    ```python
    >>> plot_error_by_step(evaluation).savefig("error_by_step.png")
    ```
    """
    figure, axes = new_figure(6.4, 3.6)
    for name, errors in evaluation.by_step.items():
        line = {"color": _MODEL_COLOUR, "linewidth": 2} if name == "model" else {"linewidth": 1, "linestyle": "--"}
        axes.plot(np.arange(1, len(errors) + 1), errors, label=name, **line)
    axes.set(xlabel="steps ahead", ylabel="mean squared error, scaled", ylim=(0, None))
    axes.legend(frameon=False)
    return with_fonts(figure)


def plot_residuals(evaluation: ForecastEvaluation) -> Figure:
    """How often the forecast was off by how much: what came less what was forecast, scaled.

    Example:

    ```python
    >>> plot_residuals(evaluation).savefig("residuals.png")
    ```
    """
    figure, axes = new_figure(5.6, 3.4)
    residuals = evaluation.residuals
    # The rarest would leave the others no room.
    reach = float(np.quantile(np.abs(residuals), 0.995)) if len(residuals) else 1.0
    axes.hist(residuals, bins=61, range=(-reach, reach), color=_MODEL_COLOUR, alpha=0.8)
    axes.axvline(0, color=_TRUTH_COLOUR, linewidth=1)
    mean = float(residuals.mean()) if len(residuals) else 0.0
    axes.axvline(mean, color="C3", linewidth=1, linestyle="--", label=f"mean {mean:+.3f}")
    axes.set(xlabel="what came less the forecast, scaled", ylabel="number")
    axes.legend(frameon=False)
    return with_fonts(figure)


def plot_attention(evaluation: ForecastEvaluation) -> Figure:
    """The attention over the past as a heat map, one row a window, or a query of the decoder, with the first series.

    Example:

    ```python
    >>> plot_attention(evaluation).savefig("attention_over_time.png")
    ```
    """
    shown = [window for window in evaluation.shown if window.attention is not None]
    figure, (above, below) = new_figure(7.2, 4.2, rows=2, height_ratios=(1, 1.2))
    first = shown[0]
    length = len(first.past)
    above.plot(np.arange(-length + 1, 1), first.past, color=_TRUTH_COLOUR, linewidth=1)
    above.set_ylabel(shortened(first.name))
    several = len(first.attention) > 1
    rows = first.attention if several else np.concatenate([window.attention for window in shown])
    # The last part ends where the past ends; the first one may begin before it.
    extent = (-rows.shape[1] * first.part_length + 0.5, 0.5, len(rows) + 0.5, 0.5)
    image = below.imshow(rows, aspect="auto", cmap="Blues", vmin=0, extent=extent, origin="upper")
    for axes in (above, below):
        axes.set_xlim(-length + 0.5, 0.5)
    below.set_yticks(range(1, len(rows) + 1))
    below.set(xlabel="steps from the last one that was read", ylabel="segment forecast" if several else "window")
    figure.colorbar(image, ax=below, label="weight")
    return with_fonts(figure)


__all__ = [
    "plot_attention",
    "plot_error_by_step",
    "plot_forecasts",
    "plot_residuals",
    "plot_windows",
    "write_forecast_plots",
]

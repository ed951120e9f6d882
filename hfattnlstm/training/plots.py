"""Pictures of a training and of an evaluation, by matplotlib (`pip install "hfattnlstm[plots]"`).

They are drawn on figures of their own, so that pyplot, and what a notebook draws with it, stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from transformers.utils import logging

from ..data.figures import new_figure, shortened, with_fonts, write_figure
from ..modeling.configuration_base import MULTI_LABEL, REGRESSION
from .calibration import Calibration
from .evaluation import Evaluation
from .output_folder import CONFUSION_FILE, CURVE_FILE


if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

logger = logging.get_logger(__name__)

RELIABILITY_FILE = "reliability.png"
# More classes than that have no room for numbers, and then none for names.
_NUMBERS_FIT, _NAMES_FIT = 20, 60


def write_plots(evaluation: Evaluation, folder: str | Path) -> list[Path]:
    """Write the pictures of an evaluation: its confusion matrix, with one label a text, and its calibration.

    Args:
        evaluation: What was measured.
        folder: An existing folder.

    Returns:
        The files; none for a regression.

    Raises:
        ImportError: matplotlib is not installed.
        OSError: The folder cannot be written.

    Example:

    ```python
    >>> [path.name for path in write_plots(evaluation, ".")]
    ['confusion_matrix.png', 'reliability.png']
    ```
    """
    if evaluation.problem_type == REGRESSION:
        return []
    figures = {CONFUSION_FILE: plot_confusions(evaluation), RELIABILITY_FILE: plot_calibration(evaluation.calibration)}
    return [write_figure(figure, Path(folder) / name) for name, figure in figures.items()]


def write_learning_curve(folder: str | Path, log_history: Sequence[Mapping[str, Any]], metric: str | None) -> None:
    """Write the learning curve of a training, if there is one.

    Args:
        folder: Of the model.
        log_history, metric: See [`plot_learning_curve`].
    """
    curve = plot_learning_curve(log_history, metric)
    if curve is None:
        logger.warning("There is no learning curve to draw: nothing was logged or measured during the training.")
    else:
        write_figure(curve, Path(folder) / CURVE_FILE)


def plot_confusions(evaluation: Evaluation) -> Figure:
    """The confusion matrix as a picture: shares of the right class by colour, counts as numbers.

    Args:
        evaluation: Of texts with one label each, or with any number of them: then a square of 2 × 2 for each label
            is a row, with what was given rightly, given wrongly and missed.

    Example:

    ```python
    >>> plot_confusions(evaluation).savefig("confusion_matrix.png")
    ```
    """
    counts, names = evaluation.confusion_matrix, list(evaluation.label_names)
    supports = np.array([evaluation.per_class[name]["support"] for name in names])
    share = "share of the texts with the label"
    if evaluation.problem_type != MULTI_LABEL:
        return plot_matrix(counts, names, supports, share)
    counts = np.stack([counts[:, 1, 1], counts[:, 0, 1], counts[:, 1, 0]], 1)
    return plot_matrix(counts, names, supports, share, ["given rightly", "given wrongly", "missed"])


def plot_matrix(
    counts: np.ndarray, names: Sequence[str], supports: np.ndarray, share: str, columns: Sequence[str] | None = None
) -> Figure:
    """Counts by row and column as a picture: their shares of a row by colour, themselves as numbers.

    Args:
        counts: (rows, columns).
        names: Of the rows.
        supports: (rows,), what the counts are shares of.
        share: What the colours mean.
        columns: Names of the columns, where they are no predictions of what the rows are.

    Example:

    ```python
    >>> plot_matrix(np.eye(2), ["good", "bad"], np.ones(2), "share of the texts").savefig("matrix.png")
    ```
    """
    predicted = columns is None
    names = [shortened(name) for name in names]
    columns = names if predicted else [shortened(name) for name in columns]
    size = min(max(2.5 + 0.42 * len(names), 4.0), 16.0)
    figure, axes = new_figure(size if predicted else 5.0, size - 0.4)
    image = axes.imshow(counts / np.maximum(supports, 1)[:, None], cmap="Blues", vmin=0, vmax=1, aspect="auto")
    figure.colorbar(image, ax=axes, label=share)
    axes.set_ylabel("right")
    axes.set_xlabel("predicted" if predicted else "decisions")
    _name_ticks(axes, columns, names)
    if len(names) <= _NUMBERS_FIT:
        _write_counts(axes, counts, supports)
    return with_fonts(figure)


def plot_calibration(calibration: Calibration) -> Figure:
    """The share of right decisions against their mean score, beside how many there are of each score.

    Example:

    ```python
    >>> plot_calibration(evaluation.calibration).savefig("reliability.png")
    ```
    """
    figure, axes = new_figure(5.0, 5.6, rows=2, height_ratios=(3, 1))
    above, below = axes
    scores, shares = ([getattr(part, name) for part in calibration.bins] for name in ("score", "share"))
    above.plot([0, 1], [0, 1], color="grey", linestyle="--", linewidth=1, label="scores that mean what they say")
    above.plot(scores, shares, marker="o", label=f"model, ECE {calibration.ece:.3f}")
    above.set(xlim=(0, 1), ylim=(0, 1.02), ylabel="share that is right")
    above.legend(loc="upper left", frameon=False)
    width = 1 / calibration.num_bins
    below.bar([part.low for part in calibration.bins], [part.count for part in calibration.bins], width, align="edge")
    below.set(xlim=(0, 1), xlabel="score", ylabel="number")
    return with_fonts(figure)


def plot_learning_curve(log_history: Sequence[Mapping[str, Any]], metric: str | None = None) -> Figure | None:
    """The losses of a training and the metric that chose the best checkpoint, by epoch.

    Args:
        log_history: `trainer.state.log_history`.
        metric: Name of the metric, with or without `eval_`; only losses are drawn when it is None or a loss.

    Returns:
        The figure; None where nothing was logged.

    Example:

    ```python
    >>> plot_learning_curve(trainer.state.log_history, "accuracy").savefig("curve.png")
    ```
    """
    metric = None if metric is None else f"eval_{metric.removeprefix('eval_')}"
    losses = {name: _points(log_history, name) for name in ("loss", "eval_loss")}
    measured = [] if metric in (None, "eval_loss") else _points(log_history, metric)
    if not measured and not any(losses.values()):
        return None
    figure, axes = new_figure(6.4, 3.4 + 2.2 * bool(measured), rows=1 + bool(measured))
    panels = list(np.atleast_1d(axes))
    for name, label in (("loss", "training"), ("eval_loss", "validation")):
        if losses[name]:
            panels[0].plot(*zip(*losses[name]), marker="o", markersize=3, label=label)
    panels[0].set_ylabel("loss")
    panels[0].legend(frameon=False)
    if measured:
        panels[1].plot(*zip(*measured), marker="o", markersize=3, color="C1")
        panels[1].set_ylabel(f"{metric.removeprefix('eval_')} of validation")
    panels[-1].set_xlabel("epoch")
    panels[-1].xaxis.get_major_locator().set_params(integer=True)
    return with_fonts(figure)


def _points(log_history: Sequence[Mapping[str, Any]], name: str) -> list[tuple[float, float]]:
    return [(entry["epoch"], entry[name]) for entry in log_history if name in entry and "epoch" in entry]


def _name_ticks(axes: Axes, columns: Sequence[str], names: Sequence[str]) -> None:
    if len(names) > _NAMES_FIT:
        return
    longest = max(map(len, columns))
    slanted = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if longest > 4 else {}
    axes.set_xticks(range(len(columns)), columns, **slanted)
    axes.set_yticks(range(len(names)), names)


def _write_counts(axes: Axes, counts: np.ndarray, supports: np.ndarray) -> None:
    for (row, column), count in np.ndenumerate(counts):
        dark = count > 0.5 * max(supports[row], 1)
        axes.text(column, row, f"{count:,}", ha="center", va="center", fontsize=8, color="white" if dark else "black")

"""Pictures of trainings and evaluations."""

from __future__ import annotations

import warnings
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.figure import Figure
from matplotlib.text import Text

from hfattnlstm import Evaluation, evaluate_logits
from hfattnlstm.data import figures
from hfattnlstm.training import plots


HISTORY = [
    {"loss": 0.9, "epoch": 0.5, "step": 5},
    {"eval_loss": 0.8, "eval_accuracy": 0.6, "epoch": 1.0, "step": 10},
    {"loss": 0.5, "epoch": 1.5, "step": 15},
    {"eval_loss": 0.6, "eval_accuracy": 0.7, "epoch": 2.0, "step": 20},
    {"train_runtime": 3.0, "epoch": 2.0, "step": 20},
]


def evaluation(names: list[str]) -> Evaluation:
    count = len(names)
    return evaluate_logits(np.eye(count)[::-1], np.arange(count), names)


def texts_of(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text)]


def test_the_learning_curve_has_losses_and_the_metric() -> None:
    above, below = plots.plot_learning_curve(HISTORY, "eval_accuracy").axes
    curves = {line.get_label(): line.get_xydata().tolist() for line in above.lines}
    assert curves == {"training": [[0.5, 0.9], [1.5, 0.5]], "validation": [[1.0, 0.8], [2.0, 0.6]]}
    assert below.lines[0].get_xydata().tolist() == [[1.0, 0.6], [2.0, 0.7]]
    assert below.get_ylabel() == "accuracy of validation"
    assert len(plots.plot_learning_curve(HISTORY, "loss").axes) == 1
    assert plots.plot_learning_curve(HISTORY[-1:], "accuracy") is None


def test_counts_and_names_of_the_confusions() -> None:
    figure = plots.plot_confusions(evaluation(["bad", "$x_1$ a|b", "odd\nname"]))
    shown = texts_of(figure)
    assert {"bad", "$x_1$ a|b", "odd name", "1", "0"} <= set(shown)
    assert figure.axes[0].images[0].get_array().tolist() == np.eye(3)[::-1].tolist()


def test_long_names_are_shortened_where_they_do_not_differ() -> None:
    names = [f"a label with a very long name, number {number}" for number in range(3)]
    shown = [text for text in texts_of(plots.plot_confusions(evaluation(names))) if "…" in text]
    assert len(set(shown)) == 3 and max(map(len, shown)) <= 24


def test_many_classes_have_no_numbers() -> None:
    figure = plots.plot_confusions(evaluation([f"c{number}" for number in range(30)]))
    assert len(figure.axes[0].texts) == 0


def test_the_reliability_of_each_bin() -> None:
    found = evaluation(["bad", "good"]).calibration
    above, below = plots.plot_calibration(found).axes
    assert above.lines[1].get_xydata().tolist() == [[part.score, part.share] for part in found.bins]
    assert [bar.get_height() for bar in below.patches] == [part.count for part in found.bins]


def test_files_are_whole_pngs_and_settings_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = []
    monkeypatch.setattr(figures, "_FONTS", ("No Such Font", "DejaVu Sans"))
    monkeypatch.setattr(figures.logger, "warning", lambda text, *_: told.append(text))
    before = dict(matplotlib.rcParams)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        files = plots.write_plots(evaluation(["bad", "好"]), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["confusion_matrix.png", "reliability.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in files)
    assert len(told) == 1 and dict(matplotlib.rcParams) == before
    assert pyplot.get_fignums() == []


def test_a_regression_has_no_pictures(tmp_path: Path) -> None:
    found = evaluate_logits(np.array([[1.0], [2.0]]), np.array([1.0, 3.0]), (), "regression")
    assert plots.write_plots(found, tmp_path) == [] and not list(tmp_path.iterdir())


def test_several_labels_a_text(tmp_path: Path) -> None:
    right = np.array([[1, 0], [1, 1]])
    found = evaluate_logits(np.array([[2.0, 1.0], [-2.0, 3.0]]), right, ["a", "b"], "multi_label_classification")
    shown = plots.plot_confusions(found).axes[0]
    assert [label.get_text() for label in shown.get_xticklabels()] == ["given rightly", "given wrongly", "missed"]
    assert [text.get_text() for text in shown.texts] == ["1", "0", "1", "1", "1", "0"]

"""The picture of accuracy against minutes: every name can be read."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from benchmarks.accuracy.measure import COLUMNS, summary
from benchmarks.table import Table


pytest.importorskip("matplotlib")

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.accuracy import plot


# Names, minutes and accuracies, most of them close together.
POINTS = {
    "majority class": (0.001, [0.5]),
    "TF-IDF + logistic regression": (0.40, [0.905]),
    "TF-IDF + linear SVM": (0.38, [0.906]),
    "NB-SVM": (0.42, [0.904]),
    "fastText, bigrams": (0.41, [0.90, 0.91, 0.905]),
    "tutorial BiLSTM": (8.0, [0.84, 0.88, 0.86]),
    "hfattnlstm": (8.1, [0.903, 0.904, 0.902]),
    "hfattnlstm --recipe accurate": (9.0, [0.915, 0.916, 0.917]),
    "distilbert-base-uncased, fine-tuned": (300.0, [0.928, 0.929, 0.927]),
}


@pytest.fixture
def table() -> Table:
    rows = [
        {"candidate": name, "minutes": summary([minutes]), "accuracy": summary(values)}
        for name, (minutes, values) in POINTS.items()
    ]
    return Table("accuracy", "Accuracy on reviews", COLUMNS, [*rows, {"candidate": "peer", "remark": "not installed"}])


@pytest.fixture
def axis(table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Axes:
    figures = []

    def kept(*arguments: object, **options: object) -> Figure:
        figures.append(Figure(*arguments, **options))
        return figures[-1]

    monkeypatch.setattr(plot, "Figure", kept)
    assert plot.draw(table, tmp_path / "x.png")
    assert (tmp_path / "x.png").stat().st_size > 1_000
    return figures[0].axes[0]


def test_names_neither_overlap_nor_leave_the_picture(axis: Axes):
    labels = [text for text in axis.texts if text.get_text()]
    assert {label.get_text() for label in labels} == POINTS.keys() - {"majority class"}
    boxes = {label.get_text(): label.get_tightbbox() for label in labels}
    for (name, box), (other, second) in itertools.combinations(boxes.items(), 2):
        assert not box.overlaps(second), (name, other)
    whole = axis.figure.bbox
    for name, box in boxes.items():
        assert whole.x0 <= box.x0 and box.x1 <= whole.x1 and whole.y0 <= box.y0 and box.y1 <= whole.y1, name


def test_minutes_are_logarithmic_and_deviations_are_bars(axis: Axes):
    assert axis.get_xscale() == "log"
    assert axis.get_xlabel().startswith("minutes")
    assert axis.get_ylabel() == "accuracy, %"
    # One bar for each candidate with several seeds.
    assert sum(container.has_yerr for container in axis.containers) == 5


def test_nothing_is_drawn_of_nothing(tmp_path: Path):
    table = Table("accuracy", "Accuracy", COLUMNS, [{"candidate": "peer", "remark": "not installed: peer"}])
    assert not plot.draw(table, tmp_path / "x.png")
    assert not list(tmp_path.iterdir())


def test_several_labels_show_micro_f1(table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for row in table.rows:
        if "accuracy" in row:
            row["f1_micro"] = row.pop("accuracy")
    labels = []
    monkeypatch.setattr(Axes, "set_ylabel", lambda self, text, **_: labels.append(text))
    assert plot.draw(table, tmp_path / "x.svg")
    assert labels == ["micro F1, %"]

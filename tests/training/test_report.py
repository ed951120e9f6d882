"""Scores as tables."""

from __future__ import annotations

import numpy as np

from hfattnlstm.training.metrics import classification_report
from hfattnlstm.training.report import format_report


def test_report_is_an_aligned_table() -> None:
    report = classification_report(np.array([0, 1, 1, 1]), np.array([0, 0, 1, 1]), ["bad", "very good"])
    assert format_report({"eval_accuracy": 0.75, "eval_samples": 4, "lr": 5e-05} | report).splitlines() == [
        "metric          value",
        "eval_accuracy  0.7500",
        "eval_samples        4",
        "lr              5e-05",
        "",
        "class         precision  recall      f1  support",
        "bad              1.0000  0.5000  0.6667        2",
        "very good        0.6667  1.0000  0.8000        2",
        "macro_avg        0.8333  0.7500  0.7333        4",
        "weighted_avg     0.8333  0.7500  0.7333        4",
    ]


def test_report_of_trainer_metrics_has_class_rows() -> None:
    metrics_of_run = {"eval_loss": float("nan"), "eval_f1/a/b": 0.5, "eval_f1/日本": 1.0, "eval_runtime": 1234567.0}
    assert format_report(metrics_of_run).splitlines() == [
        "metric            value",
        "eval_loss           nan",
        "eval_runtime  1.235e+06",
        "",
        "class  eval_f1",
        "a/b     0.5000",
        "日本    1.0000",
    ]
    assert format_report({}) == "no metrics"


def test_report_changes_nothing_and_shows_no_control_characters() -> None:
    report = {"per_class": {"a": {"f1": 1.0}}, "recall/a": 0.5}
    assert format_report(report).splitlines() == ["class      f1  recall", "a      1.0000  0.5000"]
    assert report["per_class"] == {"a": {"f1": 1.0}}
    assert format_report({"f1/\x1b[31mred\n": 1.0}).splitlines()[1].startswith("?[31mred?")

"""The scores of a run as tables of a notebook."""

from __future__ import annotations

from html.parser import HTMLParser

from hfattnlstm.training.run import TaskRun
from hfattnlstm.training.run_html import scores_html


def run_of(**parts: dict) -> TaskRun:
    given = {"model": None, "processor": None, "metrics": {}, "details": {}, "evaluations": {}, "trainer": None}
    return TaskRun(**{**given, **parts})


def cells(page: str) -> list[str]:
    parser, found = HTMLParser(), []
    parser.handle_data = lambda data: found.append(data) if data.strip() else None
    parser.feed(page)
    return found


def test_metrics_with_intervals_and_classes_are_tables() -> None:
    metrics = {"train_loss": 0.1, "eval_accuracy": 0.75, "eval_accuracy_low": 0.5, "eval_accuracy_high": 0.875}
    details = {"eval": {"per_class": {"<bad>": {"f1": 0.5, "support": 3}}}}
    run = run_of(metrics={**metrics, "eval_runtime": 1.0}, details=details)
    page = run._repr_html_()
    assert cells(page) == [
        *("metric", "value", "95 % interval", "eval_accuracy", "0.7500", "0.5000 to 0.8750"),
        *("eval split by class", "class", "f1", "support", "<bad>", "0.5000", "3"),
    ]
    assert page.count("<table>") == page.count("</table>") == 2 and "<bad>" not in page
    assert page.count('scope="col"') == 6 and page.count('scope="row"') == 2


def test_nothing_measured_is_no_table() -> None:
    assert run_of()._repr_html_() == scores_html([]) == ""


def test_a_run_is_printed_without_its_model() -> None:
    assert repr(run_of(metrics={"eval_loss": 0.5})) == "TaskRun(metrics={'eval_loss': 0.5}, details={})"

"""Scores as tables on a terminal, and as plain text in a pipe."""

from __future__ import annotations

import pytest

from hfattnlstm.commands import tables
from hfattnlstm.commands.tables import print_scores
from hfattnlstm.training.report import format_report


PER_CLASS = {"macro_avg": {"precision": 0.5, "recall": 0.25, "f1": 0.3, "support": 12}}
SCORES = {"eval_accuracy": 0.75, "eval_accuracy_low": 0.5, "eval_accuracy_high": 0.875}
PARTS = [("", SCORES), ("eval split by class", PER_CLASS)]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setattr(tables, "has_colours", lambda stream: True)
    return monkeypatch


def test_plain_text_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    print_scores(PARTS)
    expected = f"{format_report(SCORES)}\n\neval split by class\n{format_report(PER_CLASS)}\n"
    assert capsys.readouterr().out == expected
    print_scores(PARTS, indent=2)
    assert capsys.readouterr().out.splitlines() == [f"  {line}".rstrip() for line in expected.splitlines()]


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_drawn_on_a_terminal(columns: int, terminal: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    terminal.setenv("COLUMNS", str(columns))
    print_scores(PARTS)
    shown = capsys.readouterr().out
    assert "───" in shown and "0.5000 to 0.8750" in shown and "precision" in shown
    assert max(map(len, shown.splitlines())) <= columns


def test_labels_are_no_markup(terminal: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    print_scores([("", {"f1/[red]x[/red]": 0.5, "f1/\x1b[2J": 0.25})])
    shown = capsys.readouterr().out
    assert "[red]x[/red]" in shown and "\x1b[2J" not in shown

"""An evaluation as people see it."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest

from hfattnlstm import Evaluation, evaluate_logits
from hfattnlstm.commands.evaluation_report import print_evaluation


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def evaluation(count: int = 2, names: list[str] | None = None) -> Evaluation:
    """All texts of the last class are taken for the first."""
    logits = np.eye(count)
    logits[-1] = logits[0]
    return evaluate_logits(logits * 3, np.arange(count), names or [f"class {number}" for number in range(count)])


def with_text(found: Evaluation, text: str, word: str) -> Evaluation:
    start = text.index(word)
    entry = {"text": word, "start": start, "end": start + len(word), "weight": 0.75}
    return replace(found, mistakes=[replace(mistake, text=text, attention=[entry]) for mistake in found.mistakes])


def piped(found: Evaluation) -> str:
    stream = io.StringIO()
    print_evaluation(found, "m on t.csv", stream)
    return stream.getvalue()


def shown(found: Evaluation, width: int, monkeypatch: pytest.MonkeyPatch, term: str = "xterm-256color") -> str:
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", term)
    monkeypatch.delenv("NO_COLOR", raising=False)
    stream = _Terminal()
    print_evaluation(found, "m on t.csv", stream)
    return stream.getvalue()


def test_plain_lines_when_piped() -> None:
    lines = piped(with_text(evaluation(), "so bad a film", "bad")).splitlines()
    assert lines[0] == "m on t.csv: 2 texts, 2 labels"
    assert "accuracy     0.5000  0.0945 to 0.9055" in lines
    assert "class 0      0.500   1.000  0.667      1" in lines
    assert "class 1        1        0" in lines
    assert "row 2: class 0 0.95, right is class 1" in lines
    assert lines[-2:] == ["  so bad a film", "  looked at: bad 0.75"]
    assert not any(line != line.rstrip() or "\x1b" in line for line in lines)


@pytest.mark.parametrize("width", [40, 80, 200])
def test_no_line_is_wider_than_the_terminal(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    found = with_text(evaluation(7), "so bad a film " * 30, "bad")
    lines = shown(found, width, monkeypatch, "dumb").splitlines()
    assert max(map(len, lines)) <= width
    assert ("prec." in "".join(lines)) == (width == 40)


def test_a_square_that_does_not_fit_is_a_list_of_the_largest_confusions(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "confusions: the right class by row" in shown(evaluation(7), 200, monkeypatch, "dumb")
    narrow = shown(evaluation(7), 40, monkeypatch, "dumb")
    assert "largest confusions" in narrow
    assert "class 6  class 0        1  100 %" in narrow
    assert "largest confusions" in piped(evaluation(30))


def test_of_very_many_classes_the_worst_are_shown() -> None:
    lines = piped(evaluation(60)).splitlines()
    assert "the 25 of 60 with the lowest F1; --output has all" in lines
    assert sum(line.startswith("class ") and line.endswith("1") for line in lines) == 25


# Of one with few colours rich would take the nearest, red for orange.
@pytest.mark.parametrize("term", ["xterm-256color", "xterm"])
def test_words_are_shaded_and_explained_where_there_are_colours(term: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = with_text(evaluation(), "so bad a film", "bad")
    printed = shown(found, 80, monkeypatch, term)
    assert "\x1b[30;48;5;208mbad\x1b[0m" in printed and "attention: less" in printed
    assert "looked at:" not in printed
    assert "attention: less" not in shown(evaluation(), 80, monkeypatch)


def test_a_long_text_is_cut_around_the_word_that_counts() -> None:
    text = "x " * 500 + "bad" + " y" * 500
    line = next(line for line in piped(with_text(evaluation(), text, "bad")).splitlines() if " bad " in line)
    assert line.startswith("  … ") and line.endswith(" …") and len(line) < 260


def test_names_and_texts_cannot_steer_the_terminal() -> None:
    found = with_text(evaluation(names=["a\x1b[2J", "[red]b[/red]"]), "bad\x1b]0;x", "bad")
    printed = piped(found)
    assert "\x1b" not in printed and "[red]b[/red]" in printed


def test_the_calibration_is_told_beside_what_was_before() -> None:
    logits, right = np.eye(2)[[0, 0, 1]] * 3, np.array([0, 1, 1])
    warm, cold = (evaluate_logits(logits, right, ["a", "b"], temperature=temperature) for temperature in (2.5, 1.0))
    before = cold.calibration
    told = f"with the temperature 2.5; without it, ECE {before.ece:.4f} and log loss {before.log_loss:.4f}"
    lines = piped(warm).splitlines()
    assert lines[lines.index(told) - 1].startswith(f"calibration: ECE {warm.calibration.ece:.4f} (15 bins), log loss")
    assert "temperature" not in piped(cold)


def test_each_label_is_shown_with_its_threshold() -> None:
    logits, right = np.array([[3.0, -3.0], [3.0, 2.0]]), np.array([[1, 1], [0, 1]])
    found = evaluate_logits(logits, right, ["calm", "sad"], "multi_label_classification", threshold=[0.25, 0.9])
    lines = piped(found).splitlines()
    assert "decisions, with each label above its own threshold" in lines
    assert "label  given rightly  given wrongly  missed  above" in lines
    assert "calm               1              1       0  0.250" in lines
    assert "sad                0              0       2  0.900" in lines


def test_several_labels_and_numbers() -> None:
    logits, right = np.array([[3.0, -3.0], [3.0, 2.0]]), np.array([[1, 1], [0, 1]])
    lines = piped(evaluate_logits(logits, right, ["calm", "sad"], "multi_label_classification")).splitlines()
    assert "decisions, with labels above 0.5" in lines
    assert "calm               1              1       0" in lines
    assert "row 1: sad 0.05 missed, right is calm, sad" in lines
    numbers = piped(evaluate_logits(np.array([[1.0], [4.0]]), np.array([1.0, 2.5]), (), "regression")).splitlines()
    assert "row 2: 4, right is 2.5, off by 1.5" in numbers and numbers[0] == "m on t.csv: 2 texts"

"""Pairs that a script makes: right, different, and in no two splits."""

from __future__ import annotations

import datetime
import operator
import random
import runpy
import sys
from pathlib import Path

import pytest
from datasets import load_dataset

from hfattnlstm.data.pair_sets import PAIR_TASKS, in_latin, in_words, make_pairs


DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
SCRIPT = Path(__file__).parents[2] / "scripts" / "make_pairs.py"


def test_dates_are_the_days_that_they_name():
    for number in range(2_000):
        text, iso = PAIR_TASKS["dates"](random.Random(number))
        day, shown = datetime.date.fromisoformat(iso), text.lower()
        assert str(day.year) in shown and str(day.day) in shown
        assert day.strftime("%b").lower() in shown or str(day.month) in shown
        named = [name for name in DAYS if name in shown]
        assert named in ([], [day.strftime("%A").lower()])


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "zero"),
        (11, "eleven"),
        (20, "twenty"),
        (42, "forty-two"),
        (100, "one hundred"),
        (144, "one hundred and forty-four"),
        (-7, "minus seven"),
    ],
)
def test_numbers_in_words(number, words):
    assert in_words(number) == words


def test_sums_are_right():
    values = {in_words(number): number for number in range(-99, 200)}
    signs = {"plus": operator.add, "minus": operator.sub, "times": operator.mul}
    for number in range(500):
        text, answer = PAIR_TASKS["sums"](random.Random(number))
        one, sign, two = text.split()
        assert values[answer] == signs[sign](values[one], values[two])


def test_names_follow_the_rules():
    assert in_latin("Достоевский") == "Dostoyevskiy" and in_latin("Ельцин") == "Yeltsin"
    assert in_latin("Хрущев") == "Khrushchev" and in_latin("Васильев") == "Vasilyev"


@pytest.mark.parametrize("task", PAIR_TASKS)
def test_no_pair_is_there_twice(task):
    splits = make_pairs(task, {"train": 300, "test": 60}, seed=3)
    sources = [source for pairs in splits.values() for source, _ in pairs]
    assert len(set(sources)) == len(sources) == 360
    assert (
        splits == make_pairs(task, {"train": 300, "test": 60}, seed=3) != make_pairs(task, {"train": 300, "test": 60})
    )


def test_mistakes():
    with pytest.raises(ValueError, match="no task 'roman'"):
        make_pairs("roman", {"train": 1})
    with pytest.raises(ValueError, match="Of sums there are no 30,000 different pairs"):
        make_pairs("sums", {"train": 30_000})


def run_script(monkeypatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), *words])
    with pytest.raises(SystemExit) as stop:
        runpy.run_path(str(SCRIPT), run_name="__main__")
    return stop.value.code


def test_the_script_writes_what_load_dataset_reads(tmp_path, monkeypatch, capsys):
    folder = tmp_path / "dates"
    sizes = ["--train_size", "30", "--other_size", "5"]
    assert run_script(monkeypatch, "dates", str(folder), *sizes) == 0
    assert capsys.readouterr().out == f"Wrote {folder}: 30 train, 5 validation, 5 test\n"
    found = load_dataset(str(folder))
    assert found.num_rows == {"train": 30, "validation": 5, "test": 5}
    assert found["train"].column_names == ["source", "target"]
    assert run_script(monkeypatch, "dates", str(folder), *sizes) == 2
    assert "has data/train-00000-of-00001.parquet already" in capsys.readouterr().err
    assert run_script(monkeypatch, "roman", str(tmp_path / "x")) == 2
    assert "There is no task 'roman'" in capsys.readouterr().err

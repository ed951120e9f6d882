"""What is printed and written of the results."""

from __future__ import annotations

import json

import pytest

from benchmarks.speed import add_measurements, speed_table
from benchmarks.table import FORMATS, Table, as_markdown, as_text, format_time
from benchmarks.targets import GROUPED, GROUPED_BF16, PACKED, TARGETS, Target, targets_of
from benchmarks.timing import Measurement, Measurements


@pytest.fixture
def table() -> Table:
    measured = Measurements(
        {
            PACKED: Measurement(PACKED, 64, (7e-3, 8e-3, 9e-3)),
            GROUPED: Measurement(GROUPED, 640, (1e-3, 1e-3, 1e-3)),
            GROUPED_BF16: Measurement(GROUPED_BF16, 640, (1e-3, 1e-3, 1e-3)),
        },
        left_out=["spaCy, not installed: spacy"],
        remarks=["A remark."],
    )
    table = speed_table("training-step", "Training step", PACKED, ["A note."])
    add_measurements(table, "reviews", measured, PACKED, targets="reviews")
    add_measurements(table, "sentences", measured, PACKED)
    return table


def test_rows_compare_with_the_baseline(table: Table):
    row = next(row for row in table.rows if row["candidate"] == GROUPED)
    assert row["ratio"] == pytest.approx(8.0)
    assert row["ratio_range"] == pytest.approx((7.5, 8.5))
    assert row["rate"] == pytest.approx(1_000)
    assert [row["ratio"] for row in table.rows if row["candidate"] == PACKED] == [1.0, 1.0]


def test_targets_are_judged_for_the_configuration_they_hold_for(table: Table):
    assert [target["verdict"] for target in table.targets] == ["met", "missed by 20 %"]
    assert all(target["what"].endswith(", reviews") for target in table.targets)


def test_text_shows_everything(table: Table):
    text = as_text(table)
    for part in ("Training step", GROUPED, "1.00 ms", "8.00 ×", "≥ 6.5 ×", "met", "missed by 20 %", "A note."):
        assert part in text
    assert "Left out: spaCy, not installed: spacy" in text
    assert text.count("A remark.") == text.count("Left out") == 1


def test_columns_are_aligned(table: Table):
    lines = as_text(table).splitlines()
    rows = [line for line in lines if line.startswith(("hfattnlstm", "packed"))]
    assert len({len(line) for line in rows[:3]}) == 1


def test_markdown_has_a_table_for_each_configuration(table: Table):
    text = as_markdown(table)
    assert text.startswith("### Training step\n")
    assert "**reviews**" in text
    assert "**sentences**" in text
    assert text.count("| candidate |") == 2
    for line in text.splitlines():
        assert not line.startswith("|") or line.endswith("|")


def test_json_has_the_raw_times(table: Table):
    loaded = json.loads(json.dumps(table.as_dict()))
    assert loaded["name"] == "training-step"
    assert loaded["rows"][0]["rounds"] == [7e-3, 8e-3, 9e-3]
    assert loaded["targets"][0]["bound"] == 6.5
    assert loaded["left_out"] == ["spaCy, not installed: spacy"]


def test_columns_without_a_value_are_left_out(table: Table):
    for row in table.rows:
        row["ratio"] = None
    assert "8.00 ×" not in as_text(table).split("target")[0]


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(2.5, "2.50 s"), (0.9999, "1.00 s"), (0.1234, "123 ms"), (12.34e-3, "12.3 ms"), (5e-7, "0.50 µs")],
)
def test_times_have_a_sensible_unit(seconds: float, shown: str):
    assert format_time(seconds) == shown


def test_ranges_have_one_unit():
    assert FORMATS["range"]((0.9e-3, 1.25e-3)) == "0.90–1.25 ms"


def test_a_target_says_by_how_much_it_is_missed():
    at_least = Target("t", "w", "a", "b", 2.0)
    at_most = Target("t", "w", "a", "b", 1.3, at_least=False)
    assert (at_least.verdict(2.0), at_least.verdict(1.5)) == ("met", "missed by 25 %")
    assert (at_most.verdict(1.3), at_most.verdict(2.6)) == ("met", "missed by 50 %")


def test_every_target_belongs_to_a_table():
    tables = ("training-step", "trainer-run", "inference", "pipeline", "latency", "explain", "growth")
    assert sum(len(targets_of(name)) for name in tables) == len(TARGETS) == 13

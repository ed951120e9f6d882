"""The command line: mistakes are one sentence, results are written where they should be."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import __main__ as command
from benchmarks.speed import add_measurements, speed_table
from benchmarks.table import Table
from benchmarks.targets import PACKED
from benchmarks.timing import Measurement, Measurements


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ([], "TABLE"),
        (["speed"], "no table 'speed': choose one of training-step"),
        (["limit", "--rounds", "0"], "--rounds must be above 0, got 0"),
        (["limit", "--budget", "-1"], "--budget must be above 0"),
        (["limit", "--patience", "-1"], "--patience must not be below 0"),
        (["limit", "--rounds", "many"], "invalid int value"),
        (["limit", "--json", "/no/such/folder/x.json"], "/no/such/folder/x.json cannot be written"),
        (["limit", "--plot", "x.doc"], ".png"),
    ],
)
def test_a_mistake_is_told_in_one_sentence(
    arguments: list[str], part: str, capsys: pytest.CaptureFixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as raised:
        command.main(arguments)
    assert raised.value.code == 2
    message = capsys.readouterr().err
    assert part in message
    assert message.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.fixture
def fake_tables(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Tables that cost nothing, and the names of those that were asked for."""
    asked = []

    def run(name: str, options: object) -> Table:
        asked.append(name)
        table = speed_table(name, name.capitalize(), PACKED, [])
        add_measurements(table, "reviews", Measurements({PACKED: Measurement(PACKED, 8, (1.0, 2.0))}), PACKED)
        return table

    monkeypatch.setattr(command, "_run", run)
    monkeypatch.setattr(command, "_hush", lambda: None)
    return asked


def test_results_are_printed_and_written(fake_tables: list[str], tmp_path: Path, capsys: pytest.CaptureFixture):
    files = ["--json", str(tmp_path / "x.json"), "--markdown", str(tmp_path / "x.md")]
    assert command.main(["inference", "--threads", "1", "--seed", "3", *files]) == 0
    assert "Inference" in capsys.readouterr().out
    results = json.loads((tmp_path / "x.json").read_text(encoding="utf-8"))
    assert results["command"].startswith("python -m benchmarks inference --threads 1")
    assert results["seed"] == 3
    assert results["versions"]["torch"]
    assert results["machine"]["torch_threads"] == 1
    assert [table["name"] for table in results["tables"]] == ["inference"]
    assert "### Inference" in (tmp_path / "x.md").read_text(encoding="utf-8")


def test_all_runs_every_table(fake_tables: list[str], tmp_path: Path):
    assert command.main(["all", "--threads", "1", "--json", str(tmp_path / "x.json")]) == 0
    assert fake_tables == list(command.TABLES)
    assert len(json.loads((tmp_path / "x.json").read_text(encoding="utf-8"))["tables"]) == len(command.TABLES)


def test_every_table_has_a_picture_of_its_own(fake_tables: list[str], tmp_path: Path):
    pytest.importorskip("matplotlib")
    assert command.main(["all", "--threads", "1", "--plot", str(tmp_path / "x.png")]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {f"x-{name}.png" for name in command.TABLES}


def test_every_table_has_a_module():
    folder = Path(command.__file__).parent / "tables"
    assert {path.stem for path in folder.glob("*.py")} - {"__init__"} == set(command.TABLES.values())

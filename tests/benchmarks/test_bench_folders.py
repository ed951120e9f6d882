"""The table of folders of texts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import __main__ as command
from benchmarks.tables import folders


def test_files_have_all_texts_and_none_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pyarrow.parquet

    monkeypatch.setattr(folders, "ROWS", 40)
    assert folders._write(tmp_path / "texts", 100, folders.Options(quick=True)) == 3
    tables = [pyarrow.parquet.read_table(path) for path in sorted((tmp_path / "texts").iterdir())]
    assert [row for table in tables for row in table["id"].to_pylist()] == list(range(100))
    assert len({text for table in tables for text in table["text"].to_pylist()}) == 100


@pytest.mark.long
def test_every_size_is_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "_hush", lambda: None)
    assert command.main(["folders", "--quick", "--threads", "1", "--json", str(tmp_path / "x.json")]) == 0
    rows = json.loads((tmp_path / "x.json").read_text(encoding="utf-8"))["tables"][0]["rows"]
    assert [row["texts"] for row in rows] == list(folders.QUICK_SIZES)
    assert all(row["rate"] > 0 and row["memory"] > 10_000_000 for row in rows)

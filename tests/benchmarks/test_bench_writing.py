"""The table of models that write."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from benchmarks import __main__ as command
from benchmarks.tables import writing
from benchmarks.targets import MARIAN, MARIAN_SMALL, WRITER


def test_all_write_as_many_tokens(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(writing, "VOCABULARY", 50)
    ids = torch.randint(4, 50, (2, 5))
    for make in (writing.our_writer, lambda: writing.marian(layers=1, width=16)):
        model = make().eval()
        written = model.generate(ids, num_beams=2, min_new_tokens=6, max_new_tokens=6)
        assert written.shape == (2, 7)
        prepared = writing._load(make, 2, 2)(range(3))
        assert prepared() == 3


@pytest.mark.long
def test_every_configuration_is_measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(command, "_hush", lambda: None)
    assert command.main(["writing", "--quick", "--threads", "1", "--json", str(tmp_path / "x.json")]) == 0
    rows = json.loads((tmp_path / "x.json").read_text(encoding="utf-8"))["tables"][0]["rows"]
    found = {(row["configuration"], row["candidate"]) for row in rows}
    names = ("many texts, greedy", "one text, greedy", "many texts, 5 beams", "one text, 5 beams")
    assert found == {(name, candidate) for name in names for candidate in (WRITER, MARIAN, MARIAN_SMALL)}

"""`python -m benchmarks attention`: each length has its rows, full attention first, and nothing beyond the memory."""

from __future__ import annotations

import pytest
import torch

from benchmarks import attention_points
from benchmarks.attention_points import EAGER, KINDS, LENGTHS, LONGEST_EAGER, SDPA, AttentionPoint, points
from benchmarks.options import Options
from benchmarks.tables import attention


def test_all_lengths_have_all_kinds_but_those_whose_weights_have_no_room():
    found = points(quick=False)
    assert {point.length for point in found} == set(LENGTHS) and (min(LENGTHS), max(LENGTHS)) == (512, 32_768)
    assert len({point.name for point in found}) == len(found)
    for length in LENGTHS:
        kinds = {point.kind for point in found if point.length == length}
        assert kinds == set(KINDS) - (set() if length <= LONGEST_EAGER else {EAGER})


@pytest.mark.parametrize("kind", KINDS)
def test_a_point_computes_what_its_name_says(kind: str):
    states = AttentionPoint(kind, 70).call(0)()
    assert states.shape == (1, 70, 256) and not states.requires_grad
    layer, given, mask, run = AttentionPoint(kind, 70, trains=True).call(0).args
    assert layer.training and given.requires_grad and run.implementation == ("eager" if kind == EAGER else "sdpa")
    assert hasattr(layer.attention, "directions") == kind.startswith("hashed")
    if kind.startswith("hashed"):
        assert len(layer.attention.directions) == int(kind.split()[1])
    attention_points._train(layer, given, mask, run)
    assert given.grad.isfinite().all()


def test_rows_are_compared_with_full_attention_of_the_same_length(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(attention, "memory_of_attention", lambda point, _: 1_000 + point.trains)
    table = attention.run(Options(quick=True, rounds=2, patience=0, threads=torch.get_num_threads()))
    assert list(table.panels()) == ["64 states", "128 states"]
    for rows in table.panels().values():
        assert [row["candidate"] for row in rows] == list(KINDS)
        by_name = {row["candidate"]: row for row in rows}
        assert by_name[SDPA]["ratio"] == by_name[SDPA]["training_ratio"] == 1
        assert all(row["training"] > 0 and row["time"] > 0 for row in rows)
    assert (table.rows[0]["memory"], table.rows[0]["training_memory"]) == (1_000, 1_001)

"""Length-grouped order."""

from __future__ import annotations

import pytest
import torch

from hfattnlstm.data.batching import LengthGroupedSampler


def _lengths(count: int) -> list[int]:
    return torch.randint(1, 500, (count,), generator=torch.Generator().manual_seed(0)).tolist()


def test_every_text_comes_once() -> None:
    sampler = LengthGroupedSampler(_lengths(1003), batch_size=16)
    assert sorted(sampler) == list(range(1003))
    assert len(sampler) == 1003


def test_batches_have_texts_of_like_length() -> None:
    lengths = _lengths(3200)
    order = list(LengthGroupedSampler(lengths, batch_size=32))
    batches = [[lengths[index] for index in order[start : start + 32]] for start in range(0, 3200, 32)]
    padded = sum(max(batch) * 32 for batch in batches)
    assert padded < 1.05 * sum(lengths)


def test_the_incomplete_batch_comes_last() -> None:
    lengths = [100] * 32 + [1] * 5
    order = list(LengthGroupedSampler(lengths, batch_size=8, pool_batches=100))
    assert len(order) == 37
    for start in range(0, 32, 8):
        assert len({lengths[index] for index in order[start : start + 8]}) == 1


def test_order_depends_on_seed_and_epoch_alone() -> None:
    lengths = _lengths(200)
    state = torch.get_rng_state()
    first = list(LengthGroupedSampler(lengths, 8, seed=3))
    assert torch.equal(state, torch.get_rng_state())
    torch.rand(10)
    again = LengthGroupedSampler(lengths, 8, seed=3)
    assert list(again) == first
    again.set_epoch(1)
    assert list(again) != first
    assert list(LengthGroupedSampler(lengths, 8, seed=4)) != first


def test_no_texts() -> None:
    assert list(LengthGroupedSampler([], 8)) == []


@pytest.mark.parametrize("settings", [{"batch_size": 0}, {"batch_size": 2, "pool_batches": 0}])
def test_impossible_sizes(settings: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        LengthGroupedSampler([1, 2], **settings)

"""Length-grouped order, and the collator."""

from __future__ import annotations

import pytest
import torch
from tokenizers import Tokenizer, models
from transformers import DataCollatorWithPadding, PreTrainedTokenizerFast

from hfattnlstm.data.batching import LengthGroupedSampler, PaddingCollator, SequenceCollator


NAMES = ("input_ids", "attention_mask")


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


def test_a_run_that_is_resumed_with_a_later_version_reads_the_same_batches() -> None:
    sampler = LengthGroupedSampler([1, 2, 3, 4, 5, 6, 7], 2, seed=5, pool_batches=2)
    sampler.set_epoch(3)
    assert list(sampler) == [6, 5, 4, 3, 1, 0, 2]
    # Texts of the same length stay in their random order.
    sampler = LengthGroupedSampler([7] * 40, 4, seed=5, pool_batches=5)
    sampler.set_epoch(3)
    assert list(sampler)[:20] == [27, 30, 13, 8, 10, 29, 17, 2, 24, 20, 6, 16, 36, 34, 12, 35, 14, 28, 33, 37]
    # The defaults.
    lengths = _lengths(1_000)
    assert list(LengthGroupedSampler(lengths, 4)) == list(LengthGroupedSampler(lengths, 4, seed=0, pool_batches=50))


def test_the_smallest_sizes() -> None:
    assert sorted(LengthGroupedSampler([3, 1, 2], batch_size=1, pool_batches=1)) == [0, 1, 2]


def test_no_texts() -> None:
    assert list(LengthGroupedSampler([], 8)) == []


@pytest.mark.parametrize("settings", [{"batch_size": 0}, {"batch_size": 2, "pool_batches": 0}])
def test_impossible_sizes(settings: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        LengthGroupedSampler([1, 2], **settings)


@pytest.mark.parametrize("labels", [[1, 0, 1], [[0.0, 1.0], [1.0, 1.0], [0.0, 0.0]], [0.5, 1.5, -2.0]])
def test_the_collator_equals_that_of_transformers(labels: list) -> None:
    rows = [{"input_ids": ids, "labels": label} for ids, label in zip([[5, 6, 7], [8], [9, 9]], labels)]
    backend = Tokenizer(models.WordLevel({"a": 0, "b": 1, "c": 2, "[PAD]": 3}, "a"))
    expected = DataCollatorWithPadding(PreTrainedTokenizerFast(tokenizer_object=backend, pad_token="[PAD]"))
    actual, reference = PaddingCollator(3, NAMES)(rows), expected(rows)
    assert actual.keys() == reference.keys()
    for name, tensor in reference.items():
        assert torch.equal(actual[name].to(tensor.dtype), tensor), name
        assert name == "attention_mask" or actual[name].dtype == tensor.dtype


def test_the_collator_takes_texts_without_tokens_and_without_labels() -> None:
    batch = PaddingCollator(None, NAMES)([{"input_ids": []}, {"input_ids": [4]}])
    assert batch["input_ids"].tolist() == [[0], [4]] and batch["attention_mask"].tolist() == [[False], [True]]
    assert PaddingCollator(0, NAMES)([{"input_ids": []}])["attention_mask"].tolist() == [[False]]
    assert "labels" not in batch


def test_batches_whose_labels_are_sequences():
    rows = [{"input_ids": [5, 6, 7], "labels": [7, 8]}, {"input_ids": [9], "labels": [7, 8, 9]}]
    batch = SequenceCollator(3)([row | {"length": 3} for row in rows])
    assert sorted(batch) == ["attention_mask", "input_ids", "labels"]
    assert batch["input_ids"].tolist() == [[5, 6, 7], [9, 3, 3]]
    assert batch["attention_mask"].tolist() == [[True] * 3, [True, False, False]]
    assert batch["labels"].tolist() == [[7, 8, -100], [7, 8, 9]]
    assert batch["input_ids"].dtype == batch["labels"].dtype == torch.int64


def test_sequences_without_labels():
    assert sorted(SequenceCollator(0)([{"input_ids": [7]}])) == ["attention_mask", "input_ids"]

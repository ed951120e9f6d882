"""What the candidates compute, in small."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from benchmarks.batches import Batch, collate
from benchmarks.growth_points import points
from benchmarks.loops import batches_in, inference, our_inference, training
from benchmarks.models import Configuration, NaiveBiLSTM, PackedBiLSTM, configurations, logits_of, main_names, ours
from benchmarks.options import Options
from benchmarks.peers import peer
from benchmarks.tables.limit import flops_per_token
from benchmarks.timing import reason
from benchmarks.workload import Workload


WORKLOAD = Workload("sentences", words=45, seed=0)
TINY = Configuration("sentences", direction_size=4, layers=2, vocab_size=50)
MODELS = [ours, PackedBiLSTM, NaiveBiLSTM]


def logits(make: Callable, length: int | None) -> torch.Tensor:
    torch.manual_seed(0)
    model = make(TINY).eval()
    with torch.no_grad():
        return logits_of(model, collate([[5, 6, 7], [8]], [0, 1], length))


@pytest.mark.parametrize("make", MODELS)
def test_only_the_naive_model_reads_the_padding(make: Callable):
    unpadded, padded = logits(make, None), logits(make, 20)
    assert torch.allclose(unpadded, padded, atol=1e-6) == (make is not NaiveBiLSTM)


@pytest.mark.parametrize("make", MODELS)
@pytest.mark.parametrize("order", ["random", "grouped", "padded"])
def test_a_training_call_handles_every_text_and_learns(make: Callable, order: str):
    model = make(TINY)
    before = [parameter.detach().clone() for parameter in model.parameters()]
    call = training(lambda: model, order, batch_size=4)()(WORKLOAD.sample(8))
    assert call() == 8
    assert all(not torch.equal(old, new) for old, new in zip(before, model.parameters()))


@pytest.mark.parametrize("make", MODELS)
def test_an_inference_call_handles_every_text(make: Callable):
    assert inference(lambda: make(TINY), "sorted", batch_size=4)()(WORKLOAD.sample(10))() == 10


def test_our_inference_reads_every_text_once(monkeypatch: pytest.MonkeyPatch):
    read: list[Batch] = []
    monkeypatch.setattr("benchmarks.loops.logits_of", lambda model, batch: read.append(batch))
    sample = WORKLOAD.sample(40)
    assert our_inference(lambda: ours(TINY))()(sample)() == 40
    found = [row[mask].tolist() for batch in read for row, mask in zip(batch.ids, batch.mask)]
    assert sorted(found) == sorted(sample.ids)


@pytest.mark.parametrize("order", ["random", "sorted", "grouped", "padded"])
def test_every_order_has_every_text_once(order: str):
    sample = WORKLOAD.sample(64)
    batches = list(batches_in(order, sample, batch_size=8))
    lengths = [length for batch in batches for length in batch.lengths.tolist()]
    assert sorted(lengths) == sorted(sample.lengths)
    assert (lengths == sorted(lengths)) == (order == "sorted")
    widths = {batch.ids.shape[1] for batch in batches}
    assert (widths == {sample.longest}) == (order == "padded")


def test_grouped_batches_have_less_padding():
    sample = WORKLOAD.sample(256)
    cells = {order: sum(batch.ids.numel() for batch in batches_in(order, sample)) for order in ("random", "grouped")}
    assert cells["grouped"] < 0.8 * cells["random"]


def test_operations_of_a_token():
    # Per direction four gates of 2 units from 128 inputs and 2 states, two operations each, then the attention.
    expected = 2 * (2 * 4 * 2 * 128 + 2 * 4 * 2 * 2) + 2 * 4 * 4 + 2 * 4 + 2 * 4
    assert flops_per_token(Configuration(direction_size=2)) == expected
    second = 2 * (2 * 4 * 2 * 4 + 2 * 4 * 2 * 2)
    assert flops_per_token(Configuration(direction_size=2, layers=2)) == expected + second


def test_the_main_configuration_comes_first():
    every = configurations(Options())
    assert len(set(every)) == 8
    assert every[0] == Configuration("reviews", 128, 1)
    assert configurations(Options(main=True)) == every[:1]
    assert main_names(Options()) == [every[0].name, every[4].name]


def test_growth_has_the_sizes_of_the_targets():
    series = points(Options())
    lengths = {point.x for point in next(iter(series.values()))}
    assert {50, 2_000} <= lengths
    assert {point.length * point.batch for point in next(iter(series.values()))} == {16_000}
    names = [point.name for found in series.values() for point in found]
    assert len(names) == len(set(names))


def test_a_peer_is_imported_only_when_it_is_loaded():
    load = peer("no_such_library", "training")
    with pytest.raises(ModuleNotFoundError) as raised:
        load()
    assert "not installed" in reason(raised.value)

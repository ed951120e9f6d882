"""Whatever is read or copied in the middle of a lazy training has the weights of the dense one."""

from __future__ import annotations

import copy
import io
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from datasets import Dataset
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel
from transformers import TrainerCallback

from hfattnlstm import AttnLSTMForSequenceClassification
from hfattnlstm.training.lazy_adamw import LazyAdamW, LazyEmbedding, LazyWeight
from training.test_lazy_adamw import _Race as Race
from training.test_lazy_adamw import lazy_trainer
from training.training_helpers import NO_DROPOUT, make_model


def weight_of(model: nn.Module) -> Tensor:
    return model.get_input_embeddings().weight


def averaged(model: nn.Module) -> Tensor:
    # Begun with another model, because copying this one would read it.
    average = AveragedModel(AttnLSTMForSequenceClassification(model.config))
    average.update_parameters(model)
    return weight_of(average.module)


def through_torch_save(value: Any) -> Any:
    stream = io.BytesIO()
    torch.save(value, stream)
    stream.seek(0)
    return torch.load(stream, weights_only=False)


def in_a_list(model: nn.Module) -> Tensor:
    return torch._foreach_mul([parameter for parameter in model.parameters() if parameter is weight_of(model)], 1.0)[0]


WAYS: dict[str, Callable[[nn.Module], Tensor]] = {
    "deepcopy": lambda model: weight_of(copy.deepcopy(model)),
    "shallow copy": lambda model: weight_of(copy.copy(model)),
    "pickle": lambda model: weight_of(pickle.loads(pickle.dumps(model))),
    "torch.save of the model": lambda model: weight_of(through_torch_save(model)),
    "torch.save of the state": lambda model: through_torch_save(model.state_dict())[
        "attnlstm.embeddings.word_embeddings.weight"
    ],
    "AveragedModel": averaged,
    "bfloat16": lambda model: weight_of(copy.deepcopy(model).to(torch.bfloat16)),
    "float64": lambda model: weight_of(model).to(torch.float64),
    "weight": weight_of,
    "data": lambda model: weight_of(model).data,
    "detach": lambda model: weight_of(model).detach(),
    "tolist": lambda model: torch.tensor(weight_of(model).tolist()),
    "indexing": lambda model: weight_of(model)[:],
    "named argument": lambda model: torch.add(torch.zeros(()), other=weight_of(model)),
    "list": in_a_list,
    "another lookup": lambda model: nn.functional.embedding(torch.arange(30), weight_of(model)),
}


class Taking(TrainerCallback):
    """Takes one copy in every way, each at a step of its own, so that none profits from what the one before read."""

    def __init__(self):
        self.taken: dict[str, Tensor] = {}
        self.raw: dict[str, Tensor] = {}

    def on_step_end(self, args, state, control, model=None, **kwargs):
        step = state.global_step - 3
        if step >= 0 and step % 2 == 0 and step // 2 < len(WAYS):
            name = list(WAYS)[step // 2]
            with torch._C.DisableTorchFunctionSubclass():
                self.raw[name] = weight_of(model).detach().clone()
            with torch.random.fork_rng():
                self.taken[name] = WAYS[name](model).detach().to(torch.float32, copy=True)


def words(count: int = 140) -> Dataset:
    """Texts of two to four of all words, of which a batch reads only a part."""
    generator = torch.Generator().manual_seed(1)
    rows: dict[str, list] = {"input_ids": [], "length": [], "labels": []}
    for _ in range(count):
        length = int(torch.randint(2, 5, (1,), generator=generator))
        ids = torch.randint(2, 30, (length,), generator=generator).tolist()
        rows["input_ids"].append(ids)
        rows["length"].append(length)
        rows["labels"].append(ids[0] % 2)
    return Dataset.from_dict(rows)


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> dict[str, Taking]:
    takings = {}
    for updates in ("dense", "lazy"):
        folder = tmp_path_factory.mktemp(updates)
        trainer = lazy_trainer(folder, make_model(**NO_DROPOUT), words(), updates=updates, weight_decay=0.2)
        takings[updates] = Taking()
        trainer.add_callback(takings[updates])
        trainer.train()
    return takings


@pytest.mark.parametrize("way", WAYS)
def test_what_a_callback_takes_are_the_weights_of_the_dense_run(runs: dict[str, Taking], way: str) -> None:
    expected, taken = runs["dense"].taken[way], runs["lazy"].taken[way]
    tolerance = 2**-8 * expected.abs().max().item() if way == "bfloat16" else 3e-5
    difference = (taken - expected).abs().max().item()
    # The moves that were put off when it was taken are much larger.
    behind = (runs["lazy"].raw[way] - runs["dense"].raw[way]).abs().max().item()
    assert difference <= tolerance < behind / 2


@pytest.mark.parametrize("way", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model)), through_torch_save])
def test_a_copy_is_an_ordinary_embedding_that_trains_alone(way: Callable[[nn.Module], nn.Module]) -> None:
    race = Race(lr=0.02, weight_decay=0.1)
    race.run(30)
    twin = way(race.lazy)
    assert type(twin) is nn.Embedding and type(twin.weight) is nn.Parameter and not vars(twin.weight)
    assert twin.weight.requires_grad and twin.weight.is_leaf and not twin.sparse
    before = race.lazy.weight.detach().clone()
    twin(torch.tensor([1, 2])).sum().backward()
    assert not twin.weight.grad.is_sparse
    torch.optim.AdamW(twin.parameters(), lr=0.5).step()
    assert torch.equal(race.lazy.weight, before) and not torch.equal(twin.weight, before)
    # And the training goes on as if there had been none.
    assert type(race.lazy) is LazyEmbedding and type(race.lazy.weight) is LazyWeight and race.lazy.sparse
    race.run(30)
    assert race.difference() < 2e-5


def test_a_weight_in_two_places_is_one_weight_in_the_copy() -> None:
    race = Race(lr=0.02)
    race.run(5)
    pair = nn.ModuleList([race.lazy, nn.Linear(4, 60, bias=False)])
    pair[1].weight = race.lazy.weight
    for twin in (copy.deepcopy(pair), pickle.loads(pickle.dumps(pair))):
        assert twin[0].weight is twin[1].weight


@pytest.mark.parametrize("way", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_weight_that_is_frozen_in_between_is_frozen_in_the_copy(way: Callable[[nn.Module], nn.Module]) -> None:
    race = Race(lr=0.02)
    race.run(5)
    race.lazy.weight.requires_grad_(False)
    assert not way(race.lazy).weight.requires_grad


def test_attributes_of_the_weight_stay_in_a_pickle() -> None:
    race = Race(lr=0.02)
    race.lazy.weight.mark = "kept"
    assert vars(pickle.loads(pickle.dumps(race.lazy.weight))) == {"mark": "kept"}


def test_a_copy_of_the_optimiser_fits_its_weights() -> None:
    race = Race(lr=0.02, weight_decay=0.1)
    race.run(30)
    optimizer = copy.deepcopy(race.lazy_optimizer)
    weight = optimizer.param_groups[0]["params"][0]
    optimizer.catch_up(weight)
    assert (weight - race.dense.weight).abs().max() < 1e-5


def test_a_state_that_is_taken_before_the_weights_fits_them() -> None:
    race = Race(lr=0.02, weight_decay=0.1)
    race.run(30)
    state = copy.deepcopy(race.lazy_optimizer.state_dict())
    weights = copy.deepcopy(race.lazy.state_dict())
    resumed = Race(lr=0.02, weight_decay=0.1)
    resumed.lazy.load_state_dict(weights)
    resumed.lazy_optimizer.load_state_dict(state)
    assert (resumed.lazy.weight - race.dense.weight).abs().max() < 1e-5


def test_loading_a_state_leaves_the_weights_where_they_are() -> None:
    race = Race(lr=0.02, weight_decay=0.1)
    race.run(30)
    other = Race(lr=0.02, weight_decay=0.1)
    other.run(3)
    race.lazy_optimizer.load_state_dict(copy.deepcopy(other.lazy_optimizer.state_dict()))
    assert (race.lazy.weight - race.dense.weight).abs().max() < 1e-5


def test_a_dense_gradient_on_top_updates_every_row() -> None:
    """As of a penalty on the weights, or of an output layer that shares them, from some step on."""
    race = Race(lr=0.02, weight_decay=0.1)
    race.run(30)
    for weight, optimizer in ((race.dense.weight, race.dense_optimizer), (race.lazy.weight, race.lazy_optimizer)):
        optimizer.zero_grad()
        weight.grad = torch.ones(60, 4)
        optimizer.step()
    assert race.difference() < 2e-5


def test_asking_for_the_shape_or_the_gradient_reads_no_rows(monkeypatch) -> None:
    race = Race(lr=0.02)
    race.run(3)
    asked = []
    monkeypatch.setattr(LazyAdamW, "catch_up", lambda self, weight, rows=None: asked.append(rows))
    weight = race.lazy.weight
    assert weight.shape == (60, 4) and weight.dtype == torch.float32 and weight.grad is not None
    assert weight.device.type == "cpu" and weight.numel() == 240 and weight.requires_grad
    race.lazy.zero_grad()
    assert weight.grad is None and not asked
    weight.sum()
    assert asked == [None]


def test_only_what_is_a_plain_embedding_can_be_attached() -> None:
    race = Race(lr=0.02)
    with pytest.raises(ValueError, match="not attached before"):
        race.lazy_optimizer.attach(race.lazy)
    race.detach()
    race.detach()
    race.lazy_optimizer.attach(race.lazy)
    assert type(race.lazy) is LazyEmbedding


def test_another_weight_can_take_its_place_for_a_call() -> None:
    race = Race(lr=0.02)
    ones = torch.ones(60, 4)
    result = torch.func.functional_call(race.lazy, {"weight": ones}, (torch.tensor([3]),))
    assert torch.equal(result, ones[:1])

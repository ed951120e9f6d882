"""The lazy AdamW against the dense one: alone, in the Trainer, with clipping, accumulation, decay and resuming."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from transformers import TrainerCallback

from hfattnlstm import AttnLSTMTrainer
from hfattnlstm.modeling.ngrams import ngram_numbers
from hfattnlstm.training import trainer as trainer_module
from hfattnlstm.training.callbacks import GradientValueClipping
from hfattnlstm.training.lazy_adamw import LazyAdamW, LazyEmbedding, horizon
from training.training_helpers import NO_DROPOUT, make_dataset, make_model, make_trainer, weights_of


ROWS, WIDTH = 60, 4


class _Race:
    """A dense and a lazy optimiser on equal embeddings, with equal batches and learning rates."""

    def __init__(self, **options: Any):
        torch.manual_seed(0)
        self.target = torch.randn(ROWS, WIDTH)
        self.dense, self.lazy = nn.Embedding(ROWS, WIDTH), nn.Embedding(ROWS, WIDTH)
        self.lazy.load_state_dict(self.dense.state_dict())
        self.dense_optimizer = torch.optim.AdamW(self.dense.parameters(), **options)
        self.lazy_optimizer = LazyAdamW(self.lazy.parameters(), **options)
        self.detach = self.lazy_optimizer.attach(self.lazy)
        self.step = 0

    def run(self, steps: int, rate: float = 0.02) -> None:
        for _ in range(steps):
            self.step += 1
            # The first rows come often and the last ones seldom, as words do.
            ids = (torch.rand(6).square() * (ROWS - 10)).long()
            # With noise, because Adam turns tiny differences of tiny gradients into steps of full size.
            aim = self.target[ids] + torch.randn(len(ids), WIDTH)
            pairs = ((self.dense, self.dense_optimizer), (self.lazy, self.lazy_optimizer))
            for embedding, optimizer in pairs:
                optimizer.param_groups[0]["lr"] = rate / (1 + self.step / 100)
                optimizer.zero_grad()
                (embedding(ids) - aim).square().mean().backward()
                optimizer.step()

    def difference(self) -> float:
        return (self.dense.weight - self.lazy.weight).abs().max().item()


@pytest.mark.parametrize("weight_decay", [0.0, 0.3])
@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.7, 0.99), (0.0, 0.9), (0.98, 0.999)])
def test_it_ends_where_the_dense_optimiser_ends(weight_decay, betas):
    race = _Race(lr=0.02, weight_decay=weight_decay, betas=betas)
    before = race.dense.weight.detach().clone()
    race.run(400)
    with torch._C.DisableTorchFunctionSubclass():
        late = race.difference()
    race.lazy_optimizer.catch_up(race.lazy.weight)
    assert race.difference() < 2e-5
    # Something was put off, unless neither momentum nor decay moves a row that has no gradient.
    assert late > 1e-3 or (betas[0] == 0.0 and weight_decay == 0.0)
    assert (race.dense.weight - before).abs().max() > 0.5
    assert torch.equal(race.lazy.weight[-5:], before[-5:]) == (weight_decay == 0.0)


def test_catching_up_twice_changes_nothing():
    race = _Race(lr=0.02, weight_decay=0.1)
    race.run(50)
    race.lazy_optimizer.catch_up(race.lazy.weight)
    once = race.lazy.weight.detach().clone()
    race.lazy_optimizer.catch_up(race.lazy.weight)
    assert torch.equal(race.lazy.weight, once)


def test_rows_are_caught_up_when_they_are_read():
    race = _Race(lr=0.02)
    race.run(80)
    ids = torch.arange(ROWS).view(4, -1)
    with torch.no_grad():
        assert (race.lazy(ids) - race.dense(ids)).abs().max() < 1e-5


def test_detaching_leaves_an_ordinary_embedding():
    race = _Race(lr=0.02)
    race.run(30)
    race.detach()
    assert race.difference() < 1e-5
    race.lazy(torch.tensor([1])).sum().backward()
    assert not race.lazy.weight.grad.is_sparse


def test_an_eps_of_zero_leaves_rows_without_moments_alone():
    race = _Race(lr=0.02, eps=0.0, weight_decay=0.0)
    race.run(20)
    race.lazy_optimizer.catch_up(race.lazy.weight)
    assert race.lazy.weight.isfinite().all()


@pytest.mark.parametrize("stop_at", [7, horizon((0.9, 0.999)) + 9])
def test_going_on_from_a_saved_state_is_bit_equal(stop_at, tmp_path):
    whole = _Race(lr=0.02, weight_decay=0.1)
    whole.run(stop_at)
    torch.save([whole.lazy.state_dict(), whole.lazy_optimizer.state_dict(), torch.get_rng_state()], tmp_path / "state")
    whole.run(20)
    resumed = _Race(lr=0.02, weight_decay=0.1)
    weights, state, random_state = torch.load(tmp_path / "state")
    resumed.lazy.load_state_dict(weights)
    resumed.lazy_optimizer.load_state_dict(state)
    torch.set_rng_state(random_state)
    resumed.step = stop_at
    resumed.run(20)
    for race in (whole, resumed):
        race.lazy_optimizer.catch_up(race.lazy.weight)
    assert torch.equal(whole.lazy.weight, resumed.lazy.weight)


def test_it_goes_on_from_a_dense_optimiser():
    race = _Race(lr=0.02)
    race.run(40)
    race.lazy.load_state_dict(race.dense.state_dict())
    race.lazy_optimizer.load_state_dict(copy.deepcopy(race.dense_optimizer.state_dict()))
    race.run(40)
    race.lazy_optimizer.catch_up(race.lazy.weight)
    assert race.difference() < 1e-5


def test_it_goes_on_after_a_dense_optimiser_has_taken_over():
    race = _Race(lr=0.02, weight_decay=0.1)
    race.run(40)
    lazy, dense = race.lazy_optimizer, torch.optim.AdamW(race.lazy.parameters(), lr=0.02, weight_decay=0.1)
    race.detach()
    dense.load_state_dict(copy.deepcopy(lazy.state_dict()))
    race.lazy_optimizer = dense
    race.run(40)
    lazy.load_state_dict(copy.deepcopy(dense.state_dict()))
    lazy.attach(race.lazy)
    race.lazy_optimizer = lazy
    race.run(40)
    lazy.catch_up(race.lazy.weight)
    assert race.difference() < 2e-5


def test_decay_that_leaves_nothing_starts_anew():
    race = _Race(lr=0.02, weight_decay=20.0)
    race.run(400, rate=0.03)
    race.lazy_optimizer.catch_up(race.lazy.weight)
    assert race.lazy.weight.isfinite().all() and race.difference() < 1e-4


def test_saved_weights_are_caught_up():
    race = _Race(lr=0.02, weight_decay=0.1)
    race.run(80)
    saved = race.lazy.state_dict()["weight"]
    assert (saved - race.dense.weight).abs().max() < 1e-5


def test_weights_that_are_loaded_do_not_get_what_the_old_ones_missed():
    race = _Race(lr=0.02, weight_decay=0.1)
    race.run(40)
    weights = {"weight": torch.randn(ROWS, WIDTH)}
    for embedding in (race.dense, race.lazy):
        embedding.load_state_dict(weights)
    race.lazy_optimizer.catch_up(race.lazy.weight)
    assert torch.equal(race.lazy.weight, weights["weight"])
    race.run(40)
    race.lazy_optimizer.catch_up(race.lazy.weight)
    assert race.difference() < 2e-5


@pytest.mark.parametrize("more", [-2, -1, 0, 1, 2, 60])
@pytest.mark.parametrize("rates", ["falling", "rising"])
def test_a_row_that_rests_about_as_long_as_the_horizon(more, rates):
    """Up to it the moves are summed up, with the learning rates of all those steps; beyond it there is only decay."""
    betas = (0.5, 0.9)
    rest = horizon(betas) + more
    race = _Race(lr=0.02, betas=betas, weight_decay=0.5)
    pairs = ((race.dense, race.dense_optimizer), (race.lazy, race.lazy_optimizer))
    for step in range(rest + 2):
        ids = torch.tensor([0]) if step in (0, rest + 1) else torch.tensor([1])
        for embedding, optimizer in pairs:
            optimizer.param_groups[0]["lr"] = 0.1 * (0.95**step if rates == "falling" else 0.95 ** (rest + 1 - step))
            optimizer.zero_grad()
            (embedding(ids) - race.target[ids]).square().sum().backward()
            optimizer.step()
        with torch._C.DisableTorchFunctionSubclass():
            behind = (race.dense.weight[0] - race.lazy.weight[0]).abs().max().item()
        # All of the row's moves are put off until it is read, and then none is missing.
        assert behind > 1e-3 if 1 <= step <= rest else behind < 2e-6
    assert race.difference() < 2e-6


@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.5, 0.9), (0.98, 0.999)])
def test_the_horizon_is_the_first_age_at_which_nothing_is_left(betas):
    shrinks = betas[0] / betas[1] ** 0.5
    assert shrinks ** horizon(betas) <= 1e-8 < shrinks ** (horizon(betas) - 1)


def test_without_momentum_nothing_is_put_off_for_longer_than_a_step():
    assert horizon((0.0, 0.9)) == 1


def test_momentum_that_does_not_die_away_is_refused():
    with pytest.raises(ValueError, match="β₁ must be below √β₂"):
        LazyAdamW(nn.Linear(1, 1).parameters(), betas=(0.9999, 0.999))


def test_only_an_embedding_of_its_own_in_float32_can_be_attached():
    embedding = nn.Embedding(3, 2)
    with pytest.raises(ValueError, match="no parameter of this optimizer"):
        LazyAdamW(nn.Embedding(3, 2).parameters()).attach(embedding)
    embedding.to(torch.bfloat16)
    with pytest.raises(ValueError, match="needs torch"):
        LazyAdamW(embedding.parameters()).attach(embedding)


def test_gradients_that_overflow_in_float16_are_skipped_by_the_scaler():
    assert not LazyAdamW(nn.Linear(1, 1).parameters(), fused=True)._step_supports_amp_scaling


def test_dense_gradients_are_updated_as_by_adamw():
    torch.manual_seed(0)
    first, second = nn.Linear(3, 2), nn.Linear(3, 2)
    second.load_state_dict(first.state_dict())
    optimizers = torch.optim.AdamW(first.parameters(), lr=0.1), LazyAdamW(second.parameters(), lr=0.1)
    for _ in range(5):
        inputs = torch.randn(4, 3)
        for layer, optimizer in zip((first, second), optimizers):
            optimizer.zero_grad()
            layer(inputs).square().sum().backward()
            optimizer.step()
    assert torch.equal(first.weight, second.weight)


def lazy_trainer(folder: Path, *args: Any, updates: str = "lazy", **kwargs: Any) -> AttnLSTMTrainer:
    trainer = make_trainer(folder, *args, **kwargs)
    trainer.args.embedding_updates = updates
    return trainer


class _Seen(TrainerCallback):
    """Which optimiser the Trainer has, and whether the gradient was sparse."""

    def on_pre_optimizer_step(self, args, state, control, model=None, optimizer=None, **kwargs):
        self.lazy = isinstance(getattr(optimizer, "optimizer", optimizer), LazyAdamW)
        self.sparse = model.get_input_embeddings().weight.grad.is_sparse


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"weight_decay": 0.2},
        {"max_grad_norm": 0.05},
        {"max_grad_norm": 0.0},
        {"gradient_accumulation_steps": 3, "max_grad_norm": 0.05},
        {"optim": "adamw_torch", "lr_scheduler_type": "constant"},
    ],
)
def test_the_trainer_ends_with_the_weights_of_the_dense_run(tmp_path: Path, settings: dict[str, Any]) -> None:
    models = []
    for updates in ("dense", "lazy"):
        model, seen = make_model(**NO_DROPOUT), _Seen()
        trainer = lazy_trainer(tmp_path, model, make_dataset(), updates=updates, **settings)
        trainer.add_callback(seen)
        trainer.train()
        assert seen.lazy is seen.sparse is (updates == "lazy")
        assert not model.get_input_embeddings().sparse
        models.append(model)
    start = weights_of(make_model(**NO_DROPOUT))
    for name, expected in weights_of(models[0]).items():
        assert torch.allclose(models[1].state_dict()[name], expected, atol=3e-5), name
        assert not torch.allclose(start[name], expected, atol=1e-3), name


def test_shared_spelling_is_updated_by_rows_too(tmp_path: Path) -> None:
    models = []
    for updates in ("dense", "lazy"):
        model = make_model(**NO_DROPOUT)
        tokens = torch.arange(model.config.vocab_size)
        torch.manual_seed(0)
        model.attnlstm.set_subwords(torch.arange(len(tokens) + 1), tokens % 30)
        start = model.attnlstm.embeddings.subwords.table.weight.detach().clone()
        sparse: list[bool] = []

        class Table(TrainerCallback):
            def on_pre_optimizer_step(self, args, state, control, model=None, sparse=sparse, **kwargs):
                sparse.append(model.attnlstm.embeddings.subwords.table.weight.grad.is_sparse)

        trainer = lazy_trainer(tmp_path, model, make_dataset(), updates=updates, max_grad_norm=0.05)
        trainer.add_callback(Table())
        trainer.train()
        assert set(sparse) == {updates == "lazy"}
        assert (model.attnlstm.embeddings.subwords.table.weight - start).abs().max() > 1e-3
        models.append(weights_of(model))
    for name, expected in models[0].items():
        assert torch.allclose(models[1][name], expected, atol=3e-5), name


@pytest.mark.parametrize("large", ["both", "n-grams"])
def test_embeddings_of_ngrams_are_updated_by_rows_too(tmp_path: Path, monkeypatch, large: str) -> None:
    """Both tables on request, and by themselves those that are large."""
    monkeypatch.setattr(trainer_module, "LEAST_ROWS", 50)
    models, sparse = {}, {}
    for updates in ("dense", "lazy" if large == "both" else "auto"):
        model = make_model(embedding_ngrams=60, ngram_dropout=0.0, **NO_DROPOUT)
        index = model.attnlstm.embeddings.ngrams.index
        pairs = [[[first, second]] for first in range(2, 6) for second in range(2, 6)]
        numbers = ngram_numbers(torch.tensor(pairs)[:, 0], torch.ones(16, 2, dtype=torch.bool), 3)[:, 1, 1]
        index.numbers[:16] = numbers.sort().values

        class Tables(TrainerCallback):
            def on_pre_optimizer_step(self, args, state, control, model=None, updates=updates, **kwargs):
                words, ngrams = (
                    model.attnlstm.embeddings.word_embeddings,
                    model.attnlstm.embeddings.ngrams.table,
                )
                sparse[updates] = [table.weight.grad.is_sparse for table in (words, ngrams)]

        trainer = lazy_trainer(tmp_path, model, make_dataset(), updates=updates, max_grad_norm=0.05)
        trainer.add_callback(Tables())
        trainer.train()
        models[updates] = weights_of(trainer.model)
        assert not model.attnlstm.embeddings.ngrams.table.sparse
    dense, lazy = models.values()
    assert [*sparse.values()] == [[False, False], [large == "both", True]]
    start = make_model(embedding_ngrams=60, **NO_DROPOUT).attnlstm.embeddings.ngrams.table.weight
    assert (dense["attnlstm.embeddings.ngrams.table.weight"] - start).abs().max() > 1e-3
    for name, expected in dense.items():
        assert torch.allclose(lazy[name], expected, atol=3e-5), name


def test_clipping_by_value_equals_the_dense_run(tmp_path: Path) -> None:
    models = []
    for updates in ("dense", "lazy"):
        trainer = lazy_trainer(tmp_path, make_model(**NO_DROPOUT), make_dataset(), updates=updates)
        trainer.add_callback(GradientValueClipping(1e-3))
        trainer.train()
        models.append(trainer.model)
    assert torch.allclose(*(model.get_input_embeddings().weight for model in models), atol=3e-5)


@pytest.mark.parametrize("stop_at", [5, 12])
def test_resuming_is_bit_equal(tmp_path: Path, stop_at: int) -> None:
    settings = {"save_strategy": "steps", "save_steps": stop_at, "weight_decay": 0.1}
    whole = lazy_trainer(tmp_path / "whole", make_model(), make_dataset(), **settings)
    whole.train()
    resumed = lazy_trainer(tmp_path / "resumed", make_model(seed=9), make_dataset(), **settings)
    resumed.train(resume_from_checkpoint=str(tmp_path / "whole" / f"checkpoint-{stop_at}"))
    for name, tensor in weights_of(whole.model).items():
        assert torch.equal(tensor, resumed.model.state_dict()[name]), name


def test_a_checkpoint_has_the_weights_of_the_dense_run(tmp_path: Path) -> None:
    saved = []
    for updates in ("dense", "lazy"):
        settings = {"save_strategy": "steps", "save_steps": 5, "max_steps": 5}
        lazy_trainer(tmp_path / updates, make_model(**NO_DROPOUT), make_dataset(), updates=updates, **settings).train()
        loaded = type(make_model()).from_pretrained(tmp_path / updates / "checkpoint-5")
        saved.append(loaded.get_input_embeddings().weight)
    assert torch.allclose(*saved, atol=3e-5)


def test_the_best_model_is_the_saved_one(tmp_path: Path) -> None:
    settings = {
        "save_strategy": "epoch",
        "eval_strategy": "epoch",
        "load_best_model_at_end": True,
        "learning_rate": 0.5,
    }
    trainer = lazy_trainer(tmp_path, make_model(), make_dataset(), **settings)
    trainer.train()
    best = type(trainer.model).from_pretrained(trainer.state.best_model_checkpoint)
    for name, tensor in weights_of(best).items():
        assert torch.equal(tensor, trainer.model.state_dict()[name]), name


def test_training_twice_and_after_an_error(tmp_path: Path) -> None:
    trainer, seen = lazy_trainer(tmp_path, make_model(), make_dataset()), _Seen()
    trainer.add_callback(seen)
    clip = trainer.accelerator.clip_grad_norm_
    for _ in range(2):
        seen.lazy = seen.sparse = False
        trainer.train()
        assert seen.lazy and seen.sparse
    trainer.model.classifier.out_proj.weight.data.fill_(torch.nan)
    with pytest.raises(RuntimeError, match="The loss is nan"):
        trainer.train()
    assert not trainer.model.get_input_embeddings().sparse
    assert trainer.accelerator.clip_grad_norm_ == clip


def test_a_new_optimiser_within_a_training_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    """As where the Trainer begins again with smaller batches."""
    trainer = lazy_trainer(tmp_path, make_model(), make_dataset())
    embedding, clip = trainer.model.get_input_embeddings(), trainer.accelerator.clip_grad_norm_
    first = trainer.create_optimizer()
    trainer.optimizer = None
    assert trainer.create_optimizer() is not first
    assert embedding.sparse and type(embedding) is LazyEmbedding
    trainer.train()
    assert not embedding.sparse and type(embedding) is nn.Embedding and type(embedding.weight) is nn.Parameter
    assert trainer.accelerator.clip_grad_norm_ == clip


@pytest.mark.parametrize(("rows", "expected"), [(30, True), (31, False)])
def test_by_default_it_depends_on_the_number_of_rows(tmp_path: Path, monkeypatch, rows: int, expected: bool) -> None:
    monkeypatch.setattr(trainer_module, "LEAST_ROWS", rows)
    seen = _Seen()
    trainer = make_trainer(tmp_path, make_model(), make_dataset(), max_steps=1)
    trainer.add_callback(seen)
    trainer.train()
    assert seen.lazy is expected


class _Saving(TrainerCallback):
    """Saves in the middle of an epoch, as a user's callback may."""

    def __init__(self, folder: Path):
        self.folder = folder

    def on_step_end(self, args, state, control, model=None, **kwargs):
        if state.global_step == 7:
            model.save_pretrained(self.folder)


def test_what_a_callback_saves_are_the_weights_of_the_dense_run(tmp_path: Path) -> None:
    saved = []
    for updates in ("dense", "lazy"):
        trainer = lazy_trainer(tmp_path, make_model(**NO_DROPOUT), make_dataset(), updates=updates)
        trainer.add_callback(_Saving(tmp_path / updates))
        trainer.train()
        saved.append(type(trainer.model).from_pretrained(tmp_path / updates).get_input_embeddings().weight)
    assert torch.allclose(*saved, atol=3e-5)


def test_beside_replicas_the_run_is_dense(tmp_path: Path) -> None:
    trainer = lazy_trainer(tmp_path, make_model(), make_dataset())
    assert trainer._updates_rows()
    trainer.args._n_gpu = 2
    assert not trainer._updates_rows()


@pytest.mark.parametrize("case", ["frozen", "sgd", "bfloat16", "betas"])
def test_where_it_cannot_work_the_run_is_dense(tmp_path: Path, case: str) -> None:
    model = make_model()
    if case == "frozen":
        model.get_input_embeddings().weight.requires_grad_(False)
    if case == "bfloat16":
        model.to(torch.bfloat16)
    options = {"sgd": {"optim": "sgd"}, "betas": {"adam_beta1": 0.9999}}.get(case, {})
    trainer = lazy_trainer(tmp_path, model, make_dataset(), max_steps=2, **options)
    trainer.train()
    assert not isinstance(trainer.optimizer.optimizer, LazyAdamW)

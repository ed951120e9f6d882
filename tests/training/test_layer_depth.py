"""Layers further from the head learn more slowly, or later."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import TrainerCallback

from hfattnlstm.training.arguments import RunArguments
from hfattnlstm.training.averaging import WeightAveraging
from hfattnlstm.training.layer_depth import GradualUnfreezing, decay_by_depth, depths
from hfattnlstm.training.trainer import AttnLSTMTrainer
from training.test_classification import run, write_texts
from training.training_helpers import make_dataset, make_model, make_trainer


def names_by_depth(model: torch.nn.Module) -> dict[int, set[str]]:
    found, names = depths(model), {}
    for name, parameter in model.named_parameters():
        names.setdefault(found[id(parameter)], set()).add(name)
    return names


def test_depths_of_two_layers() -> None:
    names = names_by_depth(make_model(num_hidden_layers=2))
    assert sorted(names) == [0, 1, 2, 3]
    assert all(".pooler." in name or name.startswith("classifier.") for name in names[0])
    assert all(".encoder.layers.1." in name for name in names[1])
    assert all(".encoder.layers.0." in name for name in names[2])
    assert names[3] == {"attnlstm.embeddings.word_embeddings.weight"}


def test_of_the_backbone_alone() -> None:
    assert sorted(names_by_depth(make_model().attnlstm)) == [0, 1, 2]


def trainer_of(folder: Path, **arguments: object) -> AttnLSTMTrainer:
    return make_trainer(folder, make_model(), make_dataset(), **arguments)


def with_run_arguments(trainer: AttnLSTMTrainer, **values: object) -> AttnLSTMTrainer:
    for name, value in values.items():
        setattr(trainer.args, name, value)
    return trainer


def test_rates_follow_the_depth_through_the_schedule(tmp_path: Path) -> None:
    trainer = with_run_arguments(trainer_of(tmp_path), layer_lr_decay=0.5)
    trainer.create_optimizer_and_scheduler(10)
    found = depths(trainer.model)
    assert {id(p) for group in trainer.optimizer.param_groups for p in group["params"]} == set(found)
    for expected in (5e-3, 4.5e-3, 4e-3):
        for group in trainer.optimizer.param_groups:
            for parameter in group["params"]:
                assert group["lr"] == pytest.approx(expected * 0.5 ** found[id(parameter)])
        trainer.optimizer.step()
        trainer.lr_scheduler.step()


def test_one_is_the_plain_training(tmp_path: Path) -> None:
    models = []
    for values in ({}, {"layer_lr_decay": 1.0}):
        trainer = with_run_arguments(trainer_of(tmp_path), **values)
        trainer.train()
        models.append(trainer.model)
    for one, other in zip(*(model.parameters() for model in models)):
        assert torch.equal(one, other)


def test_a_small_share_hardly_moves_the_embeddings(tmp_path: Path) -> None:
    moved = []
    for decay in (1.0, 0.1):
        trainer = with_run_arguments(trainer_of(tmp_path), layer_lr_decay=decay)
        before = trainer.model.get_input_embeddings().weight.detach().clone()
        trainer.train()
        moved.append((trainer.model.get_input_embeddings().weight - before).abs().max().item())
    assert 0 < moved[1] < moved[0] / 20


class Frozen(TrainerCallback):
    """Notes at which depths nothing is learnt, step by step."""

    def __init__(self) -> None:
        self.steps: list[list[int]] = []

    def on_pre_optimizer_step(self, args, state, control, model=None, **_):
        found = depths(model)
        learning = {found[id(each)] for each in model.parameters() if each.grad is not None and each.grad.any()}
        self.steps.append(sorted({0, 1, 2} - learning))


@pytest.mark.parametrize("epsilon", [0.0, 2.0])
def test_layers_are_unfrozen_one_after_the_other(tmp_path: Path, epsilon: float) -> None:
    noted = Frozen()
    trainer = with_run_arguments(trainer_of(tmp_path, max_steps=6), adversarial_epsilon=epsilon)
    trainer.add_callback(GradualUnfreezing(2))
    trainer.add_callback(noted)
    trainer.train()
    assert noted.steps == [[1, 2], [1, 2], [2], [2], [], []]
    assert all(parameter.requires_grad for parameter in trainer.model.parameters())


def test_what_was_frozen_stays_so(tmp_path: Path) -> None:
    trainer = trainer_of(tmp_path, max_steps=3)
    weight = trainer.model.get_input_embeddings().weight.requires_grad_(False)
    before = weight.clone()
    trainer.add_callback(GradualUnfreezing(1))
    trainer.train()
    assert torch.equal(weight, before) and not weight.requires_grad


def test_a_training_that_ends_early_leaves_nothing_frozen(tmp_path: Path) -> None:
    trainer = trainer_of(tmp_path, max_steps=1)
    trainer.add_callback(GradualUnfreezing(50))
    before = trainer.model.get_input_embeddings().weight.clone()
    trainer.train()
    assert torch.equal(trainer.model.get_input_embeddings().weight, before)
    assert all(parameter.requires_grad for parameter in trainer.model.parameters())


def test_by_flags_and_resumed_bit_equal(tmp_path: Path) -> None:
    texts = write_texts(tmp_path / "texts.csv")
    flags = ("--num_train_epochs", "3", "--layer_lr_decay", "0.4", "--unfreeze_steps", "4", "--save_total_limit", "9")
    whole = run(tmp_path / "model", texts, *flags)
    rates = {round(group["lr"], 9) for group in whole.trainer.optimizer.param_groups}
    assert len(whole.trainer.optimizer.param_groups) > 2 and rates
    first = min((tmp_path / "model").glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]))
    again = run(tmp_path / "other", texts, *flags, "--resume_from_checkpoint", str(first))
    for name, tensor in whole.model.state_dict().items():
        assert torch.equal(tensor, again.model.state_dict()[name]), name


@pytest.mark.parametrize("flags", [("--layer_lr_decay", "0"), ("--layer_lr_decay", "2"), ("--unfreeze_steps", "-1")])
def test_bounds(flags: tuple[str, str]) -> None:
    from hfattnlstm.training import parse_task

    with pytest.raises(ValueError, match=rf"{flags[0]} must be"):
        parse_task([*flags])


def test_defaults_change_nothing() -> None:
    arguments = RunArguments("out")
    assert (arguments.layer_lr_decay, arguments.unfreeze_steps) == (1.0, 0)


def test_groups_keep_their_options() -> None:
    model = make_model()
    optimizer = torch.optim.AdamW(
        [
            {"params": list(model.classifier.parameters()), "weight_decay": 0.5},
            {"params": list(model.attnlstm.parameters()), "weight_decay": 0.1},
        ],
        lr=1.0,
    )
    decay_by_depth(optimizer, model, 0.5)
    options = [(group["weight_decay"], group["lr"]) for group in optimizer.param_groups]
    assert options == [(0.5, 1.0), (0.1, 1.0), (0.1, 0.5), (0.1, 0.25)]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_averages_have_what_is_unfrozen_later(tmp_path: Path, order: tuple[int, int]) -> None:
    """Whichever callback comes first."""
    trainer = trainer_of(tmp_path, max_steps=6, learning_rate=0.05)
    callbacks = [GradualUnfreezing(2), WeightAveraging(0.5)]
    for place in order:
        trainer.add_callback(callbacks[place])
    before = trainer.model.get_input_embeddings().weight.detach().clone()
    trainer.train()
    assert not torch.equal(trainer.model.get_input_embeddings().weight, before)


def test_a_training_that_begins_again_unfreezes_all_the_same(tmp_path: Path) -> None:
    """As after one that ran out of memory."""
    trainer, unfreezing = trainer_of(tmp_path, max_steps=6), GradualUnfreezing(1)
    trainer.add_callback(unfreezing)
    unfreezing.on_train_begin(trainer.args, trainer.state, trainer.control, model=trainer.model)
    before = trainer.model.get_input_embeddings().weight.detach().clone()
    trainer.train()
    assert not torch.equal(trainer.model.get_input_embeddings().weight, before)
    assert all(parameter.requires_grad for parameter in trainer.model.parameters())

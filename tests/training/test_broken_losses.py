"""Losses that are NaN or infinite: which stop the training, when they are looked at, and what is not saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import TrainerCallback

from hfattnlstm.training import trainer as trainer_module
from hfattnlstm.training.trainer import NonFiniteLossError, _first_broken
from training.training_helpers import make_dataset, make_model, make_trainer


class Break(TrainerCallback):
    """Makes the losses NaN from step 4 on, or infinite."""

    def __init__(self, infinite: bool = False):
        self.infinite = infinite
        self.ended = False

    def on_step_end(self, args, state, control, model=None, **kwargs) -> None:
        if state.global_step == 3 and self.infinite:
            # The difference of the logits overflows.
            model.classifier.out_proj.bias.data.copy_(torch.tensor([3e38, -3e38]))
        elif state.global_step == 3:
            model.classifier.out_proj.weight.data.fill_(torch.nan)

    def on_train_end(self, args, state, control, **kwargs) -> None:
        self.ended = True


@pytest.fixture
def on_accelerator(monkeypatch) -> None:
    monkeypatch.setattr(trainer_module, "_is_free_to_read", lambda loss: False)


def test_an_infinite_loss_stops_the_training(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path, make_model(), make_dataset())
    trainer.add_callback(Break(infinite=True))
    with pytest.raises(NonFiniteLossError, match="The loss is inf at step 4"):
        trainer.train()
    assert trainer.state.global_step == 3


@pytest.mark.parametrize(
    ("settings", "seen_at"),
    [
        ({"logging_strategy": "steps", "logging_steps": 5}, 5),
        ({"eval_strategy": "steps", "eval_steps": 6}, 6),
        ({"save_strategy": "steps", "save_steps": 7}, 7),
        ({}, 24),
    ],
)
@pytest.mark.parametrize("infinite", [False, True])
def test_on_an_accelerator_it_is_seen_before_anything_is_made_of_it(
    tmp_path: Path, on_accelerator, settings: dict[str, Any], seen_at: int, infinite: bool
) -> None:
    trainer, breaking = make_trainer(tmp_path, make_model(), make_dataset(), **settings), Break(infinite)
    trainer.add_callback(breaking)
    with pytest.raises(NonFiniteLossError, match=f"The loss is {'inf' if infinite else 'nan'} at step 4"):
        trainer.train()
    assert trainer.state.global_step == seen_at
    assert not trainer.state.log_history and not list(tmp_path.glob("checkpoint-*")) and not breaking.ended
    # Nothing of it is left for what comes after.
    assert trainer._broken is None and trainer.args.logging_nan_inf_filter
    trainer.save_model(str(tmp_path / "after"))


def test_saving_in_a_callback_is_refused_too(tmp_path: Path, on_accelerator) -> None:
    trainer = make_trainer(tmp_path, make_model(), make_dataset())

    class Save(TrainerCallback):
        def on_step_end(self, args, state, control, **kwargs) -> None:
            if state.global_step == 9:
                trainer.save_model(str(tmp_path / "saved"))

    trainer.add_callback(Break())
    trainer.add_callback(Save())
    with pytest.raises(NonFiniteLossError, match="at step 4"):
        trainer.train()
    assert trainer.state.global_step == 9 and not (tmp_path / "saved").exists()


class Filter(TrainerCallback):
    """Keeps whether the filter is on, which looks at every loss."""

    def __init__(self):
        self.steps, self.evaluations = set(), set()

    def on_step_end(self, args, state, control, **kwargs) -> None:
        self.steps.add(args.logging_nan_inf_filter)

    def on_evaluate(self, args, state, control, **kwargs) -> None:
        self.evaluations.add(args.logging_nan_inf_filter)


@pytest.mark.parametrize("wanted", [True, False])
def test_on_an_accelerator_losses_are_read_when_they_are_logged(
    tmp_path: Path, on_accelerator, monkeypatch, wanted: bool
) -> None:
    read, reads = trainer_module._read, []
    monkeypatch.setattr(trainer_module, "_read", lambda values: reads.append(values) or read(values))
    settings = {"logging_strategy": "steps", "logging_steps": 8, "eval_strategy": "steps", "eval_steps": 8}
    trainer = make_trainer(tmp_path, make_model(), make_dataset(), logging_nan_inf_filter=wanted, **settings)
    seen = Filter()
    trainer.add_callback(seen)
    trainer.train()
    assert len(reads) == 3
    assert seen.steps == {False} and seen.evaluations == {wanted} and trainer.args.logging_nan_inf_filter is wanted


def test_on_a_cpu_the_filter_stays(tmp_path: Path) -> None:
    trainer, seen = make_trainer(tmp_path, make_model(), make_dataset(), max_steps=2), Filter()
    trainer.add_callback(seen)
    trainer.train()
    assert seen.steps == {True}


def test_noting_a_loss_reads_nothing_from_the_device() -> None:
    # Tensors of the meta device have no numbers: reading one is an error.
    loss = torch.ones((), device="meta", dtype=torch.bfloat16)
    noted = _first_broken(_first_broken(None, loss, 3), loss, 4)
    assert noted.shape == (2,) and noted.device.type == "meta"


def test_the_first_broken_loss_is_kept() -> None:
    noted = None
    for step, loss in enumerate([1.0, torch.inf, torch.nan, 2.0], start=1):
        noted = _first_broken(noted, torch.tensor(loss), step)
        assert noted.tolist() == ([0.0, 0.0] if step == 1 else [2.0, torch.inf])


def test_one_broken_loss_among_those_of_several_devices_is_seen() -> None:
    assert _first_broken(None, torch.tensor([1.0, torch.inf]), 5).tolist() == [5.0, torch.inf]

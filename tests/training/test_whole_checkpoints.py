"""Checkpoints are there whole or not at all, and a training goes on from the newest one that is whole."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from hfattnlstm.training.manifests import fault_of, numbered_checkpoints, write_manifest
from hfattnlstm.training.whole_checkpoints import UNFINISHED, newest_whole
from training.training_helpers import make_dataset, make_model, make_trainer, weights_of


SAVED = {"save_strategy": "steps", "save_steps": 6}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, torch.Tensor]]:
    """A folder with the checkpoints 6 to 24, and the weights at the end."""
    folder = tmp_path_factory.mktemp("whole")
    trainer = make_trainer(folder, make_model(), make_dataset(), **SAVED)
    trainer.train()
    return folder, weights_of(trainer.model)


def cut(name: str, share: float = 0.5) -> Callable[[Path], None]:
    def fault(folder: Path) -> None:
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: int(share * len(content))])

    return fault


def missing(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def of_another_step(name: str) -> Callable[[Path], None]:
    return lambda folder: shutil.copyfile(folder.parent / "checkpoint-6" / name, folder / name)


def flipped(name: str) -> Callable[[Path], None]:
    def fault(folder: Path) -> None:
        content = bytearray((folder / name).read_bytes())
        content[-5] ^= 4
        (folder / name).write_bytes(content)

    return fault


def other_shapes(folder: Path) -> None:
    save_file(make_model(hidden_size=20).state_dict(), folder / "model.safetensors", metadata={"format": "pt"})


def of_another_run(folder: Path) -> None:
    other = make_trainer(folder.parent / "other", make_model(seed=5), make_dataset(seed=7), **SAVED)
    other.train()
    shutil.copyfile(folder.parent / "other" / folder.name / "optimizer.pt", folder / "optimizer.pt")


FAULTS = {
    "weights cut": cut("model.safetensors"),
    "optimiser cut": cut("optimizer.pt", 0.9),
    "weights empty": cut("model.safetensors", 0),
    "optimiser empty": cut("optimizer.pt", 0),
    "state empty": cut("trainer_state.json", 0),
    "state cut": cut("trainer_state.json"),
    "weights missing": missing("model.safetensors"),
    "optimiser missing": missing("optimizer.pt"),
    "scheduler missing": missing("scheduler.pt"),
    "random state missing": missing("rng_state.pth"),
    "state missing": missing("trainer_state.json"),
    "configuration missing": missing("config.json"),
    "manifest missing": missing("manifest.json"),
    "weights of another step": of_another_step("model.safetensors"),
    "scheduler of another step": of_another_step("scheduler.pt"),
    "state of another step": of_another_step("trainer_state.json"),
    "a bit of the weights": flipped("model.safetensors"),
    "a bit of the optimiser": flipped("optimizer.pt"),
    "weights of other shapes": other_shapes,
    "optimiser of another run": of_another_run,
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_broken_one_is_passed_over_and_the_result_is_the_same(finished, tmp_path, caplog, fault) -> None:
    folder, expected = finished
    for step in (6, 12, 18):
        shutil.copytree(folder / f"checkpoint-{step}", tmp_path / f"checkpoint-{step}")
    fault(tmp_path / "checkpoint-18")
    resumed = make_trainer(tmp_path, make_model(seed=99), make_dataset(), **SAVED)
    resumed.train(resume_from_checkpoint=True)
    assert f"{tmp_path / 'checkpoint-18'} " in caplog.text and "it is passed over" in caplog.text
    for name, tensor in expected.items():
        assert torch.equal(tensor, resumed.model.state_dict()[name]), name
    # The broken one has been replaced by a whole one.
    assert fault_of(tmp_path / "checkpoint-18") is None


def test_what_is_saved(finished) -> None:
    folder, _ = finished
    assert [path.name for path in numbered_checkpoints(folder)] == [f"checkpoint-{step}" for step in (6, 12, 18, 24)]
    assert all(fault_of(path) is None for path in numbered_checkpoints(folder))
    assert not list(folder.rglob("*.bin")) and not list(folder.glob(".unfinished*"))
    arguments = json.loads((folder / "checkpoint-6" / "training_args.json").read_text())
    assert arguments["per_device_train_batch_size"] == 4


def test_the_best_one_is_known_by_its_place(tmp_path) -> None:
    settings = {**SAVED, "eval_strategy": "steps", "eval_steps": 6, "load_best_model_at_end": True}
    trainer = make_trainer(tmp_path, make_model(), make_dataset(), **settings, save_total_limit=2)
    trainer.train()
    best = Path(trainer.state.best_model_checkpoint)
    assert best.parent == tmp_path and best.name == f"checkpoint-{trainer.state.best_global_step}"
    for path in numbered_checkpoints(tmp_path):
        noted = json.loads((path / "trainer_state.json").read_text())["best_model_checkpoint"]
        assert Path(noted).parent == tmp_path
    assert best.is_dir() and len(numbered_checkpoints(tmp_path)) <= 2


def test_a_best_one_that_is_broken_is_not_loaded(finished, tmp_path, caplog) -> None:
    settings = {**SAVED, "eval_strategy": "steps", "eval_steps": 6, "load_best_model_at_end": True}
    trainer = make_trainer(tmp_path, make_model(), make_dataset(), **settings)
    trainer.train()
    before = weights_of(trainer.model)
    flipped("model.safetensors")(Path(trainer.state.best_model_checkpoint))
    trainer._load_best_model()
    assert "the last weights are kept instead" in caplog.text
    assert all(torch.equal(tensor, trainer.model.state_dict()[name]) for name, tensor in before.items())


class TestNamed:
    """A checkpoint that is asked for."""

    def test_it_must_be_whole(self, finished, tmp_path) -> None:
        shutil.copytree(finished[0], tmp_path / "run")
        flipped("optimizer.pt")(tmp_path / "run" / "checkpoint-12")
        trainer = make_trainer(tmp_path, make_model(), make_dataset(), **SAVED)
        with pytest.raises(ValueError, match=r"checkpoint-12 has something else in optimizer.pt .* go on from .*-24"):
            trainer.train(resume_from_checkpoint=str(tmp_path / "run" / "checkpoint-12"))

    def test_of_another_trainer(self, finished, tmp_path, caplog) -> None:
        """Nobody knows what it should have."""
        shutil.copytree(finished[0] / "checkpoint-12", tmp_path / "checkpoint-12")
        missing("manifest.json")(tmp_path / "checkpoint-12")
        assert newest_whole(tmp_path) == tmp_path / "checkpoint-12" and "cannot be checked" in caplog.text
        trainer = make_trainer(tmp_path / "out", make_model(), make_dataset(), **SAVED)
        trainer.train(resume_from_checkpoint=str(tmp_path / "checkpoint-12"))
        assert trainer.state.global_step == 24

    def test_none(self, tmp_path) -> None:
        trainer = make_trainer(tmp_path, make_model(), make_dataset(), **SAVED)
        with pytest.raises(ValueError, match=r"no checkpoint in .* from which the training could"):
            trainer.train(resume_from_checkpoint=True)


class Runs:
    """Would make a file if it were unpickled."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self) -> tuple:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("content", ["code", "damaged"])
@pytest.mark.parametrize("name", ["optimizer.pt", "scheduler.pt", "rng_state.pth"])
def test_states_of_others_run_no_code(finished, tmp_path, name: str, content: str) -> None:
    checkpoint = tmp_path / "checkpoint-12"
    shutil.copytree(finished[0] / "checkpoint-12", checkpoint)
    if content == "code":
        torch.save({"state": Runs(tmp_path / "ran")}, checkpoint / name)
    else:
        cut(name)(checkpoint)
    write_manifest(checkpoint)
    trainer = make_trainer(tmp_path, make_model(), make_dataset(), **SAVED)
    with pytest.raises(ValueError, match="is damaged, or holds more than numbers, and is not read: go on from"):
        trainer.train(resume_from_checkpoint=str(checkpoint))
    assert not (tmp_path / "ran").exists()


class TestFullDisk:
    """What is being saved is given up, and what was saved stays."""

    @pytest.mark.parametrize(
        "error",
        [
            OSError(errno.ENOSPC, "No space left on device"),
            RuntimeError("[enforce fail at inline_container.cc:664] . unexpected pos 64 vs 0"),
        ],
        ids=["files", "torch"],
    )
    def test_the_training_goes_on(self, finished, tmp_path, monkeypatch, caplog, error) -> None:
        trainer = make_trainer(tmp_path, make_model(), make_dataset(), **SAVED)
        save = trainer._save_optimizer_and_scheduler

        def fail(folder: str) -> None:
            if trainer.state.global_step == 12:
                raise error
            save(folder)

        monkeypatch.setattr(trainer, "_save_optimizer_and_scheduler", fail)
        trainer.train()
        assert "checkpoint-12 could not be saved, and the training goes on without it" in caplog.text
        assert [path.name for path in numbered_checkpoints(tmp_path)] == [
            "checkpoint-6",
            "checkpoint-18",
            "checkpoint-24",
        ]
        assert not list(tmp_path.glob(f"{UNFINISHED}*"))
        assert all(torch.equal(tensor, finished[1][name]) for name, tensor in weights_of(trainer.model).items())

    def test_other_errors_are_not_hidden(self, tmp_path, monkeypatch) -> None:
        trainer = make_trainer(tmp_path, make_model(), make_dataset(), **SAVED)

        def fail(folder: str) -> None:
            raise RuntimeError("a mistake of ours")

        monkeypatch.setattr(trainer, "_save_optimizer_and_scheduler", fail)
        with pytest.raises(RuntimeError, match="a mistake of ours"):
            trainer.train()


def test_what_an_interruption_has_left_is_removed(tmp_path) -> None:
    (tmp_path / f"{UNFINISHED}-3" / "checkpoint-3").mkdir(parents=True)
    make_trainer(tmp_path, make_model(), make_dataset(), **SAVED, max_steps=6).train()
    assert sorted(os.listdir(tmp_path)) == ["checkpoint-6"]


def test_a_checkpoint_of_the_same_step_is_replaced(finished, tmp_path) -> None:
    shutil.copytree(finished[0] / "checkpoint-12", tmp_path / "checkpoint-12")
    (tmp_path / "checkpoint-12" / "old").write_text("x")
    write_manifest(tmp_path / "checkpoint-12")
    make_trainer(tmp_path, make_model(), make_dataset(), **SAVED, max_steps=12).train()
    assert not (tmp_path / "checkpoint-12" / "old").exists() and fault_of(tmp_path / "checkpoint-12") is None

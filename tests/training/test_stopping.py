"""A training that SIGTERM stops: what it leaves, with which status it ends, and that the same command goes on."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest
import torch
from transformers import TrainerCallback

from hfattnlstm._errors import TrainingStoppedError
from hfattnlstm.commands.main import main
from hfattnlstm.training import run as run_module
from hfattnlstm.training.manifests import fault_of
from hfattnlstm.training.stopping import NOTE_FILE, StopSignal
from training.test_classification import labelled, run, write_rows
from training.training_helpers import make_dataset, make_model, make_trainer, weights_of


ROWS = [(f"{text} {index}", label) for index, (text, label) in enumerate(labelled("pos", "neg", 60))]
FLAGS = ("--num_train_epochs", "4", "--word_dropout", "0.2")


class Terminates(TrainerCallback):
    """Sends the signal in the midst of a step, once."""

    def __init__(self, step: int):
        self.step = step

    def on_step_begin(self, args, state, control, **_) -> None:
        if state.global_step == self.step:
            self.step = -1
            os.kill(os.getpid(), signal.SIGTERM)


@pytest.fixture
def terminated(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first training gets the signal in its third step, within the second epoch."""
    terminates, chosen = Terminates(2), run_module.callbacks_of
    monkeypatch.setattr(run_module, "callbacks_of", lambda training: [*chosen(training), terminates])


def test_the_same_flags_go_on_bit_equal(tmp_path: Path, terminated: None, caplog) -> None:
    texts = write_rows(tmp_path / "texts.jsonl", ROWS)
    with pytest.raises(TrainingStoppedError, match=r"after step 3 of 8, which is saved in .*checkpoint-3: the same"):
        run(tmp_path / "model", texts, *FLAGS)
    assert fault_of(tmp_path / "model" / "checkpoint-3") is None
    with pytest.raises(ValueError, match=r"would overwrite: .*or go on with --resume_from_checkpoint true"):
        run(tmp_path / "model", texts, "--num_train_epochs", "4")
    resumed = run(tmp_path / "model", texts, *FLAGS)
    assert "was stopped: it goes on from its last checkpoint" in caplog.text
    assert not (tmp_path / "model" / NOTE_FILE).exists()
    whole = run(tmp_path / "whole", texts, *FLAGS)
    for name, tensor in whole.model.state_dict().items():
        assert torch.equal(tensor, resumed.model.state_dict()[name]), name
    assert resumed.metrics["eval_accuracy"] == whole.metrics["eval_accuracy"]
    # What has come to its end is not overwritten.
    with pytest.raises(ValueError, match="which the run would overwrite"):
        run(tmp_path / "model", texts, *FLAGS)


@pytest.mark.parametrize(
    "flags", [("--save_only_model",), ("--save_strategy", "no", "--load_best_model_at_end", "false")]
)
def test_it_is_saved_whatever_else_is(tmp_path: Path, terminated: None, flags: tuple[str, ...]) -> None:
    texts = write_rows(tmp_path / "texts.jsonl", ROWS)
    with pytest.raises(TrainingStoppedError):
        run(tmp_path / "model", texts, *FLAGS, *flags)
    assert run(tmp_path / "model", texts, *FLAGS, *flags).trainer.state.global_step == 8


def test_the_status_of_the_command(tmp_path: Path, terminated: None, capsys: pytest.CaptureFixture[str]) -> None:
    texts = write_rows(tmp_path / "texts.jsonl", ROWS)
    small = ("--embedding_size", "8", "--hidden_size", "8", "--use_cpu", "--disable_tqdm", "true", *FLAGS)
    command = ["train", "--train_file", str(texts), "--output_dir", str(tmp_path / "model"), *small]
    assert main(command) == 75
    assert "hfattnlstm train: Stopped by SIGTERM after step 3 of 8" in capsys.readouterr().err
    assert main(command) == 0
    assert (tmp_path / "model" / "model.safetensors").is_file()


def test_the_signal_has_its_own_meaning_outside() -> None:
    earlier = signal.getsignal(signal.SIGTERM)
    with StopSignal().listening() as stop:
        assert signal.getsignal(signal.SIGTERM) == stop._receive
    assert signal.getsignal(signal.SIGTERM) == earlier


def test_in_another_thread_the_training_runs_to_its_end(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path, make_model(), make_dataset(), max_steps=2)

    def train() -> None:
        with StopSignal().listening() as stop:
            trainer.add_callback(stop)
            trainer.train()

    thread = threading.Thread(target=train)
    thread.start()
    thread.join()
    assert trainer.state.global_step == 2


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = make_trainer(tmp_path, make_model(), make_dataset(), save_strategy="steps", save_steps=2)
    save = trainer._save_optimizer_and_scheduler

    def fail(folder: str) -> None:
        if trainer.state.global_step == 3:
            raise OSError(28, "No space left on device")
        save(folder)

    monkeypatch.setattr(trainer, "_save_optimizer_and_scheduler", fail)
    with StopSignal().listening() as stop:
        trainer.add_callback(stop)
        trainer.add_callback(Terminates(2))
        with pytest.raises(TrainingStoppedError, match="could not be saved: the same command goes on from an earlier"):
            trainer.train()
    assert weights_of(trainer.model)
    assert fault_of(tmp_path / "checkpoint-2") is None

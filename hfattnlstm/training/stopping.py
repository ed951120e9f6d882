"""A training that is told to stop saves what it has learnt, and the same command goes on from there."""

from __future__ import annotations

import contextlib
import json
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

from .._errors import TrainingStoppedError
from .._files import written_beside
from .manifests import fault_of


# In the output folder, while a training that was stopped waits for the same command.
NOTE_FILE = "stopped.json"


class StopSignal(TrainerCallback):
    """Saves a checkpoint after the step in which SIGTERM has come, in whichever process, and stops the training.

    Raises:
        TrainingStoppedError: From `train` of the Trainer, once the checkpoint is there.

    Example:

    ```python
    >>> with StopSignal().listening() as stop:
    ...     stop.received
    False
    ```
    """

    def __init__(self) -> None:
        self.received = False
        self._stops = False

    @contextlib.contextmanager
    def listening(self) -> Iterator[StopSignal]:
        """Take SIGTERM in the block; outside the main thread, where Python hears no signals, do nothing."""
        if threading.current_thread() is not threading.main_thread():
            yield self
            return
        earlier = signal.signal(signal.SIGTERM, self._receive)
        try:
            yield self
        finally:
            signal.signal(signal.SIGTERM, earlier)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self.received = True

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Called by the Trainer after each step."""
        self._stops = self._stops or self._is_agreed(args)
        if self._stops:
            control.should_save = True
            # From weights alone nothing could go on.
            args.save_only_model = False

    def _is_agreed(self, args: TrainingArguments) -> bool:
        """Whether any process has received it; they must stop after the same step."""
        if args.world_size <= 1:
            return self.received
        flag = torch.tensor(int(self.received), device=args.device)
        torch.distributed.all_reduce(flag, torch.distributed.ReduceOp.MAX)
        return bool(flag)

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Called by the Trainer when a checkpoint has been saved."""
        if not self._stops:
            return
        # Not by `should_training_stop`: at the end of a training, checkpoints are removed.
        checkpoint = Path(args.output_dir) / f"{PREFIX_CHECKPOINT_DIR}-{state.global_step}"
        step = f"Stopped by SIGTERM after step {state.global_step:,} of {state.max_steps:,}"
        if fault_of(checkpoint) is None:
            raise TrainingStoppedError(f"{step}, which is saved in {checkpoint}: the same command goes on from there.")
        raise TrainingStoppedError(f"{step}, which could not be saved: the same command goes on from an earlier one.")


def note_stop(folder: Path, command: str) -> None:
    """Write down which command was stopped.

    Args:
        folder: Its output folder.
        command: As [`Task.command`] gives it.
    """
    with written_beside(folder / NOTE_FILE) as unfinished:
        unfinished.write_text(json.dumps({"command": command}), encoding="utf-8")


def was_stopped(folder: Path, command: str) -> bool:
    """Whether this very command was stopped in the folder.

    Example:

    ```python
    >>> note_stop(Path("out"), "hfattnlstm train --dataset imdb")
    >>> was_stopped(Path("out"), "hfattnlstm train --dataset imdb"), was_stopped(Path("out"), "hfattnlstm train")
    (True, False)
    ```
    """
    try:
        noted = json.loads((folder / NOTE_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(noted, dict) and noted.get("command") == command


def forget_stop(folder: Path) -> None:
    """Remove the note of a training that has come to its end."""
    (folder / NOTE_FILE).unlink(missing_ok=True)

"""Checkpoints that are there whole or not at all, for a Trainer."""

from __future__ import annotations

import contextlib
import os
import pickle
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from torch import nn
from transformers import Trainer
from transformers.trainer import TRAINING_ARGS_NAME
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR, TrainOutput, rotate_checkpoints
from transformers.utils import logging

from .manifests import MANIFEST, fault_of, numbered_checkpoints, sync_folder, write_manifest


logger = logging.get_logger(__name__)

_STATE, ARGUMENTS = "trainer_state.json", "training_args.json"
# Folders that a save which was interrupted leaves behind.
UNFINISHED = ".unfinished-checkpoint"
# Beginnings of what torch says where it cannot write.
_OF_THE_DISK = ("PytorchStreamWriter", "inline_container", "basic_ios", "iostream")


class WholeCheckpoints(Trainer):
    """A Trainer whose checkpoints are written beside, listed in a manifest, and moved into place.

    One that cannot be written, on a full disk for instance, is told, and the training goes on: the one before is as it
    was. `train(resume_from_checkpoint=True)` goes on from the newest one that is whole, and says which it has passed
    over; a folder that is named must be whole, unless it has no manifest, because another Trainer has written it. At
    the end, the best one is loaded only if it is whole.

    Raises:
        ValueError: From `train`, where there is no checkpoint that is whole.
    """

    # Where the checkpoint is written that is not finished.
    _beside: Path | None = None

    def train(self, resume_from_checkpoint: str | bool | None = None, *args: Any, **kwargs: Any) -> TrainOutput:
        """As the base class's."""
        if resume_from_checkpoint is True:
            folder = Path(self.args.output_dir)
            found = newest_whole(folder)
            if found is None:
                raise ValueError(f"There is no checkpoint in {folder} from which the training could go on.")
            resume_from_checkpoint = str(found)
        elif isinstance(resume_from_checkpoint, (str, os.PathLike)):
            check_whole(Path(resume_from_checkpoint))
        return super().train(resume_from_checkpoint, *args, **kwargs)

    def _get_output_dir(self, trial: Any) -> str:
        return super()._get_output_dir(trial) if self._beside is None else str(self._beside)

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        folder, name = Path(self._get_output_dir(trial)), f"{PREFIX_CHECKPOINT_DIR}-{self.state.global_step}"
        beside = folder / f"{UNFINISHED}-{self.state.global_step}"
        try:
            self._write_beside(beside, folder, model, trial)
        except (OSError, SafetensorError, RuntimeError) as error:
            # Other processes would wait for this one.
            if self.args.world_size > 1 or not _is_of_the_disk(error):
                raise
            shutil.rmtree(beside, ignore_errors=True)
            logger.warning("%s could not be saved, and the training goes on without it: %s", folder / name, error)
            return
        finally:
            self._beside = None
        if self.args.should_save:
            _move(beside / name, folder / name)
            shutil.rmtree(beside, ignore_errors=True)
        self.accelerator.wait_for_everyone()
        if self.args.push_to_hub:
            self._push_from_checkpoint(str(folder / name))
        if self.args.should_save:
            rotate_checkpoints(
                output_dir=str(folder),
                save_total_limit=self.args.save_total_limit,
                best_model_checkpoint=self.state.best_model_checkpoint,
                use_mtime=True,
            )

    def _write_beside(self, beside: Path, folder: Path, model: nn.Module, trial: Any) -> None:
        """The whole checkpoint with its manifest, in a folder of its own."""
        if self.args.should_save:
            for left in folder.glob(f"{UNFINISHED}-*"):
                shutil.rmtree(left, ignore_errors=True)
            beside.mkdir(parents=True)
        self.accelerator.wait_for_everyone()
        own, state = beside / f"{PREFIX_CHECKPOINT_DIR}-{self.state.global_step}", self.state
        pushes, self.args.push_to_hub, self._beside = self.args.push_to_hub, False, beside
        before = state.best_model_checkpoint
        try:
            super()._save_checkpoint(model, trial)
        finally:
            self.args.push_to_hub = pushes
            state.best_model_checkpoint = before
        if state.best_global_step:
            best = folder / f"{PREFIX_CHECKPOINT_DIR}-{state.best_global_step}"
            if best.exists() or state.best_global_step == state.global_step:
                state.best_model_checkpoint = str(best)
        self.accelerator.wait_for_everyone()
        if self.args.should_save:
            # With the name that the best one will have.
            state.save_to_json(str(own / _STATE))
            write_manifest(own)

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
        super()._save(output_dir, state_dict)
        folder = Path(output_dir or self.args.output_dir)
        # As text: what is pickled can run code when it is read.
        (folder / TRAINING_ARGS_NAME).unlink(missing_ok=True)
        (folder / ARGUMENTS).write_text(self.args.to_json_string(), encoding="utf-8")

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        with _told_if_unreadable(checkpoint):
            super()._load_optimizer_and_scheduler(checkpoint)

    def _load_rng_state(self, checkpoint: str | None) -> None:
        with _told_if_unreadable(checkpoint):
            super()._load_rng_state(checkpoint)

    def _load_best_model(self) -> None:
        best = Path(self.state.best_model_checkpoint)
        fault = fault_of(best) if (best / MANIFEST).is_file() else None
        if fault is not None:
            logger.warning("The best checkpoint, %s, %s: the last weights are kept instead.", best, fault)
            return
        super()._load_best_model()


@contextlib.contextmanager
def _told_if_unreadable(checkpoint: str | None) -> Iterator[None]:
    """Of what another Trainer has written, torch reads numbers and no code; it refuses the rest in many lines."""
    try:
        yield
    except (pickle.UnpicklingError, EOFError, OSError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "PytorchStreamReader" not in str(error):
            raise
        raise ValueError(
            f"The state of the optimiser, the scheduler or the random numbers in {checkpoint} is damaged, or holds "
            "more than numbers, and is not read: go on from another checkpoint."
        ) from error


def newest_whole(folder: Path) -> Path | None:
    """The newest checkpoint in a folder that is whole; what is passed over is told. None where there is none.

    Where none has a manifest, another Trainer has written them, and the newest one is taken.

    Example:

    ```python
    >>> newest_whole(Path("out"))
    PosixPath('out/checkpoint-120')
    ```
    """
    found = numbered_checkpoints(folder)[::-1]
    if found and not any((path / MANIFEST).is_file() for path in found):
        logger.warning("%s has no %s, and cannot be checked: another Trainer has written it.", found[0], MANIFEST)
        return found[0]
    for path in found:
        fault = fault_of(path)
        if fault is None:
            return path
        logger.warning("%s %s: it is passed over.", path, fault)
    return None


def check_whole(checkpoint: Path) -> None:
    """Refuse a checkpoint whose files are not those of its manifest.

    Raises:
        ValueError: Says what is wrong, and from which one the training could go on.
    """
    if not (checkpoint / MANIFEST).is_file():
        return
    fault = fault_of(checkpoint)
    if fault is None:
        return
    others = (path for path in numbered_checkpoints(checkpoint.parent)[::-1] if path.name != checkpoint.name)
    other = next((path for path in others if fault_of(path) is None), None)
    mend = "begin anew" if other is None else f"go on from {other}"
    raise ValueError(f"{checkpoint} {fault}, so no training can be continued from it: {mend}.")


def _move(source: Path, target: Path) -> None:
    """Put a folder in the place of another one, which a run that went on from an earlier step has left."""
    if target.exists():
        os.replace(target, source.parent / "replaced")
    os.replace(source, target)
    sync_folder(target.parent)


def _is_of_the_disk(error: Exception) -> bool:
    """Whether something could not be written."""
    return not isinstance(error, RuntimeError) or any(sign in str(error) for sign in _OF_THE_DISK)

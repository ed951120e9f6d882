"""Going on from a checkpoint: which one, whether it is whole, and whether it saw the same examples."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_callback import ExportableState
from transformers.utils import logging

from .arguments import RunArguments
from .whole_checkpoints import check_whole, newest_whole


logger = logging.get_logger(__name__)

_STATE = "trainer_state.json"
# What continues a training beside the weights.
_OPTIMISER = ("optimizer.pt", "scheduler.pt")
_LAST, _NONE = ("true", "yes", "last"), ("false", "no")


def find_checkpoint(training: RunArguments) -> Path | None:
    """The checkpoint of `--resume_from_checkpoint`: a folder, or `true` for the last one in the output folder.

    Raises:
        ValueError: When there is none, or a training cannot be continued from it.

    Example:

    ```python
    >>> find_checkpoint(RunArguments("out", resume_from_checkpoint="true"))
    PosixPath('out/checkpoint-120')
    ```
    """
    wanted = training.resume_from_checkpoint
    if wanted is None or str(wanted).lower() in _NONE:
        return None
    example = f"{training.output_dir}/checkpoint-100"
    if str(wanted).lower() in _LAST:
        folder = Path(training.output_dir)
        found = newest_whole(folder)
        if found is None:
            raise ValueError(
                f"--resume_from_checkpoint {wanted} finds no whole checkpoint in {folder}: leave it out to begin "
                f"anew, or name a folder such as {example}."
            )
        return _with_state(found)
    path = Path(wanted).expanduser()
    if not path.is_dir():
        raise ValueError(f"There is no checkpoint {wanted}: name a folder such as {example}.")
    check_whole(path)
    return _with_state(path)


def _with_state(checkpoint: Path) -> Path:
    for name in ("config.json", _STATE):
        if not (checkpoint / name).is_file():
            raise ValueError(
                f"{checkpoint} has no {name}, so no training can be continued from it: name another checkpoint in "
                "--resume_from_checkpoint."
            )
    distributed = any(path.is_dir() for path in checkpoint.glob("optimizer*")) or any(checkpoint.glob("global_step*"))
    if not distributed and not all((checkpoint / name).is_file() for name in _OPTIMISER):
        raise ValueError(
            f"{checkpoint} has no state of the optimiser, as --save_only_model and the end of a training leave it: "
            f"begin a new training from its weights with --model_name_or_path {checkpoint} in place of "
            "--resume_from_checkpoint."
        )
    return checkpoint


class TrainingExamples(TrainerCallback, ExportableState):
    """Notes in every checkpoint which examples the training reads.

    Args:
        count: How many there are.
        digest: A hash of them.
    """

    def __init__(self, count: int, digest: str):
        self.count, self.digest = count, digest

    @classmethod
    def of(cls, values: Iterable[Any], rows: int, taught: str = "") -> TrainingExamples:
        """From the training split, before it is encoded.

        Args:
            values: All that it holds, labels too; see [`Task.values`].
            rows: How many examples it has when it is encoded.
            taught: What says how the labels are changed then.
        """
        digest = hashlib.sha256(taught.encode())
        for value in values:
            digest.update(value if isinstance(value, bytes) else f"{value!r}\n".encode("utf-8", "surrogatepass"))
        return cls(rows, digest.hexdigest())

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Called by the Trainer, which expects that the checkpoint it goes on from has noted something, too."""
        state.stateful_callbacks.setdefault(type(self).__name__, self.state())

    def state(self) -> dict[str, Any]:
        """What enters `trainer_state.json`."""
        return {"args": {"count": self.count, "digest": self.digest}, "attributes": {}}

    def compare(self, checkpoint: Path) -> None:
        """Tell when the checkpoint has read other examples than these.

        Args:
            checkpoint: Its folder; one that does not say what it has read is let pass.
        """
        state = json.loads((checkpoint / _STATE).read_text(encoding="utf-8"))
        noted = (state.get("stateful_callbacks") or {}).get(type(self).__name__)
        noted = noted[-1] if isinstance(noted, list) and noted else noted
        before = noted.get("args", {}) if isinstance(noted, dict) else {}
        if not before or before == self.state()["args"]:
            return
        what = f"{before['count']:,} examples, and there are {self.count:,} now"
        if before["count"] == self.count:
            what = f"{self.count:,} examples that are others, or have other labels, than those now"
        logger.warning(
            "%s has read %s: the training goes on, but not as it would have without the interruption.",
            checkpoint,
            what,
        )

"""The folder that a run writes: what is there already is not overwritten without a word."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from transformers import Trainer
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

from .._released import released_folder
from ..modeling import configuration_attnlstm
from .arguments import RunArguments
from .manifests import numbered_checkpoints


METRICS_FILE = "all_results.json"
CARD_FILE = "README.md"
CURVE_FILE, CONFUSION_FILE = "learning_curve.png", "confusion_matrix.png"
FORECAST_FILES = ("forecasts.png", "error_by_step.png", "residuals.png", "attention_over_time.png")
# What a run writes, beside the files of the model's code.
_WRITTEN = (
    *("config.json", "*.safetensors", "model.safetensors.index.json", "generation_config.json"),
    *("tokenizer*", "special_tokens_map.json", "added_tokens.json", "chat_template.jinja"),
    *(CARD_FILE, METRICS_FILE, CURVE_FILE, CONFUSION_FILE, "trainer_state.json", "training_args.json"),
    *("preprocessor_config.json", *FORECAST_FILES),
)
_CHECKPOINTS = f"{PREFIX_CHECKPOINT_DIR}-*"


def check_output_folder(training: RunArguments, checkpoint: Path | None, sources: Sequence[str]) -> None:
    """Refuse to overwrite, unless that was asked for; nothing is touched.

    Args:
        training: The flags of the run.
        checkpoint: Where it goes on; what is in the same folder is its own.
        sources: Files and folders that the run reads.

    Raises:
        ValueError: Names the folder, a file in it that the run would overwrite, and what to do.
    """
    folder = Path(training.output_dir)
    if training.do_train:
        _keep_names(folder, sources)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"--output_dir {folder} is a file: name a folder.")
    if checkpoint is not None and checkpoint.resolve().parent == folder.resolve():
        if training.overwrite:
            raise ValueError(
                f"--overwrite would remove the checkpoint {checkpoint}, from which --resume_from_checkpoint goes on: "
                "leave one of the two out."
            )
        return
    found = _found(folder, training.do_train)
    if found and not training.overwrite:
        goes_on = training.do_train and numbered_checkpoints(folder)
        resume = ", or go on with --resume_from_checkpoint true" if goes_on else ""
        raise ValueError(
            f"{folder} has {found[0].name} already, which the run would overwrite: name another --output_dir, add "
            f"--overwrite{resume}."
        )
    if training.do_train:
        _keep_sources(folder, sources)


def _keep_names(folder: Path, sources: Sequence[str]) -> None:
    """Refuse a folder that the same command would read the next time, in place of a released model."""
    for source in sources:
        if released_folder(source) and folder.resolve() == Path(source).resolve():
            raise ValueError(
                f"--output_dir {folder} would hide the model {source}, which comes with the package and is read here: "
                "name another --output_dir."
            )


def _found(folder: Path, do_train: bool) -> list[Path]:
    """What the run would overwrite, the model first."""
    if not do_train:
        return [path for path in [folder / METRICS_FILE] if path.exists()]
    code = sorted(path.name for path in Path(configuration_attnlstm.__file__).parent.glob("*.py"))
    code = [name for name in code if name != "__init__.py"]
    return [path for pattern in (*_WRITTEN, _CHECKPOINTS, *code) for path in sorted(folder.glob(pattern))]


def _keep_sources(folder: Path, sources: Sequence[str]) -> None:
    for source in sources:
        for checkpoint in numbered_checkpoints(folder):
            if Path(source).exists() and Path(source).resolve().is_relative_to(checkpoint.resolve()):
                raise ValueError(f"The run reads {source}, which --overwrite would remove: name another --output_dir.")


def remove_old_checkpoints(trainer: Trainer) -> None:
    """Remove the checkpoints of the run that is overwritten, in the moment in which the training begins.

    Later they would be taken for those of this run, of which only the last are kept.
    """
    if trainer.is_world_process_zero():
        for checkpoint in numbered_checkpoints(Path(trainer.args.output_dir)):
            shutil.rmtree(checkpoint)
    trainer.accelerator.wait_for_everyone()


def save_model(trainer: Trainer) -> None:
    """Save the model in the output folder; a model that is there stays whole until the new one is written."""
    folder = Path(trainer.args.output_dir)
    if not trainer.args.should_save or trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled:
        # All processes take part, and would need one folder.
        trainer.save_model(_internal_call=True)
        return
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".unfinished-", dir=folder) as unfinished:
        trainer.save_model(unfinished, _internal_call=True)
        for path in _files(Path(unfinished)):
            target = folder / path.relative_to(unfinished)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(path, target)


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())

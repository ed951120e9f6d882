"""`hfattnlstm train`, with a recipe or without."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from transformers import TrainerCallback

from hfattnlstm.commands.models import load_classifier, load_config
from hfattnlstm.training import Task, parse_task, run_task
from hfattnlstm.training.display import Display

from ..problem import Problem
from . import Candidate, Prediction
from .pipelines import predict


_SAVED = ("*.safetensors", "tokenizer.json")


class Ours(Candidate):
    """The command as it is, which holds out its own validation texts from those that it is given.

    Args:
        problem, seed: As of every candidate.
        flags: Further ones of `hfattnlstm train`.
    """

    def __init__(self, problem: Problem, seed: int, flags: Sequence[str] = ()):
        super().__init__(problem, seed)
        self.flags = flags
        self.folder = tempfile.TemporaryDirectory(prefix="hfattnlstm-")

    def fit(self, texts: Sequence[str], labels: np.ndarray) -> None:
        """Write the texts to a file, train, and load what was saved."""
        path, self.output = (Path(self.folder.name) / name for name in ("train.parquet", "model"))
        self.problem.as_dataset(texts, labels).to_parquet(path)
        run_task(make_task(path, self.output, self.seed, self.flags), _Quiet())
        self.classifier = load_classifier(str(self.output), load_config(str(self.output)))

    def predict(self, texts: Sequence[str]) -> Prediction:
        """Label texts with the saved model in its pipeline."""
        return predict(self.classifier, texts, self.problem)

    def close(self) -> None:
        """Remove texts, model and checkpoints."""
        self.folder.cleanup()

    def size(self) -> int:
        """Of the weights and the tokenizer."""
        return sum(path.stat().st_size for pattern in _SAVED for path in self.output.glob(pattern))


def make_task(train_file: Path, output: Path, seed: int, flags: Sequence[str]) -> Task:
    """The task of `hfattnlstm train` with further flags.

    Raises:
        ValueError: For a flag or a recipe that there is not.
    """
    own = ["--train_file", str(train_file), "--text_column", "text", "--label_column", "label"]
    return parse_task([*own, "--output_dir", str(output), "--seed", str(seed), *flags])


class _Quiet(Display):
    def callbacks(self) -> list[TrainerCallback]:
        """One that does nothing, in place of the bars and the log of the Trainer."""
        return [TrainerCallback()]

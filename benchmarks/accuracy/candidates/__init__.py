"""What a person would use, one file each; its libraries are imported only when it is measured."""

from __future__ import annotations

import importlib
import shlex
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..problem import Problem


MAJORITY = "majority class"
BASELINE = "TF-IDF + logistic regression"
OURS = "hfattnlstm"


class Prediction(NamedTuple):
    """What a candidate says of texts.

    Attributes:
        decisions: (texts,) class ids, or (texts, labels) of 0 and 1.
        logs: (texts, classes) logarithms of probabilities, or logits; None where it has none, or for several labels.
    """

    decisions: np.ndarray
    logs: np.ndarray | None = None


class Candidate(ABC):
    """A classifier of texts.

    Args:
        problem: Its labels, and how many a text has.
        seed: Of whatever is random.
    """

    def __init__(self, problem: Problem, seed: int):
        self.problem, self.seed = problem, seed

    @abstractmethod
    def fit(self, texts: Sequence[str], labels: np.ndarray) -> None:
        """Learn from texts and their labels: (texts,) class ids, or (texts, labels) of 0 and 1."""

    @abstractmethod
    def predict(self, texts: Sequence[str]) -> Prediction:
        """Label texts."""

    def size(self) -> int | None:
        """Bytes of the saved model; None where nobody would save it."""
        return None

    def close(self) -> None:  # noqa: B027
        """Remove what it has written; nothing by default."""


@dataclass(frozen=True)
class Entry:
    """A candidate that can be measured.

    Attributes:
        name: In the table.
        module: File in this folder; importing it raises ModuleNotFoundError where its library is not installed.
        maker: What makes the candidate there, from a problem, a seed and `arguments`.
        seeded: Whether another seed gives another result.
        arguments: Further ones.
    """

    name: str
    module: str
    maker: str
    seeded: bool = False
    arguments: dict[str, Any] = field(default_factory=dict)

    def make(self, problem: Problem, seed: int) -> Candidate:
        """The candidate; ModuleNotFoundError or NotAvailableError where it cannot be had."""
        module = importlib.import_module(f".{self.module}", __name__)
        return getattr(module, self.maker)(problem, seed, **self.arguments)


def entries(
    recipes: Sequence[str] = (), models: Sequence[str] = (), finetune: bool = False, flags: Sequence[str] = ()
) -> list[Entry]:
    """All candidates, in the order of the table.

    Args:
        recipes: Of `hfattnlstm train --recipe`.
        flags: Of `hfattnlstm train`, as one writes them on a command line.
        models: Folders or Hub names of text classifiers.
        finetune: Whether these learn from the texts; else they are only measured.

    Example:

    ```python
    >>> [entry.name for entry in entries(recipes=["accurate"])][-2:]
    ['hfattnlstm', 'hfattnlstm --recipe accurate']
    ```
    """
    own = [Entry(OURS, "ours", "Ours", True)]
    further = [*(f"--recipe {name}" for name in recipes), *flags]
    own += [Entry(f"{OURS} {given}", "ours", "Ours", True, {"flags": shlex.split(given)}) for given in further]
    return [
        Entry(MAJORITY, "majority", "Majority"),
        Entry(BASELINE, "tfidf", "TfidfLogisticRegression"),
        Entry("TF-IDF + linear SVM", "tfidf", "TfidfSVM"),
        Entry("NB-SVM", "nbsvm", "NBSVM"),
        Entry("fastText, bigrams", "fasttext_words", "FastText", True),
        Entry("tutorial BiLSTM", "tutorial_lstm", "TutorialBiLSTM", True),
        *own,
        *(_of_model(name, finetune) for name in models),
    ]


def _of_model(name: str, finetune: bool) -> Entry:
    shown = Path(name).resolve().name if Path(name).exists() else name
    if finetune:
        return Entry(f"{shown}, fine-tuned", "transformer", "fine_tuned", True, {"name": name})
    return Entry(shown, "transformer", "AsItIs", False, {"name": name})

"""fastText: a linear classifier on the mean of the vectors of words and bigrams."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import fasttext
import numpy as np
import torch

from . import Candidate, Prediction
from .ngrams import tokens_of


# Those of its tutorial on text classification, but for more buckets.
SETTINGS = {"dim": 50, "epoch": 25, "lr": 0.5, "bucket": 500_000}
WORDS, CHARACTERS = 2, 3
_PREFIX = "__label__"
_LEAST = 1e-12

# Otherwise every model that is loaded says so.
fasttext.FastText.eprint = lambda *_: None


class FastText(Candidate):
    """`train_supervised` with bigrams, or trigrams of characters where no spaces stand between words."""

    def fit(self, texts: Sequence[str], labels: np.ndarray) -> None:
        """Write the texts to a file, as it wants them, and learn from it."""
        several = self.problem.several
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "texts.txt"
            # It reads them in the order of the file, which may be that of the labels.
            order = np.random.default_rng(self.seed).permutation(len(texts))
            lines = (f"{_marks(labels[row])} {self._line(texts[row])}\n" for row in order)
            path.write_text("".join(lines), encoding="utf-8")
            self.model = fasttext.train_supervised(
                str(path),
                wordNgrams=CHARACTERS if self.problem.unspaced else WORDS,
                # One against the rest.
                loss="ova" if several else "softmax",
                # More of them race each other, and give another result each time.
                thread=torch.get_num_threads(),
                seed=self.seed,
                verbose=0,
                **SETTINGS,
            )

    def predict(self, texts: Sequence[str]) -> Prediction:
        """Label texts; with one label each also give the probabilities."""
        count = len(self.problem.label_names)
        found = np.zeros((len(texts), count))
        for row, text in enumerate(texts):
            # Its `predict` fails on NumPy 2 for one text, and gives every label of a text the first score for several.
            for score, label in self.model.f.predict(f"{self._line(text)}\n", count, 0.0, "strict"):
                found[row, int(label.removeprefix(_PREFIX))] = score
        if self.problem.several:
            return Prediction((found > 0.5).astype(np.int64))
        return Prediction(found.argmax(-1), np.log(found.clip(min=_LEAST)))

    def size(self) -> int:
        """Of the file."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.bin"
            self.model.save_model(str(path))
            return path.stat().st_size

    def _line(self, text: str) -> str:
        return " ".join(tokens_of(text, self.problem))


def _marks(label: np.ndarray) -> str:
    """The labels of a text, as the file has them; none where none applies."""
    chosen = np.flatnonzero(label) if label.ndim else [label]
    return " ".join(f"{_PREFIX}{number}" for number in chosen)

"""The most frequent label, whatever the text is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from . import Candidate, Prediction


class Majority(Candidate):
    """Gives every text the label that most training texts have; of several labels, this one alone."""

    def fit(self, texts: Sequence[str], labels: np.ndarray) -> None:
        """Count the labels."""
        several = self.problem.several
        counts = labels.sum(0) if several else np.bincount(labels, minlength=len(self.problem.label_names))
        self.counts = counts

    def predict(self, texts: Sequence[str]) -> Prediction:
        """Label texts."""
        most = self.counts.argmax()
        if self.problem.several:
            decisions = np.zeros((len(texts), len(self.counts)), dtype=np.int64)
            decisions[:, most] = 1
            return Prediction(decisions)
        # One text more of each class, so that none is impossible.
        logs = np.log((self.counts + 1) / (self.counts + 1).sum())
        return Prediction(np.full(len(texts), most), np.tile(logs, (len(texts), 1)))

"""What a classifier gets after its training, from held-out texts: n-grams, a temperature, thresholds."""

from __future__ import annotations

import numpy as np
import torch
from datasets import DatasetDict

from .metrics import all_logits
from .ngram_part import LabelledRows, NgramPart, fit_ngrams, labelled_rows
from .trainer import AttnLSTMTrainer


class Finisher:
    """Finishes the classifier of a training, in two steps: for measuring, and for saving.

    Args:
        trainer: The training that has ended.
        encoded: Its splits, as from [`encode_texts`], with "validation".
        problem_type: Of the texts, which have one label or several.
        longest, most: Tokens in the longest n-gram, and n-grams at most; 0 for none.
        calibrates: Whether the temperature is kept in the configuration.
    """

    def __init__(
        self,
        trainer: AttnLSTMTrainer,
        encoded: DatasetDict,
        problem_type: str,
        *,
        longest: int,
        most: int,
        calibrates: bool,
    ):
        self._trainer, self._encoded, self._problem_type = trainer, encoded, problem_type
        self._longest, self._most, self._calibrates = longest, most, calibrates
        self._part: NgramPart | None = None

    def learn(self) -> None:
        """Fit everything; what is fitted to the training texts has not seen the held-out ones."""
        model = self._trainer.model
        # Those of a model that the training went on from.
        model.set_ngrams(torch.empty(0, dtype=torch.long), self._longest)
        logits = self._held_out_logits()
        if self._most:
            train, held_out = self._rows("train"), self._rows("validation")
            self._part = fit_ngrams(
                train,
                held_out,
                logits,
                self._problem_type,
                longest=self._longest,
                most=self._most,
                threads=torch.get_num_threads(),
            )
            self._part.put_into(model)
        if self._calibrates and self._part is not None:
            model.config.calibration_temperature = self._part.temperature

    def learn_held_out(self) -> None:
        """Let the n-grams learn from the held-out texts too, which have been measured; all else stays."""
        if self._part is not None:
            rows = self._rows("train") + self._rows("validation")
            self._part.refitted(rows, torch.get_num_threads()).put_into(self._trainer.model)

    def _rows(self, split: str) -> LabelledRows:
        return labelled_rows(self._encoded[split], self._trainer.model.num_labels, self._problem_type)

    def _held_out_logits(self) -> np.ndarray:
        return all_logits(self._trainer.predict(self._encoded["validation"]).predictions)

"""What a classifier gets after its training, from held-out texts: n-grams, a temperature, thresholds."""

from __future__ import annotations

import numpy as np
import torch
from datasets import DatasetDict

from ..modeling.configuration_base import MULTI_LABEL
from .calibrating import fit_temperature, fit_thresholds
from .calibration import sigmoid
from .metrics import all_logits
from .ngram_choice import LONGEST, MOST
from .ngram_part import LabelledRows, NgramOptions, NgramPart, fit_ngrams, labelled_rows
from .spelling import spelling_of
from .trainer import AttnLSTMTrainer


class Finisher:
    """Finishes the classifier of a training, in two steps: for measuring, and for saving.

    Args:
        trainer: The training that has ended, with a tokenizer as its `processing_class`.
        encoded: Its splits, as from [`encode_texts`], with "train" and "validation".
        problem_type: Of the texts, which have one label or several.
        longest, most: Tokens in the longest n-gram, and runs of tokens at most; 0 for no n-grams.
        calibrates: Whether a temperature is fitted.
        decides: Whether thresholds are fitted, where a text has several labels.

    Attributes:
        parts: After `learn`, the logits (texts, labels) of "lstm" and "ngrams", each by itself, on the held-out texts;
            empty without n-grams.

    Example:

    ```python
    >>> trainer.train()
    TrainOutput(...)
    >>> finisher = Finisher(trainer, encoded, "single_label_classification")
    >>> finisher.learn()
    >>> trainer.model.config.classifier_ngrams > 0
    True
    >>> finisher.learn_held_out()
    ```
    """

    def __init__(
        self,
        trainer: AttnLSTMTrainer,
        encoded: DatasetDict,
        problem_type: str,
        *,
        longest: int = LONGEST,
        most: int = MOST,
        calibrates: bool = True,
        decides: bool = True,
    ):
        self._trainer, self._encoded, self._problem_type = trainer, encoded, problem_type
        self._longest, self._most = longest, most
        self._calibrates, self._decides = calibrates, decides and problem_type == MULTI_LABEL
        # By name, the logits of the parts on the held-out texts, where there are several.
        self.parts: dict[str, np.ndarray] = {}
        # Of the training texts and of the held-out ones, and what was fitted to them.
        self._rows: tuple[LabelledRows, LabelledRows] | None = None
        self._part: NgramPart | None = None

    def learn(self) -> None:
        """Fit everything; what is fitted to the training texts has not seen the held-out ones."""
        model = self._trainer.model
        # Those that a loop of one's own has left in place would be weighed with the LSTM, and then be gone.
        model.set_ngrams(torch.empty(0, dtype=torch.long), self._longest)
        logits = self._held_out_logits()
        if self._most:
            train, held_out = self._rows = self._read("train"), self._read("validation")
            options = NgramOptions(
                self._problem_type,
                spelling_of(self._trainer.processing_class),
                longest=self._longest,
                most=self._most,
                class_weights=model.config.class_weights,
            )
            self._part = fit_ngrams(train, held_out, logits, options)
            self._part.scale_head(model)
            self._part.put_into(model)
            both = self._part.held_out_logits
            self.parts = {"lstm": logits, "ngrams": both - self._part.head_scale * logits}
            logits = both
        references = np.array(self._encoded["validation"]["labels"][:])
        if self._calibrates:
            model.config.calibration_temperature = fit_temperature(logits, references, self._problem_type)
        if self._decides:
            probabilities = sigmoid(logits / model.config.calibration_temperature)
            model.config.threshold = fit_thresholds(probabilities, references)

    def learn_held_out(self) -> None:
        """Let the n-grams learn from the held-out texts too, which have been measured; all else stays."""
        if self._part is not None:
            train, held_out = self._rows
            self._part.refitted(train.joined(held_out)).put_into(self._trainer.model)

    def _read(self, split: str) -> LabelledRows:
        return labelled_rows(self._encoded[split], self._trainer.model.num_labels, self._problem_type)

    def _held_out_logits(self) -> np.ndarray:
        return all_logits(self._trainer.predict(self._encoded["validation"]).predictions)

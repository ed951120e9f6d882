"""Any text classifier that `AutoModelForSequenceClassification` loads, as it is or fine-tuned."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence

import numpy as np
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    Trainer,
    TrainingArguments,
    pipeline,
    set_seed,
)
from transformers.trainer_callback import PrinterCallback

from hfattnlstm import AttnLSTMConfig
from hfattnlstm._places import loading_from
from hfattnlstm.commands.models import load_classifier, load_config
from hfattnlstm.data.problem_types import label_names_of
from hfattnlstm.modeling.configuration_base import MULTI_LABEL, SINGLE_LABEL

from ..problem import Problem
from . import Candidate, Prediction
from .ours import Ours
from .pipelines import label_places, predict


# What papers on BERT take.
LEARNING_RATE, EPOCHS, BATCH_SIZE, WARMUP, LONGEST = 3e-5, 3, 32, 0.1, 512


class _Classifier(Candidate):
    def predict(self, texts: Sequence[str]) -> Prediction:
        """Label texts."""
        return predict(self.classifier, texts, self.problem)

    def size(self) -> int:
        """Of the weights."""
        parameters = getattr(self.classifier.model, "parameters", tuple)
        return sum(parameter.nbytes for parameter in parameters()) or None


class AsItIs(_Classifier):
    """A classifier that learns nothing here.

    Args:
        problem, seed: As of every candidate.
        name: Folder or Hub name.

    Raises:
        NotAvailableError: It has other labels.
    """

    def __init__(self, problem: Problem, seed: int, name: str):
        super().__init__(problem, seed)
        config = load_config(name)
        label_places(label_names_of(config), problem)
        self.classifier = load_classifier(name, config)

    def fit(self, texts: Sequence[str], labels: np.ndarray) -> None:
        """Nothing to learn."""


class FineTuned(_Classifier):
    """A model with a new head, trained by the Trainer of transformers for three epochs at a rate of 3e-5.

    Args:
        problem, seed: As of every candidate.
        name: Folder or Hub name.
    """

    def __init__(self, problem: Problem, seed: int, name: str):
        super().__init__(problem, seed)
        names = dict(enumerate(problem.label_names))
        set_seed(seed)
        with loading_from(name) as place:
            self.model = AutoModelForSequenceClassification.from_pretrained(
                place,
                num_labels=len(names),
                id2label=names,
                label2id={label: number for number, label in names.items()},
                problem_type=MULTI_LABEL if problem.several else SINGLE_LABEL,
                ignore_mismatched_sizes=True,
            )
        with loading_from(name, "tokenizer") as place:
            self.tokenizer = AutoTokenizer.from_pretrained(place)
        self.tokenizer.model_max_length = min(self.tokenizer.model_max_length, LONGEST)

    def fit(self, texts: Sequence[str], labels: np.ndarray) -> None:
        """Train."""
        set_seed(self.seed)
        encoded = self.tokenizer(list(texts), truncation=True)
        targets = labels.astype(np.float32) if self.problem.several else labels
        rows = [
            {**{key: values[row] for key, values in encoded.items()}, "labels": target.tolist()}
            for row, target in enumerate(targets)
        ]
        with tempfile.TemporaryDirectory() as folder:
            trainer = Trainer(
                self.model,
                self._arguments(folder),
                train_dataset=rows,
                data_collator=DataCollatorWithPadding(self.tokenizer),
            )
            trainer.remove_callback(PrinterCallback)
            trainer.train()
        self.classifier = pipeline("text-classification", model=self.model.eval(), tokenizer=self.tokenizer)

    def _arguments(self, folder: str) -> TrainingArguments:
        return TrainingArguments(
            folder,
            learning_rate=LEARNING_RATE,
            num_train_epochs=EPOCHS,
            per_device_train_batch_size=BATCH_SIZE,
            warmup_steps=WARMUP,
            train_sampling_strategy="group_by_length",
            save_strategy="no",
            logging_strategy="no",
            report_to="none",
            disable_tqdm=True,
            dataloader_pin_memory=False,
            seed=self.seed,
        )


def fine_tuned(problem: Problem, seed: int, name: str) -> Candidate:
    """A model that goes on learning: one of ours by our command, any other by the Trainer."""
    with loading_from(name) as place:
        config = AutoConfig.from_pretrained(place)
    if config.model_type == AttnLSTMConfig.model_type:
        return Ours(problem, seed, ("--model_name_or_path", name))
    return FineTuned(problem, seed, name)

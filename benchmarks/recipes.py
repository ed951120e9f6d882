"""The models that `hfattnlstm train` makes, with a recipe or without, as large as they are after a training."""

from __future__ import annotations

import numpy as np
import torch
from transformers import PreTrainedTokenizerBase

from hfattnlstm import AttnLSTMConfig, AttnLSTMForSequenceClassification
from hfattnlstm.data.encoding import MAX_LENGTH
from hfattnlstm.training import parse_task
from hfattnlstm.training.classification_arguments import ModelArguments, config_overrides
from hfattnlstm.training.ngram_choice import choose_ngrams
from hfattnlstm.training.recipes import recipe_names
from hfattnlstm.training.starting_point import config_to_start_from

from .models import LABELS
from .workload import Workload


# About as many as have 400,000 different n-grams.
TEXTS = 5_000
DEFAULT = "default recipe"


def names() -> list[str | None]:
    """The default, which has no name, and the recipes that ship with the package."""
    return [None, *recipe_names()]


def title(name: str | None) -> str:
    """A recipe in a table.

    Example:

    ```python
    >>> title("fast"), title(None)
    ('recipe fast', 'default recipe')
    ```
    """
    return DEFAULT if name is None else f"recipe {name}"


def make(name: str | None, workload: Workload) -> tuple[AttnLSTMForSequenceClassification, PreTrainedTokenizerBase]:
    """Model and tokenizer of a recipe; the weights are random, the n-grams the most frequent ones of the texts.

    Args:
        name: Of the recipe; None for the default.
        workload: Where the texts come from.
    """
    flags = _flags(name)
    tokenizer = workload.tokenizer()
    tokenizer.model_max_length = flags.max_length or MAX_LENGTH
    model = AttnLSTMForSequenceClassification(
        AttnLSTMConfig(
            vocab_size=workload.vocab_size,
            num_labels=LABELS,
            problem_type="single_label_classification",
            **config_overrides(flags) | _sizes(flags),
        )
    )
    rows = workload.sample(TEXTS).ids
    if flags.embedding_ngrams:
        numbers = choose_ngrams(rows, flags.embedding_ngram_length, flags.embedding_ngrams, shortest=2)
        model.attnlstm.set_ngrams(torch.from_numpy(numbers), flags.embedding_ngram_length)
    if flags.classifier_ngrams:
        runs = choose_ngrams(rows, flags.classifier_ngram_length, flags.classifier_ngrams, shortest=2)
        numbers = np.concatenate([np.arange(1, workload.vocab_size + 1), runs])
        model.set_ngrams(torch.from_numpy(numbers), flags.classifier_ngram_length)
        model.ngrams.weight[1:].normal_()
    return model, tokenizer


def _sizes(flags: ModelArguments) -> dict[str, int]:
    """Those that the weights of a model to begin with have decided."""
    if flags.model_name_or_path is None:
        return {}
    begun = config_to_start_from(flags.model_name_or_path)
    return {"embedding_size": begun.embedding_size, "hidden_size": begun.hidden_size}


def _flags(name: str | None) -> ModelArguments:
    """The flags of the model, as the command reads them."""
    chosen = [] if name is None else ["--recipe", name]
    return parse_task(["--train_file", "texts.csv", *chosen]).model

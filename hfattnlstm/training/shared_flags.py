"""What the flags of several tasks mean beside each other: where the data come from, and the layers of a model."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence, Set
from typing import Any

from datasets import Dataset
from transformers.utils import logging

from ..data.columns import column_names
from ..modeling.configuration_attnlstm import AttnLSTMConfig
from ..modeling.configuration_pooled import SIZED_SCORES
from .context_arguments import CONTEXT_EFFECTS
from .flag_effects import Effect, beside, without


logger = logging.get_logger(__name__)

# Flags of the attention of the pooling.
POOLER_FLAGS = ("pooler_score", "pooler_size", "pooler_num_heads", "pooler_temperature", "pooler_normalizer")
# What drops something while a model for text is trained.
DROPOUT_FLAGS = (
    *("hidden_dropout_prob", "embedding_dropout", "locked_dropout", "word_dropout", "classifier_dropout"),
    *("char_dropout", "word_input_dropout"),
)
# What only a training on texts reads.
TRAINING_FLAGS = ("max_train_samples", *DROPOUT_FLAGS, "freeze_word_vectors")
# From a configuration, or flags of the same names.
LAYER_EFFECTS = (
    Effect(
        ("pooler_size",),
        lambda config: config.pooler_score in SIZED_SCORES,
        "with a --pooler_score that has no inner width: choose additive or diagonal_dot, or leave it out",
    ),
    Effect(("direction_merge",), lambda config: config.bidirectional, beside("--no_bidirectional")),
    Effect(
        ("hidden_dropout_prob",),
        lambda config: config.num_hidden_layers > 1 or config.context_layers,
        "with one layer, for it is between layers: add --num_hidden_layers 2 or --context_layers, or leave it out",
    ),
    *CONTEXT_EFFECTS,
    Effect(
        ("locked_dropout",),
        lambda config: config.embedding_dropout or (config.hidden_dropout_prob and config.num_hidden_layers > 1),
        without("--embedding_dropout or --hidden_dropout_prob"),
    ),
)
_FILES = ("train_file", "validation_file", "test_file")


def check_sources(data: Any) -> None:
    """Refuse anything but one source of examples.

    Args:
        data: The flags of the data, of which `dataset` is one.

    Raises:
        ValueError: Names the flags.
    """
    if (data.dataset is None) == (not any(getattr(data, name, None) for name in _FILES)):
        raise ValueError("Give either --dataset or --train_file.")
    if data.dataset is None and not data.train_file:
        raise ValueError("--validation_file and --test_file need --train_file beside them: add it.")


def check_measured(trains: bool, starts: bool) -> None:
    """Refuse to measure a model that does not exist yet.

    Args:
        trains: Whether the run trains.
        starts: Whether it begins with a model.

    Raises:
        ValueError: Names the flags.
    """
    if not (trains or starts):
        raise ValueError(
            "--do_train false needs --model_name_or_path: the random weights of a new model would be measured."
        )


def check_unchanged(name: str, given: Set[str], values: Mapping[str, Any], has: Mapping[str, Any]) -> None:
    """Refuse flags that contradict the checkpoint from which a training goes on.

    Args:
        name: Of the checkpoint.
        given: Names of the flags that somebody chose.
        values: Of the flags.
        has: What the checkpoint has in their place, for those that it decides.

    Raises:
        ValueError: Names the first such flag, and what the checkpoint has.
    """
    for flag in sorted(given & has.keys()):
        if values[flag] != has[flag]:
            raise ValueError(
                f"--{flag} contradicts the checkpoint {name}, which has {has[flag]}: leave it out, or begin anew "
                "without --resume_from_checkpoint."
            )


def columns_read(
    named: Sequence[str] | None, start: str | None, own: list[str] | None, rules: bool = True
) -> list[str] | None:
    """The columns of texts that are read together: those named, or those of the model that the run goes on from.

    Args:
        named: Those of `--text_column`.
        start: The model; None for a new one.
        own: Its `text_columns`.
        rules: Whether another number than its own is refused; it is told otherwise.

    Returns:
        The columns; None for single texts.

    Raises:
        ValueError: The model reads another number of texts, and rules.
    """
    names = column_names(named)
    if not names and own:
        return own
    if start is not None and len(own or [None]) != max(len(names), 1):
        reads = " and ".join(own) if own else "single texts"
        if rules:
            raise ValueError(
                f"--text_column {' '.join(names)} contradicts {start}, which reads {reads}: name as many."
            )
        logger.warning("%s was trained on %s, and goes on with %s.", start, reads, " and ".join(names))
    return names if len(names) > 1 else None


def tell_learnt(held_out: bool, trains: bool, what: str) -> None:
    """Warn where a model is only measured, on a part of what it may have learnt.

    Args:
        held_out: Whether what it is measured on was taken from the training examples.
        trains: Whether the run trains.
        what: The examples, such as "texts".
    """
    if held_out and not trains:
        logger.warning(
            "The validation %s are a part of those for training, and a model that was trained on these has "
            "learnt them: measure others, with --validation_file or --test_file.",
            what,
        )


def training_sample(train: Dataset, data: Any, what: str) -> Dataset:
    """The training examples, or some of them at random, where `--max_train_samples` says how many.

    Args:
        train: All of them.
        data: The flags of the data.
        what: The examples, such as "texts".

    Raises:
        ValueError: There are fewer.
    """
    count = data.max_train_samples
    if count is None:
        return train
    if count > len(train):
        raise ValueError(
            f"--max_train_samples {count} is more than the {len(train)} training {what}: make it smaller, or leave it "
            "out."
        )
    return train.shuffle(seed=data.split_seed).select(range(count))


def source_effects(data: Any, training: Any) -> tuple[Effect, ...]:
    """When the flags of the data have an effect that classifiers and taggers share."""
    return (
        Effect(("validation_size",), lambda _: data.validation_file is None, beside("--validation_file")),
        Effect(("validation_file",), lambda _: training.do_eval, beside("--do_eval false")),
        Effect(("test_file",), lambda _: training.do_predict, beside("--do_predict false")),
        Effect(("dataset_config",), lambda _: data.dataset is not None, without("--dataset")),
    )


def check_architecture(overrides: dict[str, Any]) -> None:
    """Refuse impossible sizes before anything is loaded, as the configuration will.

    Raises:
        ValueError: Names the flag.
    """
    try:
        AttnLSTMConfig(**overrides)
    except ValueError as error:
        # Its fields are called as the flags are.
        names = "|".join(sorted(overrides, key=len, reverse=True))
        raise ValueError(re.sub(rf"\b({names})\b", r"--\1", str(error))) from None

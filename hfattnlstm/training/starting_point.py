"""The checkpoint that a run goes on from: what it rules, and what the flags may change of it."""

from __future__ import annotations

import contextlib
import re
from typing import Any

import torch
from transformers import AutoConfig, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging

from .._places import loading_from
from ..data.problem_types import label_names_of
from ..data.progress import only_errors
from ..modeling.configuration_attnlstm import AttnLSTMConfig
from ..modeling.configuration_base import MULTI_LABEL, REGRESSION
from ..modeling.modeling_pretraining import AttnLSTMForPreTraining
from ..modeling.modeling_sequence_classification import AttnLSTMForSequenceClassification
from .classification_arguments import (
    AT_MOST_FLAGS,
    EMBEDDING_NGRAM_FLAGS,
    FINISHING_FLAGS,
    NEW_TOKENIZER_FLAGS,
    ModelArguments,
    config_overrides,
)
from .context_arguments import CONTEXT_FLAGS
from .metrics import ONE_HALF
from .shared_flags import DROPOUT_FLAGS
from .vocabulary import carry_over, same_tokens


logger = logging.get_logger(__name__)

# Flags of the model that need no other weights; all others that a checkpoint has decided are refused.
CHANGEABLE = frozenset(
    {
        *DROPOUT_FLAGS,
        *("truncation", "threshold", "pooler_temperature", "pooler_normalizer"),
        *("pooler_l2_coef", "pooler_entropy_coef", "pooler_diversity_coef"),
    }
)
# What a pretrained model has not decided, which has neither pooling nor labels, and may get more layers of both kinds.
HEAD = frozenset(
    {
        *("classifier_pooling", "pooler_score", "pooler_size", "pooler_num_heads", "classifier_hidden_size"),
        *("num_hidden_layers", "residual", *CONTEXT_FLAGS),
    }
)
# Flags that are not the model's, or that are seen to elsewhere beside a checkpoint.
OPEN = frozenset(
    {"model_name_or_path", "tokenizer_name", "max_length", "class_weights", "freeze_word_vectors", *FINISHING_FLAGS}
)
_OTHERS = OPEN | frozenset(NEW_TOKENIZER_FLAGS)
EMBEDDING_NGRAMS = frozenset(EMBEDDING_NGRAM_FLAGS)
_NO_NAME = re.compile(r"LABEL_\d+")


class StartingPoint:
    """A checkpoint to go on from.

    Args:
        name: The checkpoint.
        arguments: The flags of the model.
        given: The flags that somebody chose.
        trains: Whether there is a training: without, the checkpoint's labels and problem type rule.
        resumes: Whether the training of this very checkpoint goes on: then the flags may change nothing of it.
        label_smoothing: That of this run, where it was chosen.

    Raises:
        OSError: When there is no such checkpoint.
        ValueError: For a checkpoint of another kind, or a flag that it has decided already.

    Attributes:
        keeps_labels: Whether the model keeps its last layer; where it may be begun anew, after [`order`].
        config: The configuration that the run goes on with, but for its labels and class weights.
    """

    def __init__(
        self,
        name: str,
        arguments: ModelArguments,
        given: frozenset[str],
        *,
        trains: bool = True,
        resumes: bool = False,
        label_smoothing: float | None = None,
    ):
        self.name, self._resumes, self._tokenizer_name = name, resumes, arguments.tokenizer_name
        self.rules = resumes or not trains
        self.keeps_labels = self.rules
        self.config = config_to_start_from(self.name)
        self._check_kind()
        values = _values_of(arguments, self.config, resumes) | {"label_smoothing": label_smoothing}
        of_recipe = getattr(given, "of_recipe", frozenset())
        given = (given & set(vars(arguments))) - _OTHERS | (
            {"label_smoothing"} if label_smoothing is not None else set()
        )
        changeable = CHANGEABLE | {"label_smoothing"} | (HEAD | EMBEDDING_NGRAMS if self.is_pretrained else set())
        decided = [
            flag
            for flag in sorted(given if resumes else given - changeable)
            # Word vectors were read before the training began, and are no part of the configuration.
            if not (resumes and flag in ("word_vectors", "max_word_vectors"))
            and (flag not in values or values[flag] != getattr(self.config, flag))
        ]
        for flag in decided:
            # Where the run began with another model, that had decided what the recipe says.
            if flag not in of_recipe or (resumes and arguments.model_name_or_path is None):
                raise self._decided(flag)
        if decided:
            named = " and ".join(f"--{flag}" for flag in decided)
            logger.warning("--model_name_or_path has decided what the recipe says of %s: that is left out.", named)
        changed = (given & changeable) - EMBEDDING_NGRAMS
        if self.is_pretrained:
            # Of what its weights say nothing, the defaults hold that a new model has.
            changed |= CHANGEABLE | HEAD
        self._changes = {} if resumes else {flag: values[flag] for flag in changed}
        for flag, value in self._changes.items():
            setattr(self.config, flag, value)

    def _check_kind(self) -> None:
        if self.rules and not self._is_classifier():
            raise ValueError(
                f"--model_name_or_path {self.name} has no last layer for labels: train it first, then measure it."
            )

    def _decided(self, flag: str) -> ValueError:
        if self._resumes:
            shown = "label_smoothing_factor" if flag == "label_smoothing" else flag
            return ValueError(
                f"--{shown} contradicts the checkpoint {self.name}, which has {getattr(self.config, flag, None)}: "
                "leave it out, or begin anew without --resume_from_checkpoint."
            )
        return ValueError(
            f"--{flag} cannot be changed beside --model_name_or_path, whose weights have decided it: leave one of the "
            "two out."
        )

    @property
    def is_pretrained(self) -> bool:
        """Whether it is a language model, whose head is none of this task."""
        return AttnLSTMForPreTraining.__name__ in (self.config.architectures or ())

    def _is_classifier(self) -> bool:
        return AttnLSTMForSequenceClassification.__name__ in (self.config.architectures or ())

    @property
    def problem_type(self) -> str | None:
        """What the data must be, where the checkpoint rules."""
        return self.config.resolve_problem_type() if self.rules else None

    @property
    def label_names(self) -> list[str] | None:
        """The names that the data must use, where the checkpoint rules and has names."""
        own = self._own_labels()
        if not self.rules or self.problem_type == REGRESSION or all(map(_NO_NAME.fullmatch, own)):
            return None
        return own

    def order(self, names: list[str], problem_type: str) -> list[str]:
        """The labels in the order that the model's last layer has or gets; what is not kept as it is, is told.

        Args:
            names: Those of the data, in its order; none in a regression.
            problem_type: That of the data.

        Raises:
            ValueError: When the checkpoint rules, and has no place for these labels.
        """
        own = self._own_labels()
        if own is None or (self.label_names is not None and names == own):
            return names
        nameless = len(own) == len(names) and all(map(_NO_NAME.fullmatch, own))
        if not names or len(own) == 1:
            self.keeps_labels = len(own) == max(len(names), 1)
        elif set(names) <= set(own):
            self.keeps_labels, names = True, own
        else:
            self.keeps_labels = nameless
            if nameless:
                logger.warning("%s has no names for its labels: they are taken for %s.", self.name, ", ".join(names))
        if not self.keeps_labels:
            self._begin_last_layer(own, names)
        elif self.config.problem_type not in (None, problem_type):
            logger.warning("%s was trained for %s, not %s.", self.name, self.config.problem_type, problem_type)
        return names

    def _begin_last_layer(self, own: list[str], names: list[str]) -> None:
        found = f"{self.name} has the labels {', '.join(own)}, and the data {', '.join(names) or 'numbers'}"
        if self.rules:
            raise ValueError(f"{found}: give data with its labels, or train it on these first.")
        logger.warning("%s: its last layer is begun anew.", found)

    def _own_labels(self) -> list[str] | None:
        """The labels of the last layer in its order; None where there is no such layer."""
        if not self._is_classifier():
            return None
        return label_names_of(self.config)

    def load(
        self, tokenizer: PreTrainedTokenizerBase, labels: dict[str, Any], class_weights: list[float] | None
    ) -> PreTrainedModel:
        """The model, with what the flags change.

        Args:
            tokenizer: What reads the texts for it.
            labels: Fields of the configuration that say which labels there are.
            class_weights: Those of this run; the checkpoint's own, where it keeps its labels, when it is None.

        Raises:
            OSError: There are no weights.
            ValueError: For a tokenizer with more tokens than the embedding has rows, or a new one where the checkpoint
                has none, and for weights that are damaged or, where the checkpoint rules, incomplete.
        """
        if class_weights is None and self.keeps_labels:
            class_weights = self.config.class_weights
        fields = {"class_weights": class_weights} | self._changes | self._left_behind(labels["problem_type"])
        with loading_from(self.name) as place:
            config = AutoConfig.from_pretrained(place, **fields, **labels)
        own = self._other_tokenizer(tokenizer)
        if own is None and len(tokenizer) > config.vocab_size:
            raise ValueError(
                f"The tokenizer has {len(tokenizer)} tokens, but the model's embedding has {config.vocab_size} rows: "
                "leave out --tokenizer_name, or give the tokenizer that belongs to the model."
            )
        # Of a language model, pooling and last layer are new, as everybody knows who begins with one.
        quiet = only_errors() if self.is_pretrained else contextlib.nullcontext()
        with loading_from(self.name) as place, quiet:
            # With other labels, all but the last layer is kept. Small steps are lost on weights in half precision.
            model = AttnLSTMForSequenceClassification.from_pretrained(
                place, config=config, dtype=torch.float32, ignore_mismatched_sizes=not self.keeps_labels
            )
        if self.rules:
            model.check_trained()
        elif model.ngrams is not None:
            # They may have learnt the texts that are held out, and are fitted anew when the training ends.
            model.set_ngrams(torch.empty(0, dtype=torch.long), config.classifier_ngram_length)
        if own is not None:
            known, total = carry_over(model, own, tokenizer)
            logger.warning(
                "Of the %s tokens of the new vocabulary, %s are known to %s and keep their embeddings.",
                *(f"{total:,}", f"{known:,}", self.name),
            )
        return model

    def _other_tokenizer(self, tokenizer: PreTrainedTokenizerBase) -> PreTrainedTokenizerBase | None:
        """The checkpoint's own tokenizer, where it has one with other tokens."""
        try:
            with loading_from(self.name, "tokenizer") as place:
                own = AutoTokenizer.from_pretrained(place)
        except FileNotFoundError:
            if self._tokenizer_name is None:
                raise ValueError(
                    f"{self.name} has no tokenizer, so that nobody knows to which words its embeddings belong: name "
                    "the one that it was trained with, with --tokenizer_name."
                ) from None
            logger.warning("%s has no tokenizer: %s is taken for its own.", self.name, self._tokenizer_name)
            return None
        if same_tokens(own, tokenizer):
            return None
        if self.rules:
            raise ValueError(
                f"The tokenizer has other tokens than that of {self.name}, which would be measured on the wrong "
                "words: leave out --tokenizer_name."
            )
        return own

    def _left_behind(self, problem_type: str) -> dict[str, Any]:
        """What has no meaning for another problem, for other labels, or once the weights have changed."""
        left: dict[str, Any] = {}
        if problem_type != MULTI_LABEL or (isinstance(self.config.threshold, list) and not self.keeps_labels):
            left["threshold"] = ONE_HALF
        if not self.rules:
            # It was fitted to the logits of these weights.
            left["calibration_temperature"] = 1.0
        if problem_type == REGRESSION:
            left |= {"label_smoothing": 0.0, "class_weights": None}
        return {name: value for name, value in left.items() if getattr(self.config, name) != value}


def _values_of(arguments: ModelArguments, config: AttnLSTMConfig, resumes: bool) -> dict[str, Any]:
    """The flags as fields of a configuration; a number at most is that of the checkpoint, where it has no more.

    Where no training is resumed, a model that has none of something gets none.
    """
    values = config_overrides(arguments)
    values |= {flag: getattr(arguments, flag) for flag in EMBEDDING_NGRAM_FLAGS}
    for flag in AT_MOST_FLAGS:
        most, own = getattr(arguments, flag), getattr(config, flag)
        values[flag] = own if most is None or (most >= own and (own or resumes)) else most
    return values


def config_to_start_from(name: str, config_class: type = AttnLSTMConfig, model_class: type | None = None) -> Any:
    """The configuration of a checkpoint of this package.

    Args:
        name: Of the checkpoint.
        config_class: Of its models.
        model_class: What it is; whatever its head, when it is None.

    Raises:
        OSError: There is no such checkpoint.
        ValueError: It is damaged, or of another type.

    Example:

    ```python
    >>> config_to_start_from("my-model").model_type
    'attnlstm'
    ```
    """
    with loading_from(name) as place:
        config = AutoConfig.from_pretrained(place)
    if config.model_type != config_class.model_type:
        raise ValueError(
            f"--model_name_or_path {name} is a model of the type {config.model_type!r}: name one of the type "
            f"{config_class.model_type!r}."
        )
    found = config.architectures or ()
    if model_class is not None and model_class.__name__ not in found:
        raise ValueError(
            f"--model_name_or_path {name} is an {next(iter(found), 'unknown model')}: name an {model_class.__name__}."
        )
    return config

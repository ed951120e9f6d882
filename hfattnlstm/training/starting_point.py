"""The checkpoint that a run goes on from: what it rules, and what the flags may change of it."""

from __future__ import annotations

import re
from typing import Any

from transformers import AutoConfig, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging

from ..modeling.configuration_attnlstm import AttnLSTMConfig
from ..modeling.modeling_sequence_classification import AttnLSTMForSequenceClassification
from .classification_arguments import NEW_TOKENIZER_FLAGS, ModelArguments, config_overrides


logger = logging.get_logger(__name__)

# Flags of the model that need no other weights; all others that a checkpoint has decided are refused.
CHANGEABLE = frozenset(
    {
        *("hidden_dropout_prob", "embedding_dropout", "locked_dropout", "word_dropout", "classifier_dropout"),
        *("truncation", "pooler_temperature", "pooler_normalizer"),
        *("pooler_l2_coef", "pooler_entropy_coef", "pooler_diversity_coef"),
    }
)
# Flags that are not the model's, or are seen to elsewhere.
_OTHERS = frozenset({"model_name_or_path", "tokenizer_name", "max_length", "class_weights", *NEW_TOKENIZER_FLAGS})
_NO_NAME = re.compile(r"LABEL_\d+")


class StartingPoint:
    """A checkpoint to go on from.

    Args:
        arguments: The flags of the model; `model_name_or_path` names the checkpoint.
        given: The flags that somebody chose.

    Raises:
        OSError: When there is no such checkpoint.
        ValueError: For a checkpoint of another kind, or a flag that it has decided already.

    Attributes:
        keeps_labels: After [`order`], whether the model keeps its last layer.
    """

    def __init__(self, arguments: ModelArguments, given: frozenset[str]):
        self.name = arguments.model_name_or_path
        self.keeps_labels = False
        self._config = AutoConfig.from_pretrained(self.name)
        if self._config.model_type != AttnLSTMConfig.model_type:
            raise ValueError(
                f"--model_name_or_path {self.name} is a model of the type {self._config.model_type!r}: name one of "
                f"the type {AttnLSTMConfig.model_type!r}."
            )
        values = config_overrides(arguments)
        for flag in sorted(given & set(vars(arguments)) - CHANGEABLE - _OTHERS):
            if flag not in values or values[flag] != getattr(self._config, flag):
                raise ValueError(
                    f"--{flag} cannot be changed beside --model_name_or_path, whose weights have decided it: leave "
                    "one of the two out."
                )
        self._changes = {name: values[name] for name in given & CHANGEABLE}

    def order(self, names: list[str], problem_type: str) -> list[str]:
        """The labels in the order that the model's last layer has or gets; what is not kept as it is, is told.

        Args:
            names: Those of the data, in its order; none in a regression.
            problem_type: That of the data.
        """
        own = self._own_labels()
        if own is None:
            return names
        if not names or len(own) == 1:
            self.keeps_labels = len(own) == max(len(names), 1)
        elif set(names) <= set(own):
            self.keeps_labels, names = True, own
        elif len(own) == len(names) and all(map(_NO_NAME.fullmatch, own)):
            logger.warning("%s has no names for its labels: they are taken for %s.", self.name, ", ".join(names))
            self.keeps_labels = True
        if not self.keeps_labels:
            logger.warning(
                "%s has the labels %s, and the data %s: its last layer is begun anew.",
                self.name,
                ", ".join(own),
                ", ".join(names) or "numbers",
            )
        elif self._config.problem_type not in (None, problem_type):
            logger.warning("%s was trained for %s, not %s.", self.name, self._config.problem_type, problem_type)
        return names

    def _own_labels(self) -> list[str] | None:
        """The labels of the last layer in its order; None where there is no such layer."""
        if AttnLSTMForSequenceClassification.__name__ not in (self._config.architectures or ()):
            return None
        return [self._config.id2label[index] for index in range(self._config.num_labels)]

    def load(
        self, tokenizer: PreTrainedTokenizerBase, labels: dict[str, Any], class_weights: list[float] | None
    ) -> PreTrainedModel:
        """The model, with what the flags change.

        Args:
            tokenizer: What reads the texts for it.
            labels: Fields of the configuration that say which labels there are.
            class_weights: Those of this run; the checkpoint's own, where it keeps its labels, when it is None.

        Raises:
            ValueError: For a tokenizer with more tokens than the embedding has rows.
        """
        if class_weights is None and self.keeps_labels:
            class_weights = self._config.class_weights
        config = AutoConfig.from_pretrained(self.name, class_weights=class_weights, **labels, **self._changes)
        if len(tokenizer) > config.vocab_size:
            raise ValueError(
                f"The tokenizer has {len(tokenizer)} tokens, but the model's embedding has {config.vocab_size} rows: "
                "leave out --tokenizer_name, or give the tokenizer that belongs to the model."
            )
        # With other labels, all but the last layer is kept.
        return AttnLSTMForSequenceClassification.from_pretrained(
            self.name, config=config, ignore_mismatched_sizes=not self.keeps_labels
        )

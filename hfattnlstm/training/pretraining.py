"""Pretraining of a language model on texts without labels, as a task."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from datasets import DatasetDict
from transformers import AutoTokenizer, EvalPrediction, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging

from .._places import loading_from
from .._wording import flags_in_sentences
from ..data.batching import PaddingCollator
from ..data.corpus import WindowMaker, Windows, hold_out_texts, load_corpus
from ..data.encoding import tell_unknown_shares
from ..data.tokenization import train_tokenizer
from ..modeling.configuration_attnlstm import AttnLSTMConfig
from ..modeling.losses import IGNORED
from ..modeling.modeling_pretraining import AttnLSTMForPreTraining
from ..modeling.text_inputs import NO_MAX_LENGTH
from .callbacks import TokenRate
from .classification_flags import tokenizer_contradiction
from .faithful_attention import LOSS_TERMS
from .flag_effects import Effect, beside, check_effects, without
from .pretraining_arguments import (
    CorpusArguments,
    LanguageModelArguments,
    PretrainingArguments,
    language_model_fields,
)
from .pretraining_card import pretraining_card
from .shared_flags import check_measured
from .starting_point import config_to_start_from
from .task import CardParts, Task


logger = logging.get_logger(__name__)

# What a checkpoint to go on from has decided, but for what it does not need to have.
_NEW_TOKENIZER = ("tokenizer_kind", "vocab_size", "lowercase", "max_length")
_CHANGEABLE = ("embedding_dropout", "locked_dropout", "word_dropout", "classifier_dropout", "num_sampled_tokens")
# Fields of a classifier that a language model has no use for, at their defaults.
_OF_OTHER_HEADS = {
    "label_smoothing": 0.0,
    "class_weights": None,
    "threshold": 0.5,
    "calibration_temperature": 1.0,
    "classifier_ngrams": 0,
    "classifier_ngram_length": AttnLSTMConfig.classifier_ngram_length,
}
# What is for labels, or a test split.
_MEANINGLESS = (
    *LOSS_TERMS,
    *("label_smoothing_factor", "do_predict"),
    # The embeddings are predicted, too.
    "neftune_noise_alpha",
)
_DIRECTIONS = ("forward", "backward")


class PretrainingTask(Task):
    """A language model of both directions over texts without labels; see [`AttnLSTMForPreTraining`].

    Example:

    ```python
    >>> run = run_task(parse_task(["--task", "pretraining", "--train_file", "reviews.csv", "--output_dir", "base"]))
    >>> run.metrics["eval_perplexity"]
    13.118670308077002
    ```
    """

    name = "pretraining"
    command_name = "pretrain"
    data_arguments = CorpusArguments
    model_arguments = LanguageModelArguments
    training_arguments = PretrainingArguments
    meaningless = frozenset(_MEANINGLESS)
    examples = (
        "--train_file texts.txt more.jsonl.gz --output_dir my-base",
        "--dataset stanfordnlp/imdb --splits train unsupervised --epochs 4 --output_dir my-base",
        "--model_name_or_path my-base --train_file texts.txt --output_dir my-other-base",
    )

    data: CorpusArguments
    model: LanguageModelArguments
    windows: Windows
    # That of the tokenizer, where one is trained.
    trained_kind: str | None = None
    _maker: WindowMaker | None = None

    def check(self) -> None:
        """Refuse flags that do not fit together, or have no effect."""
        data, model = self.data, self.model
        if (data.dataset is None) == (not data.train_file):
            raise ValueError("Give either --dataset or --train_file.")
        check_effects(_effects(data, model, self.training), self.given, None)
        check_measured(
            self.training.do_train, starts=self.checkpoint is not None or model.model_name_or_path is not None
        )
        AttnLSTMConfig(**language_model_fields(model))

    def sources(self) -> list[str]:
        """Files, data set, model and tokenizer."""
        data, model = self.data, self.model
        named = (data.dataset, *(data.train_file or ()), data.validation_file, model.model_name_or_path)
        return [name for name in (*named, model.tokenizer_name) if name is not None]

    def load(self) -> DatasetDict:
        """The texts, some of them held out."""
        data = self.data
        with flags_in_sentences():
            sources = data.train_file or [data.dataset]
            texts = load_corpus(
                sources, data.text_column, dataset_config=data.dataset_config, splits=tuple(data.splits)
            )
            if data.validation_file is None:
                if not self.training.do_train:
                    logger.warning(
                        "The texts that are measured are a part of those named, which the model may have learnt: "
                        "--validation_file names others."
                    )
                return hold_out_texts(texts, data.validation_size, data.split_seed)
            return DatasetDict(train=texts, validation=load_corpus([data.validation_file], data.text_column))

    def make_processor(self, examples: DatasetDict) -> PreTrainedTokenizerBase:
        """The tokenizer: loaded, or trained on the texts for training."""
        model = self.model
        name = self._loaded_from() if self._loaded_from() is not None else model.tokenizer_name
        if name is None:
            logger.info("Training the tokenizer.")
            self.trained_kind = model.tokenizer_kind
            return train_tokenizer(
                examples["train"]["text"],
                kind=model.tokenizer_kind,
                vocab_size=model.vocab_size,
                lowercase=model.lowercase,
                model_max_length=model.max_length,
            )
        with loading_from(name, "tokenizer") as place:
            tokenizer = AutoTokenizer.from_pretrained(place)
        if tokenizer.model_max_length > NO_MAX_LENGTH:
            tokenizer.model_max_length = model.max_length
        return tokenizer

    def make_model(self, examples: DatasetDict, processor: PreTrainedTokenizerBase) -> PreTrainedModel:
        """A new model, or the one to go on from."""
        self._maker = WindowMaker(processor, self.model.block_size)
        self.windows = self._maker(examples)
        name = self._loaded_from()
        if name is not None:
            return self._loaded_model(name, processor)
        model = AttnLSTMForPreTraining(
            AttnLSTMConfig(
                vocab_size=len(processor), pad_token_id=processor.pad_token_id, **language_model_fields(self.model)
            )
        )
        model.set_token_counts(torch.from_numpy(self.windows.counts))
        return model

    def _loaded_model(self, name: str, processor: PreTrainedTokenizerBase) -> PreTrainedModel:
        config = config_to_start_from(name)
        self._check_resumed(name, config, processor)
        if len(processor) > config.vocab_size:
            raise ValueError(
                f"The tokenizer of {name} has {len(processor)} tokens, but its embedding {config.vocab_size} rows: "
                "name a model with the tokenizer that it was trained with."
            )
        changes = {flag: getattr(self.model, flag) for flag in _CHANGEABLE if flag in self.given}
        with loading_from(name) as place:
            # Small steps are lost on weights in half precision.
            model = AttnLSTMForPreTraining.from_pretrained(place, dtype=torch.float32, **_OF_OTHER_HEADS, **changes)
        if model.started_anew and not self.training.do_train:
            model.check_trained()
        if "lm_head.bias" in model.started_anew:
            logger.warning("%s is no language model: what predicts tokens is begun anew.", name)
            counts = torch.zeros(model.config.vocab_size, dtype=torch.long)
            counts[: len(processor)] = torch.from_numpy(self.windows.counts)
            model.set_token_counts(counts)
        return model

    def _check_resumed(self, name: str, config: AttnLSTMConfig, processor: PreTrainedTokenizerBase) -> None:
        """Refuse flags that contradict the training that goes on."""
        if self.checkpoint is None:
            return
        fields = language_model_fields(self.model)
        wrong = [(flag, getattr(config, flag)) for flag in sorted(fields) if fields[flag] != getattr(config, flag)]
        wrong = [(flag, has) for flag, has in wrong if flag in self.given]
        of_tokenizer = tokenizer_contradiction(self.model, self.given, processor)
        if wrong or of_tokenizer:
            flag, has = wrong[0] if wrong else of_tokenizer
            raise ValueError(
                f"--{flag} contradicts the checkpoint {name}, which has {has}: leave it out, or begin anew without "
                "--resume_from_checkpoint."
            )

    def encode(self, examples: DatasetDict, processor: PreTrainedTokenizerBase, model: PreTrainedModel) -> DatasetDict:
        """Windows of tokens, which lie on the disk."""
        if processor.unk_token_id is not None:
            unknown = int(self.windows.counts[processor.unk_token_id]) / max(self.windows.tokens["train"], 1)
            tell_unknown_shares({"train": unknown}, is_new=self.trained_kind is not None)
        return self.windows.splits

    def callbacks(self) -> list[TokenRate]:
        """The one that tells how many tokens are read in a second."""
        tokens = self.windows.tokens["train"]
        return [TokenRate(tokens / len(self.windows.splits["train"]))]

    def make_collator(self, processor: PreTrainedTokenizerBase, model: PreTrainedModel) -> Callable[[list], dict]:
        """Windows as ids and labels; a mask only where one is shorter than the others."""
        return LanguageModelCollator(PaddingCollator(processor.pad_token_id, model.config.model_input_names))

    def make_scorer(self) -> Callable[[EvalPrediction], dict[str, float]]:
        """Perplexities, of the full softmax."""
        return perplexities

    def best_metric(self) -> tuple[str, bool]:
        """Perplexity, of which less is better."""
        return "perplexity", False

    def metric_directions(self) -> dict[str, bool]:
        """Perplexities and loss."""
        names = ["perplexity", *(f"{name}_perplexity" for name in _DIRECTIONS)]
        return dict.fromkeys(names if self.model.bidirectional else names[:2], False) | {"loss": False}

    def card_parts(
        self, examples: DatasetDict, processor: PreTrainedTokenizerBase, model: PreTrainedModel
    ) -> CardParts:
        """Texts, tokens and sizes."""
        return pretraining_card(self, examples, processor, model.config)


class LanguageModelCollator:
    """Batches of windows, whose labels are the tokens themselves.

    Args:
        collate: Makes ids and mask of rows.

    Example:

    ```python
    >>> collate = LanguageModelCollator(PaddingCollator(0, ("input_ids", "attention_mask")))
    >>> collate([{"input_ids": [7, 8]}, {"input_ids": [9]}])
    {'input_ids': tensor([[7, 8],
            [9, 0]]), 'attention_mask': tensor([[ True,  True],
            [ True, False]]), 'labels': tensor([[   7,    8],
            [   9, -100]])}
    ```
    """

    def __init__(self, collate: PaddingCollator):
        self._collate = collate

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """Rows with `input_ids`."""
        batch = self._collate(rows)
        ids, mask = (batch[name] for name in self._collate.input_names)
        if mask.all():
            # The model then knows without looking that all tokens are real.
            return {self._collate.input_names[0]: ids, "labels": ids}
        return {**batch, "labels": ids.masked_fill(~mask, IGNORED)}


def perplexities(prediction: EvalPrediction) -> dict[str, float]:
    """The perplexity of each direction, and that of their mean loss.

    Args:
        prediction: `cross_entropies` (texts, directions) of [`AttnLSTMForPreTraining`], and labels.

    Example:

    ```python
    >>> perplexities(EvalPrediction(np.array([[1.5, 3.0]]), np.array([[4, 5, 6]])))
    {'perplexity': 3.08..., 'forward_perplexity': 2.117..., 'backward_perplexity': 4.481...}
    ```
    """
    summed = np.asarray(prediction.predictions, np.float64).sum(0)
    labels = np.asarray(prediction.label_ids)
    # The first token of a window is predicted by one direction, and the last one by the other.
    predicted = (labels[:, 1:] != IGNORED).sum()
    losses = summed / max(int(predicted), 1)
    # Where a training has come to nothing, it is infinite.
    with np.errstate(over="ignore"):
        each = {f"{name}_perplexity": float(np.exp(loss)) for name, loss in zip(_DIRECTIONS, losses)}
        return {"perplexity": float(np.exp(losses.mean())), **each}


def _effects(
    data: CorpusArguments, model: LanguageModelArguments, training: PretrainingArguments
) -> tuple[Effect, ...]:
    architecture = sorted({*language_model_fields(model)} - {*_CHANGEABLE})
    loaded = "model_name_or_path" if model.model_name_or_path is not None else "tokenizer_name"
    return (
        Effect(("dataset_config", "splits"), lambda _: data.dataset is not None, without("--dataset")),
        Effect(("validation_size", "split_seed"), lambda _: data.validation_file is None, beside("--validation_file")),
        Effect(_MEANINGLESS, lambda _: False, "in this task: leave it out"),
        Effect(
            (*architecture, "tokenizer_name"),
            lambda _: model.model_name_or_path is None,
            beside("--model_name_or_path, whose weights have decided it"),
        ),
        Effect(
            _NEW_TOKENIZER,
            lambda _: model.model_name_or_path is None and model.tokenizer_name is None,
            beside(f"--{loaded}, which loads a tokenizer"),
        ),
        Effect(("direction_merge",), lambda _: model.bidirectional, beside("--no_bidirectional")),
        Effect(
            _CHANGEABLE,
            lambda _: training.do_train,
            beside("--do_train false, which only measures"),
        ),
        Effect(("locked_dropout",), lambda _: model.embedding_dropout, without("--embedding_dropout")),
    )

"""Tagging of words, such as named entities or parts of speech, as a task."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset, DatasetDict
from torch import Tensor
from transformers import AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging

from .._places import loading_from
from .._released import released_models
from .._wording import flags_in_sentences
from ..data.batching import SequenceCollator
from ..data.tag_rows import encode_tags, joined_rows
from ..data.tagged_texts import TaggedTexts, load_tagged_texts
from ..data.tokenization import train_tokenizer
from ..data.vector_tables import known_share
from ..data.word_splitting import count_words
from ..data.word_tokenizer import is_open, train_word_tokenizer
from ..modeling.configuration_attnlstm import AttnLSTMConfig
from ..modeling.losses import IGNORED
from ..modeling.modeling_token_classification import AttnLSTMForTokenClassification
from ..modeling.text_inputs import pad_ids
from ..modeling.word_tokens import WordEncoder
from .classification_tokenizer import load_tokenizer, tokenizer_of_checkpoint
from .flag_effects import check_effects
from .shared_flags import DROPOUT_FLAGS, tell_learnt, training_sample
from .tagger_start import begin_with, load_base
from .tagging_arguments import TaggedDataArguments, TaggerArguments, TaggingArguments, tagger_fields
from .tagging_card import describe_tags, tagging_card
from .tagging_evaluation import TagEvaluation, evaluate_tags
from .tagging_flags import MEANINGLESS, check_tagger, config_of_start, sources_of
from .tagging_metrics import TagScorer
from .tagging_summary import TagSummary, summarize_tags
from .task import CardParts, Measured, Task
from .trainer import AttnLSTMTrainer
from .word_inputs import freeze_vectors, give_word_tables, input_effects, read_word_tables


logger = logging.get_logger(__name__)

# Tokens that are read at once, where nobody says otherwise.
MAX_LENGTH = 512
# Whose vectors are read where nobody says otherwise, for sentences of so many different words, of which so many
# running ones are known: of other languages, a tenth to a third is.
ENGLISH_VECTORS = "attnlstm-base-reviews"
LEAST_WORDS, LEAST_KNOWN = 1_000, 0.7


class TaggingTask(Task):
    """Words with a tag each; see [`AttnLSTMForTokenClassification`].

    Example:

    ```python
    >>> run = run_task(parse_task(["--task", "tagging", "--train_file", "train.conll", "--max_steps", "5"]))
    >>> run.metrics["eval_f1"]
    0.9
    ```
    """

    name = "tagging"
    data_arguments = TaggedDataArguments
    model_arguments = TaggerArguments
    training_arguments = TaggingArguments
    meaningless = frozenset(MEANINGLESS)
    test_split = "a test split with tags: name one with --test_file"
    examples = (
        "--task tagging --train_file train.conll --test_file test.conll --output_dir tagger",
        "--task tagging --dataset eriktks/conll2003 --word_vectors glove.6B.100d.txt --output_dir ner",
        "--task tagging --dataset my-treebank --label_column upos --output_dir pos",
    )

    data: TaggedDataArguments
    model: TaggerArguments
    training: TaggingArguments
    loaded: TaggedTexts
    label_names: list[str]
    # Files and models whose vectors a new tagger reads.
    vectors: Sequence[str] = ()
    _start_config: AttnLSTMConfig | None = None

    def check(self) -> None:
        """Refuse flags that do not fit together; a test file that is named is measured."""
        if self.data.test_file is not None and "do_predict" not in self.given:
            self.training.do_predict = True
        check_tagger(self.data, self.model, self.training, self.given)

    def sources(self) -> list[str]:
        """Files, data set, vectors and model."""
        return sources_of(self.data, self.model)

    def load(self) -> DatasetDict:
        """The sentences, some of them held out, with tags in the order of the model that the run goes on from."""
        data = self.data
        self._start_config = config_of_start(self._loaded_from(), self.model, self.given, self.checkpoint is not None)
        start = self._start_config
        files = {"train": data.train_file, "validation": data.validation_file, "test": data.test_file}
        with flags_in_sentences():
            self.loaded = load_tagged_texts(
                data.dataset or {name: path for name, path in files.items() if path is not None},
                tokens_column=data.tokens_column,
                label_column=data.label_column,
                tagging_scheme=data.tagging_scheme,
                to_scheme=self.model.crf_scheme if start is None else start.tagging_scheme or "bio",
                config_name=data.dataset_config,
                validation_size=data.validation_size,
                seed=data.split_seed,
                tag_names=data.tag_names,
            )
        splits = self.loaded.splits
        if self.loaded.tagging_scheme is None and "crf_scheme" in self.given:
            raise ValueError(
                "--crf_scheme has no effect with tags of single words, which mark no spans: leave it out."
            )
        tell_learnt(self.loaded.held_out, self.training.do_train, "sentences")
        self.label_names = splits["train"].features["tags"].feature.names
        if start is not None:
            splits = self._in_order_of(start, splits)
        elif self.training.do_train:
            _check_learnable(splits["train"], self.label_names)
        splits["train"] = training_sample(splits["train"], data, "sentences")
        return splits

    def _in_order_of(self, start: AttnLSTMConfig, splits: DatasetDict) -> DatasetDict:
        """The tags numbered as the model numbers them, which must have them all."""
        own = [start.id2label[number] for number in range(start.num_labels)]
        unknown = [name for name in self.label_names if name not in own]
        if unknown:
            raise ValueError(
                f"--model_name_or_path {self._loaded_from()} has not the tag {unknown[0]!r} of the data: train a new "
                "model, or give data with its tags."
            )
        numbers = np.array([own.index(name) for name in self.label_names])
        feature = type(splits["train"].features["tags"].feature)(names=own)
        self.label_names = own
        return DatasetDict({name: _renumbered(split, numbers, feature) for name, split in splits.items()})

    def make_processor(self, examples: DatasetDict) -> PreTrainedTokenizerBase:
        """The tokenizer: that of the tagger, or one that is trained on the words for training."""
        if self.checkpoint is not None:
            return tokenizer_of_checkpoint(self.checkpoint, self.model, self.given)
        if self._start_config is not None:
            with loading_from(self._loaded_from(), "tokenizer") as place:
                return AutoTokenizer.from_pretrained(place)
        flags, sentences = self.model, examples["train"]["tokens"]
        if flags.tokenizer_name is not None:
            return load_tokenizer(flags.tokenizer_name, flags.max_length)
        options: dict[str, Any] = {
            "vocab_size": flags.vocab_size,
            "lowercase": flags.lowercase,
            "model_max_length": flags.max_length or MAX_LENGTH,
        }
        if flags.tokenizer_kind == "open":
            return train_word_tokenizer(sentences, **options)
        return train_tokenizer((" ".join(words) for words in sentences), kind=flags.tokenizer_kind, **options)

    def make_model(self, examples: DatasetDict, processor: PreTrainedTokenizerBase) -> PreTrainedModel:
        """A new model, perhaps with the weights of a pretrained one, or the tagger to go on from."""
        if self._start_config is not None:
            with loading_from(self._loaded_from()) as place:
                changes = {flag: getattr(self.model, flag) for flag in DROPOUT_FLAGS if flag in self.given}
                model = AttnLSTMForTokenClassification.from_pretrained(place, dtype=torch.float32, **changes)
            if not self.training.do_train:
                model.check_trained()
        else:
            model = self._new_model(processor)
        if self.model.freeze_word_vectors:
            freeze_vectors(model.attnlstm)
        return model

    def _new_model(self, processor: PreTrainedTokenizerBase) -> AttnLSTMForTokenClassification:
        flags, name = self.model, self._loaded_from()
        base = None if name is None else load_base(name)
        own = self._unnamed_vectors(name)
        if own is not None:
            flags = replace(flags, word_vectors=[own])
        check_effects(input_effects(flags.token_inputs), self.given, None)
        self.vectors = flags.word_vectors if flags.reads_vectors else ()
        tables = read_word_tables(flags, processor, by_words=True)
        fields = tagger_fields(flags) | tables.fields
        if base is not None:
            fields |= base.shape(fields.get("input_merge"))
        scheme = self.loaded.tagging_scheme
        config = AttnLSTMConfig(
            vocab_size=len(processor),
            pad_token_id=processor.pad_token_id,
            id2label=dict(enumerate(self.label_names)),
            use_crf=scheme is not None if flags.use_crf is None else flags.use_crf,
            tagging_scheme=scheme,
            label_smoothing=self.training.label_smoothing_factor if "label_smoothing_factor" in self.given else 0.0,
            **fields,
        )
        model = AttnLSTMForTokenClassification(config)
        give_word_tables(model.attnlstm, tables)
        if base is not None:
            begin_with(model.attnlstm, base, processor, tables.vectors[0].scale if own is not None else None)
        return model

    def _unnamed_vectors(self, base: str | None) -> str | None:
        """The model whose vectors a new tagger reads where nobody names any: of words that are no tokens, it knows
        many."""
        if self.model.word_vectors is not None:
            return None
        if base is not None:
            return base
        return ENGLISH_VECTORS if self._are_english() else None

    def _are_english(self) -> bool:
        """Whether the words are those of the released model, whose vectors are then read, too; this is told."""
        words = count_words(self.loaded.splits["train"]["tokens"])
        folder = released_models().get(ENGLISH_VECTORS)
        if folder is None or len(words) < LEAST_WORDS:
            return False
        share = known_share(words, AutoTokenizer.from_pretrained(folder).get_vocab())
        if share < LEAST_KNOWN:
            return False
        logger.warning(
            "%.0f %% of the words are known to %s, whose vectors are read, too; --word_vectors none leaves them out, "
            "and --word_vectors FILE takes others.",
            100 * share,
            ENGLISH_VECTORS,
        )
        return True

    def encode(self, examples: DatasetDict, processor: PreTrainedTokenizerBase, model: PreTrainedModel) -> DatasetDict:
        """Token ids and labels; sentences that are too long in parts."""
        encoder = WordEncoder(processor)
        return DatasetDict({name: encode_tags(split, encoder) for name, split in examples.items()})

    def make_collator(self, processor: PreTrainedTokenizerBase, model: PreTrainedModel) -> Callable[[list], dict]:
        """Padding to the longest sentence of a batch."""
        return SequenceCollator(processor.pad_token_id)

    def make_scorer(self) -> TagScorer:
        """Of spans, or of single tags."""
        return TagScorer(self.label_names, self.loaded.tagging_scheme)

    def preprocess_logits(self) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]:
        """Only the tags are kept of an evaluation, and how sure they are."""
        return tags_of_logits

    def best_metric(self) -> tuple[str, bool]:
        """F1 of spans, or accuracy."""
        return "accuracy" if self.loaded.tagging_scheme is None else "f1", True

    def metric_directions(self) -> dict[str, bool]:
        """All scores."""
        return self.make_scorer().directions()

    def summarize(self, examples: DatasetDict, encoded: DatasetDict, processor: PreTrainedTokenizerBase) -> TagSummary:
        """How many sentences, words and spans there are, and how many words are new."""
        known = processor.get_vocab() if is_open(processor) else None
        return summarize_tags(examples, self.loaded.tagging_scheme, known)

    def measure(self, trainer: AttnLSTMTrainer, rows: Dataset, prefix: str) -> Measured:
        """Over whole sentences, be they read in one part or in several."""
        output = trainer.predict(rows, metric_key_prefix=prefix)
        split = "validation" if prefix == "eval" else prefix
        evaluation = self._evaluate(self.loaded.splits[split], rows, output.predictions)
        metrics = dict(output.metrics) | {f"{prefix}_{name}": score for name, score in evaluation.scores.items()}
        for name, (low, high) in evaluation.intervals.items():
            metrics |= {f"{prefix}_{name}_low": low, f"{prefix}_{name}_high": high}
        heading = "per_tag" if self.loaded.tagging_scheme is None else "per_kind"
        return Measured(metrics, {heading: evaluation.per_kind}, evaluation)

    def _evaluate(self, sentences: Dataset, rows: Dataset, predictions: Any) -> TagEvaluation:
        names = self.label_names
        tags, scores = (joined_rows(rows, np.asarray(each), len(sentences)) for each in predictions)
        # In the order of the model.
        labels, _ = pad_ids(list(rows["labels"]), IGNORED)
        right = joined_rows(rows, labels, len(sentences))
        return evaluate_tags(
            sentences["tokens"],
            [[names[tag] for tag in sentence] for sentence in right],
            [[names[tag] for tag in sentence] for sentence in tags],
            scores,
            self.loaded.tagging_scheme,
        )

    def describe(self, evaluation: TagEvaluation, split: str) -> str:
        """Kinds and confusions."""
        return describe_tags(evaluation, split)

    def write_pictures(self, folder: Path, evaluation: TagEvaluation) -> None:
        """The confusions."""
        # Not at the top: who draws no pictures needs no matplotlib.
        from .tagging_plots import write_tag_plots

        write_tag_plots(evaluation, folder)

    def card_parts(
        self, examples: DatasetDict, processor: PreTrainedTokenizerBase, model: PreTrainedModel
    ) -> CardParts:
        """Words, tags and sizes."""
        return tagging_card(self, examples, processor, model.config)


def tags_of_logits(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """The tags (rows, length) that logits (rows, length, tags) choose, and their probabilities.

    Example:

    ```python
    >>> tags_of_logits(torch.tensor([[[0.0, 1.0]]]), torch.tensor([[1]]))[0]
    tensor([[1]])
    ```
    """
    scores, tags = logits.float().softmax(-1).max(-1)
    return tags, scores


def _check_learnable(sentences: Dataset, names: Sequence[str]) -> None:
    """Refuse words that all have one tag, as where none of the spans was found."""
    seen = {tag for row in sentences["tags"] for tag in row}
    if len(seen) == 1:
        only = names[seen.pop()]
        raise ValueError(
            f"All words for training have the tag {only!r}, so that there is nothing to learn: see whether the tags, "
            "or the spans, stand in the column that is read, and name another with --label_column."
        )


def _renumbered(sentences: Dataset, numbers: np.ndarray, feature: Any) -> Dataset:
    tags = [numbers[np.asarray(row, np.int64)].tolist() for row in sentences["tags"]]
    kind = type(sentences.features["tags"])
    return sentences.remove_columns("tags").add_column("tags", tags, feature=kind(feature))

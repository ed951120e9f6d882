"""Classification and regression of texts, as a task."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any

import numpy as np
import torch
from datasets import Dataset, DatasetDict
from transformers import EvalPrediction, PreTrainedModel, PreTrainedTokenizerBase
from transformers.trainer_utils import PredictionOutput
from transformers.utils import logging

from .._wording import flags_in_sentences
from ..data.batching import PaddingCollator
from ..data.encoding import MAX_LENGTH, encode_texts, tell_unknown_tokens, tokenised, unknown_shares
from ..data.label_order import order_labels
from ..data.loading import LoadedTexts, describe_labels
from ..data.summary import DataSummary, summarize
from ..data.tokenization import train_tokenizer
from ..data.unlabelled import load_unlabelled
from ..data.word_vectors import load_word_vectors
from ..modeling.configuration_attnlstm import AttnLSTMConfig
from ..modeling.configuration_base import MULTI_LABEL, REGRESSION, SINGLE_LABEL
from ..modeling.modeling_sequence_classification import AttnLSTMForSequenceClassification
from ..modeling.text_inputs import TextEncoder
from .calibrating import cross_fitted_calibration
from .class_weights import check_class_weights, class_weights
from .classification_arguments import EMBEDDING_NGRAM_FLAGS, DataArguments, ModelArguments, config_overrides
from .classification_card import classification_card
from .classification_flags import (
    MODEL_EFFECTS,
    check_ngram_lengths,
    check_problem,
    check_start,
    data_effects,
    flags_as_config,
)
from .classification_texts import load_split_texts
from .classification_tokenizer import kind_to_train, load_tokenizer, tokenizer_of_checkpoint, tokenizer_to_load
from .distillation import with_soft_labels
from .evaluation import Evaluation
from .finishing import Finisher
from .flag_effects import check_effects
from .labelled_task import LabelledTask
from .metrics import (
    ONE_HALF,
    Scorer,
    Threshold,
    all_labels,
    all_logits,
    compute_metrics_for,
)
from .ngram_choice import choose_ngrams
from .ngram_part import MOST_SPELT, token_rows
from .recipes import Recipe, left_out
from .shared_flags import check_architecture, check_sources, columns_read, tell_learnt
from .spelling import shared_spelling, spelling_of
from .starting_point import StartingPoint
from .task import CardParts
from .teacher import Teacher, check_answers_file
from .trainer import AttnLSTMTrainer
from .word_inputs import (
    check_inputs,
    fields_of_unread,
    freeze_vectors,
    give_word_tables,
    input_effects,
    read_word_tables,
)


logger = logging.get_logger(__name__)

# Before a training, label noise is looked for in fewer texts than by `hfattnlstm check`: it should take a second.
NOISE_CHARACTERS, SUSPECTS = 500_000, 2
# How often an n-gram must occur to get an embedding.
LEAST_COUNT = 5
# How far adversarial texts are from those that they are made of, as in Miyato et al. (2017).
ADVERSARIAL_EPSILON = 5.0
# Where the answers of a teacher are kept, in the output folder; what begins so is not pushed to the Hub.
TEACHER_FILE = "_teacher_answers.npy"
# Of so many, a pretrained model learns as much without them.
MANY_TEXTS = 10_000
# Character n-grams with embeddings, where nobody says otherwise.
SUBWORDS = 50_000


class ClassificationTask(LabelledTask):
    """Texts with one label, several labels or a number each; see [`Task`].

    Example:

    ```python
    >>> run = run_task(parse_task(["--train_file", "reviews.csv", "--output_dir", "my-model"]))
    >>> run.metrics["eval_accuracy"]
    0.87
    ```
    """

    name = "classification"
    data_arguments = DataArguments
    model_arguments = ModelArguments
    examples = (
        "--train_file reviews.csv --output_dir my-model",
        "--dataset stanfordnlp/imdb --epochs 4 --output_dir imdb-model",
        "--recipe accurate --train_file reviews.csv --output_dir my-model",
        "flags.yaml --lr 1e-3",
    )

    data: DataArguments
    model: ModelArguments
    problem_type: str
    label_names: Sequence[str]
    start: StartingPoint | None = None
    # Where several texts are read together.
    text_columns: list[str] | None = None
    # That of the tokenizer, where one is trained.
    trained_kind: str | None = None
    # What `load` gave, with the names of its columns.
    loaded: LoadedTexts
    # Texts without labels, if there are any.
    unlabelled: Dataset | None = None
    # Whether the validation texts were taken from those for training, which may then learn from them in the end.
    held_out: bool = False
    # On the validation split, where the model has several parts.
    part_scores: Mapping[str, float] = MappingProxyType({})
    _finisher: Finisher | None = None
    _teacher: Teacher | None = None
    _answers: str = ""
    # Those of the model, once it is made.
    threshold: Threshold = ONE_HALF
    temperature: float = 1.0

    def check(self) -> None:
        """Refuse flags that do not fit together; a test file that is named is measured."""
        if self.data.test_file is not None and "do_predict" not in self.given:
            self.training.do_predict = True
        check_sources(self.data)
        if self.data.teacher_file is not None:
            check_answers_file(Path(self.data.teacher_file))
        resumes = self.training.resume_from_checkpoint is not None
        check_start(self.model, self.given, self.training.do_train, resumes)
        check_effects(data_effects(self.data, self.model, self.training), self.given, None)
        if self.model.model_name_or_path is None:
            if not resumes:
                effects = (*MODEL_EFFECTS, *input_effects(self.model.token_inputs))
                check_effects(effects, self.given, flags_as_config(self.model))
            check_inputs(self.model, self.model.lowercase)
            check_architecture(config_overrides(self.model) | fields_of_unread(self.model))

    @classmethod
    def left_out(cls, recipe: Recipe, flags: Set[str], model: ModelArguments, resumes: bool) -> Set[str]:
        """What a tokenizer or a model that is loaded has decided, and what has no effect on a new one."""
        return left_out(recipe, flags, model, resumes)

    def sources(self) -> list[str]:
        """Files, data set, model and tokenizer."""
        data, model = self.data, self.model
        named = (data.dataset, data.train_file, data.validation_file, data.test_file, data.unlabelled_file)
        named += (data.teacher, model.model_name_or_path, model.tokenizer_name, *(model.word_vectors or ()))
        return [name for name in named if name is not None]

    def load(self) -> DatasetDict:
        """The texts, with their labels in the order of the model that the run goes on from."""
        self.start = self._starting_point()
        with flags_in_sentences():
            start = self.start
            own = (None, None) if start is None else (start.name, start.config.text_columns)
            self.text_columns = columns_read(self.data.text_column, *own, rules=start is None or start.rules)
            columns = self.text_columns or self.data.text_column
            self.loaded = load_split_texts(self.data, self.start, columns)
            if self.data.unlabelled_file is not None:
                self.unlabelled = load_unlabelled(self.data.unlabelled_file, columns)
        texts, self.held_out = self.loaded.splits, self.loaded.held_out
        tell_learnt(self.held_out, self.training.do_train, "texts")
        self.problem_type, names = describe_labels(texts["train"].features)
        self.label_names = names if self.start is None else self.start.order(names, self.problem_type)
        check_problem(self.problem_type, self.given)
        if self.data.teacher is not None:
            # Refused before anything takes long, if it does not fit.
            self._teacher = Teacher(self.data.teacher, self.label_names, self.problem_type)
        return texts if self.label_names == names else order_labels(texts, self.label_names)

    def _starting_point(self) -> StartingPoint | None:
        name = self._loaded_from()
        if name is None:
            return None
        start = StartingPoint(
            name,
            self.model,
            self.given,
            trains=self.training.do_train,
            resumes=self.checkpoint is not None,
            label_smoothing=self._label_smoothing(),
        )
        values = start.config
        if start.is_pretrained and not start.rules:
            # It has no n-grams, and may get some.
            ngrams = {name: getattr(self.model, name) for name in EMBEDDING_NGRAM_FLAGS}
            values = SimpleNamespace(**values.to_dict() | ngrams, poolings=values.poolings)
        check_effects((*MODEL_EFFECTS, *input_effects(start.config.inputs)), self.given, values)
        return start

    def _label_smoothing(self) -> float | None:
        return self.training.label_smoothing_factor if "label_smoothing_factor" in self.given else None

    def choose_recipe(self, examples: DatasetDict) -> None:
        """Adversarial texts, where there are labels, and nobody says otherwise, or asks for virtual ones.

        A pretrained model needs fewer passes. Of 20,000 reviews it learns as much without them, in half of the time;
        of 500 it learns more with them.
        """
        training = self.training
        if self.data.rationale_column is None:
            # That of a recipe has no effect, which has been told.
            training.rationale_coef = 0.0
        elif training.rationale_coef is None:
            training.rationale_coef = 1.0
        training.begins_pretrained = self.start is not None and self.start.is_pretrained
        takes_none = self.problem_type == REGRESSION or training.fp16 or training.vat_epsilon
        is_taught_enough = training.begins_pretrained and len(examples["train"]) >= MANY_TEXTS
        if training.adversarial_epsilon is None and not (takes_none or is_taught_enough):
            training.adversarial_epsilon = ADVERSARIAL_EPSILON

    def make_processor(self, examples: DatasetDict) -> PreTrainedTokenizerBase:
        """The tokenizer: loaded, or trained on the texts for training, with labels and without."""
        if self.checkpoint is not None:
            return tokenizer_of_checkpoint(self.checkpoint, self.model, self.given)
        name = tokenizer_to_load(self.model, self.given)
        if name is not None:
            return load_tokenizer(name, self.model.max_length)
        logger.info("Training the tokenizer.")
        flags, unlabelled = self.model, () if self.unlabelled is None else self.unlabelled["text"]
        # Whole words are what vectors are of, and what is most likely to be known to another tokenizer.
        whole_words = flags.word_vectors is not None or self.start is not None
        self.trained_kind = kind_to_train(flags, examples, whole_words)
        return train_tokenizer(
            chain(examples["train"]["text"], unlabelled),
            kind=self.trained_kind,
            vocab_size=flags.vocab_size,
            lowercase=flags.lowercase,
            model_max_length=flags.max_length or MAX_LENGTH,
        )

    def make_model(self, examples: DatasetDict, processor: PreTrainedTokenizerBase) -> PreTrainedModel:
        """A new model, or the one to go on from."""
        check_ngram_lengths(self.model, len(processor))
        model = self._new_or_loaded(examples, processor)
        if self.model.freeze_word_vectors:
            freeze_vectors(model.attnlstm)
        self._take_decisions(model)
        return model

    def _new_or_loaded(self, examples: DatasetDict, processor: PreTrainedTokenizerBase) -> PreTrainedModel:
        labels: dict[str, Any] = {"problem_type": self.problem_type, "text_columns": self.text_columns}
        if self.label_names:
            labels["id2label"] = dict(enumerate(self.label_names))
        else:
            labels["num_labels"] = 1
        weights = self._class_weights(examples)
        if self.start is not None:
            return self.start.load(processor, labels, weights)
        tables = read_word_tables(self.model, processor)
        config = AttnLSTMConfig(
            vocab_size=len(processor),
            pad_token_id=processor.pad_token_id,
            class_weights=weights,
            label_smoothing=self._label_smoothing() or 0.0,
            **config_overrides(self.model) | tables.fields,
            **labels,
        )
        model = AttnLSTMForSequenceClassification(config)
        give_word_tables(model.attnlstm, tables)
        if self.model.word_vectors is not None and not tables.vectors:
            self._load_word_vectors(model, processor)
        return model

    def _load_word_vectors(self, model: PreTrainedModel, processor: PreTrainedTokenizerBase) -> None:
        (path,) = self.model.word_vectors
        coverage = load_word_vectors(model, path, processor)
        if not coverage.found:
            missing = ", ".join(coverage.missing[:5])
            raise ValueError(
                f"--word_vectors {path} has none of the {coverage.vocabulary:,} words of the texts ({missing}, …): "
                "give vectors for the language and the --tokenizer_kind of the texts, or leave it out."
            )
        logger.warning("Word vectors of %s: %s.", path, coverage)

    def _class_weights(self, examples: DatasetDict) -> list[float] | None:
        wanted = self.model.class_weights
        if self.checkpoint is not None:
            check_class_weights(wanted, self.start.config.class_weights, self.checkpoint)
            return self.start.config.class_weights
        if wanted == ["balanced"] and self.problem_type != SINGLE_LABEL:
            raise ValueError("--class_weights balanced needs one label a text: give numbers instead.")
        return class_weights(wanted, examples["train"]["label"], len(self.label_names))

    def encode(self, examples: DatasetDict, processor: PreTrainedTokenizerBase, model: PreTrainedModel) -> DatasetDict:
        """Token ids, cut to the tokenizer's length, as the pipeline cuts them."""
        encoded = encode_texts(examples, TextEncoder(processor, None, model.config.truncation))
        tell_unknown_tokens(encoded, processor, is_new=self.trained_kind is not None)
        if self.start is None:
            self._share_spelling(model, encoded, processor)
        if self.model.embedding_ngrams and (self.start is None or (self.start.is_pretrained and not self.start.rules)):
            self._give_ngrams(model, encoded)
        if self.data.teacher is not None:
            encoded["train"] = self._taught(examples["train"], encoded["train"], processor, model)
        return encoded

    def _taught(
        self, texts: Dataset, rows: Dataset, processor: PreTrainedTokenizerBase, model: PreTrainedModel
    ) -> Dataset:
        """The rows of the training with the teacher's answers, those of texts without labels among them."""
        data, unlabelled = self.data, self._encoded_unlabelled(processor, model)
        file = Path(data.teacher_file or Path(self.training.output_dir) / TEACHER_FILE)
        every = [*texts["text"], *(() if self.unlabelled is None else self.unlabelled["text"])]
        progress = partial(self.show_progress, "Asking the teacher")
        # The others then find the answers in the file.
        with self.training.main_process_first(desc="The teacher's answers"):
            answers = self._teacher.answers(every, file, overwrite=self.training.overwrite, progress=progress)
        self._teacher, self._answers = None, hashlib.sha256(answers.tobytes()).hexdigest()
        return with_soft_labels(rows, unlabelled, answers, self.problem_type, data.teacher_weight)

    def taught(self) -> str:
        """The part that a teacher's answers have in the labels, and a hash of them."""
        return f"{self._answers} {self.data.teacher_weight}" if self._answers else ""

    def _share_spelling(
        self, model: PreTrainedModel, encoded: DatasetDict, processor: PreTrainedTokenizerBase
    ) -> None:
        """Embeddings of character n-grams, by which rare tokens learn from others, until the training ends."""
        most = self.model.subword_ngrams
        if most is None:
            few = sum(encoded["train"]["length"]) <= MOST_SPELT
            most = SUBWORDS if few and self.model.word_vectors is None else 0
        if most:
            spelling = shared_spelling(spelling_of(processor), most)
            model.attnlstm.set_subwords(torch.from_numpy(spelling.indptr), torch.from_numpy(spelling.indices))

    def encode_unlabelled(self, processor: PreTrainedTokenizerBase, model: PreTrainedModel) -> Dataset | None:
        """Token ids, cut as those of the examples are, where virtual adversarial texts are made of them."""
        return self._encoded_unlabelled(processor, model) if self.training.vat_epsilon else None

    def _encoded_unlabelled(self, processor: PreTrainedTokenizerBase, model: PreTrainedModel) -> Dataset | None:
        if self.unlabelled is None:
            return None
        return tokenised(self.unlabelled, TextEncoder(processor, None, model.config.truncation))

    def _give_ngrams(self, model: PreTrainedModel, encoded: DatasetDict) -> None:
        """Embeddings for the most frequent n-grams of the training texts."""
        flags = self.model
        numbers = choose_ngrams(
            token_rows(encoded["train"]),
            flags.embedding_ngram_length,
            flags.embedding_ngrams,
            shortest=2,
            least=LEAST_COUNT,
        )
        model.attnlstm.set_ngrams(torch.from_numpy(numbers), flags.embedding_ngram_length, flags.ngram_dropout)

    def finish(self, trainer: AttnLSTMTrainer, encoded: DatasetDict) -> dict[str, float]:
        """N-grams beside the LSTM, and the temperature of the probabilities; the scores of each part by itself."""
        trainer.model.base_model.fold_subwords()
        if "validation" not in encoded or self.problem_type == REGRESSION:
            return {}
        self._finisher = Finisher(
            trainer,
            encoded,
            self.problem_type,
            longest=self.model.classifier_ngram_length,
            most=self.model.classifier_ngrams,
            calibrates=self.model.calibrate,
            decides="threshold" not in self.given and not self._keeps_threshold(),
        )
        self._finisher.learn()
        self._take_decisions(trainer.model, trainer.compute_metrics)
        if self.training.do_eval:
            self.part_scores = self._scores_of_parts(encoded)
        return dict(self.part_scores)

    def _scores_of_parts(self, encoded: DatasetDict) -> dict[str, float]:
        """What LSTM and n-grams would be worth alone, such as `lstm_eval_accuracy`; of several labels at one half."""
        (name, _), score = self.best_metric(), compute_metrics_for(self.problem_type)
        labels = np.array(encoded["validation"]["labels"][:])
        return {
            f"{part}_eval_{name}": score(EvalPrediction(logits, labels))[name]
            for part, logits in self._finisher.parts.items()
        }

    def _keeps_threshold(self) -> bool:
        """Whether the model that the training goes on from has one that somebody chose; a fitted one is a list."""
        own = ONE_HALF if self.start is None else self.start.config.threshold
        return own != ONE_HALF and not isinstance(own, list)

    def _take_decisions(self, model: PreTrainedModel, scorer: Scorer | None = None) -> None:
        """How the model decides, which its scores follow."""
        if self.problem_type == MULTI_LABEL:
            self.threshold = model.config.threshold
        self.temperature = model.config.calibration_temperature
        if scorer is not None:
            scorer.threshold, scorer.temperature = self.threshold, self.temperature

    def learn_held_out(self) -> None:
        """The n-grams do, where the run itself held these texts out."""
        if self._finisher is not None and self.held_out:
            self._finisher.learn_held_out()

    def summarize(
        self, examples: DatasetDict, encoded: DatasetDict, processor: PreTrainedTokenizerBase
    ) -> DataSummary:
        """What the texts hold, and what is odd about them."""
        # Rows are no longer those of the file where some are held out or left out.
        loaded = self.loaded._replace(splits=examples)
        # Those of all splits have been counted for the warning.
        unknown = unknown_shares(DatasetDict(validation=encoded["validation"]), processor)["validation"]
        quickly = {"noise_characters": NOISE_CHARACTERS, "most_suspects": SUSPECTS, "rows_are_known": False}
        return summarize(loaded, unknown, **quickly, tokens_read=processor.model_max_length)

    def make_collator(self, processor: PreTrainedTokenizerBase, model: PreTrainedModel) -> PaddingCollator:
        """Padding to the longest text of a batch."""
        return PaddingCollator(processor.pad_token_id, model.config.model_input_names)

    def evaluation(self, output: PredictionOutput, fitted: bool = False) -> Evaluation | None:
        """By class or label; a regression has none. A temperature measures no text that it was fitted to."""
        found = super().evaluation(output, fitted)
        if found is None or not (fitted and self._finisher is not None and self.model.calibrate):
            return found
        crossed = cross_fitted_calibration(
            all_logits(output.predictions), all_labels(output.label_ids), self.problem_type
        )
        return replace(found, calibration=crossed)

    def card_parts(
        self, examples: DatasetDict, processor: PreTrainedTokenizerBase, model: PreTrainedModel
    ) -> CardParts:
        """Texts, labels and what bounds the model."""
        return classification_card(self, examples, processor, model.config)

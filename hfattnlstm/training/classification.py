"""Classification and regression of texts, as a task."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from datasets import DatasetDict
from transformers import AutoTokenizer, EvalPrediction, PreTrainedModel, PreTrainedTokenizerBase
from transformers.trainer_utils import PredictionOutput
from transformers.utils import logging

from ..data.batching import PaddingCollator
from ..data.encoding import encode_texts
from ..data.label_order import order_labels
from ..data.loading import describe_labels, load_texts
from ..data.tokenization import train_tokenizer
from ..data.word_vectors import load_word_vectors
from ..modeling.configuration_attnlstm import SINGLE_LABEL, AttnLSTMConfig
from ..modeling.modeling_sequence_classification import AttnLSTMForSequenceClassification
from ..modeling.text_inputs import NO_MAX_LENGTH, TextEncoder
from .classification_arguments import NEW_TOKENIZER_FLAGS, DataArguments, ModelArguments, config_overrides
from .metrics import best_metric_for, classification_report, compute_metrics_for
from .starting_point import StartingPoint
from .task import CardParts, Task


logger = logging.get_logger(__name__)

# Tokens that are read of a text, where nobody says otherwise.
MAX_LENGTH = 400
_READ_FROM = {"head": "from its beginning", "tail": "from its end", "head_tail": "from its beginning and end"}


class ClassificationTask(Task):
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

    data: DataArguments
    model: ModelArguments
    problem_type: str
    label_names: Sequence[str]
    start: StartingPoint | None = None

    def load(self) -> DatasetDict:
        """The texts, with their labels in the order of the model that the run goes on from."""
        if self.model.model_name_or_path is not None:
            self.start = StartingPoint(self.model, self.given)
        self._check_tokenizer_flags()
        texts = _load_texts(self.data)
        self.problem_type, names = describe_labels(texts["train"].features)
        self.label_names = names if self.start is None else self.start.order(names, self.problem_type)
        return texts if self.label_names == names else order_labels(texts, self.label_names)

    def _check_tokenizer_flags(self) -> None:
        loaded = "tokenizer_name" if self.model.tokenizer_name else "model_name_or_path"
        if not getattr(self.model, loaded):
            return
        for flag in NEW_TOKENIZER_FLAGS:
            if flag in self.given:
                raise ValueError(
                    f"--{flag} is for a tokenizer that is trained, and --{loaded} loads one: leave it out."
                )

    def make_processor(self, examples: DatasetDict) -> PreTrainedTokenizerBase:
        """The tokenizer: loaded, or trained on the training texts; it holds the length that is read."""
        name = self.model.tokenizer_name or self.model.model_name_or_path
        if name is None:
            logger.info("Training the tokenizer.")
            return train_tokenizer(
                examples["train"]["text"],
                kind=self.model.tokenizer_kind,
                vocab_size=self.model.vocab_size,
                lowercase=self.model.lowercase,
                model_max_length=self.model.max_length or MAX_LENGTH,
            )
        tokenizer = AutoTokenizer.from_pretrained(name)
        if self.model.max_length is not None:
            tokenizer.model_max_length = self.model.max_length
        elif tokenizer.model_max_length > NO_MAX_LENGTH:
            tokenizer.model_max_length = MAX_LENGTH
            logger.warning("The tokenizer %s says no length: %s tokens of a text are read.", name, MAX_LENGTH)
        return tokenizer

    def make_model(self, examples: DatasetDict, processor: PreTrainedTokenizerBase) -> PreTrainedModel:
        """A new model, or the one to go on from."""
        labels: dict[str, Any] = {"problem_type": self.problem_type}
        if self.label_names:
            labels["id2label"] = dict(enumerate(self.label_names))
        else:
            labels["num_labels"] = 1
        weights = self._class_weights(examples)
        if self.start is not None:
            return self.start.load(processor, labels, weights)
        config = AttnLSTMConfig(
            vocab_size=len(processor),
            pad_token_id=processor.pad_token_id,
            class_weights=weights,
            **config_overrides(self.model),
            **labels,
        )
        model = AttnLSTMForSequenceClassification(config)
        if self.model.word_vectors is not None:
            logger.info("Word vectors: %s.", load_word_vectors(model, self.model.word_vectors, processor))
        return model

    def _class_weights(self, examples: DatasetDict) -> list[float] | None:
        wanted = self.model.class_weights
        if wanted is None:
            return None
        if wanted != ["balanced"]:
            try:
                return [float(weight) for weight in wanted]
            except ValueError:
                raise ValueError(f"class_weights must be numbers or 'balanced', got {wanted}.") from None
        if self.problem_type != SINGLE_LABEL:
            raise ValueError("class_weights=balanced needs one label a text: give numbers instead.")
        counts = np.bincount(np.asarray(examples["train"]["label"]), minlength=len(self.label_names))
        # A label without training texts gets the weight of one with a single text.
        return (counts.sum() / (len(counts) * counts.clip(min=1))).tolist()

    def encode(self, examples: DatasetDict, processor: PreTrainedTokenizerBase, model: PreTrainedModel) -> DatasetDict:
        """Token ids, cut to the tokenizer's length, as the pipeline cuts them."""
        return encode_texts(examples, TextEncoder(processor, None, model.config.truncation))

    def make_collator(self, processor: PreTrainedTokenizerBase, model: PreTrainedModel) -> PaddingCollator:
        """Padding to the longest text of a batch."""
        return PaddingCollator(processor.pad_token_id, model.config.model_input_names)

    def make_scorer(self) -> Callable[[EvalPrediction], dict[str, float]]:
        """By problem type."""
        return compute_metrics_for(self.problem_type)

    def best_metric(self) -> tuple[str, bool]:
        """Accuracy, micro F1 or squared error."""
        return best_metric_for(self.problem_type)

    def details(self, output: PredictionOutput) -> dict[str, Any]:
        """The scores of each class, where texts have one label each."""
        if self.problem_type != SINGLE_LABEL:
            return {}
        logits = output.predictions[0] if isinstance(output.predictions, tuple) else output.predictions
        return classification_report(logits.argmax(-1), output.label_ids, self.label_names)

    def card_parts(
        self, examples: DatasetDict, processor: PreTrainedTokenizerBase, model: PreTrainedModel
    ) -> CardParts:
        """Texts, labels and what bounds the model."""
        config = model.config
        local = self.data.dataset is None or Path(self.data.dataset).exists()
        source = Path(self.data.dataset or self.data.train_file).name if local else self.data.dataset
        sizes = ", ".join(f"{len(split):,} texts for {name}" for name, split in examples.items())
        usage = (
            'classifier = pipeline("attention-text-classification", model="{model_id}"{options})\nclassifier("a text")'
        )
        return CardParts(
            summary="A text classifier: an LSTM with attention",
            usage=usage,
            usage_note='`pipeline("text-classification", …)` and the Auto classes work in both ways, too.',
            source=source,
            dataset=None if local else self.data.dataset,
            data=f"`{source}`: {sizes}.\n\n{_describe_labels(self.problem_type, self.label_names)}",
            recipe=self._recipe(config),
            limits=(
                f"It reads at most {processor.model_max_length:,} tokens of a text, {_READ_FROM[config.truncation]}.",
                f"Its vocabulary has {len(processor):,} tokens; what they do not cover is unknown to it.",
                "The attention shows where the model looked. It is no proof of why it decided.",
                "The score is not calibrated.",
            ),
            pipeline_tag="text-classification",
            tags=("hfattnlstm", "lstm", "attention"),
        )

    def _recipe(self, config: AttnLSTMConfig) -> dict[str, Any]:
        model = self.model
        trained = f"{model.tokenizer_kind}, trained on the texts"
        return {
            "tokenizer": model.tokenizer_name or model.model_name_or_path or trained,
            "started from": model.model_name_or_path or model.word_vectors or "random weights",
            "layers, width, embedding": f"{config.num_hidden_layers}, {config.hidden_size}, {config.embedding_size}",
            "pooling": " and ".join(config.poolings),
            "attention": f"{config.pooler_score}, {config.pooler_normalizer}, {config.pooler_num_heads} head(s)",
            "dropout of embeddings, words, head": f"{config.embedding_dropout}, {config.word_dropout}, "
            f"{config.classifier_dropout}",
        }


def _load_texts(data: DataArguments) -> DatasetDict:
    files = {"train": data.train_file, "validation": data.validation_file, "test": data.test_file}
    files = {name: path for name, path in files.items() if path is not None}
    if (data.dataset is None) == (not files):
        raise ValueError("Give either --dataset or --train_file.")
    texts = load_texts(
        data.dataset or files,
        text_column=data.text_column,
        label_column=data.label_column,
        problem_type=data.problem_type,
        config_name=data.dataset_config,
        validation_size=data.validation_size,
        seed=data.split_seed,
    )
    if data.max_train_samples is not None and data.max_train_samples < len(texts["train"]):
        shuffled = texts["train"].shuffle(seed=data.split_seed)
        texts["train"] = shuffled.select(range(data.max_train_samples))
    return texts


def _describe_labels(problem_type: str, names: Sequence[str]) -> str:
    kind = problem_type.replace("_", " ").replace("single label", "single-label").replace("multi label", "multi-label")
    return f"{kind.capitalize()}" + (f", labels: {', '.join(f'`{name}`' for name in names)}." if names else ".")

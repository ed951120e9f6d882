"""A classification run from labelled texts to a saved model, its metrics and its card."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from datasets import DatasetDict
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    EarlyStoppingCallback,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    TrainerCallback,
    set_seed,
)
from transformers.trainer_utils import PredictionOutput
from transformers.utils import logging

from ..data.batching import PaddingCollator
from ..data.encoding import encode_texts
from ..data.loading import describe_labels, load_texts
from ..data.tokenization import train_tokenizer
from ..data.word_vectors import load_word_vectors
from ..modeling.configuration_attnlstm import SINGLE_LABEL, AttnLSTMConfig
from ..modeling.modeling_sequence_classification import AttnLSTMForSequenceClassification
from ..modeling.text_inputs import TextEncoder
from .arguments import (
    ClassificationTrainingArguments,
    DataArguments,
    ModelArguments,
    config_overrides,
)
from .callbacks import GradientValueClipping
from .metrics import best_metric_for, classification_report, compute_metrics_for
from .model_card import write_model_card
from .report import format_report
from .trainer import AttnLSTMTrainer


logger = logging.get_logger(__name__)

# What the Trainer measures of itself, not of the model.
_NOT_SHOWN = ("_runtime", "_per_second", "_preparation_time")


@dataclass(frozen=True)
class ClassificationRun:
    """What a run leaves behind.

    Attributes:
        model: The trained model; the best one where `load_best_model_at_end` is set.
        tokenizer: Its tokenizer.
        metrics: `train_…`, `eval_…` and `test_…` metrics.
        per_class: For `"eval"` and `"test"`, the scores of each class, as from `ClassificationReport`; empty where
            texts do not have one label each.
        trainer: The Trainer, to go on with.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    metrics: dict[str, float]
    per_class: dict[str, dict[str, Any]]
    trainer: AttnLSTMTrainer

    def report(self) -> str:
        """The metrics of the model as a table, and the scores of each class."""
        shown = {
            key: value
            for key, value in self.metrics.items()
            if key.startswith(("eval_", "test_")) and not key.endswith(_NOT_SHOWN)
        }
        tables = [format_report(shown)]
        for split, scores in self.per_class.items():
            tables.append(f"{split} split by class\n{format_report(scores)}")
        return "\n\n".join(tables)


def run_classification(
    data: DataArguments, model: ModelArguments, training: ClassificationTrainingArguments
) -> ClassificationRun:
    """Load, tokenise, train, evaluate and save.

    The output folder then holds the model with its code and tokenizer, a model card, the metrics, and the
    checkpoints, from which `--resume_from_checkpoint` goes on.

    Raises:
        ValueError: For data, flags or labels that do not fit together; the sentence names what to change.

    Example:

    ```python
    >>> run = run_classification(*parse_arguments(["--dataset", "stanfordnlp/imdb", "--output_dir", "imdb-model"]))
    >>> run.metrics["eval_accuracy"]
    0.907
    ```
    """
    set_seed(training.seed)
    texts = _load(data)
    problem_type, label_names = describe_labels(texts["train"].features)
    splits = _measured_splits(training, texts)
    _choose_best_metric(training, problem_type)
    training.choose_epochs(len(texts["train"]))
    tokenizer = _tokenizer(model, texts)
    network = _model(model, tokenizer, texts, problem_type, label_names)
    encoded = encode_texts(texts, TextEncoder(tokenizer, model.max_length, network.config.truncation))
    trainer = AttnLSTMTrainer(
        model=network,
        args=training,
        train_dataset=encoded["train"],
        eval_dataset=encoded["validation"],
        processing_class=tokenizer,
        data_collator=PaddingCollator(tokenizer.pad_token_id, network.config.model_input_names),
        compute_metrics=compute_metrics_for(problem_type),
        callbacks=_callbacks(training),
    )
    metrics = _train(trainer, encoded)
    per_class = {}
    for prefix, split in splits.items():
        output = trainer.predict(encoded[split], metric_key_prefix=prefix)
        metrics |= {**output.metrics, f"{prefix}_samples": len(encoded[split])}
        if problem_type == SINGLE_LABEL:
            per_class[prefix] = _per_class(output, label_names)
    _save(trainer, data, model, texts, metrics)
    return ClassificationRun(trainer.model, tokenizer, metrics, per_class, trainer)


def _load(data: DataArguments) -> DatasetDict:
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


def _tokenizer(arguments: ModelArguments, texts: DatasetDict) -> PreTrainedTokenizerBase:
    name = arguments.tokenizer_name or arguments.model_name_or_path
    if name is not None:
        return AutoTokenizer.from_pretrained(name)
    logger.info("Training the tokenizer.")
    return train_tokenizer(
        texts["train"]["text"],
        kind=arguments.tokenizer_kind,
        vocab_size=arguments.vocab_size,
        lowercase=arguments.lowercase,
        model_max_length=arguments.max_length,
    )


def _model(
    arguments: ModelArguments,
    tokenizer: PreTrainedTokenizerBase,
    texts: DatasetDict,
    problem_type: str,
    label_names: list[str],
) -> PreTrainedModel:
    labels: dict[str, Any] = {"problem_type": problem_type}
    if label_names:
        labels["id2label"] = dict(enumerate(label_names))
    else:
        labels["num_labels"] = 1
    labels["class_weights"] = _class_weights(arguments.class_weights, texts, problem_type, label_names)
    if arguments.model_name_or_path is not None:
        config = AutoConfig.from_pretrained(arguments.model_name_or_path, **labels)
        _check_vocabulary(tokenizer, config)
        # A checkpoint with other labels keeps all but the last layer.
        return AutoModelForSequenceClassification.from_pretrained(
            arguments.model_name_or_path, config=config, ignore_mismatched_sizes=True
        )
    config = AttnLSTMConfig(
        vocab_size=len(tokenizer), pad_token_id=tokenizer.pad_token_id, **config_overrides(arguments), **labels
    )
    model = AttnLSTMForSequenceClassification(config)
    if arguments.word_vectors is not None:
        logger.info("Word vectors: %s.", load_word_vectors(model, arguments.word_vectors, tokenizer))
    return model


def _check_vocabulary(tokenizer: PreTrainedTokenizerBase, config: AttnLSTMConfig) -> None:
    if len(tokenizer) > config.vocab_size:
        raise ValueError(
            f"The tokenizer has {len(tokenizer)} tokens, but the model's embedding has {config.vocab_size} rows: "
            "leave out --tokenizer_name, or give the tokenizer that belongs to the model."
        )


def _class_weights(
    wanted: list[str] | None, texts: DatasetDict, problem_type: str, label_names: list[str]
) -> list[float] | None:
    if wanted is None:
        return None
    if wanted != ["balanced"]:
        try:
            return [float(weight) for weight in wanted]
        except ValueError:
            raise ValueError(f"class_weights must be numbers or 'balanced', got {wanted}.") from None
    if problem_type != SINGLE_LABEL:
        raise ValueError("class_weights=balanced needs one label a text: give numbers instead.")
    counts = np.bincount(np.asarray(texts["train"]["label"]), minlength=len(label_names))
    # A label without training texts gets the weight of one with a single text.
    return (counts.sum() / (len(counts) * counts.clip(min=1))).tolist()


def _choose_best_metric(training: ClassificationTrainingArguments, problem_type: str) -> None:
    if not training.metric_is_chosen:
        training.metric_for_best_model, training.greater_is_better = best_metric_for(problem_type)
    if training.lr_scheduler_type == "reduce_lr_on_plateau":
        mode = "max" if training.greater_is_better else "min"
        training.lr_scheduler_kwargs = {"mode": mode, **(training.lr_scheduler_kwargs or {})}


def _callbacks(training: ClassificationTrainingArguments) -> list[TrainerCallback]:
    callbacks: list[TrainerCallback] = []
    if training.early_stopping_patience is not None:
        if not training.load_best_model_at_end:
            raise ValueError(
                "early_stopping_patience needs the evaluations and checkpoints of load_best_model_at_end: set "
                "eval_strategy and save_strategy to the same of steps and epoch."
            )
        callbacks.append(EarlyStoppingCallback(training.early_stopping_patience))
    if training.max_grad_value is not None:
        callbacks.append(GradientValueClipping(training.max_grad_value))
    return callbacks


def _train(trainer: AttnLSTMTrainer, encoded: DatasetDict) -> dict[str, float]:
    if not trainer.args.do_train:
        return {}
    result = trainer.train(resume_from_checkpoint=_checkpoint(trainer.args))
    return {**result.metrics, "train_samples": len(encoded["train"])}


def _measured_splits(training: ClassificationTrainingArguments, texts: DatasetDict) -> dict[str, str]:
    """Prefix of the metrics and name of each split that is measured at the end."""
    wanted = {"eval": ("validation", training.do_eval), "test": ("test", training.do_predict)}
    splits = {prefix: split for prefix, (split, measure) in wanted.items() if measure}
    if "test" in splits and "test" not in texts:
        raise ValueError("do_predict needs a test split: name one with --test_file, or leave --do_predict out.")
    return splits


def _per_class(output: PredictionOutput, label_names: list[str]) -> dict[str, Any]:
    logits = output.predictions[0] if isinstance(output.predictions, tuple) else output.predictions
    return classification_report(logits.argmax(-1), output.label_ids, label_names)


def _checkpoint(training: ClassificationTrainingArguments) -> str | bool | None:
    """`--resume_from_checkpoint` takes a folder, or `true` for the last checkpoint in the output folder."""
    wanted = training.resume_from_checkpoint
    if wanted is None or str(wanted).lower() in ("false", "no"):
        return None
    if str(wanted).lower() in ("true", "yes", "last"):
        return True
    if not Path(wanted).is_dir():
        raise ValueError(
            f"There is no checkpoint {wanted}: name a folder such as {training.output_dir}/checkpoint-100."
        )
    return wanted


def _save(
    trainer: AttnLSTMTrainer, data: DataArguments, model: ModelArguments, texts: DatasetDict, metrics: dict[str, float]
) -> None:
    trainer.save_model()
    if trainer.is_world_process_zero():
        trainer.save_state()
        trainer.save_metrics("all", metrics, combined=False)
        write_model_card(trainer.args.output_dir, trainer, data, model, texts, metrics)
    if trainer.args.push_to_hub:
        trainer.push_to_hub()

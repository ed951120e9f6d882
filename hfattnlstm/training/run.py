"""The run that all tasks share: from examples to a saved model, its metrics and its card."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasets import DatasetDict
from transformers import EarlyStoppingCallback, PreTrainedModel, TrainerCallback, set_seed

from .arguments import RunArguments
from .callbacks import GradientValueClipping
from .model_card import write_model_card
from .report import format_report
from .task import Task
from .trainer import AttnLSTMTrainer


# What the Trainer measures of itself, not of the model.
_NOT_SHOWN = ("_runtime", "_per_second", "_preparation_time")


@dataclass(frozen=True)
class TaskRun:
    """What a run leaves behind.

    Attributes:
        model: The trained model; the best one where `load_best_model_at_end` is set.
        processor: What makes its inputs, such as the tokenizer.
        metrics: `train_…`, `eval_…` and `test_…` metrics.
        details: For `"eval"` and `"test"`, what the task reports beyond single numbers, such as the scores of each
            class; empty where there is nothing.
        trainer: The Trainer, to go on with.
    """

    model: PreTrainedModel
    processor: Any
    metrics: dict[str, float]
    details: dict[str, dict[str, Any]]
    trainer: AttnLSTMTrainer

    def report(self) -> str:
        """The metrics of the model as a table, and the details below."""
        shown = {
            key: value
            for key, value in self.metrics.items()
            if key.startswith(("eval_", "test_")) and not key.endswith(_NOT_SHOWN)
        }
        tables = [format_report(shown)]
        for split, scores in self.details.items():
            tables.append(f"{split} split by class\n{format_report(scores)}")
        return "\n\n".join(tables)


def run_task(task: Task) -> TaskRun:
    """Load, encode, train, evaluate and save.

    The output folder then holds the model with its code and its processor, a model card, `all_results.json`, and the
    checkpoints, from which `--resume_from_checkpoint` goes on.

    Raises:
        ValueError: For data and flags that do not fit together; the sentence names what to change.

    Example:

    ```python
    >>> run = run_task(parse_task(["--dataset", "stanfordnlp/imdb", "--output_dir", "imdb-model"]))
    >>> run.metrics["eval_accuracy"]
    0.903
    ```
    """
    training = task.training
    set_seed(training.seed)
    examples = task.load()
    splits = _measured_splits(training, examples)
    _choose_best_metric(task)
    training.choose_epochs(len(examples["train"]))
    processor = task.make_processor(examples)
    model = task.make_model(examples, processor)
    encoded = task.encode(examples, processor, model)
    trainer = AttnLSTMTrainer(
        model=model,
        args=training,
        train_dataset=encoded["train"],
        eval_dataset=encoded["validation"],
        processing_class=processor,
        data_collator=task.make_collator(processor, model),
        compute_metrics=task.make_scorer(),
        callbacks=_callbacks(training),
    )
    metrics = _train(trainer, encoded)
    details = {}
    for prefix, split in splits.items():
        output = trainer.predict(encoded[split], metric_key_prefix=prefix)
        metrics |= {**output.metrics, f"{prefix}_samples": len(encoded[split])}
        if found := task.details(output):
            details[prefix] = found
    _save(task, trainer, examples, metrics)
    return TaskRun(trainer.model, processor, metrics, details, trainer)


def _choose_best_metric(task: Task) -> None:
    training = task.training
    if not training.metric_is_chosen:
        training.metric_for_best_model, training.greater_is_better = task.best_metric()
    if training.lr_scheduler_type == "reduce_lr_on_plateau":
        mode = "max" if training.greater_is_better else "min"
        training.lr_scheduler_kwargs = {"mode": mode, **(training.lr_scheduler_kwargs or {})}


def _callbacks(training: RunArguments) -> list[TrainerCallback]:
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


def _measured_splits(training: RunArguments, examples: DatasetDict) -> dict[str, str]:
    """Prefix of the metrics and name of each split that is measured at the end."""
    wanted = {"eval": ("validation", training.do_eval), "test": ("test", training.do_predict)}
    splits = {prefix: split for prefix, (split, measure) in wanted.items() if measure}
    if "test" in splits and "test" not in examples:
        raise ValueError("do_predict needs a test split: name one with --test_file, or leave --do_predict out.")
    return splits


def _checkpoint(training: RunArguments) -> str | bool | None:
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


def _save(task: Task, trainer: AttnLSTMTrainer, examples: DatasetDict, metrics: dict[str, float]) -> None:
    trainer.save_model()
    if trainer.is_world_process_zero():
        trainer.save_state()
        trainer.save_metrics("all", metrics, combined=False)
        write_model_card(trainer.args.output_dir, task, trainer, examples, metrics)
    if trainer.args.push_to_hub:
        trainer.push_to_hub()

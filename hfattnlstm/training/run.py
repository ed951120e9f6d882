"""The run that all tasks share: from examples to a saved model, its metrics and its card."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from datasets import DatasetDict
from transformers import (
    PreTrainedModel,
    PrinterCallback,
    ProgressCallback,
    set_seed,
)
from transformers.utils import logging

from .._errors import TrainingStoppedError
from .._extras import needs_extra
from .._files import written_beside
from .._wording import flags_in_sentences
from ..data.progress import no_bars_in_a_notebook
from .arguments import RunArguments
from .callbacks_of_flags import callbacks_of
from .display import Display
from .flag_effects import check_run
from .flag_values import check_number
from .model_card import check_card_flags, write_model_card
from .output_folder import METRICS_FILE, check_output_folder, remove_old_checkpoints, save_model
from .plots import write_learning_curve
from .report import format_report
from .resuming import TrainingExamples, find_checkpoint
from .run_html import scores_html
from .stopping import StopSignal, forget_stop, note_stop, was_stopped
from .task import Task
from .trainer import AttnLSTMTrainer
from .trainer_options import check_metric


logger = logging.get_logger(__name__)

# What the Trainer measures of itself, not of the model.
_NOT_SHOWN = ("_runtime", "_per_second", "_preparation_time")


@dataclass(frozen=True)
class TaskRun:
    """What a run leaves behind.

    Attributes:
        model: The trained model; the best one where `load_best_model_at_end` is set.
        processor: What makes its inputs, such as the tokenizer.
        metrics: `train_…`, `eval_…` and `test_…` metrics; on fewer than 1,000 texts with the bounds of their 95 %
            intervals, such as `eval_accuracy_low` and `eval_accuracy_high`; and those of the parts of a model by
            themselves, such as `lstm_eval_accuracy` and `ngrams_eval_accuracy`.
        details: For `"eval"` and `"test"`, what the task reports beyond single numbers, such as the scores of each
            class; empty where there is nothing.
        evaluations: For the same, what the task's card and pictures show beyond them, such as confusions.
        trainer: The Trainer, to go on with.
        splits: What was measured: "eval", "test", and perhaps further splits by their names, which stand for all of
            this as those two do.
    """

    # Printed whole, model and Trainer would hide the metrics.
    model: PreTrainedModel = field(repr=False)
    processor: Any = field(repr=False)
    metrics: dict[str, float]
    details: dict[str, dict[str, Any]]
    evaluations: dict[str, Any] = field(repr=False)
    trainer: AttnLSTMTrainer = field(repr=False)
    splits: Sequence[str] = field(default=("eval", "test"), repr=False)

    def report(self) -> str:
        """The metrics of the model as a table, with intervals where a split has few texts, and the details below."""
        return "\n\n".join(f"{title}\n{format_report(scores)}".lstrip("\n") for title, scores in self.scores())

    def _repr_html_(self) -> str:
        return scores_html(self.scores())

    def scores(self) -> list[tuple[str, dict[str, Any]]]:
        """Titles, the first one empty, and scores of the parts of the report."""
        prefixes = tuple(f"{prefix}_" for prefix in self.splits)
        shown = {
            key: value
            for key, value in self.metrics.items()
            if any(prefix in key for prefix in prefixes) and not key.endswith(_NOT_SHOWN)
        }
        by = {split: next(iter(found)).removeprefix("per_") for split, found in self.details.items()}
        return [("", shown), *((f"{split} split by {by[split]}", found) for split, found in self.details.items())]


def run_task(task: Task, display: Display | None = None) -> TaskRun:
    """Load, encode, train, evaluate and save.

    Args:
        task: What is to be learnt, with its flags; see [`parse_task`].
        display: What follows the run; without one, only the Trainer's bars and log.

    The output folder then holds the model with its code and its processor, a model card, `all_results.json`, and the
    checkpoints, from which `--resume_from_checkpoint` goes on; without training, `all_results.json` alone. What is
    there already is overwritten with `--overwrite` only.

    Raises:
        ValueError: For data and flags that do not fit together; the sentence names what to change.
        TrainingStoppedError: SIGTERM has come, and a checkpoint was saved. The same flags go on from it.

    Example:

    ```python
    >>> run = run_task(parse_task(["--dataset", "stanfordnlp/imdb", "--output_dir", "imdb-model"]))
    >>> run.metrics["eval_accuracy"]
    0.903
    ```
    """
    # The flags are the interface here, in Python, too.
    with flags_in_sentences(), no_bars_in_a_notebook():
        return _run(task, display)


def _run(task: Task, display: Display | None) -> TaskRun:
    training, command = task.training, task.command()
    _go_on_where_stopped(training, command)
    _check_before_loading(task)
    if display is not None and training.process_index == 0:
        task.show_progress = display.progress
    set_seed(training.seed)
    examples = task.load()
    splits = _measured_splits(task, examples)
    with (display or Display()).phase("Tokenising"):
        trainer, encoded = make_trainer(task, examples)
    if display is not None:
        _connect(display, task, trainer, examples, encoded)
    metrics = _train(task, trainer, examples, command) if training.do_train else {}
    if training.do_train:
        with (display or Display()).phase("Finishing"):
            metrics |= task.finish(trainer, encoded)
    details, evaluations = {}, {}
    for prefix, split in _in_turn(splits, task):
        measured = task.measure(trainer, encoded[split], prefix)
        metrics |= {**measured.metrics, f"{prefix}_samples": len(encoded[split])}
        if measured.details:
            details[prefix] = measured.details
        if measured.evaluation is not None:
            evaluations[prefix] = measured.evaluation
    _save(task, trainer, examples, metrics, evaluations)
    if training.do_train:
        # What is compared to the model is trained when nothing can be lost any more.
        with (display or Display()).phase("Comparing"):
            compared = task.compare(trainer, encoded, splits)
        if compared:
            metrics |= compared
            _report(task, trainer, examples, metrics, evaluations)
    if training.push_to_hub:
        trainer.push_to_hub()
    return TaskRun(trainer.model, trainer.processing_class, metrics, details, evaluations, trainer, tuple(splits))


def _in_turn(splits: dict[str, str], task: Task) -> Iterator[tuple[str, str]]:
    """The splits that are measured; before the test split, the held-out examples are learnt from."""
    if "eval" in splits:
        yield "eval", splits["eval"]
    if task.training.do_train:
        task.learn_held_out()
    yield from ((prefix, split) for prefix, split in splits.items() if prefix != "eval")


def make_trainer(task: Task, examples: DatasetDict) -> tuple[AttnLSTMTrainer, DatasetDict]:
    """What trains a task by its recipe, ready to begin.

    Args:
        task: What is to be learnt; its flags have been checked.
        examples: What its `load` gave; without a validation split nothing is measured.

    Returns:
        The Trainer, with model and processor, and the encoded examples.

    Raises:
        ValueError: For data and flags that do not fit together.
    """
    training = task.training
    _choose_best_metric(task)
    task.choose_recipe(examples)
    processor = task.make_processor(examples)
    model = task.make_model(examples, processor)
    encoded = task.encode(examples, processor, model)
    training.choose_steps(len(encoded["train"]))
    trainer = task.trainer_class(
        model=model,
        args=training,
        train_dataset=encoded["train"],
        eval_dataset=encoded.get("validation"),
        processing_class=processor,
        data_collator=task.make_collator(processor, model),
        compute_metrics=task.make_scorer(),
        preprocess_logits_for_metrics=task.preprocess_logits(),
        callbacks=[*callbacks_of(training), *task.callbacks()],
        unlabelled_dataset=task.encode_unlabelled(processor, model),
    )
    return trainer, encoded


def _go_on_where_stopped(training: RunArguments, command: str) -> None:
    """The same command that was stopped goes on."""
    if training.resume_from_checkpoint is not None or training.overwrite or not training.do_train:
        return
    if was_stopped(Path(training.output_dir), command):
        logger.warning("The training in %s was stopped: it goes on from its last checkpoint.", training.output_dir)
        training.resume_from_checkpoint = "true"


def _check_before_loading(task: Task) -> None:
    training = task.training
    for arguments in (task.data, task.model, training):
        for item in fields(arguments):
            check_number(item.name, getattr(arguments, item.name))
    task.check()
    check_run(training, task.given)
    check_card_flags(training)
    if training.plots:
        with needs_extra("--plots"):
            import matplotlib  # noqa: F401
    task.checkpoint = find_checkpoint(training)
    check_output_folder(training, task.checkpoint, task.sources())


def _choose_best_metric(task: Task) -> None:
    """The metric that was asked for, if there is such a one, with the direction that it has; or that of the task."""
    training = task.training
    name, greater = task.best_metric()
    if training.metric_is_chosen:
        name = training.metric_for_best_model
        check_metric(name, task.metric_directions())
        greater = task.metric_directions()[name.removeprefix("eval_")]
    wanted = training.asked.greater_is_better
    if wanted is not None and wanted is not greater:
        raise ValueError(
            f"--greater_is_better {str(wanted).lower()} contradicts the metric: of {name}, "
            f"{'greater' if greater else 'lower'} is better. Leave --greater_is_better out."
        )
    training.metric_for_best_model, training.greater_is_better = name, greater


def _connect(
    display: Display, task: Task, trainer: AttnLSTMTrainer, examples: DatasetDict, encoded: DatasetDict
) -> None:
    """In the main process alone; the others are silent."""
    callbacks = display.callbacks()
    if callbacks:
        for own in (ProgressCallback, PrinterCallback):
            trainer.remove_callback(own)
    if not trainer.is_world_process_zero():
        return
    summary = task.summarize(examples, encoded, trainer.processing_class)
    if summary is not None:
        display.show_data(summary)
    for callback in callbacks:
        trainer.add_callback(callback)


def _train(task: Task, trainer: AttnLSTMTrainer, examples: DatasetDict, command: str) -> dict[str, float]:
    noted = TrainingExamples.of(task.values(examples["train"]), len(trainer.train_dataset), task.taught())
    trainer.add_callback(noted)
    if task.checkpoint is not None:
        noted.compare(task.checkpoint)
    if task.training.overwrite:
        remove_old_checkpoints(trainer)
    checkpoint, folder = None if task.checkpoint is None else str(task.checkpoint), Path(task.training.output_dir)
    try:
        with StopSignal().listening() as stop:
            trainer.add_callback(stop)
            result = trainer.train(resume_from_checkpoint=checkpoint)
            trainer.remove_callback(stop)
    except TrainingStoppedError:
        if trainer.is_world_process_zero():
            note_stop(folder, command)
        raise
    if trainer.is_world_process_zero():
        forget_stop(folder)
    return {**result.metrics, "train_samples": len(examples["train"])}


def _measured_splits(task: Task, examples: DatasetDict) -> dict[str, str]:
    """Prefix of the metrics and name of each split that is measured at the end."""
    training, needed = task.training, task.test_split
    wanted = {"eval": ("validation", training.do_eval), "test": ("test", training.do_predict)}
    splits = {prefix: split for prefix, (split, measure) in wanted.items() if measure}
    if "test" in splits and "test" not in examples:
        raise ValueError(f"--do_predict needs {needed}, or leave --do_predict out.")
    return splits | {name: name for name in task.further_splits()}


def _save(
    task: Task,
    trainer: AttnLSTMTrainer,
    examples: DatasetDict,
    metrics: dict[str, float],
    evaluations: dict[str, Any],
) -> None:
    """The model with its card, or, without a training, the metrics alone."""
    training = trainer.args
    if training.do_train:
        save_model(trainer)
    _report(task, trainer, examples, metrics, evaluations)
    if not trainer.is_world_process_zero():
        return
    if training.do_train:
        trainer.save_state()
    if training.plots:
        folder, shown = Path(training.output_dir), evaluations.get("test", evaluations.get("eval"))
        write_learning_curve(folder, trainer.state.log_history, training.metric_for_best_model)
        if shown is not None:
            task.write_pictures(folder, shown)


def _report(
    task: Task,
    trainer: AttnLSTMTrainer,
    examples: DatasetDict,
    metrics: dict[str, float],
    evaluations: dict[str, Any],
) -> None:
    """The metrics and, after a training, the card."""
    if not trainer.is_world_process_zero():
        return
    folder = Path(trainer.args.output_dir)
    folder.mkdir(parents=True, exist_ok=True)
    with written_beside(folder / METRICS_FILE) as unfinished:
        unfinished.write_text(json.dumps(metrics, indent=4, sort_keys=True), encoding="utf-8")
    if trainer.args.do_train:
        write_model_card(folder, task, trainer, examples, metrics, evaluations)

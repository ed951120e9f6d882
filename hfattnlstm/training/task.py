"""What a task supplies to the run that all tasks share."""

from __future__ import annotations

import importlib
import shlex
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from datasets import Dataset, DatasetDict
from transformers import EvalPrediction, PreTrainedModel, TrainerCallback
from transformers.trainer_utils import PredictionOutput

from .arguments import RunArguments
from .flag_effects import GivenFlags
from .flag_help import HELP, HELP_ALL, help_text
from .flags import FILE_ENDINGS, chosen_flags, flags_of, parse_flags, read_flags
from .intervals import FEW_TEXTS, Interval, as_scores
from .recipes import DEFAULT_TASK, Recipe, describe_recipes, read_recipe
from .trainer import AttnLSTMTrainer


# Name of each task, and where its class is; each is imported when it is asked for.
TASKS = {
    "classification": "classification:ClassificationTask",
    "pretraining": "pretraining:PretrainingTask",
    "forecasting": "forecasting:ForecastingTask",
    "series-classification": "series_classification:SeriesClassificationTask",
    "tagging": "tagging:TaggingTask",
    "image-text-classification": "image_text:ImageTextTask",
    "seq2seq": "seq2seq:Seq2SeqTask",
    "image-captioning": "captioning:CaptioningTask",
}
# What holds for every model of texts.
TEXT_LIMITS = (
    "It has learnt from the data above alone. On data of other kinds, other times or other languages it will do worse "
    "than the metrics say; measure it on your own first.",
    "It inherits the biases of its training data and of those who labelled them.",
)


@dataclass(frozen=True)
class Measured:
    """What a split has shown of a model.

    Attributes:
        metrics: By name, with the prefix of the split.
        details: Scores beyond single numbers, under a name such as `per_class` a row of scores each.
        evaluation: What the card and the pictures show beyond them; None for nothing.
    """

    metrics: dict[str, float]
    details: dict[str, Any]
    evaluation: Any = None


@dataclass(frozen=True)
class CardParts:
    """What a task says in the card of its model; Markdown, but for the tags.

    Attributes:
        summary: What the model is, as a sentence that goes on with how many parameters it has.
        usage: Python that uses it, with `{options}` where further arguments of the loading call stand.
        usage_note: A sentence behind the two ways to load it.
        usage_without_package: The same for who has not this package; `usage` where it is None.
        source: Name of the data, and `dataset`, its name on the Hub, if it has one there.
        data: What the model has learnt from.
        recipe: Lines `name: value`.
        limits: Sentences.
        pipeline_tag, tags: For the Hub.
        general_limits: Sentences that hold for every model of the kind.
        has_language: Whether it reads texts.
    """

    summary: str
    usage: str
    usage_note: str
    source: str
    dataset: str | None
    data: str
    recipe: dict[str, Any]
    limits: Sequence[str]
    pipeline_tag: str
    tags: Sequence[str]
    general_limits: Sequence[str] = TEXT_LIMITS
    has_language: bool = True
    usage_without_package: str | None = None


class Task(ABC):
    """One kind of problem, with the flags of one run.

    A task loads its examples, makes the processor (such as a tokenizer) and the model, encodes the examples and says
    how they are batched and scored; [`run_task`] does what is the same for all.

    Args:
        data, model, training: The flags, instances of `data_arguments`, `model_arguments` and `training_arguments`.
        given: Names of the flags that somebody chose; by default those that are not at their default.

    Attributes:
        checkpoint: The checkpoint that the run goes on from; [`run_task`] sets it before `load`.
        recipe: The recipe that the flags begin with; [`parse_task`] sets it.
    """

    name: ClassVar[str]
    # That of the subcommand which runs it.
    command_name: ClassVar[str] = "train"
    data_arguments: ClassVar[type]
    model_arguments: ClassVar[type]
    training_arguments: ClassVar[type[RunArguments]] = RunArguments
    # What trains it.
    trainer_class: ClassVar[type[AttnLSTMTrainer]] = AttnLSTMTrainer
    # Flags that go together, for the help.
    examples: ClassVar[Sequence[str]] = ()
    # What --do_predict measures on, and how that is named.
    test_split: ClassVar[str] = "a test split with labels: name one with --test_file"
    # Flags of every run that have no meaning in this task.
    meaningless: ClassVar[Set[str]] = frozenset()

    checkpoint: Path | None = None
    recipe: Recipe | None = None

    @staticmethod  # noqa: B027
    def show_progress(name: str, done: int, total: int) -> None:
        """Called in the course of long work; [`run_task`] puts that of its display here."""

    def __init__(self, data: Any, model: Any, training: RunArguments, given: frozenset[str] | None = None):
        self.data, self.model, self.training = data, model, training
        if given is None:
            given = frozenset(chosen_flags(data, type(data)()) + chosen_flags(model, type(model)())) | training.chosen
        self.given = given

    def _loaded_from(self) -> str | None:
        """The checkpoint whose weights the run begins with; None for random ones."""
        return self.model.model_name_or_path if self.checkpoint is None else str(self.checkpoint)

    def check(self) -> None:  # noqa: B027
        """Refuse flags of the task that do not fit together, before anything is loaded; all fit by default."""

    def sources(self) -> list[str]:
        """Files and folders that the run reads; none by default."""
        return []

    @abstractmethod
    def load(self) -> DatasetDict:
        """The examples: "train", "validation", and "test" if there is one."""

    def choose_recipe(self, examples: DatasetDict) -> None:  # noqa: B027
        """Called once the examples are loaded, to set flags of the training that follow from them."""

    def taught(self) -> str:
        """What changes the labels of the examples when they are encoded, as a word; nothing by default."""
        return ""

    @abstractmethod
    def make_processor(self, examples: DatasetDict) -> Any:
        """What turns examples into the model's inputs, and is saved beside it."""

    @abstractmethod
    def make_model(self, examples: DatasetDict, processor: Any) -> PreTrainedModel:
        """The model to train."""

    @abstractmethod
    def encode(self, examples: DatasetDict, processor: Any, model: PreTrainedModel) -> DatasetDict:
        """The examples as the rows that the collator takes."""

    def callbacks(self) -> Sequence[TrainerCallback]:
        """What follows the training beside what its flags ask for; called when the examples are encoded."""
        return ()

    def encode_unlabelled(self, processor: Any, model: PreTrainedModel) -> Dataset | None:
        """Rows without labels that are read beside the examples; none by default."""
        return None

    def finish(self, trainer: AttnLSTMTrainer, encoded: Any) -> dict[str, float]:
        """Called after the training, to fit what is fitted on held-out examples; nothing by default.

        Returns:
            Metrics of what was fitted.
        """
        return {}

    def compare(self, trainer: AttnLSTMTrainer, encoded: DatasetDict, splits: Mapping[str, str]) -> dict[str, float]:
        """Called when the model is saved, to measure what it is compared to; nothing by default.

        Args:
            trainer: With the model.
            encoded: Its rows.
            splits: What was measured: the name of each split by the prefix of its metrics.

        Returns:
            Further metrics.
        """
        return {}

    def further_splits(self) -> Sequence[str]:
        """Splits that are measured beside validation and test, under their own names; none by default."""
        return ()

    def learn_held_out(self) -> None:  # noqa: B027
        """Called when these have been measured: what can learn from them, too, may do so; nothing by default."""

    def summarize(self, examples: DatasetDict, encoded: DatasetDict, processor: Any) -> Any:
        """What is shown of the examples before the training; nothing by default."""
        return None

    def values(self, examples: Dataset) -> Iterator[Any]:
        """Every value of the training examples, by which a resumed run is known to have the same."""
        for name in sorted(examples.column_names):
            yield from examples[name]

    @abstractmethod
    def make_collator(self, processor: Any, model: PreTrainedModel) -> Callable[[list], dict]:
        """What makes batches of them."""

    @abstractmethod
    def make_scorer(self) -> Callable[[EvalPrediction], dict[str, float]]:
        """The `compute_metrics` of the Trainer; known once the examples are loaded."""

    def preprocess_logits(self) -> Callable[[Any, Any], Any] | None:
        """What is kept of the outputs of an evaluation, the `preprocess_logits_for_metrics` of the Trainer; all by
        default."""
        return None

    @abstractmethod
    def best_metric(self) -> tuple[str, bool]:
        """The metric that chooses the best checkpoint, and whether greater is better."""

    @abstractmethod
    def metric_directions(self) -> dict[str, bool]:
        """Every metric that can choose it, and whether greater is better; known once the examples are loaded."""

    def measure(self, trainer: AttnLSTMTrainer, rows: Any, prefix: str) -> Measured:
        """Measure a model on an encoded split.

        Args:
            trainer: With the model.
            rows: The split.
            prefix: `"eval"` or `"test"`, for the names of the metrics.
        """
        output = trainer.predict(rows, metric_key_prefix=prefix)
        metrics = {**output.metrics, **self.further_metrics(output, rows, prefix)}
        if len(rows) < FEW_TEXTS:
            metrics |= as_scores(self.intervals(output), f"{prefix}_")
        fitted = self.training.do_train and prefix == "eval"
        return Measured(metrics, self.details(output), self.evaluation(output, fitted=fitted))

    def further_metrics(self, output: PredictionOutput, rows: Any, prefix: str) -> dict[str, float]:
        """Metrics of a split beside those of the scorer; none by default."""
        return {}

    def intervals(self, output: PredictionOutput) -> dict[str, Interval]:
        """How far the scores of a split can be trusted, by name of the score; none by default."""
        return {}

    @abstractmethod
    def card_parts(self, examples: DatasetDict, processor: Any, model: PreTrainedModel) -> CardParts:
        """What the card says of this task."""

    def details(self, output: PredictionOutput) -> dict[str, Any]:
        """Scores of a split beyond single numbers, such as those of each class; none by default."""
        return {}

    def evaluation(self, output: PredictionOutput, fitted: bool = False) -> Any:
        """What the card and the pictures show of a split beyond single numbers; nothing by default.

        Args:
            output: Of the split.
            fitted: Whether [`finish`] has fitted something to this very split.
        """
        return None

    def describe(self, evaluation: Any, split: str) -> str:
        """Sections of the card on what [`measure`] found on a split, in Markdown."""
        raise NotImplementedError

    def write_pictures(self, folder: Path, evaluation: Any) -> None:  # noqa: B027
        """Draw what [`measure`] found; nothing by default."""

    @classmethod
    def left_out(cls, recipe: Recipe, flags: Set[str], model: Any, resumes: bool) -> Set[str]:
        """Flags of a recipe that other flags have made meaningless; none by default.

        Args:
            recipe: The recipe.
            flags: Those of its flags that nothing overrides.
            model: The flags of the model, with those of the recipe.
            resumes: Whether a training goes on.
        """
        return frozenset()

    @classmethod
    def kinds(cls) -> tuple[type, type, type[RunArguments]]:
        """The dataclasses of its flags."""
        return cls.data_arguments, cls.model_arguments, cls.training_arguments

    def command(self) -> str:
        """The command of the run: its recipe, and every flag that is not at its default, or at that of the recipe.

        Local files are named by their names alone.
        """
        words = ["hfattnlstm", *self.command_name.split()]
        if self.command_name == Task.command_name and self.name != DEFAULT_TASK:
            words += ["--task", self.name]
        if self.recipe is not None:
            words += ["--recipe", Path(self.recipe.name).name]
        data, model, training = parse_flags(self.kinds(), [], recipe=self.recipe)[0]
        for arguments, default in ((self.data, data), (self.model, model)):
            words += flags_of(chosen_flags(arguments, default), arguments)
        # Not what the run has made of them, which the same flags give again.
        asked, default = self.training.asked, training.asked
        names = [name for name in vars(asked) if getattr(asked, name) != getattr(default, name)]
        return shlex.join(words + flags_of(names, asked))


def find_task(name: str) -> type[Task]:
    """The class of a task.

    Raises:
        ValueError: For a name that is none of `TASKS`.

    Example:

    ```python
    >>> find_task("classification").__name__
    'ClassificationTask'
    ```
    """
    if name not in TASKS:
        raise ValueError(f"There is no task {name!r}: --task takes {', '.join(TASKS)}.")
    module, _, class_name = TASKS[name].partition(":")
    return getattr(importlib.import_module(f".{module}", __package__), class_name)


def parse_task(argv: Sequence[str], program: str | None = None, needed: str | None = None) -> Task:
    """A task with its flags, from the command line, from a JSON or YAML file, from a recipe, or from all of them.

    Args:
        argv: The arguments, without the program's name. The first may be a .json, .yaml or .yml file with the flags;
            those on the command line win. `--task`, or `task` in the file, names the task; classification without.
            `--recipe`, or `recipe` in the file, names flags to begin with, over which all others win: one of
            `hfattnlstm/recipes`, or a file of the same form.
        program: Name of the program in the help and in sentences.
        needed: A flag that the program always has, for the examples of its help.

    Raises:
        SystemExit: After `--help`, or `--help-all`.
        ValueError: For a file that cannot be read as a mapping, an unknown task or recipe, or a flag that the task has
            not.

    Example:

    ```python
    >>> task = parse_task(["recipe.yaml", "--learning_rate", "1e-3"])
    >>> task.name, task.training.learning_rate
    ('classification', 0.001)
    >>> parse_task(["recipe.yaml", "--recipe", "accurate"]).training.ema_decay
    0.998
    ```
    """
    argv = list(argv)
    file = None
    if argv and argv[0].endswith(FILE_ENDINGS) and not argv[0].startswith("-"):
        path = argv.pop(0)
        file = path, read_flags(path)
    named, argv = _take("--recipe", argv, file[1].pop("recipe", None) if file else None)
    recipe = None if named is None else read_recipe(named)
    name = recipe.values.pop("task", DEFAULT_TASK) if recipe else DEFAULT_TASK
    name, argv = _take("--task", argv, file[1].pop("task", name) if file else name)
    task = find_task(name)
    kinds = task.kinds()
    if {*HELP, *HELP_ALL} & set(argv):
        everything = bool(set(HELP_ALL) & set(argv))
        called = f"{program or Path(sys.argv[0]).name}{f' --{needed} large-model' if needed else ''}"
        print(help_text(task, called, TASKS, describe_recipes(name), everything))  # noqa: T201
        raise SystemExit(0)
    arguments, given = parse_flags(kinds, argv, program, file, recipe)
    if recipe is not None:
        applied = _applied(task, recipe, given, *arguments)
        if applied != recipe:
            recipe = applied
            arguments, given = parse_flags(kinds, argv, program, file, recipe)
    made = task(*arguments, given)
    made.recipe = recipe
    return made


def _applied(
    task: type[Task], recipe: Recipe, given: GivenFlags, data: Any, model: Any, training: RunArguments
) -> Recipe:
    """The recipe without what something else has decided."""
    if not training.do_train:
        raise ValueError(
            "--recipe has no effect beside --do_train false, which only measures: leave one of the two out."
        )
    out = task.left_out(recipe, given.of_recipe, model, training.resume_from_checkpoint is not None)
    return recipe._replace(values={name: value for name, value in recipe.values.items() if name not in out})


def _take(option: str, argv: list[str], value: Any) -> tuple[Any, list[str]]:
    """The value of an option of the command line, or what it is without, and the other words."""
    rest = []
    words = iter(argv)
    for word in words:
        if word == option:
            value = next(words, "")
        elif word.startswith(f"{option}="):
            value = word.removeprefix(f"{option}=")
        else:
            rest.append(word)
    return value, rest

"""The flags that every task has; their defaults are the default recipe."""

# No `from __future__ import annotations`: HfArgumentParser wants types, and TrainingArguments' are types.
import argparse
import math
from dataclasses import MISSING, Field, dataclass, field, fields
from types import SimpleNamespace
from typing import Any, ClassVar, Literal, NamedTuple

import torch
from transformers import TrainingArguments


class Passes(NamedTuple):
    """As many epochs as give so many updates, within bounds."""

    updates: int
    least: int
    most: int


# Few texts need more passes: 4 are best for 20,000 reviews, about 12 for 5,000 questions. Beside adversarial texts,
# and for a pretrained model, half of that is enough; 400 texts go on learning for 40 beside adversarial ones, where
# others have long learnt them by heart. With both, 20,000 reviews go on teaching for three.
PASSES, FEW_PASSES, PATIENT_PASSES = Passes(2_000, 4, 20), Passes(1_000, 2, 40), Passes(1_000, 3, 40)
# Fewer where an epoch has fewer: each shall have a loss to show.
MOST_LOGGING_STEPS = 100


def _default(item: Field) -> Any:
    return item.default if item.default_factory is MISSING else item.default_factory()


class OneSpelling(argparse.Action):
    """Takes the value of a flag that has two names, and refuses both names in one command line."""

    def __call__(self, parser: Any, namespace: argparse.Namespace, values: Any, option_string: Any = None) -> None:
        """Called by argparse for each time that the flag is there."""
        spelling = option_string.lstrip("-").replace("-", "_")
        used = namespace.__dict__.setdefault("_spellings", {}).setdefault(self.dest, spelling)
        if used != spelling:
            raise argparse.ArgumentError(None, f"--{used} and --{spelling} are the same: give one of them")
        setattr(namespace, self.dest, values)


def flag(default: Any, text: str, short: str | None = None) -> Any:
    """A field of a dataclass of flags.

    Args:
        default: Its default.
        text: What `--help` says of it.
        short: A second, short name of the flag.
    """
    metadata: dict[str, Any] = {"help": text}
    if short is not None:
        metadata |= {"aliases": [f"--{short}"], "action": OneSpelling}
    if isinstance(default, list):
        return field(default_factory=lambda: list(default), metadata=metadata)
    return field(default=default, metadata=metadata)


def short_name(item: Field) -> str | None:
    """The short name that [`flag`] gave to a field, if it has one."""
    return item.metadata["aliases"][0].removeprefix("--") if item.metadata.get("action") is OneSpelling else None


@dataclass
class RunArguments(TrainingArguments):
    """`TrainingArguments` with the defaults of the recipe, and a few flags more; every task has them."""

    output_dir: str | None = flag("outputs", "Folder for the model, its card, metrics and checkpoints.")
    do_train: bool = flag(True, "Whether to train.")
    do_eval: bool = flag(True, "Whether to measure on the validation split.")
    plots: bool = flag(False, "Whether to draw the learning curve and what was measured in output_dir, as PNG files.")
    language: list[str] | None = flag(None, "For the card: languages of the texts as codes, such as en, or pt-BR.")
    license: str | None = flag(None, "For the card: licence of the model as the Hub calls it, such as apache-2.0.")
    overwrite: bool = flag(False, "Whether to replace what output_dir holds of a model.")
    num_train_epochs: float | None = flag(
        None,
        "Passes over the training texts; without, as many as give 1,000 updates, but 2 to 40, and for a new model "
        "without adversarial texts, as many as give 2,000, but 4 to 20.",
        "epochs",
    )
    learning_rate: float = flag(2e-3, "Highest learning rate.", "lr")
    per_device_train_batch_size: int = flag(32, "Texts in a training batch of one process.", "batch_size")
    per_device_eval_batch_size: int = flag(64, "Texts in an evaluation batch of one process.")
    train_sampling_strategy: Literal["group_by_length", "random", "sequential"] = flag(
        "group_by_length", "group_by_length, random or sequential."
    )
    eval_strategy: Literal["no", "steps", "epoch"] = flag("epoch", "When to evaluate: no, steps or epoch.")
    save_strategy: Literal["no", "steps", "epoch", "best"] = flag(
        "epoch", "When to save a checkpoint: no, steps, epoch or best."
    )
    save_total_limit: int | None = flag(2, "Checkpoints that are kept.")
    load_best_model_at_end: bool = flag(True, "Whether the best checkpoint is kept, not the last.")
    logging_steps: float | None = flag(
        None, "Steps between two lines of the log; without, 100, or those of an epoch where they are fewer."
    )
    max_grad_value: float | None = flag(
        None,
        "Clip every entry of the gradients to this, after max_grad_norm, as Keras' clipvalue does; "
        "no measurement here speaks for it.",
    )
    ema_decay: float | None = flag(
        None,
        "Keep an average of the weights, of which a step leaves so much: 0.998 looks back on about 500 steps; "
        "without, or with 0, the weights themselves.",
    )
    rdrop_alpha: float = flag(
        0.0, "Weight of R-Drop: each text is read twice, and its two predictions are drawn to each other."
    )
    adversarial_epsilon: float | None = flag(
        None,
        "Also learn from texts whose embeddings are moved to where the loss is highest, so many standard deviations; "
        "without, 5 in a classification, but 0 for a pretrained model and 10,000 texts or more.",
    )
    vat_epsilon: float = flag(
        0.0,
        "Virtual adversarial training: the prediction must stay where the embeddings of a text are moved to change it "
        "the most, so many standard deviations; also of --unlabelled_file. 5 is usual.",
    )
    conicity_coef: float = flag(
        0.0,
        "Weight of the conicity, how alike the states of a text are; 0.5 is usual. For attention that says more of "
        "what the model does.",
    )
    tying_coef: float = flag(
        0.0, "Weight of how far the state of a token is from its embedding, in squares; to the same end."
    )
    alignment_coef: float = flag(
        0.0, "Weight of how far the attention is from what the gradient says of each token; to the same end."
    )
    rationale_coef: float | None = flag(
        None, "Weight of how far the attention is from the words of --rationale_column; 1 where there are any."
    )
    erasure_coef: float = flag(
        0.0,
        "Weight of erasure: without the tokens of most attention the model should know nothing, and of these alone "
        "the label; to the same end, 1 is usual.",
    )
    layer_lr_decay: float = flag(
        1.0, "What is left of the learning rate one layer further from the head; below 1 for a pretrained model."
    )
    unfreeze_steps: int = flag(
        0,
        "Steps in which the head learns alone, and then each layer before the next one; 0 for all from the start.",
    )
    embedding_updates: Literal["auto", "lazy", "dense"] = flag(
        "auto", "auto, lazy or dense: whether to update only rows of the embedding in use; equal up to rounding."
    )
    early_stopping_patience: int | None = flag(None, "Stop after so many evaluations that are no better.")

    # Whether the model was pretrained; a task says so once it knows.
    begins_pretrained: ClassVar[bool] = False
    # What a row of a batch is called.
    unit: ClassVar[str] = "texts"
    # How long is trained where nobody says, beside adversarial texts or for a pretrained model, and with both.
    passes: ClassVar[tuple[Passes, ...]] = (PASSES, FEW_PASSES, PATIENT_PASSES)

    def __post_init__(self) -> None:
        # What was asked for, before one flag decides about another.
        self.asked = SimpleNamespace(**{item.name: getattr(self, item.name) for item in fields(self) if item.init})
        if not torch.accelerator.is_available():
            # Else several processes would train on their own, each without a word on its share of the texts.
            self.use_cpu = True
            # Pinned memory is for the way to an accelerator; without one torch warns about it.
            self.dataloader_pin_memory = False
        if self.embedding_updates not in ("auto", "lazy", "dense"):
            raise ValueError(f"embedding_updates must be auto, lazy or dense, got {self.embedding_updates!r}.")
        self.epochs_are_chosen = self.num_train_epochs is not None
        # Until the number of texts is known.
        self.num_train_epochs = PASSES.least if self.num_train_epochs is None else self.num_train_epochs
        self.logging_is_chosen = self.logging_steps is not None
        self.logging_steps = MOST_LOGGING_STEPS if self.logging_steps is None else self.logging_steps
        if not (self.do_eval and self.do_train):
            # The base class would evaluate all the same.
            self.eval_strategy = "no"
        if self.eval_strategy == "no" or self.save_strategy == "no" or not self.do_train:
            self.load_best_model_at_end = False
        if self.load_best_model_at_end and self.save_strategy not in ("best", self.eval_strategy):
            evaluate, save = (getattr(value, "value", value) for value in (self.eval_strategy, self.save_strategy))
            raise ValueError(
                f"--eval_strategy {evaluate} and --save_strategy {save} must be the same, to keep the best "
                "checkpoint: make them equal, or add --load_best_model_at_end false."
            )
        # The base class fills in "loss"; the run chooses a metric that suits the problem instead.
        self.metric_is_chosen = self.metric_for_best_model is not None
        super().__post_init__()

    @property
    def chosen(self) -> frozenset[str]:
        """The flags that were asked to be other than by default; where the run is written is none of them."""
        names = [
            item.name
            for item in fields(self)
            if item.init and getattr(self.asked, item.name) != _default(item) and item.name != "output_dir"
        ]
        return frozenset(names)

    def choose_steps(self, texts: int) -> None:
        """Set `num_train_epochs` and `logging_steps`, where they were not given, for a number of training texts."""
        updates = texts / (self.train_batch_size * max(self.world_size, 1) * self.gradient_accumulation_steps)
        if not self.logging_is_chosen:
            self.logging_steps = min(MOST_LOGGING_STEPS, max(math.ceil(updates), 1))
        if not self.epochs_are_chosen:
            hastened = bool(self.adversarial_epsilon) + self.begins_pretrained
            passes = self.passes[hastened]
            wanted = math.ceil(passes.updates / max(updates, 1))
            self.num_train_epochs = min(max(wanted, passes.least), passes.most)

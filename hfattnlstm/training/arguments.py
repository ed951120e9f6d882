"""The flags of a classification run; their defaults are the default recipe."""

# No `from __future__ import annotations`: HfArgumentParser wants types, and TrainingArguments' are types.
import difflib
import json
import math
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

import torch
import yaml
from transformers import HfArgumentParser, TrainingArguments

from ..modeling.configuration_attnlstm import AttnLSTMConfig


# Few texts need more passes: 4 are best for 20,000 reviews, about 12 for 5,000 questions.
LEAST_UPDATES = 2_000
LEAST_EPOCHS, MOST_EPOCHS = 4, 20


def _flag(default: Any, text: str) -> Any:
    if isinstance(default, list):
        return field(default_factory=lambda: list(default), metadata={"help": text})
    return field(default=default, metadata={"help": text})


@dataclass
class DataArguments:
    """Where the texts come from."""

    dataset: str | None = _flag(None, "Hub name, folder in the Hub's layout, or csv, tsv, json lines or parquet file.")
    dataset_config: str | None = _flag(None, "Configuration of the data set, where it has several.")
    train_file: str | None = _flag(None, "File with the training texts, in place of dataset.")
    validation_file: str | None = _flag(None, "File with the validation texts; taken from the training texts without.")
    test_file: str | None = _flag(None, "File with the test texts.")
    text_column: str | None = _flag(None, "Column with the texts; found by its name without.")
    label_column: str | None = _flag(None, "Column with the labels; found by its name without.")
    problem_type: str | None = _flag(
        None, "single_label_classification, multi_label_classification or regression; seen from the labels without."
    )
    validation_size: float = _flag(0.1, "Share of the training texts held out where there is no validation split.")
    split_seed: int = _flag(42, "Seed of that split, so that other seeds are compared on the same texts.")
    max_train_samples: int | None = _flag(None, "Train on this many texts, chosen by split_seed, to try things out.")


@dataclass
class ModelArguments:
    """Which tokenizer and model are trained."""

    model_name_or_path: str | None = _flag(None, "Checkpoint to go on from, with its tokenizer; a new model without.")
    tokenizer_name: str | None = _flag(None, "Tokenizer to use; one is trained on the training texts without.")
    tokenizer_kind: Literal["word", "wordpiece", "bpe", "unigram", "char"] = _flag(
        "word", "Kind of tokenizer trained."
    )
    vocab_size: int = _flag(30_000, "Tokens that it has at most.")
    lowercase: bool = _flag(True, "Whether it lower-cases.")
    max_length: int = _flag(400, "Tokens that are read of a text.")
    truncation: Literal["head", "tail", "head_tail"] = _flag("head_tail", "Which part of a longer text is read.")
    word_vectors: str | None = _flag(None, "GloVe or word2vec file to start the embedding from.")
    embedding_size: int = _flag(128, "Width of the embedding.")
    hidden_size: int = _flag(256, "Width of the states, both directions together.")
    num_hidden_layers: int = _flag(1, "LSTM layers.")
    bidirectional: bool = _flag(True, "Whether the layers also read from the end.")
    direction_merge: Literal["concat", "sum", "mean", "weighted"] = _flag("concat", "How two directions become one.")
    residual: bool = _flag(False, "Whether a layer's input is added to its output.")
    hidden_dropout_prob: float = _flag(0.3, "Dropout between layers.")
    embedding_dropout: float = _flag(0.3, "Dropout on the embeddings.")
    locked_dropout: bool = _flag(True, "Whether these drop the same units at every token of a text.")
    word_dropout: float = _flag(0.1, "Share of the tokens left out in training.")
    classifier_pooling: list[str] = _flag(["attention", "max"], "One or several of attention, mean, max, last, sum.")
    pooler_score: Literal["additive", "linear", "dot", "general", "diagonal_dot"] = _flag(
        "additive", "Score of the attention."
    )
    pooler_size: int | None = _flag(None, "Inner width of the score; hidden_size without.")
    pooler_num_heads: int = _flag(1, "Attention heads.")
    pooler_temperature: float = _flag(1.0, "Divides the scores.")
    pooler_normalizer: Literal["softmax", "sparsemax", "entmax15"] = _flag("softmax", "Scores to weights.")
    pooler_l2_coef: float = _flag(0.0, "Penalty on the squared weights.")
    pooler_entropy_coef: float = _flag(0.0, "Penalty on the entropy of the weights.")
    pooler_diversity_coef: float = _flag(0.0, "Penalty on heads that look at the same words.")
    classifier_hidden_size: int | None = _flag(None, "Width of a hidden layer before the logits.")
    classifier_dropout: float = _flag(0.3, "Dropout before the logits.")
    class_weights: list[str] | None = _flag(None, '"balanced", or one number for each label in their order.')
    initializer_range: float = _flag(0.1, "Standard deviation of the initial embedding.")


@dataclass
class ClassificationTrainingArguments(TrainingArguments):
    """`TrainingArguments` with the defaults of the recipe, and a few flags more."""

    output_dir: str | None = _flag("outputs", "Folder for the model, its card, the metrics and the checkpoints.")
    do_train: bool = _flag(True, "Whether to train.")
    do_eval: bool = _flag(True, "Whether to measure the model on the validation split at the end.")
    num_train_epochs: float | None = _flag(
        None, "Passes over the training texts; without, as many as give 2,000 updates, but 4 to 20."
    )
    learning_rate: float = _flag(2e-3, "Highest learning rate.")
    per_device_train_batch_size: int = _flag(32, "Texts in a training batch of one process.")
    per_device_eval_batch_size: int = _flag(64, "Texts in an evaluation batch of one process.")
    train_sampling_strategy: str = _flag("group_by_length", "group_by_length, random or sequential.")
    eval_strategy: str = _flag("epoch", "When to evaluate: no, steps or epoch.")
    save_strategy: str = _flag("epoch", "When to save a checkpoint: no, steps, epoch or best.")
    save_total_limit: int | None = _flag(2, "Checkpoints that are kept.")
    load_best_model_at_end: bool = _flag(True, "Whether the best checkpoint is kept in the end, not the last.")
    logging_steps: float = _flag(100, "Steps between two lines of the log.")
    max_grad_value: float | None = _flag(None, "Clip every entry of the gradients to this, after max_grad_norm.")
    embedding_updates: str = _flag(
        "auto", "auto, lazy or dense: whether to update only rows of the embedding in use; equal up to rounding."
    )
    early_stopping_patience: int | None = _flag(
        None, "Stop after this many evaluations without a better metric_for_best_model."
    )

    def __post_init__(self) -> None:
        if not torch.accelerator.is_available():
            # Else several processes would train on their own, each without a word on its share of the texts.
            self.use_cpu = True
            # Pinned memory is for the way to an accelerator; without one torch warns about it.
            self.dataloader_pin_memory = False
        if self.embedding_updates not in ("auto", "lazy", "dense"):
            raise ValueError(f"embedding_updates must be auto, lazy or dense, got {self.embedding_updates!r}.")
        self.epochs_are_chosen = self.num_train_epochs is not None
        # Until the number of texts is known.
        self.num_train_epochs = LEAST_EPOCHS if self.num_train_epochs is None else self.num_train_epochs
        if self.eval_strategy == "no" or self.save_strategy == "no" or not self.do_train:
            self.load_best_model_at_end = False
        # The base class fills in "loss"; the run chooses a metric that suits the problem instead.
        self.metric_is_chosen = self.metric_for_best_model is not None
        super().__post_init__()

    def choose_epochs(self, texts: int) -> None:
        """Set `num_train_epochs`, where it was not given, for a number of training texts."""
        if not self.epochs_are_chosen:
            updates = texts / (self.train_batch_size * max(self.world_size, 1) * self.gradient_accumulation_steps)
            self.num_train_epochs = min(max(math.ceil(LEAST_UPDATES / max(updates, 1)), LEAST_EPOCHS), MOST_EPOCHS)


# Where a run happens, or what follows from the other flags.
_NOT_IN_COMMAND = (
    *("output_dir", "logging_dir", "push_to_hub", "hub_model_id", "hub_token", "resume_from_checkpoint", "report_to"),
    *("disable_tqdm", "metric_for_best_model", "greater_is_better", "use_cpu", "local_rank", "run_name"),
)

_KINDS = (DataArguments, ModelArguments, ClassificationTrainingArguments)
ClassificationArguments = tuple[DataArguments, ModelArguments, ClassificationTrainingArguments]


def parse_arguments(argv: Sequence[str], program: str | None = None) -> ClassificationArguments:
    """Flags of a classification run from the command line, from a JSON or YAML file, or from both.

    Args:
        argv: The arguments, without the program's name. The first may be a .json, .yaml or .yml file with the flags;
            those on the command line win.
        program: Name of the program in the usage line.

    Raises:
        ValueError: For a file that cannot be read as a mapping, or a flag that does not exist.

    Example:

    ```python
    >>> data, model, training = parse_arguments(["recipe.yaml", "--learning_rate", "1e-3"])
    >>> training.learning_rate
    0.001
    ```
    """
    parser = HfArgumentParser(_KINDS, prog=program)
    argv = list(argv)
    if argv and argv[0].endswith((".json", ".yaml", ".yml")):
        path = argv.pop(0)
        parser.set_defaults(**_read_flags(path))
    *arguments, unknown = parser.parse_args_into_dataclasses(argv, return_remaining_strings=True)
    if unknown:
        raise ValueError(f"The command line has {_unknown_flag(unknown[0].removeprefix('--'))}")
    return tuple(arguments)


def _read_flags(path: str) -> dict[str, Any]:
    try:
        text = Path(path).read_text(encoding="utf-8")
        values = json.loads(text) if path.endswith(".json") else yaml.safe_load(text)
    except OSError as error:
        raise ValueError(f"The file of flags {path} cannot be read: {error.strerror}.") from None
    except (ValueError, yaml.YAMLError) as error:
        raise ValueError(f"The file of flags {path} is not valid: {' '.join(str(error).split())}.") from None
    if not isinstance(values, dict):
        raise ValueError(f"The file of flags {path} must hold a mapping from flags to values.")
    for name in values:
        if name not in _known_flags():
            raise ValueError(f"The file of flags {path} has {_unknown_flag(name)}")
    return {name: _typed(name, value) for name, value in values.items()}


def _known_flags() -> set[str]:
    return {flag.name for kind in _KINDS for flag in fields(kind)}


def _unknown_flag(name: str) -> str:
    nearest = difflib.get_close_matches(name, _known_flags(), n=1)
    return f"the unknown flag {name!r}" + (f": did you mean {nearest[0]!r}?" if nearest else "; see --help.")


def _typed(name: str, value: Any) -> Any:
    """YAML reads 1e-3 as a string, unlike everybody else."""
    for kind in _KINDS:
        for flag in fields(kind):
            if flag.name == name and isinstance(value, str) and isinstance(flag.default, float):
                return float(value)
    return value


def config_overrides(arguments: ModelArguments) -> dict[str, Any]:
    """The flags that are fields of [`AttnLSTMConfig`], as its keyword arguments; class weights are left out."""
    names = {item.name for item in fields(AttnLSTMConfig)} & {item.name for item in fields(ModelArguments)}
    values = {name: getattr(arguments, name) for name in names - {"class_weights", "vocab_size"}}
    poolings = values["classifier_pooling"]
    values["classifier_pooling"] = poolings[0] if len(poolings) == 1 else poolings
    return values


def command_line(data: DataArguments, model: ModelArguments, training: ClassificationTrainingArguments) -> str:
    """The command of a run: every flag that is not at its default, with the names of local files for their paths."""
    words = ["hfattnlstm", "train"]
    defaults = (DataArguments(), ModelArguments(), ClassificationTrainingArguments(training.output_dir))
    for arguments, default in zip((data, model, training), defaults):
        for flag in fields(arguments):
            value = getattr(arguments, flag.name)
            if value == getattr(default, flag.name) or flag.name in _NOT_IN_COMMAND:
                continue
            values = value if isinstance(value, list) else [value]
            words += [f"--{flag.name}", *(_shown(item) for item in values)]
    return shlex.join(words)


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return json.dumps(value)
    value = str(getattr(value, "value", value))
    return Path(value).name if Path(value).exists() else value

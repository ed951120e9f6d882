"""What `--help` says of the flags of a task: examples, then each flag on a line or two, in groups."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterable, Sequence, Set
from dataclasses import MISSING, Field, fields
from enum import Enum
from typing import Any, Literal, get_args, get_origin, get_type_hints

from transformers import TrainingArguments

from .arguments import short_name


HELP = ("-h", "--help")
HELP_ALL = ("--help-all", "--help_all")
_NARROWEST, _WIDEST = 40, 100
# The flags begin here, and what is said of them there.
_INDENT, _COLUMN = 2, 27
# The groups that are not one whole dataclass.
_GROUPS = {
    "Tokenizer": ("tokenizer_name", "tokenizer_kind", "vocab_size", "lowercase", "max_length", "truncation"),
    "Output": (
        *("output_dir", "overwrite", "save_strategy", "save_total_limit", "load_best_model_at_end", "logging_steps"),
        *("plots", "language", "license"),
    ),
}
_ORDER = ("Data", "Model", "Tokenizer", "Training", "Output")
_OF_TRANSFORMERS = "Of transformers' TrainingArguments"
# What stands for a value where there is no default.
_PLACEHOLDERS = {
    "_file": "FILE",
    "_column": "COLUMN",
    "_dir": "FOLDER",
    "_path": "MODEL",
    "word_vectors": "FILE",
    "teacher": "MODEL",
}


def help_text(
    task: Any,
    program: str,
    tasks: Iterable[str],
    recipes: Iterable[tuple[str, str]],
    everything: bool,
) -> str:
    """The help of a task.

    Args:
        task: Whose flags these are, a subclass of `Task`.
        program: The name of the command.
        tasks: The names of all tasks.
        recipes: Names and descriptions.
        everything: Whether the flags are shown, too, that the run only inherits from `TrainingArguments`.

    Returns:
        Text that fits the terminal, of 40 to 100 columns.
    """
    groups = _grouped(task.kinds(), task.meaningless)
    inherited = groups.pop(_OF_TRANSFORMERS)
    parts = [_opening(program, task.name, task.examples), _recipes(recipes)]
    shown = {**groups, _OF_TRANSFORMERS: inherited} if everything else groups
    parts += [_group(title, flags) for title, flags in shown.items() if flags]
    rest = [flag_line("--task NAME", f"The task: {', '.join(tasks)}.")]
    if not everything:
        more = f"Show the {len(inherited)} flags of transformers' TrainingArguments, too, such as --seed and --bf16."
        rest.append(flag_line("--help-all", more))
    return "\n\n".join([*parts, "Other\n" + "\n".join(rest)])


def _width() -> int:
    return min(max(shutil.get_terminal_size().columns, _NARROWEST), _WIDEST)


def _opening(program: str, task: str, examples: Iterable[str]) -> str:
    shown = "\n".join(f"  {program} {words}" for words in examples)
    text = (
        f"The flags of the task {task}. Each stands with its default, or in capitals with what it takes; a JSON or "
        "YAML file may come first with the same flags."
    )
    return f"usage: {program} [FLAGS.yaml] [--flag value ...]\n\nExamples\n{shown}\n\n{textwrap.fill(text, _width())}"


def _recipes(recipes: Iterable[tuple[str, str]]) -> str:
    text = "Begin with the flags of one of these, or of a YAML or JSON file; all others win over them."
    return "\n".join(["Recipes", flag_line("--recipe NAME", text), *(flag_line(*recipe) for recipe in recipes)])


def _grouped(kinds: Sequence[type], left_out: Set[str]) -> dict[str, list[tuple[Field, Any]]]:
    """Fields and types by the title of their group."""
    data, model, run = kinds
    named = {name: title for title, names in _GROUPS.items() for name in names}
    own_kinds = [kind for kind in run.__mro__ if issubclass(kind, TrainingArguments) and kind is not TrainingArguments]
    own_names = {name for kind in own_kinds for name in kind.__annotations__}
    inherited = {item.name for item in fields(TrainingArguments)} - own_names
    groups: dict[str, list[tuple[Field, Any]]] = {title: [] for title in (*_ORDER, _OF_TRANSFORMERS)}
    for kind, title in ((data, "Data"), (model, "Model"), (run, "Training")):
        hints = get_type_hints(kind)
        for item in fields(kind):
            if item.init and item.name not in left_out:
                own = _OF_TRANSFORMERS if kind is run and item.name in inherited else named.get(item.name, title)
                groups[own].append((item, hints[item.name]))
    return groups


def _group(title: str, flags: Sequence[tuple[Field, Any]]) -> str:
    return "\n".join([title, *(_flag(item, hint) for item, hint in flags)])


def _flag(item: Field, hint: Any) -> str:
    short = short_name(item)
    text = " ".join(item.metadata.get("help", "").split())
    missing = [str(choice) for choice in _choices(hint) if str(choice) not in text]
    if missing:
        text = f"{text.rstrip('.')}: {', '.join(map(str, _choices(hint)))}."
    if short is not None:
        text = f"{text.rstrip('.')}; or --{item.name}."
    return flag_line(f"--{short or item.name} {_value(item, hint)}", text)


def flag_line(flag: str, text: str) -> str:
    """A flag and what is said of it, wrapped to the terminal."""
    width = _width()
    column = _COLUMN if width > 2 * _COLUMN else 2 * _INDENT
    # A long flag pushes the first words aside, which takes fewer lines than a line of its own.
    start = f"{' ' * _INDENT}{flag}".ljust(column - 2) + "  "
    own_line = len(start) + len(text.split(" ")[0]) > width
    words = textwrap.TextWrapper(
        width,
        initial_indent=" " * column if own_line else start,
        subsequent_indent=" " * column,
        break_on_hyphens=False,
        break_long_words=False,
    )
    return (f"{start.rstrip()}\n" if own_line else "") + words.fill(text)


def _choices(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) is Literal else ()


def _value(item: Field, hint: Any) -> str:
    """The default as it is written on the command line, or what stands for a value."""
    default = item.default if item.default_factory is MISSING else item.default_factory()
    default = default.value if isinstance(default, Enum) else default
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, list):
        return " ".join(map(str, default))
    return _placeholder(item.name, hint) if default in (None, MISSING, "") else str(default)


def _placeholder(name: str, hint: Any) -> str:
    kinds = {*get_args(hint), hint}
    for kind, shown in ((bool, "true"), (int, "N"), (float, "X")):
        if kind in kinds and str not in kinds:
            return shown
    return next((shown for ending, shown in _PLACEHOLDERS.items() if name.endswith(ending)), "NAME")

"""Options that several subcommands have: how they are declared, and which values they take."""

from __future__ import annotations

import argparse

from ..modeling.configuration_base import MULTI_LABEL


def add_model(parser: argparse.ArgumentParser, also: str = "") -> None:
    """Let a subcommand take a trained model as its first argument.

    Args:
        parser: That of the subcommand.
        also: What it may be beside, as the help names it.
    """
    parser.add_argument(
        "model", help=f"folder or Hub name of a trained model, or attnlstm-imdb, which comes with the package{also}"
    )


def add_text_column(parser: argparse.ArgumentParser) -> None:
    """Let a subcommand that has a model take the columns of a table."""
    parser.add_argument(
        "--text_column",
        nargs="+",
        help="column with the texts, or several that are read together; the model's own or found by its name without",
    )


def add_beams(parser: argparse.ArgumentParser) -> None:
    """Let a subcommand that takes models that write say how they do."""
    parser.add_argument("--num_beams", type=int, help="of a model that writes, how many beams; its own number without")
    parser.add_argument(
        "--copy_unknown",
        action="store_const",
        const=True,
        help="of a model that writes, copy words that are not known from where it looks",
    )


def add_tokens_column(parser: argparse.ArgumentParser) -> None:
    """Let a subcommand that takes taggers, too, take the column of their words."""
    parser.add_argument(
        "--tokens_column", help="of a tagger, column with the lists of words; found by its name without"
    )


# What models do, and those which do it.
LABELS, TAGS, TEXTS = "labels texts", "tags words", "writes texts"
_WHO = {LABELS: "models that label texts", TAGS: "taggers", TEXTS: "models that write texts"}
# Flags that are for one kind of models alone.
_FLAGS_OF = {
    LABELS: ("top_k", "threshold", "level", "dtype"),
    TAGS: ("tokens_column", "tagging_scheme"),
    TEXTS: (
        *("num_beams", "copy_unknown", "source_column", "target_column", "target_file"),
        *("bleu_tokenize", "bleu_lowercase"),
    ),
}


def check_flags_of_kind(parsed: argparse.Namespace, kind: str, *also: str) -> None:
    """Refuse flags that are for other kinds of models.

    Args:
        parsed: The command line.
        kind: What the model does: `LABELS`, `TAGS` or `TEXTS`.
        also: Further flags that are not for it.

    Raises:
        ValueError: Names the flag.
    """
    others = {name: who for who, names in _FLAGS_OF.items() if who != kind for name in names}
    for name in (*others, *also):
        if getattr(parsed, name, None) is not None:
            meant = _WHO[others.get(name, LABELS)]
            mend = _OTHER_COLUMN[kind] if name == "text_column" else "leave it out"
            raise ValueError(f"--{name} is for {meant}, and {parsed.model} {kind}: {mend}.")


_OTHER_COLUMN = {
    TAGS: "name the column of the words with --tokens_column",
    TEXTS: "name the columns with --source_column and --target_column",
}


def check_at_least(parsed: argparse.Namespace, **least: int) -> None:
    """Refuse numbers that are too small.

    Args:
        parsed: The command line; an option that was not given is None.
        least: By the name of the option, its least value.

    Raises:
        ValueError: Names the option.

    Example:

    ```python
    >>> check_at_least(parser.parse_args(["my-model", "--batch_size", "0"]), batch_size=1)
    Traceback (most recent call last):
    ValueError: --batch_size must be at least 1, got 0.
    ```
    """
    for name, bound in least.items():
        value = getattr(parsed, name)
        if value is not None and value < bound:
            raise ValueError(f"--{name} must be at least {bound}, got {value}.")


def check_threshold(parsed: argparse.Namespace) -> None:
    """Refuse a threshold that is no probability.

    Raises:
        ValueError: Names it.
    """
    if parsed.threshold is not None and not 0 < parsed.threshold < 1:
        raise ValueError(f"--threshold is a probability and must lie between 0 and 1, got {parsed.threshold:g}.")


def check_threshold_suits(parsed: argparse.Namespace, problem_type: str) -> None:
    """Refuse a threshold for a model that gives one label a text.

    Raises:
        ValueError: Names the model.
    """
    if parsed.threshold is not None and problem_type != MULTI_LABEL:
        raise ValueError(f"--threshold is for models with several labels a text, and {parsed.model} gives one.")

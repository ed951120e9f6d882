"""Flags from the command line and from files, and back to a command."""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import yaml
from transformers import HfArgumentParser


FILE_ENDINGS = (".json", ".yaml", ".yml")
# What stands for a flag that was not given, and for which the default of its dataclass holds.
_NOT_GIVEN = object()
# Where a run happens, or what follows from the other flags.
_NOT_IN_COMMAND = (
    *("output_dir", "logging_dir", "push_to_hub", "hub_model_id", "hub_token", "resume_from_checkpoint", "report_to"),
    *("disable_tqdm", "metric_for_best_model", "greater_is_better", "use_cpu", "local_rank", "run_name"),
)


def read_flags(path: str) -> dict[str, Any]:
    """The flags in a JSON or YAML file, as they stand there.

    Raises:
        ValueError: For a file that cannot be read as a mapping.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
        values = json.loads(text) if path.endswith(".json") else yaml.safe_load(text)
    except OSError as error:
        raise ValueError(f"The file of flags {path} cannot be read: {error.strerror}.") from None
    except (ValueError, yaml.YAMLError) as error:
        raise ValueError(f"The file of flags {path} is not valid: {' '.join(str(error).split())}.") from None
    if not isinstance(values, dict):
        raise ValueError(f"The file of flags {path} must hold a mapping from flags to values.")
    return values


def parse_flags(
    kinds: Sequence[type],
    argv: Sequence[str],
    program: str | None = None,
    file: tuple[str, dict] | None = None,
    description: str | None = None,
) -> tuple[list[Any], frozenset[str]]:
    """Fill dataclasses of flags.

    Args:
        kinds: The dataclasses.
        argv: The command line, without the program's name.
        program: Name of the program in the usage line.
        file: Name and content of a file of flags; those on the command line win.
        description: What `--help` says first.

    Returns:
        An instance of each, and the names of the flags that were given.

    Raises:
        ValueError: For a flag that does not exist.

    Example:

    ```python
    >>> (training,), given = parse_flags([RunArguments], ["--learning_rate", "1e-3"])
    >>> training.learning_rate, given
    (0.001, frozenset({'learning_rate'}))
    ```
    """
    parser = HfArgumentParser(kinds, prog=program, description=description)
    known = {flag.name for kind in kinds for flag in fields(kind)}
    given = {}
    if file is not None:
        path, values = file
        for name in values:
            if name not in known:
                raise ValueError(f"The file of flags {path} has {_unknown_flag(name, known)}")
        given = {name: _typed(kinds, name, value) for name, value in values.items()}
    # `--help` shows the defaults, which are hidden for the parsing itself.
    if not {"-h", "--help"} & set(argv):
        parser.set_defaults(**dict.fromkeys(known, _NOT_GIVEN))
    parsed, unknown = parser.parse_known_args(list(argv))
    if unknown:
        raise ValueError(f"The command line has {_unknown_flag(unknown[0].removeprefix('--'), known)}")
    given |= {name: value for name, value in vars(parsed).items() if value is not _NOT_GIVEN and name in known}
    return [_filled(kind, given) for kind in kinds], frozenset(given)


def _filled(kind: type, given: dict[str, Any]) -> Any:
    return kind(**{flag.name: given[flag.name] for flag in fields(kind) if flag.init and flag.name in given})


def _unknown_flag(name: str, known: set[str]) -> str:
    nearest = difflib.get_close_matches(name, known, n=1)
    return f"the unknown flag {name!r}" + (f": did you mean {nearest[0]!r}?" if nearest else "; see --help.")


def _typed(kinds: Sequence[type], name: str, value: Any) -> Any:
    """YAML reads 1e-3 as a string, unlike everybody else."""
    for kind in kinds:
        for flag in fields(kind):
            if flag.name == name and isinstance(value, str) and isinstance(flag.default, float):
                return float(value)
    return value


def chosen_flags(arguments: Any, default: Any) -> list[str]:
    """Names of the fields of a dataclass of flags in which it differs from another one, such as its defaults."""
    return [flag.name for flag in fields(arguments) if getattr(arguments, flag.name) != getattr(default, flag.name)]


def flags_of(arguments: Any, default: Any) -> list[str]:
    """The flags of a dataclass that are not at their default, as words of a command; files by their names alone."""
    words = []
    for name in chosen_flags(arguments, default):
        if name not in _NOT_IN_COMMAND:
            value = getattr(arguments, name)
            values = value if isinstance(value, list) else [value]
            words += [f"--{name}", *(_shown(item) for item in values)]
    return words


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return json.dumps(value)
    value = str(getattr(value, "value", value))
    return Path(value).name if Path(value).exists() else value

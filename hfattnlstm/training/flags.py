"""Flags from the command line and from files, and back to a command."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, get_type_hints

import yaml
from transformers import HfArgumentParser

from .._parsing import SentenceParser, did_you_mean
from .arguments import short_name
from .flag_effects import GivenFlags
from .flag_values import check_mapping, check_number, convert


FILE_ENDINGS = (".json", ".yaml", ".yml")
# What stands for a flag that was not given, and for which the default of its dataclass holds.
_NOT_GIVEN = object()
# Where a run happens.
_NOT_IN_COMMAND = (
    *("output_dir", "logging_dir", "push_to_hub", "hub_model_id", "hub_token", "resume_from_checkpoint", "report_to"),
    *("disable_tqdm", "use_cpu", "local_rank", "run_name", "overwrite"),
)


class _Parser(SentenceParser, HfArgumentParser):
    """Flags from dataclasses; what is wrong is told in one sentence."""


class _Loader(yaml.SafeLoader):
    """Refuses a mapping that has a key twice; plain YAML takes the last one without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        _refuse_twice(keys)
        return super().construct_mapping(node, deep)


def _refuse_twice(keys: Sequence[Any]) -> None:
    for key in keys:
        if keys.count(key) > 1:
            raise ValueError(f"{key} stands there twice")


def _mapping(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    _refuse_twice([key for key, _ in pairs])
    return dict(pairs)


def read_flags(path: str) -> dict[str, Any]:
    """The flags in a JSON or YAML file, as they stand there.

    Raises:
        ValueError: For a file that cannot be read as a mapping, or names a flag twice.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
        is_json = path.endswith(".json")
        values = json.loads(text, object_pairs_hook=_mapping) if is_json else yaml.load(text, _Loader)
    except OSError as error:
        raise ValueError(f"The file of flags {path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise ValueError(f"The file of flags {path} is not UTF-8 text: save it as UTF-8.") from None
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
    recipe: tuple[str, str, dict] | None = None,
) -> tuple[list[Any], GivenFlags]:
    """Fill dataclasses of flags.

    Args:
        kinds: The dataclasses.
        argv: The command line, without the program's name.
        program: Name of the program, for the sentences.
        file: Name and content of a file of flags; those on the command line win.
        recipe: Name, path and content of a recipe; those of the file win.

    Returns:
        An instance of each, and the names of the flags that were given.

    Raises:
        ValueError: For a flag that does not exist or is given by both of its names, a value of the wrong type, or a
            number out of bounds.

    Example:

    ```python
    >>> (training,), given = parse_flags([RunArguments], ["--learning_rate", "1e-3"])
    >>> training.learning_rate, sorted(given)
    (0.001, ['learning_rate'])
    ```
    """
    parser = _Parser(kinds, prog=program, add_help=False)
    known = {flag.name for kind in kinds for flag in fields(kind)}
    short = {short_name(flag): flag.name for kind in kinds for flag in fields(kind) if short_name(flag) is not None}
    hints = {name: hint for kind in kinds for name, hint in get_type_hints(kind).items()}
    name, *recipe_file = recipe or (None,)
    of_recipe = _of_file(*recipe_file, hints, known, short) if recipe_file else {}
    given = _of_file(*file, hints, known, short) if file is not None else {}
    parser.set_defaults(**dict.fromkeys(known, _NOT_GIVEN))
    parsed, unknown = parser.parse_known_args(list(argv))
    if unknown:
        raise ValueError(_not_understood(unknown[0], {*known, *short}))
    given |= {name: value for name, value in vars(parsed).items() if value is not _NOT_GIVEN and name in known}
    values = of_recipe | given
    for flag, value in values.items():
        check_number(flag, value)
        check_mapping(flag, value, hints[flag])
    return [_filled(kind, values) for kind in kinds], GivenFlags(values, set(of_recipe) - set(given), name)


def _of_file(
    path: str, values: dict[str, Any], hints: dict[str, Any], known: set[str], short: dict[str, str]
) -> dict[str, Any]:
    """The flags of a file by their full names, in their types."""
    values = _in_full(values, short, path)
    for name in values:
        if name not in known:
            raise ValueError(f"The file of flags {path} has {_unknown_flag(str(name), {*known, *short})}")
    found = {name: convert(name, value, hints[name], path) for name, value in values.items()}
    # Null stands for what holds without the flag.
    return {name: value for name, value in found.items() if value is not None}


def _filled(kind: type, given: dict[str, Any]) -> Any:
    return kind(**{flag.name: given[flag.name] for flag in fields(kind) if flag.init and flag.name in given})


def _in_full(values: dict[str, Any], short: dict[str, str], path: str) -> dict[str, Any]:
    """The flags of a file with the short names replaced."""
    for name, full in short.items():
        if name in values and full in values:
            raise ValueError(f"The file of flags {path} has {name} and {full}, which are the same: leave one out.")
    return {short.get(name, name): value for name, value in values.items()}


def _not_understood(word: str, known: set[str]) -> str:
    if word.startswith("-"):
        return f"The command line has {_unknown_flag(word.lstrip('-').partition('=')[0], known)}"
    return f"The command line has {word!r}, which belongs to no flag: put its flag before it, or leave it out."


def _unknown_flag(name: str, known: set[str]) -> str:
    return f"the unknown flag {name!r}{did_you_mean(name, known) or '; see --help.'}"


def chosen_flags(arguments: Any, default: Any) -> list[str]:
    """Names of the fields of a dataclass of flags in which it differs from another one, such as its defaults."""
    return [flag.name for flag in fields(arguments) if getattr(arguments, flag.name) != getattr(default, flag.name)]


def flags_of(names: Iterable[str], values: Any) -> list[str]:
    """Flags with their values as words of a command; files by their names alone.

    Example:

    ```python
    >>> flags_of(["seed"], RunArguments("out", seed=7))
    ['--seed', '7']
    ```
    """
    words = []
    for name in names:
        if name not in _NOT_IN_COMMAND:
            value = getattr(values, name)
            listed = value if isinstance(value, list) else [value]
            words += [f"--{name}", *(_shown(item) for item in listed)]
    return words


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return json.dumps(value)
    value = str(getattr(value, "value", value))
    return Path(value).name if Path(value).exists() else value

"""Recipes: flags that go together, by a name, or in a file of one's own."""

from __future__ import annotations

from collections.abc import Set
from pathlib import Path
from typing import Any, NamedTuple

from transformers.utils import logging

from .._parsing import did_you_mean
from .classification_arguments import NEW_TOKENIZER_FLAGS
from .classification_flags import MODEL_EFFECTS, flags_as_config
from .flag_effects import tell_without_effect
from .flags import FILE_ENDINGS, read_flags


logger = logging.get_logger(__name__)

# That of flags which name none.
DEFAULT_TASK = "classification"
FOLDER = Path(__file__).parents[1] / "recipes"


class Recipe(NamedTuple):
    """Flags that go together.

    Attributes:
        name: How `--recipe` names it: one that ships with the package, or a file.
        path: Its file.
        values: The flags, as they stand there.
    """

    name: str
    path: str
    values: dict[str, Any]


def recipe_names() -> list[str]:
    """Those that ship with the package.

    Example:

    ```python
    >>> "fast" in recipe_names()
    True
    ```
    """
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def read_recipe(name: Any) -> Recipe:
    """A recipe by its name, or from a YAML or JSON file.

    Args:
        name: What `--recipe` says.

    Raises:
        ValueError: For a name that does not exist, and a file that cannot be read as a mapping, or names a recipe.

    Example:

    ```python
    >>> read_recipe("fast").values["hidden_size"]
    128
    ```
    """
    if name in recipe_names():
        path = str(FOLDER / f"{name}.yaml")
    elif isinstance(name, str) and name.endswith(FILE_ENDINGS):
        path = name
    else:
        raise ValueError(
            f"There is no recipe {name!r}{did_you_mean(str(name), recipe_names()) or ':'} --recipe takes "
            f"{', '.join(recipe_names())}, or the path of a YAML or JSON file."
        )
    values = read_flags(path)
    values.pop("description", None)
    if "recipe" in values:
        raise ValueError(f"The recipe {path} names another recipe: copy its flags in place of that.")
    return Recipe(name, path, values)


def describe_recipes(task: str) -> list[tuple[str, str]]:
    """Name and description of those that ship with the package for a task: `description`, or the first comment."""
    own = [name for name in recipe_names() if read_recipe(name).values.get("task", DEFAULT_TASK) == task]
    return [(name, _description(FOLDER / f"{name}.yaml")) for name in own]


def _description(path: Path) -> str:
    described = read_flags(str(path)).get("description")
    comments = (line for line in path.read_text("utf-8").splitlines() if line.startswith("#"))
    return str(described or next(comments, "")).lstrip("# ")


def left_out(recipe: Recipe, flags: Set[str], model: Any, resumes: bool) -> frozenset[str]:
    """Flags of a recipe which the user's flags have made meaningless, each told by a warning.

    Args:
        recipe: The recipe.
        flags: Those of its flags that nothing overrides, by their full names.
        model: The flags of the model, with those of the recipe.
        resumes: Whether a training goes on, whose checkpoint must agree with all flags.
    """
    out: set[str] = set()
    for other, names in _decided(model).items():
        if found := sorted(names & flags - out):
            named = " and ".join(f"--{flag}" for flag in found)
            logger.warning(
                "--%s has decided what the recipe %s says of %s: that is left out.", other, recipe.name, named
            )
            out |= set(found)
    if model.model_name_or_path is None and not resumes:
        out |= tell_without_effect(MODEL_EFFECTS, flags, recipe.name, flags_as_config(model))
    return frozenset(out)


def _decided(model: Any) -> dict[str, Set[str]]:
    """Flags that have no meaning beside one that loads something, by its name.

    What a checkpoint has decided of the model is known when it is read; see [`StartingPoint`].
    """
    loading = ("tokenizer_name", "model_name_or_path")
    return {other: set(NEW_TOKENIZER_FLAGS) for other in loading if getattr(model, other) is not None}

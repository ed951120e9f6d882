"""The flags of `hfattnlstm forecast train` as arguments of a [`Forecaster`], and the task that they make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Literal, get_args, get_origin, get_type_hints

from transformers import TrainerCallback

from .._parsing import did_you_mean
from .display import Display
from .forecasting import ForecastingTask


def checked_flag(name: str, value: Any) -> Any:
    """A flag as the command line takes it: a list where it takes several values, one of its choices.

    Raises:
        ValueError: There is no such flag, or it does not take the value.

    Example:

    ```python
    >>> checked_flag("known_columns", "price")
    ['price']
    ```
    """
    hints = {each: hint for kind in ForecastingTask.kinds() for each, hint in get_type_hints(kind).items()}
    known = {item.name for kind in ForecastingTask.kinds() for item in fields(kind) if item.init}
    if name not in known:
        raise ValueError(f"A Forecaster has no {name!r}{did_you_mean(name, known) or '.'}")
    parts = get_args(hints[name]) or (hints[name],)
    if get_origin(hints[name]) is Literal and value not in parts:
        raise ValueError(f"{name} takes one of {', '.join(map(str, parts))}, not {value!r}.")
    several = get_origin(hints[name]) is list or any(get_origin(part) is list for part in parts)
    if not several and isinstance(value, (list, tuple, set)):
        raise ValueError(f"{name} takes one value, not {value!r}.")
    if not several or value is None:
        return value
    return [value] if isinstance(value, (str, int, float)) else list(value)


class Silence(Display):
    """Neither bars nor lines; `run` has the log."""

    def callbacks(self) -> list[TrainerCallback]:
        """One that does nothing, in place of the Trainer's own."""
        return [TrainerCallback()]


def task_of(flags: Mapping[str, Any], folder: str, source: Any) -> ForecastingTask:
    """The task of training on a table, or on what else there is.

    Args:
        flags: By name.
        folder: Where the model is written.
        source: What [`load_series`] takes.
    """
    values = {"output_dir": folder, "disable_tqdm": True, **flags}
    kinds = ForecastingTask.kinds()
    names = [{item.name for item in fields(kind) if item.init} for kind in kinds]
    parts = [
        kind(**{name: value for name, value in values.items() if name in own})
        for kind, own in zip(kinds, names, strict=True)
    ]
    task = ForecastingTask(*parts, frozenset(values) - {"output_dir", "disable_tqdm"})
    task.source = source
    return task

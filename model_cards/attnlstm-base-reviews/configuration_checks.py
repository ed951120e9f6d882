"""Checks of single values of a configuration, each with the sentence that names the mend."""

from __future__ import annotations

import difflib
import numbers
from collections.abc import Iterable
from typing import Any

from transformers.utils import logging


logger = logging.get_logger(__name__)

MAX_LABELS = 100_000
# Those of a number that stands for an n-gram and is not negative.
NGRAM_BITS = 63


def largest_vocabulary(longest: int) -> int:
    """How many tokens there can be, so that every n-gram of up to `longest` tokens has a number of its own.

    Example:

    ```python
    >>> largest_vocabulary(3)
    2097151
    ```
    """
    return 2 ** (NGRAM_BITS // longest) - 1


def check_positive(name: str, value: float) -> None:
    """ValueError for what is not above 0."""
    if not value > 0:
        raise ValueError(f"{name} must be above 0, got {value}.")


def check_threshold(threshold: Any, num_labels: int | None = None) -> None:
    """ValueError for what is no probability between 0 and 1, nor a list of such, one for each of the labels."""
    several = isinstance(threshold, (list, tuple))
    if several and num_labels not in (None, len(threshold)):
        raise ValueError(f"threshold has {len(threshold)} numbers for {num_labels} labels: give one a label.")
    for value in threshold if several else [threshold]:
        if not isinstance(value, numbers.Real) or not 0 < value < 1:
            raise ValueError(f"threshold is a probability and must lie between 0 and 1, got {value!r}.")


def check_num_labels(num_labels: Any) -> None:
    """ValueError for what is no number of labels, or an absurd one; None is no number yet."""
    if num_labels is None:
        return
    if not isinstance(num_labels, int) or not 1 <= num_labels <= MAX_LABELS:
        raise ValueError(f"num_labels must be a whole number between 1 and {MAX_LABELS:,}, got {num_labels!r}.")


def whole_numbers(what: str, values: Iterable[Any]) -> list[int]:
    """As integers; JSON makes strings of them. ValueError, beginning with `what`, where they are none."""
    try:
        return [int(value) for value in values]
    except (TypeError, ValueError):
        raise ValueError(f"{what[0].upper()}{what[1:]} must be whole numbers, got {list(values)[:10]}.") from None


def _nearest(key: str, known: Iterable[str], cutoff: float) -> str | None:
    public = [name for name in known if not name.startswith("_")]
    return next(iter(difflib.get_close_matches(key, public, n=1, cutoff=cutoff)), None)


def check_unknown(config: str, given: Iterable[str], known: frozenset[str]) -> None:
    """Refuse slips in a configuration of this name; what resembles no field may come from a later transformers, and is
    told."""
    for key in given:
        if key in known or key.startswith("_"):
            continue
        if nearest := _nearest(key, known, cutoff=0.6):
            raise ValueError(f"{config} has no field {key!r}: did you mean {nearest!r}?")
        logger.warning("%s has no field %r: it is kept, and nothing here reads it.", config, key)


def refuse_misspelt(given: Iterable[str], known: frozenset[str]) -> None:
    """ValueError for what is one of the known names but for a slip."""
    for key in given:
        if key not in known and (nearest := _nearest(key, known, cutoff=0.85)):
            raise ValueError(f"The configuration has the unknown field {key!r}: did you mean {nearest!r}?")

"""Where the training part of series ends, and the validation and test parts: always one after the other."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from .._wording import option
from .series import Panel
from .series_times import later_times


# Share of a series that is held out, where nobody says how much.
HELD_OUT = 0.1


class SplitEnds(NamedTuple):
    """Of each series, the number of steps up to the end of each part.

    Attributes:
        train, validation: Of the parts that are learnt from, and chosen by.
        test: Of the one that is measured in the end; None for none.
    """

    train: list[int]
    validation: list[int]
    test: list[int] | None


def split_series(
    panel: Panel, horizon: int, borders: Sequence[str] | None = None, validation_size: float | None = None
) -> SplitEnds:
    """Cut series into parts.

    Args:
        panel: The series.
        horizon: Steps that are forecast; a part has at least as many of some series.
        borders: Where the parts end: two for training and validation, or three with a test part behind them. All are
            numbers of rows, or shares of each series, such as `0.7`, or times, which begin the next part. A series
            that ends or begins between them takes part in what it reaches.
        validation_size: Without borders, the share of each series that is held out at its end; a tenth, when it is
            None.

    Raises:
        ValueError: For borders that are no such, do not rise, or leave too little for a part.

    Example:

    ```python
    >>> split_series(panel, 24, ["140", "180", "240"])
    SplitEnds(train=[140], validation=[180], test=[240])
    ```
    """
    if validation_size is not None and not 0 < validation_size < 1:
        raise ValueError(f"{option('validation_size', validation_size)} is no share between 0 and 1, such as 0.1.")
    if borders is not None:
        parts = _parts_at(borders, panel)
        _check_parts(parts, borders, panel, horizon)
        return SplitEnds(parts[0], parts[1], parts[2] if len(parts) > 2 else None)
    held_out = [max(round((validation_size or HELD_OUT) * len(each)), horizon) for each in panel]
    train = [max(len(each) - count, 0) for each, count in zip(panel, held_out, strict=True)]
    if not any(train):
        raise ValueError(
            f"No series of {panel.origin} is long enough: the longest has {_longest(panel):,} steps, of which "
            f"{horizon} are held out for every forecast of {horizon}. Take a smaller horizon, or longer series."
        )
    return SplitEnds(train, [len(each) for each in panel], None)


def _longest(panel: Panel) -> int:
    return max(map(len, panel))


def _parts_at(borders: Sequence[str], panel: Panel) -> list[list[int]]:
    """Of each border, how many steps of each series lie before it: all of a series that ends earlier."""
    if len(borders) not in (2, 3):
        raise ValueError(f"{option('borders')} takes two or three: where training, validation and test end.")
    texts = [str(border) for border in borders]
    if all(text.isdigit() for text in texts):
        beyond = next((int(text) for text in texts if int(text) > _longest(panel)), None)
        if beyond is not None:
            raise ValueError(
                f"{option('borders')} names row {beyond:,}, but {panel.origin} has {_longest(panel):,}: lower it."
            )
        places = list(map(int, texts))
        parts = [[min(place, len(each)) for each in panel] for place in places]
    elif all(map(_is_share, texts)):
        places = list(map(float, texts))
        parts = [[round(place * len(each)) for each in panel] for place in places]
    else:
        places = [_time(text, panel) for text in texts]
        known = [later_times(each.start, panel.frequency, range(len(each))) for each in panel]
        parts = [[int(np.searchsorted(times, place)) for times in known] for place in places]
    rising = all(earlier < later for earlier, later in itertools.pairwise(places))
    if not rising or any(earlier == later for earlier, later in itertools.pairwise(parts)):
        raise ValueError(f"{option('borders', ' '.join(texts))} must rise, and lie within the series.")
    return parts


def _check_parts(parts: list[list[int]], borders: Sequence[str], panel: Panel, horizon: int) -> None:
    """Every part has a series that is long enough in it, which need not be the same one."""
    if not any(parts[0]):
        raise ValueError(f"{option('borders')} leaves nothing to learn from before {str(borders[0])!r}: move it.")
    for name, before, after in zip(("validation", "test"), parts, parts[1:]):
        longest = max(later - earlier for earlier, later in zip(before, after, strict=True))
        if longest < horizon:
            raise ValueError(
                f"{option('borders', ' '.join(map(str, borders)))} leaves {longest} steps in the {name} part of "
                f"{panel.origin}, and {horizon} are forecast: move them apart, or take a smaller horizon."
            )


def _time(border: str, panel: Panel) -> np.datetime64:
    """The time of a border, which has its year in front, or its month in letters: 01.03.2024 may be two days."""
    if panel.frequency is None:
        raise ValueError(
            f"{option('borders')} takes numbers of rows, or shares such as 0.7, for series without times, not "
            f"{border!r}."
        )
    try:
        time = pd.Timestamp(border) if re.match(r"\d{4}\b|.*[A-Za-z]{3}", border) else pd.NaT
        if time is not pd.NaT:
            return (time if time.tz is None else time.tz_convert(None)).as_unit("ns").to_datetime64()
    except ValueError:
        pass
    raise ValueError(
        f"{option('borders')} takes numbers of rows, shares such as 0.7, or times such as 2024-12-31, not {border!r}."
    )


def _is_share(border: str) -> bool:
    try:
        return 0 < float(border) <= 1
    except ValueError:
        return False

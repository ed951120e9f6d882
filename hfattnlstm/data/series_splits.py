"""Where the training part of series ends, and the validation and test parts: always one after the other."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from .._wording import option
from .series import Panel, Series
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
        horizon: Steps that are forecast; a part has at least as many.
        borders: Where the parts end: two for training and validation, or three with a test part behind them. All are
            numbers of rows, or shares of each series, such as `0.7`, or times, which begin the next part.
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
    ends = [_ends_of(each, panel, horizon, borders, validation_size) for each in panel]
    if not any(part[0] > 0 and part[1] - part[0] >= horizon for part in ends):
        longest = max(map(len, panel))
        raise ValueError(
            f"No series of {panel.origin} is long enough: the longest has {longest:,} steps, of which {horizon} are "
            f"held out for every forecast of {horizon}. Take a smaller horizon, or longer series."
        )
    parts = [list(part) for part in zip(*ends, strict=True)]
    return SplitEnds(parts[0], parts[1], parts[2] if len(parts) > 2 else None)


def _ends_of(
    series: Series, panel: Panel, horizon: int, borders: Sequence[str] | None, validation_size: float | None
) -> tuple[int, ...]:
    if borders is None:
        held_out = max(round((validation_size or HELD_OUT) * len(series)), horizon)
        return max(len(series) - held_out, 0), len(series)
    if len(borders) not in (2, 3):
        raise ValueError(f"{option('borders')} takes two or three: where training, validation and test end.")
    places = [_place(str(border), borders, series, panel) for border in borders]
    if any(later <= earlier for earlier, later in itertools.pairwise(places)):
        if len(panel) > 1 and places[0] >= len(series):
            return tuple(places)
        raise ValueError(f"{option('borders', ' '.join(map(str, borders)))} must rise, and lie within the series.")
    return tuple(places)


def _place(border: str, borders: Sequence[str], series: Series, panel: Panel) -> int:
    if all(str(each).isdigit() for each in borders):
        place = int(border)
        if len(panel) == 1 and place > len(series):
            raise ValueError(
                f"{option('borders')} names row {place:,}, but {panel.origin} has {len(series):,}: lower it."
            )
        return min(place, len(series))
    if all(_is_share(str(each)) for each in borders):
        return round(float(border) * len(series))
    if panel.frequency is None:
        raise ValueError(
            f"{option('borders')} takes numbers of rows, or shares such as 0.7, for series without times, not "
            f"{border!r}."
        )
    try:
        time = pd.Timestamp(border).to_datetime64()
    except ValueError:
        raise ValueError(
            f"{option('borders')} takes numbers of rows, shares such as 0.7, or times such as 2024-12-31, not "
            f"{border!r}."
        ) from None
    return int(np.searchsorted(later_times(series.start, panel.frequency, range(len(series))), time))


def _is_share(border: str) -> bool:
    try:
        return 0 < float(border) <= 1
    except ValueError:
        return False

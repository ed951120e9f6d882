"""Made series, and calls that forecast them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from .timing import Call, Prepare


@dataclass(frozen=True)
class Setting:
    """What is forecast.

    Attributes:
        series, steps: Of the table that all learn from.
        lookback, horizon: Steps that are read, and forecast.
        many: Series of the larger table that is forecast.
        seed: Of the values.
    """

    series: int = 7
    steps: int = 8_640
    lookback: int = 720
    horizon: int = 96
    many: int = 1_000
    seed: int = 0

    def training_table(self) -> pd.DataFrame:
        """What all learn from."""
        return series_table(self.series, self.steps, self.seed)

    def past(self, series: int) -> pd.DataFrame:
        """So many other series, as far as they are read."""
        return series_table(series, self.lookback, self.seed + 1)


class Counted:
    """In place of texts: numbers of windows, or of tables, of which candidates make what they need."""

    def sample(self, count: int) -> range:
        """So many."""
        return range(count)


def series_table(count: int, steps: int, seed: int = 0) -> pd.DataFrame:
    """A long table of series with a day, a week and noise, and a value an hour.

    Example:

    ```python
    >>> series_table(2, 3)["unique_id"].tolist()
    ['series 0', 'series 0', 'series 0', 'series 1', 'series 1', 'series 1']
    ```
    """
    generator = np.random.default_rng((seed, count, steps))
    hours = np.arange(steps) + generator.uniform(0, 24, (count, 1))
    values = 10 + 3 * np.sin(hours / 24 * 2 * np.pi) + np.sin(hours / 168 * 2 * np.pi)
    values += generator.normal(0, 0.5, values.shape)
    return pd.DataFrame(
        {
            "unique_id": np.repeat([f"series {number}" for number in range(count)], steps),
            "ds": np.tile(pd.date_range("2024-01-01", periods=steps, freq="h"), count),
            "y": values.astype(np.float32).ravel(),
        }
    )


def calls_of(predict: Callable[[pd.DataFrame], pd.DataFrame], setting: Setting, series: int) -> Prepare:
    """Calls that forecast a table of so many series, as often as they are told."""
    return partial(_call, predict, setting.past(series), series * setting.horizon)


def _call(
    predict: Callable[[pd.DataFrame], pd.DataFrame], frame: pd.DataFrame, expected_rows: int, tables: range
) -> Call:
    def call() -> int:
        for _ in tables:
            found = predict(frame)
            if len(found) != expected_rows:
                raise RuntimeError(f"{len(found):,} values were forecast instead of {expected_rows:,}")
        return len(tables)

    return call

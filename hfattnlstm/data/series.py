"""Time series in memory: their values on an even grid of times, and what is known beside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from .._parsing import did_you_mean


@dataclass(frozen=True)
class Series:
    """One series of one or more channels.

    Attributes:
        name: What it is called; empty where there is only one, and no column with names.
        start: When it begins: a time as numpy has it, or a whole number.
        values: (length, channels) float64, so that the changes of large values last until these are scaled; NaN where
            a value is missing.
        features: (length or more, features) float64, what is known of each step, beyond the last value too.
        static_real: (numbers,) float64, what is known of the series.
        static_categories: What is known of it as names.
    """

    name: str
    start: np.datetime64 | int
    values: np.ndarray
    features: np.ndarray | None = None
    static_real: np.ndarray | None = None
    static_categories: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.values)

    def until(self, end: int) -> Series:
        """Its first `end` values; what is known beyond them stays."""
        return replace(self, values=self.values[:end])


@dataclass(frozen=True)
class SeriesColumns:
    """Where a table has what; the same columns are read again for a forecast.

    Attributes:
        id: The column with the names of the series; None where there is one series.
        time: That with the times; None where the values stand behind each other.
        targets: What is forecast, a channel each.
        features: What is known in advance of every step.
        static_real, static_categories: What is known of a series, as numbers and as names.
    """

    id: str | None = None
    time: str | None = None
    targets: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    static_real: tuple[str, ...] = ()
    static_categories: tuple[str, ...] = ()


@dataclass(frozen=True)
class Panel:
    """Series of the same channels and frequency.

    Attributes:
        series: The series.
        columns: Where they come from.
        frequency: Time between two steps, as pandas writes it, such as `"h"` or `"MS"`; None for whole numbers.
        origin: What the series were read from, as a sentence names it.
    """

    series: Sequence[Series]
    columns: SeriesColumns
    frequency: str | None = None
    origin: str = "the series"
    _by_name: Mapping[str, Series] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self._by_name.update({each.name: each for each in self.series})

    def __len__(self) -> int:
        return len(self.series)

    def __iter__(self) -> Iterator[Series]:
        return iter(self.series)

    def __getitem__(self, name: str) -> Series:
        return self._by_name[name]

    @property
    def channels(self) -> tuple[str, ...]:
        """What is forecast."""
        return self.columns.targets

    def only(self, names: Sequence[str] | None) -> Panel:
        """The series of these names; all where there are none.

        Raises:
            ValueError: There is no series of one of the names.
        """
        if names is None:
            return self
        for name in names:
            if name not in self._by_name:
                raise ValueError(
                    f"There is no series {name!r} in {self.origin}{did_you_mean(name, self._by_name) or '.'}"
                )
        return replace(self, series=[self._by_name[name] for name in names], _by_name={})

    def until(self, ends: Sequence[int]) -> Panel:
        """The beginning of each series, up to its number of steps in `ends`."""
        cut = [each.until(end) for each, end in zip(self.series, ends, strict=True)]
        return replace(self, series=cut, _by_name={})


def row_name(series: str, channel: str, channels: int) -> str:
    """What a row is of: the series, the channel of the only one, or both."""
    if not series:
        return channel
    return series if channels == 1 else f"{series}/{channel}"

"""What is shown of series before a training, with what was found of them rather than said."""

from __future__ import annotations

from collections.abc import Mapping, Sized
from dataclasses import dataclass
from typing import Any

import numpy as np

from .series import Panel
from .series_processor import SeriesProcessor
from .series_splits import SplitEnds
from .series_times import later_times


# Names of channels that fit in a line.
_SHOWN = 8


@dataclass(frozen=True)
class SeriesSummary:
    """What series hold.

    Attributes:
        series, channels: How many series, and names of the channels.
        frequency: Time between two steps; None for whole numbers.
        season: Steps of a season.
        steps: From the shortest to the longest series.
        missing: Share of the values that are missing.
        parts: By name, when each part ends in the longest series, and its windows.
        past, future: Steps that the model reads, and forecasts.
        front: How it reads them.
    """

    series: int
    channels: tuple[str, ...]
    frequency: str | None
    season: int
    steps: tuple[int, int]
    missing: float
    parts: dict[str, tuple[str, int]]
    past: int
    future: int
    front: str

    def lines(self) -> list[str]:
        """As they are printed."""
        shortest, longest = self.steps
        steps = f"{longest:,}" if shortest == longest else f"{shortest:,} to {longest:,}"
        names = ", ".join(self.channels[:_SHOWN]) + (", …" if len(self.channels) > _SHOWN else "")
        every = f"every {self.frequency}" if self.frequency else "without times"
        # A few of many are not none.
        share = f"{self.missing:.1%}" if self.missing >= 0.0005 else "below 0.1%"
        missing = f"  missing: {share}".replace("%", " %") if self.missing else ""
        season = f"season: {self.season} steps" if self.season > 1 else "no season"
        return [
            f"series: {self.series:,}  values: {names}  steps: {steps}, {every}  {season}{missing}",
            *(f"{name:11}until {end}  windows: {windows:,}" for name, (end, windows) in self.parts.items()),
            f"reads {self.past} steps {self.front}, forecasts {self.future}",
        ]


def summarize_series(
    panel: Panel, ends: SplitEnds, windows: Mapping[str, Sized], processor: SeriesProcessor, config: Any
) -> SeriesSummary:
    """Say what a training is made of.

    Args:
        panel: The series.
        ends: Where their parts end.
        windows: Of each part.
        processor: Of the model.
        config: Of the model.
    """
    lengths = list(map(len, panel))
    longest = lengths.index(max(lengths))
    parts = {
        name: (_shown_end(panel, longest, places[longest]), len(windows[name]))
        for name, places in ends._asdict().items()
        if places is not None
    }
    known = sum(int(np.isfinite(each.values).sum()) for each in panel)
    return SeriesSummary(
        len(panel),
        panel.channels,
        panel.frequency,
        processor.season_length,
        (min(lengths), max(lengths)),
        1 - known / sum(each.values.size for each in panel),
        parts,
        config.context_length,
        config.prediction_length,
        shown_front(config),
    )


def shown_front(config: Any) -> str:
    """How a model reads the values, as a sentence says it."""
    if config.front == "segments":
        return f"in segments of {config.segment_length}"
    return f"by a convolution in windows of {config.conv_pool_size}"


def _shown_end(panel: Panel, series: int, step: int) -> str:
    if panel.frequency is None:
        return f"step {step:,}"
    last = later_times(panel.series[series].start, panel.frequency, [max(step - 1, 0)])[0]
    return f"step {step:,}, {np.datetime_as_string(last, unit='m').replace('T', ' ')}"

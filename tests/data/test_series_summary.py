"""What is shown of series before a training."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from hfattnlstm import AttnLSTMForecasterConfig
from hfattnlstm.data.series import Panel, Series, SeriesColumns
from hfattnlstm.data.series_processor import SeriesProcessor
from hfattnlstm.data.series_splits import SplitEnds, split_series
from hfattnlstm.data.series_summary import SeriesSummary, shown_front, summarize_series


CONFIG = SimpleNamespace(context_length=96, prediction_length=24, front="segments", segment_length=12)


def panel(*lengths: int, channels: int = 1, frequency: str | None = "h", start: str = "2024-01-01") -> Panel:
    begin = 0 if frequency is None else np.datetime64(start, "ns")
    names = [f"S{number}" for number in range(len(lengths))]
    parts = [
        Series(name, begin, np.zeros((length, channels), np.float32))
        for name, length in zip(names, lengths, strict=True)
    ]
    targets = tuple(f"channel {number}" for number in range(channels))
    return Panel(parts, SeriesColumns("unique_id", "ds", targets), frequency)


def summarize(source: Panel, ends: SplitEnds, season: int = 24, **windows: int) -> SeriesSummary:
    sized = {name: range(count) for name, count in windows.items()}
    return summarize_series(source, ends, sized, SeriesProcessor(season_length=season), CONFIG)


def test_one_series_of_hours() -> None:
    source = panel(2400, channels=2)
    ends = split_series(source, 24, ["0.7", "0.8", "1"])
    summary = summarize(source, ends, train=1500, validation=217, test=457)
    assert (summary.series, summary.channels, summary.frequency, summary.season) == (1, source.channels, "h", 24)
    assert (summary.steps, summary.missing) == ((2400, 2400), 0)
    assert (summary.past, summary.future, summary.front) == (96, 24, "in segments of 12")
    assert summary.lines() == [
        "series: 1  values: channel 0, channel 1  steps: 2,400, every h  season: 24 steps",
        "train      until step 1,680, 2024-03-10 23:00  windows: 1,500",
        "validation until step 1,920, 2024-03-20 23:00  windows: 217",
        "test       until step 2,400, 2024-04-09 23:00  windows: 457",
        "reads 96 steps in segments of 12, forecasts 24",
    ]


def test_a_convolution_reads_windows() -> None:
    config = AttnLSTMForecasterConfig(front="convolution", conv_pool_size=3)
    assert shown_front(config) == "by a convolution in windows of 3"


def test_series_of_different_lengths_without_a_test_part() -> None:
    source = panel(30, 1000, 200, frequency="D", start="2023-12-31")
    summary = summarize(source, split_series(source, 7), season=7, train=12_345, validation=3)
    # The parts are those of the longest series.
    assert summary.parts == {
        "train": ("step 900, 2026-06-17 00:00", 12_345),
        "validation": ("step 1,000, 2026-09-25 00:00", 3),
    }
    assert summary.steps == (30, 1000)
    assert "series: 3  values: channel 0  steps: 30 to 1,000, every D  season: 7 steps" in summary.lines()


def test_series_without_times_and_without_a_season() -> None:
    source = panel(1500, frequency=None)
    lines = summarize(source, split_series(source, 24), season=1, train=2, validation=1).lines()
    assert lines[0] == "series: 1  values: channel 0  steps: 1,500, without times  no season"
    assert lines[1] == "train      until step 1,350  windows: 2"


@pytest.mark.parametrize("frequency", ["15min", "B", "W", "MS", "ME", "QS", "YS"])
def test_the_end_of_a_part_is_its_last_time(frequency: str) -> None:
    times = pd.date_range("2024-01-01", periods=40, freq=frequency)
    source = panel(40, frequency=frequency, start=str(times[0]))
    summary = summarize(source, SplitEnds([30], [40], None), train=1, validation=1)
    ends = {name: end for name, (end, _) in summary.parts.items()}
    assert ends == {
        "train": f"step 30, {times[29].strftime('%Y-%m-%d %H:%M')}",
        "validation": f"step 40, {times[39].strftime('%Y-%m-%d %H:%M')}",
    }


def test_many_channels_are_shortened() -> None:
    source = panel(100, channels=9)
    line = summarize(source, split_series(source, 5), train=1, validation=1).lines()[0]
    assert "channel 6, channel 7, …  steps" in line
    source = panel(100, channels=8)
    assert "channel 7  steps" in summarize(source, split_series(source, 5), train=1, validation=1).lines()[0]


@pytest.mark.parametrize("count, shown", [(0, ""), (25, "  missing: 12.5 %"), (200, "  missing: 100.0 %")])
def test_the_share_that_is_missing(count: int, shown: str) -> None:
    source = panel(60, 40, channels=2)
    for index in range(count):
        series = source.series[index % 2 if index < 160 else 0]
        place = np.flatnonzero(np.isfinite(series.values))[0]
        series.values.ravel()[place] = np.nan
    summary = summarize(source, split_series(source, 5), train=1, validation=1)
    assert summary.missing == pytest.approx(count / 200)
    assert summary.lines()[0].endswith(f"season: 24 steps{shown}")


def test_a_few_missing_values_are_not_none() -> None:
    source = panel(10_000)
    source.series[0].values[3] = np.nan
    line = summarize(source, split_series(source, 5), train=1, validation=1).lines()[0]
    assert "missing" in line
    assert "missing: 0.0 %" not in line

"""Made-up series, and forecasters so small that they are trained in a moment."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from hfattnlstm import (
    AttnLSTMForecasterConfig,
    AttnLSTMForTimeSeriesPrediction,
    Forecaster,
    SeriesProcessor,
    load_series,
)
from hfattnlstm.data.series_processor import SeriesInputs
from hfattnlstm.data.series_windows import SeriesWindows
from hfattnlstm.training import TaskRun, parse_task, run_task


# Steps of a season, of the past that is read, and of the future that is forecast.
SEASON, PAST, FUTURE = 6, 18, 4
SIZES = {"horizon": FUTURE, "lookback": PAST, "segment_length": 6, "hidden_size": 8, "embedding_size": 8}
SHORT = {"max_steps": 4, "eval_steps": 0.5, "save_steps": 0.5, "per_device_train_batch_size": 16}
LEVELS = (0.01, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.99)
NAMES = [f"q{level:g}" for level in LEVELS]
QUIET = {"use_cpu": True, "report_to": "none", "disable_tqdm": True, "season_length": SEASON}


def wave(
    length: int = 120, seed: int = 0, level: float = 10.0, noise: float = 0.3, season: int = SEASON
) -> np.ndarray:
    """(length,) values above 0 with a season and noise."""
    steps = np.arange(length)
    return level + 2 * np.sin(2 * np.pi * steps / season) + np.random.default_rng(seed).normal(0, noise, length)


def long_table(names: Sequence[str] = ("a", "b"), length: int = 120, freq: str = "h", **columns: Any) -> pd.DataFrame:
    """Columns `unique_id`, `ds` and `y`, each series at another level."""
    parts = []
    for index, name in enumerate(names):
        times = pd.date_range("2024-01-01", periods=length, freq=freq)
        values = wave(length, seed=index, level=10 * (index + 1))
        parts.append(pd.DataFrame({"unique_id": name, "ds": times, "y": values, **columns}))
    return pd.concat(parts, ignore_index=True)


def wide_table(channels: Sequence[str] = ("left", "right"), length: int = 120, freq: str = "h") -> pd.DataFrame:
    """Times in `date`, and a channel in each other column."""
    values = {name: wave(length, seed=index, level=5 * (index + 2)) for index, name in enumerate(channels)}
    return pd.DataFrame({"date": pd.date_range("2024-01-01", periods=length, freq=freq), **values})


def row_table(names: Sequence[str] = ("M1", "M2", "M3"), length: int = 60) -> pd.DataFrame:
    """A series a row, as the files of M4 have them: each shorter than the one before, filled up with nothing."""
    rows = np.full((len(names), length), np.nan)
    for index in range(len(names)):
        rows[index, : length - 5 * index] = wave(length - 5 * index, seed=index)
    table = pd.DataFrame(rows, columns=[f"V{step + 2}" for step in range(length)])
    table.insert(0, "V1", list(names))
    return table


def gluonts_table(names: Sequence[str] = ("a", "b"), length: int = 120) -> pd.DataFrame:
    """A series a row, in the columns of GluonTS."""
    return pd.DataFrame(
        {
            "item_id": list(names),
            "start": "2024-01-01 00:00",
            "freq": "h",
            "target": [wave(length, seed=index).tolist() for index in range(len(names))],
        }
    )


def words(**flags: Any) -> list[str]:
    """Flags as words of a command line."""
    listed = [(name, value if isinstance(value, (list, tuple)) else [value]) for name, value in flags.items()]
    return [word for name, values in listed for word in (f"--{name}", *map(str, values))]


def train(folder: Path, source: Any, *flags: str, sized: bool = True) -> TaskRun:
    """A small run on a file, a folder, or a table."""
    argv = words(output_dir=folder, **(SIZES if sized else {}), **SHORT, **QUIET)
    task = parse_task(
        ["--task", "forecasting", *argv, *([] if is_table(source) else words(train_file=source)), *flags]
    )
    if is_table(source):
        task.source = source
    return run_task(task)


def is_table(source: Any) -> bool:
    return isinstance(source, pd.DataFrame)


def small_forecaster(folder: Path, **flags: Any) -> Forecaster:
    """A Forecaster that is trained in a moment, into a folder."""
    return Forecaster(output_dir=folder, **{**SIZES, **SHORT, **QUIET, **flags})


def load_saved(folder: Path) -> tuple[AttnLSTMForTimeSeriesPrediction, SeriesProcessor]:
    """What a run has saved, read anew."""
    return AttnLSTMForTimeSeriesPrediction.from_pretrained(folder).eval(), SeriesProcessor.from_pretrained(folder)


def windows_of(
    series: Sequence[np.ndarray],
    past: int = PAST,
    future: int = FUTURE,
    scales: Sequence[tuple[float, float]] | None = None,
    first: int | None = None,
) -> SeriesWindows:
    """Every window of series (length, channels), each with a scale of its own; the first has a whole past."""
    scales = scales or [(0.0, 1.0)] * len(series)
    inputs = [
        SeriesInputs(
            np.asarray(values, np.float32),
            None,
            None,
            None,
            np.full(values.shape[1], mean, np.float32),
            np.full(values.shape[1], std, np.float32),
        )
        for values, (mean, std) in zip(series, scales, strict=True)
    ]
    names = [f"s{index}" for index in range(len(series))]
    begin = [past if first is None else first] * len(series)
    ends = [len(values) - future for values in series]
    return SeriesWindows(inputs, names, begin, ends, context_length=past, prediction_length=future)


def tiny_model(seed: int = 0, **fields: Any) -> AttnLSTMForTimeSeriesPrediction:
    """A new model in evaluation mode."""
    torch.manual_seed(seed)
    sizes = {"context_length": PAST, "prediction_length": FUTURE, "segment_length": 6}
    small = {"embedding_size": 8, "hidden_size": 8, "bidirectional": False}
    return AttnLSTMForTimeSeriesPrediction(AttnLSTMForecasterConfig(**{**sizes, **small, **fields})).eval()


def untrained(table: pd.DataFrame, horizon: int = FUTURE, **options: Any) -> Forecaster:
    """With random weights, for a table of any form."""
    panel = load_series(table)
    forecaster = Forecaster()
    fields = {"num_input_channels": len(panel.channels), "loss": "quantile", "instance_scale": "std", **options}
    forecaster.model = tiny_model(prediction_length=horizon, **fields)
    forecaster.processor = SeriesProcessor.fit(panel, [len(each) for each in panel], season_length=SEASON)
    return forecaster


def last_past(values: np.ndarray, mean: float, std: float) -> torch.Tensor:
    return torch.from_numpy((values[-PAST:] - mean) / std).float()[None, :, None]

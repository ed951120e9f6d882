"""Windows of series: the past that is read, and the future that is forecast from it, at every possible step."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from .series_processor import SeriesInputs


class SeriesWindows(Dataset):
    """The windows of series whose future lies between two steps of each; made when they are asked for.

    Args:
        inputs: The series.
        names: Of the series.
        first, last: Of each series, the first step that is forecast in its first window, and in its last one; there
            is none where the last is smaller.
        context_length: Steps of the past; what is missing at the beginning of a series is NaN.
        prediction_length: Steps of the future; what lies beyond a series is NaN.

    Example:

    ```python
    >>> windows = SeriesWindows([inputs], [""], [96], [8616], context_length=96, prediction_length=24)
    >>> len(windows), windows[0]["past_values"].shape
    (8521, (96, 7))
    ```
    """

    def __init__(
        self,
        inputs: Sequence[SeriesInputs],
        names: Sequence[str],
        first: Sequence[int],
        last: Sequence[int],
        *,
        context_length: int,
        prediction_length: int,
    ):
        self.inputs, self.names = inputs, names
        self.context_length, self.prediction_length = context_length, prediction_length
        self._first = np.asarray(first, np.int64)
        counts = np.maximum(np.asarray(last, np.int64) - self._first + 1, 0)
        self._bounds = np.concatenate([[0], np.cumsum(counts)])
        self.total = int(self._bounds[-1])
        # Of the windows, every so many-th.
        self.every = 1

    def __len__(self) -> int:
        return -(-self.total // self.every)

    def thinned(self, most: int) -> SeriesWindows:
        """The same with at most so many windows, of which there is at least one."""
        if most < 1:
            raise ValueError(f"{most} windows are too few: keep 1 at least.")
        other = copy.copy(self)
        other.every = max(-(-self.total // most), 1)
        return other

    def place(self, index: int) -> tuple[int, int]:
        """Which series a window is of, and the first step that is forecast."""
        index = range(len(self))[index] * self.every
        series = int(np.searchsorted(self._bounds, index, side="right")) - 1
        return series, int(self._first[series] + index - self._bounds[series])

    def __getitem__(self, index: int) -> dict[str, Any]:
        series, step = self.place(index)
        return window_at(self.inputs[series], step, self.context_length, self.prediction_length)


def window_at(inputs: SeriesInputs, step: int, context_length: int, prediction_length: int) -> dict[str, Any]:
    """The window of a series that is forecast from a step on.

    Returns:
        `past_values` (context_length, channels) and `future_values` (prediction_length, channels); with covariates
        `past_time_features`, `future_time_features`, `static_real_features` and `static_categorical_features`.
    """
    begin, end = step - context_length, step + prediction_length
    window = {
        "past_values": _part(inputs.values, begin, step, np.nan),
        "future_values": _part(inputs.values, step, end, np.nan),
    }
    if inputs.features is not None:
        window["past_time_features"] = _part(inputs.features, begin, step, 0.0)
        window["future_time_features"] = _part(inputs.features, step, end, 0.0)
    if inputs.static_real is not None:
        window["static_real_features"] = inputs.static_real
    if inputs.static_categories is not None:
        window["static_categorical_features"] = inputs.static_categories
    return window


def _part(values: np.ndarray, begin: int, end: int, filling: float) -> np.ndarray:
    """The rows from `begin` to `end`, with others before the first and after the last."""
    found = values[max(begin, 0) : max(end, 0)]
    if len(found) == end - begin:
        return found
    padding = (max(-begin, 0), max(end - max(len(values), begin), 0))
    return np.pad(found, (padding, (0, 0)), constant_values=filling)


def padded_before(values: np.ndarray, length: int) -> np.ndarray:
    """The last rows, so many; where there are fewer, NaN before them."""
    return _part(values, len(values) - length, len(values), np.nan)


def collate_windows(windows: Sequence[dict[str, Any]]) -> dict[str, torch.Tensor]:
    """A batch of windows, each name with one more dimension in front.

    Example:

    ```python
    >>> collate_windows([windows[0], windows[1]])["past_values"].shape
    torch.Size([2, 96, 7])
    ```
    """
    return {name: torch.from_numpy(np.stack([each[name] for each in windows])) for name in windows[0]}

"""Which part of its past a forecast looked at, and how far that can be trusted: what erasing it changes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ..data.figures import new_figure, shortened, with_fonts
from ..data.series import Panel, Series
from ..data.series_processor import SeriesProcessor
from ..data.series_times import later_times
from ..data.series_windows import collate_windows, window_at
from ..modeling.forecast_distributions import make_distribution
from .faithfulness import (
    FEWEST_TOKENS,
    RANDOM_RANKINGS,
    SHARES,
    Faithfulness,
    Measure,
    beside,
    kendall_tau,
    number_of,
    ranks_of,
)


if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Pasts that are read together.
_BATCH = 128


@dataclass(frozen=True)
class ForecastFaithfulness(Faithfulness):
    """How far the weights over the past say what a forecast rests on.

    The figures are those of [`Faithfulness`], with how far the forecast moves in place of how much a score falls: the
    mean absolute difference over all steps ahead, in the scale of the model. A step that is erased counts as missing.
    """

    @property
    def verdict(self) -> str:
        """What the figures mean, in a sentence or two."""
        if self.tokens < FEWEST_TOKENS:
            return f"The past has too few parts ({self.tokens}) to compare the weights with a random ranking."
        found = {
            "better": "Better than a random ranking",
            "partly": "Better than a random ranking in one respect alone",
            "no better": "Warning: no better than a random ranking, so do not take the weights for reasons",
        }
        return (
            f"{found[self.level]}: without the parts of the highest weights the forecast moves by "
            f"{_told(self.comprehensiveness)}; with these alone by {_told(self.sufficiency)}."
        )


def _told(moved: Measure) -> str:
    return f"{moved.value:.2f} (random ranking: {moved.random:.2f})"


@dataclass(frozen=True)
class ForecastExplanation:
    """What a forecast looked at.

    Attributes:
        series, channel: What was forecast.
        times: (parts,), when each part of the past begins: a segment, or a window of the convolution.
        weights: (parts,), the attention on each, over heads and steps ahead; they sum to 1.
        part_length: Steps of a part; the first one may begin before the past that was read.
        past: (length,), the past that was read, in the unit of the series; NaN where it is missing.
        forecast: (prediction_length,), the same.
        faithfulness: How far that can be trusted; None where it was not measured.
    """

    series: str
    channel: str
    times: np.ndarray
    weights: np.ndarray
    part_length: int
    past: np.ndarray
    forecast: np.ndarray
    faithfulness: ForecastFaithfulness | None = None

    def to_frame(self) -> pd.DataFrame:
        """A row for each part of the past: `ds` and `weight`."""
        return pd.DataFrame({"ds": self.times, "weight": self.weights})

    def plot(self) -> Figure:
        """The past and its forecast, with the attention on each part below.

        Raises:
            ImportError: matplotlib is not installed.
        """
        figure, (above, below) = new_figure(7.2, 3.6, rows=2, height_ratios=(3, 1))
        length = len(self.past)
        above.plot(np.arange(-length + 1, 1), self.past, color="0.25", linewidth=1, label="past")
        above.plot(np.arange(1, len(self.forecast) + 1), self.forecast, color="C0", linewidth=1.4, label="forecast")
        above.set_ylabel(shortened(self.channel))
        above.legend(frameon=False, fontsize="small", loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
        # The last part ends where the past ends; the first one may begin before it.
        extent = (-len(self.weights) * self.part_length + 0.5, 0.5, 0, 1)
        image = below.imshow(self.weights[None], aspect="auto", cmap="Oranges", vmin=0, extent=extent)
        below.set_yticks([])
        # The picture of the weights would leave no room for the forecast.
        below.set_xlim(-length + 0.5, len(self.forecast) + 0.5)
        below.set_xlabel("steps from the last one that was read")
        figure.colorbar(image, ax=below, label="weight")
        return with_fonts(figure)


def explain_forecasts(
    model: Any, processor: SeriesProcessor, panel: Panel, *, faithfulness: bool = True, seed: int = 0
) -> Iterator[ForecastExplanation]:
    """Say which part of the past each forecast looked at.

    Args:
        model: An [`AttnLSTMForTimeSeriesPrediction`] with attention; it is put into evaluation mode.
        processor: What belongs to it.
        panel: The series, as from [`load_series`]; what comes after their last value is forecast.
        faithfulness: Whether to measure how far the weights can be trusted.
        seed: Of the random rankings.

    Yields:
        One for each series and channel; of channels that are read together, one for each series.

    Raises:
        ValueError: When the model has no attention.

    Example:

    ```python
    >>> forecaster = Forecaster.from_pretrained("power-model")
    >>> found = next(explain_forecasts(forecaster.model, forecaster.processor, forecaster.load("power.csv")))
    >>> found.faithfulness.verdict
    '...the forecast moves by ...'
    ```
    """
    config = model.config
    if not config.attends:
        raise ValueError(f"The model has no attention: its pooling is {', '.join(config.poolings)}.")
    model.eval()
    for series in panel:
        read = _Read(model, processor, series)
        for index, channel in enumerate(processor.channels[:1] if config.mix_channels else processor.channels):
            yield read.explanation(index, channel, faithfulness, seed)


class _Read:
    """A series as the model reads it, with what it then forecasts and looks at."""

    def __init__(self, model: Any, processor: SeriesProcessor, series: Series):
        self.model, self.processor, self.series = model, processor, series
        config = model.config
        self.inputs = processor.inputs(series, further=config.prediction_length)
        self.batch = collate_windows(
            [window_at(self.inputs, len(series), config.context_length, config.prediction_length)]
        )
        del self.batch["future_values"]
        self.observed = torch.isfinite(self.batch["past_values"])
        self.values, self.weights = self._forecast(self.observed)

    @torch.inference_mode()
    def _forecast(self, masks: Tensor) -> tuple[np.ndarray, np.ndarray]:
        """Forecasts (masks, steps, channels) and attention (masks, channels · heads, queries, parts)."""
        found, weights = [], []
        for some in masks.split(_BATCH):
            batch = {name: part.expand(len(some), *part.shape[1:]) for name, part in self.batch.items()}
            batch = {name: part.to(self.model.device) for name, part in (batch | {"past_observed_mask": some}).items()}
            outputs = self.model(**batch, output_attentions=True)
            values = outputs.prediction_outputs
            if isinstance(values, tuple):
                values = make_distribution(self.model.config.distribution_output, values).mean
            found.append(values.float().cpu().numpy())
            weights.append(outputs.attentions[-1].float().cpu().numpy())
        return np.concatenate(found), np.concatenate(weights)

    def explanation(self, index: int, channel: str, faithfulness: bool, seed: int) -> ForecastExplanation:
        config = self.model.config
        heads = self.weights.shape[1] // (1 if config.mix_channels else len(self.processor.channels))
        weights = self.weights[0, index * heads : (index + 1) * heads].mean((0, 1))
        window = self.model.attnlstm_forecaster.front.window
        begin = len(self.series) - window * len(weights)
        steps = [max(begin + part * window, 0) for part in range(len(weights))]
        mean, std = self.inputs.mean[index], self.inputs.std[index]
        return ForecastExplanation(
            self.series.name,
            channel,
            later_times(self.series.start, self.processor.frequency, steps),
            weights,
            window,
            self.batch["past_values"][0, :, index].numpy() * std + mean,
            np.clip(self.values[0, :, index] * std + mean, *self.inputs.bounds),
            self._faithfulness(index, weights, window, seed) if faithfulness else None,
        )

    def _faithfulness(self, index: int, weights: np.ndarray, window: int, seed: int) -> ForecastFaithfulness:
        """What happens to the forecast when parts of the past are erased."""
        length = self.observed.shape[1]
        # Which part each step of the past is in; the last one ends at the end.
        part_of = torch.arange(length) + window * len(weights) - length
        part_of = part_of.div(window, rounding_mode="floor")
        places = np.flatnonzero(np.bincount(part_of[self.observed[0].any(-1)], minlength=len(weights)))
        generator = np.random.default_rng(seed)
        count = len(places)
        orders = [np.lexsort((generator.random(count), -weights[places]))]
        orders += [generator.permutation(count) for _ in range(RANDOM_RANKINGS)]
        tops = [places[order[: number_of(share, count)]] for order in orders for share in SHARES]
        erased = [*tops, *([place] for place in places)]
        inside = torch.stack([torch.isin(part_of, torch.as_tensor(np.asarray(parts))) for parts in erased])
        without = self.observed & ~inside[..., None]
        only = self.observed & inside[: len(tops), :, None]
        moved = self._moved(torch.cat([without, only]), index)
        rankings = len(orders)
        single = moved[len(tops) : len(erased)]
        ranked = [weights[places], *(ranks_of(order) for order in orders[1:])]
        return ForecastFaithfulness(
            comprehensiveness=beside(moved[: len(tops)].reshape(rankings, -1).mean(1)),
            sufficiency=beside(-moved[len(erased) :].reshape(rankings, -1).mean(1), sign=-1),
            flip_share=None,
            tau=beside([kendall_tau(ranking, single) for ranking in ranked]),
            left_out=count,
            tokens=count,
        )

    def _moved(self, masks: Tensor, index: int) -> np.ndarray:
        """How far each forecast lies from that of the whole past."""
        moved = np.abs(self._forecast(masks)[0] - self.values)
        return moved.mean((1, 2)) if self.model.config.mix_channels else moved[..., index].mean(1)

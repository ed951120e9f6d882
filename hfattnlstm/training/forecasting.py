"""Forecasting of time series, as a task."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from transformers import EvalPrediction, PreTrainedModel
from transformers.utils import logging

from .._places import loading_from
from .._wording import flags_in_sentences
from ..data.series import Panel, SeriesColumns
from ..data.series_files import load_series
from ..data.series_processor import SeriesProcessor
from ..data.series_splits import SplitEnds, split_series
from ..data.series_summary import SeriesSummary, summarize_series
from ..data.series_times import find_season, season_of_frequency
from ..data.series_windows import SeriesWindows, collate_windows
from ..modeling.configuration_forecaster import AUTOREGRESSIVE, AttnLSTMForecasterConfig
from ..modeling.forecast_distributions import make_distribution
from ..modeling.modeling_time_series_prediction import AttnLSTMForTimeSeriesPrediction
from ..modeling.series_scaling import InstanceScaling
from .faithful_attention import LOSS_TERMS
from .flag_effects import Effect, beside, check_effects
from .forecast_card import describe_forecasts, forecaster_card
from .forecast_evaluation import ForecastEvaluation, evaluate_forecasts, metric_names, show_windows
from .forecast_finishing import Shares, add_linear_forecast, fit_spread
from .forecast_metrics import MAE, MSE, ForecastBatch, ForecastSums
from .forecast_plots import write_forecast_plots
from .forecasting_arguments import (
    FITTED,
    ForecasterArguments,
    ForecastingArguments,
    SeriesArguments,
    columns_of,
    forecaster_fields,
    windows_that_choose,
)
from .forecasts import forecast_batch, levels_of
from .linear_forecasts import fit_linear
from .naive_forecasts import seasonal_errors
from .starting_point import config_to_start_from
from .task import CardParts, Measured, Task
from .trainer import AttnLSTMTrainer


logger = logging.get_logger(__name__)

# Steps of the past that are read at most, where nobody says how many: as far as most published forecasters look.
LONGEST_LOOKBACK = 720
# Share of a series that a window of the past has at most, so that there are enough windows; and its segments.
PAST_SHARE, SEGMENTS = 0.55, 30
# Series in which a season is looked for.
_LOOKED_AT = 100
# A share of the LSTM that is worth a warning.
_HARDLY = 0.02
# What is for texts or labels.
_MEANINGLESS = (
    *LOSS_TERMS,
    *("label_smoothing_factor", "neftune_noise_alpha", "embedding_updates", "layer_lr_decay", "unfreeze_steps"),
    *("language",),
)


class ForecastingTask(Task):
    """A forecaster of time series; see [`AttnLSTMForTimeSeriesPrediction`].

    Example:

    ```python
    >>> task = parse_task(["--task", "forecasting", "--train_file", "power.csv", "--horizon", "24"])
    >>> run = run_task(task)
    >>> run.metrics["eval_mse"]
    0.21...
    ```
    """

    name = "forecasting"
    command_name = "forecast train"
    data_arguments = SeriesArguments
    model_arguments = ForecasterArguments
    training_arguments = ForecastingArguments
    meaningless = frozenset(_MEANINGLESS)
    examples = (
        "--train_file power.csv --horizon 96 --output_dir my-forecaster",
        "--train_file ETTh1.csv --horizon 96 --borders 8640 11520 14400 --output_dir etth1",
        "--train_file sales.parquet --horizon 28 --known_columns price promotion --output_dir sales",
    )

    data: SeriesArguments
    model: ForecasterArguments
    # A table, or series, in place of a file.
    source: pd.DataFrame | Panel | str | None = None
    panel: Panel
    ends: SplitEnds
    config: AttnLSTMForecasterConfig
    _loaded_config: AttnLSTMForecasterConfig | None = None
    _loaded_processor: SeriesProcessor | None = None
    # What the simple linear forecast is, that others are compared with.
    _linear: InstanceScaling | None = None
    # What the linear forecast beside the recurrent one was made of.
    shares: Shares | None = None

    def check(self) -> None:
        """Refuse flags that do not fit together, or have no effect."""
        data, model = self.data, self.model
        if sum(each is not None for each in (data.dataset, data.train_file, self.source)) != 1:
            raise ValueError("Give either --dataset or --train_file.")
        check_effects(_effects(data, model), self.given, None)
        if model.horizon is None and self._loaded_from() is None:
            raise ValueError("--horizon says how many steps are forecast: add it, such as --horizon 24.")
        if not self.training.do_train and self._loaded_from() is None:
            raise ValueError(
                "--do_train false needs --model_name_or_path: the random weights of a new model would be measured."
            )
        # What the length of the series decides is not known yet.
        sizes = {"context_length": LONGEST_LOOKBACK, "prediction_length": model.horizon or 1}
        AttnLSTMForecasterConfig(**forecaster_fields(model), **sizes)

    def sources(self) -> list[str]:
        """File, data set and model."""
        named = (self.data.dataset, self.data.train_file, self.model.model_name_or_path)
        return [name for name in named if name is not None]

    def _loaded_from(self) -> str | None:
        return self.model.model_name_or_path if self.checkpoint is None else str(self.checkpoint)

    def load(self) -> dict[str, Panel]:
        """The series, up to where each part ends."""
        data = self.data
        with flags_in_sentences():
            self._start()
            self.panel = load_series(self._source(), self._columns(), frequency=data.frequency or self._frequency())
            self.config = self._loaded_config or self._new_config()
            self.ends = split_series(self.panel, self.config.prediction_length, data.borders, data.validation_size)
        parts = {"train": self.panel.until(self.ends.train), "validation": self.panel.until(self.ends.validation)}
        if self.ends.test is not None:
            parts["test"] = self.panel.until(self.ends.test)
            if self.training.asked.do_predict is None:
                self.training.do_predict = True
        return parts

    def values(self, examples: Panel) -> Iterator[bytes]:
        """The values of each series."""
        return (each.values.tobytes() for each in examples)

    def _source(self) -> Any:
        return next(each for each in (self.source, self.data.train_file, self.data.dataset) if each is not None)

    def _start(self) -> None:
        """Read what the checkpoint has decided, where the run begins with one."""
        self._loaded_config = self._loaded_processor = None
        name = self._loaded_from()
        if name is not None:
            self._loaded_config = config_to_start_from(name, AttnLSTMForecasterConfig)
            with loading_from(name) as place:
                self._loaded_processor = SeriesProcessor.from_pretrained(place)

    def _columns(self) -> SeriesColumns:
        given = columns_of(self.data)
        return self._loaded_processor.series_columns if self._loaded_processor and given == SeriesColumns() else given

    def _frequency(self) -> str | None:
        return self._loaded_processor.frequency if self._loaded_processor else None

    def _new_config(self) -> AttnLSTMForecasterConfig:
        model, panel = self.model, self.panel
        lookback, segment = self._choose_lengths()
        static = panel.series[0]
        return AttnLSTMForecasterConfig(
            num_input_channels=len(panel.channels),
            context_length=lookback,
            prediction_length=model.horizon,
            **({"segment_length": segment} if self._reads_segments() else {}),
            num_time_features=len(panel.columns.features) + 2 * len(self.data.calendar or ()),
            num_static_real_features=len(panel.columns.static_real),
            cardinality=self._cardinality() if static.static_categories else None,
            **forecaster_fields(model),
        )

    def _reads_segments(self) -> bool:
        return self.model.front == "segments" or self.model.decoding == AUTOREGRESSIVE

    def _cardinality(self) -> list[int]:
        return [len(set(names)) for names in zip(*(each.static_categories for each in self.panel), strict=True)]

    @property
    def season(self) -> int:
        """Steps of a season."""
        if self.data.season_length is not None:
            return self.data.season_length
        if self._loaded_processor:
            return self._loaded_processor.season_length
        if self.panel.frequency is not None:
            return season_of_frequency(self.panel.frequency)
        return find_season([each.values for each in self.panel.series[:_LOOKED_AT]])

    def _choose_lengths(self) -> tuple[int, int]:
        """Steps of the past, and of a segment, where they are not given."""
        lengths = sorted(map(len, self.panel))
        usual = int(PAST_SHARE * lengths[len(lengths) // 4])
        lookback = self.model.lookback or max(min(LONGEST_LOOKBACK, usual), 1)
        segment = self.model.segment_length or choose_segment(lookback, self.season)
        if self.model.lookback is None:
            lookback = max(lookback // segment, 1) * segment
        return lookback, segment

    def make_processor(self, examples: dict[str, Panel]) -> SeriesProcessor:
        """Scales and categories of the training part."""
        if self._loaded_processor is not None:
            return self._loaded_processor
        with flags_in_sentences():
            return SeriesProcessor.fit(
                self.panel,
                self.ends.train,
                season_length=self.season,
                scaler=self.model.scaler,
                calendar=self.data.calendar or (),
            )

    def make_model(self, examples: dict[str, Panel], processor: SeriesProcessor) -> PreTrainedModel:
        """A new model, or the one to go on from."""
        self.training.choose_batch(1 if self.config.mix_channels else self.config.num_input_channels)
        name = self._loaded_from()
        if name is None:
            return AttnLSTMForTimeSeriesPrediction(self.config)
        with loading_from(name) as place:
            model = AttnLSTMForTimeSeriesPrediction.from_pretrained(place, dtype=torch.float32)
        if not self.training.do_train:
            model.check_trained()
        return model

    def encode(
        self, examples: dict[str, Panel], processor: SeriesProcessor, model: PreTrainedModel
    ) -> dict[str, SeriesWindows]:
        """The windows of each part; the past may lie in the part before."""
        inputs = [processor.inputs(each) for each in self.panel]
        horizon, lookback = self.config.prediction_length, self.config.context_length
        train, validation, test = self.ends
        earliest = [min(lookback, max((end - horizon) // 2, 1)) for end in train]
        bounds = {"train": (earliest, train), "validation": (train, validation)}
        if test is not None:
            bounds["test"] = (validation, test)
        names = [each.name for each in self.panel]
        windows = {
            part: SeriesWindows(
                inputs,
                names,
                [max(step, 1) for step in first],
                [end - horizon for end in ends],
                context_length=lookback,
                prediction_length=horizon,
            )
            for part, (first, ends) in bounds.items()
        }
        for part, found in windows.items():
            if not len(found):
                raise ValueError(
                    f"The {part} part of {self.panel.origin} has no {horizon} steps to forecast: take a smaller "
                    "--horizon, or move the --borders."
                )
        most = windows_that_choose(self.data, self.config.num_input_channels)
        windows["validation"] = windows["validation"].thinned(most)
        return windows

    def summarize(
        self, examples: dict[str, Panel], encoded: dict[str, SeriesWindows], processor: SeriesProcessor
    ) -> SeriesSummary:
        """How many series there are, where their parts end, and what was found of them."""
        return summarize_series(self.panel, self.ends, encoded, processor, self.config)

    def make_collator(self, processor: SeriesProcessor, model: PreTrainedModel) -> Callable[[list], dict]:
        """Windows behind each other."""
        return collate_windows

    def make_scorer(self) -> Callable[..., dict[str, float]]:
        """Errors of scaled values, batch by batch."""
        return StreamedErrors(self.config)

    def best_metric(self) -> tuple[str, bool]:
        """The absolute error, of which less is better."""
        return MAE, False

    def metric_directions(self) -> dict[str, bool]:
        """All errors, and the loss."""
        return dict.fromkeys((*metric_names(levels_of(self.config)), "loss"), False)

    def finish(self, trainer: AttnLSTMTrainer, encoded: dict[str, SeriesWindows]) -> dict[str, float]:
        """Add the linear forecast, and fit how wide the quantiles are."""
        model, config = trainer.model.eval(), trainer.model.config
        counts = config.loss == "nll" and config.distribution_output == "negative_binomial"
        if self.model.linear_forecast == FITTED and not counts and not config.linear_forecast:
            self.shares = add_linear_forecast(model, encoded["train"], encoded["validation"], self.season)
            if self.shares.recurrent < _HARDLY:
                logger.warning(
                    "The LSTM has a share of %.2f in the forecast: on the validation part, linear forecasts are as "
                    "good without it.",
                    self.shares.recurrent,
                )
        if levels_of(config) and not counts:
            fit_spread(model, encoded["validation"])
        return {} if self.shares is None else {"recurrent_share": self.shares.recurrent}

    def measure(self, trainer: AttnLSTMTrainer, rows: SeriesWindows, prefix: str) -> Measured:
        """The errors on every window, beside those of simple forecasts."""
        model = trainer.model.eval()
        if self._linear is None:
            train = trainer.train_dataset
            self._linear = InstanceScaling("last", "none")
            self._linear_map = fit_linear(train, self._linear, [train.context_length])[0]
        evaluation = evaluate_forecasts(
            lambda batch: forecast_batch(model, batch),
            rows,
            self._mase_scales(rows),
            season=self.season,
            quantiles=levels_of(model.config),
            linear=(self._linear, self._linear_map),
            progress=lambda done, total: self.show_progress(f"Measuring {prefix}", done, total),
        )
        if self.training.plots:
            evaluation = replace(evaluation, shown=show_windows(model, rows, self.panel.channels))
        if evaluation.beaten_by():
            logger.warning("%s part: %s", {"eval": "Validation"}.get(prefix, "Test"), evaluation.verdict())
        metrics = {f"{prefix}_{name}": value for name, value in evaluation.metrics.items()}
        for name, scores in evaluation.others.items():
            metrics |= {f"{name.replace(' ', '_')}_{prefix}_{score}": scores[score] for score in (MSE, MAE)}
        return Measured(metrics, {"per_forecast": evaluation.table()}, evaluation)

    def _mase_scales(self, rows: SeriesWindows) -> list[np.ndarray]:
        """Of each series, within its training part."""
        return [
            seasonal_errors(each.values[:end], self.season)
            for each, end in zip(rows.inputs, self.ends.train, strict=True)
        ]

    def write_pictures(self, folder: Path, evaluation: ForecastEvaluation) -> None:
        """Forecasts with intervals, errors by step and residuals, and the attention over the past."""
        write_forecast_plots(folder, evaluation)

    def describe(self, evaluation: ForecastEvaluation, split: str) -> str:
        """Errors beside those of simple forecasts."""
        return describe_forecasts(evaluation, split)

    def card_parts(self, examples: dict[str, Panel], processor: SeriesProcessor, model: PreTrainedModel) -> CardParts:
        """Series, steps and shares."""
        return forecaster_card(self, examples, processor, model.config)


class StreamedErrors:
    """The `compute_metrics` of a Trainer with `batch_eval_metrics`, for forecasts.

    Args:
        config: Of the model.

    Example:

    ```python
    >>> errors = StreamedErrors(AttnLSTMForecasterConfig())
    >>> errors(EvalPrediction(torch.zeros(1, 2, 1), torch.ones(1, 2, 1)), compute_result=True)
    {'mse': 1.0, 'mae': 1.0}
    ```
    """

    def __init__(self, config: AttnLSTMForecasterConfig):
        self._config = config
        self._sums = self._fresh()

    def _fresh(self) -> ForecastSums:
        return ForecastSums(self._config.quantile_levels)

    def __call__(self, prediction: EvalPrediction, compute_result: bool = True) -> dict[str, float]:
        """Add a batch; after the last one, return the metrics of all."""
        forecast, quantiles = self._forecast(prediction.predictions)
        target = torch.as_tensor(prediction.label_ids).cpu()
        zeros = torch.zeros_like(target[:, :1])
        self._sums.add(forecast, ForecastBatch(target, zeros, zeros + 1, zeros), quantiles)
        if not compute_result:
            return {}
        found = self._sums.metrics()
        self._sums = self._fresh()
        return {name: found[name] for name in metric_names(self._config.quantile_levels) if name in found}

    def _forecast(self, predictions: Any) -> tuple[torch.Tensor, torch.Tensor | None]:
        if self._config.loss == "nll":
            parameters = tuple(torch.as_tensor(part).float().cpu() for part in predictions)
            return make_distribution(self._config.distribution_output, parameters).mean, None
        if self._config.loss == "quantile":
            values, quantiles = (torch.as_tensor(part).float().cpu() for part in predictions)
            return values, quantiles
        return torch.as_tensor(predictions).float().cpu(), None


def choose_segment(lookback: int, season: int) -> int:
    """Steps of a segment: a season or a whole part of it, or several, so that there are about thirty segments.

    Example:

    ```python
    >>> choose_segment(720, 24), choose_segment(720, 96), choose_segment(365, 7), choose_segment(60, 1)
    (24, 24, 14, 2)
    ```
    """
    parts = [season // part for part in range(1, season + 1) if season % part == 0]
    wholes = [season * times for times in range(2, 13)]
    wanted = max(lookback / SEGMENTS, 1)
    return min((size for size in (*parts, *wholes) if size <= lookback), key=lambda size: abs(math.log(size / wanted)))


def _effects(data: SeriesArguments, model: ForecasterArguments) -> tuple[Effect, ...]:
    architecture = sorted({*forecaster_fields(model)} - {"loss"})
    loaded = model.model_name_or_path is not None
    named = ("horizon", "lookback", "segment_length", "scaler", "linear_forecast")
    return (
        Effect(("validation_size",), lambda _: data.borders is None, beside("--borders")),
        Effect(_MEANINGLESS, lambda _: False, "in this task: leave it out"),
        Effect(
            (*architecture, *named, "loss", "calendar", "known_columns", "static_columns", "season_length"),
            lambda _: not loaded,
            beside("--model_name_or_path, whose weights have decided it"),
        ),
    )

"""Forecasting of time series, as a task."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from transformers import PreTrainedModel
from transformers.utils import logging

from .._places import loading_from
from .._wording import flags_in_sentences
from ..data.series import Panel
from ..data.series_cells import NoTimesError
from ..data.series_files import load_series
from ..data.series_processor import SeriesProcessor
from ..data.series_splits import SplitEnds, split_series
from ..data.series_summary import SeriesSummary, summarize_series
from ..data.series_times import find_season, season_of_frequency
from ..data.series_windows import SeriesWindows, collate_windows
from ..modeling.configuration_forecaster import AttnLSTMForecasterConfig
from ..modeling.modeling_time_series_prediction import AttnLSTMForTimeSeriesPrediction
from ..modeling.series_scaling import InstanceScaling
from .forecast_card import describe_forecasts, forecaster_card
from .forecast_evaluation import ForecastEvaluation, evaluate_forecasts, show_windows
from .forecast_finishing import Shares, add_linear_forecast, fit_spread
from .forecast_metrics import MAE, MSE
from .forecast_plots import write_forecast_plots
from .forecast_scorer import StreamedErrors, names_of_errors
from .forecasting_arguments import (
    FITTED,
    ForecasterArguments,
    ForecastingArguments,
    SeriesArguments,
    columns_of,
    dropout_of_head,
    forecaster_fields,
    windows_that_choose,
)
from .forecasting_flags import (
    COUNTS,
    MEANINGLESS,
    check_counts,
    check_forecasting_flags,
    check_resumed,
    choose_lengths,
    reads_segments,
)
from .forecasts import forecast_batch, levels_of
from .linear_forecasts import fit_linear
from .naive_forecasts import seasonal_errors
from .shared_flags import check_measured
from .starting_point import config_to_start_from
from .task import CardParts, Measured, Task
from .trainer import AttnLSTMTrainer


logger = logging.get_logger(__name__)

# Series in which a season is looked for.
_LOOKED_AT = 100
# A share of the LSTM that is worth a warning.
_HARDLY = 0.02


class ForecastingTask(Task):
    """A forecaster of time series; see [`AttnLSTMForTimeSeriesPrediction`].

    Example:

    ```python
    >>> flags = ["--train_file", "power.csv", "--horizon", "24", "--max_steps", "20"]
    >>> task = parse_task(["--task", "forecasting", *flags])
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
    meaningless = frozenset(MEANINGLESS)
    test_split = "a test part: give --borders a third number"
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
    season: int
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
        check_forecasting_flags(
            data, model, self.given, self._loaded_from() is not None, resumes=self.checkpoint is not None
        )
        check_measured(self.training.do_train, starts=self._loaded_from() is not None)

    def sources(self) -> list[str]:
        """File, data set and model."""
        named = (self.data.dataset, self.data.train_file, self.model.model_name_or_path)
        return [name for name in named if name is not None]

    def load(self) -> dict[str, Panel]:
        """The series, up to where each part ends."""
        data = self.data
        with flags_in_sentences():
            self._start()
            self.panel = self._read()
            horizon = self.model.horizon if self._loaded_config is None else self._loaded_config.prediction_length
            self.ends = split_series(self.panel, horizon, data.borders, data.validation_size)
            self.season = self._find_season()
            self.config = self._loaded_config or self._new_config()
            check_counts(self.panel, self.config)
        parts = {"train": self.panel.until(self.ends.train), "validation": self.panel.until(self.ends.validation)}
        if self.ends.test is not None:
            parts["test"] = self.panel.until(self.ends.test)
            if self.training.asked.do_predict is None:
                self.training.do_predict = True
        return parts

    def values(self, examples: Panel) -> Iterator[bytes]:
        """The values of each series."""
        return (each.values.tobytes() for each in examples)

    def _start(self) -> None:
        """Read what the checkpoint has decided, where the run begins with one."""
        self._loaded_config = self._loaded_processor = None
        name = self._loaded_from()
        if name is not None:
            kinds = AttnLSTMForecasterConfig, AttnLSTMForTimeSeriesPrediction
            self._loaded_config = config_to_start_from(name, *kinds)
            with loading_from(name) as place:
                self._loaded_processor = SeriesProcessor.from_pretrained(place)
        if self.checkpoint is not None:
            check_resumed(name, self.model, self.data, self.given, self._loaded_config, self._loaded_processor)

    def _read(self) -> Panel:
        """The series; of the columns and frequency of the model, where the run begins with one."""
        data = self.data
        source = next(each for each in (self.source, data.train_file, data.dataset) if each is not None)
        columns, processor = columns_of(data), self._loaded_processor
        if processor is None or isinstance(source, Panel):
            return load_series(source, columns, frequency=data.frequency)
        known = processor.series_columns
        told = {name: value for name, value in vars(columns).items() if value}
        try:
            return load_series(source, replace(known, **told), frequency=data.frequency or processor.frequency)
        except NoTimesError:
            raise ValueError(
                f"The model was trained on series with times, and {source} has none: give it the same."
            ) from None

    def _new_config(self) -> AttnLSTMForecasterConfig:
        model, panel = self.model, self.panel
        lookback, segment = choose_lengths(panel, model, self.season)
        static = panel.series[0]
        return AttnLSTMForecasterConfig(
            num_input_channels=len(panel.channels),
            context_length=lookback,
            prediction_length=model.horizon,
            **({"segment_length": segment} if reads_segments(model) else {}),
            num_time_features=len(panel.columns.features) + 2 * len(self.data.calendar or ()),
            num_static_real_features=len(panel.columns.static_real),
            cardinality=self._cardinality() if static.static_categories else None,
            classifier_dropout=dropout_of_head(model, len(panel)),
            **forecaster_fields(model, self.given),
        )

    def _cardinality(self) -> list[int]:
        return [len(set(names)) for names in zip(*(each.static_categories for each in self.panel), strict=True)]

    def _find_season(self) -> int:
        """Steps of a season, from the training part alone where nobody says, and no frequency."""
        if self.data.season_length is not None:
            return self.data.season_length
        if self._loaded_processor:
            return self._loaded_processor.season_length
        if self.panel.frequency is not None:
            return season_of_frequency(self.panel.frequency)
        trained = self.panel.until(self.ends.train).series[:_LOOKED_AT]
        return find_season([each.values for each in trained])

    def choose_recipe(self, examples: dict[str, Panel]) -> None:
        """The learning rate follows from the number of series."""
        self.training.choose_rate(len(self.panel))

    def make_processor(self, examples: dict[str, Panel]) -> SeriesProcessor:
        """Scales and categories of the training part."""
        if self._loaded_processor is not None:
            self._loaded_processor.tell_unknown_categories(self.panel)
            return self._loaded_processor
        with flags_in_sentences():
            return SeriesProcessor.fit(
                self.panel,
                self.ends.train,
                season_length=self.season,
                scaler=self.model.scaler,
                calendar=self.data.calendar or (),
                lower_bound=self.model.lower_bound,
                upper_bound=self.model.upper_bound,
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
        horizon, lookback = self.config.prediction_length, self.config.context_length
        train, validation, test = self.ends
        # A series that begins later is scaled by its first steps, and forecast after them.
        scaled_by = [end or min(lookback, len(each)) for end, each in zip(train, self.panel, strict=True)]
        inputs = [processor.inputs(each, scaled_by=end) for each, end in zip(self.panel, scaled_by, strict=True)]
        earliest = [min(lookback, max((end - horizon) // 2, 1)) for end in train]
        bounds = {"train": (earliest, train), "validation": (train, validation)}
        if test is not None:
            bounds["test"] = (validation, test)
        names = [each.name for each in self.panel]
        windows = {
            part: SeriesWindows(
                inputs,
                names,
                [max(step, 1 if end else least) for step, end, least in zip(first, train, scaled_by, strict=True)],
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
        return dict.fromkeys((*names_of_errors(self.config), "loss"), False)

    def finish(self, trainer: AttnLSTMTrainer, encoded: dict[str, SeriesWindows]) -> dict[str, float]:
        """Add the linear forecast, and fit how wide the quantiles are."""
        model, config = trainer.model.eval(), trainer.model.config
        counts = config.loss == "nll" and config.distribution_output == COUNTS
        if self.model.linear_forecast == FITTED and not counts and not config.linear_forecast:
            self.shares = add_linear_forecast(model, encoded["train"], encoded["validation"], self.season)
            if self.shares.naive is not None:
                logger.warning(
                    "On the validation part nothing is surely better than the %s, which is what is forecast: the LSTM "
                    "has no share.",
                    self.shares.naive,
                )
            elif self.shares.recurrent < _HARDLY:
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
        unbounded = trainer.processing_class.lower_bound is None
        if evaluation.below_zero and unbounded and min(np.nanmin(each.values) for each in self.panel) >= 0:
            logger.warning("Some forecasts are below 0, and no value of the series is: --lower_bound 0 ends that.")
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

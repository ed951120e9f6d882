"""The flags of a forecaster's training: its series, the model, and the run."""

# No `from __future__ import annotations`: HfArgumentParser wants types, and TrainingArguments' are types.
import math
from collections.abc import Set
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from ..data.series import SeriesColumns
from ..modeling.configuration_forecaster import AUTOREGRESSIVE
from .arguments import RunArguments, flag
from .series_model_arguments import SeriesModelArguments, config_fields


# Updates of a training whose epochs nobody has chosen: as many as give three passes over the windows, for neighbours
# are almost the same and are soon learnt by heart, but at least and at most so many.
USUAL_PASSES, FEWEST_UPDATES, MOST_UPDATES = 3, 600, 2_000
# From so many series on, windows tell of each other, and are not learnt by heart: a forecaster of 200 series learns
# faster from larger steps with little dropout, and longer, where one of a single series soon has larger errors by it.
MANY_SERIES = 10
_RATES, _DROPOUTS, _PASSES = (3e-4, 1e-3), (0.5, 0.1), (USUAL_PASSES, 10)
# Channels of all windows of a batch, where its size is not chosen: about as many series are read at once.
_ROWS_OF_A_BATCH = 256
_FEWEST_WINDOWS, _MOST_WINDOWS = 8, 256
# And those of all windows that choose the best checkpoint.
_ROWS_THAT_CHOOSE = 14_000
FITTED, TRAINED, NONE = "fitted", "trained", "none"


@dataclass
class SeriesArguments:
    """Where the series come from, and how they are cut into parts."""

    dataset: str | None = flag(None, "Hub name or folder, in place of train_file.")
    train_file: str | None = flag(
        None,
        "File with series: csv, tsv, jsonl or parquet; long (unique_id, ds, y), wide (times and a channel a column), "
        "a series a row, or start and target as GluonTS.",
    )
    id_column: str | None = flag(None, "Column with the names of the series; found by its name without.")
    time_column: str | None = flag(None, "Column with the times; found without.")
    target_columns: list[str] | None = flag(None, "Columns that are forecast; found without.")
    known_columns: list[str] | None = flag(None, "Columns that are known in advance of every step, such as a price.")
    static_columns: list[str] | None = flag(
        None, "Columns that are known of a series; numbers are read as numbers, all else as names."
    )
    frequency: str | None = flag(None, "Time between two steps, as pandas writes it, such as h or MS; found without.")
    season_length: int | None = flag(None, "Steps of a season, 1 for none; found without.")
    calendar: list[str] | None = flag(
        None, "What the model is told of each time: some of hour weekday monthday month."
    )
    borders: list[str] | None = flag(
        None,
        "Where training, validation and test end: numbers of rows, shares such as .7 .8 1, or times; without a third "
        "one, nothing is tested.",
    )
    validation_size: float | None = flag(None, "Without borders, share of each series held out at its end; a tenth.")
    validation_windows: int | None = flag(
        None,
        "Windows that choose the best checkpoint at most, evenly spaced; as many as have 14,000 channels without.",
    )


@dataclass
class ForecasterArguments(SeriesModelArguments):
    """Which model forecasts."""

    lookback: int | None = flag(None, "Steps of the past that are read; without, at most 720, and half of the series.")
    scaler: Literal["standard", "none"] = flag(
        "standard", "Whether each series is scaled by the mean and deviation of its training part, or left as it is."
    )
    mix_channels: bool = flag(False, "Whether the channels are read together, and not each by itself.")
    instance_center: Literal["none", "mean", "last"] = flag("mean", "What is taken off each window, and put back.")
    instance_scale: Literal["none", "std", "mean_abs"] = flag("std", "What the rest of it is divided by.")
    segment_length: int | None = flag(None, "Steps of a segment; without, a season, or a 15th to a 30th of the past.")
    embedding_size: int = flag(256, "Width of what the LSTM reads.")
    hidden_size: int = flag(256, "Width of its states, both directions together.")
    bidirectional: bool = flag(False, "Whether the past is also read from its end.")
    pooling: list[str] = flag(["attention", "last"], "What a forecast is made of: attention, mean, max, last, sum.")
    classifier_dropout: float | None = flag(
        None, "Dropout on what a forecast is made of; without, 0.5, but 0.1 for ten series or more."
    )
    horizon: int | None = flag(None, "Steps that are forecast.")
    lower_bound: float | None = flag(None, "Smallest value that is forecast, such as 0 for sales; any without.")
    upper_bound: float | None = flag(None, "Largest value that is forecast; any without.")
    decoding: Literal["direct", "autoregressive"] = flag("direct", "All steps at once, or segment after segment.")
    linear_forecast: Literal["fitted", "trained", "none"] = flag(
        "fitted",
        "A linear forecast beside the recurrent one: fitted to the training part and weighed on the validation part, "
        "trained together with it, or none.",
    )
    loss: Literal["mae", "mse", "huber", "quantile", "nll"] = flag("quantile", "What is learnt by.")
    quantiles: list[float] | None = flag(
        None, "Those that are forecast, 0.5 among them; without, 0.01, 0.1 to 0.9, 0.99."
    )
    distribution_output: Literal["student_t", "normal", "negative_binomial"] = flag(
        "student_t", "What is forecast with --loss nll."
    )


@dataclass
class ForecastingArguments(RunArguments):
    """The flags of the run, with the defaults of a forecaster."""

    do_predict: bool | None = flag(None, "Whether to measure on the test part; without, if there is one.")
    num_train_epochs: float | None = flag(
        None,
        "Passes over the windows; without, 3, or 10 for ten series or more, but as many as give 600 to 2,000 updates.",
        "epochs",
    )
    learning_rate: float | None = flag(
        None, "Highest learning rate; without, 3e-4, or 1e-3 for ten series or more.", "lr"
    )
    lr_scheduler_type: str = flag("cosine", "How it falls.")
    warmup_steps: float = flag(0.05, "Steps in which it rises, or their share.")
    weight_decay: float = flag(0.0, "Weight decay.")
    per_device_train_batch_size: int | None = flag(
        None, "Windows in a training batch; without, as many as have 256 channels, 8 to 256.", "batch_size"
    )
    per_device_eval_batch_size: int = flag(64, "Windows in an evaluation batch.")
    train_sampling_strategy: Literal["random", "sequential"] = flag("random", "random or sequential.")
    eval_strategy: Literal["no", "steps", "epoch"] = flag("steps", "When to evaluate: no, steps or epoch.")
    eval_steps: float = flag(0.1, "Steps between two evaluations, or their share of all.")
    save_strategy: Literal["no", "steps", "epoch", "best"] = flag(
        "steps", "When to save a checkpoint: no, steps, epoch or best."
    )
    save_steps: float = flag(0.1, "Steps between two checkpoints, or their share of all.")
    label_names: list[str] | None = flag(["future_values"], "What the model is measured by.")

    unit: ClassVar[str] = "windows"
    # Whether there are many series; the task says so once it knows.
    has_many_series: ClassVar[bool] = False

    def __post_init__(self) -> None:
        wanted, size, rate = self.do_predict, self.per_device_train_batch_size, self.learning_rate
        self.do_predict = bool(wanted)
        self.learning_rate = _RATES[False] if rate is None else rate
        self.per_device_train_batch_size = _MOST_WINDOWS if size is None else size
        super().__post_init__()
        self.asked.do_predict, self.asked.per_device_train_batch_size = wanted, size
        self.asked.learning_rate = rate
        # Predictions are scored batch by batch: those of a test part may not fit in memory.
        self.batch_eval_metrics = True

    def choose_rate(self, series: int) -> None:
        """Set the learning rate, where it was not given, for a number of series."""
        self.has_many_series = series >= MANY_SERIES
        if self.asked.learning_rate is None:
            self.learning_rate = _RATES[self.has_many_series]

    def choose_batch(self, channels: int) -> None:
        """Set the size of a batch, where it was not given, for windows of so many channels that are read alone."""
        if self.asked.per_device_train_batch_size is None:
            wanted = _ROWS_OF_A_BATCH // channels
            self.per_device_train_batch_size = min(max(wanted, _FEWEST_WINDOWS), _MOST_WINDOWS)

    def choose_steps(self, texts: int) -> None:
        """Set `num_train_epochs` and `logging_steps`, where they were not given, for a number of windows."""
        super().choose_steps(texts)
        if not self.epochs_are_chosen:
            size = self.train_batch_size * max(self.world_size, 1) * self.gradient_accumulation_steps
            updates = math.ceil(texts / size)
            wanted = _PASSES[self.has_many_series] * updates
            self.num_train_epochs = min(max(wanted, FEWEST_UPDATES), MOST_UPDATES) / updates


def dropout_of_head(model: ForecasterArguments, series: int) -> float:
    """The dropout on what a forecast is made of, by the number of series where it was not given."""
    return _DROPOUTS[series >= MANY_SERIES] if model.classifier_dropout is None else model.classifier_dropout


def windows_that_choose(data: SeriesArguments, channels: int) -> int:
    """How many windows choose the best checkpoint at most, of so many channels each."""
    return data.validation_windows or max(_ROWS_THAT_CHOOSE // channels, 1)


def columns_of(data: SeriesArguments) -> SeriesColumns:
    """Where the flags say that a table has what; static columns are taken for names until they are read."""
    return SeriesColumns(
        data.id_column,
        data.time_column,
        tuple(data.target_columns or ()),
        tuple(data.known_columns or ()),
        (),
        tuple(data.static_columns or ()),
    )


def forecaster_fields(arguments: ForecasterArguments, given: Set[str] = frozenset()) -> dict[str, Any]:
    """The flags that are fields of [`AttnLSTMForecasterConfig`], by name, but for what the series decide.

    Args:
        arguments: The flags.
        given: Those that somebody chose.
    """
    values = config_fields(arguments)
    del values["classifier_dropout"]
    values["linear_forecast"] = arguments.linear_forecast == TRAINED
    if arguments.decoding == AUTOREGRESSIVE and "pooling" not in given:
        # It has an attention of its own, and pools nothing.
        del values["pooling"]
    return values

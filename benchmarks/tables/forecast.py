"""The forecaster of time series, beside an LSTM and a linear forecast of neuralforecast."""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial

import torch
from transformers import PrinterCallback

from hfattnlstm import Forecaster
from hfattnlstm.training.forecasting import ForecastingTask
from hfattnlstm.training.forecasting_arguments import ForecasterArguments, ForecastingArguments, SeriesArguments
from hfattnlstm.training.run import make_trainer
from hfattnlstm.training.trainer import AttnLSTMTrainer

from ..options import Options
from ..peers import peer
from ..series import Counted, Setting, calls_of
from ..speed import speed_row
from ..table import Chart, Column, Table
from ..targets import FORECASTER, NEURALFORECAST_LSTM, NEURALFORECAST_NLINEAR
from ..timing import Call, Candidate, Prepare, measure


COLUMNS = (
    Column("candidate", "candidate"),
    Column("time", "time", "time"),
    Column("time_range", "middle half", "range"),
    Column("rate", "a second", "rate"),
    Column("ratio", "ratio", "ratio"),
    Column("ratio_range", "middle half", "ratio_range"),
    Column("texts", "a call", "count"),
)
NOTES = [
    f'The ratio is the speed against "{NEURALFORECAST_LSTM}": the median over the rounds.',
    "The series are made, with a value an hour. All learn from one long table of {series} series with {steps:,} steps "
    "each, read {lookback} steps and forecast {horizon}; a window is one of one series.",
    "Training is that of the library's own trainer over series that are in memory, the making of the batches "
    "included, without validation and without what is fitted after it. Each has batches of its own default size: ours "
    "{ours} windows, neuralforecast's LSTM {lstm} and its NLinear {nlinear:,}.",
    "A forecast goes from a long table in memory, {lookback} steps of each series, to a table of forecasts. Ours has "
    "eleven quantiles beside each value.",
    "Ours is the default model of `hfattnlstm forecast train`: {segments} segments of {segment} steps, an LSTM of 256 "
    "units, quantile loss; a linear forecast is added to it when it forecasts. neuralforecast's LSTM reads single "
    "steps and has its default sizes, two layers of 128 units and a decoder of two layers of 128; it and NLinear "
    "learn by the absolute error. Weights are those after a few steps: the time is the same for others.",
]
# Whoever measures ours alone is told how to have the others.
NO_PEERS = (
    "neuralforecast is not installed here, so there is nothing to compare with: `make bench-forecast` makes an "
    "environment that has it, and measures there."
)
# What a trainer does once should weigh as little as it does in earnest.
TRAINING_FACTOR = 2
# Windows of a batch of each, and batches of the longest call.
OUR_BATCH, LSTM_BATCH, NLINEAR_BATCH = 256, 128, 1_024
MOST_BATCHES = 64


def run(options: Options) -> Table:
    """Measure the training, and forecasts of one series and of many."""
    setting = Setting(seed=options.seed)
    if options.quick:
        setting = replace(setting, series=2, steps=300, lookback=72, horizon=12, many=5)
    # Trainers want a place, and write nothing into it here.
    with tempfile.TemporaryDirectory() as folder:
        table = _empty_table(setting, folder)
        longer = replace(options, budget=options.budget * TRAINING_FACTOR)
        _add(table, "training, windows", _training(setting, folder), longer)
        if not options.main:
            for series in (1, setting.many):
                name = "a forecast of one series" if series == 1 else f"a forecast of {series:,} series"
                _add(table, name, _forecasts(setting, folder, series), options, series)
    return table


def _empty_table(setting: Setting, folder: str) -> Table:
    config = _our_trainer(setting, folder, steps=1).model.config
    facts = {**asdict(setting), "segment": config.segment_length, "segments": config.num_steps}
    facts |= {"ours": OUR_BATCH, "lstm": LSTM_BATCH, "nlinear": NLINEAR_BATCH}
    notes = [note.format(**facts) for note in NOTES]
    if importlib.util.find_spec("neuralforecast") is None:
        notes.append(NO_PEERS)
    return Table("forecast", "Forecasts of time series", COLUMNS, notes=notes, chart=Chart("rate", "a second"))


def _add(table: Table, configuration: str, candidates: Sequence[Candidate], options: Options, series: int = 1) -> None:
    """Measure a panel.

    Args:
        table: Gets its rows.
        configuration: Its name.
        candidates: Whose calls handle windows, or tables.
        options: Of the run.
        series: In each of the tables.
    """
    options.report(configuration)
    measured = measure(candidates, Counted(), options, baseline=NEURALFORECAST_LSTM)
    for name in measured.by_name:
        row = speed_row(configuration, name, measured, NEURALFORECAST_LSTM)
        table.rows.append({**row, "rate": row["rate"] * series, "texts": row["texts"] * series})
    table.leave_out(measured.left_out)
    table.remark([f"{configuration.capitalize()}: {remark}" for remark in measured.remarks])


def _training(setting: Setting, folder: str) -> list[Candidate]:
    theirs = partial(peer, "neuralforecast_models", "training", setting=setting)
    loads = {
        FORECASTER: (partial(_our_training, setting, folder), OUR_BATCH),
        NEURALFORECAST_LSTM: (theirs(model="LSTM", batch_size=LSTM_BATCH), LSTM_BATCH),
        NEURALFORECAST_NLINEAR: (theirs(model="NLinear", batch_size=NLINEAR_BATCH), NLINEAR_BATCH),
    }
    return [Candidate(name, load, least=size, most=MOST_BATCHES * size) for name, (load, size) in loads.items()]


def _forecasts(setting: Setting, folder: str, series: int) -> list[Candidate]:
    theirs = partial(peer, "neuralforecast_models", "forecasts", setting=setting, series=series)
    loads = {
        FORECASTER: partial(_our_forecasts, setting, folder, series),
        NEURALFORECAST_LSTM: theirs(model="LSTM", batch_size=LSTM_BATCH),
        NEURALFORECAST_NLINEAR: theirs(model="NLinear", batch_size=NLINEAR_BATCH),
    }
    # A large table takes as long as a call should: there is one in each.
    most = 256 if series == 1 else 1
    return [Candidate(name, load, least=1, most=most) for name, load in loads.items()]


def _our_training(setting: Setting, folder: str) -> Prepare:
    def prepare(windows: range) -> Call:
        trainer = _our_trainer(setting, folder, len(windows) // OUR_BATCH)

        def call() -> int:
            trainer.train()
            return len(windows)

        return call

    return prepare


def _our_forecasts(setting: Setting, folder: str, series: int) -> Prepare:
    trainer = _our_trainer(setting, folder, steps=1)
    model = trainer.model.eval()
    # A training ends with a linear forecast beside it; what its weights are does not change the time.
    weight, bias = torch.zeros(setting.horizon, setting.lookback), torch.zeros(setting.horizon)
    model.set_linear_forecast(weight, bias, recurrent_share=1.0)
    forecaster = Forecaster()
    forecaster.model, forecaster.processor = model, trainer.processing_class
    return calls_of(forecaster.predict, setting, series)


def _our_trainer(setting: Setting, folder: str, steps: int) -> AttnLSTMTrainer:
    """As `hfattnlstm forecast train` makes it, but that it neither evaluates nor saves."""
    training = ForecastingArguments(
        output_dir=folder,
        max_steps=steps,
        # Their sizes are compared, and said in the notes: another default shall not change them unnoticed.
        per_device_train_batch_size=OUR_BATCH,
        eval_strategy="no",
        save_strategy="no",
        load_best_model_at_end=False,
        use_cpu=True,
        disable_tqdm=True,
        report_to="none",
    )
    # The lookback that it would choose itself for the table of a whole run.
    model = ForecasterArguments(horizon=setting.horizon, lookback=setting.lookback)
    task = ForecastingTask(SeriesArguments(), model, training)
    task.source = setting.training_table()
    trainer, _ = make_trainer(task, task.load())
    trainer.remove_callback(PrinterCallback)
    return trainer

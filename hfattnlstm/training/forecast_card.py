"""What the card of a forecaster says of its series, its recipe and its errors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..data.series_processor import SeriesProcessor
from ..data.series_summary import shown_front
from ..modeling.configuration_forecaster import AttnLSTMForecasterConfig
from .forecast_evaluation import ForecastEvaluation
from .markdown import code_span, escaped, shown_name, table
from .task import CardParts, Task


_USAGE = """from hfattnlstm import Forecaster

forecaster = Forecaster.from_pretrained("{model_id}"{options})
forecaster.predict("series.csv")"""
_USAGE_WITHOUT_PACKAGE = """from transformers import AutoModelForTimeSeriesPrediction

# Values are scaled as preprocessor_config.json says: (batch, context_length, channels).
model = AutoModelForTimeSeriesPrediction.from_pretrained("{model_id}"{options})
model(past_values=values).prediction_outputs"""
_LIMITS = (
    "It has learnt from the series above alone. On series of other kinds, other frequencies or other times it will do "
    "worse than the metrics say; measure it on your own first.",
    "A forecast goes on with what the past has shown: it knows nothing of what has never happened.",
)


def forecaster_card(
    task: Task, examples: dict[str, Any], processor: SeriesProcessor, config: AttnLSTMForecasterConfig
) -> CardParts:
    """The parts of the card of a [`ForecastingTask`] that has been run."""
    data = task.data
    local = data.dataset is None or Path(data.dataset).exists()
    named = data.train_file or data.dataset or "a table"
    source = Path(named).name if local else named
    steps = {name: sum(map(len, part)) for name, part in examples.items()}
    before = {"train": 0, "validation": steps["train"], "test": steps["validation"]}
    sizes = ", ".join(f"{steps[name] - before[name]:,} for {name}" for name in steps)
    every = f"every {code_span(processor.frequency)}" if processor.frequency else "without times"
    return CardParts(
        summary="A forecaster of time series by an LSTM with attention over the past,",
        usage=_USAGE,
        usage_note="`hfattnlstm forecast predict` does the same on the command line.",
        source=source,
        dataset=None if local else data.dataset,
        data=f"{code_span(source)}: {len(task.panel):,} series of {len(processor.channels)} "
        f"({', '.join(map(escaped, processor.channels[:10]))}), {every}; steps: {sizes}.",
        recipe=_recipe(task, processor, config),
        limits=(
            f"It reads at most {config.context_length} steps of the past, and forecasts {config.prediction_length}.",
            "Its intervals are as wide as those that fitted the validation part: where the series become wilder, they "
            "are too narrow.",
            "The attention says which steps the recurrent part looked at, not why; the linear part has none.",
        ),
        pipeline_tag="time-series-forecasting",
        tags=("hfattnlstm", "lstm", "time-series"),
        general_limits=_LIMITS,
        has_language=False,
        usage_without_package=_USAGE_WITHOUT_PACKAGE,
    )


def _recipe(task: Task, processor: SeriesProcessor, config: AttnLSTMForecasterConfig) -> dict[str, Any]:
    recipe = {
        "started from": shown_name(task.model.model_name_or_path or "random weights"),
        "past, future": f"{config.context_length}, {config.prediction_length} steps",
        "season": f"{processor.season_length} steps",
        "read": shown_front(config),
        "width, layers": f"{config.hidden_size}, {config.num_hidden_layers}",
        "centre, scale of a window": f"{config.instance_center}, {config.instance_scale}",
        "loss": config.loss if config.loss != "nll" else f"likelihood of a {config.distribution_output}",
    }
    if task.shares is not None:
        others = [f"{name} {share:.2f}" for name, share in task.shares.others.items() if share > 0.005]
        shares = ", ".join([f"LSTM {task.shares.recurrent:.2f}", *others])
        recipe["shares of the forecast"] = f"{shares}, fitted to the validation part"
    return recipe


def describe_forecasts(evaluation: ForecastEvaluation, split: str) -> str:
    """Sections of a card.

    Args:
        evaluation: Of a forecaster.
        split: Which part was measured.

    Returns:
        Markdown without a line break at its end.
    """
    rows = evaluation.table()
    names = list(next(iter(rows.values())))
    body = [(escaped(row), *(f"{scores[name]:.4f}" for name in names)) for row, scores in rows.items()]
    return (
        f"### Beside simple forecasts\n\nOn {evaluation.windows:,} windows of the {split} part:\n\n"
        f"{table(('forecast', *names), body)}\n\n{evaluation.verdict()}"
    )

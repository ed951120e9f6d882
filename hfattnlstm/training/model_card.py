"""The model card of a run: a frame for every task, and what the task says of itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from datasets import DatasetDict
from huggingface_hub import EvalResult, ModelCard, ModelCardData
from transformers import Trainer

from .._files import written_beside
from .intervals import split_intervals
from .output_folder import CARD_FILE
from .task import CardParts, Task


_SPLITS = {"eval": "validation", "test": "test"}
_NO_METRICS = ("runtime", "samples", "samples_per_second", "steps_per_second", "loss", "model_preparation_time")
_LIMITS = (
    "It has learnt from the data above alone. On data of other kinds, other times or other languages it will do worse "
    "than the metrics say; measure it on your own first.",
    "It inherits the biases of its training data and of those who labelled them.",
)

_TEMPLATE = """---
{{ card_data }}
---

# {{ name }}

{{ summary }} of {{ parameters }} parameters, made with [hfattnlstm](https://pypi.org/project/hfattnlstm/).

## How to load it

With the package (`pip install hfattnlstm`):

```python
import hfattnlstm
from transformers import pipeline

{{ usage }}
```

Without the package, from the code in this repository; read it before you trust it:

```python
from transformers import pipeline

{{ trusting_usage }}
```

{{ usage_note }}

## Data

{{ data }}

## Metrics

{{ metrics }}

## Recipe

{{ recipe }}

```
{{ command }}
```

## Limits

{{ limits }}
"""


def write_model_card(
    folder: str | Path, task: Task, trainer: Trainer, examples: DatasetDict, metrics: dict[str, float]
) -> Path:
    """Write `README.md` for the model in `folder`: data, recipe, measured metrics, limits, and how to load it.

    Args:
        folder: Where the model was saved.
        task: What it was trained for, with the flags of the run.
        trainer: The Trainer that trained it.
        examples: The splits, before encoding.
        metrics: `eval_…` and `test_…` metrics; only what was measured enters the card.

    Returns:
        The path of the card.

    Example:

    ```python
    >>> write_model_card("imdb-model", task, trainer, examples, metrics).name
    'README.md'
    ```
    """
    parts = task.card_parts(examples, trainer.processing_class, trainer.model)
    name = trainer.args.hub_model_id or Path(folder).resolve().name
    card = ModelCard.from_template(
        _card_data(name, parts, metrics),
        template_str=_TEMPLATE,
        name=name.split("/")[-1],
        summary=parts.summary,
        parameters=f"{trainer.model.num_parameters():,}",
        usage=parts.usage.format(model_id=name, options=""),
        trusting_usage=parts.usage.format(model_id=name, options=", trust_remote_code=True"),
        usage_note=parts.usage_note,
        data=parts.data,
        metrics=_metrics_table(metrics, trainer.args.load_best_model_at_end),
        recipe=_list(f"{name}: {value}" for name, value in (parts.recipe | _training_recipe(trainer)).items()),
        command=task.command(),
        limits=_list((*_LIMITS, *parts.limits)),
    )
    path = Path(folder) / CARD_FILE
    with written_beside(path) as unfinished:
        card.save(unfinished)
    return path


def _list(lines: Any) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _card_data(name: str, parts: CardParts, metrics: dict[str, float]) -> ModelCardData:
    results = [
        EvalResult(
            task_type=parts.pipeline_tag,
            dataset_type=parts.source,
            dataset_name=parts.source,
            dataset_split=_SPLITS[prefix],
            metric_type=metric.split("_")[0],
            metric_name=metric,
            metric_value=round(value, 4),
        )
        for prefix, metric, value in _measured(metrics)
    ]
    return ModelCardData(
        library_name="transformers",
        pipeline_tag=parts.pipeline_tag,
        tags=list(parts.tags),
        datasets=None if parts.dataset is None else [parts.dataset],
        metrics=sorted({metric.split("_")[0] for _, metric, _ in _measured(metrics)}) or None,
        model_name=name.split("/")[-1],
        eval_results=results or None,
    )


def _measured(metrics: dict[str, float]) -> list[tuple[str, str, float]]:
    """(prefix, metric, value) of what is a metric of the model, not of the run."""
    found = []
    for key, value in split_intervals(metrics)[0].items():
        prefix, _, metric = key.partition("_")
        if prefix in _SPLITS and metric not in _NO_METRICS and isinstance(value, (int, float)):
            found.append((prefix, metric, float(value)))
    return found


def _metrics_table(metrics: dict[str, float], best_chosen: bool) -> str:
    intervals = split_intervals(metrics)[1]
    rows = []
    for prefix, metric, value in _measured(metrics):
        interval = intervals.get(f"{prefix}_{metric}")
        cells = [
            _SPLITS[prefix],
            metric,
            f"{value:.4f}",
            "" if interval is None else "{:.4f} to {:.4f}".format(*interval),
        ]
        rows.append("| " + " | ".join(cells if intervals else cells[:-1]) + " |")
    if not rows:
        return "Not measured."
    heads = ["| split | metric | value |", "| --- | --- | ---: |"]
    if intervals:
        heads = ["| split | metric | value | 95 % interval |", "| --- | --- | ---: | ---: |"]
    table = "\n".join([*heads, *rows])
    if intervals:
        table += "\n\nThe intervals say how far figures on so few texts can be trusted: what other texts would change."
    if best_chosen:
        table += "\n\nThe validation split also chose the best checkpoint, so its figures are slightly too good."
    return table


def _training_recipe(trainer: Trainer) -> dict[str, Any]:
    training = trainer.args
    batch = training.train_batch_size * training.gradient_accumulation_steps * max(training.world_size, 1)
    return {
        "epochs": training.num_train_epochs,
        "batch size": batch,
        "learning rate": f"{training.learning_rate:g}, {training.lr_scheduler_type.value} schedule",
        "seed": training.seed,
    }

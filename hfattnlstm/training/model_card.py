"""The model card of a trained classifier."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from datasets import DatasetDict
from huggingface_hub import EvalResult, ModelCard, ModelCardData
from transformers import Trainer

from ..data.loading import describe_labels
from .arguments import DataArguments, ModelArguments, command_line


_SPLITS = {"eval": "validation", "test": "test"}
_NO_METRICS = ("runtime", "samples", "samples_per_second", "steps_per_second", "loss", "model_preparation_time")

_TEMPLATE = """---
{{ card_data }}
---

# {{ name }}

A text classifier: an LSTM with attention of {{ parameters }} parameters, made with
[hfattnlstm](https://pypi.org/project/hfattnlstm/). It returns a label and the attention on each word.

## How to load it

With the package (`pip install hfattnlstm`):

```python
import hfattnlstm
from transformers import pipeline

classifier = pipeline("attention-text-classification", model="{{ model_id }}")
classifier("a text")
```

Without the package, from the code in this repository; read it before you trust it:

```python
from transformers import pipeline

classifier = pipeline("attention-text-classification", model="{{ model_id }}", trust_remote_code=True)
classifier("a text")
```

`pipeline("text-classification", …)` and the Auto classes work in both ways, too.

## Data

{{ data }}

{{ labels }}

## Metrics

{{ metrics }}

## Recipe

{{ recipe }}

```
{{ command }}
```

## Limits

- It has learnt from the texts above alone. On other kinds of text, other times or other languages it will do worse
  than the metrics say; measure it on your own texts first.
- It inherits the biases of its training texts and of those who labelled them.
- It reads at most {{ max_length }} tokens of a text, {{ truncation }}.
- Its vocabulary has {{ vocabulary }} tokens; what they do not cover is unknown to it.
- The attention shows where the model looked. It is no proof of why it decided.
- The score is not calibrated.
"""


def write_model_card(
    folder: str | Path,
    trainer: Trainer,
    data: DataArguments,
    model: ModelArguments,
    texts: DatasetDict,
    metrics: dict[str, float],
) -> Path:
    """Write `README.md` for the model in `folder`: data, recipe, measured metrics, limits, and how to load it.

    Args:
        folder: Where the model was saved.
        trainer: The Trainer that trained it.
        data, model: The flags of the run.
        texts: The splits, before tokenising.
        metrics: `eval_…` and `test_…` metrics; only what was measured enters the card.

    Returns:
        The path of the card.

    Example:

    ```python
    >>> write_model_card("imdb-model", trainer, data, model, texts, metrics).name
    'README.md'
    ```
    """
    source = _source(data)
    name = trainer.args.hub_model_id or Path(folder).resolve().name
    card = ModelCard.from_template(
        _card_data(name, source, data, metrics),
        template_str=_TEMPLATE,
        name=name.split("/")[-1],
        model_id=name,
        parameters=f"{trainer.model.num_parameters():,}",
        data=_describe_data(source, texts),
        labels=_describe_labels(texts),
        metrics=_metrics_table(metrics, trainer.args.load_best_model_at_end),
        recipe=_recipe(trainer, model),
        command=command_line(data, model, trainer.args),
        max_length=model.max_length,
        truncation={"head": "from its beginning", "tail": "from its end", "head_tail": "from its beginning and end"}[
            trainer.model.config.truncation
        ],
        vocabulary=f"{len(trainer.processing_class):,}",
    )
    path = Path(folder) / "README.md"
    card.save(path)
    return path


def _source(data: DataArguments) -> str:
    return Path(data.dataset or data.train_file).name if _is_local(data) else data.dataset


def _is_local(data: DataArguments) -> bool:
    return data.dataset is None or Path(data.dataset).exists()


def _card_data(name: str, source: str, data: DataArguments, metrics: dict[str, float]) -> ModelCardData:
    results = [
        EvalResult(
            task_type="text-classification",
            dataset_type=source,
            dataset_name=source,
            dataset_split=_SPLITS[prefix],
            metric_type=metric.split("_")[0],
            metric_name=metric,
            metric_value=round(value, 4),
        )
        for prefix, metric, value in _measured(metrics)
    ]
    return ModelCardData(
        library_name="transformers",
        pipeline_tag="text-classification",
        tags=["hfattnlstm", "lstm", "attention"],
        datasets=None if _is_local(data) else [data.dataset],
        metrics=sorted({metric.split("_")[0] for _, metric, _ in _measured(metrics)}) or None,
        model_name=name.split("/")[-1],
        eval_results=results or None,
    )


def _measured(metrics: dict[str, float]) -> list[tuple[str, str, float]]:
    """(prefix, metric, value) of what is a metric of the model, not of the run."""
    found = []
    for key, value in metrics.items():
        prefix, _, metric = key.partition("_")
        if prefix in _SPLITS and metric not in _NO_METRICS and isinstance(value, (int, float)):
            found.append((prefix, metric, float(value)))
    return found


def _describe_data(source: str, texts: DatasetDict) -> str:
    sizes = ", ".join(f"{len(split):,} texts for {name}" for name, split in texts.items())
    return f"`{source}`: {sizes}."


def _describe_labels(texts: DatasetDict) -> str:
    problem_type, names = describe_labels(texts["train"].features)
    kind = problem_type.replace("_", " ").replace("single label", "single-label").replace("multi label", "multi-label")
    return f"{kind.capitalize()}" + (f", labels: {', '.join(f'`{name}`' for name in names)}." if names else ".")


def _metrics_table(metrics: dict[str, float], best_chosen: bool) -> str:
    rows = [f"| {_SPLITS[prefix]} | {metric} | {value:.4f} |" for prefix, metric, value in _measured(metrics)]
    if not rows:
        return "Not measured."
    table = "\n".join(["| split | metric | value |", "| --- | --- | ---: |", *rows])
    if best_chosen:
        table += "\n\nThe validation split also chose the best checkpoint, so its figures are slightly too good."
    return table


def _recipe(trainer: Trainer, model: ModelArguments) -> str:
    training, config = trainer.args, trainer.model.config
    values: dict[str, Any] = {
        "tokenizer": model.tokenizer_name
        or model.model_name_or_path
        or f"{model.tokenizer_kind}, trained on the texts",
        "started from": model.model_name_or_path or model.word_vectors or "random weights",
        "layers, width, embedding": f"{config.num_hidden_layers}, {config.hidden_size}, {config.embedding_size}",
        "pooling": " and ".join(config.poolings),
        "attention": f"{config.pooler_score}, {config.pooler_normalizer}, {config.pooler_num_heads} head(s)",
        "dropout of embeddings, words, head": f"{config.embedding_dropout}, {config.word_dropout}, "
        f"{config.classifier_dropout}",
        "epochs": training.num_train_epochs,
        "batch size": training.train_batch_size * training.gradient_accumulation_steps * max(training.world_size, 1),
        "learning rate": f"{training.learning_rate:g}, {training.lr_scheduler_type.value} schedule",
        "seed": training.seed,
    }
    return "\n".join(f"- {name}: {value}" for name, value in values.items())

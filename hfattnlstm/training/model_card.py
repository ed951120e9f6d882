"""The model card of a run: a frame for every task, and what the task says of itself."""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from datasets import DatasetDict
from huggingface_hub import EvalResult, ModelCard, ModelCardData
from transformers import Trainer

from .._files import written_beside
from .._version import __version__
from .arguments import RunArguments
from .intervals import split_intervals
from .markdown import code_span, escaped, table
from .output_folder import CARD_FILE
from .task import CardParts, Task
from .trainer_options import regularization_of


_SPLITS = {"eval": "validation", "test": "test"}
_NO_METRICS = ("runtime", "samples", "samples_per_second", "steps_per_second", "loss", "model_preparation_time")
# Where the first word of a metric's name is not what the Hub calls its kind.
_METRIC_TYPES = {
    "subset_accuracy": "accuracy",
    "hamming_loss": "hamming_loss",
    "exact_match": "exact_match",
    **dict.fromkeys(("forward_perplexity", "backward_perplexity"), "perplexity"),
}
# A language of ISO 639 with a script or a country, if need be, or one of the two words that the Hub takes beside them.
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*|multilingual|code")
_LICENSE = re.compile(r"[a-z0-9]+([.+-][a-z0-9]+)*")
_REGULARIZATION = {
    "rdrop_alpha": "R-Drop, weight",
    "conicity_coef": "conicity of the states, weight",
    "tying_coef": "distance of states to embeddings, weight",
    "alignment_coef": "alignment of attention with gradients, weight",
    "rationale_coef": "attention to the words that people have marked, weight",
    "erasure_coef": "erasure of the tokens of most attention, weight",
    "adversarial_epsilon": "adversarial texts, epsilon",
    "vat_epsilon": "virtual adversarial training, epsilon",
}
_LIBRARIES = ("torch", "transformers", "tokenizers", "datasets", "accelerate")

_TEMPLATE = """---
{{ card_data }}
---

# {{ name }}

{{ summary }} of {{ parameters }} parameters, made with [hfattnlstm](https://pypi.org/project/hfattnlstm/).

## How to load it

With the package (`pip install hfattnlstm`):

```python
import hfattnlstm
{{ usage }}
```

Without the package, from the code in this repository; read it before you trust it:

```python
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

Made with {{ versions }}.

## Limits

{{ limits }}
"""


def check_card_flags(training: RunArguments) -> None:
    """Refuse a language or a licence that the Hub cannot know.

    Raises:
        ValueError: Names the flag, its value and how it is written.

    Example:

    ```python
    >>> check_card_flags(RunArguments("out", language=["english"]))
    Traceback (most recent call last):
    ValueError: --language takes codes of ISO 639 such as en, or pt-BR, not 'english'.
    ```
    """
    for language in training.language or ():
        if not _LANGUAGE.fullmatch(language):
            raise ValueError(f"--language takes codes of ISO 639 such as en, or pt-BR, not {language!r}.")
    if training.license is not None and not _LICENSE.fullmatch(training.license):
        raise ValueError(
            f"--license takes a name of the Hub such as apache-2.0, mit, cc-by-4.0 or other, not {training.license!r}."
        )


def write_model_card(
    folder: str | Path,
    task: Task,
    trainer: Trainer,
    examples: DatasetDict,
    metrics: dict[str, float],
    evaluations: Mapping[str, Any],
) -> Path:
    """Write `README.md` for the model in `folder`: data, recipe, measured metrics, limits, and how to load it.

    Args:
        folder: Where the model was saved.
        task: What it was trained for, with the flags of the run.
        trainer: The Trainer that trained it.
        examples: The splits, before encoding.
        metrics: `eval_…` and `test_…` metrics; only what was measured enters the card.
        evaluations: Of "eval" and "test", what the task has beyond them; that of the test split is preferred.

    Returns:
        The path of the card.

    Example:

    ```python
    >>> write_model_card("imdb-model", task, trainer, examples, metrics, {}).name
    'README.md'
    ```
    """
    parts = task.card_parts(examples, trainer.processing_class, trainer.model)
    name = trainer.args.hub_model_id or Path(folder).resolve().name
    card = ModelCard.from_template(
        _card_data(name, parts, metrics, task),
        template_str=_TEMPLATE,
        name=name.split("/")[-1],
        summary=parts.summary,
        parameters=f"{trainer.model.num_parameters():,}",
        usage=parts.usage.format(model_id=name, options=""),
        trusting_usage=(parts.usage_without_package or parts.usage).format(
            model_id=name, options=", trust_remote_code=True"
        ),
        usage_note=parts.usage_note,
        data=parts.data,
        metrics=_metrics(task, metrics, evaluations),
        recipe=_list(f"{name}: {value}" for name, value in _recipe(task, parts, trainer).items()),
        command=task.command(),
        versions=_versions(),
        limits=_list((*parts.general_limits, *parts.limits, *_not_said(trainer.args, parts))),
    )
    path = Path(folder) / CARD_FILE
    with written_beside(path) as unfinished:
        card.save(unfinished)
    return path


def _list(lines: Any) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _versions() -> str:
    libraries = [f"hfattnlstm {__version__}", f"Python {platform.python_version()}"]
    return ", ".join([*libraries, *(f"{name} {version(name)}" for name in _LIBRARIES)])


def _not_said(training: RunArguments, parts: CardParts) -> list[str]:
    """What only a person can know, and is not guessed."""
    missing = []
    if parts.has_language and training.language is None:
        missing.append("The language of its texts was not said (`--language`).")
    if training.license is None:
        missing.append("No licence was given (`--license`): ask before you pass it on.")
    return missing


def _card_data(name: str, parts: CardParts, metrics: dict[str, float], task: Task) -> ModelCardData:
    training, splits = task.training, _splits(task)
    results = [
        EvalResult(
            task_type=parts.pipeline_tag,
            dataset_type=parts.source,
            dataset_name=parts.source,
            dataset_split=splits[prefix],
            metric_type=_metric_type(metric),
            metric_name=metric,
            metric_value=round(value, 4),
        )
        for prefix, metric, value in _measured(metrics, splits)
    ]
    return ModelCardData(
        language=training.language,
        license=training.license,
        library_name="transformers",
        pipeline_tag=parts.pipeline_tag,
        tags=list(parts.tags),
        datasets=None if parts.dataset is None else [parts.dataset],
        metrics=sorted({_metric_type(metric) for _, metric, _ in _measured(metrics, splits)}) or None,
        model_name=name.split("/")[-1],
        eval_results=results or None,
    )


def _metric_type(metric: str) -> str:
    """The kind of a metric as the Hub calls it: "f1" of "f1_macro" and of "f1/good"."""
    return _METRIC_TYPES.get(metric) or re.split("[_/]", metric)[0]


def _splits(task: Task) -> dict[str, str]:
    """Names of the splits that are measured, by the prefix of their metrics."""
    return _SPLITS | {name: name for name in task.further_splits()}


def _measured(metrics: dict[str, float], splits: Mapping[str, str]) -> list[tuple[str, str, float]]:
    """(prefix, metric, value) of what is a metric of the model, not of the run."""
    found = []
    for key, value in split_intervals(metrics)[0].items():
        # Of "test" and "test_hard" the longer one is meant.
        prefix = max((prefix for prefix in splits if key.startswith(f"{prefix}_")), key=len, default=None)
        metric = key.removeprefix(f"{prefix}_")
        if prefix is not None and metric not in _NO_METRICS and isinstance(value, (int, float)):
            found.append((prefix, metric, float(value)))
    return found


def _metrics(task: Task, metrics: dict[str, float], evaluations: Mapping[str, Any]) -> str:
    shown = [_metrics_table(metrics, _splits(task), task.training.load_best_model_at_end)]
    prefix = "test" if "test" in evaluations else "eval"
    if prefix in evaluations:
        shown.append(task.describe(evaluations[prefix], _SPLITS[prefix]))
    return "\n\n".join(shown)


def _metrics_table(metrics: dict[str, float], splits: Mapping[str, str], best_chosen: bool) -> str:
    intervals = split_intervals(metrics)[1]
    rows = []
    for prefix, metric, value in _measured(metrics, splits):
        interval = intervals.get(f"{prefix}_{metric}")
        shown = "" if interval is None else "{:.4f} to {:.4f}".format(*interval)
        rows.append((escaped(splits[prefix]), escaped(metric), f"{value:.4f}", *([shown] if intervals else [])))
    if not rows:
        return "Not measured."
    heads = ("split", "metric", "value", *(["95 % interval"] if intervals else []))
    text = table(heads, rows, texts=2)
    if intervals:
        text += "\n\nThe intervals say how far figures on so few texts can be trusted: what other texts would change."
    if best_chosen:
        text += "\n\nThe validation split also chose the best checkpoint, so its figures are slightly too good."
    return text


def _recipe(task: Task, parts: CardParts, trainer: Trainer) -> dict[str, Any]:
    named = {} if task.recipe is None else {"name": code_span(Path(task.recipe.name).name)}
    return named | parts.recipe | _training_recipe(trainer)


def _training_recipe(trainer: Trainer) -> dict[str, Any]:
    training = trainer.args
    batch = training.train_batch_size * training.gradient_accumulation_steps * max(training.world_size, 1)
    recipe = {
        "epochs": training.num_train_epochs,
        "batch size": batch,
        "learning rate": f"{training.learning_rate:g}, {training.lr_scheduler_type.value} schedule",
        "seed": training.seed,
    }
    if getattr(training, "ema_decay", None):
        recipe["averaged weights, decay"] = training.ema_decay
    return recipe | {_REGULARIZATION[name]: value for name, value in regularization_of(training).items()}

"""Measures a classifier on labelled texts, wherever both come from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from os import PathLike
from typing import Any

import numpy as np
from datasets import Dataset
from tqdm import tqdm
from transformers import Pipeline

from .._wording import option
from ..data.columns import column_names
from ..data.labelled_texts import load_labelled_texts
from ..data.pipeline_inputs import pipeline_input
from ..data.problem_types import label_names_of, problem_type_of
from ..modeling.configuration_base import MULTI_LABEL, REGRESSION
from ..modeling.configuration_checks import check_threshold
from ..modeling.pipeline_text_classification import PROGRESS_DELAY, AttnLSTMTextClassificationPipeline
from .evaluation import MISTAKES, ONE_HALF, Evaluation, Mistake, evaluate_logits
from .metrics import Threshold


# Of the stock pipeline, which takes one text at a time without.
_STOCK_BATCH_SIZE = 32


def evaluate_texts(
    classifier: Pipeline,
    source: str | PathLike | Dataset,
    *,
    text_column: str | Sequence[str] | None = None,
    label_column: str | None = None,
    split: str | None = None,
    threshold: Threshold | None = None,
    batch_size: int | None = None,
    mistakes: int = MISTAKES,
) -> Evaluation:
    """Measure a classifier on texts whose labels are known, with calibrated probabilities where the model has them.

    Args:
        classifier: A text-classification pipeline: ours, the stock one, or one of an exported model.
        source: A csv, tsv, JSON lines or parquet file, which may be compressed, a folder, a name on the Hub, or a
            `Dataset`. Its labels are those of the model, or the integers from 0 for them.
        text_column: Column of the texts, or several that are read together; by default those that the model was
            trained on, where they are several, or one with a usual name.
        label_column: Column of the labels; by default one with a usual name.
        split: Of a source with several; by default the test split, otherwise that for validation.
        threshold: For several labels a text, the probability above which a label is taken to apply, one number or one
            a label; the model's own by default, or one half.
        batch_size: Texts in a batch; chosen by their length by default.
        mistakes: How many of the most confident mistakes, or of the largest errors, are kept.

    Raises:
        FileNotFoundError: The source does not exist.
        ValueError: It cannot be used for this model; the sentence names the row, the column or the argument.

    Example:

    ```python
    >>> classifier = pipeline("attention-text-classification", model="my-model")
    >>> found = evaluate_texts(classifier, "reviews.csv")
    >>> found.scores["accuracy"], found.intervals["accuracy"]
    (0.91, Interval(low=0.889, high=0.927))
    ```
    """
    config = classifier.model.config
    problem, names = problem_type_of(config), label_names_of(config)
    threshold = threshold_of(config, threshold)
    if problem == REGRESSION and len(names) != 1:
        raise ValueError(f"The model gives {len(names)} numbers a text, and a file has one: it cannot be measured.")
    if batch_size is not None and batch_size < 1:
        raise ValueError(f"{option('batch_size')} must be at least 1, got {batch_size}.")
    if mistakes < 0:
        raise ValueError(f"{option('mistakes')} must be at least 0, got {mistakes}.")
    columns = {"text_column": _text_columns(config, text_column), "label_column": label_column}
    labelled = load_labelled_texts(source, problem, names, split=split, **columns).data
    texts = labelled["text"][:]
    logits = _logits(classifier, texts, names, batch_size)
    references = _references(labelled["label"][:], problem, len(names))
    names = () if problem == REGRESSION else names
    found = evaluate_logits(
        logits,
        references,
        names,
        problem,
        threshold=threshold,
        temperature=getattr(config, "calibration_temperature", 1.0),
        mistakes=mistakes,
    )
    return replace(found, mistakes=_with_texts(found.mistakes, classifier, texts))


def threshold_of(config: Any, wanted: Threshold | None) -> Threshold:
    """The threshold that is asked for, the model's own, or one half; one number, or one a label.

    Raises:
        ValueError: It is no probability, has another number of labels than the model, or is asked for and without a
            meaning for the model.
    """
    problem = problem_type_of(config)
    if wanted is None:
        return getattr(config, "threshold", ONE_HALF) if problem == MULTI_LABEL else ONE_HALF
    if problem != MULTI_LABEL:
        raise ValueError(f"{option('threshold')} is for models with several labels a text, and this one gives one.")
    check_threshold(wanted, config.num_labels)
    return wanted


def _text_columns(config: Any, wanted: str | Sequence[str] | None) -> Sequence[str] | None:
    """Those that are asked for, as many as the model reads together."""
    own = getattr(config, "text_columns", None)
    named = column_names(wanted) or own
    if len(named or [None]) != len(own or [None]):
        reads = "one text" if own is None else f"{len(own)} texts together, {' and '.join(own)}"
        raise ValueError(f"{option('text_column')} must name as many columns as the model reads: {reads}.")
    return named


def _logits(classifier: Pipeline, texts: Sequence[Any], names: Sequence[str], batch_size: int | None) -> np.ndarray:
    """(texts, labels); the attention of each text is dropped at once."""
    if len(set(names)) < len(names):
        raise ValueError(f"Two labels of the model have the same name, of {', '.join(names)}: rename one in id2label.")
    parameters = {"function_to_apply": "none", "top_k": None, **_batches(classifier, batch_size)}
    places = {name: place for place, name in enumerate(names)}
    logits = np.empty((len(texts), len(names)))
    results = classifier(_as_read(texts), **parameters)
    # A bar on a terminal, for what takes longer than two seconds.
    for row, found in enumerate(tqdm(results, total=len(texts), disable=None, delay=PROGRESS_DELAY, unit="text")):
        for entry in found:
            logits[row, places[entry["label"]]] = entry["score"]
    return logits


def _as_read(texts: Sequence[Any]) -> Iterable[Any]:
    """One by one: of a list the pipeline would keep all results. The stock one knows generators alone."""
    for text in texts:
        yield pipeline_input(text)


def _batches(classifier: Pipeline, batch_size: int | None) -> dict[str, Any]:
    if isinstance(classifier, AttnLSTMTextClassificationPipeline):
        return {} if batch_size is None else {"batch_size": batch_size}
    own = hasattr(classifier.model.config, "poolings")
    # Others cannot read more than they have positions for.
    return {"batch_size": batch_size or _STOCK_BATCH_SIZE} | ({} if own else {"truncation": True})


def _references(labels: list[Any], problem: str, count: int) -> np.ndarray:
    if problem != MULTI_LABEL:
        return np.asarray(labels, dtype=np.float64 if problem == REGRESSION else np.int64)
    indicators = np.zeros((len(labels), count), dtype=np.int64)
    for row, chosen in enumerate(labels):
        indicators[row, chosen] = 1
    return indicators


def _with_texts(mistakes: Sequence[Mistake], classifier: Pipeline, texts: Sequence[Any]) -> tuple[Mistake, ...]:
    """The mistakes with their texts and, where the model has it, the attention on them."""
    chosen = [texts[mistake.row - 1] for mistake in mistakes]
    attention: list[Sequence[dict[str, Any]]] = [()] * len(chosen)
    if chosen and isinstance(classifier, AttnLSTMTextClassificationPipeline):
        attention = [result["attention"] for result in _best_of(classifier(list(_as_read(chosen)), top_k=1))]
    return tuple(
        replace(mistake, text=_shown(text), attention=weights)
        for mistake, text, weights in zip(mistakes, chosen, attention)
    )


def _shown(text: str | Sequence[str]) -> str | tuple[str, ...]:
    return text if isinstance(text, str) else tuple(text)


def _best_of(results: Iterable[Any]) -> Iterable[dict[str, Any]]:
    return (found[0] if isinstance(found, list) else found for found in results)

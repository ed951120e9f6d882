"""What the card of a classifier says of its texts, its labels and its recipe."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from datasets import DatasetDict
from transformers import PreTrainedTokenizerBase

from ..modeling.configuration_attnlstm import AttnLSTMConfig
from ..modeling.configuration_base import MULTI_LABEL
from ..modeling.text_rows import PAIR
from .markdown import code_span, shown_name
from .task import CardParts, Task


_READ_FROM = {"head": "from its beginning", "tail": "from its end", "head_tail": "from its beginning and end"}


def classification_card(
    task: Task, examples: DatasetDict, processor: PreTrainedTokenizerBase, config: AttnLSTMConfig
) -> CardParts:
    """The parts of the card of a [`ClassificationTask`] that has been run."""
    local = task.data.dataset is None or Path(task.data.dataset).exists()
    source = Path(task.data.dataset or task.data.train_file).name if local else task.data.dataset
    sizes = ", ".join(f"{len(split):,} texts for {name}" for name, split in examples.items())
    if task.unlabelled is not None:
        name = code_span(Path(task.data.unlabelled_file).name)
        sizes += f", and {len(task.unlabelled):,} texts without labels, {name}"
    usage = (
        "from transformers import pipeline\n\n"
        'classifier = pipeline("attention-text-classification", model="{model_id}"{options})\n'
        f"classifier({_example(config.text_columns)})"
    )
    return CardParts(
        summary="A text classifier: an LSTM with attention",
        usage=usage,
        usage_note='`pipeline("text-classification", …)` and the Auto classes work in both ways, too.',
        source=source,
        dataset=None if local else task.data.dataset,
        data=f"{code_span(source)}{_columns_read(config.text_columns)}: {sizes}.\n\n"
        + _describe_labels(task.problem_type, task.label_names),
        recipe=_recipe(task, config),
        limits=(
            f"It reads at most {processor.model_max_length:,} tokens of a text, {_READ_FROM[config.truncation]}.",
            f"Its vocabulary has {len(processor):,} tokens; what they do not cover is unknown to it.",
            "The attention shows where the model looked. It is no proof of why it decided"
            + (", and says nothing of the n-grams, which decide too." if config.classifier_ngrams else "."),
        ),
        pipeline_tag="text-classification",
        tags=("hfattnlstm", "lstm", "attention"),
    )


def _recipe(task: Task, config: AttnLSTMConfig) -> dict[str, Any]:
    model = task.model
    trained = shown_name(model.tokenizer_name or model.model_name_or_path or "that of the checkpoint")
    if task.trained_kind is not None:
        trained = f"{task.trained_kind}, trained on the texts"
    return {
        "tokenizer": trained,
        "started from": ", ".join(
            map(
                shown_name,
                [model.model_name_or_path] if model.model_name_or_path else model.word_vectors or ["random weights"],
            )
        ),
        "layers, width, embedding": f"{config.num_hidden_layers}, {config.hidden_size}, {config.embedding_size}",
        "pooling": " and ".join(config.poolings),
        "attention": f"{config.pooler_score}, {config.pooler_normalizer}, {config.pooler_num_heads} head(s)",
        "dropout of embeddings, words, head": f"{config.embedding_dropout}, {config.word_dropout}, "
        f"{config.classifier_dropout}",
        **({} if task.data.teacher is None else {"teacher": code_span(shown_name(task.data.teacher))}),
        **_ngram_recipe(config, task.part_scores),
        **_loss_recipe(config),
    }


def _ngram_recipe(config: AttnLSTMConfig, part_scores: Mapping[str, float]) -> dict[str, Any]:
    """Which n-grams the model has, beside the LSTM and in its embeddings, and what each part is worth."""
    recipe: dict[str, Any] = {}
    if config.classifier_ngrams:
        recipe["n-grams beside the LSTM"] = f"{config.classifier_ngrams:,} of up to {config.classifier_ngram_length}"
    if part_scores:
        scores = ", ".join(f"{name} {value:.4f}" for name, value in part_scores.items())
        recipe["each part by itself, on the validation split"] = scores
    if config.embedding_ngrams:
        recipe["n-grams with embeddings"] = f"{config.embedding_ngrams:,} of up to {config.embedding_ngram_length}"
    return recipe


def _loss_recipe(config: AttnLSTMConfig) -> dict[str, Any]:
    """What the loss has beside the plain one, and what makes answers of the logits."""
    recipe: dict[str, Any] = {}
    if config.class_weights is not None:
        recipe["class weights"] = ", ".join(f"{weight:g}" for weight in config.class_weights)
    if config.label_smoothing:
        recipe["label smoothing"] = config.label_smoothing
    if config.attention_penalties:
        coefficients = (config.pooler_l2_coef, config.pooler_entropy_coef, config.pooler_diversity_coef)
        recipe["penalties on the attention (l2, entropy, diversity)"] = ", ".join(map(str, coefficients))
    if config.problem_type == MULTI_LABEL:
        several = isinstance(config.threshold, list)
        shown = ", ".join(f"{value:.3g}" for value in config.threshold) if several else config.threshold
        recipe["thresholds of the labels" if several else "threshold of a label"] = shown
    if config.calibration_temperature != 1:
        recipe["temperature of the probabilities"] = f"{config.calibration_temperature:.3g}"
    return recipe


def _example(text_columns: Sequence[str] | None) -> str:
    """What the classifier in the card is called with; braces are doubled, for the card fills in others."""
    if text_columns is None:
        return '"a text"'
    names = PAIR if len(text_columns) == len(PAIR) else text_columns
    entries = ", ".join(f'{json.dumps(name, ensure_ascii=False)}: "a text"' for name in names)
    return f"{{{{{entries}}}}}"


def _columns_read(text_columns: Sequence[str] | None) -> str:
    if text_columns is None:
        return ""
    return ", the columns " + " and ".join(map(code_span, text_columns)) + " together"


def _describe_labels(problem_type: str, names: Sequence[str]) -> str:
    kind = problem_type.replace("_", " ").replace("single label", "single-label").replace("multi label", "multi-label")
    return f"{kind.capitalize()}" + (f", labels: {', '.join(map(code_span, names))}." if names else ".")

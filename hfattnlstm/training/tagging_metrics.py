"""Scores of tags: of whole spans, as seqeval counts them strictly, or of single tags."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from seqeval.metrics import accuracy_score, classification_report
from seqeval.scheme import IOB2
from sklearn.metrics import precision_recall_fscore_support
from transformers import EvalPrediction

from ..data.tags import tags_of_spans
from ..modeling.losses import IGNORED
from ..modeling.tag_schemes import spans_of
from .intervals import Interval, wilson_interval


_SPAN_SCORES, _TAG_SCORES = ("precision", "recall", "f1", "accuracy"), ("accuracy", "f1_macro")
_DRAWS, _SEED = 2_000, 0

Tags = Sequence[Sequence[str]]


def tag_scores(references: Tags, predictions: Tags, scheme: str | None) -> dict[str, float]:
    """Scores over all sentences, between 0 and 1.

    Args:
        references, predictions: The tags of each sentence.
        scheme: How they mark spans; None where they mark none.

    Returns:
        Of spans, `precision`, `recall` and `f1`: one counts as found only where kind, beginning and end are right, and
        its tags are well formed (Ramshaw and Marcus, 1995; strict mode of seqeval). `accuracy` is the share of right
        tags. Of tags that mark no spans, `accuracy`, and `f1_macro`, the mean over the tags that there are.

    Raises:
        ValueError: There are no tags, or other numbers of them.

    Example:

    ```python
    >>> tag_scores([["B-PER", "I-PER", "O"]], [["B-PER", "O", "O"]], "bio")["f1"]
    0.0
    >>> tag_scores([["NOUN", "VERB"]], [["NOUN", "NOUN"]], None)["accuracy"]
    0.5
    ```
    """
    _check(references, predictions)
    if scheme is None:
        right, said = _flat(references), _flat(predictions)
        labels = sorted({*right, *said})
        per_tag = precision_recall_fscore_support(right, said, labels=labels, average=None, zero_division=0)
        return {"accuracy": float(np.mean(np.array(right) == np.array(said))), "f1_macro": float(np.mean(per_tag[2]))}
    references, predictions = _as_bio(references, scheme), _as_bio(predictions, scheme)
    found = _report(references, predictions).get("micro avg", dict.fromkeys(("precision", "recall", "f1-score"), 0.0))
    return {
        "precision": float(found["precision"]),
        "recall": float(found["recall"]),
        "f1": float(found["f1-score"]),
        "accuracy": float(accuracy_score(references, predictions)),
    }


def scores_by_kind(references: Tags, predictions: Tags, scheme: str | None) -> dict[str, dict[str, float]]:
    """Precision, recall, F1 and support of each kind of span, or of each tag.

    Example:

    ```python
    >>> scores_by_kind([["B-PER", "O"]], [["B-PER", "O"]], "bio")
    {'PER': {'precision': 1.0, 'recall': 1.0, 'f1': 1.0, 'support': 1}}
    ```
    """
    if scheme is None:
        right, said = _flat(references), _flat(predictions)
        labels = sorted({*right, *said})
        columns = precision_recall_fscore_support(right, said, labels=labels, average=None, zero_division=0)
        return {
            label: {"precision": float(p), "recall": float(r), "f1": float(f), "support": int(n)}
            for label, p, r, f, n in zip(labels, *columns)
        }
    report = _report(_as_bio(references, scheme), _as_bio(predictions, scheme))
    return {
        kind: {
            "precision": float(row["precision"]),
            "recall": float(row["recall"]),
            "f1": float(row["f1-score"]),
            "support": int(row["support"]),
        }
        for kind, row in report.items()
        if not kind.endswith(" avg")
    }


def tag_intervals(references: Tags, predictions: Tags, scheme: str | None) -> dict[str, Interval]:
    """95 % intervals: of accuracy by Wilson, of F1 by drawing the sentences anew 2,000 times.

    Example:

    ```python
    >>> tag_intervals([["NOUN"]] * 12, [["NOUN"]] * 12, None)["accuracy"].high
    1.0
    ```
    """
    _check(references, predictions)
    right, said = np.array(_flat(references)), np.array(_flat(predictions))
    found = {"accuracy": wilson_interval(int((right == said).sum()), len(right))}
    if scheme is None:
        return found
    counts = np.array([_span_counts(*pair, scheme) for pair in zip(references, predictions)], np.float64)
    draws = np.random.default_rng(_SEED).integers(0, len(counts), (_DRAWS, len(counts)))
    hits, there, found_there = counts[draws].sum(1).T
    f1 = 2 * hits / np.maximum(there + found_there, 1)
    score = tag_scores(references, predictions, scheme)["f1"]
    low, high = np.quantile(f1, (0.025, 0.975))
    return found | {"f1": Interval(float(min(low, score)), float(max(high, score)))}


def _span_counts(reference: Sequence[str], prediction: Sequence[str], scheme: str) -> tuple[int, int, int]:
    """How many spans are right, there, and predicted."""
    right, said = set(spans_of(reference)), set(spans_of(prediction))
    return len(right & said), len(right), len(said)


class TagScorer:
    """The `compute_metrics` of a Trainer for tags.

    Args:
        label_names: Of the tags, in order.
        scheme: How they mark spans; None where they mark none.

    `predictions` are the numbers of the tags (sentences, length), or logits (sentences, length, tags), and `label_ids`
    those that are right, -100 where there is none.

    Example:

    ```python
    >>> scorer = TagScorer(["NOUN", "VERB"], None)
    >>> scorer(EvalPrediction(np.array([[0, 1]]), np.array([[0, -100]])))["accuracy"]
    1.0
    ```
    """

    def __init__(self, label_names: Sequence[str], scheme: str | None):
        self.label_names, self.scheme = list(label_names), scheme

    def __call__(self, prediction: EvalPrediction) -> dict[str, float]:
        """The scores of predictions and labels."""
        return tag_scores(*self.named(prediction), self.scheme)

    def named(self, prediction: EvalPrediction) -> tuple[list[list[str]], list[list[str]]]:
        """What is right, and what is predicted, by name."""
        said = prediction.predictions
        said = np.asarray(said[0] if isinstance(said, tuple) else said)
        said = said.argmax(-1) if said.ndim == 3 else said
        names, right = self.label_names, np.asarray(prediction.label_ids)
        rows = [(row[row != IGNORED], own[row != IGNORED]) for row, own in zip(right, said)]
        rows = [(row, own) for row, own in rows if len(row)]
        return [[names[tag] for tag in row] for row, _ in rows], [[names[tag] for tag in own] for _, own in rows]

    def directions(self) -> dict[str, bool]:
        """The names of the scores, and of the loss, with whether greater is better."""
        names = _TAG_SCORES if self.scheme is None else _SPAN_SCORES
        return dict.fromkeys(names, True) | {"loss": False}


def _check(references: Tags, predictions: Tags) -> None:
    if [*map(len, references)] != [*map(len, predictions)]:
        raise ValueError("Every sentence needs as many predicted tags as it has right ones.")
    if not any(map(len, references)):
        raise ValueError("There is nothing to score: no word has a tag.")


def _flat(sentences: Tags) -> list[str]:
    return [tag for sentence in sentences for tag in sentence]


def _as_bio(sentences: Tags, scheme: str) -> Tags:
    """What is well formed stays; of the other schemes, the spans."""
    if scheme == "bio":
        return sentences
    return [tags_of_spans(spans_of(sentence), len(sentence)) for sentence in sentences]


def _report(references: Tags, predictions: Tags) -> Mapping[str, Any]:
    if not any(tag != "O" for sentence in (*references, *predictions) for tag in sentence):
        return {}
    with warnings.catch_warnings():
        # Of kinds that are nowhere predicted; they count as 0.
        warnings.simplefilter("ignore")
        return classification_report(
            [list(each) for each in references],
            [list(each) for each in predictions],
            mode="strict",
            scheme=IOB2,
            output_dict=True,
            zero_division=0,
        )

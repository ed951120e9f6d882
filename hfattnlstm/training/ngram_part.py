"""Gives a trained classifier its n-grams: fitted on the training texts, weighed against the LSTM on held-out ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from datasets import Dataset
from scipy import sparse

from ..data.columns import column_values
from ..modeling.configuration_attnlstm import SINGLE_LABEL
from ..modeling.modeling_sequence_classification import AttnLSTMForSequenceClassification
from ..modeling.ngrams import NgramIndex
from .ngram_choice import choose_ngrams, count_ngrams
from .ngram_fit import COSTS, LinearPart, fit_linear_part, log_loss, mixing_weights


# Weights of n-grams, one a label, that a model has at most: 64 MB.
MOST_WEIGHTS = 16_000_000
# Of the weight of the LSTM beside the n-grams: it divides theirs.
_LEAST_OF_HEAD = 0.02


class LabelledRows(NamedTuple):
    """Token ids of each text, and what applies to it, boolean (texts, labels)."""

    ids: Sequence[np.ndarray]
    applies: np.ndarray

    def __add__(self, other: LabelledRows) -> LabelledRows:
        """The texts of both."""
        return LabelledRows([*self.ids, *other.ids], np.concatenate([self.applies, other.applies]))


def labelled_rows(encoded: Dataset, num_labels: int, problem_type: str) -> LabelledRows:
    """The rows of a split, as from [`encode_texts`], with one label a text or several."""
    column = column_values(encoded, "input_ids").combine_chunks()
    ids = np.split(column.flatten().to_numpy(), column.offsets.to_numpy()[1:-1] - column.offsets[0].as_py())
    labels = np.array(encoded["labels"][:])
    applies = np.eye(num_labels, dtype=bool)[labels] if problem_type == SINGLE_LABEL else labels > 0
    return LabelledRows(ids, applies)


@dataclass(frozen=True)
class NgramPart:
    """N-grams with their weights, for one model.

    Attributes:
        numbers: (size,), which n-grams; see [`NgramIndex`].
        longest: Tokens in the longest of them.
        weight, bias: (size, labels) and (labels,), of the sum of both classifiers.
        costs, scales: What each of them was fitted with, and is multiplied by.
        temperature: What divides the sum of the LSTM's logits and those of the n-grams, so that they are calibrated.
    """

    numbers: np.ndarray
    longest: int
    weight: np.ndarray
    bias: np.ndarray
    costs: tuple[float, ...]
    scales: tuple[float, ...]
    temperature: float

    def refitted(self, rows: LabelledRows, threads: int = 1) -> NgramPart:
        """The same for other texts, such as the held-out ones too, with the same costs and scales."""
        index, counts = _index_and_counts(rows, self.longest, len(self.numbers))
        parts = [
            fit_linear_part(counts, rows.applies, by_ratio=by_ratio, cost=cost, threads=threads)
            for by_ratio, cost in zip(_KINDS, self.costs)
        ]
        return replace(self, numbers=index.numbers.numpy(), **_summed(parts, self.scales))

    def put_into(self, model: AttnLSTMForSequenceClassification) -> None:
        """Let the model read these n-grams, in place of those that it has."""
        model.set_ngrams(torch.from_numpy(self.numbers), self.longest)
        model.ngrams.weight[1:] = torch.from_numpy(self.weight)
        model.ngrams.bias[:] = torch.from_numpy(self.bias)


# Scaled by log-count ratios, and by inverse document frequencies.
_KINDS = (True, False)


def fit_ngrams(
    train: LabelledRows,
    held_out: LabelledRows,
    head_logits: np.ndarray,
    problem_type: str,
    *,
    longest: int,
    most: int,
    threads: int = 1,
) -> NgramPart:
    """Fit the n-grams of a classifier that has been trained.

    Args:
        train: The texts that they are learnt from.
        held_out: Those on which the costs are chosen and the parts weighed.
        head_logits: (texts, labels), of the model without n-grams on the held-out texts.
        problem_type: Of texts with one label or several.
        longest: Tokens in the longest n-gram.
        most: How many n-grams there are at most; fewer where the labels are many.
        threads: Labels that are fitted side by side.
    """
    most = min(most, MOST_WEIGHTS // train.applies.shape[1])
    index, counts = _index_and_counts(train, longest, most)
    held_out_counts = count_ngrams(index, held_out.ids)
    parts = []
    for by_ratio in _KINDS:
        found = [
            fit_linear_part(counts, train.applies, by_ratio=by_ratio, cost=cost, threads=threads) for cost in COSTS
        ]
        parts.append(min(found, key=lambda part: _own_loss(part, held_out_counts, held_out.applies, problem_type)))
    logits = [head_logits, *(part.logits(held_out_counts) for part in parts)]
    weights = mixing_weights(logits, held_out.applies, problem_type)
    head = max(float(weights[0]), _LEAST_OF_HEAD)
    scales = tuple(float(weight) / head for weight in weights[1:])
    costs = tuple(part.cost for part in parts)
    return NgramPart(
        index.numbers.numpy(), longest, costs=costs, scales=scales, temperature=1 / head, **_summed(parts, scales)
    )


def _index_and_counts(rows: LabelledRows, longest: int, most: int) -> tuple[NgramIndex, sparse.csr_matrix]:
    numbers = choose_ngrams(rows.ids, longest, most)
    index = NgramIndex(len(numbers), longest)
    index.numbers.copy_(torch.from_numpy(numbers))
    return index, count_ngrams(index, rows.ids)


def _own_loss(part: LinearPart, counts: sparse.csr_matrix, applies: np.ndarray, problem_type: str) -> float:
    """The log loss of a part by itself, once it is calibrated."""
    logits = part.logits(counts)
    return log_loss(mixing_weights([logits], applies, problem_type)[0] * logits, applies, problem_type)


def _summed(parts: Sequence[LinearPart], scales: Sequence[float]) -> dict[str, np.ndarray]:
    return {
        name: sum(scale * getattr(part, name) for scale, part in zip(scales, parts)).astype(np.float32)
        for name in ("weight", "bias")
    }

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
from ..modeling.configuration_base import MULTI_LABEL, SINGLE_LABEL
from ..modeling.modeling_sequence_classification import AttnLSTMForSequenceClassification
from ..modeling.ngrams import NgramIndex
from .metrics import ONE_HALF
from .ngram_choice import LONGEST, MOST, choose_ngrams, count_ngrams
from .ngram_fit import LinearFitter, LinearPart, calibrated_loss, decision_weights, mixing_weights


# Of these, the cost of errors that is best on held-out texts is taken.
COSTS = (0.3, 1.0, 3.0, 10.0)
# Weights of n-grams, one a label, that a model has at most: 64 MB.
MOST_WEIGHTS = 16_000_000
# Tokens of texts that are spelt at most: the characters of more would not fit into memory, and teach little.
MOST_SPELT = 3_000_000
# Tokens of the texts that are fitted to at most: with more, the counts would not fit into memory.
MOST_FITTED = 20_000_000
# And of those on which the costs are tried out, each with a fit of its own; of more labels, the most common ones do.
MOST_TRIED = 2_000_000
MOST_LABELS_TRIED = 24
# Each label is a fit. For more labels, these numbers of tokens are smaller by as much.
_FULL_LABELS = 50
# Of what the LSTM is multiplied by: it can go on learning.
_LEAST_OF_HEAD = 0.02
# Scaled by log-count ratios, and by inverse document frequencies.
_KINDS = (True, False)


class LabelledRows(NamedTuple):
    """Token ids of each text, and what applies to it, boolean (texts, labels)."""

    ids: Sequence[np.ndarray]
    applies: np.ndarray

    def joined(self, other: LabelledRows) -> LabelledRows:
        """The texts of both."""
        return LabelledRows([*self.ids, *other.ids], np.concatenate([self.applies, other.applies]))

    @property
    def num_tokens(self) -> np.ndarray:
        """Of each text, (texts,)."""
        return np.array([len(row) for row in self.ids])

    def exceed(self, most: int) -> bool:
        """Whether these are more than so many tokens, or than the fewer that so many labels leave."""
        return self._share(most) < 1

    def within(self, most: int) -> LabelledRows:
        """The texts, or, where these are more than so many tokens, a random part of them with about as many."""
        share = self._share(most)
        if share >= 1:
            return self
        count = max(int(share * len(self.ids)), 1)
        chosen = np.sort(np.random.default_rng(0).permutation(len(self.ids))[:count])
        return LabelledRows([self.ids[row] for row in chosen], self.applies[chosen])

    def most_common_labels(self, most: int) -> np.ndarray | None:
        """Which labels are the most common ones; None where there are not more than so many."""
        if self.applies.shape[1] <= most:
            return None
        return np.sort(np.argsort(-self.applies.sum(0), kind="stable")[:most])

    def _share(self, most: int) -> float:
        for_each_label = most * min(_FULL_LABELS / self.applies.shape[1], 1)
        return for_each_label / max(self.num_tokens.sum(), 1)


def token_rows(encoded: Dataset) -> list[np.ndarray]:
    """The token ids of each text of a split, as from [`encode_texts`]."""
    column = column_values(encoded, "input_ids").combine_chunks()
    return np.split(column.flatten().to_numpy(), column.offsets.to_numpy()[1:-1] - column.offsets[0].as_py())


def labelled_rows(encoded: Dataset, num_labels: int, problem_type: str) -> LabelledRows:
    """The rows of a split, as from [`encode_texts`], with one label a text or several; of shares, the largest rule."""
    labels = np.array(encoded["labels"][:])
    if problem_type == SINGLE_LABEL:
        applies = np.eye(num_labels, dtype=bool)[labels if labels.ndim == 1 else labels.argmax(1)]
    else:
        applies = labels > ONE_HALF
    return LabelledRows(token_rows(encoded), applies)


@dataclass(frozen=True)
class NgramOptions:
    """How n-grams are chosen and fitted.

    Attributes:
        problem_type: Of texts with one label or several.
        spelling: (vocabulary, character n-grams); see [`spelling_of`].
        longest: Tokens in the longest n-gram.
        most: How many of two tokens or more there are at most; fewer where the labels are many.
        spells: Whether tokens that are spelt alike learn from each other.
        class_weights: (labels,), as in the configuration of the model.
    """

    problem_type: str
    spelling: sparse.csr_matrix
    longest: int = LONGEST
    most: int = MOST
    spells: bool = True
    class_weights: Sequence[float] | None = None

    def weights_of(self, rows: LabelledRows) -> np.ndarray | None:
        """How much each decision counts, (texts, labels); None where all count equally."""
        return decision_weights(rows.applies, self.problem_type, self.class_weights)

    def index_of(self, rows: LabelledRows) -> NgramIndex:
        """All tokens of the vocabulary, and the most frequent runs of tokens.

        Where the labels are so many that there is no room for all tokens, those that occur most.
        """
        room = MOST_WEIGHTS // rows.applies.shape[1]
        tokens = np.arange(1, self.spelling.shape[0] + 1)
        if len(tokens) > room:
            times = np.bincount(np.concatenate(rows.ids), minlength=len(tokens))
            tokens = np.sort(np.argsort(-times, kind="stable")[:room]) + 1
        runs = choose_ngrams(rows.ids, self.longest, max(min(self.most, room - len(tokens)), 0), shortest=2)
        # Numbers of runs are higher than those of tokens.
        numbers = torch.from_numpy(np.concatenate([tokens, runs]))
        index = NgramIndex(len(numbers), self.longest)
        index.numbers.copy_(numbers)
        return index

    def fitter(self, index: NgramIndex, rows: LabelledRows) -> LinearFitter:
        """Fits classifiers to the n-grams of texts."""
        spelling = None
        if self.spells and self.spelling.shape[1]:
            numbers = index.numbers.numpy()
            spelling = self.spelling[numbers[numbers <= self.spelling.shape[0]] - 1]
        return LinearFitter(
            count_ngrams(index, rows.ids), rows.num_tokens, rows.applies, spelling, self.weights_of(rows)
        )


@dataclass(frozen=True)
class NgramPart:
    """N-grams with their weights, for one model.

    Attributes:
        options: How they were chosen and fitted.
        numbers: (size,), which n-grams; see [`NgramIndex`].
        weight, bias: (size, labels) and (labels,), of the sum of both classifiers.
        costs, scales: What each of them was fitted with, and is multiplied by.
        head_scale: What the logits of the LSTM are multiplied by.
        held_out_logits: (texts, labels), of both together on the held-out texts.
    """

    options: NgramOptions
    numbers: torch.Tensor
    weight: np.ndarray
    bias: np.ndarray
    costs: tuple[float, ...]
    scales: tuple[float, ...]
    head_scale: float
    held_out_logits: np.ndarray

    def refitted(self, rows: LabelledRows) -> NgramPart:
        """The same for other texts, such as the held-out ones too, with the same costs and scales."""
        rows = rows.within(MOST_FITTED)
        index = self.options.index_of(rows)
        fitter = self.options.fitter(index, rows)
        parts = [fitter.fit(by_ratio, [cost])[0] for by_ratio, cost in zip(_KINDS, self.costs)]
        return replace(self, numbers=index.numbers, **_summed(parts, self.scales))

    @torch.no_grad()
    def scale_head(self, model: AttnLSTMForSequenceClassification) -> None:
        """Let the LSTM count as much as it should beside these n-grams."""
        for parameter in model.classifier.out_proj.parameters():
            parameter.mul_(self.head_scale)

    def put_into(self, model: AttnLSTMForSequenceClassification) -> None:
        """Let the model read these n-grams, in place of those that it has."""
        model.set_ngrams(self.numbers, self.options.longest)
        model.ngrams.weight[1:] = torch.from_numpy(self.weight)
        model.ngrams.bias[:] = torch.from_numpy(self.bias)


def fit_ngrams(
    train: LabelledRows, held_out: LabelledRows, head_logits: np.ndarray, options: NgramOptions
) -> NgramPart:
    """Fit the n-grams of a classifier that has been trained.

    Args:
        train: The texts that they are learnt from.
        held_out: Those on which the costs are chosen and the parts weighed.
        head_logits: (texts, labels), of the model without n-grams on the held-out texts.
        options: How.
    """
    train = train.within(MOST_FITTED)
    options = replace(options, spells=options.spells and not train.exceed(MOST_SPELT))
    index = options.index_of(train)
    counts, num_tokens = count_ngrams(index, held_out.ids), held_out.num_tokens
    weights = options.weights_of(held_out)
    tried = train.within(MOST_TRIED)
    fitter = options.fitter(index, tried)
    labels = tried.most_common_labels(MOST_LABELS_TRIED)
    columns = slice(None) if labels is None else labels
    # Some of the labels do not exclude each other, for none of them may apply.
    problem_type = options.problem_type if labels is None else MULTI_LABEL
    judged = held_out.applies[:, columns], problem_type, None if weights is None else weights[:, columns]

    def loss(part: LinearPart) -> float:
        return calibrated_loss(part.logits(counts, num_tokens), *judged)

    parts = [min(fitter.fit(by_ratio, COSTS, labels), key=loss) for by_ratio in _KINDS]
    if tried is not train:
        fitter = options.fitter(index, train)
    if tried is not train or labels is not None:
        parts = [fitter.fit(by_ratio, [part.cost])[0] for by_ratio, part in zip(_KINDS, parts)]
    logits = [head_logits, *(part.logits(counts, num_tokens) for part in parts)]
    mixture = mixing_weights(logits, held_out.applies, options.problem_type, weights)
    mixture[0] = max(mixture[0], _LEAST_OF_HEAD)
    scales = tuple(mixture[1:].tolist())
    return NgramPart(
        options,
        index.numbers,
        costs=tuple(part.cost for part in parts),
        scales=scales,
        head_scale=float(mixture[0]),
        held_out_logits=np.tensordot(mixture, np.stack(logits), 1),
        **_summed(parts, scales),
    )


def _summed(parts: Sequence[LinearPart], scales: Sequence[float]) -> dict[str, np.ndarray]:
    return {
        name: sum(scale * getattr(part, name) for scale, part in zip(scales, parts)).astype(np.float32)
        for name in ("weight", "bias")
    }

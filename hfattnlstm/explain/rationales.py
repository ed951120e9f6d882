"""How well weights agree with what people have marked as the reasons for a label.

Being plausible is not being faithful: a model may have the right label for other reasons than people have. See
[`Faithfulness`] for what a model does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..data.marks import marks_of_spans


if TYPE_CHECKING:
    from .explanation import Explanation

# How much two stretches of words must overlap to be the same.
LEAST_OVERLAP = 0.5


class Plausibility(NamedTuple):
    """Agreement of weights with marks of people, as ERASER counts it (DeYoung et al., 2020); means over texts.

    Attributes:
        token_f1: F1 of the tokens of the highest weights with the marked ones.
        iou_f1: F1 of the stretches of such tokens, of which one is found that overlaps a marked one by half of both
            together.
        auprc: Area under the curve of precision over recall, as more tokens are taken, by trapezoids.
        share: How many of the tokens of each text were taken for the first two: the mean share of marked ones, or the
            one that was given.
    """

    token_f1: float
    iou_f1: float
    auprc: float
    share: float


def plausibility(
    weights: Sequence[Sequence[float]], rationales: Sequence[Sequence[int]], share: float | None = None
) -> Plausibility:
    """Compare weights with marks of people.

    Args:
        weights: For each text one a token; the highest come first.
        rationales: For each text 1 for each token that people have marked, and 0 for the others. Texts without any
            mark are left out.
        share: Of the tokens of a text, which are taken; without, the mean share of marked ones in these texts, or use
            that of the training texts, as ERASER does.

    Raises:
        ValueError: For texts with other numbers of weights than of marks, for marks that are neither 0 nor 1, or where
            no text has a mark.

    Example:

    ```python
    >>> found = plausibility([[0.1, 0.6, 0.3, 0.0]], [[0, 1, 1, 0]])
    >>> found.token_f1, found.iou_f1, found.auprc
    (1.0, 1.0, 1.0)
    ```
    """
    if share is not None and not 0 < share <= 1:
        raise ValueError(f"share={share} must be above 0 and at most 1.")
    pairs = list(_checked(weights, rationales))
    marked = [(own, marks) for own, marks in pairs if marks.any()]
    if not marked:
        raise ValueError("No token of any text is marked: give the rationales of people, 1 for each marked token.")
    if share is None:
        share = float(np.mean([marks.mean() for _, marks in marked]))
    chosen = [_highest(own, share) for own, _ in marked]
    return Plausibility(
        token_f1=float(np.mean([_token_f1(own, marks) for own, (_, marks) in zip(chosen, marked)])),
        iou_f1=float(np.mean([_iou_f1(own, marks) for own, (_, marks) in zip(chosen, marked)])),
        auprc=float(np.mean([_auprc(own, marks) for own, marks in marked])),
        share=share,
    )


class Agreement:
    """Of explanations with what people have marked, gathered text by text.

    Example:

    ```python
    >>> classifier = pipeline("text-classification", "my-model")
    >>> found = explain(["Slow soup"], classifier.model, classifier.tokenizer, method="occlusion")
    >>> agreement = Agreement()
    >>> for explanation in agreement.watch(found, [[(0, 4)]]):
    ...     pass
    >>> own, random = agreement.figures()
    >>> own.token_f1
    1.0
    ```
    """

    def __init__(self, seed: int = 0):
        self._seed = seed
        self._weights: list[np.ndarray] = []
        self._marks: list[np.ndarray] = []

    def watch(
        self, explanations: Iterable[Explanation], marked: Iterable[Sequence[Sequence[int]]]
    ) -> Iterator[Explanation]:
        """The same explanations, each of which is taken into account as it passes.

        Args:
            explanations: Of single texts.
            marked: Start and end of each stretch that is marked in each text.
        """
        for explanation, spans in zip(explanations, marked):
            tokens = explanation.tokens
            marks = marks_of_spans([(token.start, token.end) for token in tokens], spans)
            if marks.any():
                self._marks.append(marks)
                self._weights.append(np.array([token.weight for token in tokens]))
            yield explanation

    def figures(self) -> tuple[Plausibility, Plausibility] | None:
        """Of the weights, and of random rankings; None where no text that was read is marked."""
        if not self._marks:
            return None
        generator = np.random.default_rng(self._seed)
        random = [generator.random(len(own)) for own in self._weights]
        return plausibility(self._weights, self._marks), plausibility(random, self._marks)

    def sentence(self) -> str:
        """What comes out, for people."""
        found = self.figures()
        if found is None:
            return "No token that was read is marked, so there is no agreement to measure."
        own, random = found
        texts = f"{len(self._marks):,} {'text' if len(self._marks) == 1 else 'texts'}"
        return (
            f"Agreement with what people have marked, in {texts}: token F1 {own.token_f1:.2f}, IOU F1 "
            f"{own.iou_f1:.2f}, AUPRC {own.auprc:.2f} (random ranking: {random.token_f1:.2f}, {random.iou_f1:.2f}, "
            f"{random.auprc:.2f})."
        )


def _checked(weights: Sequence[Sequence[float]], rationales: Sequence[Sequence[int]]):
    if len(weights) != len(rationales):
        raise ValueError(
            f"There are weights of {len(weights)} texts and marks of {len(rationales)}: give both for all."
        )
    for position, (own, marks) in enumerate(zip(weights, rationales)):
        own, marks = np.asarray(own, dtype=np.float64), np.asarray(marks)
        if own.shape != marks.shape:
            raise ValueError(
                f"Text number {position} has {own.size} weights and {marks.size} marks: give one of each a token."
            )
        if not np.isin(marks, (0, 1)).all():
            raise ValueError(f"The marks of text number {position} must be 0 and 1.")
        if not np.isfinite(own).all():
            raise ValueError(f"The weights of text number {position} have NaN or infinity: they must be numbers.")
        yield own, marks.astype(np.int64)


def _highest(weights: np.ndarray, share: float) -> np.ndarray:
    """1 for the tokens of the highest weights, at least one; of equal ones for the first."""
    count = min(max(round(share * len(weights)), 1), len(weights))
    found = np.zeros(len(weights), dtype=np.int64)
    found[np.argsort(-weights, kind="stable")[:count]] = 1
    return found


def _token_f1(chosen: np.ndarray, marks: np.ndarray) -> float:
    return 2 * int((chosen & marks).sum()) / int(chosen.sum() + marks.sum())


def _iou_f1(chosen: np.ndarray, marks: np.ndarray) -> float:
    own, wanted = _stretches(chosen), _stretches(marks)
    hits = sum(any(_overlap(one, other) >= LEAST_OVERLAP for other in wanted) for one in own)
    precision, recall = hits / len(own), hits / len(wanted)
    return 2 * precision * recall / (precision + recall) if hits else 0.0


def _stretches(marks: np.ndarray) -> list[tuple[int, int]]:
    """Start and end of each run of ones."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], marks, [0]])))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist()))


def _overlap(one: tuple[int, int], other: tuple[int, int]) -> float:
    """Of two stretches, what both cover against what any of them covers."""
    both = min(one[1], other[1]) - max(one[0], other[0])
    return max(both, 0) / (one[1] - one[0] + other[1] - other[0] - max(both, 0))


def _auprc(weights: np.ndarray, marks: np.ndarray) -> float:
    """Tokens of equal weight are taken together."""
    order = np.argsort(-weights, kind="stable")
    hits = np.cumsum(marks[order])
    # The last of each group of equal weights.
    ends = np.flatnonzero(np.append(np.diff(weights[order]) != 0, True))
    precision, recall = hits[ends] / (ends + 1), hits[ends] / marks.sum()
    return float(np.trapezoid(np.append(precision[0], precision), np.append(0.0, recall)))

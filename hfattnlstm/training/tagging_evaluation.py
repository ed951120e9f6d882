"""What a tagger is worth: scores by kind, what spans are taken for, and the worst mistakes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..modeling.tag_schemes import spans_of
from .intervals import FEW_TEXTS, Interval
from .tagging_metrics import scores_by_kind, tag_intervals, tag_scores


MISTAKES = 10
# In place of a kind, where there is no span.
NOTHING = "–"


@dataclass(frozen=True)
class TagMistake:
    """A sentence in which a tagger is wrong.

    Attributes:
        row: Which sentence it is, from 1.
        words: Its words.
        tags, predicted: Right and predicted tags.
        score: The probability of the wrong tag of which it was most sure.
    """

    row: int
    words: Sequence[str]
    tags: Sequence[str]
    predicted: Sequence[str]
    score: float


@dataclass(frozen=True)
class TagEvaluation:
    """How good a tagger is on sentences with tags.

    Attributes:
        tagging_scheme: How tags mark spans; None where they mark none.
        sentences, words: How many were measured.
        scores: By name, see [`tag_scores`].
        intervals: Of sentences below a thousand, 95 % intervals of the scores that have one.
        per_kind: `precision`, `recall`, `f1` and `support` of each kind of span, or of each tag.
        kinds: Names of the rows and columns of `confusions`.
        confusions: (kinds, kinds), the right kind by row and the predicted one by column; of spans, those with a word
            in common, the last row and column for those that have none with any.
        borders: Of each kind of span, how many were found with the right kind but other borders.
        mistakes: Those of which the tagger was most sure; worst first.
    """

    tagging_scheme: str | None
    sentences: int
    words: int
    scores: dict[str, float]
    intervals: dict[str, Interval]
    per_kind: dict[str, dict[str, float]]
    kinds: Sequence[str]
    confusions: np.ndarray
    borders: dict[str, int]
    mistakes: Sequence[TagMistake] = field(default=(), repr=False)

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "sentences": self.sentences,
            "words": self.words,
            "scores": self.scores,
            "intervals": {name: list(interval) for name, interval in self.intervals.items()},
            "per_kind": self.per_kind,
            "kinds": list(self.kinds),
            "confusions": self.confusions.tolist(),
            "borders": self.borders,
            "mistakes": [vars(mistake) | {"words": list(mistake.words)} for mistake in self.mistakes],
        }


def evaluate_tags(
    words: Sequence[Sequence[str]],
    references: Sequence[Sequence[str]],
    predictions: Sequence[Sequence[str]],
    scores: Sequence[Sequence[float]],
    scheme: str | None,
    mistakes: int = MISTAKES,
) -> TagEvaluation:
    """Measure tags.

    Args:
        words, references, predictions: Of each sentence, its words, the right tags and the predicted ones.
        scores: The probability of each predicted tag.
        scheme: How tags mark spans; None where they mark none.
        mistakes: How many are kept.

    Raises:
        ValueError: There are no tags, or other numbers of them.

    Example:

    ```python
    >>> found = evaluate_tags([["In", "Paris"]], [["O", "B-LOC"]], [["O", "B-PER"]], [[0.9, 0.6]], "bio")
    >>> found.scores["f1"], found.mistakes[0].score
    (0.0, 0.6)
    ```
    """
    kinds, confusions, borders = (
        _tag_confusions(references, predictions) if scheme is None else _span_confusions(references, predictions)
    )
    return TagEvaluation(
        scheme,
        len(references),
        sum(map(len, references)),
        tag_scores(references, predictions, scheme),
        tag_intervals(references, predictions, scheme) if len(references) < FEW_TEXTS else {},
        scores_by_kind(references, predictions, scheme),
        kinds,
        confusions,
        borders,
        _worst(words, references, predictions, scores, mistakes),
    )


def _tag_confusions(references: Any, predictions: Any) -> tuple[list[str], np.ndarray, dict[str, int]]:
    pairs = Counter(pair for right, said in zip(references, predictions) for pair in zip(right, said))
    kinds = sorted({kind for pair in pairs for kind in pair})
    return kinds, _matrix(pairs, kinds), {}


def _span_confusions(references: Any, predictions: Any) -> tuple[list[str], np.ndarray, dict[str, int]]:
    """What spans are taken for: of those that share words, each with the first that is left."""
    pairs: Counter[tuple[str, str]] = Counter()
    borders: Counter[str] = Counter()
    for right, said in zip(references, predictions):
        free = spans_of(said)
        for span in spans_of(right):
            other = span if span in free else next((each for each in free if _overlap(span, each)), None)
            if other is not None:
                free.remove(other)
            pairs[span[2], NOTHING if other is None else other[2]] += 1
            borders[span[2]] += other is not None and other != span and other[2] == span[2]
        pairs.update((NOTHING, kind) for _, _, kind in free)
    kinds = sorted({kind for pair in pairs for kind in pair} - {NOTHING})
    return [*kinds, NOTHING], _matrix(pairs, [*kinds, NOTHING]), dict(borders)


def _overlap(first: tuple[int, int, str], second: tuple[int, int, str]) -> bool:
    return first[0] < second[1] and second[0] < first[1]


def _matrix(pairs: Counter[tuple[str, str]], kinds: Sequence[str]) -> np.ndarray:
    places = {kind: place for place, kind in enumerate(kinds)}
    matrix = np.zeros((len(kinds), len(kinds)), np.int64)
    for (right, said), count in pairs.items():
        matrix[places[right], places[said]] = count
    return matrix


def _worst(words: Any, references: Any, predictions: Any, scores: Any, most: int) -> list[TagMistake]:
    found = []
    for row, (own, right, said, sure) in enumerate(zip(words, references, predictions, scores), 1):
        wrong = [float(score) for score, one, other in zip(sure, right, said) if one != other]
        if wrong:
            found.append(TagMistake(row, list(own), list(right), list(said), max(wrong)))
    return sorted(found, key=lambda mistake: (-mistake.score, mistake.row))[:most]

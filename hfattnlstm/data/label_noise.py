"""Labels that may be wrong: those that a simple model of the other texts would give otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np


if TYPE_CHECKING:
    from scipy.sparse import spmatrix


# Each fold is labelled by a model of the others.
FOLDS = 3
# A class with fewer texts teaches a model of two thirds of them too little.
LEAST_TEXTS = 10
_SEED = 0
# With more, the time grows where there are many classes, and hardly what is found.
_FEATURES = 20_000
# Of the label that is given, above which a text is left alone: what is merely unsure is no candidate.
_HIGHEST_GIVEN = 0.1
# Of all characters, from which on words stand apart: a sixth in English, next to none in Chinese.
_SPACES = 0.05


class NoiseCandidate(NamedTuple):
    """A text whose label is worth a second look.

    Attributes:
        row: Which one it is, from 1.
        label: The class that is given.
        suggested: The class that the simple model gives.
        probability: What it gives that class.
    """

    row: int
    label: int
    suggested: int
    probability: float


def find_label_noise(texts: Sequence[str], labels: np.ndarray, characters: int) -> tuple[list[NoiseCandidate], int]:
    """Looks for wrong labels by confident learning (Northcutt, Jiang and Chuang, 2021).

    A logistic regression on TF-IDF of words and pairs of them (of characters, for scripts without spaces) labels each
    third of the texts from the other two. A text is a candidate when the model gives another class at least the mean
    probability that it gives the texts of that class, and the given one little. Some candidates are hard texts, not
    mistakes: they are for a person to look at.

    Args:
        texts: At least some dozens.
        labels: Class of each, integers (texts,).
        characters: Of all texts together, how many are read at most; a sample of the texts beyond.

    Returns:
        The candidates, the most probable first, and how many texts were looked at: none where all but
        one class have too few, or no two texts share a word.

    Example:

    ```python
    >>> texts = [f"{word} {word} {thing}" for thing in range(40) for word in ("good", "bad")]
    >>> labels = np.array([1, 0] * 39 + [1, 1])
    >>> candidates, count = find_label_noise(texts, labels, 10_000)
    >>> [(found.row, found.suggested) for found in candidates], count
    ([(80, 0)], 80)
    ```
    """
    rows = _sample(texts, labels, characters)
    labels = np.asarray(labels)[rows]
    if len(np.unique(labels)) < 2:
        return [], 0
    features = _features([texts[row] for row in rows])
    if features is None:
        return [], 0
    probabilities, classes = _out_of_fold(features, labels), np.unique(labels)
    given = np.searchsorted(classes, labels)
    everywhere = np.arange(len(rows))
    own = probabilities[everywhere, given]
    usual = np.array([own[given == place].mean() for place in range(len(classes))])
    confident = np.where(probabilities >= usual, probabilities, -1.0)
    confident[everywhere, given] = -1.0
    suggested = confident.argmax(1)
    found = np.flatnonzero((confident.max(1) >= 0) & (own <= _HIGHEST_GIVEN) & (confident.max(1) > own))
    found = found[np.argsort(own[found] - confident[found, suggested[found]], kind="stable")]
    candidates = [
        NoiseCandidate(int(rows[i]) + 1, int(labels[i]), int(classes[suggested[i]]), float(confident[i, suggested[i]]))
        for i in found
    ]
    return candidates, len(rows)


def _sample(texts: Sequence[str], labels: np.ndarray, characters: int) -> np.ndarray:
    """Rows of classes with enough texts, in random order as many as the characters allow, sorted."""
    order = np.random.default_rng(_SEED).permutation(len(texts))
    lengths = np.array([len(texts[row]) for row in order])
    chosen = order[np.cumsum(lengths) <= characters]
    classes, counts = np.unique(np.asarray(labels)[chosen], return_counts=True)
    return np.sort(chosen[np.isin(np.asarray(labels)[chosen], classes[counts >= LEAST_TEXTS])])


def _features(texts: Sequence[str]) -> spmatrix | None:
    """TF-IDF of texts (texts, terms); None where no two of them share a term."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    words = {"ngram_range": (1, 2), "token_pattern": r"(?u)\b\w+\b"}
    kind = words if has_spaces(texts) else {"analyzer": "char", "ngram_range": (1, 3)}
    try:
        # Of all texts at once: the weights of the words know nothing of the labels.
        return TfidfVectorizer(**kind, min_df=2, max_features=_FEATURES, sublinear_tf=True).fit_transform(texts)
    except ValueError:
        # The vectorizer takes it for a mistake that no term is left.
        return None


def _out_of_fold(features: spmatrix, labels: np.ndarray) -> np.ndarray:
    """Probabilities (texts, classes in order), each from a model that has not seen the text."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.multiclass import OneVsRestClassifier

    # One class against the others, each for itself: with two dozen classes, many times as fast as all at once.
    model = OneVsRestClassifier(LogisticRegression(C=10.0, solver="liblinear", tol=1e-2, random_state=_SEED))
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=_SEED)
    return cross_val_predict(model, features, labels, cv=folds, method="predict_proba")


def has_spaces(texts: Sequence[str]) -> bool:
    """Whether spaces stand between the words of texts.

    Example:

    ```python
    >>> has_spaces(["A good film."]), has_spaces(["很好吃。"])
    (True, False)
    ```
    """
    return sum(text.count(" ") for text in texts) >= _SPACES * sum(map(len, texts))

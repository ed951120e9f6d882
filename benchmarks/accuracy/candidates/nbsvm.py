"""NB-SVM: a linear support vector machine over n-grams that are weighed by their log-count ratios.

Wang and Manning (2012), Baselines and Bigrams: Simple, Good Sentiment and Topic Classification.
"""

from __future__ import annotations

import pickle
from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.svm import LinearSVC

from . import Candidate, Prediction
from .ngrams import ngram_options


LONGEST = 3
# In many texts, n-grams that occur in one alone are most of the memory and of the time, and change little.
MANY_TEXTS = 10_000
# The paper's: what is added to each count, and the share of the machine, beside that of naive Bayes.
SMOOTHING = 1.0
INTERPOLATION = 0.25


class NBSVM(Candidate):
    """Whether n-grams of one to three words occur; one against the rest where there are more than two classes."""

    def fit(self, texts: Sequence[str], labels: np.ndarray) -> None:
        """Weigh the n-grams, and fit a machine for each label."""
        least = 2 if len(texts) >= MANY_TEXTS else 1
        options = ngram_options(self.problem, LONGEST)
        self.vectorizer = CountVectorizer(binary=True, dtype=np.float32, min_df=least, **options)
        occurs = self.vectorizer.fit_transform(texts)
        if not self.problem.several:
            labels = np.eye(len(self.problem.label_names), dtype=np.int64)[labels]
            # Of two classes, one machine is enough.
            labels = labels[:, 1:] if labels.shape[1] == 2 else labels
        fitted = [_fit_label(occurs, labels[:, label]) for label in range(labels.shape[1])]
        self.weights = np.stack([weights for weights, _ in fitted], axis=1)
        self.intercepts = np.array([intercept for _, intercept in fitted])

    def predict(self, texts: Sequence[str]) -> Prediction:
        """Label texts."""
        values = self.vectorizer.transform(texts) @ self.weights + self.intercepts
        if self.problem.several or values.shape[1] == 1:
            above = (values > 0).astype(np.int64)
            return Prediction(above if self.problem.several else above[:, 0])
        return Prediction(values.argmax(-1))

    def size(self) -> int:
        """Of the pickle."""
        return len(pickle.dumps((self.vectorizer, self.weights, self.intercepts)))


def log_count_ratios(occurs: csr_matrix, applies: np.ndarray) -> np.ndarray:
    """How much more frequent each n-gram is where a label applies, on a logarithmic scale.

    Args:
        occurs: (texts, ngrams) of 0 and 1.
        applies: (texts,) of 0 and 1.

    Returns:
        (ngrams,); above 0 where the n-gram speaks for the label.
    """
    inside, outside = (SMOOTHING + occurs.T @ chosen for chosen in (applies, 1 - applies))
    return np.log(inside / inside.sum()) - np.log(outside / outside.sum())


def _fit_label(occurs: csr_matrix, applies: np.ndarray) -> tuple[np.ndarray, float]:
    """Weights of the n-grams and intercept."""
    if applies.min() == applies.max():
        # Nothing to tell apart.
        return np.zeros(occurs.shape[1], dtype=np.float32), 2.0 * applies[0] - 1.0
    ratios = log_count_ratios(occurs, applies).astype(np.float32)
    weighed = csr_matrix((ratios[occurs.indices], occurs.indices, occurs.indptr), shape=occurs.shape)
    machine = LinearSVC(random_state=0).fit(weighed, applies)
    weights, intercept = machine.coef_[0].astype(np.float32), float(machine.intercept_[0])
    # The paper interpolates the weights alone; with classes of unequal size the prior must come along.
    mean = np.abs(weights).mean()
    prior = float(np.log(applies.mean() / (1 - applies.mean())))
    return (
        ratios * ((1 - INTERPOLATION) * mean + INTERPOLATION * weights),
        float((1 - INTERPOLATION) * mean * prior + INTERPOLATION * intercept),
    )

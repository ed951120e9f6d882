"""TF-IDF of words and bigrams with a linear classifier, from scikit-learn."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from . import Candidate, Prediction
from .ngrams import ngram_options


LONGEST = 2
# Texts are short vectors of length 1, for which scikit-learn's 1 is too strict.
INVERSE_PENALTY = 10.0
# Most labels have few texts among many, and more freedom finds more of them.
INVERSE_PENALTY_OF_LABELS = 100.0
MOST_ITERATIONS = 1_000
# Where a probability is 0, or a class does not occur in training.
_LEAST_LOG = -30.0


class _Tfidf(Candidate):
    def classifier(self) -> Any:
        """The linear classifier of one label."""
        raise NotImplementedError

    def fit(self, texts: Sequence[str], labels: np.ndarray) -> None:
        """Weigh the n-grams and fit the classifier; for several labels, one each."""
        vectorizer = TfidfVectorizer(sublinear_tf=True, **ngram_options(self.problem, LONGEST))
        linear = self.classifier()
        self.model = make_pipeline(vectorizer, OneVsRestClassifier(linear) if self.problem.several else linear)
        self.model.fit(texts, labels)

    def predict(self, texts: Sequence[str]) -> Prediction:
        """Label texts."""
        return Prediction(self.model.predict(texts))

    def size(self) -> int:
        """Of the pickle."""
        return len(pickle.dumps(self.model))


class TfidfSVM(_Tfidf):
    """With a linear support vector machine, which has no probabilities."""

    def classifier(self) -> LinearSVC:
        """As scikit-learn has it by default."""
        return LinearSVC(random_state=0)


class TfidfLogisticRegression(_Tfidf):
    """With logistic regression, penalised less than by default."""

    def classifier(self) -> LogisticRegression:
        """With `C=10`; of each of several labels with `C=100`, by the solver that is fast for two classes."""
        if self.problem.several:
            options = {"solver": "liblinear", "dual": True, "random_state": 0}
            return LogisticRegression(C=INVERSE_PENALTY_OF_LABELS, max_iter=MOST_ITERATIONS, **options)
        return LogisticRegression(C=INVERSE_PENALTY, max_iter=MOST_ITERATIONS)

    def predict(self, texts: Sequence[str]) -> Prediction:
        """Label texts; with one label each also give the probabilities."""
        if self.problem.several:
            return super().predict(texts)
        logs = np.full((len(texts), len(self.problem.label_names)), _LEAST_LOG)
        logs[:, self.model.classes_] = np.maximum(self.model.predict_log_proba(texts), _LEAST_LOG)
        return Prediction(logs.argmax(-1), logs)

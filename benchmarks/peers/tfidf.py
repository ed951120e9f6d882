"""TF-IDF with logistic regression, from scikit-learn."""

from __future__ import annotations

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from ..timing import Call, Prepare
from ..workload import Sample, Workload


FITTED_TEXTS = 2_000


def prediction(workload: Workload) -> Prepare:
    """`predict_proba` on a list of texts."""
    classifier = make_pipeline(TfidfVectorizer(), LogisticRegression())
    fitted = workload.sample(FITTED_TEXTS)
    classifier.fit(fitted.texts, fitted.labels)

    def prepare(sample: Sample) -> Call:
        texts = sample.texts

        def call() -> int:
            return len(classifier.predict_proba(texts))

        return call

    return prepare

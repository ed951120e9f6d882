"""spaCy's text categoriser on a blank English pipeline."""

from __future__ import annotations

import random
import warnings

import spacy
from spacy.training import Example

from ..timing import Call, Prepare
from ..workload import Sample, Workload


FITTED_TEXTS = 256
BATCH_SIZE = 32
BAG_OF_WORDS = {
    "@architectures": "spacy.TextCatBOW.v3",
    "exclusive_classes": True,
    "ngram_size": 1,
    "no_output_layer": False,
}


def prediction(workload: Workload, bag_of_words: bool) -> Prepare:
    """`nlp.pipe` on a list of texts, fitted for one epoch.

    Args:
        workload: Texts to fit it on.
        bag_of_words: Whether to take the fastest architecture, or spaCy's default, an ensemble with a convolution.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        nlp = _fitted(workload, {"model": BAG_OF_WORDS} if bag_of_words else {})

    def prepare(sample: Sample) -> Call:
        def call() -> int:
            return sum(1 for _ in nlp.pipe(sample.texts))

        return call

    return prepare


def _fitted(workload: Workload, config: dict) -> spacy.Language:
    nlp = spacy.blank("en")
    nlp.add_pipe("textcat", config=config)
    sample = workload.sample(FITTED_TEXTS)
    examples = [
        Example.from_dict(nlp.make_doc(text), {"cats": {"no": 1.0 - label, "yes": float(label)}})
        for text, label in zip(sample.texts, sample.labels)
    ]
    optimizer = nlp.initialize(lambda: examples)
    random.Random(workload.seed).shuffle(examples)
    for start in range(0, len(examples), BATCH_SIZE):
        nlp.update(examples[start : start + BATCH_SIZE], sgd=optimizer)
    return nlp

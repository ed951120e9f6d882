"""spaCy's entity recogniser on a blank English pipeline."""

from __future__ import annotations

import random
import warnings

import spacy
from spacy.tokens import Doc
from spacy.training import Example

from ..sentences import KINDS, TaggedWorkload
from ..timing import Call, Prepare


BATCH_SIZE = 32
FITTED = 256


def training(workload: TaggedWorkload) -> Prepare:
    """`nlp.update` on sentences that are already cut into words."""
    nlp = _fitted(workload, 1)
    optimizer = nlp.resume_training()

    def prepare(sentences: list) -> Call:
        examples = _examples(nlp, sentences)

        def call() -> int:
            for start in range(0, len(examples), BATCH_SIZE):
                nlp.update(examples[start : start + BATCH_SIZE], sgd=optimizer)
            return len(examples)

        return call

    return prepare


def decoding(workload: TaggedWorkload) -> Prepare:
    """`nlp.pipe` on sentences that are already cut into words."""
    nlp = _fitted(workload, FITTED)

    def prepare(sentences: list) -> Call:
        def call() -> int:
            docs = (Doc(nlp.vocab, words=words) for words, _ in sentences)
            return sum(1 for _ in nlp.pipe(docs))

        return call

    return prepare


def _fitted(workload: TaggedWorkload, count: int) -> spacy.Language:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        nlp = spacy.blank("en")
        recogniser = nlp.add_pipe("ner")
        for kind in KINDS:
            recogniser.add_label(kind)
        examples = _examples(nlp, workload.sample(max(count, BATCH_SIZE)))
        optimizer = nlp.initialize(lambda: examples)
        random.Random(workload.seed).shuffle(examples)
        for start in range(0, count, BATCH_SIZE):
            nlp.update(examples[start : start + BATCH_SIZE], sgd=optimizer)
    return nlp


def _examples(nlp: spacy.Language, sentences: list) -> list[Example]:
    return [Example.from_dict(Doc(nlp.vocab, words=words), {"entities": tags}) for words, tags in sentences]

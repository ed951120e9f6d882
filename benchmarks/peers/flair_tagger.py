"""flair's SequenceTagger: an LSTM with a CRF over embeddings of words."""

from __future__ import annotations

import logging

import torch
from transformers.utils import import_utils

from ..sentences import TAGS, TaggedWorkload
from ..timing import Call, Prepare


# flair 0.15 imports this name for its transformer embeddings, which are not used here; transformers 5 has it no more.
if not hasattr(import_utils._LazyModule, "LayoutLMv2FeatureExtractor"):
    import_utils._LazyModule.LayoutLMv2FeatureExtractor = type("LayoutLMv2FeatureExtractor", (), {})

import flair
from flair.data import Dictionary, Sentence
from flair.embeddings import WordEmbeddings
from flair.models import SequenceTagger


logging.getLogger("flair").setLevel(logging.ERROR)
LABEL_TYPE = "ner"
EMBEDDING, HIDDEN, BATCH_SIZE = 100, 128, 32


def training(workload: TaggedWorkload) -> Prepare:
    """A step of AdamW on each batch of sentences."""
    model = _tagger(workload)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)

    def prepare(rows: list) -> Call:
        batches = [
            [_sentence(*row) for row in rows[start : start + BATCH_SIZE]] for start in range(0, len(rows), BATCH_SIZE)
        ]

        def call() -> int:
            for batch in batches:
                optimizer.zero_grad()
                loss, _ = model.forward_loss(batch)
                loss.backward()
                optimizer.step()
                for sentence in batch:
                    sentence.clear_embeddings()
            return len(rows)

        return call

    return prepare


def decoding(workload: TaggedWorkload) -> Prepare:
    """`predict` on sentences that are already cut into words."""
    model = _tagger(workload)

    def prepare(rows: list) -> Call:
        def call() -> int:
            sentences = [Sentence(words) for words, _ in rows]
            model.predict(sentences, mini_batch_size=BATCH_SIZE)
            return len(sentences)

        return call

    return prepare


def _tagger(workload: TaggedWorkload) -> SequenceTagger:
    flair.device = torch.device("cpu")
    vocabulary = {
        word: place for place, word in enumerate(sorted({word for words, _ in workload.rows for word in words}))
    }
    words = WordEmbeddings(None, vocab=vocabulary, embedding_length=EMBEDDING, fine_tune=True, name="words")
    tags = Dictionary(add_unk=False)
    # The tagger makes tags of the kinds; without it, the kinds would be its tags.
    tags.span_labels = True
    for kind in sorted({tag.partition("-")[2] for tag in TAGS} - {""}):
        tags.add_item(kind)
    return SequenceTagger(
        words,
        tag_dictionary=tags,
        tag_type=LABEL_TYPE,
        tag_format="BIO",
        use_rnn=True,
        rnn_layers=1,
        hidden_size=HIDDEN,
        use_crf=True,
        reproject_embeddings=False,
    )


def _sentence(words: list[str], tags: list[str]) -> Sentence:
    sentence = Sentence(words)
    start = None
    for place, tag in enumerate([*tags, "O"]):
        if start is not None and not tag.startswith("I-"):
            sentence[start:place].add_label(LABEL_TYPE, tags[start].partition("-")[2])
            start = None
        if tag.startswith("B-"):
            start = place
    return sentence

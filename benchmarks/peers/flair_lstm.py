"""flair's TextClassifier over DocumentRNNEmbeddings."""

from __future__ import annotations

import logging

import torch
from transformers.utils import import_utils

from ..batches import BATCH_SIZE
from ..loops import LEARNING_RATE, MAX_GRAD_NORM
from ..models import DROPOUT, EMBEDDING, Configuration
from ..timing import Call, Prepare
from ..workload import Sample, Workload


# flair 0.15 imports this name for its transformer embeddings, which are not used here; transformers 5 has it no more.
if not hasattr(import_utils._LazyModule, "LayoutLMv2FeatureExtractor"):
    import_utils._LazyModule.LayoutLMv2FeatureExtractor = type("LayoutLMv2FeatureExtractor", (), {})

import flair
from flair.data import Dictionary, Sentence
from flair.embeddings import DocumentRNNEmbeddings, WordEmbeddings
from flair.models import TextClassifier
from flair.training_utils import store_embeddings


logging.getLogger("flair").setLevel(logging.ERROR)
LABEL_TYPE = "label"


def training(configuration: Configuration, workload: Workload) -> Prepare:
    """The training step of flair's ModelTrainer on sentences that are already tokenised, in random order."""
    flair.device = torch.device("cpu")
    model = _classifier(configuration, workload)
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE)

    def step(batch: list[Sentence]) -> None:
        optimizer.zero_grad()
        loss, count = model.forward_loss(batch)
        (loss / count).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), MAX_GRAD_NORM)
        optimizer.step()
        # As its trainer does: otherwise the states of all words stay in memory.
        store_embeddings(batch, "none")

    def prepare(sample: Sample) -> Call:
        sentences = [_sentence(sample, index) for index in range(len(sample))]

        def call() -> int:
            model.train()
            for start in range(0, len(sentences), BATCH_SIZE):
                step(sentences[start : start + BATCH_SIZE])
            return len(sentences)

        return call

    return prepare


def _classifier(configuration: Configuration, workload: Workload) -> TextClassifier:
    vocabulary = {word: index for index, word in enumerate(workload.words)}
    words = WordEmbeddings(None, vocab=vocabulary, embedding_length=EMBEDDING, fine_tune=True, name="words")
    torch.nn.init.normal_(words.embedding.weight, std=0.1)
    document = DocumentRNNEmbeddings(
        [words],
        hidden_size=configuration.direction_size,
        rnn_layers=configuration.layers,
        reproject_words=False,
        bidirectional=True,
        dropout=DROPOUT,
        rnn_type="LSTM",
    )
    labels = Dictionary(add_unk=False)
    for label in ("0", "1"):
        labels.add_item(label)
    return TextClassifier(document, label_type=LABEL_TYPE, label_dictionary=labels, multi_label=False)


def _sentence(sample: Sample, index: int) -> Sentence:
    sentence = Sentence([sample.words[token] for token in sample.ids[index]])
    sentence.add_label(LABEL_TYPE, str(sample.labels[index]))
    return sentence

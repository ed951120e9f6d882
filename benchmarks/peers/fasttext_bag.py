"""fastText: a linear classifier on the mean of word vectors."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import fasttext

from ..models import EMBEDDING
from ..timing import Call, Prepare
from ..workload import Sample, Workload


# So many passes that reading the file hardly counts; the time is that of one.
EPOCHS = 5
FITTED_TEXTS = 2_000

# Otherwise every model that is loaded says so.
fasttext.FastText.eprint = lambda *_: None


def training(threads: int) -> Prepare:
    """`train_supervised` from a file, on all cores; the time of a text is that of one epoch."""

    def prepare(sample: Sample) -> Call:
        # The folder lives as long as the call.
        folder = tempfile.TemporaryDirectory()
        path = _write(sample, Path(folder.name))

        def call(folder: tempfile.TemporaryDirectory = folder) -> int:
            _fit(path, threads)
            return len(sample) * EPOCHS

        return call

    return prepare


def prediction(workload: Workload, threads: int) -> Prepare:
    """`predict` on a list of texts, which uses one thread."""
    with tempfile.TemporaryDirectory() as folder:
        model = _fit(_write(workload.sample(FITTED_TEXTS), Path(folder)), threads)

    def prepare(sample: Sample) -> Call:
        # It reads lower-case words.
        texts = [text.lower() for text in sample.texts]

        def call() -> int:
            model.predict(texts)
            return len(texts)

        return call

    return prepare


def _write(sample: Sample, folder: Path) -> Path:
    path = folder / "texts.txt"
    lines = (f"__label__{label} {text.lower()}\n" for label, text in zip(sample.labels, sample.texts))
    path.write_text("".join(lines), encoding="utf-8")
    return path


def _fit(path: Path, threads: int) -> Any:
    return fasttext.train_supervised(str(path), dim=EMBEDDING, epoch=EPOCHS, thread=threads, verbose=0)

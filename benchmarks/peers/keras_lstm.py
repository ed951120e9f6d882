"""A BiLSTM with attention in Keras."""

from __future__ import annotations

import importlib.util
import os

import numpy as np

from ..batches import BATCH_SIZE, collate
from ..loops import LEARNING_RATE, MAX_GRAD_NORM
from ..models import DROPOUT, EMBEDDING, LABELS, Configuration
from ..timing import Call, Prepare
from ..workload import Sample


# Keras on torch runs a Python loop over the time steps on a CPU; the others compile it.
_BACKENDS = ("jax", "tensorflow", "torch")
_INSTALLED = next((name for name in _BACKENDS if importlib.util.find_spec(name)), "torch")
os.environ.setdefault("KERAS_BACKEND", _INSTALLED)
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras  # noqa: E402  # it reads its backend from the environment when it is imported
from keras import layers, ops  # noqa: E402


# Every length is compiled anew, so there are only a few.
_LENGTH_STEP = 64


def training(configuration: Configuration) -> Prepare:
    """`train_on_batch` on batches in random order, padded to a multiple of 64 tokens."""
    model = _model(configuration)

    def prepare(sample: Sample) -> Call:
        batches = [_batch(sample, start) for start in range(0, len(sample), BATCH_SIZE)]

        def call() -> int:
            for ids, labels in batches:
                model.train_on_batch(ids, labels)
            return len(sample)

        return call

    return prepare


def _batch(sample: Sample, start: int) -> tuple[np.ndarray, np.ndarray]:
    ids, labels = sample.ids[start : start + BATCH_SIZE], sample.labels[start : start + BATCH_SIZE]
    longest = max(map(len, ids))
    batch = collate(ids, labels, length=-(-longest // _LENGTH_STEP) * _LENGTH_STEP)
    return batch.ids.numpy().astype(np.int32), batch.labels.numpy()


def _model(configuration: Configuration) -> keras.Model:
    ids = keras.Input((None,), dtype="int32")
    states = layers.Embedding(configuration.vocab_size, EMBEDDING, mask_zero=True)(ids)
    states = layers.Dropout(DROPOUT)(states)
    for _ in range(configuration.layers):
        states = layers.Bidirectional(layers.LSTM(configuration.direction_size, return_sequences=True))(states)
    hidden = layers.Dense(2 * configuration.direction_size, activation="tanh")(states)
    scores = ops.squeeze(layers.Dense(1, use_bias=False)(hidden), -1)
    weights = layers.Softmax()(scores, mask=ops.not_equal(ids, 0))
    pooled = ops.einsum("bl,blh->bh", weights, states)
    model = keras.Model(ids, layers.Dense(LABELS)(layers.Dropout(DROPOUT)(pooled)))
    model.compile(
        keras.optimizers.AdamW(LEARNING_RATE, global_clipnorm=MAX_GRAD_NORM),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    return model

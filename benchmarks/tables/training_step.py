"""The training step of our model against other recurrent classifiers, fastText and DistilBERT."""

from __future__ import annotations

from functools import partial

from ..loops import training
from ..machine import usable_cores
from ..models import Configuration, NaiveBiLSTM, PackedBiLSTM, configurations, distilbert, main_names, ours
from ..options import Options
from ..peers import peer
from ..speed import add_measurements, speed_table
from ..table import Table
from ..targets import (
    DISTILBERT,
    FASTTEXT,
    FLAIR,
    GROUPED,
    GROUPED_BF16,
    KERAS,
    NAIVE,
    PACKED,
    PACKED_GROUPED,
    RANDOM,
)
from ..timing import Candidate, measure
from ..workload import Workload


# DistilBERT's step takes seconds: one batch a call.
DISTILBERT_BATCH = 16
NOTES = [
    "A step is the forward and the backward pass, clipping the gradients to norm 1, and AdamW (fused for all models "
    "in torch but flair's; ours updates only the rows of the embedding in use, with the same result, as its Trainer "
    "does), with 32 texts; the batches were made before.",
    "The recurrent models have the same embedding, width, dropout and additive attention; flair's has no attention.",
    f"DistilBERT has random weights and batches of {DISTILBERT_BATCH} in random order, padded to their longest text; "
    "its texts are the same tokens, without [CLS] and [SEP]. flair and Keras have random order, too.",
    "Keras runs on the first of JAX, TensorFlow and torch that is installed, with the threads that it chooses itself; "
    "its batches are padded to a multiple of 64 tokens, because every length is compiled. fastText: time of a text in "
    "one epoch, on all cores.",
]


def run(options: Options) -> Table:
    """Measure all configurations; foreign libraries only with the main one."""
    table = speed_table("training-step", "Training step", PACKED, list(NOTES), main_names(options))
    for index, configuration in enumerate(configurations(options)):
        options.report(configuration.name)
        workload = options.workload(configuration.kind)
        candidates = torch_candidates(configuration)
        if index == 0:
            candidates += peers(configuration, workload)
        measured = measure(candidates, workload, options, baseline=PACKED)
        add_measurements(table, configuration.name, measured, PACKED, targets=None if index else configuration.kind)
    return table


def torch_candidates(configuration: Configuration) -> list[Candidate]:
    """The recurrent models in torch."""
    our_model = partial(ours, configuration)
    packed, naive = partial(PackedBiLSTM, configuration), partial(NaiveBiLSTM, configuration)
    return [
        Candidate(GROUPED, training(our_model, "grouped")),
        Candidate(GROUPED_BF16, training(our_model, "grouped", autocast=True)),
        Candidate(RANDOM, training(our_model, "random")),
        Candidate(PACKED, training(packed, "random")),
        Candidate(PACKED_GROUPED, training(packed, "grouped")),
        Candidate(NAIVE, training(naive, "padded")),
    ]


def peers(configuration: Configuration, workload: Workload) -> list[Candidate]:
    """Other libraries, and DistilBERT."""
    bert = partial(distilbert, workload.vocab_size)
    return [
        Candidate(FLAIR, peer("flair_lstm", "training", configuration=configuration, workload=workload)),
        Candidate(KERAS, peer("keras_lstm", "training", configuration=configuration)),
        Candidate(FASTTEXT, peer("fasttext_bag", "training", threads=usable_cores())),
        Candidate(
            DISTILBERT,
            training(bert, "random", batch_size=DISTILBERT_BATCH),
            least=DISTILBERT_BATCH,
        ),
    ]

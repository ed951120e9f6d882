"""Inference of the models alone, from token ids to logits."""

from __future__ import annotations

from functools import partial

import torch

from ..loops import inference, our_inference
from ..models import Configuration, NaiveBiLSTM, PackedBiLSTM, configurations, distilbert, main_names, minilm, ours
from ..options import Options
from ..peers import peer
from ..speed import add_measurements, speed_table
from ..table import Table
from ..targets import (
    DISTILBERT,
    GROUPED,
    GROUPED_BF16,
    MINILM,
    NAIVE,
    ONNX_FP32,
    ONNX_INT8,
    PACKED,
    PACKED_GROUPED,
    RANDOM,
)
from ..timing import Candidate, measure


# What a large model on a CPU gains nothing beyond.
TRANSFORMER_BATCH = 8
NOTES = [
    "From lists of token ids to logits under inference mode; padding the batches is timed, too. Batches have "
    "32 texts, but those of our model where it groups by length: these are the package's own.",
    f"DistilBERT and MiniLM have random weights and batches of {TRANSFORMER_BATCH} in order of length, padded to "
    "their longest text.",
]


def run(options: Options) -> Table:
    """Measure all configurations; ONNX Runtime and the transformers only with the main one and with sentences."""
    table = speed_table("inference", "Batch inference, model alone", PACKED, list(NOTES), main_names(options))
    every = configurations(options)
    for index, configuration in enumerate(every):
        options.report(configuration.name)
        workload = options.workload(configuration.kind)
        candidates = torch_candidates(configuration)
        if (configuration.direction_size, configuration.layers) == (128, 1):
            candidates += peers(configuration)
        measured = measure(candidates, workload, options, baseline=PACKED)
        add_measurements(table, configuration.name, measured, PACKED, targets=None if index else configuration.kind)
    return table


def torch_candidates(configuration: Configuration) -> list[Candidate]:
    """The recurrent models in torch."""
    our_model = partial(ours, configuration)
    packed, naive = partial(PackedBiLSTM, configuration), partial(NaiveBiLSTM, configuration)
    return [
        Candidate(GROUPED, our_inference(our_model)),
        Candidate(GROUPED_BF16, our_inference(our_model, torch.bfloat16)),
        Candidate(RANDOM, inference(our_model, "random")),
        Candidate(PACKED, inference(packed, "random")),
        Candidate(PACKED_GROUPED, inference(packed, "sorted")),
        Candidate(NAIVE, inference(naive, "padded")),
    ]


def peers(configuration: Configuration) -> list[Candidate]:
    """Our model in ONNX Runtime, and the transformers."""
    vocab_size = configuration.vocab_size
    transformer = partial(inference, order="sorted", batch_size=TRANSFORMER_BATCH)
    # Enough batches that the texts of one are of like length.
    least = 8 * TRANSFORMER_BATCH
    onnx = partial(peer, "onnx_runtime", "inference", make_model=partial(ours, configuration))
    return [
        Candidate(ONNX_FP32, onnx(int8=False)),
        Candidate(ONNX_INT8, onnx(int8=True)),
        Candidate(DISTILBERT, transformer(partial(distilbert, vocab_size)), least=least),
        Candidate(MINILM, transformer(partial(minilm, vocab_size)), least=least),
    ]

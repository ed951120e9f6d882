"""Our model against cuDNN's packed LSTM and DistilBERT on a GPU."""

from __future__ import annotations

from functools import partial

import torch

from ..loops import inference, training
from ..models import Configuration, PackedBiLSTM, configurations, distilbert, ours
from ..options import Options
from ..speed import add_measurements, speed_table
from ..table import Table
from ..targets import DISTILBERT, GROUPED, GROUPED_BF16, PACKED, PACKED_GROUPED, RANDOM
from ..timing import Candidate, measure


# A GPU wants more than a CPU.
BATCH_SIZES = (32, 256)
PACKED_BF16 = "packed nn.LSTM, length-grouped, bf16"
DISTILBERT_BF16 = "DistilBERT-base, bf16"
NOT_MEASURED = "Not measured: torch finds no CUDA device on this machine."


def run(options: Options, device: str = "cuda") -> Table:
    """Measure training steps and inference; a table without rows where there is no CUDA device."""
    table = speed_table("gpu", "On a GPU", PACKED, [])
    if device == "cuda" and not torch.cuda.is_available():
        table.notes = [NOT_MEASURED]
        return table
    configuration = configurations(options)[0]
    workload = options.workload(configuration.kind)
    for batch_size in BATCH_SIZES[:1] if options.quick else BATCH_SIZES:
        for what, make in (("training step", training_candidates), ("inference", inference_candidates)):
            candidates = make(configuration, batch_size, device)
            measured = measure(candidates, workload, options, baseline=PACKED)
            name = f"{what}, {configuration.name}, batches of {batch_size}"
            add_measurements(table, name, measured, PACKED)
    return table


def training_candidates(configuration: Configuration, batch_size: int, device: str) -> list[Candidate]:
    """Training steps in fp32 and under bf16 autocast."""
    models = _models(configuration)
    where = {"batch_size": batch_size, "device": device}
    chosen = [
        (GROUPED, 0, "grouped", False),
        (GROUPED_BF16, 0, "grouped", True),
        (RANDOM, 0, "random", False),
        (PACKED, 1, "random", False),
        (PACKED_GROUPED, 1, "grouped", False),
        (PACKED_BF16, 1, "grouped", True),
        (DISTILBERT, 2, "grouped", False),
        (DISTILBERT_BF16, 2, "grouped", True),
    ]
    return [
        Candidate(name, training(models[model], order=order, autocast=autocast, **where), least=2 * batch_size)
        for name, model, order, autocast in chosen
    ]


def inference_candidates(configuration: Configuration, batch_size: int, device: str) -> list[Candidate]:
    """Inference with fp32 and with bf16 weights."""
    models = _models(configuration)
    where = {"batch_size": batch_size, "device": device}
    chosen = [
        (GROUPED, 0, "sorted", torch.float32),
        (GROUPED_BF16, 0, "sorted", torch.bfloat16),
        (RANDOM, 0, "random", torch.float32),
        (PACKED, 1, "random", torch.float32),
        (PACKED_GROUPED, 1, "sorted", torch.float32),
        (PACKED_BF16, 1, "sorted", torch.bfloat16),
        (DISTILBERT, 2, "sorted", torch.float32),
        (DISTILBERT_BF16, 2, "sorted", torch.bfloat16),
    ]
    return [
        Candidate(name, inference(models[model], order=order, dtype=dtype, **where), least=2 * batch_size)
        for name, model, order, dtype in chosen
    ]


def _models(configuration: Configuration) -> tuple[partial, partial, partial]:
    vocab_size = configuration.vocab_size
    return partial(ours, configuration), partial(PackedBiLSTM, configuration), partial(distilbert, vocab_size)

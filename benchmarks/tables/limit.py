"""How near our model comes to the rate at which the machine multiplies matrices.

Floating-point operations of the recurrence and projections for one token, with d the width of a layer's input, h the
units of one direction, and two directions:

    every layer          2 · (2 · 4h · d + 2 · 4h · h)     the four gates, from the input and from the state
    attention            2 · 2h · 2h + 2 · 2h + 2 · 2h     projection, vector, weighted mean

Training counts three times as much: the backward pass computes two products for each one of the forward pass. Padding,
the embedding, activation functions and the optimiser count for nothing, so they all lower the share.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import torch

from ..loops import inference, our_inference, training
from ..models import EMBEDDING, Configuration, PackedBiLSTM, configurations, ours
from ..options import Options
from ..table import Chart, Column, Table
from ..targets import GROUPED, PACKED
from ..timing import Call, Candidate, Measurement, Prepare, measure
from ..workload import Sample, Workload


SQUARES = (1024, 2048, 4096)
QUICK_SQUARES = (256,)
# Rows of a batch in one time step.
STEP_ROWS = 32
# Products of one time step in a call that is timed.
STEP_PRODUCTS = 2_000
BACKWARD = 3
COLUMNS = (
    Column("candidate", "candidate"),
    Column("rate", "rate", "gflops"),
    Column("share", "of the limit", "share"),
    Column("range", "middle half", "text"),
    Column("flops", "operations a token", "count"),
)
NOTES = [
    "The limit is the fastest of the products of square matrices in fp32, in the same run with the same threads. "
    "Operations: the gates of every layer and direction, and the attention, of real tokens only; three times as many "
    "in training.",
    f"The product of a time step has {STEP_ROWS} rows and the recurrent weights of one direction: an LSTM has to wait "
    "for each before it begins the next one.",
]


def run(options: Options) -> Table:
    """Measure inference and training of reviews and sentences."""
    chart = Chart("share", "share of the limit", logarithmic=False)
    table = Table("limit", "The limit", COLUMNS, notes=list(NOTES), chart=chart)
    kinds = ("reviews",) if options.main else ("reviews", "sentences")
    vocab_size = configurations(options)[0].vocab_size
    if options.only:
        # Without them there is no limit.
        options = replace(options, only=(*options.only, _SQUARE))
    for kind in kinds:
        configuration = Configuration(kind, vocab_size=vocab_size)
        workload = options.workload(kind)
        measured = measure([*_products(options, configuration), *_models(configuration)], workload, options)
        limit = min(m.time.median for m in measured.by_name.values() if m.name.startswith(_SQUARE))
        table.rows += [_row(m, configuration, workload, limit) for m in measured.by_name.values()]
        table.leave_out(measured.left_out)
        table.remark(measured.remarks)
    return table


def flops_per_token(configuration: Configuration) -> int:
    """Floating-point operations of the forward pass for one token; see the module.

    Example:

    ```python
    >>> flops_per_token(Configuration(direction_size=128, layers=1))
    656384
    ```
    """
    size = configuration.direction_size
    inputs = [EMBEDDING] + [2 * size] * (configuration.layers - 1)
    gates = sum(2 * (2 * 4 * size * width + 2 * 4 * size * size) for width in inputs)
    attention = 2 * (2 * size) * (2 * size) + 4 * (2 * size)
    return gates + attention


_SQUARE = "product of square matrices"
_STEP = "products of time steps, one after the other"
_TRAINING = ", training step"
_INFERENCE = ", inference"


def _products(options: Options, configuration: Configuration) -> list[Candidate]:
    """Products of matrices, whose unit is an operation."""
    sizes = QUICK_SQUARES if options.quick else SQUARES
    squares = [Candidate(f"{_SQUARE}, {size:,}", partial(_square, size), least=1, most=1) for size in sizes]
    step = partial(_time_steps, configuration.direction_size)
    return [*squares, Candidate(_STEP, step, least=1, most=1)]


def _square(size: int) -> Prepare:
    matrix = torch.randn(size, size)
    result = torch.empty_like(matrix)
    # About as much work for each size.
    repeats = max(1, round(16 * (1024 / size) ** 3))

    def call() -> int:
        for _ in range(repeats):
            torch.mm(matrix, matrix, out=result)
        return 2 * size**3 * repeats

    return lambda sample: call


def _time_steps(size: int) -> Prepare:
    weights = torch.randn(size, 4 * size)
    state = torch.randn(STEP_ROWS, size)
    gates = torch.empty(STEP_ROWS, 4 * size)

    def call() -> int:
        for _ in range(STEP_PRODUCTS):
            torch.mm(state, weights, out=gates)
        return 2 * STEP_ROWS * size * 4 * size * STEP_PRODUCTS

    return lambda sample: call


def _models(configuration: Configuration) -> list[Candidate]:
    our_model, packed = partial(ours, configuration), partial(PackedBiLSTM, configuration)
    return [
        Candidate(GROUPED + _INFERENCE, _by_token(our_inference(our_model))),
        Candidate(GROUPED + _TRAINING, _by_token(training(our_model, "grouped"))),
        Candidate(PACKED + _INFERENCE, _by_token(inference(packed, "random"))),
        Candidate(PACKED + _TRAINING, _by_token(training(packed, "random"))),
    ]


def _by_token(load: Callable[[], Prepare]) -> Callable[[], Prepare]:
    """A candidate whose unit is a token."""

    def load_by_token() -> Prepare:
        prepare = load()

        def prepare_by_token(sample: Sample) -> Call:
            call, tokens = prepare(sample), sample.tokens

            def call_by_token() -> int:
                call()
                return tokens

            return call_by_token

        return prepare_by_token

    return load_by_token


def _row(measurement: Measurement, configuration: Configuration, workload: Workload, limit: float) -> dict[str, Any]:
    name = measurement.name
    flops = None
    if not name.startswith((_SQUARE, _STEP)):
        flops = flops_per_token(configuration) * (BACKWARD if name.endswith(_TRAINING) else 1)
    rates = [(flops or 1) / seconds for seconds in measurement.time]
    return {
        "configuration": configuration.name,
        "candidate": name,
        "rate": rates[0],
        "share": rates[0] * limit,
        "range": f"{100 * rates[2] * limit:.1f}–{100 * rates[1] * limit:.1f} %",
        "flops": flops,
        "rounds": measurement.seconds,
    }

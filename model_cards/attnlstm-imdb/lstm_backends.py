"""What computes an LSTM layer: torch's fused LSTM, or the LSTM operator of ONNX.

A backend takes the LSTMs of a layer, one a direction, and the inputs where they stand; it returns the states where the
tokens stand, and the state after each whole text, whatever the mask. So a model is written once, for all backends.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .layout import can_be_read, is_traced_for_onnx
from .reading_order import ReadingOrder, take_rows


class LSTMState(NamedTuple):
    """State of one or more LSTMs: `hidden` and `cell`, both (LSTMs, batch, size), as `nn.LSTM` has them."""

    hidden: Tensor
    cell: Tensor


class Reading(NamedTuple):
    """What a backend returns.

    Attributes:
        states: (batch, length, directions, size), where the tokens stand.
        hidden: (directions, batch, size), after the whole text; undefined for a text without tokens.
        cell: The same of the cells; None unless it was asked for.
        zero_on_padding: Whether the states are known to be 0 on padding, where they are undefined otherwise.
    """

    states: Tensor
    hidden: Tensor
    cell: Tensor | None
    zero_on_padding: bool = False


# lstms, inputs (length, batch, width), order, the state to begin with or None for zeros, and whether to return the
# cells.
Backend = Callable[[Sequence[nn.LSTM], Tensor, ReadingOrder, LSTMState | None, bool], Reading]

# Weight of a gate that shall be shut or open whatever else it reads; float16 has numbers up to 65,504.
_SHUT = -1e4


def default_backend() -> Backend:
    """The backend for where the model runs."""
    return read_with_onnx_operator if is_traced_for_onnx() else read_with_torch


def read_with_torch(
    lstms: Sequence[nn.LSTM], inputs: Tensor, order: ReadingOrder, state: LSTMState | None, with_cell: bool
) -> Reading:
    """A [`Backend`]: one call of torch's fused LSTM a direction, each over the real tokens in its own order."""
    rows = ((order.forward, order.forward_back), (order.backward, order.backward_back))
    states, hidden, cells = [], [], []
    steps = _steps(order, inputs)
    for direction, (lstm, (there, back)) in enumerate(zip(lstms, rows)):
        start = None if state is None else (state.hidden[direction, None], state.cell[direction, None])
        read, cell = run_lstm(lstm, take_rows(inputs, there)[:steps], start, order.count if with_cell else None)
        if steps < len(inputs):
            read = F.pad(read, (0, 0, 0, 0, 0, len(inputs) - steps))
        states.append(take_rows(read, back))
        hidden.append(read.flatten(0, 1).index_select(0, order.last))
        cells.append(cell)
    joined = torch.stack(states, 2) if len(states) > 1 else states[0].unsqueeze(2)
    return Reading(joined.transpose(0, 1), torch.stack(hidden), torch.stack(cells) if with_cell else None)


def _steps(order: ReadingOrder, inputs: Tensor) -> int:
    """Steps until all texts have been read, where looking costs nothing: those behind are padding in all of them."""
    if order.count is None or not can_be_read(order.count) or not len(order.count):
        return len(inputs)
    return max(int(order.count.max()), 1)


def run_lstm(
    lstm: nn.LSTM, inputs: Tensor, start: tuple[Tensor, Tensor] | None, count: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Run torch's fused LSTM, in float32 where autocast would take a dtype that it has none for.

    Args:
        lstm: Of one layer and direction.
        inputs: (length, batch, width).
        start: State and cell to begin with, (1, batch, size) each; None for zeros.
        count: (batch,), the tokens after which the cell is returned; None for all.

    Returns:
        The states (length, batch, size), and the cell (batch, size).
    """
    if _is_missing_in_autocast(inputs):
        with torch.autocast("cpu", enabled=False):
            start = None if start is None else (start[0].float(), start[1].float())
            return run_lstm(lstm, inputs.float(), start, count)
    if count is None:
        states, (_, cell) = lstm(inputs, start)
        return states, cell.squeeze(0)
    return _run_and_keep_the_cell(lstm, inputs, start, count)


def _run_and_keep_the_cell(
    lstm: nn.LSTM, inputs: Tensor, start: tuple[Tensor, Tensor] | None, count: Tensor
) -> tuple[Tensor, Tensor]:
    """As [`_run`]; over the padding behind a text, the cell stays what it was.

    The fused LSTM returns the cell after the last step only. One more input, 1 on padding, shuts the input gate there
    and opens the forget gate.
    """
    length, batch, size = inputs.shape[0], inputs.shape[1], lstm.hidden_size
    padding = torch.arange(length, device=inputs.device)[:, None] >= count
    inputs = torch.cat([inputs, padding[..., None].to(inputs.dtype)], -1)
    weight = lstm.weight_ih_l0
    column = torch.cat([weight.new_full((size, 1), _SHUT), weight.new_full((size, 1), -_SHUT)])
    column = torch.cat([column, weight.new_zeros(2 * size, 1)])
    weights = [torch.cat([weight, column], 1), lstm.weight_hh_l0, lstm.bias_ih_l0, lstm.bias_hh_l0]
    if start is None:
        start = (inputs.new_zeros(1, batch, size), inputs.new_zeros(1, batch, size))
    states, _, cell = torch.lstm(inputs, start, weights, True, 1, 0.0, lstm.training, False, False)
    return states, cell.squeeze(0)


def _is_missing_in_autocast(inputs: Tensor) -> bool:
    """Whether oneDNN has no LSTM for the dtype that a CPU computes in under autocast."""
    if inputs.device.type != "cpu" or not torch.is_autocast_enabled("cpu"):
        return False
    return not _runs_in_autocast(torch.get_autocast_dtype("cpu"), torch.is_grad_enabled())


@torch.compiler.assume_constant_result
@functools.cache
def _runs_in_autocast(dtype: torch.dtype, training: bool) -> bool:
    """Found out by trying: it depends on the processor, on torch, and on whether the backward pass needs something."""
    zeros = torch.zeros(1, 1, 1)
    gates = torch.zeros(4, 1, requires_grad=training)
    # What activation checkpointing counts is what the model saves, not this.
    unseen = torch.autograd.graph.saved_tensors_hooks(lambda saved: saved, lambda saved: saved)
    try:
        with torch.autocast("cpu", dtype=dtype), torch.set_grad_enabled(training), unseen:
            torch.lstm(zeros, (zeros, zeros), [gates, gates], False, 1, 0.0, training, False, False)
    except RuntimeError:
        return False
    return True


def read_with_onnx_operator(
    lstms: Sequence[nn.LSTM], inputs: Tensor, order: ReadingOrder, state: LSTMState | None, with_cell: bool
) -> Reading:
    """A [`Backend`] for exporters on torch.export: the LSTM operator of ONNX, both directions in it.

    They unroll `nn.LSTM` into a loop over time, which freezes the length or is slow.
    """
    return onnx_operator(onnx_weights(lstms), inputs, order, state)


def onnx_weights(lstms: Sequence[nn.LSTM]) -> tuple[Tensor, Tensor, Tensor]:
    """The weights of a layer as the operator wants them: of the input, recurrent, and biases, each (directions, …)."""
    biases = [torch.cat([_gates_of_onnx(lstm.bias_ih_l0), _gates_of_onnx(lstm.bias_hh_l0)]) for lstm in lstms]
    return (
        torch.stack([_gates_of_onnx(lstm.weight_ih_l0) for lstm in lstms]),
        torch.stack([_gates_of_onnx(lstm.weight_hh_l0) for lstm in lstms]),
        torch.stack(biases),
    )


def onnx_operator(
    weights: tuple[Tensor, Tensor, Tensor], inputs: Tensor, order: ReadingOrder, state: LSTMState | None
) -> Reading:
    """The operator itself, over inputs (length, batch, width) and weights from [`onnx_weights`].

    It reads each text by its length, in both directions, and so wants the real tokens in front.
    """
    (length, batch), (directions, _, size) = inputs.shape[:2], weights[1].shape
    # It wants a token in every text. A text without any reads one, of which nothing is kept.
    lengths = None if order.count is None else order.count.clamp(min=1).int()
    one_way = "forward" if directions == 1 else "bidirectional"
    states, hidden, cell = torch.onnx.ops.symbolic_multi_out(
        "::LSTM",
        (take_rows(inputs, order.forward), *weights, lengths, *(() if state is None else state)),
        {"hidden_size": size, "direction": one_way},
        dtypes=(inputs.dtype,) * 3,
        shapes=((length, directions, batch, size), (directions, batch, size), (directions, batch, size)),
        version=14,
    )
    states = states.transpose(1, 2)
    if order.forward_back is not None:
        states = take_rows(states, order.forward_back)
    states = states.transpose(0, 1)
    return Reading(states, hidden, cell)


def _gates_of_onnx(weight: Tensor) -> Tensor:
    """A weight or bias from torch's order of the gates (input, forget, cell, output) to ONNX's (i, o, f, c)."""
    enter, forget, cell, leave = weight.chunk(4)
    return torch.cat([enter, leave, forget, cell])

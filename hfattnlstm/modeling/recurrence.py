"""LSTM layers that are exact for every attention mask, without packed sequences.

Each direction reads only the real tokens of a text, in its own order: an index moves them to the front before the
fused LSTM call, and the inverse index puts the states back. What the LSTM computes on the padding behind them is
never read. So the same code serves right padding, left padding and masks with holes, and exports to a graph.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from transformers.modeling_layers import GradientCheckpointingLayer

from .capturing import PicklableCapture
from .configuration_attnlstm import AttnLSTMConfig
from .embeddings import SequenceDropout


class ReadingOrder(NamedTuple):
    """Where each direction finds its k-th token, as indices into (length · batch) rows, time-major.

    Attributes:
        forward: Row of the k-th real token of each text; None where the tokens already stand in that order.
        forward_back: Inverse of `forward`.
        backward: Row of the k-th real token from the end.
        backward_back: Inverse of `backward`.
        last: (batch,) row that holds the state after the whole text, in either direction's order.
        mask: Boolean (batch, length), True on real tokens; None where all of them are.
    """

    forward: Tensor | None
    forward_back: Tensor | None
    backward: Tensor
    backward_back: Tensor
    last: Tensor
    mask: Tensor | None


def full_reading_order(batch: int, length: int, device: torch.device) -> ReadingOrder:
    """The [`ReadingOrder`] of a batch without padding.

    Example:

    ```python
    >>> full_reading_order(1, 3, torch.device("cpu")).backward
    tensor([2, 1, 0])
    ```
    """
    rows = torch.arange(length * batch, device=device).view(length, batch)
    backward = rows.flip(0).flatten()
    return ReadingOrder(None, None, backward, backward, rows[-1], None)


def reading_order(mask: Tensor) -> ReadingOrder:
    """Compute the [`ReadingOrder`] of a batch with padding.

    Args:
        mask: Boolean (batch, length), True on real tokens.

    Example:

    ```python
    >>> order = reading_order(torch.tensor([[False, True, True]]))
    >>> order.forward, order.backward
    (tensor([1, 2, 0]), tensor([2, 1, 0]))
    ```
    """
    batch = mask.shape[0]
    count = mask.sum(1, keepdim=True)
    place = place_in_order(mask, count)
    backward_back = torch.where(mask, count - 1 - place, place)
    backward = _invert(backward_back)
    forward = forward_back = None
    if not _is_seen_in_order(mask):
        forward, forward_back = _as_rows(_invert(place)), _as_rows(place)
    row = torch.arange(batch, device=mask.device)
    last = (count.squeeze(1) - 1).clamp(min=0) * batch + row
    return ReadingOrder(forward, forward_back, _as_rows(backward), _as_rows(backward_back), last, mask)


def place_in_order(mask: Tensor, count: Tensor) -> Tensor:
    """Where each token goes: the real ones (`count` of each text) to the front, in order, the others behind them."""
    # As integers, because ONNX has no running sum of booleans.
    rank = mask.long().cumsum(1) - 1
    behind = count + (~mask).long().cumsum(1) - 1
    return torch.where(mask, rank, behind)


def _is_seen_in_order(mask: Tensor) -> bool:
    """Whether padding is on the right only; False where the answer would wait for a device or freeze a graph."""
    if mask.device.type != "cpu" or torch.compiler.is_compiling() or torch.jit.is_tracing():
        return False
    return bool((mask[:, 1:] <= mask[:, :-1]).all())


def _invert(place: Tensor) -> Tensor:
    """Inverse of the permutation in each row."""
    positions = torch.arange(place.shape[1], device=place.device).expand_as(place)
    return torch.zeros_like(place).scatter(1, place, positions)


def _as_rows(place: Tensor) -> Tensor:
    """(batch, length) positions as flat indices into time-major rows."""
    batch = place.shape[0]
    return (place.t() * batch + torch.arange(batch, device=place.device)).flatten()


def _take_rows(states: Tensor, rows: Tensor | None) -> Tensor:
    """Reorder time-major (length, batch, width) by flat indices; unchanged where there are none."""
    if rows is None:
        return states
    return states.flatten(0, 1).index_select(0, rows).view(states.shape)


class DirectionMerge(nn.Module):
    """One state from the states of two directions: joined, added, averaged, or added with learned weights."""

    def __init__(self, config: AttnLSTMConfig):
        super().__init__()
        self.kind = config.direction_merge
        if self.kind == "weighted":
            self.weight = nn.Parameter(torch.empty(2))

    def forward(self, forward_states: Tensor, backward_states: Tensor) -> Tensor:
        if self.kind == "concat":
            return torch.cat([forward_states, backward_states], dim=-1)
        if self.kind == "weighted":
            return self.weight[0] * forward_states + self.weight[1] * backward_states
        total = forward_states + backward_states
        return total / 2 if self.kind == "mean" else total


class AttnLSTMLayer(PicklableCapture, GradientCheckpointingLayer):
    """One LSTM layer over one or two directions, with dropout before it and an optional residual around it.

    `forward` takes states (batch, length, width), best with time-major memory, and a [`ReadingOrder`]. It returns the
    states (batch, length, hidden), 0 on padding, and the state (batch, hidden) after the whole text.
    """

    def __init__(self, config: AttnLSTMConfig, layer_idx: int):
        super().__init__()
        width = config.embedding_size if layer_idx == 0 else config.hidden_size
        self.dropout = SequenceDropout(config.hidden_dropout_prob if layer_idx else 0.0, config.locked_dropout)
        self.forward_lstm = nn.LSTM(width, config.direction_size)
        self.backward_lstm = nn.LSTM(width, config.direction_size) if config.bidirectional else None
        self.merge = DirectionMerge(config) if config.bidirectional else None
        self.residual = config.residual and width == config.hidden_size

    def forward(self, hidden_states: Tensor, order: ReadingOrder) -> tuple[Tensor, Tensor]:
        inputs = self.dropout(hidden_states).transpose(0, 1).contiguous()
        states, final = _read(self.forward_lstm, inputs, order.forward, order.forward_back, order.last)
        if self.backward_lstm is not None:
            backward = _read(self.backward_lstm, inputs, order.backward, order.backward_back, order.last)
            states, final = self.merge(states, backward[0]), self.merge(final, backward[1])
        if self.residual:
            states = states + inputs
        if order.mask is not None:
            states = _zero_where(~order.mask.t()[..., None], states)
            final = _zero_where(~order.mask.any(1)[:, None], final)
        return states.transpose(0, 1), final


def _zero_where(mask: Tensor, states: Tensor) -> Tensor:
    """Zeros where `mask` is True; in place where no gradient can need the old values."""
    return states.masked_fill(mask, 0.0) if states.requires_grad else states.masked_fill_(mask, 0.0)


def _read(
    lstm: nn.LSTM, inputs: Tensor, rows: Tensor | None, rows_back: Tensor | None, last: Tensor
) -> tuple[Tensor, Tensor]:
    states = _run(lstm, _take_rows(inputs, rows))
    return _take_rows(states, rows_back), states.flatten(0, 1).index_select(0, last)


def _run(lstm: nn.LSTM, inputs: Tensor) -> Tensor:
    if _is_traced_for_onnx():
        return _onnx_lstm(lstm, inputs)
    if _is_trained_in_fp16_on_cpu(inputs):
        # oneDNN has no LSTM in float16 that keeps what the backward pass needs.
        with torch.autocast("cpu", enabled=False):
            return lstm(inputs.float())[0]
    return lstm(inputs)[0]


def _is_trained_in_fp16_on_cpu(inputs: Tensor) -> bool:
    autocast = torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu") == torch.float16
    return autocast and inputs.device.type == "cpu" and torch.is_grad_enabled()


def _is_traced_for_onnx() -> bool:
    return torch.onnx.is_in_onnx_export() and torch.compiler.is_exporting()


def gates_of_onnx(weight: Tensor) -> Tensor:
    """A weight or bias from torch's order of the gates (input, forget, cell, output) to ONNX's (i, o, f, c)."""
    enter, forget, cell, leave = weight.chunk(4)
    return torch.cat([enter, leave, forget, cell])


def _onnx_lstm(lstm: nn.LSTM, inputs: Tensor) -> Tensor:
    """The LSTM operator of ONNX, for the exporter on torch.export.

    That exporter unrolls `nn.LSTM` into a loop over time, which freezes the length or is slow, depending on what was
    exported before in the same process.
    """
    size = lstm.hidden_size
    bias = torch.cat([gates_of_onnx(lstm.bias_ih_l0), gates_of_onnx(lstm.bias_hh_l0)])[None]
    states = torch.onnx.ops.symbolic(
        "::LSTM",
        (inputs, gates_of_onnx(lstm.weight_ih_l0)[None], gates_of_onnx(lstm.weight_hh_l0)[None], bias),
        {"hidden_size": size},
        dtype=inputs.dtype,
        shape=(inputs.shape[0], 1, inputs.shape[1], size),
        version=14,
    )
    return states.squeeze(1)


class AttnLSTMEncoder(nn.Module):
    """The stack of LSTM layers; returns the last layer's states and final state."""

    def __init__(self, config: AttnLSTMConfig):
        super().__init__()
        self.layers = nn.ModuleList([AttnLSTMLayer(config, index) for index in range(config.num_hidden_layers)])

    def forward(self, hidden_states: Tensor, order: ReadingOrder) -> tuple[Tensor, Tensor]:
        final_state = None
        for layer in self.layers:
            hidden_states, final_state = layer(hidden_states, order)
        return hidden_states, final_state

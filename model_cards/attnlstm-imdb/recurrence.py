"""LSTM layers that are exact for every attention mask, without packed sequences."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from transformers import initialization as init
from transformers.modeling_layers import GradientCheckpointingLayer

from .capturing import PicklableCapture
from .dropout import SequenceDropout
from .layout import zero_padding, zero_where
from .lstm_backends import Backend, LSTMState, default_backend
from .reading_order import ReadingOrder


DIRECTION_MERGES = ("concat", "sum", "mean", "weighted")


class DirectionMerge(nn.Module):
    """One state from those of the directions: joined, added, averaged, or added with learned weights.

    Args:
        kind: One of `DIRECTION_MERGES`.

    `forward` takes (…, directions, size) and returns (…, directions · size) where they are joined, else (…, size).

    Raises:
        ValueError: For another kind.

    Example:

    ```python
    >>> DirectionMerge("sum")(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor([4., 6.])
    ```
    """

    def __init__(self, kind: str):
        super().__init__()
        if kind not in DIRECTION_MERGES:
            raise ValueError(f"direction_merge must be one of {', '.join(DIRECTION_MERGES)}, got {kind!r}.")
        self.kind = kind
        if kind == "weighted":
            self.weight = nn.Parameter(torch.full((2,), 0.5))

    def init_parameters(self) -> None:
        """Start from the mean of the two directions."""
        if self.kind == "weighted":
            init.constant_(self.weight, 0.5)

    def forward(self, states: Tensor) -> Tensor:
        if self.kind == "concat":
            return states.flatten(-2)
        if self.kind == "weighted":
            return self.weight[0] * states[..., 0, :] + self.weight[1] * states[..., 1, :]
        total = states[..., 0, :] + states[..., 1, :]
        return total / 2 if self.kind == "mean" else total


class LSTMLayer(PicklableCapture, GradientCheckpointingLayer):
    """One LSTM layer over one or two directions, with dropout before it and an optional residual around it.

    Args:
        input_size: Width of what it reads.
        hidden_size: Width of its states; with joined directions, each has half of it.
        bidirectional: Whether it also reads from the end.
        direction_merge: How two directions become one state; see [`DirectionMerge`].
        residual: Whether what it reads is added to its states.
        dropout: Share of the inputs that are dropped.
        locked_dropout: Whether the same ones are dropped at every token of a text.

    Raises:
        ValueError: For a residual between unequal widths, or an odd width of joined directions.

    Example:

    ```python
    >>> from hfattnlstm.modeling.reading_order import reading_order
    >>> layer = LSTMLayer(3, 4, bidirectional=True)
    >>> order = reading_order(torch.tensor([[True, True, False]]))
    >>> states, directions, hidden, cell = layer(torch.zeros(1, 3, 3), order, return_cell=True)
    >>> states.shape, directions.shape, hidden.shape, cell.shape
    (torch.Size([1, 3, 4]), torch.Size([1, 3, 2, 2]), torch.Size([2, 1, 2]), torch.Size([2, 1, 2]))
    ```
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        bidirectional: bool = True,
        direction_merge: str = "concat",
        residual: bool = False,
        dropout: float = 0.0,
        locked_dropout: bool = False,
    ):
        super().__init__()
        if residual and input_size != hidden_size:
            raise ValueError(f"A residual needs equal widths, got input_size={input_size}, hidden_size={hidden_size}.")
        joined = bidirectional and direction_merge == "concat"
        if joined and hidden_size % 2:
            raise ValueError(f"hidden_size is that of both directions together and must be even, got {hidden_size}.")
        size = hidden_size // 2 if joined else hidden_size
        self.dropout = SequenceDropout(dropout, locked_dropout)
        self.forward_lstm = nn.LSTM(input_size, size)
        self.backward_lstm = nn.LSTM(input_size, size) if bidirectional else None
        self.merge = DirectionMerge(direction_merge if bidirectional else "concat")
        self.residual = residual
        # What reads in place of the default one, such as an operator with the weights in another form.
        self.backend: Backend | None = None

    @property
    def lstms(self) -> list[nn.LSTM]:
        """Those of its directions."""
        return [lstm for lstm in (self.forward_lstm, self.backward_lstm) if lstm is not None]

    def forward(
        self,
        hidden_states: Tensor,
        order: ReadingOrder,
        hidden: Tensor | None = None,
        cell: Tensor | None = None,
        return_cell: bool = False,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        """Read a batch.

        Args:
            hidden_states: (batch, length, input_size), best with time-major memory.
            order: Where the real tokens are.
            hidden, cell: (directions, batch, size), the state to begin with; both, or none for zeros.
            return_cell: Whether to return the cells, too.

        Returns:
            The states (batch, length, hidden_size), 0 on padding; those of the directions, before they become one,
            (batch, length, directions, size), undefined on padding; and hidden state and cell (directions, batch,
            size) after the last real token of each text, those it began with for a text without any.
        """
        inputs = self.dropout(hidden_states).transpose(0, 1).contiguous()
        start = None if hidden is None else LSTMState(hidden, cell)
        read = self.backend or default_backend()
        reading = read(self.lstms, inputs, order, start, return_cell)
        last_hidden, last_cell = reading.hidden, reading.cell
        states = self.merge(reading.states)
        if self.residual:
            # Not the inputs, of which a part was dropped.
            states = states + hidden_states
        if order.mask is not None:
            if self.residual or not reading.zero_on_padding:
                states = zero_padding(states, order.mask)
            empty = (order.count == 0)[:, None]
            last_hidden = _keep_where(empty, hidden, last_hidden)
            last_cell = _keep_where(empty, cell, last_cell) if return_cell else None
        return states, reading.states, last_hidden, last_cell

    def step(self, inputs: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Read one token of each text, in one direction, as a decoder does; without dropout.

        Args:
            inputs: (batch, input_size).
            hidden, cell: (batch, size), the state before.

        Returns:
            The states (batch, hidden_size), and hidden state and cell after it.
        """
        lstm = self.forward_lstm
        weights = lstm.weight_ih_l0, lstm.weight_hh_l0, lstm.bias_ih_l0, lstm.bias_hh_l0
        hidden, cell = torch.lstm_cell(inputs, (hidden, cell), *weights)
        return hidden + inputs if self.residual else hidden, hidden, cell


def _keep_where(mask: Tensor, old: Tensor | None, new: Tensor) -> Tensor:
    """The old values, 0 if there are none, where `mask` is True."""
    return zero_where(mask, new) if old is None else torch.where(mask, old.to(new.dtype), new)


class StackOutput(NamedTuple):
    """Result of an [`LSTMStack`].

    Attributes:
        states: (batch, length, hidden_size), of the last layer; 0 on padding.
        directions: (batch, length, directions, size), of the last layer's directions by themselves; undefined on
            padding.
        final: (batch, hidden_size), the last layer's state after the whole text, directions merged.
        state: That of all LSTMs, (layers · directions, batch, size) each; None unless it was asked for.
    """

    states: Tensor
    directions: Tensor
    final: Tensor
    state: LSTMState | None


class LSTMStack(nn.Module):
    """LSTM layers on top of each other, of equal width.

    Args:
        input_size: Width of what the first layer reads.
        hidden_size: Width of the states of every layer.
        num_layers: Layers.
        residual: Whether a layer's input is added to its states, where the two are equally wide.
        dropout: Dropout between layers.
        **options: Those of [`LSTMLayer`].

    Example:

    ```python
    >>> from hfattnlstm.modeling.reading_order import full_reading_order
    >>> stack = LSTMStack(3, 4, num_layers=2)
    >>> output = stack(torch.zeros(1, 5, 3), full_reading_order(1, 5, torch.device("cpu")), return_state=True)
    >>> output.states.shape, output.final.shape, output.state.cell.shape
    (torch.Size([1, 5, 4]), torch.Size([1, 4]), torch.Size([4, 1, 2]))
    ```
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        num_layers: int = 1,
        residual: bool = False,
        dropout: float = 0.0,
        **options: Any,
    ):
        super().__init__()
        widths = [input_size] + [hidden_size] * (num_layers - 1)
        self.layers = nn.ModuleList(
            LSTMLayer(
                width,
                hidden_size,
                residual=residual and width == hidden_size,
                dropout=dropout if index else 0.0,
                **options,
            )
            for index, width in enumerate(widths)
        )

    def forward(
        self,
        hidden_states: Tensor,
        order: ReadingOrder,
        state: LSTMState | None = None,
        return_state: bool = False,
    ) -> StackOutput:
        """Read a batch.

        Args:
            hidden_states: (batch, length, input_size).
            order: Where the real tokens are.
            state: The state to begin with, (layers · directions, batch, size) each; zeros without.
            return_state: Whether to return the state after the last real token of each text.
        """
        hidden: list[Tensor] = []
        cells: list[Tensor] = []
        for index, layer in enumerate(self.layers):
            start = (None, None) if state is None else _of_layer(state, index, len(layer.lstms))
            hidden_states, directions, last_hidden, last_cell = layer(
                hidden_states, order, *start, return_cell=return_state
            )
            hidden.append(last_hidden)
            cells.append(last_cell)
        final = self.layers[-1].merge(hidden[-1].transpose(0, 1))
        return StackOutput(
            hidden_states, directions, final, LSTMState(torch.cat(hidden), torch.cat(cells)) if return_state else None
        )


def _of_layer(state: LSTMState, index: int, directions: int) -> tuple[Tensor, Tensor]:
    own = slice(index * directions, (index + 1) * directions)
    return state.hidden[own], state.cell[own]

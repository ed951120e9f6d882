"""An LSTM that writes, token after token, with attention over what an encoder has read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from transformers import initialization as init

from .attention import Attention, AttentionMemory
from .layout import zero_where
from .lstm_backends import LSTMState
from .reading_order import full_reading_order, reading_order
from .recurrence import LSTMStack


class DecoderState:
    """What a decoder has written so far, and what it attends to: the `past_key_values` of a model that generates.

    Args:
        memory: What there is to attend to.
        lstm: Hidden state and cell of all layers, (layers, batch, size) each.
        readout: (batch, readout_size), what the last token was predicted by.
        coverage: (batch, length), the attention that each state of the memory has had.
        length: Tokens that have been read.
    """

    # `generate` asks whether a compiler may take it.
    is_compileable = False

    def __init__(self, memory: AttentionMemory, lstm: LSTMState, readout: Tensor, coverage: Tensor, length: int = 0):
        self.memory, self.lstm, self.readout, self.coverage, self.length = memory, lstm, readout, coverage, length

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """How many tokens have been read; the layers have all read the same."""
        return self.length

    def reorder_cache(self, beam_idx: Tensor) -> None:
        """Go on with these rows. They must be of the same text as those that they replace, as in a beam search."""
        self.lstm = LSTMState(*(part.index_select(1, beam_idx) for part in self.lstm))
        self.readout, self.coverage = (part.index_select(0, beam_idx) for part in (self.readout, self.coverage))

    def kept_where(self, mask: Tensor, new: DecoderState) -> DecoderState:
        """The new state where the mask (batch,) is True, and this one elsewhere."""
        rows = mask[:, None]
        lstm = LSTMState(*(torch.where(rows, after, before) for before, after in zip(self.lstm, new.lstm)))
        readout, coverage = (
            torch.where(rows, new.readout, self.readout),
            torch.where(rows, new.coverage, self.coverage),
        )
        return DecoderState(self.memory, lstm, readout, coverage, new.length)


class DecoderOutput(NamedTuple):
    """Result of an [`AttentionDecoder`].

    Attributes:
        readouts: (batch, length, readout_size), what each next token is predicted by.
        layers: Of each layer (batch, length, hidden_size).
        weights: (batch, heads, length, memory length), the attention of each step.
        covered: (batch, length), how much of it went where attention had been; None without coverage.
        state: After the last token.
    """

    readouts: Tensor
    layers: tuple[Tensor, ...]
    weights: Tensor
    covered: Tensor | None
    state: DecoderState


# Takes the number of a step and what its token was predicted by, (batch, readout_size), and returns the embeddings to
# be read there in place of those given, (batch, embedding_size), and where, boolean (batch,); or None for nowhere.
Replace = Callable[[int, Tensor], tuple[Tensor, Tensor] | None]


class AttentionDecoder(nn.Module):
    """LSTM layers whose state asks, at each step, the memory for what the next token is predicted by.

    The state begins with the mean of the memory. At each step the last layer's state attends to the memory (Luong et
    al., 2015); state and context together give the readout, which the next step reads, too, with `input_feeding`.

    Args:
        embedding_size: Width of the tokens that are read.
        memory_size: Width of what is attended to.
        hidden_size: Width of the states.
        readout_size: Width of what the next token is predicted by.
        num_layers: LSTM layers.
        input_feeding: Whether a step reads the readout of the one before.
        coverage: Whether the score is told how much attention each place has had (See et al., 2017).
        dropout: Dropout between layers.
        locked_dropout: Whether it drops the same units at every step; with input feeding or coverage it always does.
        num_heads: Heads of the attention.
        **attention: Further options of [`Attention`].

    Example:

    ```python
    >>> decoder = AttentionDecoder(3, 8, hidden_size=4, readout_size=3)
    >>> state = decoder.start(torch.zeros(2, 7, 8), torch.ones(2, 7, dtype=torch.bool))
    >>> output = decoder(torch.zeros(2, 5, 3), state)
    >>> output.readouts.shape, output.weights.shape, output.state.length
    (torch.Size([2, 5, 3]), torch.Size([2, 1, 5, 7]), 5)
    ```
    """

    def __init__(
        self,
        embedding_size: int,
        memory_size: int,
        *,
        hidden_size: int,
        readout_size: int,
        num_layers: int = 1,
        input_feeding: bool = True,
        coverage: bool = False,
        dropout: float = 0.0,
        locked_dropout: bool = False,
        num_heads: int = 1,
        **attention: Any,
    ):
        super().__init__()
        self.input_feeding = input_feeding
        self.bridge = nn.Linear(memory_size, 2 * num_layers * hidden_size)
        self.rnn = LSTMStack(
            embedding_size + (readout_size if input_feeding else 0),
            hidden_size,
            num_layers=num_layers,
            bidirectional=False,
            dropout=dropout,
            locked_dropout=locked_dropout,
        )
        self.attention = Attention(memory_size, hidden_size, num_heads=num_heads, **attention)
        self.readout = nn.Linear(hidden_size + num_heads * memory_size, readout_size)
        self.coverage = CoverageKey(memory_size) if coverage else None

    def start(self, states: Tensor, mask: Tensor) -> DecoderState:
        """The state before the first token.

        Args:
            states: (batch, length, memory_size), what there is to attend to; 0 where the mask is False.
            mask: Boolean (batch, length).
        """
        mean = states.sum(1) / mask.sum(1, keepdim=True).clamp(min=1)
        hidden, cell = self.bridge(mean).chunk(2, -1)
        parts = (part.unflatten(-1, (len(self.rnn.layers), -1)).transpose(0, 1) for part in (hidden.tanh(), cell))
        memory = self.attention.memory(states, mask)
        readout = states.new_zeros(len(states), self.readout.out_features)
        return DecoderState(memory, LSTMState(*parts), readout, states.new_zeros(states.shape[:2]))

    def forward(
        self, embedded: Tensor, state: DecoderState, mask: Tensor | None = None, replace: Replace | None = None
    ) -> DecoderOutput:
        """Read tokens, and say by what those after them are predicted.

        Args:
            embedded: (batch, length, embedding_size).
            state: What has been read before.
            mask: Boolean (batch, length), True on real tokens; all are real without it.
            replace: May put others in their place, step by step.
        """
        if self.input_feeding or self.coverage is not None or replace is not None:
            return self._step_by_step(embedded, state, mask, replace)
        return self._at_once(embedded, state, mask)

    def _at_once(self, embedded: Tensor, state: DecoderState, mask: Tensor | None) -> DecoderOutput:
        batch, length = embedded.shape[:2]
        order = full_reading_order(batch, length, embedded.device) if mask is None else reading_order(mask)
        layers, states = [], embedded
        hidden, cells = [], []
        for index, layer in enumerate(self.rnn.layers):
            start = (part[index, None].to(states.dtype) for part in state.lstm)
            states, _, last, cell = layer(states, order, *start, return_cell=True)
            layers.append(states)
            hidden.append(last)
            cells.append(cell)
        found = self.attention.recall(state.memory, states)
        readouts = self._read_out(states, found.context)
        lstm = LSTMState(torch.cat(hidden), torch.cat(cells))
        after = DecoderState(state.memory, lstm, readouts[:, -1], state.coverage, state.length + length)
        return DecoderOutput(readouts, tuple(layers), found.weights, None, after)

    # A compiler would make a graph of its own for each length; so it makes one of a step.
    @torch.compiler.disable(recursive=False)
    def _step_by_step(
        self, embedded: Tensor, state: DecoderState, mask: Tensor | None, replace: Replace | None
    ) -> DecoderOutput:
        noise = [layer.dropout.noise(state.lstm.hidden[0]) for layer in self.rnn.layers]
        steps = []
        for number, token in enumerate(embedded.unbind(1)):
            token = _replaced(token, replace, number, state.readout)
            step = self._step(token, state, noise)
            step.state.length = state.length + 1
            if mask is not None:
                step = step._replace(state=state.kept_where(mask[:, number], step.state))
            state = step.state
            steps.append(step)
        covered = None if self.coverage is None else torch.stack([step.covered for step in steps], 1)
        layers = tuple(torch.stack(states, 1) for states in zip(*(step.layers for step in steps)))
        weights = torch.cat([step.weights for step in steps], 2)
        readouts = torch.stack([step.readouts for step in steps], 1)
        if mask is not None:
            readouts = zero_where(~mask[..., None], readouts)
        return DecoderOutput(readouts, layers, weights, covered, state)

    def _step(self, token: Tensor, state: DecoderState, noise: list[Tensor | None]) -> DecoderOutput:
        """One token (batch, embedding_size); of the result, only the weights have the dimension of the length."""
        states = torch.cat([token, state.readout], -1) if self.input_feeding else token
        layers, hidden, cells = [], [], []
        for index, (layer, kept) in enumerate(zip(self.rnn.layers, noise)):
            read = states if kept is None or not index else states * kept
            states, last, cell = layer.step(read, state.lstm.hidden[index], state.lstm.cell[index])
            layers.append(states)
            hidden.append(last)
            cells.append(cell)
        memory, covered, coverage = state.memory, None, state.coverage
        if self.coverage is not None:
            memory = self.coverage.shown(memory, coverage, self.attention)
        found = self.attention.recall(memory, states[:, None])
        if self.coverage is not None:
            attended = found.weights.mean(1).squeeze(1)
            covered, coverage = torch.minimum(attended, coverage).sum(-1), coverage + attended
        readout = self._read_out(states[:, None], found.context).squeeze(1)
        lstm = LSTMState(torch.stack(hidden), torch.stack(cells))
        after = DecoderState(state.memory, lstm, readout, coverage)
        return DecoderOutput(readout, tuple(layers), found.weights, covered, after)

    def _read_out(self, states: Tensor, context: Tensor) -> Tensor:
        """States (batch, length, hidden_size) and contexts (batch, heads, length, memory_size) to readouts."""
        return torch.tanh(self.readout(torch.cat([states, context.transpose(1, 2).flatten(2)], -1)))


def _replaced(token: Tensor, replace: Replace | None, number: int, readout: Tensor) -> Tensor:
    """The embedding to read at a step: that given, or another one."""
    found = None if replace is None else replace(number, readout)
    return token if found is None else torch.where(found[1][:, None], found[0], token)


class CoverageKey(nn.Module):
    """What a unit of attention that a place has had adds to its key; at first nothing.

    Args:
        key_size: Width of a key.
    """

    def __init__(self, key_size: int):
        super().__init__()
        self.key = nn.Parameter(torch.zeros(key_size))

    def init_parameters(self) -> None:
        """Start small, so that attention begins as without."""
        init.normal_(self.key, std=0.01)

    def shown(self, memory: AttentionMemory, coverage: Tensor, attention: Attention) -> AttentionMemory:
        """The memory with the coverage (batch, length) in what the score compares, which is affine in the keys."""
        project = attention.scoring.project
        key = self.key.view(1, 1, -1)
        moved = project(key) - project(torch.zeros_like(key))
        return memory._replace(projected=memory.projected + coverage[..., None] * moved)

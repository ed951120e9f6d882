"""The decoder: what each step computes, at once or one by one, and where the state goes."""

from __future__ import annotations

import pytest
import torch
from modeling_helpers import array, assert_near
from torch import Tensor
from writer_helpers import numpy_decoder

from hfattnlstm.modeling.attention import SCORES, Attention
from hfattnlstm.modeling.decoder import AttentionDecoder, DecoderState


def decoder_of(**options) -> AttentionDecoder:
    torch.manual_seed(0)
    decoder = AttentionDecoder(5, 6, **{"hidden_size": 4, "readout_size": 5, **options}).double().eval()
    with torch.no_grad():
        for parameter in decoder.parameters():
            parameter.normal_(0, 0.5)
    return decoder


def begun(decoder: AttentionDecoder, mask: Tensor | None = None) -> tuple[Tensor, DecoderState]:
    torch.manual_seed(1)
    mask = torch.ones(3, 7, dtype=torch.bool) if mask is None else mask
    memory = torch.randn(3, 7, 6, dtype=torch.float64) * mask[..., None]
    return torch.randn(3, 4, 5, dtype=torch.float64), decoder.start(memory, mask)


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("input_feeding", [True, False])
def test_it_computes_what_the_papers_say(input_feeding, layers):
    decoder = decoder_of(input_feeding=input_feeding, num_layers=layers)
    embedded, state = begun(decoder)
    output = decoder(embedded, state)
    for row in range(3):
        readouts, weights = numpy_decoder(decoder, array(embedded)[row], array(state.memory.keys)[row])
        assert_near(output.readouts[row], readouts, 1e-12)
        assert_near(output.weights[row, 0], weights, 1e-12)


@pytest.mark.parametrize("kind", ["full", "holes"])
def test_all_steps_at_once_are_those_one_by_one(kind):
    decoder = decoder_of(input_feeding=False, num_layers=2)
    embedded, state = begun(decoder)
    mask = None
    if kind == "holes":
        mask = torch.tensor([[1, 1, 1, 1], [1, 0, 1, 1], [0, 0, 0, 0]]).bool()
    at_once = decoder(embedded, state, mask)
    one_by_one = decoder(embedded, state, mask, replace=lambda number, readout: None)
    real = torch.ones(3, 4, dtype=torch.bool) if mask is None else mask
    assert_near(at_once.readouts[real], one_by_one.readouts[real], 1e-12)
    assert_near(at_once.weights[:, 0][real], one_by_one.weights[:, 0][real], 1e-12)
    for first, second in zip(at_once.state.lstm, one_by_one.state.lstm):
        assert_near(first, second, 1e-12)
    assert at_once.state.length == one_by_one.state.length == 4


@pytest.mark.parametrize("options", [{}, {"coverage": True, "num_heads": 2}, {"num_layers": 2}])
def test_a_masked_step_leaves_the_state_as_it_was(options):
    decoder = decoder_of(**options)
    embedded, state = begun(decoder)
    mask = torch.tensor([[1, 1, 1, 1], [1, 0, 1, 0], [0, 1, 1, 0]]).bool()
    output = decoder(embedded, state, mask)
    for row in range(3):
        alone = decoder(embedded[row : row + 1, mask[row]], _row(state, row))
        assert_near(output.readouts[row, mask[row]], alone.readouts[0], 1e-12)
        assert_near(output.state.readout[row], alone.state.readout[0], 1e-12)
        assert_near(output.state.coverage[row], alone.state.coverage[0], 1e-12)


def _row(state: DecoderState, row: int) -> DecoderState:
    own = slice(row, row + 1)
    memory = type(state.memory)(*(part[own] for part in state.memory))
    lstm = type(state.lstm)(*(part[:, own] for part in state.lstm))
    return DecoderState(memory, lstm, state.readout[own], state.coverage[own], state.length)


def test_tokens_can_be_replaced_one_by_one():
    decoder = decoder_of()
    embedded, state = begun(decoder)
    other = torch.randn(3, 5, dtype=torch.float64)
    rows = torch.tensor([True, False, True])
    seen = []

    def replace(number: int, readout: Tensor) -> tuple[Tensor, Tensor] | None:
        seen.append(readout)
        return (other, rows) if number == 2 else None

    replaced = embedded.clone()
    replaced[rows, 2] = other[rows]
    output = decoder(embedded, state, replace=replace)
    assert_near(output.readouts, decoder(replaced, state).readouts, 1e-12)
    assert_near(seen[3], output.readouts[:, 2], 1e-12)


class TestCoverage:
    """The attention that a place has had is a part of its key."""

    @pytest.mark.parametrize("score", ["additive", "general", "linear", "diagonal_dot"])
    def test_it_moves_the_keys(self, score):
        decoder = decoder_of(coverage=True, score=score)
        embedded, state = begun(decoder)
        output = decoder(embedded, state)
        had = torch.zeros(3, 7, dtype=torch.float64)
        for step in range(4):
            # What the attention must have been asked: states of the last layer, and keys that are moved.
            keys = state.memory.keys + had[..., None] * decoder.coverage.key
            query = output.layers[-1][:, step : step + 1]
            weights = Attention.forward(decoder.attention, keys, query, state.memory.mask).weights
            assert_near(output.weights[:, :, step], weights[:, :, 0], 1e-9)
            attended = output.weights[:, 0, step]
            assert_near(output.covered[:, step], torch.minimum(attended, had).sum(-1), 1e-9)
            had = had + attended
        assert_near(output.state.coverage, had, 1e-9)

    def test_without_it_nothing_is_covered(self):
        decoder = decoder_of()
        embedded, state = begun(decoder)
        assert decoder(embedded, state).covered is None


def test_beams_take_their_states_with_them():
    decoder = decoder_of(coverage=True, num_layers=2)
    embedded, state = begun(decoder)
    # Beams of one text have one memory.
    state.memory = type(state.memory)(*(part[:1].expand_as(part) for part in state.memory))
    state = decoder(embedded[:, :2], state).state
    expected = decoder(embedded[:, 2:], state).readouts
    order = torch.tensor([2, 0, 0])
    state.reorder_cache(order)
    assert state.get_seq_length() == 2
    assert_near(decoder(embedded[:, 2:][order], state).readouts, expected[order], 1e-12)


@pytest.mark.parametrize("score", SCORES)
def test_what_is_projected_once_is_matched_again_and_again(score):
    attention = Attention(6, 6, score=score).double()
    torch.manual_seed(0)
    keys, mask = torch.randn(2, 5, 6, dtype=torch.float64), torch.tensor([[1, 1, 0, 1, 1], [0, 0, 0, 0, 0]]).bool()
    query = torch.randn(2, 3, 6, dtype=torch.float64)
    memory = attention.memory(keys, mask)
    expected = attention(keys, query, mask)
    for step in range(3):
        found = attention.recall(memory, query[:, step : step + 1])
        assert_near(found.weights[:, :, 0], expected.weights[:, :, step], 1e-12)
        assert_near(found.context[:, :, 0], expected.context[:, :, step], 1e-12)

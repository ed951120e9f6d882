"""The state that the recurrence takes and returns: hidden state and cell after the last real token, for every mask."""

from __future__ import annotations

import functools

import pytest
import torch
from modeling_helpers import NO_DROPOUT, ROWS, assert_near, ids_of, mask_of, tiny_model
from test_recurrence import copied_lstm
from torch import nn

from hfattnlstm import AttnLSTMModel
from hfattnlstm.modeling import lstm_backends
from hfattnlstm.modeling.lstm_backends import LSTMState
from hfattnlstm.modeling.reading_order import full_reading_order, reading_order
from hfattnlstm.modeling.recurrence import DirectionMerge, LSTMLayer, LSTMStack


every_kind = pytest.mark.parametrize("kind", ROWS)


def random_stack(layers: int = 2, bidirectional: bool = True) -> tuple[LSTMStack, nn.LSTM]:
    """A stack, and `nn.LSTM` with its weights."""
    model = tiny_model(AttnLSTMModel, num_hidden_layers=layers, bidirectional=bidirectional, **NO_DROPOUT)
    return model.encoder, copied_lstm(model, bidirectional)


def random_state(stack: LSTMStack, batch: int) -> LSTMState:
    lstms = [lstm for layer in stack.layers for lstm in layer.lstms]
    shape = (len(lstms), batch, lstms[0].hidden_size)
    return LSTMState(torch.randn(shape), torch.randn(shape))


@every_kind
@pytest.mark.parametrize("begun", [False, True], ids=["from zeros", "from a state"])
@pytest.mark.parametrize("bidirectional", [True, False])
def test_equals_each_row_read_alone_by_torch(bidirectional, begun, kind):
    stack, lstm = random_stack(bidirectional=bidirectional)
    mask = mask_of(kind)
    inputs = torch.randn(*mask.shape, 8)
    start = random_state(stack, len(mask)) if begun else None
    with torch.no_grad():
        output = stack(inputs, reading_order(mask), start, return_state=True)
        for row, kept in enumerate(mask):
            own = None if start is None else tuple(part[:, row, None].contiguous() for part in start)
            if not kept.any():
                expected = own or (torch.zeros_like(output.state.hidden[:, :1]),) * 2
            else:
                states, expected = lstm(inputs[row, kept][None], own)
                assert_near(output.states[row, kept], states[0])
            assert_near(output.state.hidden[:, row], expected[0][:, 0])
            assert_near(output.state.cell[:, row], expected[1][:, 0])
    assert not output.states[~mask].any()


def test_the_model_returns_it_on_request():
    model = tiny_model(AttnLSTMModel, num_hidden_layers=2)
    mask = mask_of("holes")
    ids = ids_of(mask)
    assert "state" not in model(ids, mask)
    state = model(ids, mask, output_state=True).state
    lstm = copied_lstm(model, bidirectional=True)
    for row, kept in enumerate(mask):
        _, (hidden, cell) = lstm(model.get_input_embeddings()(ids[row, kept])[None])
        assert_near(state.hidden[:, row], hidden[:, 0])
        assert_near(state.cell[:, row], cell[:, 0])


@every_kind
def test_a_text_may_be_read_in_two_goes(kind):
    stack, _ = random_stack(bidirectional=False)
    mask = mask_of(kind)
    inputs = torch.randn(*mask.shape, 8)
    with torch.no_grad():
        whole = stack(inputs, reading_order(mask), return_state=True)
        first = stack(inputs[:, :4], reading_order(mask[:, :4]), return_state=True)
        second = stack(inputs[:, 4:], reading_order(mask[:, 4:]), first.state, return_state=True)
    assert_near(torch.cat([first.states, second.states], 1), whole.states)
    assert_near(second.state.hidden, whole.state.hidden)
    assert_near(second.state.cell, whole.state.cell)
    assert_near(second.final, whole.final)


def test_asking_for_it_changes_no_state_and_without_padding_nothing_is_added():
    stack, _ = random_stack()
    mask = mask_of("holes")
    inputs = torch.randn(*mask.shape, 8)
    with torch.no_grad():
        asked, plain = (stack(inputs, reading_order(mask), return_state=wanted) for wanted in (True, False))
    assert plain.state is None
    assert_near(asked.states, plain.states, 1e-7)
    assert_near(asked.final, plain.final, 1e-7)


@every_kind
def test_gradients_flow_through_it(kind):
    stack, lstm = random_stack(layers=1)
    mask = mask_of(kind)
    inputs = torch.randn(*mask.shape, 8, requires_grad=True)
    stack(inputs, reading_order(mask), return_state=True).state.cell.square().sum().backward()
    gradient, inputs.grad = inputs.grad, None
    for row, kept in enumerate(mask):
        if kept.any():
            lstm(inputs[row, kept][None])[1][1].square().sum().backward()
    assert gradient.any()
    assert_near(gradient, inputs.grad)


@pytest.mark.parametrize("reentrant", [True, False])
def test_activation_checkpointing_keeps_it(reentrant):
    stack, _ = random_stack()
    mask = mask_of("holes")
    inputs = torch.randn(*mask.shape, 8, requires_grad=True)

    def gradients() -> list[torch.Tensor]:
        stack.zero_grad()
        inputs.grad = None
        output = stack(inputs, reading_order(mask), return_state=True)
        (output.states.sum() + output.state.hidden.square().sum() + output.state.cell.square().sum()).backward()
        return [inputs.grad, *(parameter.grad.clone() for parameter in stack.parameters())]

    expected = gradients()
    recomputed = functools.partial(torch.utils.checkpoint.checkpoint, use_reentrant=reentrant)
    for layer in stack.train().layers:
        layer.gradient_checkpointing, layer._gradient_checkpointing_func = True, recomputed
    for one, other in zip(gradients(), expected):
        assert_near(one, other)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision(dtype):
    stack, _ = random_stack()
    mask = mask_of("left")
    inputs = torch.randn(*mask.shape, 8)
    with torch.no_grad():
        exact = stack(inputs, reading_order(mask), return_state=True).state
        rough = stack.to(dtype)(inputs.to(dtype), reading_order(mask), return_state=True).state
    assert rough.cell.dtype == rough.hidden.dtype == dtype
    assert_near(rough.cell.float(), exact.cell, 0.1)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("grad", [False, True])
def test_autocast_works_where_the_processor_has_no_such_lstm(dtype, grad, monkeypatch):
    monkeypatch.setattr(lstm_backends, "_runs_in_autocast", lambda *_: False)
    stack, _ = random_stack()
    mask = mask_of("right")
    inputs = torch.randn(*mask.shape, 8)
    start = random_state(stack, len(mask))
    with torch.set_grad_enabled(grad):
        exact = stack(inputs, reading_order(mask), start, return_state=True)
        with torch.autocast("cpu", dtype=dtype):
            output = stack(inputs, reading_order(mask), start, return_state=True)
    assert_near(output.states, exact.states, 1e-6)
    assert_near(output.state.cell, exact.state.cell, 1e-6)


def test_whether_autocast_has_an_lstm_is_found_out_without_touching_the_random_state():
    lstm_backends._runs_in_autocast.cache_clear()
    before = torch.get_rng_state()
    assert isinstance(lstm_backends._runs_in_autocast(torch.bfloat16, True), bool)
    assert torch.get_rng_state().equal(before)


def test_finding_it_out_is_no_part_of_an_activation_checkpoint():
    stack, _ = random_stack(layers=1)
    layer = stack.train().layers[0]
    layer.gradient_checkpointing = True
    layer._gradient_checkpointing_func = functools.partial(torch.utils.checkpoint.checkpoint, use_reentrant=False)
    lstm_backends._runs_in_autocast.cache_clear()
    inputs = torch.randn(2, 5, 8, requires_grad=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        stack(inputs, full_reading_order(2, 5, inputs.device)).states.sum().backward()
    assert inputs.grad.any()


def test_another_backend_takes_over():
    layer = LSTMLayer(3, 4)
    order = full_reading_order(2, 5, torch.device("cpu"))
    calls = []

    def backend(lstms, inputs, given, state, with_cell):
        calls.append((len(lstms), tuple(inputs.shape), state, with_cell))
        return lstm_backends.read_with_torch(lstms, inputs, given, state, with_cell)

    inputs = torch.randn(2, 5, 3)
    expected = layer(inputs, order)[0]
    layer.backend = backend
    assert layer(inputs, order)[0].equal(expected)
    assert calls == [(2, (5, 2, 3), None, False)]


def test_a_residual_adds_what_the_layer_read_and_not_what_dropout_left():
    torch.manual_seed(0)
    layer = LSTMLayer(4, 4, residual=True, dropout=0.5)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.zero_()
    inputs = torch.randn(3, 6, 4)
    # With all weights 0, the states are 0 whatever is dropped.
    assert layer.train()(inputs, full_reading_order(3, 6, inputs.device))[0].equal(inputs)


@pytest.mark.parametrize(
    ("arguments", "options", "sentence"),
    [
        ((3, 4), {"residual": True}, "A residual needs equal widths"),
        ((3, 5), {}, "must be even"),
        ((3, 4), {"direction_merge": "bogus"}, "direction_merge must be one of"),
    ],
)
def test_a_layer_that_cannot_be_is_refused(arguments, options, sentence):
    with pytest.raises(ValueError, match=sentence):
        LSTMLayer(*arguments, **options)


def test_directions_are_merged_as_named():
    states = torch.tensor([[1.0, 2.0], [3.0, 6.0]])
    assert DirectionMerge("concat")(states).tolist() == [1, 2, 3, 6]
    assert DirectionMerge("sum")(states).tolist() == [4, 8]
    assert DirectionMerge("mean")(states).tolist() == DirectionMerge("weighted")(states).tolist() == [2, 4]

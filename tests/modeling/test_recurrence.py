"""The LSTM stack against NumPy and against `nn.LSTM`, for every kind of padding and every option."""

from __future__ import annotations

import pytest
import torch
from modeling_helpers import (
    NO_DROPOUT,
    ROWS,
    array,
    assert_near,
    exact_backbone,
    ids_of,
    mask_of,
    numpy_stack,
    tiny_model,
)
from torch import nn

from hfattnlstm import AttnLSTMConfig, AttnLSTMModel
from hfattnlstm.modeling.reading_order import full_reading_order, reading_order
from hfattnlstm.modeling.recurrence import LSTMLayer


STACKS = {
    "one layer": {},
    "three layers": {"num_hidden_layers": 3},
    "one direction": {"bidirectional": False, "num_hidden_layers": 2},
    "one direction of odd width": {"bidirectional": False, "hidden_size": 7},
    "sum": {"direction_merge": "sum", "num_hidden_layers": 2},
    "mean": {"direction_merge": "mean", "num_hidden_layers": 2},
    "weighted": {"direction_merge": "weighted", "num_hidden_layers": 2},
    "residual where wide enough": {"residual": True, "num_hidden_layers": 3},
    "residual everywhere": {"residual": True, "num_hidden_layers": 2, "embedding_size": 12},
    "residual, one direction": {"residual": True, "bidirectional": False, "num_hidden_layers": 2},
    "residual, sum": {"residual": True, "direction_merge": "sum", "num_hidden_layers": 2},
}


def read_alone(model, ids, mask, options):
    """States and final state of each row of the batch, read by NumPy without its padding."""
    words = array(model.embeddings.word_embeddings.weight)
    described = {
        "layers": options.get("num_hidden_layers", 1),
        "bidirectional": options.get("bidirectional", True),
        "merge": options.get("direction_merge", "concat"),
        "residual": options.get("residual", False),
    }
    return [numpy_stack(model, words[array(row[kept])], **described) for row, kept in zip(ids, mask)]


@pytest.mark.parametrize("kind", ROWS)
@pytest.mark.parametrize("name", STACKS)
def test_every_row_is_read_as_if_it_were_alone(name, kind):
    model = exact_backbone(classifier_pooling="last", **STACKS[name])
    mask = mask_of(kind)
    ids = ids_of(mask)
    with torch.no_grad():
        outputs = model(ids, mask)
    for row, (states, final) in enumerate(read_alone(model, ids, mask, STACKS[name])):
        if not mask[row].any():
            assert not outputs.pooler_output[row].any()
            continue
        assert_near(outputs.last_hidden_state[row, mask[row]], states)
        assert_near(outputs.pooler_output[row], final)
    assert not outputs.last_hidden_state[~mask].any()


def copied_lstm(model: AttnLSTMModel, bidirectional: bool) -> nn.LSTM:
    config = model.config
    lstm = nn.LSTM(
        config.embedding_size,
        config.hidden_size // (2 if bidirectional else 1),
        config.num_hidden_layers,
        batch_first=True,
        bidirectional=bidirectional,
    )
    with torch.no_grad():
        for index, layer in enumerate(model.encoder.layers):
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                getattr(lstm, f"{name}_l{index}").copy_(getattr(layer.forward_lstm, f"{name}_l0"))
                if bidirectional:
                    getattr(lstm, f"{name}_l{index}_reverse").copy_(getattr(layer.backward_lstm, f"{name}_l0"))
    return lstm


@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize("layers", [1, 2, 3])
def test_right_padding_equals_a_packed_lstm(layers, bidirectional):
    model = tiny_model(AttnLSTMModel, num_hidden_layers=layers, bidirectional=bidirectional)
    lstm = copied_lstm(model, bidirectional)
    mask = mask_of("right")
    ids = ids_of(mask)
    with torch.no_grad():
        embedded = model.get_input_embeddings()(ids)
        packed = nn.utils.rnn.pack_padded_sequence(embedded, mask.sum(1), batch_first=True, enforce_sorted=False)
        expected, _ = nn.utils.rnn.pad_packed_sequence(lstm(packed)[0], batch_first=True)
        states = model(ids, mask).last_hidden_state
    assert_near(states, expected)


@pytest.mark.parametrize("kind", ["right", "left", "holes"])
@pytest.mark.parametrize("grad", [False, True])
def test_random_lengths_and_empty_rows_equal_a_packed_lstm_in_float32(kind, grad):
    """At the default width, and in batches as large as the pipeline's."""
    model = AttnLSTMModel(AttnLSTMConfig(vocab_size=500)).eval()
    lstm = copied_lstm(model, bidirectional=True)
    generator = torch.Generator().manual_seed(0)
    lengths = torch.randint(0, 90, (48,), generator=generator)
    lengths[[5, 17]] = 0
    mask = torch.arange(90) < lengths[:, None]
    if kind == "left":
        mask = mask.flip(1)
    if kind == "holes":
        mask = mask & (torch.rand(mask.shape, generator=generator) < 0.7)
    ids = torch.randint(1, 500, mask.shape, generator=generator)
    with torch.set_grad_enabled(grad):
        outputs = model(ids, mask)
    rows = [row for row in range(len(mask)) if mask[row].any()]
    with torch.no_grad():
        embedded = [model.get_input_embeddings()(ids[row, mask[row]]) for row in rows]
        packed = lstm(nn.utils.rnn.pack_sequence(embedded, enforce_sorted=False))[0]
        states = nn.utils.rnn.unpack_sequence(packed)
    for row, expected in zip(rows, states):
        assert (outputs.last_hidden_state[row, mask[row]] - expected).abs().max() < 1e-5
    assert not outputs.last_hidden_state[~mask].any() and len(rows) <= 46


def test_padding_is_found_out_and_nothing_is_moved_without_need():
    assert reading_order(mask_of("right")).forward is None
    assert reading_order(mask_of("left")).forward is not None
    assert reading_order(mask_of("holes")).forward is not None
    full, same = full_reading_order(3, 4, torch.device("cpu")), reading_order(torch.ones(3, 4, dtype=torch.bool))
    assert full.forward is same.forward is None
    for name in ("backward", "backward_back", "last"):
        assert getattr(full, name).equal(getattr(same, name))


def test_without_a_mask_every_token_counts():
    model = tiny_model(AttnLSTMModel, num_hidden_layers=2)
    mask = mask_of("full")
    ids = ids_of(mask)
    with torch.no_grad():
        expected = copied_lstm(model, bidirectional=True)(model.get_input_embeddings()(ids))[0]
        assert_near(model(ids).last_hidden_state, expected)
        assert_near(model(ids, mask).last_hidden_state, expected)


@pytest.mark.parametrize("kind", ["right", "left", "holes", "empty"])
def test_gradients_are_the_sum_of_the_rows_read_alone(kind):
    model = exact_backbone(num_hidden_layers=2, direction_merge="weighted", residual=True)
    mask = mask_of(kind)
    ids = ids_of(mask)
    model(ids, mask).last_hidden_state.square().sum().backward()
    together = {name: parameter.grad for name, parameter in model.encoder.named_parameters()}
    model.zero_grad()
    for row, kept in zip(ids, mask):
        if kept.any():
            model(row[kept][None]).last_hidden_state.square().sum().backward()
    for name, parameter in model.encoder.named_parameters():
        assert_near(together[name], parameter.grad)


@pytest.mark.parametrize("kind", ["right", "left", "holes", "empty"])
def test_no_gradient_flows_into_padding(kind):
    model = exact_backbone(num_hidden_layers=2, classifier_pooling=["attention", "mean", "max", "last", "sum"])
    mask = mask_of(kind)
    embedded = torch.randn(*mask.shape, 8, dtype=torch.float64, requires_grad=True)
    outputs = model(inputs_embeds=embedded, attention_mask=mask)
    (outputs.last_hidden_state.square().sum() + outputs.pooler_output.square().sum()).backward()
    assert not embedded.grad[~mask].any()
    assert embedded.grad[mask].abs().sum(-1).gt(0).all()


def test_reading_order_moves_the_tokens_to_the_front_and_back():
    mask = torch.tensor([[False, True, False, True], [True, True, True, False]])
    order = reading_order(mask)
    rows = torch.arange(8)  # time-major: row 2 · position + text
    assert rows[order.forward].view(4, 2)[:2, 0].tolist() == [2, 6]
    assert rows[order.backward].view(4, 2)[:2, 0].tolist() == [6, 2]
    assert rows[order.backward].view(4, 2)[:3, 1].tolist() == [5, 3, 1]
    assert rows[order.forward][order.forward_back].equal(rows)
    assert rows[order.backward][order.backward_back].equal(rows)
    assert order.last.tolist() == [2, 5]


def layer_inputs(model: AttnLSTMModel, ids: torch.Tensor) -> list[torch.Tensor]:
    """What each layer's LSTM reads: (batch, length, width), in the order of the tokens."""
    seen = []
    hooks = [
        layer.forward_lstm.register_forward_pre_hook(lambda _, args: seen.append(args[0].transpose(0, 1)))
        for layer in model.encoder.layers
    ]
    with torch.no_grad():
        model(ids)
    for hook in hooks:
        hook.remove()
    return seen


@pytest.mark.parametrize("locked", [False, True])
def test_hidden_dropout_works_between_layers_in_training_only(locked):
    options = {**NO_DROPOUT, "hidden_dropout_prob": 0.25, "locked_dropout": locked, "num_hidden_layers": 2}
    model = tiny_model(AttnLSTMModel, **options)
    ids = torch.randint(1, 30, (200, 9))
    first, whole = layer_inputs(model, ids)
    assert whole.ne(0).all()
    first_in_training, dropped = layer_inputs(model.train(), ids)
    assert first_in_training.equal(first)
    kept = dropped.ne(0)
    assert_near(dropped[kept], whole[kept] / 0.75)
    assert abs((~kept).float().mean().item() - 0.25) < 0.03
    same_units_everywhere = kept.eq(kept[:, :1]).all(dim=(1, 2))
    assert same_units_everywhere.all() if locked else not same_units_everywhere.any()
    assert not kept.eq(kept[:1]).all()


def test_one_layer_has_no_hidden_dropout():
    model = tiny_model(AttnLSTMModel, **{**NO_DROPOUT, "hidden_dropout_prob": 0.9})
    ids = ids_of(mask_of("full"))
    assert model.train()(ids).last_hidden_state.equal(model.eval()(ids).last_hidden_state)


@pytest.mark.parametrize(
    ("options", "size"),
    [({}, 6), ({"bidirectional": False}, 12), ({"direction_merge": "sum"}, 12), ({"direction_merge": "weighted"}, 12)],
)
def test_hidden_size_is_the_width_of_both_directions_together(options, size):
    layer = LSTMLayer(8, 12, **options)
    assert layer.forward_lstm.hidden_size == size
    assert (layer.backward_lstm is None) == (options == {"bidirectional": False})
    assert exact_backbone(**options)(torch.tensor([[1, 2]])).last_hidden_state.shape == (1, 2, 12)

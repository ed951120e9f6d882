"""Self-attention over states against NumPy and torch, with steps that are not there."""

from __future__ import annotations

import functools
from typing import Any

import pytest
import torch
from forecaster_helpers import numpy_context
from modeling_helpers import array, assert_near
from torch import Tensor, nn

from hfattnlstm import AttnLSTMConfig
from hfattnlstm.modeling.configuration_context import CONTEXT_LAYERS, CONTEXT_MERGES, HASHED
from hfattnlstm.modeling.context import ContextLayer, ContextStack, StateMerge, attention_run
from hfattnlstm.modeling.multi_head_attention import AttentionRun, MultiHeadAttention


WITH_WEIGHTS = AttentionRun(output_attentions=True)
FULL = [kind for kind in CONTEXT_LAYERS if kind not in HASHED]
every_run = pytest.mark.parametrize("implementation", ["eager", "sdpa"])
MASK = torch.tensor(
    [[True] * 6, [False, False, True, True, True, True], [True, False, True, False, False, True], [False] * 6]
)


def random_layer(kind: str, heads: int = 2, **options: Any) -> ContextLayer:
    torch.manual_seed(0)
    layer = ContextLayer(kind, 8, num_heads=heads, intermediate_size=5, chunk_length=2, **options).double().eval()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_(0, 0.7)
    return layer


def random_states() -> Tensor:
    return torch.randn(4, 6, 8, dtype=torch.float64)


@every_run
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("merge", CONTEXT_MERGES)
@pytest.mark.parametrize("heads", [1, 2, 8])
@pytest.mark.parametrize("kind", FULL)
def test_a_layer_equals_numpy(kind, heads, merge, causal, implementation):
    layer, states = random_layer(kind, heads, merge=merge, causal=causal), random_states()
    run = AttentionRun(implementation, output_attentions=True)
    found = layer(states, MASK, run)
    weights = layer.attention(states, MASK, run=run).weights
    for row, kept in enumerate(MASK):
        expected, attended = numpy_context(layer, array(states[row]), array(kept))
        assert_near(found[row], expected, 1e-12)
        assert_near(weights[row], attended, 1e-12)
    assert not found[~MASK].any()


@every_run
@pytest.mark.parametrize("kind", CONTEXT_LAYERS)
def test_asking_for_the_weights_changes_nothing(kind, implementation):
    layer, states = random_layer(kind).float(), random_states().float()
    asked, not_asked = (layer(states, MASK, AttentionRun(implementation, asked)) for asked in (True, False))
    assert asked.equal(not_asked)
    assert layer.attention(states, MASK, run=AttentionRun(implementation)).weights is None


def test_attention_over_other_states_equals_that_of_torch():
    torch.manual_seed(0)
    attention = MultiHeadAttention(8, 2, key_size=5).double()
    other = nn.MultiheadAttention(8, 2, kdim=5, vdim=5, batch_first=True).double()
    parts = (attention.query, attention.key, attention.value)
    with torch.no_grad():
        for parameter in attention.parameters():
            parameter.normal_(0, 0.5)
        for name, part in zip("qkv", parts):
            getattr(other, f"{name}_proj_weight").copy_(part.weight)
        other.in_proj_bias.copy_(torch.cat([part.bias for part in parts]))
        other.out_proj.load_state_dict(attention.output.state_dict())
    states, keys = random_states(), torch.randn(4, 3, 5, dtype=torch.float64)
    there = torch.tensor([[True] * 3, [True, False, True], [False, False, True], [True] * 3])
    expected, weights = other(states, keys, keys, key_padding_mask=~there, average_attn_weights=False)
    for implementation in ("eager", "sdpa"):
        found = attention(states, MASK, keys, there, AttentionRun(implementation, True))
        assert_near(found.states[MASK], expected[MASK], 1e-12)
        assert_near(found.weights, weights * MASK[:, None, :, None], 1e-12)


def test_gradients_flow_through_the_weights_of_the_eager_implementation():
    attention, states = MultiHeadAttention(8, 2).double(), random_states()
    found = attention(states, MASK, run=WITH_WEIGHTS)
    found.weights.retain_grad()
    found.states.square().sum().backward()
    assert found.weights.grad[MASK.any(1)].any()


@every_run
def test_where_nothing_can_be_seen_only_the_bias_remains(implementation):
    attention, states = MultiHeadAttention(8, 2).double(), random_states()
    found = attention(states, MASK, states, torch.zeros(4, 6, dtype=torch.bool), AttentionRun(implementation, True))
    assert not found.weights.any()
    assert_near(found.states, attention.output.bias.expand(4, 6, 8), 1e-15)


@pytest.mark.parametrize("heads", [1, 4])
def test_self_attention_equals_that_of_torch(heads):
    attention, states = MultiHeadAttention(8, heads).double(), random_states()
    other = nn.MultiheadAttention(8, heads, batch_first=True).double()
    with torch.no_grad():
        for parameter in attention.parameters():
            parameter.normal_(0, 0.5)
        parts = (attention.query, attention.key, attention.value)
        other.in_proj_weight.copy_(torch.cat([part.weight for part in parts]))
        other.in_proj_bias.copy_(torch.cat([part.bias for part in parts]))
        other.out_proj.load_state_dict(attention.output.state_dict())
    some = MASK.any(1)
    expected, weights = other(
        states[some], states[some], states[some], key_padding_mask=~MASK[some], average_attn_weights=False
    )
    found, own = attention(states[some], MASK[some], run=WITH_WEIGHTS)
    assert_near(found[MASK[some]], expected[MASK[some]], 1e-12)
    real = MASK[some][:, None, :, None]
    assert_near(own, weights * real, 1e-12)


def test_a_transformer_layer_equals_that_of_torch():
    layer, states = random_layer("transformer"), random_states()
    other = nn.TransformerEncoderLayer(8, 2, 5, 0.0, "gelu", batch_first=True).double()
    parts = (layer.attention.query, layer.attention.key, layer.attention.value)
    with torch.no_grad():
        other.self_attn.in_proj_weight.copy_(torch.cat([part.weight for part in parts]))
        other.self_attn.in_proj_bias.copy_(torch.cat([part.bias for part in parts]))
        for mine, theirs in [
            (layer.attention.output, other.self_attn.out_proj),
            (layer.merge.norm, other.norm1),
            (layer.feed_forward.enter, other.linear1),
            (layer.feed_forward.leave, other.linear2),
            (layer.feed_forward_merge.norm, other.norm2),
        ]:
            theirs.load_state_dict(mine.state_dict())
    some = MASK.any(1)
    expected = other(states[some], src_key_padding_mask=~MASK[some])
    assert_near(layer(states[some], MASK[some])[MASK[some]], expected[MASK[some]], 1e-12)


@pytest.mark.parametrize("kind", CONTEXT_LAYERS)
@pytest.mark.parametrize("grad", [False, True])
def test_what_is_masked_changes_nothing(grad, kind):
    layer, states = random_layer(kind), random_states()
    with torch.set_grad_enabled(grad):
        expected, kept = layer(states, MASK), states.clone()
        assert layer(torch.where(MASK[..., None], states, 1e3), MASK).equal(expected)
    assert states.equal(kept)
    for row, there in enumerate(MASK):
        alone = layer(states[row, there][None], torch.ones(1, int(there.sum()), dtype=torch.bool))
        assert_near(expected[row, there], alone[0], 1e-12)


@pytest.mark.parametrize("kind", CONTEXT_LAYERS)
def test_gradients_are_finite_and_none_flows_into_what_is_masked(kind):
    layer = random_layer(kind)
    states = random_states().requires_grad_()
    layer(states, MASK).square().sum().backward()
    assert not states.grad[~MASK].any() and states.grad[MASK].any(-1).all()
    for name, parameter in layer.named_parameters():
        assert parameter.grad.isfinite().all(), name
        # A bias of all keys moves all scores alike.
        assert parameter.grad.abs().max() > 1e-9 or name == "attention.key.bias", name


@every_run
@pytest.mark.parametrize("kind", FULL)
def test_no_gradient_flows_from_what_comes_to_what_was(kind, implementation):
    layer, states = random_layer(kind, causal=True), random_states().requires_grad_()
    layer(states, MASK, AttentionRun(implementation))[:, 3].sum().backward()
    assert not states.grad[:, 4:].any() and states.grad[0, :4].any(-1).all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("kind", CONTEXT_LAYERS)
def test_half_precision(kind, dtype):
    layer, states = random_layer(kind).float(), random_states().float()
    expected = layer(states, MASK)
    layer, states = layer.to(dtype), states.to(dtype)
    rough, weights = layer(states, MASK), layer.attention(states, MASK, run=WITH_WEIGHTS).weights
    assert rough.dtype == weights.dtype == dtype
    assert_near(rough.float(), expected, 0.15)
    real = MASK[:, None].expand(4, 2, 6).float()
    assert_near(weights.float().sum(-1), real, 0.01)


@pytest.mark.parametrize("reentrant", [True, False])
@pytest.mark.parametrize("kind", CONTEXT_LAYERS)
def test_activation_checkpointing_gives_the_plain_gradients(kind, reentrant):
    layer, results = random_layer(kind).train(), []
    for checkpointed in (False, True):
        layer.gradient_checkpointing = checkpointed
        layer._gradient_checkpointing_func = functools.partial(
            torch.utils.checkpoint.checkpoint, use_reentrant=reentrant
        )
        layer.zero_grad()
        torch.manual_seed(1)
        states = random_states().requires_grad_()
        layer(states, MASK).square().sum().backward()
        results.append([states.grad, *(parameter.grad.clone() for parameter in layer.parameters())])
    for one, other in zip(*results):
        assert_near(one, other, 1e-12)


def test_dropout_is_on_what_is_added_in_training_only():
    torch.manual_seed(0)
    layer = ContextLayer("transformer", 8, num_heads=2, intermediate_size=5, dropout=0.5).double()
    states = random_states()
    assert layer.eval()(states, MASK).equal(layer(states, MASK))
    assert not layer.train()(states, MASK).equal(layer(states, MASK))
    with torch.no_grad():
        layer.attention.output.weight.zero_()
        layer.attention.output.bias.zero_()
        layer.feed_forward.leave.weight.zero_()
        layer.feed_forward.leave.bias.zero_()
    # With nothing added, nothing is dropped.
    assert layer(states, MASK).equal(layer(states, MASK))


def test_layers_one_after_the_other():
    torch.manual_seed(0)
    stack = ContextStack(["attention", "transformer"], 8, num_heads=2).double()
    states = random_states()
    found = stack(states, MASK)
    assert_near(found.states, stack.layers[1](stack.layers[0](states, MASK), MASK), 1e-15)
    assert found.final.equal(torch.stack([*found.states[:3, 5], torch.zeros(8)]))


@pytest.mark.parametrize(
    ("configured", "asked", "expected"),
    [(False, None, False), (True, None, True), (True, False, False), (False, True, True)],
)
def test_what_is_asked_for_wins_over_the_configuration(configured, asked, expected):
    config = AttnLSTMConfig(output_attentions=configured, attn_implementation="sdpa")
    kwargs = {} if asked is None else {"output_attentions": asked}
    assert attention_run(config, kwargs) == ("sdpa", expected)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: MultiHeadAttention(8, 3), "hidden_size=8 must be a multiple of num_attention_heads=3"),
        (
            lambda: ContextLayer("bogus", 8, num_heads=2),
            "context_layers must be some of attention, transformer, lsh_attention, lsh_transformer, got 'bogus'",
        ),
        (lambda: StateMerge("bogus", 8), "context_merge must be one of add, concat, got 'bogus'"),
    ],
)
def test_layers_that_cannot_be_are_refused(make, sentence):
    with pytest.raises(ValueError, match=sentence):
        make()

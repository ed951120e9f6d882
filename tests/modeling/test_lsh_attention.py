"""Hashed self-attention against loops over pairs, and against the full attention over the same pairs."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from modeling_helpers import array, assert_near, numpy_softmax
from torch import Tensor

from hfattnlstm.modeling.lsh_attention import LSHSelfAttention
from hfattnlstm.modeling.multi_head_attention import AttentionRun


HIDDEN, LENGTH, CHUNK = 12, 23, 4
WITH_WEIGHTS = AttentionRun(output_attentions=True)


def random_attention(**options: object) -> LSHSelfAttention:
    torch.manual_seed(0)
    attention = LSHSelfAttention(HIDDEN, 3, **{"chunk_length": CHUNK, "num_buckets": 8, **options}).double()
    with torch.no_grad():
        for parameter in attention.parameters():
            parameter.normal_(0, 0.7)
    return attention


def random_batch() -> tuple[Tensor, Tensor]:
    """Padding on the right, on the left and inside; a text of one chunk, one of one token, one without any."""
    torch.manual_seed(1)
    mask = torch.zeros(7, LENGTH, dtype=torch.bool)
    mask[0] = True
    mask[1, :17] = True
    mask[2, 9:] = True
    mask[3] = torch.rand(LENGTH) < 0.6
    mask[4, [2, 5, 6, 20]] = True
    mask[5, 7] = True
    return torch.randn(*mask.shape, HIDDEN, dtype=torch.float64), mask


def numpy_rounds(attention: LSHSelfAttention, states: np.ndarray, head: int) -> list[list[int]]:
    """Of each round, the chunk of each state of a text without padding."""
    size, count = HIDDEN // 3, len(states)
    query = (states @ array(attention.query_key.weight).T)[:, head * size : (head + 1) * size]
    chunks = math.ceil(count / attention.chunk_length)
    ends = min(chunks, attention.directions.shape[-1]) if chunks > 1 else 0
    found = []
    for directions in array(attention.directions):
        along = query @ directions[head, :, :ends]
        buckets = np.concatenate([along, -along], 1).argmax(1) if ends else np.zeros(count)
        order = sorted(range(count), key=lambda state: (buckets[state], state))
        found.append([order.index(state) // attention.chunk_length for state in range(count)])
    return found


def numpy_attention(attention: LSHSelfAttention, states: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """States (length, hidden) and weights (heads, length, length) of a text without padding."""
    size, count = HIDDEN // 3, len(states)
    value = states @ array(attention.value.weight).T + array(attention.value.bias)
    projected = states @ array(attention.query_key.weight).T
    weights, context = np.zeros((3, count, count)), np.zeros(states.shape)
    for head in range(3):
        own = slice(head * size, (head + 1) * size)
        rounds = numpy_rounds(attention, states, head)
        for asked in range(count):
            seen = [
                other
                for other in range(asked + 1 if attention.is_causal else count)
                if other != asked and any(abs(chunk[asked] - chunk[other]) <= 1 for chunk in rounds)
            ] or [asked]
            keys = projected[seen, own]
            keys = keys / np.linalg.norm(keys, axis=1, keepdims=True)
            weights[head, asked, seen] = numpy_softmax(keys @ projected[asked, own])
            context[asked, own] = weights[head, asked] @ value[:, own]
    return context @ array(attention.output.weight).T + array(attention.output.bias), weights


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("hashes", [1, 2, 3])
def test_it_equals_loops_over_the_pairs_that_any_round_brings_together(hashes, causal):
    attention, (states, mask) = random_attention(num_hashes=hashes, causal=causal), random_batch()
    found = attention(states, mask, WITH_WEIGHTS)
    for row, kept in enumerate(mask):
        expected, weights = numpy_attention(attention, array(states[row, kept]))
        assert_near(found.states[row, kept], expected, 1e-12)
        assert_near(found.weights[row][:, kept][..., kept], weights, 1e-12)
    assert_near(found.weights.sum(-1), mask[:, None].expand(-1, 3, -1).double(), 1e-12)
    assert not found.weights.masked_select(~mask[:, None, None]).any()


# Of half the length, each chunk sees the other one, too.
@pytest.mark.parametrize("chunk", [LENGTH, LENGTH // 2 + 1])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("hashes", [1, 3])
def test_one_bucket_over_everything_is_the_full_attention(hashes, causal, chunk):
    attention, (states, mask) = random_attention(num_hashes=hashes, chunk_length=chunk, causal=causal), random_batch()
    queries, values = (
        layer(states).unflatten(-1, (3, -1)).transpose(1, 2) for layer in (attention.query_key, attention.value)
    )
    scores = queries @ torch.nn.functional.normalize(queries, dim=-1).transpose(2, 3)
    visible = mask[:, None, None, :] & torch.ones(LENGTH, LENGTH, dtype=torch.bool).tril(0 if causal else LENGTH)
    others = visible & ~torch.eye(LENGTH, dtype=torch.bool)
    alone = ~others.any(-1, keepdim=True)
    weights = scores.masked_fill(~torch.where(alone, visible, others), -1e300).softmax(-1)
    expected = attention.output((weights @ values).transpose(1, 2).flatten(2))
    found = attention(states, mask, WITH_WEIGHTS)
    assert_near(found.states[mask], expected[mask], 1e-12)
    assert_near(found.weights, weights * mask[:, None, :, None], 1e-12)
    recall = attention.recall(states, mask)
    assert_near(recall.weights, mask.any(1)[:, None].expand(-1, 3).double(), 1e-12)
    assert_near(recall.pairs, mask.any(1)[:, None].expand(-1, 3).float(), 1e-6)


def test_the_recall_is_the_share_of_the_full_weights():
    states, mask = random_batch()
    shares = []
    for hashes in (1, 2, 4):
        attention = random_attention(num_hashes=hashes)
        full = random_attention(chunk_length=LENGTH, num_hashes=hashes)
        full.load_state_dict(attention.state_dict())
        seen = attention(states, mask, WITH_WEIGHTS).weights > 0
        expected = (full(states, mask, WITH_WEIGHTS).weights * seen).sum((2, 3)) / mask.sum(1).clamp(min=1)[:, None]
        recall = attention.recall(states, mask)
        shares.append(recall.weights)
        assert_near(recall.weights, expected, 1e-12)
        # Of a pair with itself there is no weight, but it is seen.
        count = mask.sum(1)
        own = torch.where(count > 1, count, 0)[:, None]
        pairs = (seen.sum((2, 3)) + own) / count.square().clamp(min=1)[:, None]
        assert_near(recall.pairs, pairs, 1e-6)
    assert shares[0][:4].max() < 1 and shares[0].mean() < shares[1].mean() < shares[2].mean()


@pytest.mark.parametrize("grad", [False, True])
def test_padding_changes_nothing(grad):
    attention, (states, mask) = random_attention(), random_batch()
    with torch.set_grad_enabled(grad):
        expected = attention(states, mask).states
        found = attention(torch.where(mask[..., None], states, 1e3), mask).states
    assert found[mask].equal(expected[mask])
    wider, more = torch.cat([torch.zeros(7, 30, HIDDEN), states], 1), torch.cat([torch.zeros(7, 30).bool(), mask], 1)
    assert_near(attention(wider, more).states[more], expected[mask], 1e-12)
    for row, kept in enumerate(mask[:-1]):
        alone = attention(states[row, kept][None], torch.ones(1, int(kept.sum()), dtype=torch.bool)).states
        assert_near(expected[row, kept], alone[0], 1e-12)


@pytest.mark.parametrize("causal", [False, True])
def test_gradients_equal_those_of_the_weights_themselves(causal):
    attention, (states, mask) = random_attention(num_hashes=2, causal=causal), random_batch()
    states.requires_grad_()
    sparse = attention(states, mask).states[mask]
    weights = attention(states, mask, WITH_WEIGHTS).weights
    values = attention.value(states).unflatten(-1, (3, -1)).transpose(1, 2)
    dense = attention.output((weights @ values).transpose(1, 2).flatten(2))[mask]
    assert_near(sparse, dense, 1e-12)
    inputs = [states, *attention.parameters()]
    for one, other in zip(
        torch.autograd.grad(sparse.sin().sum(), inputs), torch.autograd.grad(dense.sin().sum(), inputs)
    ):
        assert one.isfinite().all() and one.any()
        assert_near(one, other, 1e-10)
    assert not torch.autograd.grad(attention(states, mask).states[mask].sum(), states)[0][~mask].any()


def test_long_texts_are_hashed_in_parts():
    """More states than are hashed at once, whose buckets must not depend on where the parts are cut."""
    torch.manual_seed(0)
    attention = LSHSelfAttention(8, 2, num_hashes=1, num_buckets=6, chunk_length=512)
    with torch.no_grad():
        attention.output.weight.copy_(torch.eye(8))
        attention.output.bias.zero_()
        states = torch.randn(1, 4_200, 8)
        found = attention(states, torch.ones(1, 4_200, dtype=torch.bool)).states
        query = attention.query_key(states).unflatten(-1, (2, -1)).transpose(1, 2)[0]
        along = query @ attention.directions[0]
        chunk = torch.cat([along, -along], -1).argmax(-1).argsort(dim=1, stable=True).argsort(dim=1) // 512
        for head, place in [(0, 0), (1, 4_100), (0, 4_199)]:
            seen = (chunk[head] - chunk[head, place]).abs() <= 1
            seen[place] = False
            keys = torch.nn.functional.normalize(query[head][seen], dim=-1)
            own = slice(4 * head, 4 * head + 4)
            expected = (keys @ query[head, place]).softmax(0) @ attention.value(states)[0, seen, own]
            assert_near(found[0, place, own], expected, 1e-5)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision(dtype):
    attention, (states, mask) = random_attention(chunk_length=LENGTH).float(), random_batch()
    expected = attention(states.float(), mask).states
    found = attention.to(dtype)(states.to(dtype), mask, WITH_WEIGHTS)
    assert found.states.dtype == found.weights.dtype == dtype
    assert_near(found.states[mask].float(), expected[mask], 0.3)
    assert_near(found.weights.float().sum(-1), mask[:, None].expand(-1, 3, -1).float(), 0.01)


def test_a_model_that_is_loaded_hashes_as_it_did():
    states, mask = random_batch()
    one, other = random_attention(), random_attention()
    other.init_parameters()
    assert not other(states, mask).states.equal(one(states, mask).states)
    other.load_state_dict(one.state_dict())
    assert other(states, mask).states.equal(one(states, mask).states)


@pytest.mark.parametrize("batch", [(0, 9), (2, 0)])
def test_batches_without_anything(batch):
    attention = random_attention()
    found = attention(torch.zeros(*batch, HIDDEN).double(), torch.zeros(batch, dtype=torch.bool))
    assert found.states.shape == (*batch, HIDDEN)


@pytest.mark.parametrize("number", [0, 3, -2])
def test_impossible_numbers_of_buckets_are_refused(number):
    with pytest.raises(ValueError, match=f"num_buckets must be even and 2 at least, got {number}"):
        LSHSelfAttention(8, 2, num_buckets=number)

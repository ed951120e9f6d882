"""Scores of keys for queries, against NumPy: what pooling, a decoder and another modality share."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from modeling_helpers import array, assert_near, numpy_softmax

from hfattnlstm.modeling.attention import SCORES, Attention, make_score
from hfattnlstm.modeling.pooling import POOLINGS, AttentionPooling, Pooler


BATCH, LENGTH, QUERIES, KEY, WIDTH = 3, 5, 4, 6, 6


def score_width(name: str, heads: int) -> int:
    """Of the queries that the tests give a score."""
    return heads * KEY if name == "dot" else 7


def double_score(name: str, heads: int, query_size: int | None):
    torch.manual_seed(0)
    return make_score(name, KEY, query_size, heads, WIDTH).double()


def numpy_scores(name, score, keys, query, heads):
    """Scores (heads, queries, length) of keys (length, key) for queries (queries, query) of one text."""
    weight = {key: array(value) for key, value in score.state_dict().items()}
    result = np.zeros((heads, len(query), len(keys)))
    for head in range(heads):
        for q, one in enumerate(query):
            for k, key in enumerate(keys):
                if name == "additive":
                    inner = (
                        weight["projection.weight"] @ key + weight["projection.bias"] + weight["query.weight"] @ one
                    )
                    value = weight["vector.weight"][head] @ np.tanh(inner)
                elif name == "linear":
                    inner = (
                        weight["projection.weight"] @ key + weight["projection.bias"] + weight["query.weight"] @ one
                    )
                    value = np.tanh(inner[head])
                elif name == "dot":
                    value = one.reshape(heads, -1)[head] @ key
                elif name == "general":
                    value = (weight["query.weight"] @ one).reshape(heads, -1)[head] @ key
                else:
                    own = slice(head * WIDTH // heads, (head + 1) * WIDTH // heads)
                    value = (weight["query.weight"] @ one)[own] @ (weight["key.weight"] @ key)[own]
                result[head, q, k] = value
    return result


@pytest.mark.parametrize("layout", ["batch-first", "time-major"])
@pytest.mark.parametrize("heads", [1, 3])
@pytest.mark.parametrize("name", SCORES)
def test_scores_for_several_queries(name, heads, layout):
    score = double_score(name, heads, score_width(name, heads))
    query = torch.randn(BATCH, QUERIES, score_width(name, heads), dtype=torch.float64)
    keys = torch.randn(BATCH, LENGTH, KEY, dtype=torch.float64)
    if layout == "time-major":
        keys = keys.transpose(0, 1).contiguous().transpose(0, 1)
    found = score(keys, query)
    assert found.shape == (BATCH, heads, QUERIES, LENGTH)
    for row in range(BATCH):
        assert_near(found[row], numpy_scores(name, score, array(keys[row]), array(query[row]), heads), 1e-12)


@pytest.mark.parametrize("name", ["additive", "linear"])
def test_a_query_of_zeros_is_none(name):
    score = double_score(name, 2, 7)
    keys = torch.randn(BATCH, LENGTH, KEY, dtype=torch.float64)
    assert_near(score(keys, torch.zeros(BATCH, 1, 7, dtype=torch.float64)), score(keys), 1e-12)


def test_a_learned_query_is_one_for_all_texts():
    score = double_score("dot", 2, None)
    keys = torch.randn(BATCH, LENGTH, KEY, dtype=torch.float64)
    assert_near(score(keys), score(keys, score.query.weight.flatten().expand(BATCH, 1, -1)), 1e-12)


def test_without_a_query_each_key_is_its_own():
    score = double_score("diagonal_dot", 2, None)
    keys = torch.randn(BATCH, LENGTH, KEY, dtype=torch.float64)
    expected = score(keys, keys).diagonal(dim1=2, dim2=3)
    assert_near(score(keys)[:, :, 0], expected, 1e-12)


@pytest.mark.parametrize("name", SCORES)
def test_attention_gives_a_mean_of_the_real_keys_for_each_head_and_query(name):
    torch.manual_seed(0)
    heads = 3
    attention = Attention(
        KEY, score_width(name, heads), score=name, num_heads=heads, size=WIDTH, temperature=0.5
    ).double()
    keys = torch.randn(BATCH, LENGTH, KEY, dtype=torch.float64)
    query = torch.randn(BATCH, QUERIES, score_width(name, heads), dtype=torch.float64)
    mask = torch.tensor([[True] * 5, [False, True, True, False, True], [False] * 5])
    context, weights = attention(keys, query, mask)
    scores = array(attention.scoring(keys, query)) / 0.5
    for row, kept in enumerate(mask):
        expected = numpy_softmax(scores[row][..., array(kept)]) if kept.any() else np.zeros((heads, QUERIES, 0))
        assert_near(weights[row][..., kept], expected, 1e-12)
        assert not weights[row][..., ~kept].any()
        assert_near(context[row], expected @ array(keys[row, kept]), 1e-12)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: make_score("bogus", 4, None, 1, None), "The score must be one of additive, linear"),
        (lambda: Attention(4, normalizer="bogus"), "The normalizer must be one of softmax"),
        (lambda: make_score("dot", 4, 5, 2, None), "A dot score of 2 head.s. needs query_size=8"),
        (lambda: Pooler(4, ["bogus"]), "Poolings must be some of attention, mean"),
        (lambda: Pooler(4, []), "Poolings must be some of"),
    ],
)
def test_unknown_names_are_refused(make, sentence):
    with pytest.raises(ValueError, match=sentence):
        make()


def test_a_pooler_needs_no_configuration():
    states, mask = torch.randn(2, 5, 4), torch.ones(2, 5, dtype=torch.bool)
    pooled, weights = Pooler(4, POOLINGS, score="general", num_heads=2)(states, mask, states[:, -1])
    assert pooled.shape == (2, 4 * (2 + 4)) and weights.shape == (2, 2, 1, 5)
    assert Pooler(4, ["max"])(states, mask, states[:, -1]).weights is None
    # The query of the general score is the final state.
    pooling = AttentionPooling(4, score="general")
    other = pooling(states, mask, torch.randn(2, 4)).weights
    assert not torch.allclose(pooling(states, mask, states[:, -1]).weights, other)

"""Poolings, scores, normalisers and penalties against NumPy, one text at a time and without its padding."""

from __future__ import annotations

import numpy as np
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
    numpy_softmax,
    tiny_config,
    tiny_model,
)

from hfattnlstm import AttnLSTMForSequenceClassification, AttnLSTMModel
from hfattnlstm.modeling.attention import NORMALIZERS
from hfattnlstm.modeling.pooling import attention_penalty


SCORES = ["additive", "linear", "dot", "general", "diagonal_dot"]
HEADS = [1, 3]


def numpy_scores(model, name, states, final, heads):
    """Scores (heads, length) of the states (length, hidden) of one text."""
    pooling = model.pooler.attention
    weight = {key: array(value) for key, value in pooling.attend.scoring.state_dict().items()}
    if name == "additive":
        inner = np.tanh(states @ weight["projection.weight"].T + weight["projection.bias"])
        return (inner @ weight["vector.weight"].T).T
    if name == "linear":
        return np.tanh(states @ weight["projection.weight"].T + weight["projection.bias"]).T
    if name == "dot":
        return weight["query.weight"] @ states.T
    if name == "general":
        queries = weight["query.weight"].reshape(heads, len(final), len(final)) @ final
        return queries @ states.T
    products = (states @ weight["query.weight"].T) * (states @ weight["key.weight"].T)
    return np.stack([part.sum(-1) for part in np.split(products, heads, axis=-1)])


def numpy_normalizer(scores, name):
    """Weights of one row of scores; the threshold of the sparse ones is found by bisection."""
    if name == "softmax":
        return numpy_softmax(scores)
    shape = {"sparsemax": lambda x: x, "entmax15": np.square}[name]
    scores = scores / 2 if name == "entmax15" else scores
    low, high = scores.max() - 1, scores.max()
    for _ in range(200):
        middle = (low + high) / 2
        total = shape(np.maximum(scores - middle, 0)).sum()
        low, high = (middle, high) if total > 1 else (low, middle)
    return shape(np.maximum(scores - low, 0))


def pooled_with_final(kind, **options):
    """The backbone on a batch of that kind of padding, pooled by attention, with the final states joined behind."""
    model = exact_backbone(classifier_pooling=["attention", "last"], **options)
    mask = mask_of(kind)
    with torch.no_grad():
        return model, mask, model(ids_of(mask), mask, output_attentions=True)


def assert_attends(kind, score="additive", heads=1, normalizer="softmax", temperature=1.0, **options):
    model, mask, outputs = pooled_with_final(
        kind,
        pooler_score=score,
        pooler_num_heads=heads,
        pooler_normalizer=normalizer,
        pooler_temperature=temperature,
        **options,
    )
    weights = outputs.attentions[-1]
    assert weights.shape == (len(mask), heads, 1, mask.shape[1])
    assert not weights.masked_select(~mask[:, None, None, :]).any()
    for row, kept in enumerate(mask):
        if not kept.any():
            assert not outputs.pooler_output[row].any()
            continue
        states = array(outputs.last_hidden_state[row, kept])
        final = array(outputs.pooler_output[row, -12:])
        scores = numpy_scores(model, score, states, final, heads) / temperature
        expected = np.stack([numpy_normalizer(line, normalizer) for line in scores])
        assert_near(weights[row, :, 0, kept], expected)
        assert_near(outputs.pooler_output[row, :-12], (expected @ states).reshape(-1))
    return weights


@pytest.mark.parametrize("heads", HEADS)
@pytest.mark.parametrize("kind", ["right", "holes", "empty"])
@pytest.mark.parametrize("score", SCORES)
def test_scores(score, kind, heads):
    assert_attends(kind, score, heads)


@pytest.mark.parametrize("normalizer", NORMALIZERS)
@pytest.mark.parametrize("kind", ROWS)
def test_normalizers_in_the_model(normalizer, kind):
    weights = assert_attends(kind, "dot", heads=2, normalizer=normalizer, temperature=0.2)
    zeros = weights.masked_select(mask_of(kind)[:, None, None, :]).eq(0).any()
    assert zeros == (normalizer != "softmax")


@pytest.mark.parametrize("temperature", [0.25, 4])
@pytest.mark.parametrize("score", SCORES)
def test_temperature_divides_the_scores(score, temperature):
    assert_attends("right", score, temperature=temperature)


@pytest.mark.parametrize(("score", "name"), [("additive", "projection"), ("diagonal_dot", "query")])
def test_pooler_size_is_the_inner_width(score, name):
    assert_attends("right", score, heads=2, pooler_size=4)
    for size, width in ((4, 4), (None, 12)):
        scorer = exact_backbone(pooler_score=score, pooler_size=size).pooler.attention.attend.scoring
        assert getattr(scorer, name).weight.shape == (width, 12)


NUMPY_POOLINGS = {
    "mean": lambda states: states.mean(0),
    "max": lambda states: states.max(0),
    "sum": lambda states: states.sum(0),
    "last": lambda states: np.concatenate([states[-1, :6], states[0, 6:]]),
}
JOINED = [["mean", "max"], ["max", "mean"], ["last", "sum", "max", "mean"]]


@pytest.mark.parametrize("kind", ROWS)
@pytest.mark.parametrize("poolings", [*[[name] for name in NUMPY_POOLINGS], *JOINED], ids="+".join)
def test_poolings_without_attention(poolings, kind):
    model = exact_backbone(classifier_pooling=poolings[0] if len(poolings) == 1 else poolings)
    mask = mask_of(kind)
    with torch.no_grad():
        outputs = model(ids_of(mask), mask)
    for row, kept in enumerate(mask):
        states = array(outputs.last_hidden_state[row, kept])
        parts = [NUMPY_POOLINGS[name](states) if kept.any() else np.zeros(12) for name in poolings]
        assert_near(outputs.pooler_output[row], np.concatenate(parts))
    assert model.pooler.attention is None


@pytest.mark.parametrize("poolings", [["attention", "max"], ["max", "attention"], ["sum", "attention", "last"]])
def test_joined_poolings_keep_their_order(poolings):
    mask = mask_of("holes")
    ids = ids_of(mask)
    model = exact_backbone(pooler_num_heads=2, classifier_pooling=poolings)
    outputs = model(ids, mask, output_attentions=True)
    attended = (outputs.attentions[-1][:, :, 0] @ outputs.last_hidden_state).flatten(1)
    parts = []
    for name in poolings:
        if name == "attention":
            parts.append(attended)
            continue
        alone = exact_backbone(classifier_pooling=name)
        alone.load_state_dict(model.state_dict(), strict=False)
        parts.append(alone(ids, mask).pooler_output)
    assert_near(outputs.pooler_output, torch.cat(parts, dim=-1))
    assert tiny_config(pooler_num_heads=2, classifier_pooling=poolings).pooled_size == 12 * (len(poolings) + 1)


@pytest.mark.parametrize("normalizer", NORMALIZERS)
class TestNormalizers:
    """The functions alone, with rows that a model does not easily make."""

    def test_equals_bisection(self, normalizer):
        scores = torch.randn(40, 3, 9, dtype=torch.float64) * torch.logspace(-2, 2, 40)[:, None, None].double()
        mask = torch.rand(40, 1, 9) < 0.7
        mask[0] = False
        weights = NORMALIZERS[normalizer](scores, mask)
        assert not weights[0].any()
        for row in range(1, 40):
            kept = mask[row, 0]
            if kept.any():
                expected = [numpy_normalizer(array(line[kept]), normalizer) for line in scores[row]]
                assert_near(weights[row][:, kept], np.stack(expected), 1e-9)
        assert not weights.masked_select(~mask).any()

    def test_gradient(self, normalizer):
        mask = torch.tensor([[True, True, False, True, True], [False] * 5, [False, False, True, False, False]])[
            :, None
        ]
        scores = torch.randn(3, 2, 5, dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradcheck(lambda values: NORMALIZERS[normalizer](values, mask), scores)

    def test_gradient_at_ties(self, normalizer):
        scores = torch.tensor([[0.5, 0.5, 0.5, -9.0], [0.2, 0.2, 0.1, 0.1]], dtype=torch.float64, requires_grad=True)
        mask = torch.ones(2, 4, dtype=torch.bool)
        weights = NORMALIZERS[normalizer](scores, mask)
        assert weights[0, 0] == weights[0, 1] == weights[0, 2]
        assert torch.autograd.gradcheck(lambda values: NORMALIZERS[normalizer](values, mask), scores)

    def test_equal_scores_give_equal_weights(self, normalizer):
        weights = NORMALIZERS[normalizer](torch.full((1, 8), 3.0), torch.tensor([[True] * 5 + [False] * 3]))
        assert_near(weights, torch.tensor([[0.2] * 5 + [0.0] * 3]))

    def test_a_text_of_one_token_gets_all_the_weight(self, normalizer):
        scores = torch.tensor([[-7.5]], requires_grad=True)
        weights = NORMALIZERS[normalizer](scores, torch.tensor([[True]]))
        assert weights.tolist() == [[1.0]]
        weights.sum().backward()
        assert scores.grad.tolist() == [[0.0]]

    def test_a_row_without_tokens_gets_zeros_and_finite_gradients(self, normalizer):
        scores = torch.randn(2, 4, requires_grad=True)
        weights = NORMALIZERS[normalizer](scores, torch.tensor([[False] * 4, [True] * 4]))
        assert weights[0].tolist() == [0.0] * 4
        weights.square().sum().backward()
        assert scores.grad[0].tolist() == [0.0] * 4
        assert scores.grad.isfinite().all()

    def test_what_is_masked_does_not_matter(self, normalizer):
        mask = torch.tensor([[True, False, True, False]])
        first = NORMALIZERS[normalizer](torch.tensor([[0.1, 5e8, 0.4, -3.0]]), mask)
        second = NORMALIZERS[normalizer](torch.tensor([[0.1, float("nan"), 0.4, float("inf")]]), mask)
        assert first.equal(second)
        assert_near(first.sum(), torch.tensor(1.0))

    @pytest.mark.parametrize("scale", [1e-6, 1.0, 1e4, 1e8])
    def test_a_thousand_weights_sum_to_one_in_float32(self, normalizer, scale):
        scores = torch.randn(4, 1000) * scale
        weights = NORMALIZERS[normalizer](scores, torch.ones(4, 1000, dtype=torch.bool))
        assert_near(weights.sum(-1), torch.ones(4), 1e-5)
        assert weights.ge(0).all()


def penalty_of(weights, config):
    coefficients = {name: getattr(config, f"pooler_{name}_coef") for name in ("l2", "entropy", "diversity")}
    return attention_penalty(weights, **coefficients)


@pytest.mark.parametrize("kind", ["right", "holes", "empty"])
@pytest.mark.parametrize("heads", HEADS)
@pytest.mark.parametrize(
    ("name", "coefficient"),
    [("l2", 0.7), ("l2", -0.2), ("entropy", 0.3), ("entropy", -0.4), ("diversity", 0.5), ("diversity", -0.1)],
)
def test_penalties(name, coefficient, heads, kind):
    mask = mask_of(kind)
    weights = torch.rand(len(mask), heads, 1, mask.shape[1], dtype=torch.float64) * mask[:, None, None, :]
    weights = weights / weights.sum(-1, keepdim=True).clamp(min=1e-9)
    total = 0.0
    for row, kept in zip(array(weights[:, :, 0]), mask):
        attended = row[:, array(kept)]
        if name == "l2":
            total += np.square(attended).sum() / heads
        elif name == "entropy":
            total -= (attended * np.log(attended)).sum() / heads
        elif kept.any():
            total += np.square(attended @ attended.T - np.eye(heads)).sum()
    config = tiny_config(pooler_num_heads=heads, **{f"pooler_{name}_coef": coefficient})
    penalty = penalty_of(weights, config)
    assert abs(penalty.item() - coefficient * total / len(mask)) < 1e-6


def test_penalties_add_up():
    weights = torch.softmax(torch.randn(3, 2, 1, 5), dim=-1)
    coefficients = {"pooler_l2_coef": 0.1, "pooler_entropy_coef": -0.2, "pooler_diversity_coef": 0.3}
    single = sum(penalty_of(weights, tiny_config(**{name: value})) for name, value in coefficients.items())
    assert_near(penalty_of(weights, tiny_config(**coefficients)), single)


@pytest.mark.parametrize("name", ["l2", "entropy", "diversity"])
def test_gradients_of_the_penalties_are_finite_where_weights_are_zero(name):
    weights = torch.tensor([[[[0.6, 0.4, 0.0, 0.0]], [[1.0, 0.0, 0.0, 0.0]]], [[[0.0] * 4]] * 2], requires_grad=True)
    penalty_of(weights, tiny_config(pooler_num_heads=2, **{f"pooler_{name}_coef": 0.5})).backward()
    assert weights.grad.isfinite().all()
    assert weights.grad[0].any()
    assert not weights.grad[1].any()


@pytest.mark.parametrize("name", ["l2", "entropy", "diversity"])
@pytest.mark.parametrize("normalizer", NORMALIZERS)
def test_the_loss_has_the_penalty_and_the_logits_have_not(name, normalizer):
    mask = mask_of("empty")
    ids, labels = ids_of(mask), torch.tensor([0, 1, 1, 0])
    options = {"pooler_num_heads": 2, "pooler_normalizer": normalizer, "pooler_score": "dot"}
    plain = tiny_model(**options)
    model = tiny_model(**options, **{f"pooler_{name}_coef": 0.4})
    expected = plain(ids, mask, labels=labels, output_attentions=True)
    outputs = model(ids, mask, labels=labels)
    penalty = penalty_of(expected.attentions[-1], model.config)
    assert penalty.abs() > 0.01
    assert outputs.logits.equal(expected.logits)
    assert_near(outputs.loss, expected.loss + penalty)
    assert list(outputs) == ["loss", "logits"]
    outputs.loss.backward()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())


def test_positive_entropy_coefficient_sharpens_and_negative_flattens():
    def trained_entropy(coefficient):
        torch.manual_seed(0)
        config = tiny_config(pooler_entropy_coef=coefficient, **NO_DROPOUT)
        model = AttnLSTMForSequenceClassification(config)
        ids, labels = torch.randint(1, 30, (8, 9)), torch.randint(0, 2, (8,))
        optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
        for _ in range(15):
            optimizer.zero_grad()
            model(ids, labels=labels).loss.backward()
            optimizer.step()
        return penalty_of(model(ids, output_attentions=True).attentions[-1], tiny_config(pooler_entropy_coef=1))

    assert trained_entropy(1.0) < trained_entropy(0.0) < trained_entropy(-1.0)


def test_there_is_no_attention_where_it_is_not_pooled_by():
    model = tiny_model(AttnLSTMModel, classifier_pooling=["mean", "max"])
    assert not [name for name in model.state_dict() if "attention" in name]
    assert not model(torch.tensor([[1, 2]]), output_attentions=True).attentions

"""Sampled softmax: which tokens are drawn, that its loss is right on average, and its gradients."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from hfattnlstm.modeling import sampled_softmax
from hfattnlstm.modeling.sampled_softmax import TokenSampler, candidate_cross_entropy, cross_entropies


COUNTS = torch.tensor([0, 400, 100, 50, 20, 10, 5, 2, 1, 1, 0, 0])


def sampler_of(size: int, counts: torch.Tensor = COUNTS) -> TokenSampler:
    sampler = TokenSampler(len(counts), size)
    sampler.set_counts(counts)
    return sampler


@pytest.mark.parametrize("size", [1, 3, 6, 11])
def test_tokens_are_drawn_with_the_probabilities_that_are_told(size: int) -> None:
    torch.manual_seed(0)
    sampler, rounds = sampler_of(size), 4000
    drawn = torch.zeros(len(COUNTS))
    for _ in range(rounds):
        tokens, log_probability = sampler.draw()
        assert len(tokens.unique()) == size
        torch.testing.assert_close(log_probability.exp(), sampler.inclusion()[tokens].float())
        drawn[tokens] += 1
    torch.testing.assert_close(drawn / rounds, sampler.inclusion().float(), atol=0.03, rtol=0)
    assert sampler.inclusion().sum() == pytest.approx(size, abs=1e-5)
    # More frequent, more likely; and nothing is never drawn.
    order = COUNTS.argsort(descending=True, stable=True)
    assert (sampler.inclusion()[order].diff() <= 1e-7).all() and sampler.inclusion().min() > 0


@pytest.mark.parametrize("size", [0, 12, 99])
def test_all_tokens_are_drawn_where_as_many_are_wanted(size: int) -> None:
    tokens, log_probability = TokenSampler(12, size).draw()
    assert tokens.tolist() == list(range(12))
    assert not log_probability.any()


def test_without_counts_all_are_alike() -> None:
    assert TokenSampler(12, 3).inclusion().tolist() == [0.25] * 12


def test_draws_follow_the_general_seed() -> None:
    sampler = sampler_of(4)
    torch.manual_seed(3)
    first = [sampler.draw()[0].tolist() for _ in range(5)]
    torch.manual_seed(3)
    assert [sampler.draw()[0].tolist() for _ in range(5)] == first
    assert len({tuple(each) for each in first}) > 1


def inputs(tokens: int = 7, vocabulary: int = 12, width: int = 5) -> tuple[torch.Tensor, ...]:
    torch.manual_seed(1)
    states, table = torch.randn(tokens, width), torch.randn(vocabulary, width)
    return states, table, torch.randn(vocabulary), torch.randint(0, vocabulary, (tokens,))


def sampled(states: torch.Tensor, table: torch.Tensor, bias: torch.Tensor, ids: torch.Tensor, drawn: tuple) -> tuple:
    """The arguments of `candidate_cross_entropy`."""
    candidates, log_probability = drawn
    places = torch.full((len(table),), -1)
    places[candidates] = torch.arange(len(candidates))
    return states, table[candidates], bias[candidates] - log_probability, table[ids], bias[ids], places[ids]


@pytest.mark.parametrize("block", [2**19, 1])
def test_with_all_tokens_it_is_the_plain_cross_entropy(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampled_softmax, "_BLOCK", block)
    monkeypatch.setattr(sampled_softmax, "_LEAST_ROWS", 2)
    states, table, bias, ids = (each.requires_grad_() if each.is_floating_point() else each for each in inputs())
    loss = candidate_cross_entropy(*sampled(states, table, bias, ids, TokenSampler(12, 0).draw()))
    expected = F.cross_entropy(states @ table.t() + bias, ids)
    torch.testing.assert_close(loss, expected)
    found = torch.autograd.grad(2 * loss, (states, table, bias))
    for one, other in zip(found, torch.autograd.grad(2 * expected, (states, table, bias))):
        torch.testing.assert_close(one, other)
    torch.testing.assert_close(cross_entropies(states, table, bias, ids).mean(), expected)


def test_of_some_tokens_the_gradients_are_those_of_autograd() -> None:
    drawn = sampler_of(5).draw()
    states, table, bias, ids = (each.requires_grad_() if each.is_floating_point() else each for each in inputs())
    loss = candidate_cross_entropy(*sampled(states, table, bias, ids, drawn))
    candidates, log_probability = drawn
    logits = states @ table[candidates].t() + bias[candidates] - log_probability
    logits = logits.masked_fill(candidates == ids[:, None], -torch.inf)
    own = (states * table[ids]).sum(1, keepdim=True) + bias[ids, None]
    expected = F.cross_entropy(torch.cat([own, logits], 1), torch.zeros_like(ids))
    torch.testing.assert_close(loss, expected)
    for one, other in zip(*(torch.autograd.grad(each, (states, table, bias)) for each in (loss, expected))):
        torch.testing.assert_close(one, other)


def test_the_sum_of_the_vocabulary_is_right_on_average() -> None:
    """The correction for how tokens were drawn: without it, or with another, the means are far off."""
    states, table, bias, _ = inputs(tokens=1)
    sampler, exact = sampler_of(4), (states @ table.t() + bias).exp().sum()
    torch.manual_seed(0)
    sums = []
    for _ in range(8000):
        tokens, log_probability = sampler.draw()
        sums.append((states @ table[tokens].t() + bias[tokens] - log_probability).exp().sum())
    assert torch.stack(sums).mean() == pytest.approx(float(exact), rel=0.05)


def test_no_targets_have_the_loss_0_and_no_gradient() -> None:
    states, table, bias, ids = inputs(tokens=0)
    states.requires_grad_()
    loss = candidate_cross_entropy(*sampled(states, table, bias, ids, sampler_of(3).draw()))
    loss.backward()
    assert loss == 0
    assert states.grad.shape == (0, 5)
    assert len(cross_entropies(states, table, bias, ids)) == 0


def test_in_autocast_products_are_rough_and_gradients_keep_their_dtype() -> None:
    states, table, bias, ids = (each.requires_grad_() if each.is_floating_point() else each for each in inputs(400))
    arguments = sampled(states, table, bias, ids, sampler_of(5).draw())
    exact = candidate_cross_entropy(*arguments)
    with torch.autocast("cpu", torch.bfloat16):
        rough = candidate_cross_entropy(*arguments)
    assert rough != exact
    assert rough.item() == pytest.approx(exact.item(), rel=0.01)
    assert all(each.dtype == torch.float32 for each in torch.autograd.grad(rough, (states, table, bias)))

"""The CRF against sums over all sequences of tags."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from modeling_helpers import assert_near
from tagger_helpers import TAGS, all_sequences, log_marginals, log_probabilities, random_crf
from torch import Tensor

from hfattnlstm.modeling.crf import LinearChainCRF


# Members of the chains of a batch, among five places.
CHAINS = {
    "full": [range(5), range(5)],
    "right": [range(5), range(2), range(1), range(4)],
    "left": [range(5), range(3, 5), range(4, 5), range(1, 5)],
    "holes": [range(1, 5), [0, 2, 4], [3], [1, 4], []],
    "nothing": [[], []],
}
every_scheme = pytest.mark.parametrize("scheme", TAGS)
every_chain = pytest.mark.parametrize("kind", CHAINS)


def members(kind: str) -> Tensor:
    mask = torch.zeros(len(CHAINS[kind]), 5, dtype=torch.bool)
    for row, places in enumerate(CHAINS[kind]):
        mask[row, list(places)] = True
    return mask


def scores_of(mask: Tensor, crf: LinearChainCRF, scale: float = 2.0) -> Tensor:
    return torch.randn(*mask.shape, len(crf.start), dtype=torch.float64) * scale


def chosen_tags(crf: LinearChainCRF, emissions: Tensor, mask: Tensor, rank: int) -> Tensor:
    """An allowed sequence of each chain, which is not the best; any tags elsewhere."""
    tags = torch.randint(0, emissions.shape[2], mask.shape)
    for row, kept in enumerate(mask):
        found = list(log_probabilities(crf, emissions[row, kept]))
        tags[row, kept] = torch.tensor(found[min(rank, len(found) - 1)], dtype=torch.long)
    return tags


class TestAgainstAllSequences:
    """What it computes by recurrence is what adding up every sequence gives."""

    @every_chain
    @every_scheme
    def test_log_likelihood(self, scheme, kind):
        crf, mask = random_crf(scheme), members(kind)
        emissions = scores_of(mask, crf)
        tags = chosen_tags(crf, emissions, mask, rank=3)
        found = crf.log_likelihood(emissions, tags, mask)
        assert found.dtype == torch.float64
        for row, kept in enumerate(mask):
            expected = log_probabilities(crf, emissions[row, kept])[tuple(tags[row, kept].tolist())]
            assert found[row].item() == pytest.approx(expected, abs=1e-10)

    @every_chain
    @every_scheme
    def test_marginals(self, scheme, kind):
        crf, mask = random_crf(scheme), members(kind)
        emissions = scores_of(mask, crf)
        logs = crf.decode(emissions, mask).log_marginals
        assert logs.dtype == torch.float64 and not logs[~mask].any()
        for row, kept in enumerate(mask):
            if kept.any():
                expected = log_marginals(crf, emissions[row, kept]).clip(min=math.log(torch.finfo().tiny))
                assert_near(logs[row, kept], expected, 1e-9)
                assert_near(logs[row, kept].exp().sum(1), torch.ones(int(kept.sum()), dtype=torch.float64), 1e-9)

    @every_chain
    @every_scheme
    def test_the_best_sequence(self, scheme, kind):
        crf, mask = random_crf(scheme), members(kind)
        emissions = scores_of(mask, crf)
        tags = crf.decode(emissions, mask).tags
        assert not tags[~mask].any() and crf.best_path(emissions, mask).equal(tags)
        for row, kept in enumerate(mask):
            assert tuple(tags[row, kept].tolist()) == next(iter(log_probabilities(crf, emissions[row, kept])))

    @pytest.mark.parametrize("count", [1, 4, 70])
    @every_chain
    @every_scheme
    def test_the_best_sequences_in_order(self, scheme, kind, count):
        crf, mask = random_crf(scheme), members(kind)
        emissions = scores_of(mask, crf)
        tags, logs = crf.best_sequences(emissions, mask, count)
        assert tags.shape == (len(mask), count, 5) and logs.shape == (len(mask), count)
        for row, kept in enumerate(mask):
            assert not tags[row, :, ~kept].any()
            expected = list(log_probabilities(crf, emissions[row, kept]).items())[:count]
            assert [tuple(each.tolist()) for each in tags[row, : len(expected), kept]] == [
                each for each, _ in expected
            ]
            assert_near(logs[row, : len(expected)], torch.tensor([log for _, log in expected]).double(), 1e-6)
            assert logs[row, len(expected) :].eq(-torch.inf).all()

    @every_scheme
    def test_what_is_not_allowed_has_no_probability(self, scheme):
        crf, mask = random_crf(scheme), torch.ones(1, 3, dtype=torch.bool)
        emissions = scores_of(mask, crf)
        allowed = {tags for tags, _ in all_sequences(crf, emissions[0])}
        every = torch.cartesian_prod(*[torch.arange(len(crf.start))] * 3)
        logs = crf.log_likelihood(emissions.expand(len(every), -1, -1), every, mask.expand(len(every), -1))
        assert [math.isfinite(log) for log in logs.tolist()] == [tuple(tags) in allowed for tags in every.tolist()]
        assert len(allowed) < len(every) or scheme is None
        assert logs.exp().sum().item() == pytest.approx(1)


class TestGradients:
    """Expected counts, which the backward pass has in place of the recurrence."""

    @every_scheme
    def test_they_are_those_of_finite_differences(self, scheme):
        crf, mask = random_crf(scheme), members("holes")[:, :4]
        emissions = scores_of(mask, crf).requires_grad_()
        tags = chosen_tags(crf, emissions.detach(), mask, rank=2)
        weights = [weight.detach().requires_grad_() for weight in crf.parameters()]

        def likelihood(emissions, *weights):
            named = dict(zip(("transitions", "start", "end"), weights))
            # The rows weigh differently in a loss.
            factors = torch.arange(1, len(mask) + 1, dtype=torch.float64)
            own = {f"crf.{name}": weight for name, weight in named.items()}
            return torch.func.functional_call(_LogLikelihood(crf), own, (emissions, tags, mask)) * factors

        assert torch.autograd.gradcheck(likelihood, (emissions, *weights))

    def test_they_are_those_of_the_sum_over_all_sequences(self):
        crf, mask = random_crf("bio"), torch.ones(1, 4, dtype=torch.bool)
        emissions = scores_of(mask, crf).requires_grad_()
        best = torch.tensor([[0, 1, 2, 0]])
        (-crf.log_likelihood(emissions, best, mask)).sum().backward()
        # The gradient of a sum of exponentials: how often each tag and each pair is expected, less what is there.
        expected = torch.zeros_like(crf.transitions)
        for tags, log in log_probabilities(crf, emissions.detach()[0]).items():
            for one, two in itertools.pairwise(tags):
                expected[one, two] += math.exp(log)
        for one, two in ((0, 1), (1, 2), (2, 0)):
            expected[one, two] -= 1
        assert_near(crf.transitions.grad, expected, 1e-9)
        marginals = torch.from_numpy(log_marginals(crf, emissions.detach()[0])).exp()
        assert_near(emissions.grad[0], marginals - torch.nn.functional.one_hot(best[0], 5), 1e-9)
        assert not crf.transitions.grad[~crf.may_follow].any()

    def test_none_flows_where_no_member_stands(self):
        crf, mask = random_crf("bio"), members("holes")
        emissions = scores_of(mask, crf).requires_grad_()
        crf.log_likelihood(emissions, torch.zeros(mask.shape, dtype=torch.long), mask).sum().backward()
        assert not emissions.grad[~mask].any() and emissions.grad[mask].abs().sum(1).gt(0).all()


class _LogLikelihood(torch.nn.Module):
    def __init__(self, crf: LinearChainCRF):
        super().__init__()
        self.crf = crf

    def forward(self, *args: Tensor) -> Tensor:
        return self.crf.log_likelihood(*args)


class TestBatches:
    """A chain does not know of the others, nor of what lies between its members."""

    @every_scheme
    def test_every_chain_is_as_if_it_were_alone(self, scheme):
        crf, mask = random_crf(scheme), torch.rand(12, 9) < 0.6
        mask[3] = False
        emissions = scores_of(mask, crf)
        tags = torch.zeros(mask.shape, dtype=torch.long)
        found, decoded = crf.log_likelihood(emissions, tags, mask), crf.decode(emissions, mask)
        sequences, logs = crf.best_sequences(emissions, mask, 3)
        for row, kept in enumerate(mask):
            own, whole = emissions[row, kept][None], torch.ones(1, int(kept.sum()), dtype=torch.bool)
            if not kept.any():
                assert found[row] == 0 and logs[row].tolist() == [0.0, -math.inf, -math.inf]
                continue
            assert_near(found[row], crf.log_likelihood(own, tags[row, kept][None], whole)[0], 1e-9)
            alone = crf.decode(own, whole)
            assert decoded.tags[row, kept].equal(alone.tags[0])
            assert_near(decoded.log_marginals[row, kept], alone.log_marginals[0], 1e-9)
            others, more = crf.best_sequences(own, whole, 3)
            assert sequences[row, :, kept].equal(others[0])
            assert_near(logs[row], more[0], 1e-9)

    def test_scores_and_tags_between_members_are_not_read(self):
        crf, mask = random_crf("iobes"), members("holes")
        emissions = scores_of(mask, crf)
        tags = chosen_tags(crf, emissions, mask, rank=0)
        hidden = emissions.masked_fill(~mask[..., None], 1e6)
        others = tags.where(mask, 4)
        assert crf.log_likelihood(hidden, others, mask).equal(crf.log_likelihood(emissions, tags, mask))
        assert crf.decode(hidden, mask).log_marginals.equal(crf.decode(emissions, mask).log_marginals)

    def test_a_batch_without_chains(self):
        crf, mask = random_crf("bio"), torch.zeros(0, 4, dtype=torch.bool)
        emissions = scores_of(mask, crf)
        assert crf.log_likelihood(emissions, torch.zeros(0, 4, dtype=torch.long), mask).shape == (0,)
        assert crf.decode(emissions, mask).log_marginals.shape == (0, 4, 5)
        assert crf.best_sequences(emissions, mask, 2)[0].shape == (0, 2, 4)

    def test_a_number_of_sequences_below_one(self):
        with pytest.raises(ValueError, match=r"count must be 1 or more, got 0\."):
            random_crf("bio").best_sequences(torch.zeros(1, 2, 5), torch.ones(1, 2, dtype=torch.bool), 0)


class TestNumbers:
    """Half precision, long texts and large scores."""

    @pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
    def test_scores_of_few_digits(self, dtype):
        crf, mask = random_crf("bio").to(dtype), members("holes")
        emissions = scores_of(mask, crf).to(dtype).requires_grad_()
        found = crf.log_likelihood(emissions, torch.zeros(mask.shape, dtype=torch.long), mask)
        exact = random_crf("bio")
        exact.load_state_dict(crf.state_dict())
        expected = exact.log_likelihood(emissions.double(), torch.zeros(mask.shape, dtype=torch.long), mask)
        assert found.dtype == torch.float64
        assert_near(found, expected, 1e-9)
        found.sum().backward()
        for gradient in (emissions.grad, *(weight.grad for weight in crf.parameters())):
            assert gradient.dtype == dtype and gradient.isfinite().all() and gradient.any()
        decoded = crf.decode(emissions, mask)
        assert decoded.log_marginals.dtype == dtype and decoded.log_marginals.isfinite().all()

    @pytest.mark.parametrize("scale", [50.0, 300.0])
    @every_scheme
    def test_large_scores_over_a_long_text(self, scheme, scale):
        crf, mask = random_crf(scheme), torch.ones(3, 200, dtype=torch.bool)
        mask[1, 120:] = False
        emissions = (scores_of(mask, crf).sign() * scale).requires_grad_()
        with torch.no_grad():
            crf.transitions.copy_(crf.transitions.sign() * min(scale, 50))
        tags = crf.decode(emissions, mask).tags
        loss = -crf.log_likelihood(emissions, tags, mask).sum()
        loss.backward()
        assert 0 <= loss.item() < 1e4
        for gradient in (emissions.grad, *(weight.grad for weight in crf.parameters())):
            assert gradient.isfinite().all()
        decoded = crf.decode(emissions, mask)
        assert decoded.log_marginals.isfinite().all()
        totals = decoded.log_marginals.exp().sum(-1)[mask]
        assert_near(totals, torch.ones_like(totals), 1e-6)

    @pytest.mark.parametrize("inference", [False, True])
    @pytest.mark.parametrize("where", ["emissions", "weights"])
    @every_scheme
    def test_scores_any_distance_apart(self, scheme, where, inference):
        """What is left of all sequences may be those with the lowest scores."""
        crf, mask = random_crf(scheme), members("holes")
        emissions = scores_of(mask, crf, 2000.0 if where == "emissions" else 1.0)
        with torch.no_grad():
            if where == "weights":
                crf.transitions.mul_(1000)
            crf.start.mul_(1000)
        tags = chosen_tags(crf, emissions, mask, rank=1)
        with torch.inference_mode(inference):
            found, logs = crf.log_likelihood(emissions, tags, mask), crf.decode(emissions, mask).log_marginals
        for row, kept in enumerate(mask):
            expected = log_probabilities(crf, emissions[row, kept])[tuple(tags[row, kept].tolist())]
            assert found[row].item() == pytest.approx(expected, abs=1e-6)
            if kept.any():
                marginals = log_marginals(crf, emissions[row, kept])
                assert_near(logs[row, kept].exp(), torch.from_numpy(marginals).exp(), 1e-9)

    def test_gradients_of_scores_any_distance_apart(self):
        crf, mask = random_crf("bio"), torch.ones(1, 3, dtype=torch.bool)
        emissions = scores_of(mask, crf)
        # Of all tags, only those that go on, and none that begins.
        emissions[..., [2, 4]] += 3000
        emissions.requires_grad_()
        best = crf.decode(emissions, mask).tags
        loss = -crf.log_likelihood(emissions, best, mask).sum()
        loss.backward()
        marginals = torch.from_numpy(log_marginals(crf, emissions.detach()[0])).exp()
        assert_near(emissions.grad[0], marginals - torch.nn.functional.one_hot(best[0], 5), 1e-9)
        for weight in crf.parameters():
            assert weight.grad.isfinite().all() and weight.grad.any()

    def test_where_nothing_is_allowed_nothing_has_a_probability(self):
        crf, mask = random_crf("bio"), torch.tensor([[True, True], [True, False]])
        crf.may_follow.fill_(False)
        emissions = scores_of(mask, crf)
        found = crf.log_likelihood(emissions, torch.zeros(2, 2, dtype=torch.long), mask)
        assert found[0] == -torch.inf and found[1].isfinite()
        assert crf.decode(emissions, mask).log_marginals.isfinite().all()

    def test_one_tag_stands_far_above_all_others(self):
        crf, mask = random_crf("bio", scale=0.0), torch.ones(1, 30, dtype=torch.bool)
        emissions = torch.zeros(1, 30, 5, dtype=torch.float64)
        emissions[0, :, 1] = 1e5
        assert crf.log_likelihood(emissions, torch.ones(1, 30, dtype=torch.long), mask).item() == pytest.approx(0)
        assert crf.decode(emissions, mask).tags.eq(1).all()

    def test_a_constant_added_to_all_scores_changes_nothing(self):
        crf, mask = random_crf("iob1"), members("right")
        emissions = scores_of(mask, crf)
        tags = chosen_tags(crf, emissions, mask, rank=5)
        raised = crf.log_likelihood(emissions + 1000, tags, mask)
        assert_near(raised, crf.log_likelihood(emissions, tags, mask), 1e-8)


class TestModule:
    """What it holds."""

    def test_it_starts_with_tags_that_do_not_depend_on_each_other(self):
        crf = random_crf("bio")
        with torch.no_grad():
            for table in (crf.may_follow, crf.may_begin, crf.may_end):
                table.fill_(True)
            crf.init_parameters()
        assert not any(weight.any() for weight in crf.parameters())
        assert crf.may_begin.tolist() == [True, True, False, True, False]
        assert crf.may_follow[0].tolist() == crf.may_begin.tolist() and crf.may_end.all()
        unbound, mask = LinearChainCRF(3), torch.ones(2, 4, dtype=torch.bool)
        emissions = torch.randn(2, 4, 3)
        assert_near(unbound.decode(emissions, mask).log_marginals, emissions.log_softmax(-1), 1e-6)
        assert unbound.decode(emissions, mask).tags.equal(emissions.argmax(-1))

    def test_a_checkpoint_has_its_constraints(self):
        state = random_crf("iobes").state_dict()
        assert set(state) == {"transitions", "start", "end", "may_follow", "may_begin", "may_end"}
        free = LinearChainCRF(5)
        free.load_state_dict(state)
        assert free.may_end.tolist() == [True, True, False, False, True]

"""The figures against loops over masks with holes, and what the levels mean."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from explain_helpers import TEXTS, scorer, small_bert, word_pieces
from scipy.stats import kendalltau

from hfattnlstm.explain.attribution import METHODS
from hfattnlstm.explain.faithfulness import (
    FLIP_SHARES,
    MOST_LEFT_OUT,
    SHARES,
    Faithfulness,
    Measure,
    kendall_tau,
    measure_faithfulness,
)
from hfattnlstm.explain.scoring import TextScorer


LONG = " ".join(TEXTS * 2)


def with_holes(found: TextScorer, text: str, erased: Sequence[int]) -> np.ndarray:
    """Logits of a text without some of its tokens, by the mask."""
    ids = torch.tensor([found.encode([text])[0].input_ids])
    mask = torch.ones_like(ids)
    mask[0, list(erased)] = 0
    with torch.no_grad():
        return found.model(ids, mask).logits.numpy()


def measured(found: TextScorer, text: str, weights: np.ndarray, target: int, **options: bool) -> Faithfulness:
    (one,) = measure_faithfulness(found, found.encode([text]), [weights], [target], **{"signed": True, **options})
    return one


@pytest.mark.parametrize("kind", ["single_label_classification", "multi_label_classification", "regression"])
@pytest.mark.parametrize("signed", [True, False])
def test_figures_equal_a_loop_over_masks_with_holes(kind: str, signed: bool) -> None:
    found = scorer(
        problem_type=kind, num_labels=1 if kind == "regression" else 3, classifier_ngrams=60, classifier_ngram_length=3
    )
    (text,) = found.encode([LONG])
    count, target = len(text.input_ids), 0 if kind == "regression" else 2
    weights = np.random.default_rng(5).normal(size=count)
    order, every = np.argsort(-weights), range(count)

    def score(erased: Sequence[int]) -> float:
        return found.probabilities(with_holes(found, LONG, erased))[0, target]

    def decision(erased: Sequence[int]) -> object:
        chosen = found.decisions(with_holes(found, LONG, erased))[0]
        return chosen[target] if kind == "multi_label_classification" else chosen

    def fall(erased: Sequence[int]) -> float:
        return abs(score([]) - score(erased)) if kind == "regression" else score([]) - score(erased)

    tops = [order[: math.ceil(share * count)] for share in SHARES]
    one = measured(found, LONG, weights, target, signed=signed)
    assert one.comprehensiveness.value == pytest.approx(np.mean([fall(top) for top in tops]))
    kept = [np.setdiff1d(every, top) for top in tops]
    assert one.sufficiency.value == pytest.approx(np.mean([fall(rest) for rest in kept]))
    single = np.array([fall([place]) for place in every])
    tau = kendalltau(weights, single if signed else abs(single)).statistic
    assert one.tau.value == pytest.approx(tau) and (one.left_out, one.tokens) == (count, count)
    if kind == "regression":
        assert one.flip_share is None
    else:
        flips = [share for share in FLIP_SHARES if decision(order[: math.ceil(share * count)]) != decision([])]
        assert one.flip_share.value == min(flips, default=1.0)


def test_random_rankings_are_those_of_the_seed() -> None:
    found = scorer()
    weights = np.zeros(len(found.encode([LONG])[0].input_ids))
    first, again = (measured(found, LONG, weights, 0) for _ in range(2))
    assert first == again
    (other,) = measure_faithfulness(found, found.encode([LONG]), [weights], [0], signed=True, seed=1)
    assert other.comprehensiveness.random != first.comprehensiveness.random
    # Those of a text are the same whatever stands beside it.
    beside = found.encode([TEXTS[0], LONG])
    pair = list(
        measure_faithfulness(found, beside, [np.zeros(len(beside[0].input_ids)), weights], [0, 0], signed=True)
    )
    assert pair[1].comprehensiveness.random == pytest.approx(first.comprehensiveness.random)


def test_equal_weights_are_a_random_ranking() -> None:
    found = scorer()
    count = len(found.encode([LONG])[0].input_ids)
    one = measured(found, LONG, np.zeros(count), 0)
    in_order = measured(found, LONG, -np.arange(count, dtype=float), 0)
    assert one.comprehensiveness.value != in_order.comprehensiveness.value
    assert one.tau.value is None


def test_a_ranking_by_what_each_token_does_is_better_and_its_reverse_is_warned_of() -> None:
    found = scorer(num_labels=2)
    texts = found.encode([LONG])
    (best,) = METHODS["occlusion"](found, texts, [None])
    one = measured(found, LONG, best.weights[0], best.target)
    assert one.level == "better" and not one.is_warning and one.verdict.startswith("Better than a random ranking: ")
    assert one.comprehensiveness.value > one.comprehensiveness.random
    assert one.sufficiency.value < one.sufficiency.random
    worst = measured(found, LONG, -best.weights[0], best.target)
    assert worst.level == "no better" and worst.is_warning and worst.verdict.startswith("Warning: no better")
    assert f"rises by {-worst.comprehensiveness.value:.2f} (random ranking: " in worst.verdict
    assert "-" not in worst.verdict


def test_levels() -> None:
    def level(comprehensiveness: float, sufficiency: float, tokens: int = 50) -> str:
        parts = (Measure(0.5, 0.1, share) for share in (comprehensiveness, sufficiency))
        return Faithfulness(*parts, None, Measure(None, None, 0.0), 50, tokens).level

    assert [level(1, 0.95), level(0.95, 0.9), level(0, 1), level(0.9, 0.9)] == [
        "better",
        "partly",
        "partly",
        "no better",
    ]
    assert level(1, 1, tokens=9) == "too short"


def test_of_a_long_text_some_tokens_are_left_out_one_by_one() -> None:
    found = TextScorer(scorer().model, word_pieces(), max_length=500)
    text = " ".join([LONG] * 4)
    (encoded,) = found.encode([text])
    weights = np.random.default_rng(0).normal(size=len(encoded.input_ids))
    one = measured(found, text, weights, 0)
    assert len(weights) > MOST_LEFT_OUT == one.left_out and one.tokens == len(weights)
    assert one.to_dict()["tokens_left_out_one_by_one"] == MOST_LEFT_OUT


@pytest.mark.parametrize("text", ["", "good"])
def test_texts_without_enough_tokens_are_too_short_to_tell(text: str) -> None:
    found = scorer()
    one = measured(found, text, np.zeros(len(text.split())), 0)
    assert one.level == "too short" and not one.is_warning
    assert (
        one.verdict
        == f"The text is too short ({len(text.split())} tokens) to compare the weights with a random ranking."
    )
    assert one.to_dict()["tau"] is None


def test_special_tokens_of_another_model_are_never_erased(monkeypatch: pytest.MonkeyPatch) -> None:
    found = TextScorer(small_bert(), word_pieces(special=True, types=True))
    (text,) = found.encode([TEXTS[2]])
    asked = []
    usual = found.logits
    monkeypatch.setattr(found, "logits", lambda sequences: asked.extend(sequences) or usual(sequences))
    measured(found, TEXTS[2], np.arange(len(text.input_ids) - 2.0), 0)
    assert all((tokens.ids[0], tokens.ids[-1]) == (2, 3) for tokens in asked)
    assert min(len(tokens.ids) for tokens in asked) == 2


@pytest.mark.parametrize("ties", [False, True])
def test_kendalls_tau_is_that_of_scipy(ties: bool) -> None:
    generator = np.random.default_rng(0)
    first, second = generator.normal(size=(2, 60))
    if ties:
        first, second = first.round(), second.round()
    assert kendall_tau(first, second) == pytest.approx(kendalltau(first, second).statistic)
    assert kendall_tau(first, np.zeros(60)) is None

"""The `evaluate` metrics over data sets."""

from __future__ import annotations

import pytest
from explain_helpers import TEXTS, scorer, word_pieces

from hfattnlstm.explain import FaithfulnessSummary, explain
from hfattnlstm.explain.metrics import FaithfulnessMetric, PlausibilityMetric
from hfattnlstm.explain.rationales import plausibility


def test_plausibility_in_batches_is_that_of_all() -> None:
    weights, marks = [[0.2, 0.5, 0.1], [0.3, 0.1]], [[0, 1, 0], [0, 1]]
    metric = PlausibilityMetric(keep_in_memory=True)
    for own, wanted in zip(weights, marks):
        metric.add_batch(predictions=[own], references=[wanted])
    expected = plausibility(weights, marks)
    assert metric.compute() == pytest.approx(
        {name: getattr(expected, name) for name in ("token_f1", "iou_f1", "auprc")}
    )
    taken = metric.compute(predictions=weights, references=marks, share=1.0)
    assert taken["token_f1"] == pytest.approx(plausibility(weights, marks, 1.0).token_f1)


def test_faithfulness_is_that_of_explanations() -> None:
    model, tokenizer = scorer().model, word_pieces()
    found = explain(TEXTS, model, tokenizer, method="gradient_x_input")
    weights = [[token.weight for token in one.tokens] for one in found]
    metric = FaithfulnessMetric(model, tokenizer, keep_in_memory=True)
    scores = metric.compute(predictions=weights, references=TEXTS)
    expected = FaithfulnessSummary.of(one.faithfulness for one in found)
    assert scores["comprehensiveness"] == pytest.approx(expected.comprehensiveness.mean)
    assert scores["tau_random"] == pytest.approx(expected.tau.random_mean)
    assert len(scores) == 8
    with pytest.raises(ValueError, match="Text number 0 has 8 tokens and 1 weights"):
        metric.compute(predictions=[[1.0]], references=TEXTS[:1])


def test_figures_of_what_is_no_number_are_refused() -> None:
    found = scorer()
    metric = FaithfulnessMetric(found.model, word_pieces(), keep_in_memory=True)
    with pytest.raises(ValueError, match="weights of text number 0 have NaN or infinity"):
        metric.compute(predictions=[[float("nan"), 0.1]], references=["good film"])
    marks = PlausibilityMetric(keep_in_memory=True)
    with pytest.raises(ValueError, match="marks of text number 0 must be 0 and 1"):
        marks.compute(predictions=[[0.3, 0.7]], references=[[0.5, 1]])
    for share in (0.0, 2.0, float("nan")):
        with pytest.raises(ValueError, match=r"share=.* must be above 0 and at most 1"):
            marks.compute(predictions=[[0.3, 0.7]], references=[[0, 1]], share=share)

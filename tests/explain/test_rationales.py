"""Agreement with marks of people against figures counted by hand and by scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import auc, precision_recall_curve

from hfattnlstm.explain import marks_of_spans, plausibility


def test_figures_counted_by_hand() -> None:
    # Four tokens of ten are taken: 0, 1, 2 and 8; the marked stretches are 1 to 3, and 6.
    weights = [0.9, 0.8, 0.7, 0.1, 0.1, 0.1, 0.2, 0.0, 0.5, 0.0]
    marks = [0, 1, 1, 1, 0, 0, 1, 0, 0, 0]
    found = plausibility([weights], [marks])
    assert found.share == pytest.approx(0.4)
    assert found.token_f1 == pytest.approx(2 * 2 / 8)
    # [0, 3) and [1, 4) share two of four tokens; [8, 9) has no other. One of two on both sides.
    assert found.iou_f1 == pytest.approx(0.5)
    assert plausibility([weights], [marks], share=0.1).token_f1 == 0.0


@pytest.mark.parametrize("ties", [False, True])
def test_the_area_is_that_of_scikit_learn(ties: bool) -> None:
    generator = np.random.default_rng(0)
    weights, marks = generator.random((5, 40)), generator.integers(0, 2, (5, 40))
    if ties:
        weights = weights.round(1)
    expected = []
    for own, wanted in zip(weights, marks):
        precision, recall, _ = precision_recall_curve(wanted, own)
        # Theirs begins at a precision of 1 where nothing is taken, ours at that of the first token.
        expected.append(auc(recall[:-1], precision[:-1]) + recall[-2] * precision[-2])
    assert plausibility(weights, marks).auprc == pytest.approx(np.mean(expected))


def test_texts_without_marks_are_left_out() -> None:
    marked = plausibility([[0.2, 0.1]], [[1, 0]])
    assert plausibility([[0.2, 0.1], [0.5, 0.5, 0.1]], [[1, 0], [0, 0, 0]]) == marked


def test_a_perfect_ranking_has_all_points_and_the_reverse_few() -> None:
    marks = [[0, 1, 1, 0, 0, 0]]
    assert plausibility([[0, 3, 2, 0, 0, 0]], marks)[:3] == (1.0, 1.0, 1.0)
    found = plausibility([[3, 0, 0, 2, 1, 1]], marks)
    assert (found.token_f1, found.iou_f1) == (0.0, 0.0) and found.auprc < 0.3


def test_marks_of_stretches_of_characters() -> None:
    spans = [(0, 3), (4, 8), (8, 9), (10, 14)]
    assert marks_of_spans(spans, [(7, 9), (14, 20)]).tolist() == [0, 1, 1, 0]
    assert marks_of_spans(spans, []).tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("weights", "marks", "sentence"),
    [
        ([[1.0]], [[1], [0]], "weights of 1 texts and marks of 2"),
        ([[1.0], [1.0, 2.0]], [[1], [1]], "Text number 1 has 2 weights and 1 marks"),
        ([[1.0]], [[2]], "marks of text number 0 must be 0 and 1"),
        ([[np.nan]], [[1]], "weights of text number 0 have NaN"),
        ([[1.0]], [[0]], "No token of any text is marked"),
    ],
)
def test_mistakes_are_told(weights: list, marks: list, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        plausibility(weights, marks)

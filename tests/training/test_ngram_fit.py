"""The linear part learns what there is to learn, and the parts of a sum get the weights with the least loss."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from sklearn.svm import LinearSVC

from hfattnlstm.training.calibration import log_softmax
from hfattnlstm.training.ngram_fit import (
    LinearFitter,
    calibrated_loss,
    decision_weights,
    inverse_document_frequencies,
    log_count_ratios,
    mixing_weights,
)


SINGLE, MULTI = "single_label_classification", "multi_label_classification"


def problem(labels: int = 2, texts: int = 80) -> tuple[sparse.csr_matrix, np.ndarray, np.ndarray]:
    """Counts, lengths and one label a text: the column that is fullest."""
    generator = np.random.default_rng(0)
    counts = generator.poisson(0.7, (texts, labels + 3)).astype(np.float32)
    classes = counts[:, :labels].argmax(1)
    return sparse.csr_matrix(counts), counts.sum(1).astype(np.int64), np.eye(labels, dtype=bool)[classes]


def test_ratios_are_those_of_the_paper() -> None:
    counts = np.array([[2.0, 0.0, 1.0], [1.0, 1.0, 0.0], [0.0, 3.0, 1.0]])
    applies = np.array([True, True, False])
    p, q = 1 + counts[:2].sum(0), 1 + counts[2]
    expected = np.log((p / p.sum()) / (q / q.sum()))
    np.testing.assert_allclose(log_count_ratios(sparse.csr_matrix(counts), applies), expected)


def test_frequencies_count_texts_not_occurrences() -> None:
    counts = sparse.csr_matrix(np.array([[5.0, 0.0], [1.0, 1.0], [1.0, 0.0]]))
    values = np.log(4 / np.array([4, 2])) + 1
    np.testing.assert_allclose(inverse_document_frequencies(counts), values / values.mean())


@pytest.mark.parametrize("by_ratio", [True, False])
def test_the_folded_weights_are_those_of_the_machine(by_ratio: bool) -> None:
    counts, lengths, applies = problem()
    part = LinearFitter(counts, lengths, applies).fit(by_ratio, [2.0])[0]
    shares = counts.toarray() / np.sqrt(np.maximum(lengths, 1))[:, None]
    mean = np.sqrt(counts.sum() / lengths.sum())
    scale = log_count_ratios(counts, applies[:, 1]) if by_ratio else inverse_document_frequencies(counts)
    inputs = shares / mean * scale
    machine = LinearSVC(C=2.0, tol=0.01, random_state=0).fit(inputs, applies[:, 1])
    logits = part.logits(counts, lengths)
    np.testing.assert_allclose(logits[:, 1] - logits[:, 0], machine.decision_function(inputs), atol=2e-3)
    np.testing.assert_allclose(logits[:, 0], -logits[:, 1], atol=1e-6)


def test_several_classes_are_told_apart_and_alike_in_every_fit() -> None:
    counts, lengths, applies = problem(labels=4)
    one, two = (LinearFitter(counts, lengths, applies).fit(False, [3.0])[0] for _ in range(2))
    assert np.array_equal(one.weight, two.weight)
    assert (one.logits(counts, lengths).argmax(1) == applies.argmax(1)).mean() > 0.8


def test_a_weight_is_as_good_as_so_many_texts() -> None:
    counts, lengths, applies = problem()
    times = np.where(applies[:, 1], 3, 1)
    part = LinearFitter(counts, lengths, applies, weights=np.repeat(times[:, None], 2, 1)).fit(False, [2.0])[0]
    shares = counts.toarray() / np.sqrt(np.maximum(lengths, 1))[:, None] / np.sqrt(counts.sum() / lengths.sum())
    inputs = shares * inverse_document_frequencies(counts)
    again = np.repeat(np.arange(len(times)), times)
    machine = LinearSVC(C=2.0, random_state=0).fit(inputs[again], applies[again, 1])
    logits = part.logits(counts, lengths)
    np.testing.assert_allclose(logits[:, 1] - logits[:, 0], machine.decision_function(inputs), atol=0.05)


def test_texts_without_weight_teach_nothing() -> None:
    counts, lengths, applies = problem(labels=3)
    weights = decision_weights(applies, SINGLE, [1.0, 1.0, 0.0])
    assert weights.mean() == pytest.approx(1)
    part = LinearFitter(counts, lengths, applies, weights=weights).fit(True, [1.0])[0]
    assert not part.weight[:, 2].any() and part.bias[2] == -1
    left = ~applies[:, 2]
    assert (part.logits(counts, lengths)[left].argmax(1) == applies[left].argmax(1)).mean() > 0.8


def test_of_several_labels_the_weight_is_that_of_the_yes() -> None:
    applies = np.array([[True, True], [False, False]])
    weights = decision_weights(applies, MULTI, [4.0, 2.0])
    np.testing.assert_allclose(weights / weights[1, 0], [[4, 2], [1, 1]])
    assert decision_weights(applies, MULTI, None) is None


@pytest.mark.parametrize("problem_type", [SINGLE, MULTI])
def test_parts_are_weighed_by_what_counts(problem_type: str) -> None:
    """One part knows the first class, the other the rest."""
    applies = np.eye(3, dtype=bool)[np.arange(300) % 3]
    knows_first = np.where(applies[:, :1], applies * 4.0 - 2, 0)
    knows_rest = np.where(applies[:, :1], 0, applies * 4.0 - 2)
    scales = {
        heavy: mixing_weights(
            [knows_first, knows_rest], applies, problem_type, decision_weights(applies, SINGLE, heavy)
        )
        for heavy in ((20.0, 1.0, 1.0), (1.0, 20.0, 20.0))
    }
    first, rest = scales.values()
    assert first[0] / first[1] > rest[0] / rest[1]


def test_a_rare_token_learns_from_one_that_is_spelt_alike() -> None:
    counts = sparse.csr_matrix(np.array([[1, 0, 0], [0, 1, 0]] * 20, dtype=np.float32))
    applies = np.array([[False, True], [True, False]] * 20)
    spelling = sparse.csr_matrix(np.array([[1, 0], [0, 1], [1, 0]], dtype=np.float32))
    lengths = np.ones(40, dtype=np.int64)
    alone = LinearFitter(counts, lengths, applies).fit(True, [1.0])[0]
    spelt = LinearFitter(counts, lengths, applies, spelling).fit(True, [1.0])[0]
    assert alone.weight[2, 1] == 0
    assert spelt.weight[2, 1] > 0.1


def test_a_label_that_always_or_never_applies_is_said_so() -> None:
    counts, lengths, applies = problem(labels=3)
    applies[:, 0], applies[:, 1] = True, False
    part = LinearFitter(counts, lengths, applies).fit(True, [1.0])[0]
    assert not part.weight[:, :2].any()
    assert part.bias[0] > 0 > part.bias[1]


@pytest.mark.parametrize("problem_type", [SINGLE, MULTI])
def test_mixing_weights_have_the_least_loss(problem_type: str) -> None:
    generator = np.random.default_rng(1)
    applies = np.eye(3, dtype=bool)[generator.integers(0, 3, 4_000)]
    parts = [applies * 2.0 - 1 + generator.normal(0, spread, applies.shape) for spread in (1.0, 2.0)]
    weights = mixing_weights(parts, applies, problem_type)

    def loss(first: float, second: float) -> float:
        logits = first * parts[0] + second * parts[1]
        if problem_type == SINGLE:
            return -log_softmax(logits)[applies].mean()
        return np.logaddexp(0, np.where(applies, -logits, logits)).sum(1).mean()

    best = loss(*weights)
    for first, second in ((0.05, 0), (-0.05, 0), (0, 0.05), (0, -0.05)):
        assert best < loss(weights[0] + first, weights[1] + second)
    assert weights[0] > weights[1] > 0


def test_few_texts_leave_the_parts_about_equal() -> None:
    applies = np.array([[True, False], [False, True]])
    right = np.array([[1.0, -1.0], [-1.0, 1.0]])
    # The first is right, and the second knows nothing; two texts do not prove it.
    first, second = mixing_weights([right, np.zeros((2, 2))], applies, SINGLE)
    assert first < 3 * second


def test_a_part_that_says_nothing_gets_no_say() -> None:
    generator = np.random.default_rng(1)
    applies = np.eye(2, dtype=bool)[generator.integers(0, 2, 2_000)]
    noise, signal = generator.normal(0, 1, (2_000, 2)), applies + generator.normal(0, 0.5, (2_000, 2))
    weights = mixing_weights([noise, signal], applies, SINGLE)
    assert weights[0] < 0.05 * weights[1]


def test_the_calibrated_loss_does_not_depend_on_the_size_of_the_logits() -> None:
    generator = np.random.default_rng(1)
    applies = np.eye(2, dtype=bool)[generator.integers(0, 2, 2_000)]
    logits = applies + generator.normal(0, 1, (2_000, 2))
    losses = [calibrated_loss(scale * logits, applies, SINGLE) for scale in (0.5, 1.0, 2.0)]
    assert losses == pytest.approx([losses[0]] * 3, rel=2e-3)

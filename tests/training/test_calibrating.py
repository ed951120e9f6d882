"""Temperatures and thresholds that are fitted to held-out texts."""

from __future__ import annotations

import json

import numpy as np
import pytest

from hfattnlstm.training.calibrating import (
    best_cut,
    cross_fitted_calibration,
    cross_fitted_decisions,
    fit_temperature,
    fit_thresholds,
)
from hfattnlstm.training.calibration import calibration_of_classes, calibration_of_labels, log_softmax, sigmoid


SINGLE, MULTI = "single_label_classification", "multi_label_classification"


def classes(count: int, temperature: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits of three classes that are right when they are divided by the temperature, and classes drawn by these."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(0, 2, (count, 3))
    drawn = generator.random((count, 1)) > np.exp(log_softmax(logits)).cumsum(1)
    return logits * temperature, drawn.sum(1).clip(max=2)


def labels(count: int, temperature: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    logits = generator.normal(-1, 2, (count, 4))
    return logits * temperature, (generator.random((count, 4)) < sigmoid(logits)).astype(int)


def objective(logits: np.ndarray, references: np.ndarray, temperature: float) -> float:
    if references.ndim == 2:
        loss = calibration_of_labels(logits / temperature, references).log_loss * references.size
    else:
        loss = calibration_of_classes(logits / temperature, references).log_loss * len(references)
    return loss + 1 / temperature - 1 + np.log(temperature)


class TestTemperature:
    @pytest.mark.parametrize("count", [7, 60, 400])
    @pytest.mark.parametrize(("kind", "drawn"), [(SINGLE, classes), (MULTI, labels)])
    def test_no_other_one_is_better(self, kind: str, drawn, count: int) -> None:
        for true in (0.3, 1.0, 2.5):
            logits, references = drawn(count, true, seed=count)
            found = fit_temperature(logits, references, kind)
            grid = np.exp(np.linspace(np.log(0.05), np.log(20), 600))
            best = grid[np.argmin([objective(logits, references, temperature) for temperature in grid])]
            assert found == pytest.approx(best, rel=0.01)

    @pytest.mark.parametrize(("kind", "drawn"), [(SINGLE, classes), (MULTI, labels)])
    def test_the_true_one_is_found(self, kind: str, drawn) -> None:
        for true in (0.4, 1.0, 3.0):
            assert fit_temperature(*drawn(4000, true), kind) == pytest.approx(true, rel=0.06)

    def test_few_texts_and_none_leave_it_near_one(self) -> None:
        assert fit_temperature(np.zeros((0, 2)), np.zeros(0, int), SINGLE) == 1
        assert fit_temperature(np.zeros((0, 2)), np.zeros((0, 2)), MULTI) == 1
        assert 0.5 < fit_temperature(np.array([[1.0, 0.0]]), np.array([0]), SINGLE) < 1

    def test_texts_that_are_told_apart_do_not_make_it_absurd(self) -> None:
        """The surest score is about as sure as so many right answers allow."""
        for count in (10, 1000):
            logits, references = np.array([[2.0, 0.0], [0.0, 2.0]] * count), np.array([0, 1] * count)
            found = fit_temperature(logits, references, SINGLE)
            wrong = 1 - np.exp(log_softmax(logits / found)).max()
            assert 0.1 / count < wrong < 1 / count

    def test_the_bounds(self) -> None:
        hopeless = np.array([[90.0, 0.0]] * 10), np.array([1] * 10)
        assert fit_temperature(*hopeless, SINGLE) == 20
        assert fit_temperature(np.array([[1e-3, 0.0]] * 10**4), np.zeros(10**4, int), SINGLE) == pytest.approx(0.05)
        assert fit_temperature(np.array([[3000.0, -3000.0]]), np.array([[1, 0]]), MULTI) == 1

    def test_texts_without_a_label_are_left_out(self) -> None:
        logits, references = classes(50, 2.0)
        more = np.concatenate([logits, [[50.0, 0, 0]]]), np.append(references, -100)
        assert fit_temperature(*more, SINGLE) == fit_temperature(logits, references, SINGLE)

    @pytest.mark.parametrize(
        ("logits", "references", "kind", "sentence"),
        [
            (np.zeros((2, 1)), np.zeros(2), "regression", "A regression has no probabilities"),
            (np.zeros((2, 3)), np.zeros((2, 3)), SINGLE, r"labels have shape \(2, 3\), the logits \(2, 3\)"),
            (np.zeros((2, 3)), np.zeros(2), MULTI, r"labels have shape \(2,\), the logits \(2, 3\)"),
            (np.array([[np.nan, 1]]), np.zeros(1), SINGLE, "NaN or infinity"),
        ],
    )
    def test_what_cannot_be_fitted(self, logits, references, kind: str, sentence: str) -> None:
        with pytest.raises(ValueError, match=sentence):
            fit_temperature(logits, references, kind)


def f1(references: np.ndarray, decisions: np.ndarray) -> float:
    ones = references.sum() + decisions.sum()
    return 2 * (references * decisions).sum() / ones if ones else 0.0


def rare_labels(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Three labels of which few texts have one, and the probabilities of a model that is too careful."""
    generator = np.random.default_rng(seed)
    references = (generator.random((count, 3)) < [0.3, 0.1, 0.04]).astype(int)
    logits = generator.normal(0, 1, references.shape) + 2 * references - [2.5, 4.0, 5.0]
    return sigmoid(logits), references


class TestThresholds:
    def test_no_other_cut_has_a_better_f1(self) -> None:
        generator = np.random.default_rng(0)
        for _ in range(300):
            count = generator.integers(1, 12)
            scores, applies = generator.integers(0, 6, count) / 5, generator.integers(0, 2, count)
            cut = best_cut(scores, applies)
            if not applies.any():
                assert cut is None
                continue
            # A score of 0 is above no cut.
            best = max(f1(applies, scores > other) for other in np.arange(0, 1, 0.1))
            assert f1(applies, scores > cut) == pytest.approx(best)

    def test_they_are_nearly_the_best_on_other_texts(self) -> None:
        found = fit_thresholds(*rare_labels(3000, seed=1))
        probabilities, references = rare_labels(40_000, seed=2)
        for index, threshold in enumerate(found):
            scores, applies = probabilities[:, index], references[:, index]
            best = f1(applies, scores > best_cut(scores, applies))
            assert f1(applies, scores > threshold) > best - 0.01 > f1(applies, scores > 0.5) + 0.05

    def test_they_are_steadier_than_the_best_cut(self) -> None:
        """On other texts, mean of twenty fits to a few."""
        others, applies = rare_labels(20_000, seed=99)
        gains = []
        for seed in range(20):
            probabilities, references = rare_labels(300, seed)
            smooth = fit_thresholds(probabilities, references)
            for index in (1, 2):
                if references[:, index].sum() < 5:
                    continue
                rough = best_cut(probabilities[:, index], references[:, index])
                scores = others[:, index]
                gains.append(f1(applies[:, index], scores > smooth[index]) - f1(applies[:, index], scores > rough))
        assert len(gains) > 30 and np.mean(gains) > 0.003

    def test_rare_labels_share_the_threshold_of_their_pool(self) -> None:
        generator = np.random.default_rng(3)
        references = np.zeros((200, 4), int)
        references[:60, 0], references[60:64, 1], references[64:67, 2] = 1, 1, 1
        probabilities = np.where(references == 1, [0.9, 0.12, 0.1, 0.1], [0.4, 0.02, 0.02, 0.02])
        probabilities = probabilities * generator.uniform(0.99, 1, references.shape)
        common, *shared = fit_thresholds(probabilities, references)
        assert common == pytest.approx(0.65, abs=0.02)
        assert len(set(shared)) == 1 and shared[0] == pytest.approx(0.06, abs=0.02)

    def test_too_few_rare_texts_take_the_threshold_of_all(self) -> None:
        references = np.zeros((100, 2), int)
        references[:40, 0], references[40, 1] = 1, 1
        probabilities = np.where(references == 1, [0.8, 0.001], [0.2, 0.2])
        common, shared = fit_thresholds(probabilities, references)
        assert common == pytest.approx(0.5, abs=0.01) and shared == pytest.approx(0.5, abs=0.01)

    def test_nothing_applies_or_all_of_it(self) -> None:
        probabilities = np.linspace(0, 1, 20).reshape(10, 2)
        assert fit_thresholds(probabilities, np.zeros((10, 2), int)) == [0.5, 0.5]
        assert fit_thresholds(np.zeros((0, 2)), np.zeros((0, 2), int)) == [0.5, 0.5]
        lowest = fit_thresholds(probabilities, np.ones((10, 2), int))
        assert all(0.01 <= threshold < 0.2 for threshold in lowest)
        assert fit_thresholds(np.full((9, 1), 1.0), np.ones((9, 1), int)) == [0.5]
        assert fit_thresholds(np.full((9, 1), 1e-9), np.ones((9, 1), int)) == [0.01]

    def test_they_are_plain_numbers_and_always_the_same(self) -> None:
        found = fit_thresholds(*rare_labels(100, 0))
        assert json.loads(json.dumps(found)) == found == fit_thresholds(*rare_labels(100, 0))

    def test_what_does_not_fit(self) -> None:
        with pytest.raises(ValueError, match=r"shape \(2, 3\), the labels \(2, 2\): give \(texts, labels\) of both"):
            fit_thresholds(np.zeros((2, 3)), np.zeros((2, 2)))


class TestCrossFitting:
    @pytest.mark.parametrize(("kind", "drawn"), [(SINGLE, classes), (MULTI, labels)])
    def test_it_is_that_of_other_texts(self, kind: str, drawn) -> None:
        logits, references = drawn(3000, 2.5)
        measure = calibration_of_labels if kind == MULTI else calibration_of_classes
        found = cross_fitted_calibration(logits, references, kind)
        other = drawn(20_000, 2.5, seed=1)
        honest = measure(other[0] / fit_temperature(logits, references, kind), other[1])
        assert found.cross_fitted and not honest.cross_fitted
        assert found.log_loss == pytest.approx(honest.log_loss, abs=0.02)
        assert found.ece < 0.03 < measure(logits, references).ece
        assert sum(part.count for part in found.bins) == references.size

    def test_no_text_is_measured_by_the_temperature_that_it_gave(self) -> None:
        """Two texts: the wrong one would make itself hotter."""
        logits, references = np.array([[4.0, 0.0], [4.0, 0.0]]), np.array([0, 1])
        right, wrong = (fit_temperature(logits[[row]], references[[row]], SINGLE) for row in (0, 1))
        losses = [-log_softmax(logits[0] / wrong)[0], -log_softmax(logits[1] / right)[1]]
        assert cross_fitted_calibration(logits, references, SINGLE).log_loss == pytest.approx(np.mean(losses))

    def test_texts_that_are_sorted_by_label_are_mixed(self) -> None:
        logits, references = classes(2000, 2.0)
        order = np.argsort(references, kind="stable")
        found = cross_fitted_calibration(logits[order], references[order], SINGLE)
        assert found.log_loss == pytest.approx(cross_fitted_calibration(logits, references, SINGLE).log_loss, abs=0.01)

    def test_nothing_to_measure(self) -> None:
        with pytest.raises(ValueError, match="There is nothing to measure"):
            cross_fitted_calibration(np.zeros((1, 2)), np.array([-100]), SINGLE)

    def test_decisions_are_less_good_than_on_the_texts_of_the_fit(self) -> None:
        probabilities, references = rare_labels(400, 5)
        fitted = probabilities > fit_thresholds(probabilities, references)
        crossed = cross_fitted_decisions(probabilities, references)
        assert crossed.shape == references.shape and set(np.unique(crossed)) == {0, 1}
        assert f1(references, crossed) < f1(references, fitted)
        assert f1(references, crossed) > f1(references, probabilities > 0.5)

"""What is told of logits whose labels are known."""

from __future__ import annotations

import json

import numpy as np
import pytest

from hfattnlstm import Evaluation, evaluate_logits
from hfattnlstm.training.intervals import wilson_interval


NAMES = ["bad", "good", "odd"]
LOGITS = np.array([[4.0, 0, 0], [0, 3.0, 0], [0, 5.0, 0], [0, 2.0, 0], [0, 0, 1.0]])


def classes(references: list[int], **options: float) -> Evaluation:
    return evaluate_logits(LOGITS, np.array(references), NAMES, **options)


class TestClasses:
    def test_scores_intervals_and_classes(self) -> None:
        found = classes([0, 1, 0, 0, 2])
        assert found.samples == 5 and found.scores["accuracy"] == pytest.approx(0.6)
        assert found.intervals["accuracy"] == wilson_interval(3, 5)
        assert found.per_class["bad"] == {
            "precision": 1.0,
            "recall": pytest.approx(1 / 3),
            "f1": pytest.approx(0.5),
            "support": 3,
        }

    def test_the_right_class_is_the_row_of_the_matrix(self) -> None:
        assert classes([0, 1, 0, 0, 2]).confusion_matrix.tolist() == [[1, 2, 0], [0, 1, 0], [0, 0, 1]]

    def test_the_surest_mistakes_come_first(self) -> None:
        found = classes([0, 1, 0, 0, 2]).mistakes
        assert [(mistake.row, mistake.label, mistake.predicted) for mistake in found] == [
            (3, "bad", "good"),
            (4, "bad", "good"),
        ]
        assert found[0].score == pytest.approx(np.exp(5) / (np.exp(5) + 2))
        assert len(classes([0, 1, 0, 0, 2], mistakes=1).mistakes) == 1

    def test_the_largest_confusions(self) -> None:
        found = classes([0, 1, 0, 2, 2])
        assert found.largest_confusions(5) == [("bad", "good", 1, 0.5), ("odd", "good", 1, 0.5)]
        assert found.largest_confusions(1) == [("bad", "good", 1, 0.5)]

    def test_one_class_alone(self) -> None:
        found = classes([1, 1, 1, 1, 1])
        assert found.scores["accuracy"] == pytest.approx(0.6)
        assert found.per_class["bad"]["support"] == 0
        assert found.largest_confusions(5) == [("good", "bad", 1, 0.2), ("good", "odd", 1, 0.2)]

    def test_labels_that_are_left_out(self) -> None:
        assert classes([-100, 1, -100, -100, 2]).samples == 2

    def test_probabilities_are_calibrated_and_what_was_before_is_kept(self) -> None:
        right = [0, 1, 0, 0, 2]
        found, cold = classes(right, temperature=2.0), classes(right)
        halved = evaluate_logits(LOGITS / 2, np.array(right), NAMES)
        assert (found.calibration, found.scores, found.mistakes) == (
            halved.calibration,
            halved.scores,
            halved.mistakes,
        )
        assert (found.uncalibrated, found.temperature) == (cold.calibration, 2.0) and cold.uncalibrated is None
        shown = json.loads(json.dumps(found.to_dict()))
        assert (shown["ece"], shown["log_loss"]) == (halved.calibration.ece, halved.calibration.log_loss)
        assert shown["ece_uncalibrated"] == cold.calibration.ece and shown["calibration_temperature"] == 2.0
        assert shown["log_loss_uncalibrated"] == cold.calibration.log_loss != shown["log_loss"]
        assert not {"ece_uncalibrated", "log_loss_uncalibrated", "calibration_temperature"} & set(cold.to_dict())

    def test_as_json(self) -> None:
        shown = json.loads(json.dumps(classes([0, 1, 0, 0, 2]).to_dict()))
        assert {"accuracy", "f1_macro", "ece", "log_loss", "confusion_matrix", "per_class", "mistakes"} <= set(shown)
        assert shown["labels"] == NAMES and shown["confusion_matrix"][0] == [1, 2, 0]
        assert shown["intervals"]["accuracy"][0] < shown["accuracy"] < shown["intervals"]["accuracy"][1]
        assert shown["mistakes"][0]["label"] == "bad" and "threshold" not in shown


class TestLabels:
    LOGITS = np.array([[3.0, -3.0], [3.0, 2.0], [-3.0, 0.5]])
    RIGHT = np.array([[1, 0], [0, 1], [1, 0]])

    def found(self, threshold: float | list[float] = 0.5, **options: float) -> Evaluation:
        kind = "multi_label_classification"
        return evaluate_logits(self.LOGITS, self.RIGHT, ["calm", "sad"], kind, threshold=threshold, **options)

    def test_a_square_and_scores_of_each_label(self) -> None:
        found = self.found()
        assert found.confusion_matrix.tolist() == [[[0, 1], [1, 1]], [[1, 1], [0, 1]]]
        assert found.per_class["calm"] == {"precision": 0.5, "recall": 0.5, "f1": 0.5, "support": 2}
        assert found.per_class["sad"]["f1"] == pytest.approx(2 / 3)
        assert found.scores["subset_accuracy"] == pytest.approx(1 / 3) and "accuracy" not in found.scores

    def test_the_threshold_counts(self) -> None:
        assert self.found(0.7).confusion_matrix[1].tolist() == [[2, 0], [0, 1]]

    def test_each_label_may_have_its_own(self) -> None:
        found = self.found([0.5, 0.7])
        assert found.confusion_matrix[0].tolist() == self.found().confusion_matrix[0].tolist()
        assert found.confusion_matrix[1].tolist() == self.found(0.7).confusion_matrix[1].tolist()
        assert json.loads(json.dumps(found.to_dict()))["threshold"] == [0.5, 0.7]
        with pytest.raises(ValueError, match="threshold has 3 numbers for 2 labels"):
            self.found([0.5] * 3)

    def test_probabilities_are_calibrated(self) -> None:
        """Of 2 it is .88, and divided by 4 it is .62."""
        found = self.found(0.7, temperature=4.0)
        assert found.confusion_matrix[1].tolist() == [[2, 0], [1, 0]] != self.found(0.7).confusion_matrix[1].tolist()
        halved = evaluate_logits(self.LOGITS / 4, self.RIGHT, ["calm", "sad"], found.problem_type, threshold=0.7)
        assert found.calibration == halved.calibration and found.mistakes == halved.mistakes
        assert found.uncalibrated == self.found().calibration

    def test_the_worst_decision_of_a_text(self) -> None:
        given, missed = self.found().mistakes
        assert (given.row, given.label, given.predicted, given.wrong) == (2, ["sad"], ["calm", "sad"], "calm")
        assert (missed.row, missed.label, missed.predicted, missed.wrong) == (3, ["calm"], ["sad"], "calm")
        assert missed.score == pytest.approx(1 / (1 + np.exp(3)))

    def test_as_json(self) -> None:
        shown = json.loads(json.dumps(self.found(0.7).to_dict()))
        assert shown["confusion_matrix"]["sad"] == [[2, 0], [0, 1]] and shown["threshold"] == 0.7
        assert shown["mistakes"][0]["wrong"] == "calm" and "accuracy" not in shown


class TestNumbers:
    def test_the_largest_errors(self) -> None:
        found = evaluate_logits(np.array([[1.0], [2.0], [5.0]]), np.array([1.0, 2.5, 3.0]), (), "regression")
        assert [(error.row, error.label, error.predicted, error.score) for error in found.mistakes] == [
            (3, 3.0, 5.0, 2.0),
            (2, 2.5, 2.0, 0.5),
        ]
        shown = json.loads(json.dumps(found.to_dict()))
        assert shown["mae"] == pytest.approx(2.5 / 3) and shown["intervals"]["mae"][0] <= shown["mae"]
        assert shown["largest_errors"][0]["error"] == 2.0
        assert not {"accuracy", "ece", "confusion_matrix", "mistakes", "labels"} & set(shown)


def test_names_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="label_names has 2 names for 3 columns"):
        evaluate_logits(LOGITS, np.array([0, 1, 2, 0, 0]), ["bad", "good"])

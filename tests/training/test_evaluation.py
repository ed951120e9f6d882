"""What is told of logits whose labels are known."""

from __future__ import annotations

import json

import numpy as np
import pytest

from hfattnlstm import Evaluation, evaluate_logits
from hfattnlstm.training.intervals import wilson_interval


NAMES = ["bad", "good", "odd"]
LOGITS = np.array([[4.0, 0, 0], [0, 3.0, 0], [0, 5.0, 0], [0, 2.0, 0], [0, 0, 1.0]])


def classes(references: list[int], **options: int) -> Evaluation:
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

    def test_as_json(self) -> None:
        shown = json.loads(json.dumps(classes([0, 1, 0, 0, 2]).to_dict()))
        assert {"accuracy", "f1_macro", "ece", "log_loss", "confusion_matrix", "per_class", "mistakes"} <= set(shown)
        assert shown["labels"] == NAMES and shown["confusion_matrix"][0] == [1, 2, 0]
        assert shown["intervals"]["accuracy"][0] < shown["accuracy"] < shown["intervals"]["accuracy"][1]
        assert shown["mistakes"][0]["label"] == "bad" and "threshold" not in shown


class TestLabels:
    LOGITS = np.array([[3.0, -3.0], [3.0, 2.0], [-3.0, 0.5]])
    RIGHT = np.array([[1, 0], [0, 1], [1, 0]])

    def found(self, threshold: float = 0.5) -> Evaluation:
        kind = "multi_label_classification"
        return evaluate_logits(self.LOGITS, self.RIGHT, ["calm", "sad"], kind, threshold=threshold)

    def test_a_square_and_scores_of_each_label(self) -> None:
        found = self.found()
        assert found.confusion_matrix.tolist() == [[[0, 1], [1, 1]], [[1, 1], [0, 1]]]
        assert found.per_class["calm"] == {"precision": 0.5, "recall": 0.5, "f1": 0.5, "support": 2}
        assert found.per_class["sad"]["f1"] == pytest.approx(2 / 3)
        assert found.scores["subset_accuracy"] == pytest.approx(1 / 3) and "accuracy" not in found.scores

    def test_the_threshold_counts(self) -> None:
        assert self.found(0.7).confusion_matrix[1].tolist() == [[2, 0], [0, 1]]

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

"""What the tasks have in common whose examples have labels: scores by problem type, and what is shown of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transformers import EvalPrediction
from transformers.trainer_utils import PredictionOutput

from ..data.figures import write_figure
from ..modeling.configuration_base import REGRESSION, SINGLE_LABEL
from .card_evaluation import describe_evaluation
from .evaluation import Evaluation, evaluate_logits
from .intervals import Interval, score_intervals
from .metrics import (
    ONE_HALF,
    Scorer,
    Threshold,
    all_logits,
    best_metric_for,
    classification_report,
    compute_metrics_for,
    metric_directions,
    prepared,
)
from .output_folder import CONFUSION_FILE
from .plots import plot_confusions
from .task import Task


class LabelledTask(Task):
    """A task whose examples have labels.

    Attributes:
        problem_type: What the labels are; known once the examples are loaded.
        label_names: Of the classes, or labels, in order; None in a regression.
        threshold, temperature: What makes decisions and probabilities of logits.
    """

    problem_type: str
    label_names: Sequence[str] | None = None
    threshold: Threshold = ONE_HALF
    temperature: float = 1.0

    def make_scorer(self) -> Scorer:
        """By problem type, with the scores of each label where one of them chooses the best checkpoint."""
        by_label = "/" in (self.training.metric_for_best_model or "") and self.training.metric_is_chosen
        names = list(self.label_names) if by_label and self.label_names else None
        return compute_metrics_for(self.problem_type, names, self.threshold, self.temperature)

    def best_metric(self) -> tuple[str, bool]:
        """Accuracy, micro F1 or squared error."""
        return best_metric_for(self.problem_type)

    def metric_directions(self) -> dict[str, bool]:
        """All scores, those of each label too."""
        return metric_directions(self.problem_type, self.label_names)

    def intervals(self, output: PredictionOutput) -> dict[str, Interval]:
        """By problem type."""
        prediction = EvalPrediction(output.predictions, output.label_ids)
        references, predictions = prepared(prediction, self.problem_type, self.threshold, self.temperature)
        return score_intervals(self.problem_type, references, predictions)

    def details(self, output: PredictionOutput) -> dict[str, Any]:
        """The scores of each class, where examples have one label each."""
        if self.problem_type != SINGLE_LABEL:
            return {}
        return classification_report(all_logits(output.predictions).argmax(-1), output.label_ids, self.label_names)

    def evaluation(self, output: PredictionOutput, fitted: bool = False) -> Evaluation | None:
        """By class or label; a regression has none."""
        if self.problem_type == REGRESSION:
            return None
        decided = {"threshold": self.threshold, "temperature": self.temperature}
        return evaluate_logits(output.predictions, output.label_ids, self.label_names, self.problem_type, **decided)

    def describe(self, evaluation: Evaluation, split: str) -> str:
        """Classes, confusions and calibration."""
        return describe_evaluation(evaluation, split)

    def write_pictures(self, folder: Path, evaluation: Evaluation) -> None:
        """The confusions."""
        write_figure(plot_confusions(evaluation), folder / CONFUSION_FILE)

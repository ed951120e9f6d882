"""Training: the Trainer, its callbacks, metrics and the classification run."""

from .arguments import parse_arguments
from .classification import ClassificationRun, run_classification
from .trainer import AttnLSTMTrainer, NonFiniteLossError


__all__ = ["AttnLSTMTrainer", "ClassificationRun", "NonFiniteLossError", "parse_arguments", "run_classification"]

"""Training: tasks, the run that they share, the Trainer and its optimiser.

It needs the extra `train`: `pip install "hfattnlstm[train]"`.
"""

from .._extras import needs_extra


with needs_extra("Training"):
    from .averaging import WeightAveraging
    from .finishing import Finisher
    from .run import TaskRun, run_task
    from .task import Task, parse_task
    from .trainer import AttnLSTMTrainer, NonFiniteLossError


__all__ = [
    "AttnLSTMTrainer",
    "Finisher",
    "NonFiniteLossError",
    "Task",
    "TaskRun",
    "WeightAveraging",
    "parse_task",
    "run_task",
]

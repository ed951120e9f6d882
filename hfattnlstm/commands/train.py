"""`hfattnlstm train`: from labelled texts to a model in a folder."""

# ruff: noqa: T201
from __future__ import annotations

from collections.abc import Sequence

from ..training import parse_task, run_task
from ..training.flag_help import flag_line
from .program import TRACEBACK_HELP
from .tables import print_scores
from .train_display import TrainDisplay


def train(arguments: Sequence[str], program: str = "hfattnlstm train", needed: str | None = None) -> int:
    """Train, measure and save a model, and print its metrics.

    Args:
        arguments: The command line after `hfattnlstm train`; see its `--help`.
        program: What the help calls the command.
        needed: A flag of the data without which the command has no meaning.

    Returns:
        The exit status.

    Raises:
        OSError: For a file that cannot be read or written.
        ValueError: For data and flags that do not fit together.

    Example:

    ```python
    >>> train(["--train_file", "reviews.csv", "--output_dir", "my-model"])
    texts: text  labels: label
    ...
    step 2/40  epoch 1  validation loss 0.6720  accuracy 1.0000 ...
    ...
    trained 40 steps in 0:02  530 texts a second
    <BLANKLINE>
    metric             value     95 % interval
    ...
    Saved in my-model
    0
    ```
    """
    try:
        task = parse_task(arguments, program, needed)
    except SystemExit as stop:
        if stop.code == 0:
            print(flag_line("--traceback", f"{TRACEBACK_HELP[:1].upper()}{TRACEBACK_HELP[1:]}."))
        raise
    if needed is not None and getattr(task.data, needed, None) is None:
        raise ValueError(f"{program} needs --{needed}: name one, or use hfattnlstm train.")
    with TrainDisplay() as display:
        run = run_task(task, display)
    if run.trainer.is_world_process_zero():
        training = run.trainer.args
        done = "Saved in" if training.do_train else "Measured; the metrics are in"
        print()
        print_scores(run.scores())
        print(f"\n{done} {training.output_dir}")
    return 0

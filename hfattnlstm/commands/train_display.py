"""What a training shows: the data, on a terminal a bar for each phase, and lines that a person can read."""

# ruff: noqa: T201
from __future__ import annotations

import contextlib
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from ..data.progress import no_progress_bars
from ..training.display import Display
from ..training.report import format_value
from .live import Bars
from .terminal import has_colours


TRAINING, MEASURING = "Training", "Measuring"
# Seconds between the lines that tell how far long work is, where no bar does.
_LINE_EVERY = 30
# What the Trainer measures of itself.
_NOT_SHOWN = ("_runtime", "_per_second", "_preparation_time", "epoch", "total_flos")
_SHORT = {"learning_rate": "lr", "grad_norm": "gradient", "eval_loss": "validation loss"}


class TrainDisplay(Display):
    """The data, bars, and log of a run; to be used as a context, at whose end the bars are gone.

    Args:
        summary: Whether the data are shown.

    Example:

    ```python
    >>> with TrainDisplay() as display:
    ...     run = run_task(task, display)
    texts: text  labels: label
    ...
    step 2/2  epoch 1  validation loss 0.6878  accuracy 0.4000 ...
    trained 2 steps in 0:00  904 texts a second
    ```
    """

    def __init__(self, summary: bool = True) -> None:
        self._summary = summary
        self._bars = Bars()
        self._context = contextlib.ExitStack()
        # When the work began of which a line was printed last, when that was, and how much was done at the beginning.
        self._begun: dict[str, tuple[float, int]] = {}
        self._told = 0.0

    def __enter__(self) -> TrainDisplay:
        self._context.enter_context(self._bars)
        if not self._bars.are_shown:
            # In a file, those of the libraries would be hundreds of lines.
            self._context.enter_context(no_progress_bars())
        return self

    def __exit__(self, *error: object) -> None:
        self._context.close()

    def show_data(self, summary: Any) -> None:
        """Print what is said of the examples."""
        if not self._summary:
            return
        if hasattr(summary, "lines"):
            print("\n".join(summary.lines()))
        else:
            from .data_report import print_summary

            print_summary(summary, warned=True)
        print(flush=True)

    @contextlib.contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """One bar in place of those of the libraries, which until then may tell of downloads."""
        self._context.enter_context(no_progress_bars())
        with self._bars.phase(name):
            yield

    def progress(self, name: str, done: int, total: int) -> None:
        """A bar, or now and then a line where nobody sees one."""
        self._bars.show(name, done, total)
        if done >= total:
            self._bars.hide(name)
        now = time.perf_counter()
        began, before = self._begun.setdefault(name, (now, done))
        if self._bars.are_shown or now - max(began, self._told) < _LINE_EVERY:
            return
        self._told = now
        left = (now - began) / max(done - before, 1) * (total - done)
        print(f"{name}: {done:,} of {total:,}  {_clock(left)} left", flush=True)

    def callbacks(self) -> list[TrainerCallback]:
        """The one that follows the training."""
        return [FollowTraining(self._bars)]


class FollowTraining(TrainerCallback):
    """Bars and lines in place of transformers' own.

    Args:
        bars: Where the bars are shown; with `--disable_tqdm true`, none are.
    """

    def __init__(self, bars: Bars):
        self._bars = bars
        self._start, self._first_step, self._measured = time.perf_counter(), 0, 0

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Begin to count the time."""
        self._start, self._first_step = time.perf_counter(), state.global_step
        self._show(args, TRAINING, state.global_step, state.max_steps)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Move the bar on."""
        self._show(args, TRAINING, state.global_step, state.max_steps)

    def on_prediction_step(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        eval_dataloader: Any = None,
        **_: Any,
    ) -> None:
        """Move the bar of a measurement on."""
        self._measured += 1
        total = len(eval_dataloader) if hasattr(eval_dataloader, "__len__") else None
        self._show(args, MEASURING, self._measured, total)

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """End a measurement."""
        self._measured = 0
        self._bars.hide(MEASURING)

    on_predict = on_evaluate

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """End the bar."""
        self._bars.hide(TRAINING)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: Mapping[str, Any] | None = None,
        **_: Any,
    ) -> None:
        """Print what the Trainer reports."""
        elapsed = time.perf_counter() - self._start
        if "train_runtime" in (logs or {}):
            done = f"trained {state.global_step} steps in {_clock(elapsed)}"
            tokens = logs.get("train_tokens_per_second")
            rate = (
                f"{logs['train_samples_per_second']:,.0f} {getattr(args, 'unit', 'texts')}"
                if tokens is None
                else f"{tokens:,} tokens"
            )
            print(_laid_out([done, f"{rate} a second"]), flush=True)
        elif logs:
            done = state.global_step - self._first_step
            left = elapsed / done * (state.max_steps - state.global_step) if done > 0 else None
            print(_laid_out(log_fields(logs, state, left)), flush=True)

    def _show(self, args: TrainingArguments, name: str, done: int, total: int | None) -> None:
        if not args.disable_tqdm:
            self._bars.show(name, done, total)


def log_fields(logs: Mapping[str, Any], state: TrainerState, left: float | None) -> list[str]:
    """What the Trainer has logged, as words for a person.

    Args:
        logs: Names and numbers.
        state: How far the training is.
        left: The seconds that it still takes, if that is known.

    Returns:
        The step and epoch, the numbers, and the time that is left.

    Example:

    ```python
    >>> log_fields({"loss": 0.69312, "learning_rate": 0.002}, TrainerState(global_step=5, max_steps=50), 61.0)
    ['step 5/50', 'epoch 0', 'loss 0.6931', 'lr 0.0020', '1:01 left']
    ```
    """
    fields = [f"step {state.global_step}/{state.max_steps}"]
    if state.epoch is not None:
        fields.append(f"epoch {state.epoch:.4g}")
    measured = [name for name in logs if name.startswith(("eval_", "test_"))]
    for name in measured or logs:
        if name == "tokens_per_second":
            fields.append(f"{logs[name]:,} tokens a second")
        elif not name.endswith(_NOT_SHOWN):
            fields.append(f"{_name(name)} {format_value(logs[name])}")
    if left is not None and left >= 1 and not measured:
        fields.append(f"{_clock(left)} left")
    return fields


def _name(name: str) -> str:
    return _SHORT.get(name, name.removeprefix("eval_"))


def _laid_out(fields: Sequence[str]) -> str:
    """On one line, or, on a terminal that is narrower, on several with the next ones indented."""
    coloured = has_colours(sys.stdout)
    width = shutil.get_terminal_size().columns if coloured else None
    lines: list[str] = []
    for field in fields:
        if lines and (width is None or len(lines[-1]) + 2 + len(field) <= width):
            lines[-1] += f"  {field}"
        else:
            lines.append(f"  {field}" if lines else field)
    return "\n".join(lines)


def _clock(seconds: float) -> str:
    """Hours, minutes and seconds, such as 1:02:03 or 2:03."""
    return str(timedelta(seconds=round(seconds))).removeprefix("0:").removeprefix("0")

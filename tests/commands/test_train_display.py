"""What a training shows: lines for a person, bars where somebody looks, and the data before it."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

import pytest
from rich.console import Console
from transformers import TrainerControl, TrainerState, TrainingArguments

from hfattnlstm.commands import train_display
from hfattnlstm.commands.live import Bars
from hfattnlstm.commands.main import main
from hfattnlstm.commands.train_display import FollowTraining, TrainDisplay, log_fields


REVIEWS = Path(train_display.__file__).parents[1] / "data" / "reviews" / "reviews.jsonl"
TINY = (
    *("--train_file", str(REVIEWS), "--max_train_samples", "64", "--epochs", "1", "--hidden_size", "8"),
    *("--embedding_size", "8", "--logging_steps", "1", "--save_strategy", "no"),
)


def state(step: int, epoch: float | None = None) -> TrainerState:
    return TrainerState(global_step=step, max_steps=50, epoch=epoch)


def test_a_line_of_the_training() -> None:
    logs = {"loss": 0.69312, "grad_norm": 1.5, "learning_rate": 1e-5, "epoch": 2.5}
    assert log_fields(logs, state(5, 2.5), 61.0) == [
        *("step 5/50", "epoch 2.5", "loss 0.6931", "gradient 1.5000", "lr 1e-05", "1:01 left"),
    ]
    assert "left" not in " ".join(log_fields(logs, state(50), 0.2))


def test_a_line_of_a_measurement() -> None:
    logs = {"eval_loss": 0.5, "eval_accuracy": 0.75, "eval_runtime": 1.0, "eval_samples_per_second": 9.0, "epoch": 1.0}
    assert log_fields(logs, state(5, 1.0), 61.0) == [
        "step 5/50",
        "epoch 1",
        "validation loss 0.5000",
        "accuracy 0.7500",
    ]


@pytest.mark.parametrize(("seconds", "shown"), [(3, "0:03 left"), (75, "1:15 left"), (3723, "1:02:03 left")])
def test_the_time_that_is_left(seconds: float, shown: str) -> None:
    assert log_fields({"loss": 1.0}, state(5), seconds)[-1] == shown


def test_the_progress_of_long_work_in_lines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """From what was done before, which took no time."""
    calls = {1000.0: 100, 1010.0: 110, 1040.0: 140, 1050.0: 150, 1080.0: 180, 1100.0: 200}
    clock = iter(calls)
    monkeypatch.setattr(train_display.time, "perf_counter", lambda: next(clock))
    with TrainDisplay() as display:
        for done in calls.values():
            display.progress("Asking the teacher", done, 200)
    assert capsys.readouterr().out.splitlines() == [
        "Asking the teacher: 140 of 200  1:00 left",
        "Asking the teacher: 180 of 200  0:20 left",
    ]


def test_a_narrow_terminal_gets_several_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    fields = ["step 5/50", "loss 0.6931", "lr 0.0020", "1:01 left"]
    assert train_display._laid_out(fields) == "step 5/50  loss 0.6931  lr 0.0020  1:01 left"
    monkeypatch.setattr(train_display, "has_colours", lambda stream: True)
    monkeypatch.setenv("COLUMNS", "24")
    assert train_display._laid_out(fields) == "step 5/50  loss 0.6931\n  lr 0.0020  1:01 left"


def test_a_training_in_a_pipe(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", *TINY, "--output_dir", str(tmp_path / "model")]) == 0
    printed = capsys.readouterr()
    assert re.search(r"^step 1/2  epoch 0\.5  loss \d\.\d{4}  gradient \S+  lr \S+", printed.out, re.MULTILINE)
    assert re.search(r"^step 2/2  epoch 1  validation loss \d\.\d{4}  accuracy \d\.\d{4}", printed.out, re.MULTILINE)
    assert re.search(r"^trained 2 steps in 0:0\d  [\d,]+ texts a second$", printed.out, re.MULTILINE)
    assert "{" not in printed.out and "it/s" not in printed.err and "\x1b" not in printed.out + printed.err
    assert printed.out.count("step 1/2") == 1


class TestFollowTraining:
    """The bars that the events of a training move."""

    @pytest.fixture
    def screen(self, monkeypatch: pytest.MonkeyPatch) -> Console:
        monkeypatch.setattr(sys, "stderr", io.StringIO())
        return Console(file=sys.stderr, force_terminal=True, width=60)

    def follow(self, screen: Console, tmp_path: Path, disable_tqdm: bool) -> str:
        args = TrainingArguments(str(tmp_path), disable_tqdm=disable_tqdm, use_cpu=True)
        with Bars(screen) as bars:
            callback, control = FollowTraining(bars), TrainerControl()
            callback.on_train_begin(args, state(0), control)
            callback.on_step_end(args, state(1), control)
            callback.on_prediction_step(args, state(1), control, eval_dataloader=[0, 0, 0])
            callback.on_evaluate(args, state(1), control)
            callback.on_train_end(args, state(50), control)
        return screen.file.getvalue()

    def test_training_and_measuring(self, screen: Console, tmp_path: Path) -> None:
        shown = self.follow(screen, tmp_path, disable_tqdm=False)
        assert "Training" in shown and "/50" in shown and "Measuring" in shown and "/3" in shown

    def test_none_where_they_are_not_wanted(self, screen: Console, tmp_path: Path) -> None:
        assert self.follow(screen, tmp_path, disable_tqdm=True) == ""

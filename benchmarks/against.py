"""The speed of this checkout against another one: `python -m benchmarks.against FOLDER`.

Two processes, one with either checkout on its path, take turns on the same batches. So a change can be held against
the version before it: `git worktree add ../before HEAD~1 && python -m benchmarks.against ../before`.
"""

# ruff: noqa: T201
from __future__ import annotations

import argparse
import contextlib
import functools
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any


CALLS = ("inference", "left padding", "training step", "ONNX float32", "ONNX int8")
LENGTH, BATCH, VOCABULARY = 240, 26, 20_000
WORKER = "--worker"


def main(argv: Sequence[str] | None = None) -> int:
    """Print the median time of each call in either checkout, and the ratio; 0 on success."""
    parser = argparse.ArgumentParser("python -m benchmarks.against", description=__doc__.splitlines()[0])
    parser.add_argument("checkout", type=Path, help="folder of the other checkout")
    parser.add_argument("--rounds", type=int, default=7, help="how often each call is timed in either (7)")
    parser.add_argument("--threads", type=int, default=1, help="threads of torch and of ONNX Runtime (1)")
    parser.add_argument("--only", nargs="+", choices=CALLS, default=CALLS, metavar="CALL", help=", ".join(CALLS))
    parsed = parser.parse_args(argv)
    if not (parsed.checkout / "hfattnlstm").is_dir():
        parser.error(f"{parsed.checkout} holds no package hfattnlstm: give the folder of a checkout.")
    own = Path(__file__).resolve().parents[1]
    with contextlib.ExitStack() as stack:
        workers = [stack.enter_context(_Worker(folder, parsed.threads)) for folder in (parsed.checkout.resolve(), own)]
        print(f"{'call':<14}{'other, ms':>11}{'this, ms':>10}{'this / other':>14}{'middle half':>14}")
        for call in parsed.only:
            print(_line(call, workers, parsed.rounds), flush=True)
    return 0


def _line(call: str, workers: Sequence[_Worker], rounds: int) -> str:
    from benchmarks.timing import spread

    times: list[list[float]] = [[], []]
    for number in range(rounds):
        # Each is first in every other round.
        for index in (0, 1) if number % 2 else (1, 0):
            times[index].append(workers[index].time(call))
    other, this = (spread(values).median for values in times)
    ratio = spread([mine / theirs for theirs, mine in zip(*times)])
    half = f"{ratio.low:.3f}–{ratio.high:.3f}"
    return f"{call:<14}{1e3 * other:>11.1f}{1e3 * this:>10.1f}{ratio.median:>14.3f}{half:>14}"


class _Worker:
    """A process that times calls of the package in a checkout."""

    def __init__(self, checkout: Path, threads: int):
        path = os.pathsep.join([str(checkout), os.environ.get("PYTHONPATH", "")])
        self._process = subprocess.Popen(
            [sys.executable, __file__, WORKER],
            env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": str(threads), "HF_HUB_OFFLINE": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            found = Path(self._answer())
            if checkout not in found.parents:
                raise RuntimeError(f"The package was imported from {found}, not from {checkout}: unset PYTHONPATH.")
        except RuntimeError:
            self.__exit__()
            raise

    def __enter__(self) -> _Worker:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.communicate()

    def time(self, call: str) -> float:
        """Seconds that the call takes."""
        self._process.stdin.write(call + "\n")
        self._process.stdin.flush()
        return float(self._answer())

    def _answer(self) -> str:
        line = self._process.stdout.readline().strip()
        if not line:
            raise RuntimeError("The process of a checkout has ended: run its own tests first.")
        return line


def _serve() -> None:
    """Time what is asked for on standard input."""
    import hfattnlstm

    print(hfattnlstm.__file__, flush=True)
    calls = _calls()
    warm = set()
    for line in sys.stdin:
        call = calls[line.strip()]
        if call not in warm:
            warm.add(call)
            call()
        start = time.perf_counter()
        for _ in range(3):
            call()
        print((time.perf_counter() - start) / 3, flush=True)


def _calls() -> dict[str, Callable[[], object]]:
    import torch

    from hfattnlstm import AttnLSTMConfig, AttnLSTMForSequenceClassification
    from hfattnlstm.deploy import export_onnx, open_session

    torch.manual_seed(0)
    # Only names that every version has.
    config = AttnLSTMConfig(vocab_size=VOCABULARY, classifier_pooling=["attention", "max"])
    model = AttnLSTMForSequenceClassification(config).eval()
    ids = torch.randint(1, VOCABULARY, (BATCH, LENGTH))
    mask = torch.arange(LENGTH) < torch.randint(LENGTH * 9 // 10, LENGTH + 1, (BATCH, 1))
    labels = torch.randint(0, 2, (BATCH,))
    feed = {"input_ids": ids.numpy(), "attention_mask": mask.long().numpy()}

    @functools.cache
    def session(int8: bool) -> Any:
        with tempfile.TemporaryDirectory() as folder:
            return open_session(export_onnx(model, folder, int8=int8).path)

    def infer(mask: torch.Tensor) -> None:
        with torch.inference_mode():
            model(ids, mask, output_attentions=True)

    def train() -> None:
        model.train()
        model(ids, mask, labels=labels).loss.backward()
        model.zero_grad()
        model.eval()

    return {
        "inference": lambda: infer(mask),
        "left padding": lambda: infer(mask.flip(1)),
        "training step": train,
        "ONNX float32": lambda: session(False).run(None, feed),
        "ONNX int8": lambda: session(True).run(None, feed),
    }


if __name__ == "__main__":
    if sys.argv[1:] == [WORKER]:
        _serve()
    else:
        sys.exit(main())

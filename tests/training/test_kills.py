"""A training that is killed at any moment, again and again, ends with the weights of one that was not."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from loopback_hub import run_python


TESTS = Path(__file__).parent.parent
# The libraries are imported once, and nothing is computed before the processes part.
KILLS = """
import os, random, signal, sys, time
sys.path.insert(0, TESTS)
from pathlib import Path
import torch
from safetensors.torch import load_file, save_file
from hfattnlstm.training.manifests import MANIFEST, fault_of, numbered_checkpoints
from training.training_helpers import make_dataset, make_model, make_trainer, weights_of

SAVED = {"save_strategy": "steps", "save_steps": 1, "save_total_limit": 3, "num_train_epochs": 1}


def train(folder):
    # Only what is written after the manifest could be lost, so any of them will do.
    found = any((path / MANIFEST).is_file() and fault_of(path) is None for path in numbered_checkpoints(folder))
    trainer = make_trainer(folder, make_model(seed=0), make_dataset(), **SAVED)
    trainer.train(resume_from_checkpoint=found or None)
    save_file(weights_of(trainer.model), folder / "end.safetensors")


def child(folder):
    number = os.fork()
    if not number:
        sys.stdout = sys.stderr = open(os.devnull, "w")
        train(folder)
        os._exit(0)
    return number


begun = time.monotonic()
assert os.waitpid(child(Path("whole")), 0)[1] == 0
took = time.monotonic() - begun
chooser, kills, steps = random.Random(SEED), 0, set()
while not Path("killed/end.safetensors").exists() or kills < COUNT:
    if Path("killed/end.safetensors").exists():
        # It came to its end before there were enough of them: once more from the beginning.
        expected, found = load_file("whole/end.safetensors"), load_file("killed/end.safetensors")
        assert all(torch.equal(tensor, found[name]) for name, tensor in expected.items())
        os.rename("killed", f"killed-{kills}")
    number = child(Path("killed"))
    if kills < COUNT:
        time.sleep(chooser.uniform(0.1, 0.9) * took)
        os.kill(number, signal.SIGKILL)
    # One that had come to its end before waits for us, and is no more.
    kills += os.WIFSIGNALED(os.waitpid(number, 0)[1])
    steps.add(tuple(path.name for path in numbered_checkpoints(Path("killed"))))
expected, found = load_file("whole/end.safetensors"), load_file("killed/end.safetensors")
assert all(torch.equal(tensor, found[name]) for name, tensor in expected.items())
print(kills, len(steps))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
@pytest.mark.parametrize("count", [pytest.param(3), pytest.param(50, marks=pytest.mark.long)])
def test_killed_at_random_moments(count: int, tmp_path: Path) -> None:
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
    code = KILLS.replace("TESTS", repr(str(TESTS))).replace("SEED", "0").replace("COUNT", str(count))
    kills, places = map(int, run_python(code, {"HF_HUB_OFFLINE": "1"}, tmp_path).split())
    assert kills >= count and places > 1

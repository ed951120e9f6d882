"""`hfattnlstm env`: what the report of a fault says of the machine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import transformers

import hfattnlstm
from hfattnlstm.commands import env
from hfattnlstm.commands.main import main


def test_it_prints_a_line_for_each_fact(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["env"]) == 0
    lines = capsys.readouterr().out.splitlines()
    facts = dict(line.split(maxsplit=1) for line in lines)
    assert len(facts) == len(lines)
    assert facts["hfattnlstm"] == hfattnlstm.__version__
    assert (facts["torch"], facts["transformers"]) == (torch.__version__, transformers.__version__)
    assert facts["torch_threads"] == str(torch.get_num_threads())
    assert facts["OMP_NUM_THREADS"] == "1"
    assert facts["processor"] and facts["memory"]


def test_json_has_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["env", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found == env.describe_environment()


def test_a_missing_library_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise env.PackageNotFoundError(name)

    monkeypatch.setattr(env, "version", missing)
    found = env.describe_environment()
    assert found["scikit-learn"] == 'not installed: pip install "hfattnlstm[train]"'
    assert found["onnxruntime"] == 'not installed: pip install "hfattnlstm[onnx]"'
    assert found["torch"] == "not installed"


@pytest.mark.parametrize(
    ("fast", "beginning"), [(True, 'float32; bfloat16 with dtype="auto"'), (False, 'float32, with dtype="auto", too')]
)
def test_it_says_which_dtype_is_computed_in(fast: bool, beginning: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(env, "has_fast_bfloat16", lambda device: fast)
    assert env.describe_environment()["dtype"].startswith(beginning)


def test_it_knows_the_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    assert env.describe_environment()["recurrence"].startswith("the fused LSTM of torch")

    def own() -> None: ...

    monkeypatch.setattr(env, "default_backend", lambda: own)
    assert env.describe_environment()["recurrence"] == "own"


def test_a_machine_that_tells_little_is_no_mistake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    monkeypatch.delattr(env.os, "sysconf")
    monkeypatch.delattr(env.os, "sched_getaffinity")
    monkeypatch.setattr(env, "_CPU_FILE", tmp_path / "none")
    found = env.describe_environment()
    assert found["memory"] == "unknown" and found["instructions"] == "torch knows of none" and found["processor"]

"""Closed and full standard streams, in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from predict_helpers import save_model


# Each starts processes that import torch.
pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_model(tmp_path_factory.mktemp("model"))


def shell(command: str, folder: Path) -> subprocess.CompletedProcess:
    """Run a command in the shell, in which `hfattnlstm` is this package's."""
    program = f"{sys.executable} -m hfattnlstm"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    words = ["/bin/sh", "-c", command.replace("hfattnlstm", program)]
    return subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True)


def test_closed_input(model: str, tmp_path: Path) -> None:
    done = shell(f"hfattnlstm predict {model} <&-", tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "hfattnlstm predict: Standard input is closed: give texts, or --file.\n"


def test_closed_output(model: str, tmp_path: Path) -> None:
    for output in ("", "--output /dev/stdout"):
        done = shell(f"hfattnlstm predict {model} good {output} >&-", tmp_path)
        assert done.returncode == 2
        assert done.stderr == (
            "hfattnlstm predict: Standard output is closed, and the results would be lost: name a file by --output.\n"
        )


def test_all_closed_and_a_file(model: str, tmp_path: Path) -> None:
    done = shell(f"hfattnlstm predict {model} good --output labels.csv <&- >&- 2>&-", tmp_path)
    assert done.returncode == 0
    header, row = (tmp_path / "labels.csv").read_text().splitlines()
    assert header == "text,label,score" and row.startswith("good,")


def test_closed_errors_do_not_come_as_results(model: str, tmp_path: Path) -> None:
    done = shell("hfattnlstm predict ./nowhere good 2>&-", tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    done = shell(f"hfattnlstm export {model} --output onnx >&- 2>&- <&-", tmp_path)
    assert done.returncode == 0 and (tmp_path / "onnx" / "model.onnx").is_file()


def test_a_full_disk(model: str, tmp_path: Path) -> None:
    for output, place in (("> /dev/full", ""), ("--output /dev/full --format csv", " at /dev/full")):
        done = shell(f"hfattnlstm predict {model} good {output}", tmp_path)
        assert done.returncode == 2
        assert done.stderr == (
            f"hfattnlstm predict: The disk is full{place}: make room there, and run the command again.\n"
        )


def test_standard_output_by_its_path_goes_on_where_it_was(model: str, tmp_path: Path) -> None:
    command = f"{{ echo before; hfattnlstm predict {model} good --output /dev/stdout; echo after; }}"
    shell(f"{command} > all.txt", tmp_path)
    first, label, last = (tmp_path / "all.txt").read_text().splitlines()
    assert (first, last) == ("before", "after") and label.endswith("\tgood")
    assert shell(f"{command} | cat", tmp_path).stdout == (tmp_path / "all.txt").read_text()

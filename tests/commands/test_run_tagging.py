"""The script that trains a tagger is the command."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest


SCRIPT = Path(__file__).parents[2] / "scripts" / "run_tagging.py"


def test_the_script_is_the_command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [SCRIPT.name, "--use_crf", "true"])
    with pytest.raises(SystemExit) as stop:
        runpy.run_path(str(SCRIPT), run_name="__main__")
    assert stop.value.code == 2
    assert capsys.readouterr().err == "hfattnlstm train: Give either --dataset or --train_file.\n"

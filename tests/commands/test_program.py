"""How the command is called in what we print."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from hfattnlstm.commands.program import path_from_here, program


@pytest.fixture
def bin_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder of a Python's executables that is not on PATH, below a folder with a space in its name."""
    folder = tmp_path / "my project" / ".venv" / "bin"
    write_executable(folder)
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    monkeypatch.setenv("PATH", str(tmp_path / "elsewhere"))
    monkeypatch.chdir(tmp_path)
    return folder


def write_executable(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "hfattnlstm").write_text("#!/bin/sh\necho called in ${PWD##*/}\n")
    (folder / "hfattnlstm").chmod(0o755)


def called(command: str) -> str:
    """What the shell prints for the command, or nothing where it does not find it."""
    return subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True).stdout


def test_on_path_it_is_the_name(bin_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(bin_folder))
    assert program() == "hfattnlstm"


def test_off_path_it_is_a_path_from_here_that_the_shell_takes(
    bin_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert program() == "'my project/.venv/bin/hfattnlstm'"
    monkeypatch.setenv("PATH", "/bin:/usr/bin")
    assert called(program()).startswith("called in ")
    monkeypatch.chdir(bin_folder.parents[1])
    assert program() == ".venv/bin/hfattnlstm"
    monkeypatch.chdir(bin_folder)
    assert program() == "./hfattnlstm"
    assert called(program()) == "called in bin\n"


def test_elsewhere_it_is_the_whole_path(bin_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (bin_folder.parents[1] / "work").mkdir()
    monkeypatch.chdir(bin_folder.parents[1] / "work")
    assert program() == shlex.quote(str(bin_folder / "hfattnlstm"))


def test_another_one_on_path_is_not_ours(bin_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_executable(tmp_path / "other")
    monkeypatch.setenv("PATH", str(tmp_path / "other"))
    assert program() == "'my project/.venv/bin/hfattnlstm'"


def test_without_an_executable_it_is_a_module_of_this_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = sys.executable
    monkeypatch.setattr(sys, "executable", str(tmp_path / "a b" / "python"))
    assert program() == f"{shlex.quote(str(tmp_path / 'a b' / 'python'))} -m hfattnlstm"
    monkeypatch.setattr(sys, "executable", python)
    asked = [sys.executable, "-m", "hfattnlstm", "--version"]
    root = Path(__file__).parents[2]
    assert subprocess.run(asked, cwd=root, capture_output=True, text=True).stdout.startswith("hfattnlstm ")


def test_a_path_keeps_its_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to("/")
    assert path_from_here(tmp_path / "link") == "./link"
    assert path_from_here(Path("link") / "etc") == "link/etc"

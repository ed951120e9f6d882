"""The fenced blocks of a page of the documentation, and a shell and a Python that run them in order.

A block ```bash is run by a shell, ```python by Python, in one namespace for the page; ```text after one of them is
what it prints. There, a line with … alone stands for any number of lines, … within a line for anything, and any number
for any other one. A block under `<!-- not run: why -->` is left out.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any


ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
_FENCE = re.compile(r"^(?P<not_run><!-- not run: .+ -->\n+)?```(?P<kind>\w*)[^\n]*\n(?P<code>.*?)^```$", re.M | re.S)
_NUMBER = re.compile(r"\d[\d,]*(\.\d+)?(e[-+]?\d+)?")
_PROGRAMS = {
    "hfattnlstm": "#!/bin/sh\nexec '{python}' -m hfattnlstm \"$@\"\n",
    # No link, which would forget its virtual environment.
    "python": "#!/bin/sh\nexec '{python}' \"$@\"\n",
}


@dataclass(frozen=True)
class Block:
    """A fenced block: its kind, its code, and the text that a reader is told it prints."""

    kind: str
    code: str
    line: int
    printed: str | None = None


def blocks(page: Path) -> list[Block]:
    """The blocks of a page that are run, each with the text that follows it."""
    found: list[Block] = []
    text = page.read_text("utf-8")
    for fence in _FENCE.finditer(text):
        line = text.count("\n", 0, fence.start("kind")) + 1
        if fence["kind"] == "text" and found and found[-1].printed is None:
            last = found.pop()
            found.append(Block(last.kind, last.code, last.line, fence["code"]))
        elif fence["kind"] in ("bash", "python") and not fence["not_run"]:
            found.append(Block(fence["kind"], fence["code"], line))
    return found


def command_lines(page: Path) -> Iterator[str]:
    """Every line of a page that calls `hfattnlstm`, run or not, with what continues it."""
    for fence in _FENCE.finditer(page.read_text("utf-8")):
        if fence["kind"] in ("bash", ""):
            for line in fence["code"].replace("\\\n", " ").splitlines():
                for part in re.split(r"\||&&", line.partition(" #")[0]):
                    if part.strip().startswith("hfattnlstm "):
                        yield part.strip()


def run_page(page: Path, folder: Path, start: Path | None = None) -> Path:
    """Run the blocks of a page in a folder, and compare what they print.

    Args:
        page: The page.
        folder: An empty folder.
        start: Files that are there when it begins.

    Returns:
        Where they were run.
    """
    programs = folder / "bin"
    programs.mkdir()
    for name, program in _PROGRAMS.items():
        (programs / name).write_text(program.format(python=sys.executable))
        (programs / name).chmod(0o755)
    environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT), "COLUMNS": "80"}
    names: dict[str, Any] = {"__name__": "page"}
    place = folder / "place"
    shutil.copytree(start, place) if start else place.mkdir()
    if "python scripts/" in page.read_text("utf-8"):
        # A page with them is for who has a clone.
        (place / "scripts").symlink_to(ROOT / "scripts")
    with contextlib.chdir(place):
        for block in blocks(page):
            run = _run_python if block.kind == "python" else _run_shell
            printed = run(block, names, environment)
            if block.printed is not None:
                assert alike(block.printed, printed), f"{page}:{block.line} prints\n{printed}"
    return place


def _run_shell(block: Block, _: dict[str, Any], environment: dict[str, str]) -> str:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block.code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"line {block.line}: {block.code}{done.stdout}{done.stderr[-3000:]}"
    return done.stdout


def _run_python(block: Block, names: dict[str, Any], _: dict[str, str]) -> str:
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(block.code, f"block at line {block.line}", "exec"), names)
    return printed.getvalue()


def alike(wanted: str, printed: str) -> bool:
    """Whether a text is what a page shows, but for spaces, numbers, and what `…` stands for."""
    pattern = re.escape(_plain(wanted)).replace("…", ".*")
    return re.fullmatch(pattern, _plain(printed), re.S) is not None


def _plain(text: str) -> str:
    text = re.sub(r"\s*…\s*", "…", _NUMBER.sub("#", text))
    return " ".join(text.split())

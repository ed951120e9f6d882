"""Runs commands on harmful files in one process with little memory; prints what went wrong as JSON.

    python run_hostile.py FOLDER SEED COUNT

`FOLDER/cases.json` has a list of `{"files": folder, "changed": [names], "commands": [[words], …]}`, in whose words
NAME stands for the file that is changed.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import resource
import shutil
import signal
import sys
import time
import warnings
from pathlib import Path

from hostile import harmful

from hfattnlstm.commands.main import main


MEMORY, SECONDS = 6 << 30, 20


class TookTooLongError(BaseException):
    """No handler of a command takes it for one of its errors."""


def late(*_: object) -> None:
    raise TookTooLongError


def outcome(words: list[str]) -> str | None:
    """What was wrong about how a command ended, or None."""
    shown, begun = io.StringIO(), time.monotonic()
    signal.alarm(SECONDS)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(shown):
            status = main(words)
    except TookTooLongError:
        return f"took more than {SECONDS} s"
    except SystemExit as stop:
        status = stop.code
    except BaseException as error:
        return f"{type(error).__name__}: {error}"[:300]
    finally:
        signal.alarm(0)
    if time.monotonic() - begun > SECONDS:
        return f"took more than {SECONDS} s"
    if status not in (0, 2):
        return f"status {status}: {shown.getvalue()[-400:]}"
    return None


def run(folder: Path, seed: int, count: int) -> list[dict]:
    cases, chooser, wrong = json.loads((folder / "cases.json").read_text()), random.Random(seed), []
    for number in range(count):
        case = cases[number % len(cases)]
        place = folder / "case"
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(folder / case["files"], place)
        name = chooser.choice(case["changed"])
        content = harmful(name, (place / name).read_bytes(), chooser)
        (place / name).write_bytes(content)
        for words in ([word.replace("NAME", name) for word in words] for words in case["commands"]):
            fault = outcome(words)
            if fault is None and (folder / "ran").exists():
                fault = "it ran code"
            if fault is not None:
                kept = folder / f"wrong-{number}"
                shutil.copytree(place, kept, dirs_exist_ok=True)
                wrong.append({"number": number, "file": name, "command": words, "fault": fault})
    return wrong


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    os.chdir(folder)
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGALRM, late)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    found = run(folder, int(sys.argv[2]), int(sys.argv[3]))
    (folder / "wrong.json").write_text(json.dumps(found))

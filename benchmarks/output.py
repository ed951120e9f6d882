"""Where results go: the terminal, and files that are checked before hours are spent on what should be in them."""

# ruff: noqa: T201
from __future__ import annotations

import argparse
import datetime
import importlib.util
import json
import logging
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from transformers.utils import logging as transformers_logging

from .machine import describe_machine, usable_cores, versions
from .table import Table, as_markdown


PICTURES = (".png", ".svg", ".pdf")


class Parser(argparse.ArgumentParser):
    """Flags of the benchmarks."""

    def error(self, message: str) -> NoReturn:
        """Tell a mistake in one sentence."""
        self.exit(2, f"benchmarks: {message}\n")


@dataclass(frozen=True)
class Files:
    """Files for the results, each of which may be None.

    Attributes:
        json: For the raw results.
        markdown: For the tables as Markdown.
        plot: A picture.
    """

    json: Path | None = None
    markdown: Path | None = None
    plot: Path | None = None

    def mistake(self) -> str | None:
        """Why one of them cannot be written; None where all can be."""
        for path in (self.json, self.markdown, self.plot):
            if path is not None and (mistake := _mistake_in(path)):
                return mistake
        if self.plot and self.plot.suffix not in PICTURES:
            return f"--plot makes {', '.join(PICTURES)} files, got {self.plot}."
        if self.plot and importlib.util.find_spec("matplotlib") is None:
            return "--plot needs matplotlib, which is not installed: pip install matplotlib."
        return None

    def write(
        self, record: dict[str, Any], tables: Sequence[Table], draw: Callable[[Table, Path], object] | None = None
    ) -> None:
        """Write what there is so far: a later table may be interrupted.

        Args:
            record: What [`make_record`] gave.
            tables: Those that are finished.
            draw: Makes the picture of the last one, where there is a flag for it.
        """
        if self.json is not None:
            results = {**record, "tables": [table.as_dict() for table in tables]}
            self.json.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        if self.markdown is not None:
            text = "\n\n".join([_machine_line(record), *map(as_markdown, tables)])
            self.markdown.write_text(text + "\n", encoding="utf-8")
        if self.plot is not None and draw is not None:
            draw(tables[-1], self.plot)


def add_files(parser: argparse.ArgumentParser, plot: str | None = None) -> None:
    """The flags that name them; `plot` is what is said of the picture, of which there is none without."""
    parser.add_argument("--json", type=Path, help="file for the raw results")
    parser.add_argument("--markdown", type=Path, help="file for the tables as Markdown")
    if plot is not None:
        parser.add_argument("--plot", type=Path, help=plot)


def report(line: str) -> None:
    """Tell of the progress, on standard error."""
    print(f"{datetime.datetime.now():%H:%M:%S}  {line}", file=sys.stderr, flush=True)


def hush() -> None:
    """Keep the warnings and the progress of all libraries out of the tables."""
    os.environ["TOKENIZERS_PARALLELISM"] = os.environ.get("TOKENIZERS_PARALLELISM", "true")
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()


def default_threads() -> int:
    """Threads of torch where nobody says otherwise."""
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    return int(wanted) if wanted.isdigit() and int(wanted) else usable_cores()


def make_record(arguments: Sequence[str], **facts: Any) -> dict[str, Any]:
    """What belongs to every result: the command, the day, the machine and the versions, and further facts."""
    return {
        "command": " ".join(["python -m benchmarks", *arguments]),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        **facts,
        "machine": describe_machine(),
        "versions": versions(),
    }


def _mistake_in(path: Path) -> str | None:
    existed = path.exists()
    try:
        path.open("a").close()
    except OSError as error:
        return f"the file {path} cannot be written: {error.strerror}."
    if not existed:
        path.unlink()
    return None


def _machine_line(record: dict[str, Any]) -> str:
    machine = record["machine"]
    memory = f", {machine['memory_bytes'] / 2**30:.0f} GiB" if machine["memory_bytes"] else ""
    instructions = ", ".join(machine["instructions"]) or "none of note"
    packages = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
    return (
        f"`{record['command']}`, {record['date'][:10]}: {machine['processor']}, {machine['cores']} cores{memory}, "
        f"threads: {machine['torch_threads']}, {instructions}; Python {machine['python']}, {packages}."
    )

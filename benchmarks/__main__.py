"""The command line of the benchmarks: `python -m benchmarks TABLE`."""

# ruff: noqa: T201
from __future__ import annotations

import argparse
import datetime
import importlib
import importlib.util
import json
import logging
import os
import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import torch
from transformers.utils import logging as transformers_logging

from .machine import describe_machine, usable_cores, versions
from .options import Options
from .table import Table, as_markdown, as_text
from .timing import reason


TABLES = {
    "training-step": "training_step",
    "trainer-run": "trainer_run",
    "inference": "inference",
    "pipeline": "pipeline",
    "latency": "latency",
    "growth": "growth",
    "limit": "limit",
    "gpu": "gpu",
}
PICTURES = (".png", ".svg", ".pdf")
DESCRIPTION = """Measure the models against what people would use instead.

Each table times its candidates in turn, round by round, in one process, and waits before each round until nobody else
uses the machine. Ratios are medians over the rounds.
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Tell a mistake in one sentence."""
        self.exit(2, f"benchmarks: {message}\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tables; 0 on success, 1 if one failed, 2 after a mistake that is told in one sentence."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = _make_parser()
    parsed = parser.parse_args(arguments)
    if parsed.table not in (*TABLES, "all"):
        parser.error(f"there is no table {parsed.table!r}: choose one of {', '.join(TABLES)}, or all.")
    names = list(TABLES) if parsed.table == "all" else [parsed.table]
    plots = {name: _plot_path(parsed.plot, name, len(names) > 1) for name in names}
    for path in (parsed.json, parsed.markdown, *plots.values()):
        if path is not None and (mistake := _mistake_in(path)):
            parser.error(mistake)
    if parsed.plot and parsed.plot.suffix not in PICTURES:
        parser.error(f"--plot makes {', '.join(PICTURES)} files, got {parsed.plot}.")
    if parsed.plot and importlib.util.find_spec("matplotlib") is None:
        parser.error("--plot needs matplotlib, which is not installed: pip install matplotlib.")
    options = _options(parsed)
    _hush()
    torch.set_num_threads(options.threads)
    record = _record(arguments, options)
    tables: list[Table] = []
    failed = False
    for name in names:
        try:
            tables.append(_run(name, options))
        except KeyboardInterrupt:
            return 130
        # The tables after it may well work.
        except Exception as error:
            _report(f"{name} failed, {reason(error)}")
            failed = True
            continue
        _write(parsed, record, tables, plots[name])
        print(f"\n{as_text(tables[-1])}\n", flush=True)
    return 1 if failed else 0


def _make_parser() -> argparse.ArgumentParser:
    parser = _Parser("python -m benchmarks", description=DESCRIPTION)
    parser.add_argument("table", metavar="TABLE", help=f"{', '.join(TABLES)}, or all")
    parser.add_argument("--quick", action="store_true", help="a smoke run of seconds, whose figures mean nothing")
    parser.add_argument("--rounds", type=int, default=None, help="how often each candidate is timed (7)")
    parser.add_argument("--budget", type=float, default=2.0, help="seconds that one timed call should take (2)")
    parser.add_argument(
        "--patience", type=float, default=300.0, help="seconds a configuration may wait for quiet (300)"
    )
    parser.add_argument("--threads", type=int, default=None, help="threads of torch; as many as cores without")
    parser.add_argument("--seed", type=int, default=0, help="seed of texts and weights (0)")
    parser.add_argument("--only", nargs="+", default=(), metavar="NAME", help="parts of the names of candidates")
    parser.add_argument("--main", action="store_true", help="only the main configuration")
    parser.add_argument("--json", type=Path, help="file for the raw results")
    parser.add_argument("--markdown", type=Path, help="file for the tables as Markdown")
    parser.add_argument("--plot", type=Path, help="picture, such as speed.png; all gives one for each table")
    return parser


def _options(parsed: argparse.Namespace) -> Options:
    rounds = parsed.rounds if parsed.rounds is not None else 2 if parsed.quick else 7
    threads = parsed.threads if parsed.threads is not None else _default_threads()
    for name, value in (("rounds", rounds), ("budget", parsed.budget), ("threads", threads)):
        if value <= 0:
            _make_parser().error(f"--{name} must be above 0, got {value:g}.")
    for name in ("patience", "seed"):
        if getattr(parsed, name) < 0:
            _make_parser().error(f"--{name} must not be below 0, got {getattr(parsed, name):g}.")
    return Options(
        quick=parsed.quick,
        rounds=rounds,
        budget=parsed.budget,
        patience=0.0 if parsed.quick else parsed.patience,
        threads=threads,
        seed=parsed.seed,
        only=tuple(parsed.only),
        main=parsed.main,
        report=_report,
    )


def _default_threads() -> int:
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    return int(wanted) if wanted.isdigit() and int(wanted) else usable_cores()


def _report(line: str) -> None:
    print(f"{datetime.datetime.now():%H:%M:%S}  {line}", file=sys.stderr, flush=True)


def _hush() -> None:
    """Keep the warnings and the progress of all libraries out of the tables."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ["TOKENIZERS_PARALLELISM"] = os.environ.get("TOKENIZERS_PARALLELISM", "true")
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()


def _plot_path(path: Path | None, table: str, several: bool) -> Path | None:
    return path.with_name(f"{path.stem}-{table}{path.suffix}") if path and several else path


def _mistake_in(path: Path) -> str | None:
    """Why a file cannot be written, before hours are spent on what should be in it."""
    existed = path.exists()
    try:
        path.open("a").close()
    except OSError as error:
        return f"the file {path} cannot be written: {error.strerror}."
    if not existed:
        path.unlink()
    return None


def _record(arguments: list[str], options: Options) -> dict[str, Any]:
    return {
        "command": " ".join(["python -m benchmarks", *arguments]),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "seed": options.seed,
        "rounds": options.rounds,
        "machine": describe_machine(),
        "versions": versions(),
    }


def _run(name: str, options: Options) -> Table:
    torch.manual_seed(options.seed)
    start = time.monotonic()
    table = importlib.import_module(f".tables.{TABLES[name]}", __package__).run(options)
    _report(f"{name} took {time.monotonic() - start:.0f} s")
    if options.quick:
        table.notes.insert(0, "A smoke run: these figures mean nothing.")
    return table


def _write(parsed: argparse.Namespace, record: dict[str, Any], tables: list[Table], plot: Path | None) -> None:
    """Write what there is so far: a later table may be interrupted."""
    if parsed.json is not None:
        results = {**record, "tables": [table.as_dict() for table in tables]}
        parsed.json.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if parsed.markdown is not None:
        text = "\n\n".join([_machine_line(record), *map(as_markdown, tables)])
        parsed.markdown.write_text(text + "\n", encoding="utf-8")
    if plot is not None:
        # Only here, because not everybody has matplotlib.
        from .plot import draw

        draw(tables[-1], plot)


def _machine_line(record: dict[str, Any]) -> str:
    machine = record["machine"]
    memory = f", {machine['memory_bytes'] / 2**30:.0f} GiB" if machine["memory_bytes"] else ""
    instructions = ", ".join(machine["instructions"]) or "none of note"
    packages = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
    return (
        f"`{record['command']}`, {record['date'][:10]}: {machine['processor']}, {machine['cores']} cores{memory}, "
        f"threads: {machine['torch_threads']}, {instructions}; Python {machine['python']}, {packages}."
    )


if __name__ == "__main__":
    sys.exit(main())

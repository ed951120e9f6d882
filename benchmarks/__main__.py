"""The command line of the benchmarks: `python -m benchmarks TABLE`."""

# ruff: noqa: T201
from __future__ import annotations

import argparse
import importlib
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from .options import Options
from .output import Files, Parser, add_files, default_threads, hush, make_record, report
from .table import Table, as_text
from .timing import reason


TABLES = {
    "training-step": "training_step",
    "trainer-run": "trainer_run",
    "inference": "inference",
    "pipeline": "pipeline",
    "latency": "latency",
    "explain": "explain",
    "forecast": "forecast",
    "tagging": "tagging",
    "writing": "writing",
    "growth": "growth",
    "folders": "folders",
    "attention": "attention",
    "limit": "limit",
    "gpu": "gpu",
}
# They have flags of their own, and are none of "all", because they need somebody's texts or model.
OTHERS = ("accuracy", "faithful", "biases", "typos", "hashing")
DESCRIPTION = """Measure the models against what people would use instead.

Each table times its candidates in turn, round by round, in one process, and waits before each round until nobody else
uses the machine. Ratios are medians over the rounds. How good they are, instead of how fast, is measured on texts with
labels: see python -m benchmarks accuracy --help. How far their explanations can be trusted: see python -m benchmarks
faithful --help. What a classifier of opinions makes of names, groups and negations: see python -m benchmarks biases
--help. What typing mistakes cost it: see python -m benchmarks typos --help. What hashed attention sees: see python -m
benchmarks hashing --help.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tables; 0 on success, 1 if one failed, 2 after a mistake that is told in one sentence."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] and arguments[0] in OTHERS:
        return importlib.import_module(f".{arguments[0]}.command", __package__).main(arguments[1:])
    parser = _make_parser()
    parsed = parser.parse_args(arguments)
    if parsed.table not in (*TABLES, "all"):
        parser.error(f"there is no table {parsed.table!r}: choose one of {', '.join((*TABLES, *OTHERS))}, or all.")
    names = list(TABLES) if parsed.table == "all" else [parsed.table]
    files = {name: _files(parsed, name, len(names) > 1) for name in names}
    for each in files.values():
        if mistake := each.mistake():
            parser.error(mistake)
    options = _options(parsed)
    _hush()
    torch.set_num_threads(options.threads)
    record = make_record(arguments, seed=options.seed, rounds=options.rounds)
    tables: list[Table] = []
    failed = False
    for name in names:
        try:
            tables.append(_run(name, options))
        except KeyboardInterrupt:
            return 130
        # The tables after it may well work.
        except Exception as error:
            report(f"{name} failed, {reason(error)}")
            failed = True
            continue
        files[name].write(record, tables, _draw)
        print(f"\n{as_text(tables[-1])}\n", flush=True)
    return 1 if failed else 0


def _make_parser() -> argparse.ArgumentParser:
    parser = Parser("python -m benchmarks", description=DESCRIPTION)
    parser.add_argument(
        "table", metavar="TABLE", help=f"{', '.join(TABLES)}, or all; or {' or '.join(OTHERS)}, with its own flags"
    )
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
    add_files(parser, "picture, such as speed.png; all gives one for each table")
    return parser


def _options(parsed: argparse.Namespace) -> Options:
    rounds = parsed.rounds if parsed.rounds is not None else 2 if parsed.quick else 7
    threads = parsed.threads if parsed.threads is not None else default_threads()
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
        report=report,
    )


def _hush() -> None:
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    hush()


def _files(parsed: argparse.Namespace, table: str, several: bool) -> Files:
    plot = parsed.plot
    if plot and several:
        plot = plot.with_name(f"{plot.stem}-{table}{plot.suffix}")
    return Files(parsed.json, parsed.markdown, plot)


def _draw(table: Table, path: Path) -> None:
    # Only here, because not everybody has matplotlib.
    from .plot import draw

    draw(table, path)


def _run(name: str, options: Options) -> Table:
    torch.manual_seed(options.seed)
    start = time.monotonic()
    table = importlib.import_module(f".tables.{TABLES[name]}", __package__).run(options)
    report(f"{name} took {time.monotonic() - start:.0f} s")
    if options.quick:
        table.notes.insert(0, "A smoke run: these figures mean nothing.")
    return table


if __name__ == "__main__":
    sys.exit(main())

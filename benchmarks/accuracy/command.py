"""`python -m benchmarks accuracy`: one command a table of accuracy and minutes."""

# ruff: noqa: T201
from __future__ import annotations

import argparse
import functools
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from hfattnlstm.data.progress import no_progress_bars

from ..machine import QuietMachine
from ..output import Files, Parser, add_files, default_threads, hush, make_record, report
from ..table import Table, as_text
from .candidates import Entry, entries
from .measure import Settings, run
from .problem import SPLIT_SEED, VALIDATION_SIZE, Split, load_split


SEEDS = (1, 2, 3)
DESCRIPTION = """Measure accuracy and minutes against what a person would use instead, on the same texts.

All candidates learn from the same training texts, of which they may hold out some of their own, and are scored on the
same others: the test split, or the validation split, or where there is neither, some of the training texts.
"""


def main(argv: Sequence[str]) -> int:
    """Print and write the table; 0 on success, 1 if nothing could be measured, 2 after a mistake.

    Args:
        argv: What follows `python -m benchmarks accuracy`.
    """
    parser = _make_parser()
    parsed = parser.parse_args(argv)
    files = Files(parsed.json, parsed.markdown, parsed.plot)
    if mistake := _mistake(parsed) or files.mistake():
        parser.error(mistake)
    candidates = entries(parsed.recipe, parsed.model, parsed.finetune, parsed.flags)
    settings = Settings(tuple(parsed.seeds), tuple(parsed.only), parsed.max_minutes, report)
    if mistake := _mistake_in_names(candidates, settings):
        parser.error(mistake)
    torch.set_num_threads(parsed.threads)
    try:
        _check_flags(candidates)
        split = _load(parsed)
    except (ImportError, OSError, TypeError, ValueError) as error:
        parser.error(str(error))
    hush()
    record = make_record(["accuracy", *argv], seeds=list(settings.seeds))
    try:
        with no_progress_bars():
            # Nobody waits, because a table takes hours; a busy machine is only told.
            keep = functools.partial(_write, files, record)
            table = run(candidates, split, settings, quiet=QuietMachine(0.0), keep=keep)
    except KeyboardInterrupt:
        return 130
    print(f"\n{as_text(table)}\n", flush=True)
    return 0 if any("minutes" in row for row in table.rows) else 1


def _make_parser() -> argparse.ArgumentParser:
    parser = Parser("python -m benchmarks accuracy", description=DESCRIPTION)
    add = parser.add_argument
    add("source", nargs="?", metavar="PATH_OR_HUB_NAME", help="texts with labels: a file, a folder or a Hub name")
    add("--train_file", help="file with the training texts, in place of PATH_OR_HUB_NAME")
    add("--test_file", help="file with the texts that are scored; some of the others are held out without")
    add("--text_column", help="column with the texts; found by its name without")
    add("--label_column", help="column with the labels; found by its name without")
    add("--dataset_config", help="configuration of a source that has several")
    add("--validation_size", type=float, help=f"share of the training texts that is held out ({VALIDATION_SIZE})")
    add("--split_seed", type=int, help=f"seed of their choice ({SPLIT_SEED})")
    add("--seeds", type=int, nargs="+", default=SEEDS, help="seeds of what is random (1 2 3)")
    add("--only", nargs="+", default=(), metavar="NAME", help="parts of the names of candidates, beside the baseline")
    add("--recipe", nargs="+", default=(), metavar="NAME", help="recipes of hfattnlstm train, a row each")
    add(
        "--flags",
        nargs="+",
        default=(),
        metavar='"--FLAG VALUE"',
        help="flags of hfattnlstm train, in quotes, a row each",
    )
    add(
        "--model", nargs="+", default=(), metavar="FOLDER", help="folders or Hub names of text classifiers, a row each"
    )
    add("--finetune", action="store_true", help="train them on the texts; else only those with the same labels count")
    add("--max_minutes", type=float, help="a candidate begins with no further seed once it has used so many")
    add("--threads", type=int, default=default_threads(), help="threads of torch; as many as cores without")
    add_files(parser, "picture of accuracy against minutes, such as accuracy.png")
    return parser


def _mistake(parsed: argparse.Namespace) -> str | None:
    """What is wrong with the flags, before anything is loaded."""
    if parsed.source is None and parsed.train_file is None:
        return "name the texts, as PATH_OR_HUB_NAME or with --train_file."
    if parsed.source is not None and parsed.train_file is not None:
        return "--train_file stands in place of PATH_OR_HUB_NAME: leave one of them out."
    if parsed.test_file is not None and parsed.train_file is None:
        return "--test_file goes with --train_file, which is missing."
    if parsed.finetune and not parsed.model:
        return "--finetune needs --model, which names what is fine-tuned."
    if parsed.validation_size is not None and not 0 < parsed.validation_size < 1:
        return f"--validation_size must lie between 0 and 1, got {parsed.validation_size:g}."
    if parsed.max_minutes is not None and parsed.max_minutes <= 0:
        return f"--max_minutes must be above 0, got {parsed.max_minutes:g}."
    if parsed.threads <= 0:
        return f"--threads must be above 0, got {parsed.threads}."
    if len(set(parsed.seeds)) < len(parsed.seeds):
        return f"--seeds must all be different, got {' '.join(map(str, parsed.seeds))}."
    seeds = {"seeds": min(parsed.seeds), "split_seed": parsed.split_seed}
    low = next((name for name, seed in seeds.items() if seed is not None and seed < 0), None)
    return f"--{low} must not be below 0, got {seeds[low]}." if low else None


def _mistake_in_names(candidates: Sequence[Entry], settings: Settings) -> str | None:
    names = [candidate.name for candidate in candidates]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        return f"two candidates are called {twice!r}: name each once."
    unknown = [part for part in settings.only if not any(part.lower() in name.lower() for name in names)]
    return f"--only {unknown[0]!r} is no part of any of {', '.join(names)}." if unknown else None


def _check_flags(candidates: Sequence[Entry]) -> None:
    """Refuse a recipe or a flag that there is not, before the others are measured."""
    chosen = [entry.arguments["flags"] for entry in candidates if "flags" in entry.arguments]
    if not chosen:
        return
    from .candidates.ours import make_task

    for flags in chosen:
        make_task(Path("train.parquet"), Path(tempfile.gettempdir()), 0, flags).check()


def _load(parsed: argparse.Namespace) -> Split:
    source: str | Mapping[str, str] = parsed.source
    if parsed.train_file is not None:
        files = {"train": parsed.train_file, "test": parsed.test_file}
        source = {split: file for split, file in files.items() if file is not None}
    named = parsed.source or parsed.train_file
    return load_split(
        source,
        Path(named).resolve().name if Path(named).exists() else named,
        text_column=parsed.text_column,
        label_column=parsed.label_column,
        dataset_config=parsed.dataset_config,
        validation_size=parsed.validation_size,
        split_seed=parsed.split_seed,
    )


def _write(files: Files, record: dict[str, Any], table: Table) -> None:
    files.write(record, [table], _draw)


def _draw(table: Table, path: Path) -> None:
    # Only here, because not everybody has matplotlib.
    from .plot import draw

    draw(table, path)

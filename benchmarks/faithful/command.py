"""`python -m benchmarks faithful`: tables of how far explanations can be trusted, after trainings with remedies."""

# ruff: noqa: T201
from __future__ import annotations

import argparse
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hfattnlstm.data.progress import no_progress_bars

from ..accuracy.candidates.ours import make_task
from ..accuracy.problem import Split, Texts, load_split
from ..output import Files, Parser, add_files, default_threads, hush, make_record, report
from ..table import Table, as_text
from .measure import Settings, run
from .remedies import PLAIN, REMEDIES


DESCRIPTION = """Train with and without remedies for explanations, and measure how far these can be trusted.

Each remedy and seed is a training with hfattnlstm train on the same texts, and a row of two tables: of the attention,
and of the attention times its gradient.
"""


def main(argv: Sequence[str]) -> int:
    """Print and write the tables; 0 on success, 2 after a mistake.

    Args:
        argv: What follows `python -m benchmarks faithful`.
    """
    parser = _make_parser()
    parsed = parser.parse_args(argv)
    files = Files(parsed.json, parsed.markdown)
    if mistake := _mistake(parsed) or files.mistake():
        parser.error(mistake)
    torch.set_num_threads(parsed.threads)
    try:
        remedies = _remedies(parsed)
        split = _load(parsed)
    except (ImportError, OSError, TypeError, ValueError) as error:
        parser.error(str(error))
    hush()
    record = make_record(["faithful", *argv], seeds=list(parsed.seeds))

    def keep(tables: list[Table]) -> None:
        files.write(record, tables)

    settings = Settings(parsed.seeds, parsed.texts, parsed.most_tokens, report)
    try:
        with no_progress_bars():
            tables = run(remedies, split, settings, keep)
    except KeyboardInterrupt:
        return 130
    print("\n" + "\n\n".join(map(as_text, tables)) + "\n", flush=True)
    return 0


def _make_parser() -> argparse.ArgumentParser:
    parser = Parser("python -m benchmarks faithful", description=DESCRIPTION)
    add = parser.add_argument
    add("source", metavar="PATH_OR_HUB_NAME", help="texts with labels: a file, a folder or a Hub name")
    add("--train_texts", type=int, help="learn from so many of the texts, chosen at random; from all without")
    add("--texts", type=int, default=75, help="explain so many of those that are held out (75)")
    add("--most_tokens", type=int, default=250, help="of at most so many tokens (250)")
    add("--seeds", type=int, nargs="+", default=(1, 2, 3), help="seeds of the trainings (1 2 3)")
    add("--only", nargs="+", default=(), metavar="NAME", help=f"some of: {'; '.join(REMEDIES)}; none for none")
    add(
        "--flags",
        nargs="+",
        default=(),
        metavar='"--FLAG VALUE"',
        help="flags of hfattnlstm train, in quotation marks: a row each",
    )
    add(
        "--common",
        default="",
        metavar='"--FLAG VALUE"',
        help="flags of hfattnlstm train for all rows, in quotation marks",
    )
    add("--threads", type=int, default=default_threads(), help="threads of torch; as many as cores without")
    add_files(parser)
    return parser


def _mistake(parsed: argparse.Namespace) -> str | None:
    """What is wrong with the flags, before anything is loaded."""
    for name in ("texts", "most_tokens", "threads"):
        if getattr(parsed, name) <= 0:
            return f"--{name} must be above 0, got {getattr(parsed, name)}."
    if parsed.train_texts is not None and parsed.train_texts <= 1:
        return f"--train_texts must be above 1, got {parsed.train_texts}."
    if len(set(parsed.seeds)) < len(parsed.seeds) or min(parsed.seeds) < 0:
        return f"--seeds must all be different, and none below 0, got {' '.join(map(str, parsed.seeds))}."
    unknown = [name for name in parsed.only if name not in (*REMEDIES, "none")]
    return f"--only {unknown[0]!r} is none of {'; '.join(REMEDIES)}; none." if unknown else None


def _remedies(parsed: argparse.Namespace) -> Mapping[str, Sequence[str]]:
    """Those that are wanted; ValueError for flags that there are not, before the others are measured."""
    wanted = {name: flags for name, flags in REMEDIES.items() if not parsed.only or name in parsed.only}
    wanted |= {flags: shlex.split(flags) for flags in parsed.flags}
    common = shlex.split(parsed.common)
    wanted = {name: (*common, *flags) for name, flags in wanted.items()}
    if not wanted:
        raise ValueError(f"--only none needs --flags, or name {PLAIN!r} and others.")
    for name, flags in wanted.items():
        task = make_task(Path("train.parquet"), Path("model"), 0, flags)
        if "attention" not in task.model.classifier_pooling:
            raise ValueError(f"{name!r} trains a model without attention, which this table is about: leave it out.")
    return wanted


def _load(parsed: argparse.Namespace) -> Split:
    source: Any = parsed.source
    split = load_split(source, Path(source).resolve().name if Path(source).exists() else source)
    if split.problem.several:
        raise ValueError(f"{split.name} has several labels a text, and this table is for one: name another source.")
    if not any(len(text.split()) <= parsed.most_tokens for text in split.test.texts):
        raise ValueError(f"No text of {split.name} has at most {parsed.most_tokens} words: raise --most_tokens.")
    if parsed.train_texts is None or parsed.train_texts >= len(split.train):
        return split
    chosen = np.random.default_rng(0).choice(len(split.train), parsed.train_texts, replace=False)
    train = Texts([split.train.texts[place] for place in chosen], split.train.labels[chosen])
    return replace(split, train=train)

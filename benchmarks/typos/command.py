"""`python -m benchmarks typos`: accuracy with and without typing mistakes, by what is read of a word."""

# ruff: noqa: T201
from __future__ import annotations

import argparse
import shlex
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from hfattnlstm.data.progress import no_progress_bars

from ..accuracy.candidates.ours import Ours, make_task
from ..accuracy.measure import summary
from ..accuracy.problem import Split, load_split
from ..accuracy.scores import MAIN_SCORES, score
from ..output import Files, Parser, add_files, default_threads, hush, make_record, report
from ..table import Column, Table, as_text
from .disturb import disturbed_texts


DESCRIPTION = """Train with different inputs of a word, and measure each model on held-out texts, as they are written
and with typing mistakes.
"""
# What is trained: flags of `hfattnlstm train`, by what the table calls them.
INPUTS: dict[str, Sequence[str]] = {
    "words": ("--tokenizer_kind", "word"),
    "pieces of words": ("--tokenizer_kind", "wordpiece"),
    "words and characters, CNN": ("--token_inputs", "word", "char_cnn", "--char_hidden_size", "100"),
    "words and characters, LSTM": ("--token_inputs", "word", "char_lstm", "--char_hidden_size", "100"),
}
COLUMNS = (
    Column("inputs", "read of a word"),
    Column("clean", "as written, %", "score"),
    Column("disturbed", "disturbed, %", "score"),
    Column("fall", "points lost", "points"),
    Column("runs", "seeds", "count"),
)


def main(argv: Sequence[str]) -> int:
    """Print and write the table; 0 on success, 2 after a mistake.

    Args:
        argv: What follows `python -m benchmarks typos`.
    """
    parser = _make_parser()
    parsed = parser.parse_args(argv)
    files = Files(parsed.json, parsed.markdown)
    if mistake := _mistake(parsed) or files.mistake():
        parser.error(mistake)
    torch.set_num_threads(parsed.threads)
    try:
        wanted = {name: flags for name, flags in INPUTS.items() if not parsed.only or name in parsed.only}
        wanted = {name: (*flags, *shlex.split(parsed.common)) for name, flags in wanted.items()}
        for flags in wanted.values():
            make_task(Path("train.parquet"), Path("model"), 0, flags)
        split = load_split(parsed.source, Path(parsed.source).resolve().name)
    except (ImportError, OSError, TypeError, ValueError) as error:
        parser.error(str(error))
    hush()
    record = make_record(["typos", *argv], seeds=list(parsed.seeds))
    try:
        with no_progress_bars():
            table = run(wanted, split, parsed.seeds, parsed.share, lambda found: files.write(record, [found]))
    except KeyboardInterrupt:
        return 130
    print(f"\n{as_text(table)}\n", flush=True)
    return 0


def _make_parser() -> argparse.ArgumentParser:
    parser = Parser("python -m benchmarks typos", description=DESCRIPTION)
    add = parser.add_argument
    add("source", metavar="PATH_OR_HUB_NAME", help="texts with labels: a file, a folder or a Hub name")
    add("--share", type=float, default=0.1, help="share of the letters that are disturbed (0.1)")
    add("--seeds", type=int, nargs="+", default=(1, 2, 3), help="seeds of the trainings (1 2 3)")
    add("--only", nargs="+", default=(), metavar="NAME", help=f"some of: {'; '.join(INPUTS)}")
    add("--common", default="", metavar='"--FLAG VALUE"', help="flags of hfattnlstm train for all rows, in quotes")
    add("--threads", type=int, default=default_threads(), help="threads of torch; as many as cores without")
    add_files(parser)
    return parser


def _mistake(parsed: argparse.Namespace) -> str | None:
    if not 0 < parsed.share < 1:
        return f"--share must be above 0 and below 1, got {parsed.share}."
    if parsed.threads <= 0:
        return f"--threads must be above 0, got {parsed.threads}."
    if len(set(parsed.seeds)) < len(parsed.seeds) or min(parsed.seeds) < 0:
        return f"--seeds must all be different, and none below 0, got {' '.join(map(str, parsed.seeds))}."
    unknown = [name for name in parsed.only if name not in INPUTS]
    return f"--only {unknown[0]!r} is none of {'; '.join(INPUTS)}." if unknown else None


def run(
    wanted: Mapping[str, Sequence[str]],
    split: Split,
    seeds: Sequence[int],
    share: float,
    keep: Callable[[Table], object] = lambda _: None,
) -> Table:
    """Train with each input and seed, and measure.

    Args:
        wanted: Flags of `hfattnlstm train`, by name.
        split: What is learnt from, and what is held out.
        seeds: Of the trainings.
        share: Of the letters that are disturbed.
        keep: Called with the table so far after each model.
    """
    disturbed = disturbed_texts(split.test.texts, share)
    main_score = MAIN_SCORES[split.problem.several]
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    table = Table("typos", f"Typing mistakes on {split.name}", COLUMNS)
    for seed in seeds:
        for name, flags in wanted.items():
            report(f"{name}, seed {seed}")
            candidate = Ours(split.problem, seed, flags)
            try:
                candidate.fit(split.train.texts, split.train.labels)
                scores = [
                    score(candidate.predict(texts), split.test.labels)[main_score]
                    for texts in (split.test.texts, disturbed)
                ]
            finally:
                candidate.close()
            found[name].append((scores[0], scores[1]))
            table.rows = [_row(each, runs) for each, runs in found.items()]
            table.notes = _notes(split, share)
            keep(table)
    return table


def _row(name: str, runs: Sequence[tuple[float, float]]) -> dict[str, Any]:
    clean, disturbed = zip(*runs)
    return {
        "inputs": name,
        "clean": summary(clean),
        "disturbed": summary(disturbed),
        "fall": summary([low - high for high, low in runs]),
        "runs": len(runs),
    }


def _notes(split: Split, share: float) -> list[str]:
    return [
        f"{len(split.train):,} texts to learn from, as they are written; {len(split.test):,} to measure on "
        f"({split.origin}), as they are and with {share:.0%} of the letters left out, doubled, swapped or replaced.",
        "Averages over the seeds; ± is the standard deviation over them.",
    ]

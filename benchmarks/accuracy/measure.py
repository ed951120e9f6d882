"""Fits candidates on the same texts, once for each seed, and makes a table of what comes out."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..machine import QuietMachine
from ..table import Column, Table
from ..timing import reason
from .candidates import BASELINE, MAJORITY, OURS, Candidate, Entry
from .problem import Problem, Split
from .scores import MAIN_SCORES, score


COLUMNS = (
    Column("candidate", "candidate"),
    Column("accuracy", "accuracy, %", "score"),
    Column("f1_micro", "micro F1, %", "score"),
    Column("f1_macro", "macro F1, %", "score"),
    Column("gain", f"points over {OURS}", "points"),
    Column("log_loss", "log loss", "decimals"),
    Column("ece", "ECE", "decimals"),
    Column("minutes", "minutes", "minutes"),
    Column("bytes", "MB", "megabytes"),
    Column("speed", "speed", "ratio"),
    Column("runs", "seeds", "count"),
    Column("remark", ""),
)
# One pass over a few hundred texts may be too short to be timed; of several, the fastest counts.
_LONG_ENOUGH, _MOST_PASSES = 1.0, 5
_SECONDS = 60


@dataclass(frozen=True)
class Run:
    """What one seed of a candidate gave.

    Attributes:
        scores: By name, as from [`score`].
        minutes: Of fitting and of predicting once.
        rate: Texts a second in prediction.
        bytes: Size of the saved model, if it has one.
    """

    scores: dict[str, float]
    minutes: float
    rate: float
    bytes: int | None


@dataclass
class Measured:
    """The runs of a candidate, how many were begun, and why there are fewer than there should be."""

    name: str
    runs: list[Run] = field(default_factory=list)
    begun: int = 0
    remark: str | None = None


@dataclass(frozen=True)
class Settings:
    """How candidates are measured.

    Attributes:
        seeds: Of candidates with anything random; the others run once, with the first.
        only: Parts of the names of those that are wanted beside the majority class and the baseline; all without.
        max_minutes: A candidate begins with no further seed once it has used so many.
        report: Called with a line about the progress.
    """

    seeds: tuple[int, ...] = (1, 2, 3)
    only: tuple[str, ...] = ()
    max_minutes: float | None = None
    report: Callable[[str], None] = lambda _: None

    def wants(self, name: str) -> bool:
        """Whether a candidate of this name is to be measured."""
        asked = not self.only or any(part.lower() in name.lower() for part in self.only)
        return asked or name in (MAJORITY, BASELINE)


def run(
    candidates: Sequence[Entry],
    split: Split,
    settings: Settings,
    clock: Callable[[], float] = time.perf_counter,
    quiet: QuietMachine | None = None,
    keep: Callable[[Table], object] = lambda _: None,
) -> Table:
    """Measure candidates one after the other.

    Args:
        candidates: All that there are.
        split: Texts to learn from and to be scored on.
        settings: Which candidates, and how often.
        clock: Gives the time in seconds.
        quiet: Asked before each run; its remark becomes a note.
        keep: Called with the table so far after each candidate, because a later one may be interrupted.

    Returns:
        The table; a candidate that cannot be measured has a row that says why.
    """
    found: list[Measured] = []
    for entry in candidates:
        if settings.wants(entry.name):
            found.append(measure(entry, split, settings, clock, quiet))
            table = make_table(split, found)
            if quiet is not None and (remark := quiet.remark(sum(each.begun for each in found))):
                table.notes.append(remark.replace("rounds", "runs"))
            keep(table)
    return table


def measure(
    entry: Entry,
    split: Split,
    settings: Settings,
    clock: Callable[[], float] = time.perf_counter,
    quiet: QuietMachine | None = None,
) -> Measured:
    """Fit and score a candidate with each seed; see [`run`]."""
    measured = Measured(entry.name)
    seeds = settings.seeds if entry.seeded else settings.seeds[:1]
    for seed in seeds:
        used = sum(each.minutes for each in measured.runs)
        if settings.max_minutes is not None and measured.runs and used >= settings.max_minutes:
            measured.remark = f"{len(measured.runs)} of {len(seeds)} seeds: it had used {used:.1f} minutes"
            break
        settings.report(entry.name + (f", seed {seed}" if entry.seeded else ""))
        measured.begun += 1
        if quiet is not None:
            quiet.wait()
        try:
            measured.runs.append(_run_once(entry.make, seed, split, clock))
        # A candidate may fail in any way; the others are measured all the same.
        except Exception as error:
            measured.remark = reason(error)
            break
    return measured


def _run_once(make: Callable[[Problem, int], Candidate], seed: int, split: Split, clock: Callable[[], float]) -> Run:
    # Libraries and checkpoints are loaded here, before the clock starts.
    candidate = make(split.problem, seed)
    try:
        start = clock()
        candidate.fit(split.train.texts, split.train.labels)
        fitted = clock()
        prediction = candidate.predict(split.test.texts)
        passes = [clock() - fitted]
        minutes = (clock() - start) / _SECONDS
        while sum(passes) < _LONG_ENOUGH and len(passes) < _MOST_PASSES:
            again = clock()
            candidate.predict(split.test.texts)
            passes.append(clock() - again)
        rate = len(split.test) / max(min(passes), 1e-9)
        return Run(score(prediction, split.test.labels), minutes, rate, candidate.size())
    finally:
        candidate.close()


def make_table(split: Split, found: Sequence[Measured]) -> Table:
    """The table of what was found."""
    table = Table("accuracy", f"Accuracy on {split.name}", COLUMNS)
    baseline = next((each for each in found if each.name == BASELINE and each.runs), None)
    table.rows = [_row(each, baseline) for each in found]
    _add_gains(table.rows, found, MAIN_SCORES[split.problem.several])
    table.notes = [_about_the_texts(split), *_about_the_error(split, table.rows), _ABOUT_THE_COLUMNS]
    return table


_ABOUT_THE_COLUMNS = (
    "± is the standard deviation over seeds; minutes are those of training and prediction together, for one seed; "
    f"speed is that of prediction, as a ratio to {BASELINE}; points over {OURS} are differences of equal seeds."
)


def _row(measured: Measured, baseline: Measured | None) -> dict[str, Any]:
    row: dict[str, Any] = {"candidate": measured.name, "remark": measured.remark}
    runs = measured.runs
    if not runs:
        return row
    row |= {name: summary([run.scores[name] for run in runs]) for name in runs[0].scores}
    row |= {"minutes": summary([run.minutes for run in runs]), "runs": len(runs)}
    row["texts_a_second"] = statistics.median(run.rate for run in runs)
    if runs[0].bytes is not None:
        row["bytes"] = statistics.mean(run.bytes for run in runs)
    if baseline is not None and measured.name != MAJORITY:
        row["speed"] = row["texts_a_second"] / statistics.median(run.rate for run in baseline.runs)
    return row


def _add_gains(rows: list[dict[str, Any]], found: Sequence[Measured], main: str) -> None:
    """Of our own model with flags, how much better it is than without, seed by seed."""
    plain = next((each for each in found if each.name == OURS), None)
    for row, each in zip(rows, found):
        pairs = zip(each.runs, plain.runs) if plain is not None and each.name.startswith(f"{OURS} ") else ()
        gains = [run.scores[main] - other.scores[main] for run, other in pairs]
        if gains:
            row["gain"] = summary(gains)


def summary(values: Sequence[float]) -> dict[str, Any]:
    """Mean, standard deviation and the values; one value has no deviation.

    Example:

    ```python
    >>> summary([0.5, 0.75, 1.0])
    {'mean': 0.75, 'deviation': 0.25, 'values': [0.5, 0.75, 1.0]}
    ```
    """
    deviation = statistics.stdev(values) if len(values) > 1 else None
    return {"mean": statistics.fmean(values), "deviation": deviation, "values": list(values)}


def _about_the_texts(split: Split) -> str:
    problem = split.problem
    labels = f"{len(problem.label_names)} {'labels, several a text' if problem.several else 'classes'}"
    ngrams = " No spaces stand between words, so n-grams are of characters." if problem.unspaced else ""
    return (
        f"{len(split.train):,} texts to learn from, {len(split.test):,} to be scored on ({split.origin}), {labels}."
        f"{ngrams}"
    )


def _about_the_error(split: Split, rows: Sequence[dict[str, Any]]) -> list[str]:
    """By how much the best score would vary from one choice of texts to another."""
    main = MAIN_SCORES[split.problem.several]
    scored = [row for row in rows if main in row]
    if not scored:
        return []
    best = max(scored, key=lambda row: row[main]["mean"])
    name, value = main.replace("f1_micro", "micro F1"), 100 * best[main]["mean"]
    points = 100 * best["standard_error"]["mean"]
    return [
        f"On {len(split.test):,} texts, one standard error of sampling is {points:.1f} points: {name} {value:.1f} %."
    ]

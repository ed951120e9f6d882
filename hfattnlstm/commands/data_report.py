"""A summary of labelled texts for people, before a training and by `hfattnlstm check`."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator
from typing import TextIO

from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from ..data.loading import MANY_SHARED
from ..data.summary import DataSummary, Suspect
from ..modeling.configuration_base import MULTI_LABEL, REGRESSION
from .report_parts import print_parts, section, table
from .terminal import printable


# Of more labels, the most frequent and the rarest ones are listed.
_MANY_LABELS, _FREQUENT, _RARE = 20, 10, 5
# Characters of a text that are shown.
_EXCERPT = 160


def print_summary(summary: DataSummary, stream: TextIO | None = None, warned: bool = False) -> None:
    """Print a summary.

    Args:
        summary: What was found.
        stream: Where to; standard output without.
        warned: Whether the texts were loaded for a training, whose warnings have told a part of it.

    Example:

    ```python
    >>> print_summary(summarize_texts("reviews.csv"))
    texts: text  labels: label
    <BLANKLINE>
    Lengths in words
    split  texts  median  95 %  longest
    train     48       6     6        6
    <BLANKLINE>
    label     train    share
    negative     24  50.00 %
    positive     24  50.00 %
    ...
    ```
    """
    stream = sys.stdout if stream is None else stream
    if stream is not None:
        print_parts(_parts(summary, _told(summary) if warned else ()), stream)


def _told(summary: DataSummary) -> list[str]:
    """The findings of which there has been a warning."""
    shared = ((name, count / max(summary.splits[name].rows, 1)) for name, count in summary.shared.items())
    return ["unknown", *(f"shared_{name}" for name, share in shared if share >= MANY_SHARED)]


def _parts(summary: DataSummary, told: Collection[str]) -> Iterator[RenderableType]:
    yield Text(printable(_columns(summary)), style="bold")
    yield section(f"Lengths in {summary.length_unit}", _sizes(summary))
    yield section("", _numbers(summary) if summary.problem_type == REGRESSION else _labels(summary))
    if summary.unknown_tokens is not None and "unknown" not in summary.findings:
        share = f"{100 * summary.unknown_tokens:.1f} %"
        yield section("", Text(f"Tokens of held-out texts that the tokenizer does not know: {share}"))
    odd = [sentence for kind, sentence in summary.findings.items() if kind not in told]
    if odd:
        yield section("What is odd", *(Text(printable(f"- {sentence}")) for sentence in odd))
    if summary.suspects:
        yield _suspects(summary)


def _columns(summary: DataSummary) -> str:
    shown = f"texts: {' and '.join(summary.text_columns)}  labels: {summary.label_column}"
    return shown + (f"  not read: {', '.join(summary.other_columns)}" if summary.other_columns else "")


def _sizes(summary: DataSummary) -> RenderableType:
    heads = ["split", "texts", "median", "95 %", "longest"]
    lengths = {name: getattr(split, summary.length_unit) for name, split in summary.splits.items()}
    rows = [
        [name, *(f"{n:,}" for n in (summary.splits[name].rows, found.median, found.p95, found.longest))]
        for name, found in lengths.items()
    ]
    if summary.problem_type == MULTI_LABEL:
        heads.append("labels")
        for row, split in zip(rows, summary.splits.values()):
            row.append(f"{split.labels_per_text:.2f}")
    return table(heads, rows)


def _numbers(summary: DataSummary) -> RenderableType:
    rows = ([name, *(f"{number:.4g}" for number in split.labels.values())] for name, split in summary.splits.items())
    return table(("split", "least", "median", "greatest"), rows)


def _labels(summary: DataSummary) -> RenderableType:
    train = summary.splits["train"]
    names = sorted(train.labels, key=lambda name: -train.labels[name])
    shown = names
    if len(names) > _MANY_LABELS:
        shown = [*names[:_FREQUENT], None, *names[-_RARE:]]
    rows = [_label_row(name, summary, len(names) - _FREQUENT - _RARE) for name in shown]
    return table(("label", *summary.splits, "share"), rows)


def _label_row(name: str | None, summary: DataSummary, others: int) -> list[str]:
    if name is None:
        return [f"… {others} more", *("" for _ in summary.splits), ""]
    counts = (f"{split.labels[name]:,}" for split in summary.splits.values())
    train = summary.splits["train"]
    return [name, *counts, f"{100 * train.labels[name] / max(train.rows, 1):.2f} %"]


def _suspects(summary: DataSummary) -> RenderableType:
    count, looked_at = summary.suspects_found, summary.suspects_looked_at
    those = f"a sample of {looked_at:,}" if looked_at < summary.splits["train"].rows else f"{looked_at:,}"
    explained = (
        f"For {count:,} of {those} texts, a simple model of the other texts is fairly sure of another label. Some of "
        "the labels are wrong, others right and the text only hard to read. The least likely ones:"
    )
    lines = [Text(explained)]
    for suspect in summary.suspects:
        lines.append(Text(printable(_verdict(suspect))))
        text = suspect.text if len(suspect.text) <= _EXCERPT else f"{suspect.text[:_EXCERPT]} …"
        lines.append(Padding(Text(printable(text)), (0, 0, 0, 2)))
    return section("Labels worth a second look", *lines)


def _verdict(suspect: Suspect) -> str:
    where = "" if suspect.row is None else f"row {suspect.row:,}: "
    return f"{where}{suspect.label}, perhaps {suspect.suggested} ({suspect.probability:.2f})"

"""What a tagger is worth, for people: scores, kinds, confusions and mistakes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TextIO

from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from .report_parts import print_parts, report_width, section, table
from .terminal import printable


if TYPE_CHECKING:
    from ..training.tagging_evaluation import TagEvaluation, TagMistake

# Kinds in a square; of more, the largest confusions are listed.
_MOST_IN_A_SQUARE, _MOST_CONFUSIONS = 20, 15
# Words on either side of a mistake.
_AROUND = 8


def print_tag_evaluation(evaluation: TagEvaluation, title: str, stream: TextIO) -> None:
    """Print an evaluation.

    Args:
        evaluation: What was measured.
        title: What was measured on what.
        stream: Where to.

    Example:

    ```python
    >>> from hfattnlstm.training.tagging_evaluation import evaluate_tags
    >>> found = evaluate_tags([["Paris"]], [["B-LOC"]], [["B-LOC"]], [[0.9]], "bio")
    >>> print_tag_evaluation(found, "my-tagger on test.conll", sys.stdout)
    my-tagger on test.conll: 1 sentence, 1 word
    ...
    ```
    """
    print_parts(_parts(evaluation, title, report_width(stream)), stream)


def _parts(evaluation: TagEvaluation, title: str, width: int) -> Iterator[RenderableType]:
    counts = f"{_count(evaluation.sentences, 'sentence')}, {_count(evaluation.words, 'word')}"
    yield Text(printable(f"{title}: {counts}"), style="bold")
    rows = [
        (name, f"{value:.4f}", " to ".join(f"{bound:.4f}" for bound in evaluation.intervals.get(name, ())))
        for name, value in evaluation.scores.items()
    ]
    yield section("", table(("score", "value", "95 % interval"), rows))
    spans = evaluation.tagging_scheme is not None
    if spans:
        yield Text("a span counts where its kind, beginning and end are right")
    yield _per_kind(evaluation, spans)
    yield _confusions(evaluation, spans, width)
    yield from _mistakes(evaluation.mistakes)


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"


def _per_kind(evaluation: TagEvaluation, spans: bool) -> RenderableType:
    heads = (
        ("precision", "recall", "F1", "spans", "wrong borders") if spans else ("precision", "recall", "F1", "words")
    )
    rows = []
    for kind, of in evaluation.per_kind.items():
        row = (kind, *(f"{of[score]:.3f}" for score in ("precision", "recall", "f1")), f"{of['support']:,}")
        rows.append((*row, f"{evaluation.borders.get(kind, 0):,}") if spans else row)
    return section("", table(("kind" if spans else "tag", *heads), rows))


def _confusions(evaluation: TagEvaluation, spans: bool, width: int) -> RenderableType:
    kinds = [printable(kind) for kind in evaluation.kinds]
    shared = " of spans that share words, – where there is none" if spans else ""
    cells = [[f"{count:,}" for count in row] for row in evaluation.confusions.tolist()]
    wide = max(map(len, kinds), default=0) + 2 + sum(max(len(kind), 6) + 2 for kind in kinds)
    if len(kinds) <= _MOST_IN_A_SQUARE and wide <= width:
        rows = [(kind, *row) for kind, row in zip(kinds, cells)]
        return section(
            f"confusions{shared}: the right kind by row, the predicted one by column", table(("", *kinds), rows)
        )
    pairs = [
        (evaluation.confusions[row, column], kinds[row], kinds[column])
        for row in range(len(kinds))
        for column in range(len(kinds))
        if row != column and evaluation.confusions[row, column]
    ]
    pairs.sort(key=lambda pair: (-pair[0], pair[1], pair[2]))
    rows = [(right, said, f"{count:,}") for count, right, said in pairs[:_MOST_CONFUSIONS]]
    return section(f"largest confusions{shared}", table(("right", "predicted", "number"), rows, texts=2))


def _mistakes(mistakes: Sequence[TagMistake]) -> Iterator[RenderableType]:
    if not mistakes:
        return
    yield section("mistakes of which the model was most sure")
    for mistake in mistakes:
        head = f"sentence {mistake.row:,}, {mistake.score:.3f}"
        lines = [Text(printable(f"{head}:  {' '.join(_marked(mistake))}"))]
        yield Padding(lines[0], (0, 0, 0, 2))


def _marked(mistake: TagMistake) -> Iterator[str]:
    """The words around the first mistake, each that is wrong with both tags."""
    wrong = [place for place, pair in enumerate(zip(mistake.tags, mistake.predicted)) if pair[0] != pair[1]]
    first, last = max(wrong[0] - _AROUND, 0), wrong[0] + _AROUND + 1
    if first:
        yield "…"
    for place in range(first, min(last, len(mistake.words))):
        word = mistake.words[place]
        yield f"{word} [{mistake.predicted[place]}, right: {mistake.tags[place]}]" if place in wrong else word
    if last < len(mistake.words):
        yield "…"

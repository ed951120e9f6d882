"""An evaluation for people: tables and mistakes, as wide as the terminal is and as plain text when piped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ..modeling.attention_entries import entries_on
from ..modeling.configuration_base import MULTI_LABEL, REGRESSION
from .report_parts import print_parts, report_width, section, table
from .terminal import has_colours, legend, printable, shade_words


if TYPE_CHECKING:
    from ..training.evaluation import Evaluation, Mistake

# Below it, columns have short names.
_NARROW = 60
# More classes than that are not all listed, nor put into a square.
_MANY_CLASSES, _FEWER_CLASSES = 50, 25
_MOST_CONFUSIONS = 10
# Characters of a text that are shown, around the word with the most attention.
_EXCERPT = 240
_WORDS_NAMED = 4


def print_evaluation(evaluation: Evaluation, title: str, stream: TextIO) -> None:
    """Print an evaluation.

    Args:
        evaluation: What was measured.
        title: What was measured on what.
        stream: Where to; a terminal gets bold headings and shaded words, anything else plain lines.

    Example:

    ```python
    >>> print_evaluation(evaluation, "my-model on reviews.csv", sys.stdout)
    my-model on reviews.csv: 5 texts, 2 labels
    ...
    ```
    """
    print_parts(_parts(evaluation, title, report_width(stream), has_colours(stream)), stream)


def _parts(evaluation: Evaluation, title: str, width: int, coloured: bool) -> Iterator[RenderableType]:
    labels = f", {len(evaluation.label_names)} labels" if evaluation.label_names else ""
    yield Text(printable(f"{title}: {evaluation.samples:,} text{_s(evaluation.samples)}{labels}"), style="bold")
    yield section("", _scores(evaluation, digits=4 if width >= _NARROW else 3))
    if evaluation.problem_type != REGRESSION:
        yield _per_class(evaluation, width)
        yield _confusions(evaluation, width)
        yield _calibration(evaluation)
    yield from _mistakes(evaluation, coloured)


def _scores(evaluation: Evaluation, digits: int) -> Table:
    rows = []
    for name, value in evaluation.scores.items():
        interval = evaluation.intervals.get(name)
        shown = "" if interval is None else " to ".join(_number(bound, digits) for bound in interval)
        rows.append((name, _number(value, digits), shown))
    return table(("score", "value", "95 % interval"), rows)


def _number(value: float, digits: int) -> str:
    return f"{value:.{digits}f}" if abs(value) < 1e6 else f"{value:.4g}"


def _per_class(evaluation: Evaluation, width: int) -> RenderableType:
    rows = list(evaluation.per_class.items())
    notes = []
    if len(rows) > _MANY_CLASSES:
        notes = [Text(f"the {_FEWER_CLASSES} of {len(rows)} with the lowest F1; --output has all")]
        rows = sorted(rows, key=lambda row: row[1]["f1"])[:_FEWER_CLASSES]
    heads = ("precision", "recall", "F1", "texts") if width >= _NARROW else ("prec.", "recall", "F1", "texts")
    kind = "label" if evaluation.problem_type == MULTI_LABEL else "class"
    cells = (
        (name, *(f"{of[score]:.3f}" for score in ("precision", "recall", "f1")), f"{of['support']:,}")
        for name, of in rows
    )
    return section("", table((kind, *heads), cells), *notes)


def _confusions(evaluation: Evaluation, width: int) -> RenderableType:
    if evaluation.problem_type == MULTI_LABEL:
        return _decisions(evaluation, width)
    square = _square(evaluation)
    if square is not None and _width_of(square) <= width:
        heads, *rows = square
        return section("confusions: the right class by row, the predicted one by column", table(heads, rows))
    pairs = evaluation.largest_confusions(_MOST_CONFUSIONS)
    rows = ((right, said, f"{count:,}", f"{100 * share:.0f} %") for right, said, count, share in pairs)
    heads = ("right", "predicted", "texts", "share")
    return section("largest confusions, with their share of the right class", table(heads, rows, texts=2))


def _square(evaluation: Evaluation) -> list[list[str]] | None:
    """The confusion matrix as cells, with its heads; None where there are too many."""
    names = [printable(name) for name in evaluation.label_names]
    if len(names) > _FEWER_CLASSES:
        return None
    rows = zip(names, evaluation.confusion_matrix.tolist())
    return [["", *names], *([name, *(f"{count:,}" for count in counts)] for name, counts in rows)]


def _width_of(cells: list[list[str]]) -> int:
    return sum(max(cell_len(cell) for cell in column) + 2 for column in zip(*cells))


def _decisions(evaluation: Evaluation, width: int) -> RenderableType:
    """Of each label, how often it was given and not, rightly and wrongly."""
    wide = width >= _NARROW
    heads = ("label", *(("given rightly", "given wrongly") if wide else ("right", "wrong")), "missed")
    matrices = zip(evaluation.label_names, evaluation.confusion_matrix.tolist())
    rows = [(name, f"{hits:,}", f"{alarms:,}", f"{missed:,}") for name, ((_, alarms), (missed, hits)) in matrices]
    if isinstance(evaluation.threshold, Sequence):
        heading = "decisions, with each label above its own threshold"
        heads, rows = (*heads, "above"), [(*row, f"{own:.3f}") for row, own in zip(rows, evaluation.threshold)]
    else:
        heading = f"decisions, with labels above {evaluation.threshold:g}"
    if len(rows) > _MANY_CLASSES:
        return section(heading, Text(f"{len(rows)} labels are too many to show; --output has them"))
    return section(heading, table(heads, rows))


def _calibration(evaluation: Evaluation) -> RenderableType:
    from ..training.calibration import before_calibration

    calibration, several = evaluation.calibration, evaluation.problem_type == MULTI_LABEL
    before = evaluation.uncalibrated
    notes = [] if before is None else [Text(before_calibration(evaluation.temperature, before))]
    heading = (
        f"calibration: ECE {calibration.ece:.4f} ({calibration.num_bins} bins), log loss {calibration.log_loss:.4f}"
    )
    rows = (
        (f"{part.low:.2f} to {part.high:.2f}", f"{part.count:,}", f"{part.score:.3f}", f"{part.share:.3f}")
        for part in calibration.bins
    )
    heads = ("score", "labels", "mean", "apply") if several else ("score", "texts", "mean", "right")
    return section(heading, *notes, table(heads, rows))


def _mistakes(evaluation: Evaluation, coloured: bool) -> Iterator[RenderableType]:
    mistakes = evaluation.mistakes
    if not mistakes:
        return
    is_regression = evaluation.problem_type == REGRESSION
    heading = "largest errors" if is_regression else "mistakes of which the model was most sure"
    explained = coloured and any(mistake.attention for mistake in mistakes)
    yield section(heading, *([Text.from_ansi(legend())] if explained else []))
    for mistake in mistakes:
        yield Text(printable(_verdict(mistake, is_regression)))
        yield Padding(Group(*_excerpt_of(mistake, coloured)), (0, 0, 0, 2))


def _verdict(mistake: Mistake, is_regression: bool) -> str:
    where = f"row {mistake.row:,}: "
    if is_regression:
        return f"{where}{mistake.predicted:.4g}, right is {mistake.label:.4g}, off by {mistake.score:.4g}"
    if mistake.wrong is None:
        return f"{where}{mistake.predicted} {mistake.score:.2f}, right is {mistake.label}"
    decision = "given" if mistake.wrong in mistake.predicted else "missed"
    right = ", ".join(mistake.label) or "no label"
    return f"{where}{mistake.wrong} {mistake.score:.2f} {decision}, right is {right}"


def _excerpt_of(mistake: Mistake, coloured: bool) -> Iterator[Text]:
    texts = mistake.text if isinstance(mistake.text, tuple) else (mistake.text or "",)
    for index, text in enumerate(texts):
        shown, attention = _excerpt(text, entries_on(mistake.attention, index))
        yield Text.from_ansi(shade_words(shown, attention)) if coloured else Text(printable(shown))
    if coloured:
        return
    heaviest = sorted(mistake.attention, key=lambda entry: -entry["weight"])[:_WORDS_NAMED]
    if heaviest:
        yield Text("looked at: " + ", ".join(f"{printable(e['text'])} {e['weight']:.2f}" for e in heaviest))


def _excerpt(text: str, attention: Sequence[dict[str, Any]]) -> tuple[str, list[dict[str, Any]]]:
    """The part of a text around the word with the most attention, and the words in it."""
    if len(text) <= _EXCERPT:
        return text, list(attention)
    centre = max(attention, key=lambda entry: entry["weight"])["start"] if attention else 0
    start = max(min(centre - _EXCERPT // 2, len(text) - _EXCERPT), 0)
    end = start + _EXCERPT
    before, after = "… " if start else "", " …" if end < len(text) else ""
    moved = len(before) - start
    inside = (entry for entry in attention if start <= entry["start"] and entry["end"] <= end)
    words = [entry | {"start": entry["start"] + moved, "end": entry["end"] + moved} for entry in inside]
    return f"{before}{text[start:end]}{after}", words


def _s(count: int) -> str:
    return "" if count == 1 else "s"

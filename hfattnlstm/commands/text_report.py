"""What a model that writes is worth, for people: scores, and texts beside what they should be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TextIO

from rich.console import RenderableType
from rich.text import Text

from .report_parts import print_parts, section, table
from .terminal import printable


if TYPE_CHECKING:
    from ..training.seq2seq_evaluation import TextEvaluation


_LEAST_FOR_BLEU = 4


def print_text_evaluation(evaluation: TextEvaluation, title: str, stream: TextIO, mistakes: int = 10) -> None:
    """Print an evaluation.

    Args:
        evaluation: What was measured.
        title: What was measured on what.
        stream: Where to.
        mistakes: How many of the texts are shown that are not as they should be.

    Example:

    ```python
    >>> from hfattnlstm.training.seq2seq_evaluation import TextEvaluation
    >>> from hfattnlstm.training.text_scores import score_texts
    >>> found = TextEvaluation(score_texts(["A dog."], ["A dog."]), ["Ein Hund."], ["A dog."], ["A dog."])
    >>> print_text_evaluation(found, "translator on pairs.tsv", sys.stdout)
    translator on pairs.tsv: 1 text
    ...
    ```
    """
    print_parts(_parts(evaluation, title, mistakes), stream)


def _words(reference: str | Sequence[str]) -> list[str]:
    return (reference if isinstance(reference, str) else max(reference, key=len)).split()


def _parts(evaluation: TextEvaluation, title: str, mistakes: int) -> Iterator[RenderableType]:
    count = len(evaluation.written)
    yield Text(printable(f"{title}: {count:,} text{'s' * (count != 1)}"), style="bold")
    scores = evaluation.scores
    bounds = "" if scores.bleu_bounds is None else " to ".join(f"{bound:.2f}" for bound in scores.bleu_bounds)
    rows = [
        ("BLEU", f"{scores.bleu:.2f}", bounds),
        ("chrF", f"{scores.chrf:.2f}", ""),
        ("exact_match", f"{scores.exact_match:.4f}", ""),
    ]
    yield section("", table(("score", "value", "95 % interval"), rows))
    if not scores.bleu and all(len(_words(reference)) < _LEAST_FOR_BLEU for reference in evaluation.references):
        yield Text("BLEU counts runs of four words, and no reference has so many: go by the others.")
    for name, signature in scores.signatures.items():
        yield Text(f"{name}: {signature}")
    for source, reference, written in evaluation.furthest(mistakes):
        lines = [f"read      {source}", f"should be {reference}", f"written   {written}"]
        yield section("", Text("\n".join(map(printable, lines))))

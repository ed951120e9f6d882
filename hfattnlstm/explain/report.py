"""What the explanations of many texts say together, and a page that shows it."""

from __future__ import annotations

import heapq
import itertools
import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..modeling.shown_results import safe_html
from .attribution import UNSIGNED
from .explanation import Explanation
from .faithfulness import RANDOM_RANKINGS, Faithfulness
from .html import explanation_block, histogram, isolated, legend, page_of, table
from .rationales import Agreement
from .summary import FIGURES, Average, FaithfulnessSummary


# How many texts each part of the page shows, and how many words stand for a label.
SHOWN_TEXTS = 20
SHOWN_WORDS = 20
# Of the words of a label, so many are counted; the rarest are forgotten when there are twice as many.
MOST_WORDS = 100_000
_TITLES = {
    "comprehensiveness": "comprehensiveness: how much the score falls without the words of the highest weights",
    "sufficiency": "sufficiency: how much the score falls with these words alone; low is good",
    "flip_share": "share of the tokens to erase, by their weights, until the label is another one; low is good",
    "tau": "Kendall's tau with what each token does when it alone is left out",
}


class WordWeight(NamedTuple):
    """A word of many texts: how often it stands in them, and the sum of its weights there."""

    word: str
    count: int
    total: float


@dataclass
class _Words:
    """Weights of words, of which only the frequent ones are kept."""

    totals: dict[str, list[float]] = field(default_factory=dict)

    def add(self, word: str, weight: float) -> None:
        entry = self.totals.setdefault(word, [0, 0.0])
        entry[0] += 1
        entry[1] += weight
        if len(self.totals) > 2 * MOST_WORDS:
            kept = heapq.nlargest(MOST_WORDS, self.totals.items(), key=lambda item: item[1][0])
            self.totals = dict(kept)

    def heaviest(self, count: int) -> list[WordWeight]:
        """Those whose weights exceed the mean of all words the most, summed: frequent words of small ones do not."""
        every = [WordWeight(word, int(times), total) for word, (times, total) in self.totals.items()]
        mean = sum(word.total for word in every) / max(sum(word.count for word in every), 1)
        found = heapq.nlargest(count, every, key=lambda word: word.total - mean * word.count)
        return [word for word in found if word.total > mean * word.count]


class _Best:
    """Of all that were added the few with the highest keys."""

    def __init__(self, size: int):
        self._size = size
        self._heap: list[tuple[float, int, Any]] = []
        self._numbers = itertools.count()

    def add(self, key: float, item: Any) -> None:
        # Of equal ones the earlier; what is added has no order of its own.
        entry = (key, -next(self._numbers), item)
        if len(self._heap) < self._size:
            heapq.heappush(self._heap, entry)
        else:
            heapq.heappushpop(self._heap, entry)

    def __iter__(self) -> Iterator[Any]:
        return (entry[2] for entry in sorted(self._heap, reverse=True))


class ExplanationReport:
    """Figures over the explanations of many texts, of which it keeps a few, at constant memory.

    Args:
        name: Of the model.
        method: How the weights were found.
        shown: Texts in each part of the page.
        seed: Of the sample of texts.
        agreement: Of the weights with what people have marked, which is shown when all texts have been added.

    Example:

    ```python
    >>> classifier = pipeline("text-classification", "my-model")
    >>> report = ExplanationReport("my-model", "occlusion")
    >>> for found in explain(texts, classifier.model, classifier.tokenizer, method="occlusion", faithfulness=False):
    ...     report.add(found)
    >>> report.heaviest_words("negative", 1)[0].word
    'slow'
    ```
    """

    def __init__(
        self,
        name: str,
        method: str,
        *,
        shown: int = SHOWN_TEXTS,
        seed: int = 0,
        agreement: Agreement | None = None,
    ):
        self.name = name
        self.method = method
        self.agreement = agreement
        self.labels: Counter[str] = Counter()
        self.measured: list[Faithfulness] = []
        self.wrong = 0
        self.labelled = 0
        self._shown = shown
        self._words: dict[str, _Words] = defaultdict(_Words)
        self._least_faithful, self._mistakes = _Best(shown), _Best(shown)
        self._sample: list[Explanation] = []
        self._random = random.Random(seed)

    @property
    def texts(self) -> int:
        """How many were added."""
        return self.labels.total()

    @property
    def faithfulness(self) -> FaithfulnessSummary:
        """Over the texts that were measured."""
        return FaithfulnessSummary.of(self.measured)

    def add(self, explanation: Explanation, truth: str | None = None) -> None:
        """Take a text into account.

        Args:
            explanation: Of the text.
            truth: Its label, if that is known.
        """
        self.labels[explanation.label] += 1
        for word in explanation.words:
            self._words[explanation.target].add(word.text.lower(), word.weight)
        self._keep_sample(explanation)
        if explanation.faithfulness is not None:
            self.measured.append(explanation.faithfulness)
            part = explanation.faithfulness.comprehensiveness
            if explanation.faithfulness.level != "too short":
                self._least_faithful.add(part.random - part.value, explanation)
        if truth is not None:
            self.labelled += 1
            if truth != explanation.label:
                self.wrong += 1
                self._mistakes.add(explanation.score, (explanation, truth))

    def heaviest_words(self, label: str, count: int = SHOWN_WORDS) -> list[WordWeight]:
        """The words, in small letters, that weigh more than others in the texts that get a label, summed over them."""
        return self._words[label].heaviest(count) if label in self._words else []

    def page(self) -> str:
        """All of it as one page of HTML, which needs nothing else."""
        parts = [self._overview(), *self._faithfulness(), *self._words_of_labels()]
        scale = legend(self.method not in UNSIGNED)
        mistakes = list(self._mistakes)
        if mistakes:
            heading = f"Most confident mistakes ({len(mistakes):,} of {self.wrong:,})"
            blocks = [explanation_block(one, truth) for one, truth in mistakes]
            parts.append(_section(heading, [scale, *blocks]))
        worst = list(self._least_faithful)
        if worst:
            heading = f"Least faithful explanations ({len(worst):,} of {len(self.measured):,} that were measured)"
            parts.append(_section(heading, [scale, *map(explanation_block, worst)]))
        heading = f"A sample of the texts ({len(self._sample):,} of {self.texts:,})"
        parts.append(_section(heading, [scale, *map(explanation_block, self._sample)]))
        return page_of(f"Explanations of {self.name}", "\n".join(parts))

    def _keep_sample(self, explanation: Explanation) -> None:
        """Each text has the same chance to be among those that are kept."""
        if len(self._sample) < self._shown:
            self._sample.append(explanation)
            return
        place = self._random.randrange(self.texts)
        if place < self._shown:
            self._sample[place] = explanation

    def _overview(self) -> str:
        rows = [
            [isolated(label), f"{count:,}", f"{count / self.texts:.1%}"] for label, count in self.labels.most_common()
        ]
        told = f"<p>{self.texts:,} texts, explained by {safe_html(self.method)}."
        if self.labelled:
            told += f" Of {self.labelled:,} with a known label, {self.labelled - self.wrong:,} are labelled rightly."
        if self.agreement is not None:
            told += f"</p>\n<p>{safe_html(self.agreement.sentence())}"
        return f"{told}</p>\n{table(['label', 'texts', 'share'], rows)}"

    def _faithfulness(self) -> list[str]:
        if not self.measured:
            return ["<p>How far the weights can be trusted was not measured.</p>"]
        summary = self.faithfulness
        of_all = "all" if len(self.measured) == self.texts else f"{len(self.measured):,} of {self.texts:,}"
        lines = [
            f"<p>Measured on {of_all} texts, beside {RANDOM_RANKINGS} random rankings of each: "
            f"<strong>{safe_html(summary.verdict)}</strong></p>"
        ]
        rows = [
            [safe_html(_TITLES[name]), *_cells(getattr(summary, name))] for name in FIGURES if getattr(summary, name)
        ]
        lines.append(table(["", "mean", "median", "random ranking, mean", "random ranking, median"], rows))
        for name in FIGURES:
            pairs = [(part.value, part.random) for part in (getattr(one, name) for one in self.measured) if part]
            own = [value for value, _ in pairs if value is not None]
            if own:
                others = [value for _, value in pairs if value is not None]
                lines.append(histogram(name.replace("_", " "), own, others))
        return [_section("How far the weights can be trusted", lines)]

    def _words_of_labels(self) -> list[str]:
        parts = []
        for label, _ in self.labels.most_common():
            rows = [
                [isolated(word), f"{count:,}", f"{total / count:.4f}", f"{total:.2f}"]
                for word, count, total in self.heaviest_words(label)
            ]
            if rows:
                shown = table(["word", "times", "mean weight", "sum of weights"], rows)
                parts.append(f"<h3>{isolated(label)}</h3>\n{shown}")
        return [_section("Words that weigh most for each label", parts)] if parts else []


def _section(heading: str, parts: Sequence[str]) -> str:
    return f"<section>\n<h2>{heading}</h2>\n" + "\n".join(parts) + "\n</section>"


def _cells(part: Average) -> list[str]:
    return [f"{value:.3f}" for value in (part.mean, part.median, part.random_mean, part.random_median)]

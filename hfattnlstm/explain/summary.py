"""Faithfulness over many texts: means, beside those of random rankings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from .faithfulness import Faithfulness


@dataclass(frozen=True)
class Average:
    """A figure over texts.

    Attributes:
        mean, median: Of the rankings by weight.
        random_mean, random_median: Of the means of the random rankings of each text.
        texts: How many it is defined for.
    """

    mean: float
    median: float
    random_mean: float
    random_median: float
    texts: int


@dataclass(frozen=True)
class FaithfulnessSummary:
    """How far the explanations of a model can be trusted, over many texts.

    Attributes:
        texts: How many were measured.
        comprehensiveness, sufficiency, flip_share, tau: As in [`Faithfulness`]; None where no text has that figure.
        levels: How many texts have each level: `"better"`, `"partly"`, `"no better"` and `"too short"`.
    """

    texts: int
    comprehensiveness: Average | None
    sufficiency: Average | None
    flip_share: Average | None
    tau: Average | None
    levels: dict[str, int]

    @classmethod
    def of(cls, measured: Iterable[Faithfulness]) -> FaithfulnessSummary:
        """Over texts.

        Example:

        ```python
        >>> beside = Measure(value=0.4, random=0.1, beaten=1.0)
        >>> one = Faithfulness(beside, beside, beside, beside, left_out=50, tokens=50)
        >>> FaithfulnessSummary.of([one, one]).verdict
        'The weights are better than random rankings on 2 of 2 texts.'
        ```
        """
        every = list(measured)
        levels = dict.fromkeys(LEVELS, 0)
        for one in every:
            levels[one.level] += 1
        return cls(len(every), *(_average(every, name) for name in FIGURES), levels)

    @property
    def verdict(self) -> str:
        """In a sentence, on how many texts the weights are better than random rankings."""
        told = self.texts - self.levels["too short"]
        if not told:
            return "No text is long enough to compare the weights with random rankings."
        better, warned = self.levels["better"], self.levels["no better"]
        sentence = f"The weights are better than random rankings on {better:,} of {told:,} texts"
        if not warned:
            return f"{sentence}."
        return f"{sentence}, and no better on {warned:,}, whose weights are no reasons."

    def to_dict(self) -> dict[str, Any]:
        """All figures, for JSON."""
        return asdict(self) | {"verdict": self.verdict}


LEVELS = ("better", "partly", "no better", "too short")
FIGURES = ("comprehensiveness", "sufficiency", "flip_share", "tau")


def _average(measured: list[Faithfulness], name: str) -> Average | None:
    found = [part for part in (getattr(one, name) for one in measured) if part is not None]
    pairs = [(part.value, part.random) for part in found if part.value is not None and part.random is not None]
    if not pairs:
        return None
    own, random = np.array(pairs).T
    return Average(
        float(own.mean()), float(np.median(own)), float(random.mean()), float(np.median(random)), len(pairs)
    )

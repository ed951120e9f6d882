"""Explanations: a text with its label, a weight for each word and token, and how far these can be trusted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from ..modeling.attention_entries import weighted_parts
from ..modeling.text_inputs import EncodedText
from .attribution import UNSIGNED
from .faithfulness import Faithfulness
from .html import notebook_html
from .segments import WeightedSpan, WeightedSpans
from .summary import FaithfulnessSummary


@dataclass(frozen=True)
class Explanation:
    """What a classifier says of a text, and how much each word has to do with it.

    Attributes:
        text: The text, or the texts that were read together.
        label: The label that the model gives; of several labels a text, the most probable one.
        score: Its probability, calibrated where the model knows how; in a regression the number.
        target: The label that is explained: `label`, unless another one was asked for.
        target_score: As `score`, of the target.
        method: How the weights were found.
        faithfulness: How far they can be trusted, if that was measured.
        characters_left_out: How many the model did not read, because the text was too long.
        encoded: The text as the model reads it.
        head_weights: (heads, tokens), of the tokens that come from the text; a single row of methods without heads.

    Example:

    ```python
    >>> classifier = pipeline("text-classification", "my-model")
    >>> found = explain("Slow soup", classifier.model, classifier.tokenizer, method="occlusion")
    >>> found.label, max(found.words, key=lambda word: word.weight).text
    ('negative', 'Slow')
    ```
    """

    text: str | tuple[str, ...]
    label: str
    score: float
    target: str
    target_score: float
    method: str
    faithfulness: Faithfulness | None
    characters_left_out: int
    encoded: EncodedText = field(repr=False)
    head_weights: np.ndarray = field(repr=False)

    @cached_property
    def words(self) -> Sequence[WeightedSpan]:
        """The words in reading order; the weights of the tokens of a word are added."""
        return self._spans("word")

    @cached_property
    def tokens(self) -> Sequence[WeightedSpan]:
        """The tokens in reading order, without special ones."""
        return self._spans("token")

    @property
    def is_signed(self) -> bool:
        """Whether weights below 0 speak against the target."""
        return self.method not in UNSIGNED

    def to_dict(self, level: str = "word") -> dict[str, Any]:
        """All of it, for JSON: with its words or, by `level="token"`, its tokens."""
        spans = self.words if level == "word" else self.tokens
        found: dict[str, Any] = {
            "text": self.text,
            "label": self.label,
            "score": self.score,
            "target": self.target,
            "target_score": self.target_score,
            "method": self.method,
            f"{level}s": [self._entry(span) for span in spans],
        }
        if self.characters_left_out:
            found |= {"truncated": True, "characters_left_out": self.characters_left_out}
        if self.faithfulness is not None:
            found["faithfulness"] = self.faithfulness.to_dict()
        return found

    def _repr_html_(self) -> str:
        return notebook_html([self])

    def _spans(self, level: str) -> WeightedSpans:
        columns: tuple[list[Any], ...] = ([], [], [], [], [])
        for index, part in enumerate(weighted_parts(self.text, self.encoded, self.head_weights, level)):
            starts, ends = zip(*part.spans) if part.spans else ((), ())
            found = (part.words, starts, ends, part.weights.mean(0).tolist(), [index] * len(starts))
            for column, values in zip(columns, found):
                column += values
        return WeightedSpans(*columns)

    def _entry(self, span: WeightedSpan) -> dict[str, Any]:
        found = span._asdict()
        if isinstance(self.text, str):
            del found["text_index"]
        return found


class Explanations(list[Explanation]):
    """Explanations of many texts, in their order; a notebook shows the first ones."""

    def __getitem__(self, index: Any) -> Any:
        found = super().__getitem__(index)
        return Explanations(found) if isinstance(index, slice) else found

    def _repr_html_(self) -> str:
        return notebook_html(self)

    @property
    def faithfulness(self) -> FaithfulnessSummary:
        """How far they can be trusted, over all texts for which that was measured."""
        return FaithfulnessSummary.of(one.faithfulness for one in self if one.faithfulness is not None)

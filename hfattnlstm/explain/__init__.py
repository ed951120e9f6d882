"""Explanations of what a classifier says of texts, and how far they can be trusted."""

from __future__ import annotations

from .explaining import Explainer, explain
from .explanation import Explanation, Explanations
from .faithfulness import Faithfulness, Measure
from .rationales import Plausibility, marks_of_spans, plausibility
from .segments import WeightedSpan
from .summary import Average, FaithfulnessSummary


__all__ = [
    "Average",
    "Explainer",
    "Explanation",
    "Explanations",
    "Faithfulness",
    "FaithfulnessSummary",
    "Measure",
    "Plausibility",
    "WeightedSpan",
    "explain",
    "marks_of_spans",
    "plausibility",
]

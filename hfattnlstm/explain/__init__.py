"""Explanations of what a classifier says of texts, and how far they can be trusted."""

from __future__ import annotations

from ..data.marks import marks_of_spans
from .explaining import Explainer, explain
from .explanation import Explanation, Explanations
from .faithfulness import Faithfulness, Measure
from .html import explanations_page
from .rationales import Agreement, Plausibility, plausibility
from .segments import WeightedSpan, WeightedSpans
from .series import ForecastExplanation, ForecastFaithfulness, explain_forecasts
from .summary import Average, FaithfulnessSummary


__all__ = [
    "Agreement",
    "Average",
    "Explainer",
    "Explanation",
    "Explanations",
    "Faithfulness",
    "FaithfulnessSummary",
    "ForecastExplanation",
    "ForecastFaithfulness",
    "Measure",
    "Plausibility",
    "WeightedSpan",
    "WeightedSpans",
    "explain",
    "explain_forecasts",
    "explanations_page",
    "marks_of_spans",
    "plausibility",
]

"""Explanations of what a classifier says of texts, and how far they can be trusted."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .._extras import needs_extra
from ..data.marks import marks_of_spans
from .alignments import alignment_page
from .context_maps import ContextMaps, context_maps
from .explaining import Explainer, explain
from .explanation import Explanation, Explanations
from .faithfulness import Faithfulness, Measure
from .html import explanations_page
from .rationales import Agreement, Plausibility, plausibility
from .segments import WeightedSpan, WeightedSpans
from .spans_html import tagged_page
from .summary import Average, FaithfulnessSummary


if TYPE_CHECKING:
    from .series import ForecastExplanation, ForecastFaithfulness, explain_forecasts

# What needs the extra `train`, which the rest does not, is imported when it is first used.
_OF_SERIES = (
    "ForecastExplanation",
    "ForecastFaithfulness",
    "explain_forecasts",
)


__all__ = [
    "Agreement",
    "Average",
    "ContextMaps",
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
    "alignment_page",
    "context_maps",
    "explain",
    "explain_forecasts",
    "explanations_page",
    "marks_of_spans",
    "plausibility",
    "tagged_page",
]


def __getattr__(name: str) -> Any:
    if name not in _OF_SERIES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    with needs_extra(f"{__name__}.{name}"):
        return getattr(importlib.import_module(".series", __name__), name)

"""Integrated gradients of a transformer, from transformers-interpret."""

from __future__ import annotations

from collections.abc import Callable

from transformers import PreTrainedModel, PreTrainedTokenizerBase
from transformers_interpret import SequenceClassificationExplainer

from ..timing import Call, Prepare
from ..workload import Sample


def integrated_gradients(
    make_model: Callable[[], PreTrainedModel], tokenizer: PreTrainedTokenizerBase, steps: int
) -> Prepare:
    """A text at a time, as its documentation does it."""
    explainer = SequenceClassificationExplainer(make_model().eval(), tokenizer)

    def prepare(sample: Sample) -> Call:
        texts = sample.texts
        return lambda: sum(bool(explainer(text, n_steps=steps)) for text in texts)

    return prepare

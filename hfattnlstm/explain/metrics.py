"""Faithfulness and plausibility as `evaluate` metrics, over data sets. They need the extra `train`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from .._extras import needs_extra
from .attribution import own_places
from .faithfulness import measure_faithfulness
from .rationales import plausibility
from .scoring import TextScorer
from .summary import FIGURES, FaithfulnessSummary


with needs_extra("hfattnlstm.explain.metrics"):
    import datasets
    import evaluate


_ERASER = """DeYoung et al.: ERASER: A Benchmark to Evaluate Rationalized NLP Models. ACL 2020."""
_WEIGHTS = datasets.Sequence(datasets.Value("float64"))


class PlausibilityMetric(evaluate.Metric):
    """How well weights of tokens agree with what people have marked: `token_f1`, `iou_f1` and `auprc`.

    Predictions are the weights of each text, references 1 for its marked tokens and 0 for the others; see
    [`plausibility`].

    Example:

    ```python
    >>> metric = PlausibilityMetric(keep_in_memory=True)
    >>> metric.compute(predictions=[[0.1, 0.6, 0.3]], references=[[0, 1, 1]])
    {'token_f1': 1.0, 'iou_f1': 1.0, 'auprc': 1.0}
    ```
    """

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description=type(self).__doc__.splitlines()[0],
            citation=_ERASER,
            inputs_description="\nArgs:\n    predictions: weights of tokens.\n    references: 1 for marked tokens.\n",
            features=datasets.Features({"predictions": _WEIGHTS, "references": _WEIGHTS}),
        )

    def _compute(
        self, *, predictions: Sequence[Any], references: Sequence[Any], share: float | None = None
    ) -> dict[str, float]:
        found = plausibility(predictions, references, share)._asdict()
        return {name: found[name] for name in ("token_f1", "iou_f1", "auprc")}


class FaithfulnessMetric(evaluate.Metric):
    """How far weights of tokens say what a model does: means of the figures of [`Faithfulness`] over texts.

    Predictions are the weights of the tokens of each text, special ones left out, references the texts. Each figure
    has a second one, `…_random`, of random rankings.

    Args:
        model: The classifier.
        tokenizer: Its tokenizer.
        signed: Whether weights below 0 speak against the label that the model gives.
        seed: Of the random rankings.
        **options: Those of `evaluate.Metric`, such as `keep_in_memory`.

    Example:

    ```python
    >>> classifier = pipeline("text-classification", "my-model")
    >>> metric = FaithfulnessMetric(classifier.model, classifier.tokenizer, signed=False, keep_in_memory=True)
    >>> found = metric.compute(predictions=[[0.7, 0.3]], references=["Slow soup"])
    >>> sorted(found)[:2]
    ['comprehensiveness', 'comprehensiveness_random']
    ```
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        *,
        signed: bool = True,
        seed: int = 0,
        **options: Any,
    ):
        super().__init__(**options)
        self._scorer = TextScorer(model, tokenizer)
        self._signed, self._seed = signed, seed

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description=type(self).__doc__.splitlines()[0],
            citation=_ERASER,
            inputs_description="\nArgs:\n    predictions: weights of tokens.\n    references: texts.\n",
            features=datasets.Features({"predictions": _WEIGHTS, "references": datasets.Value("string")}),
        )

    def _compute(self, *, predictions: Sequence[Any], references: Sequence[str]) -> dict[str, float]:
        scorer = self._scorer
        texts = scorer.encode(list(references))
        weights = [np.asarray(own, dtype=np.float64) for own in predictions]
        for position, (text, own) in enumerate(zip(texts, weights)):
            count = len(own_places(text))
            if not np.isfinite(own).all():
                raise ValueError(f"The weights of text number {position} have NaN or infinity: they must be numbers.")
            if len(own) != count:
                raise ValueError(
                    f"Text number {position} has {count} tokens and {len(own)} weights: give one a token."
                )
        targets = scorer.logits([scorer.tokens_of(text) for text in texts]).argmax(1).tolist()
        found = FaithfulnessSummary.of(
            measure_faithfulness(scorer, texts, weights, targets, signed=self._signed, seed=self._seed)
        )
        parts = {name: getattr(found, name) for name in FIGURES}
        means = {name: part.mean for name, part in parts.items() if part is not None}
        random = {f"{name}_random": part.random_mean for name, part in parts.items() if part is not None}
        return means | random

"""Text classifiers of transformers, ours and others, as candidates see them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from transformers import Pipeline

from hfattnlstm.data.problem_types import label_names_of
from hfattnlstm.modeling.pipeline_text_classification import AttnLSTMTextClassificationPipeline

from ...timing import NotAvailableError
from ..problem import Problem
from . import Prediction


BATCH_SIZE = 32
_LEAST = 1e-12
_SHOWN = 5


def predict(classifier: Pipeline, texts: Sequence[str], problem: Problem) -> Prediction:
    """Label texts, from text to result; with one label each also give the probabilities.

    Args:
        classifier: Our pipeline, which chooses its batches itself, or the stock one, which is given batches of 32.
        texts: What to label.
        problem: Whose labels are those of the classifier, see [`label_places`].
    """
    own = label_names_of(classifier.model.config)
    places = {name: place for place, name in enumerate(own)}
    scores = np.zeros((len(texts), len(own)))
    ours = isinstance(classifier, AttnLSTMTextClassificationPipeline)
    options = {} if ours else {"batch_size": BATCH_SIZE, "truncation": True}
    # Of a list the pipeline would keep all results, and the stock one knows no other iterator.
    for row, found in enumerate(classifier((text for text in texts), top_k=None, **options)):
        for entry in found:
            scores[row, places[entry["label"]]] = entry["score"]
    order = label_places(own, problem)
    if problem.several:
        threshold = np.asarray(getattr(classifier.model.config, "threshold", 0.5))
        return Prediction((scores > threshold).astype(np.int64)[:, order])
    scores = scores[:, order]
    return Prediction(scores.argmax(-1), np.log(scores.clip(min=_LEAST)))


def label_places(own: Sequence[str], problem: Problem) -> list[int]:
    """Where the labels of a problem are among those of a model.

    Args:
        own: The labels of the model: the same names in any order, or `LABEL_0`, `LABEL_1`, … for them.
        problem: With the names that are looked for.

    Raises:
        NotAvailableError: They are others.

    Example:

    ```python
    >>> label_places(["pos", "neg"], Problem(("neg", "pos")))
    [1, 0]
    ```
    """
    wanted = problem.label_names
    if sorted(own) == sorted(wanted):
        return [list(own).index(name) for name in wanted]
    if list(own) == [f"LABEL_{number}" for number in range(len(wanted))]:
        return list(range(len(wanted)))
    raise NotAvailableError(f"its labels are {_listed(own)}, not {_listed(wanted)}: try --finetune")


def _listed(names: Iterable[str]) -> str:
    names = list(names)
    return ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")

"""The kinds of models for texts that are exported: their classes, their graphs, and what these compute."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ..modeling.configuration_attnlstm import AttnLSTMConfig
from ..modeling.modeling_sequence_classification import AttnLSTMForSequenceClassification
from ..modeling.modeling_token_classification import AttnLSTMForTokenClassification
from .graph import (
    ClassifierGraph,
    TaggerGraph,
    output_names,
    probabilities_of,
    scores_of_tags,
    tagger_output_names,
)


class ExportKind(NamedTuple):
    """One kind of model.

    Attributes:
        model_class: Of the model.
        graph: Makes the graph of a model.
        output_names: What it computes, in order, by the configuration.
        outputs: The same, computed by the model itself from ids and mask.
        facts: What the file says of the model beyond what all say.
    """

    model_class: type
    graph: Callable[[Any], nn.Module]
    output_names: Callable[[AttnLSTMConfig], list[str]]
    outputs: Callable[[Any, Tensor, Tensor], tuple[Tensor, ...]]
    facts: Callable[[Any], dict[str, Any]]


def _classified(model: AttnLSTMForSequenceClassification, ids: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
    explains = "attention" in model.config.poolings
    outputs = model(ids, mask, output_attentions=explains)
    found = {"logits": outputs.logits, "probabilities": probabilities_of(outputs.logits, model.config)}
    if explains:
        found["attentions"] = outputs.attentions[-1].squeeze(2)
    return tuple(found[name] for name in output_names(model.config))


def _tagged(model: AttnLSTMForTokenClassification, ids: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
    scores, tagged, weights = scores_of_tags(model, ids, mask.bool())
    return (scores, tagged.long()) if weights is None else (scores, tagged.long(), weights)


def _no_facts(_: Any) -> dict[str, Any]:
    return {}


def _facts_of_tagger(model: AttnLSTMForTokenClassification) -> dict[str, Any]:
    """The weights of the CRF, which no graph applies."""
    weights = None if model.crf is None else {name: each.tolist() for name, each in model.crf.named_parameters()}
    return {
        "tagging_scheme": model.config.tagging_scheme,
        "crf": None if weights is None else json.dumps(weights),
    }


CLASSIFIER = ExportKind(AttnLSTMForSequenceClassification, ClassifierGraph, output_names, _classified, _no_facts)
TAGGER = ExportKind(AttnLSTMForTokenClassification, TaggerGraph, tagger_output_names, _tagged, _facts_of_tagger)
_KINDS = {kind.model_class.__name__: kind for kind in (CLASSIFIER, TAGGER)}


def kind_to_export(model_type: str | None, architectures: Sequence[str] | None) -> ExportKind:
    """The kind of a model, by the type and the classes that its configuration names.

    Raises:
        TypeError: There is no export for it.

    Example:

    ```python
    >>> kind_to_export("attnlstm", ["AttnLSTMForTokenClassification"]).model_class.__name__
    'AttnLSTMForTokenClassification'
    ```
    """
    found = next(iter(architectures or [CLASSIFIER.model_class.__name__]))
    if model_type == AttnLSTMConfig.model_type and found in _KINDS:
        return _KINDS[found]
    shown = ", ".join(architectures or [str(model_type)])
    raise TypeError(f"The model is a {shown}: only one of {', '.join(_KINDS)} can be exported here.")


def model_outputs(kind: ExportKind, model: Any, ids: Tensor, mask: Tensor) -> list[Any]:
    """What the model itself computes of what its graph does, as arrays."""
    with torch.no_grad():
        return [output.numpy() for output in kind.outputs(model, ids, mask)]

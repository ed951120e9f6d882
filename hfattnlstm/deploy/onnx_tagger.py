"""An exported tagger, run by ONNX Runtime and taken by the pipelines of transformers for a model."""

from __future__ import annotations

import json
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModelForTokenClassification
from transformers.modeling_outputs import TokenClassifierOutput

from ..modeling.crf import LinearChainCRF
from ..modeling.modeling_token_classification import logits_with_path
from ..modeling.tag_schemes import allowed_tags
from .export_kinds import TAGGER
from .onnx_base import OnnxModel


class OnnxAttnLSTMForTokenClassification(OnnxModel):
    """A tagger that [`export_onnx`] has written, for use in place of the model that it was.

    It is called as the model is, and can be given to `pipeline("attention-token-classification", …)` and
    `pipeline("token-classification", …)`, with `device="cpu"` on a machine with an accelerator, which it does not use.
    Its CRF, which is not in the graph, is applied here. Tokens inside a word get no tag of their own.

    Args:
        path, config, num_threads: As in [`OnnxModel`].

    Example:

    ```python
    >>> model = OnnxAttnLSTMForTokenClassification.from_pretrained("my-tagger-onnx")
    >>> model(torch.tensor([[5, 6, 7]])).logits.shape
    torch.Size([1, 3, 3])
    ```
    """

    kind = TAGGER

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.crf = self._crf()

    def _crf(self) -> LinearChainCRF | None:
        weights = self._session().get_modelmeta().custom_metadata_map.get("crf")
        if (weights is None) == self.config.use_crf:
            raise ValueError(f"The config.json beside {self.path} belongs to another model: export the model again.")
        if weights is None:
            return None
        names = [self.config.id2label[number] for number in range(self.config.num_labels)]
        crf = LinearChainCRF(self.config.num_labels, allowed_tags(names, self.config.tagging_scheme))
        with torch.no_grad():
            for name, values in json.loads(weights).items():
                getattr(crf, name).copy_(torch.tensor(values))
        return crf.requires_grad_(False)

    def check_trained(self) -> None:
        """Do nothing: what was exported had all of its weights."""

    def __call__(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        output_attentions: bool | None = None,
        **kwargs: Any,
    ) -> TokenClassifierOutput:
        """Tag a batch.

        Args:
            input_ids, attention_mask, output_attentions: As for the model.

        Returns:
            `logits` (batch, length, num_labels), as from the model in evaluation mode, and on request `attentions`.

        Raises:
            ValueError: For inputs of a wrong shape, ids beyond the vocabulary, labels, or `inputs_embeds`.
        """
        for name in ("labels", "inputs_embeds"):
            if kwargs.get(name) is not None:
                raise ValueError(f"An exported model takes no {name}: use the model that it was exported from.")
        ids, mask = self._inputs(input_ids, attention_mask)
        asked = self.config.output_attentions if output_attentions is None else output_attentions
        names = [name for name in self._names if name != "attentions" or asked]
        scores, tagged, *attentions = self.run(names, ids, mask)
        logits = scores if self.crf is None else logits_with_path(self.crf.decode(scores, tagged.bool()))
        return TokenClassifierOutput(
            logits=logits, attentions=tuple(weights.unsqueeze(2) for weights in attentions) or None
        )

    # The pipeline looks at the signature of `forward`.
    forward = __call__

    def best_tags(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, count: int = 1
    ) -> tuple[Tensor, Tensor]:
        """The best sequences of tags; see [`AttnLSTMForTokenClassification.best_tags`].

        Raises:
            ValueError: For a model without a CRF, or a `count` below 1.
        """
        if self.crf is None:
            raise ValueError("The model has no CRF, and tags each word by itself: take the highest of its logits.")
        ids, mask = self._inputs(input_ids, attention_mask)
        scores, tagged = self.run(["logits", "tagged"], ids, mask)
        return self.crf.best_sequences(scores, tagged.bool(), count)


# Pipelines look the name of the model's class up among those that are registered for the task.
AutoModelForTokenClassification.register(
    OnnxAttnLSTMForTokenClassification, OnnxAttnLSTMForTokenClassification, exist_ok=True
)

"""An exported tagger, run by ONNX Runtime and taken by the pipelines of transformers for a model."""

from __future__ import annotations

import json
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModelForTokenClassification

from ..modeling.crf import LinearChainCRF
from ..modeling.modeling_token_classification import TaggerOutput, best_sequences, logits_with_path
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
        n_best: int | None = None,
        **kwargs: Any,
    ) -> TaggerOutput:
        """Tag a batch.

        Args:
            input_ids, attention_mask, output_attentions, n_best: As for the model.

        Returns:
            `logits` (batch, length, num_labels), as from the model in evaluation mode; on request `attentions` and the
            fields of [`TaggerOutput`].

        Raises:
            ValueError: For inputs of a wrong shape, ids beyond the vocabulary, labels, `inputs_embeds`, an `n_best`
                below 1, or one for a model without a CRF.
        """
        ids, mask = self._inputs(input_ids, attention_mask, kwargs)
        (scores, tagged), attentions = self._run_with_attention(ids, mask, output_attentions, "logits", "tagged")
        tagged = tagged.bool()
        best = (None, None) if n_best is None else best_sequences(self.crf, scores, tagged, n_best)
        return TaggerOutput(
            logits=scores if self.crf is None else logits_with_path(self.crf.decode(scores, tagged)),
            attentions=attentions,
            sequences=best[0],
            sequences_scores=best[1],
        )

    # The pipeline looks at the signature of `forward`.
    forward = __call__


# Pipelines look the name of the model's class up among those that are registered for the task.
AutoModelForTokenClassification.register(
    OnnxAttnLSTMForTokenClassification, OnnxAttnLSTMForTokenClassification, exist_ok=True
)

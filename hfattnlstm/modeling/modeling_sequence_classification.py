"""Classifier and regressor of whole texts, on the backbone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from transformers.modeling_outputs import SequenceClassifierOutput
from transformers.utils.generic import can_return_tuple

from .attention import attention_penalty
from .configuration_attnlstm import AttnLSTMConfig
from .losses import classification_loss
from .modeling_attnlstm import AttnLSTMModel, AttnLSTMPreTrainedModel


if TYPE_CHECKING:
    # Never run: this makes `save_pretrained` copy the pipeline's files into the checkpoint, beside those that it finds
    # in the other relative imports. Older versions of transformers look at this file alone.
    from .pipeline_text_classification import AttnLSTMTextClassificationPipeline  # noqa: F401


class AttnLSTMClassificationHead(nn.Module):
    """Dropout and a linear layer, with a tanh layer before them where `classifier_hidden_size` is set."""

    def __init__(self, config: AttnLSTMConfig):
        super().__init__()
        self.dropout = nn.Dropout(config.classifier_dropout)
        hidden = config.classifier_hidden_size
        self.dense = nn.Linear(config.pooled_size, hidden) if hidden is not None else None
        self.out_proj = nn.Linear(hidden or config.pooled_size, config.num_labels)

    def forward(self, pooled: Tensor) -> Tensor:
        pooled = self.dropout(pooled)
        if self.dense is not None:
            pooled = self.dropout(torch.tanh(self.dense(pooled)))
        return self.out_proj(pooled)


class AttnLSTMForSequenceClassification(AttnLSTMPreTrainedModel):
    """Classifier (single-label or multi-label) or regressor of whole texts.

    Example:

    ```python
    >>> model = AttnLSTMForSequenceClassification(AttnLSTMConfig(id2label={0: "neg", 1: "pos"}))
    >>> model(torch.tensor([[5, 6, 7]])).logits.shape
    torch.Size([1, 2])
    ```
    """

    custom_pipelines = {
        "attention-text-classification": {
            "impl": "pipeline_text_classification.AttnLSTMTextClassificationPipeline",
            "pt": ["AutoModelForSequenceClassification"],
            "type": "text",
        }
    }

    def __init__(self, config: AttnLSTMConfig):
        super().__init__(config)
        self.num_labels = config.num_labels
        self.attnlstm = AttnLSTMModel(config)
        self.classifier = AttnLSTMClassificationHead(config)
        self.post_init()

    @can_return_tuple
    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        **kwargs: Any,
    ) -> SequenceClassifierOutput:
        """Classify a batch.

        Args:
            input_ids, attention_mask, inputs_embeds: As in [`AttnLSTMModel.forward`].
            labels: (batch,) class ids; (batch, num_labels) of 0 and 1 for multi-label; numbers for regression.

        Returns:
            `logits` (batch, num_labels); `loss` where labels are given; `hidden_states` and `attentions` on request.

        Raises:
            ValueError: For the mistakes that [`AttnLSTMModel.forward`] names, or labels of a wrong shape.
        """
        asked = kwargs.pop("output_attentions", None)
        asked = self.config.output_attentions if asked is None else asked
        penalised = labels is not None and self.config.penalises_attention
        kwargs |= {"output_attentions": asked or penalised, "return_dict": True}
        outputs = self.attnlstm(input_ids, attention_mask, inputs_embeds, **kwargs)
        logits = self.classifier(outputs.pooler_output)
        loss = None
        if labels is not None:
            loss = classification_loss(logits, labels, self.config)
        if penalised:
            loss = loss + attention_penalty(outputs.attentions[-1], self.config)
        return SequenceClassifierOutput(
            loss=loss,
            logits=logits,
            hidden_states=outputs.hidden_states,
            attentions=outputs.attentions if asked else None,
        )


__all__ = ["AttnLSTMForSequenceClassification"]

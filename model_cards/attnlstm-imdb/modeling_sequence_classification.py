"""Classifier and regressor of whole texts, on the backbone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from transformers.modeling_outputs import SequenceClassifierOutput
from transformers.utils.generic import can_return_tuple

from .configuration_attnlstm import AttnLSTMConfig
from .losses import sequence_loss
from .modeling_attnlstm import AttnLSTMModel, AttnLSTMPreTrainedModel
from .ngrams import NgramLogits
from .pooled_head import PooledHead
from .reading_order import mask_of


if TYPE_CHECKING:
    # Never run: this makes `save_pretrained` copy the pipeline's files into the checkpoint, beside those that it finds
    # in the other relative imports. Older versions of transformers look at this file alone.
    from .pipeline_text_classification import AttnLSTMTextClassificationPipeline  # noqa: F401


# The field's default, which stands where it has no effect.
NO_NGRAMS_LENGTH = AttnLSTMConfig.classifier_ngram_length


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
        self.classifier = PooledHead(
            config.pooled_size,
            config.num_labels,
            hidden_size=config.classifier_hidden_size,
            dropout=config.classifier_dropout,
        )
        self.ngrams = _ngram_logits(config)
        self.post_init()

    @torch.no_grad()
    def set_ngrams(self, numbers: Tensor, longest: int) -> None:
        """Let the model read n-grams beside the LSTM, in place of those that it has; their weights are 0 at first.

        Args:
            numbers: (size,), those of the n-grams in rising order, see [`ngram_numbers`]; of size 0 for none.
            longest: Tokens in the longest of them.

        Example:

        ```python
        >>> model = AttnLSTMForSequenceClassification(AttnLSTMConfig())
        >>> model.set_ngrams(torch.tensor([6]), longest=1)
        >>> model.ngrams
        NgramLogits(
          (index): NgramIndex(1, longest=1)
        )
        ```
        """
        self.config.classifier_ngrams = len(numbers)
        self.config.classifier_ngram_length = longest if len(numbers) else NO_NGRAMS_LENGTH
        self.config.validate_architecture()
        self.ngrams = _ngram_logits(self.config)
        if self.ngrams is not None:
            self.ngrams.to(self.device, self.dtype).index.numbers.copy_(numbers)

    @can_return_tuple
    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        ngram_logits: Tensor | None = None,
        **kwargs: Any,
    ) -> SequenceClassifierOutput:
        """Classify a batch.

        Args:
            input_ids, attention_mask, inputs_embeds: As in [`AttnLSTMModel.forward`].
            labels: (batch,) class ids, or (batch, num_labels) shares of the classes where `problem_type` is set;
                (batch, num_labels) from 0 to 1 for multi-label; numbers for regression.
            ngram_logits: (batch, num_labels), what the n-grams of the text add to the logits, in place of what
                `ngrams` computes; needed with `inputs_embeds` by a model that has `classifier_ngrams`.

        Returns:
            `logits` (batch, num_labels); `loss` where labels are given; `hidden_states` and `attentions` on request.

        Raises:
            ValueError: For the mistakes that [`AttnLSTMModel.forward`] names, labels that do not fit, and
                `ngram_logits` without n-grams.
        """
        kwargs |= {"output_pooler_weights": labels is not None, "return_dict": True}
        outputs = self.attnlstm(input_ids, attention_mask, inputs_embeds, **kwargs)
        logits = self.classifier(outputs.pooler_output)
        if self.ngrams is not None:
            logits = logits + self._of_ngrams(input_ids, attention_mask, ngram_logits)
        elif ngram_logits is not None:
            raise ValueError("The model has no n-grams, whose part ngram_logits would be: leave it out.")
        return SequenceClassifierOutput(
            loss=None if labels is None else sequence_loss(logits, labels, self.config, outputs.pooler_weights),
            logits=logits,
            hidden_states=outputs.hidden_states,
            attentions=outputs.attentions,
        )

    def _of_ngrams(
        self, input_ids: Tensor | None, attention_mask: Tensor | None, ngram_logits: Tensor | None
    ) -> Tensor:
        if ngram_logits is not None:
            return ngram_logits
        if input_ids is None:
            raise ValueError(
                "The model also reads n-grams, which inputs_embeds does not tell: give ngram_logits too, which "
                "model.ngrams(input_ids, mask) computes, or zeros to leave them out."
            )
        return self.ngrams(input_ids, mask_of(input_ids, attention_mask))


def _ngram_logits(config: AttnLSTMConfig) -> NgramLogits | None:
    if not config.classifier_ngrams:
        return None
    return NgramLogits(config.classifier_ngrams, config.classifier_ngram_length, config.num_labels)


__all__ = ["AttnLSTMForSequenceClassification"]

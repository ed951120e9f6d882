"""Classifier and regressor of time series, on the backbone of the forecaster."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers.modeling_outputs import SequenceClassifierOutput
from transformers.utils.generic import can_return_tuple

from .configuration_forecaster import DIRECT, AttnLSTMForecasterConfig
from .losses import sequence_loss
from .modeling_forecaster import AttnLSTMForecasterModel, AttnLSTMForecasterPreTrainedModel
from .pooled_head import PooledHead


class AttnLSTMForTimeSeriesClassification(AttnLSTMForecasterPreTrainedModel):
    """Classifier (single-label or multi-label) or regressor of whole series: vectors in, logits out.

    Example:

    ```python
    >>> config = AttnLSTMForecasterConfig(num_input_channels=8, mix_channels=True, context_length=8, segment_length=1)
    >>> AttnLSTMForTimeSeriesClassification(config)(torch.randn(2, 8, 8)).logits.shape
    torch.Size([2, 2])
    ```
    """

    def __init__(self, config: AttnLSTMForecasterConfig):
        super().__init__(config)
        if config.decoding != DIRECT:
            raise ValueError(f'decoding="{config.decoding}" makes forecasts: leave it out for a classifier.')
        self.num_labels = config.num_labels
        self.attnlstm_forecaster = AttnLSTMForecasterModel(config)
        channels = 1 if config.mix_channels else config.num_input_channels
        static = self.attnlstm_forecaster.static
        self.classifier = PooledHead(
            channels * config.pooled_size + (0 if static is None else static.size),
            config.num_labels,
            hidden_size=config.classifier_hidden_size,
            dropout=config.classifier_dropout,
        )
        self.post_init()

    @can_return_tuple
    def forward(
        self,
        past_values: Tensor,
        past_observed_mask: Tensor | None = None,
        past_time_features: Tensor | None = None,
        static_real_features: Tensor | None = None,
        static_categorical_features: Tensor | None = None,
        labels: Tensor | None = None,
        **kwargs: Any,
    ) -> SequenceClassifierOutput:
        """Classify a batch of series.

        Args:
            past_values, past_observed_mask, past_time_features, static_real_features, static_categorical_features: As
                in [`AttnLSTMForecasterModel.forward`].
            labels: As in [`AttnLSTMForSequenceClassification.forward`].

        Returns:
            `logits` (batch, num_labels); `loss` where labels are given; `hidden_states` and `attentions` on request,
            as in [`AttnLSTMForecasterModelOutput`].

        Raises:
            ValueError: For inputs of other shapes than the configuration says, and labels that do not fit.
        """
        outputs = self.attnlstm_forecaster(
            past_values,
            past_observed_mask,
            past_time_features,
            static_real_features,
            static_categorical_features,
            **kwargs | {"output_reading": True, "return_dict": True},
        )
        reading = outputs.reading
        pooled = outputs.pooler_output.flatten(1)
        if reading.static is not None:
            # One of the rows of each series, which all have the same.
            pooled = torch.cat([pooled, reading.static.unflatten(0, (pooled.shape[0], -1))[:, 0]], -1)
        logits = self.classifier(pooled)
        return SequenceClassifierOutput(
            loss=None if labels is None else sequence_loss(logits, labels, self.config, reading.weights),
            logits=logits,
            hidden_states=outputs.hidden_states,
            attentions=outputs.attentions,
        )


__all__ = ["AttnLSTMForTimeSeriesClassification"]

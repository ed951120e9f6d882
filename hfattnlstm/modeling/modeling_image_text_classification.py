"""Classifier and regressor of texts with a picture each, on the backbone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from transformers.modeling_outputs import SequenceClassifierOutput
from transformers.utils.generic import can_return_tuple

from .configuration_attnlstm import AttnLSTMConfig
from .context import attention_run, last_states
from .cross_modal import CrossModalLayer, CrossModalWeights
from .layout import zero_where
from .losses import sequence_loss
from .modeling_attnlstm import AttnLSTMModel, AttnLSTMPreTrainedModel, text_pooler
from .picture_reader import PictureReader
from .pooled_head import PooledHead
from .pooling import PooledStates


if TYPE_CHECKING:
    # Never run: this makes `save_pretrained` copy the pipeline's files into the checkpoint.
    from .pipeline_image_text_classification import AttnLSTMImageTextClassificationPipeline  # noqa: F401


@dataclass
class ImageTextClassifierOutput(SequenceClassifierOutput):
    """`SequenceClassifierOutput`, with three fields more, which are None unless attentions are asked for.

    Attributes:
        cross_attentions: Of each cross-modal layer (batch, heads, length, regions): where each token looks.
        image_cross_attentions: Of each (batch, heads, regions, length): which tokens each region looks at.
        image_attentions: Of each (batch, heads, regions, regions), and of the pooling of the regions, the last one,
            (batch, heads, 1, regions).
    """

    cross_attentions: tuple[Tensor, ...] | None = None
    image_cross_attentions: tuple[Tensor, ...] | None = None
    image_attentions: tuple[Tensor, ...] | None = None


class AttnLSTMForImageTextClassification(AttnLSTMPreTrainedModel):
    """Classifier (single-label or multi-label) or regressor of texts with a picture each.

    Tokens and regions of the picture attend to each other in `num_cross_modal_layers`; both are pooled as
    `classifier_pooling` says. A picture comes as the features of its regions, from whatever has made them, or, with
    `image_conv_sizes`, as pixels.

    Example:

    ```python
    >>> model = AttnLSTMForImageTextClassification(AttnLSTMConfig(image_feature_size=16))
    >>> model(torch.tensor([[5, 6, 7]]), image_features=torch.zeros(1, 4, 16)).logits.shape
    torch.Size([1, 2])
    >>> model = AttnLSTMForImageTextClassification(AttnLSTMConfig(image_conv_sizes=[8, 16]))
    >>> outputs = model(torch.tensor([[5, 6, 7]]), pixel_values=torch.zeros(1, 3, 32, 32), output_attentions=True)
    >>> outputs.cross_attentions[0].shape
    torch.Size([1, 4, 3, 64])
    ```
    """

    custom_pipelines = {
        "attention-image-text-classification": {
            "impl": "pipeline_image_text_classification.AttnLSTMImageTextClassificationPipeline",
            "pt": ["AutoModelForVisualQuestionAnswering"],
            "type": "multimodal",
        }
    }
    _no_split_modules = [*AttnLSTMPreTrainedModel._no_split_modules, "CrossModalLayer", "RegionEncoder"]

    def __init__(self, config: AttnLSTMConfig):
        super().__init__(config)
        self.num_labels = config.num_labels
        self.attnlstm = AttnLSTMModel(config, add_pooling_layer=False)
        self.picture_reader = PictureReader(
            config.region_size, config.hidden_size, config.image_conv_sizes, config.num_image_channels
        )
        self.text_norm = nn.LayerNorm(config.hidden_size)
        self.layers = nn.ModuleList(
            CrossModalLayer(
                config.hidden_size,
                config.num_attention_heads,
                intermediate_size=config.cross_modal_intermediate_size,
                dropout=config.hidden_dropout_prob,
            )
            for _ in range(config.num_cross_modal_layers)
        )
        self.text_pooling, self.image_pooling = _Pooling(config), _Pooling(config)
        self.classifier = PooledHead(
            2 * config.pooled_size,
            config.num_labels,
            hidden_size=config.classifier_hidden_size,
            dropout=config.classifier_dropout,
        )
        self.post_init()

    @property
    def dummy_inputs(self) -> dict[str, Tensor]:
        regions = torch.zeros(*super().dummy_inputs["input_ids"].shape[:1], 4, self.config.region_size)
        return {**super().dummy_inputs, "image_features": regions}

    @can_return_tuple
    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        image_features: Tensor | None = None,
        image_mask: Tensor | None = None,
        pixel_values: Tensor | None = None,
        labels: Tensor | None = None,
        **kwargs: Any,
    ) -> ImageTextClassifierOutput:
        """Classify a batch.

        Args:
            input_ids, attention_mask, inputs_embeds: As in [`AttnLSTMModel.forward`].
            image_features: (batch, regions, config.region_size), features of the regions of each picture.
            image_mask: (batch, regions) of 0 and 1, of any dtype; 1 marks real regions. All are real without it. Of
                shape (batch, 1) it is for all regions of a picture: 0 leaves a picture out.
            pixel_values: (batch, channels, height, width), in place of `image_features`, of a model with
                `image_conv_sizes`.
            labels: As in [`AttnLSTMForSequenceClassification.forward`].

        Returns:
            `logits` (batch, num_labels); `loss` where labels are given; on request `hidden_states`, those of the
            backbone, `attentions`, of each context layer and each cross-modal layer (batch, heads, length, length),
            and of the pooling, the last one, (batch, heads, 1, length), and the fields of
            [`ImageTextClassifierOutput`].

        Raises:
            ValueError: For the mistakes that [`AttnLSTMModel.forward`] names, labels that do not fit, and a picture
                that is missing, is there twice, or has another shape than the text and the configuration say.
        """
        run = attention_run(self.config, kwargs)
        kwargs |= {"output_mask": True, "return_dict": True}
        outputs = self.attnlstm(input_ids, attention_mask, inputs_embeds, **kwargs)
        text, text_mask = self.text_norm(outputs.last_hidden_state), outputs.mask
        image, image_mask = self.picture_reader(image_features, image_mask, pixel_values)
        if len(image) != len(text):
            raise ValueError(f"There are {len(text)} texts and {len(image)} pictures: give one for each text.")
        layers = []
        for layer in self.layers:
            text, image, weights = layer(text, text_mask, image, image_mask, run)
            layers.append(weights)
        of_text, of_image = self.text_pooling(text, text_mask), self.image_pooling(image, image_mask)
        logits = self.classifier(torch.cat([of_text.pooled, of_image.pooled], -1))
        return ImageTextClassifierOutput(
            loss=None if labels is None else sequence_loss(logits, labels, self.config, of_text.weights),
            logits=logits,
            hidden_states=outputs.hidden_states,
            **_attentions(outputs.attentions, layers, of_text.weights, of_image.weights, run.output_attentions),
        )


class _Pooling(nn.Module):
    """Normalisation and pooling of one side."""

    def __init__(self, config: AttnLSTMConfig):
        super().__init__()
        self.norm = nn.LayerNorm(config.hidden_size)
        self.pooler = text_pooler(config)

    def forward(self, states: Tensor, mask: Tensor) -> PooledStates:
        states = zero_where(~mask[..., None], self.norm(states))
        return self.pooler(states, mask, last_states(states, mask))


def _attentions(
    of_backbone: tuple[Tensor, ...] | None,
    layers: Sequence[CrossModalWeights],
    of_text: Tensor | None,
    of_image: Tensor | None,
    wanted: bool,
) -> dict[str, tuple[Tensor, ...] | None]:
    """The fields of an output that have attention weights."""
    if not wanted:
        return {}
    text_pooling, image_pooling = (() if weights is None else (weights,) for weights in (of_text, of_image))
    return {
        "attentions": (*(of_backbone or ()), *(layer.text for layer in layers), *text_pooling),
        "cross_attentions": tuple(layer.text_over_image for layer in layers),
        "image_cross_attentions": tuple(layer.image_over_text for layer in layers),
        "image_attentions": (*(layer.image for layer in layers), *image_pooling),
    }


__all__ = ["AttnLSTMForImageTextClassification"]

"""Captions: an LSTM writes what is in a picture, and looks at a part of it for each word."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from transformers import GenerationMixin
from transformers.modeling_outputs import BaseModelOutput, Seq2SeqLMOutput
from transformers.utils.generic import can_return_tuple

from .configuration_seq2seq import TEXT_FIELDS, AttnLSTMSeq2SeqConfig
from .decoder import DecoderState
from .modeling_seq2seq import AttnLSTMSeq2SeqPreTrainedModel, as_encoder_output, memory_of
from .picture_reader import PictureReader


if TYPE_CHECKING:
    # Never run: this makes `save_pretrained` copy the pipeline's files into the checkpoint.
    from .pipeline_image_to_text import AttnLSTMImageToTextPipeline  # noqa: F401


@dataclass
class PictureEncoderOutput(BaseModelOutput):
    """`BaseModelOutput`, with `mask`, boolean (batch, regions), True on real ones."""

    mask: Tensor | None = None


class PictureEncoder(PictureReader):
    """[`PictureReader`] as `generate` calls an encoder."""

    def forward(
        self,
        image_features: Tensor | None = None,
        image_mask: Tensor | None = None,
        pixel_values: Tensor | None = None,
        **kwargs: Any,
    ) -> PictureEncoderOutput:
        states, mask = super().forward(image_features, image_mask, pixel_values)
        return PictureEncoderOutput(last_hidden_state=states, mask=mask)


class AttnLSTMForImageCaptioning(AttnLSTMSeq2SeqPreTrainedModel, GenerationMixin):
    """Writes a text from a picture (Xu et al., 2015): from the features of its regions, from whatever has made them,
    such as those of the frames of a video, or, with `image_conv_sizes`, from its pixels.

    Raises:
        ValueError: For a configuration with fields of an encoder of texts, or with two vocabularies.

    Example:

    ```python
    >>> model = AttnLSTMForImageCaptioning(AttnLSTMSeq2SeqConfig(vocab_size=9, image_conv_sizes=[8, 16]))
    >>> pixels, labels = torch.zeros(1, 3, 32, 32), torch.tensor([[7, 6, 3]])
    >>> model(pixel_values=pixels, labels=labels, output_attentions=True).cross_attentions[0].shape
    torch.Size([1, 1, 3, 64])
    >>> model.generate(pixel_values=pixels, num_beams=2, max_new_tokens=4).shape[0]
    1
    ```
    """

    main_input_name = "pixel_values"
    custom_pipelines = {
        "attention-image-to-text": {
            "impl": "pipeline_image_to_text.AttnLSTMImageToTextPipeline",
            "pt": ["AutoModelForImageTextToText"],
            "type": "multimodal",
        }
    }
    _no_split_modules = ["PictureEncoder", "TokenEmbeddings", "AttentionDecoder"]

    def __init__(self, config: AttnLSTMSeq2SeqConfig):
        super().__init__(config)
        config.refuse_without_effect(TEXT_FIELDS, "a model that reads pictures")
        self.encoder = PictureEncoder(
            config.region_size, config.hidden_size, config.image_conv_sizes, config.num_image_channels
        )
        # What `generate` takes for the input.
        self.main_input_name = "pixel_values" if config.image_conv_sizes else "image_features"
        self.encoder.main_input_name = self.main_input_name
        self._make_decoder(config)
        self._tie(config, {"lm_head.weight": "decoder_embeddings.word_embeddings.weight"})
        self.post_init()

    @property
    def dummy_inputs(self) -> dict[str, Tensor]:
        labels = torch.tensor([[self.config.vocab_size - 1]])
        if self.config.image_conv_sizes:
            return {"pixel_values": torch.zeros(1, self.config.num_image_channels, 32, 32), "labels": labels}
        return {"image_features": torch.zeros(1, 4, self.config.region_size), "labels": labels}

    @can_return_tuple
    def forward(
        self,
        pixel_values: Tensor | None = None,
        image_features: Tensor | None = None,
        image_mask: Tensor | None = None,
        decoder_input_ids: Tensor | None = None,
        decoder_attention_mask: Tensor | None = None,
        decoder_inputs_embeds: Tensor | None = None,
        encoder_outputs: Any = None,
        past_key_values: DecoderState | None = None,
        labels: Tensor | None = None,
        use_cache: bool | None = None,
        num_items_in_batch: Tensor | int | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        **kwargs: Any,
    ) -> Seq2SeqLMOutput:
        """Say of each token of a batch of captions how likely it is.

        Args:
            pixel_values: (batch, channels, height, width), of a model with `image_conv_sizes`.
            image_features: (batch, regions, config.region_size), in place of `pixel_values`, of any other model.
            image_mask: (batch, regions) of 0 and 1, of any dtype; 1 marks real regions. All are real without it.
            decoder_input_ids, decoder_attention_mask, decoder_inputs_embeds, encoder_outputs, past_key_values, labels,
                use_cache, num_items_in_batch, output_attentions, output_hidden_states: As in
                [`AttnLSTMForConditionalGeneration.forward`].

        Returns:
            As [`AttnLSTMForConditionalGeneration.forward`]; `cross_attentions` are (batch, heads, target length,
            regions).

        Raises:
            ValueError: For labels that do not fit, and a picture or a target that is missing or is there twice.
        """
        encoded, memory = {}, None
        if encoder_outputs is not None:
            encoded = as_encoder_output(encoder_outputs)
        elif past_key_values is None:
            encoded = self.encoder(image_features, image_mask, pixel_values)
        if past_key_values is None:
            memory = memory_of(encoded, image_mask, "image_mask")
        return self._write(
            memory,
            encoded,
            decoder_input_ids=decoder_input_ids,
            decoder_attention_mask=decoder_attention_mask,
            decoder_inputs_embeds=decoder_inputs_embeds,
            labels=labels,
            past_key_values=past_key_values,
            use_cache=use_cache,
            num_items_in_batch=num_items_in_batch,
            output_attentions=output_attentions,
            output_hidden_states=output_hidden_states,
        )

    def get_input_embeddings(self) -> nn.Embedding:
        return self.decoder_embeddings.word_embeddings

    def set_input_embeddings(self, value: nn.Embedding) -> None:
        self.decoder_embeddings.word_embeddings = value

    def resize_token_embeddings(self, new_num_tokens: int | None = None, *args: Any, **kwargs: Any) -> nn.Embedding:
        """As the base class's."""
        if new_num_tokens is None:
            return self.get_input_embeddings()
        self.config.vocab_size = new_num_tokens
        return self._resize_target(new_num_tokens)


__all__ = ["AttnLSTMForImageCaptioning"]

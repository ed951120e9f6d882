"""Sequence to sequence: an LSTM writes a text from another one that is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor, nn
from transformers import GenerationMixin
from transformers.modeling_outputs import Seq2SeqLMOutput
from transformers.utils.generic import can_return_tuple

from .configuration_seq2seq import IMAGE_FIELDS, AttnLSTMSeq2SeqConfig
from .decoder import DecoderState
from .modeling_attnlstm import AttnLSTMModel
from .modeling_seq2seq import AttnLSTMSeq2SeqPreTrainedModel, as_encoder_output, memory_of


if TYPE_CHECKING:
    # Never run: this makes `save_pretrained` copy the pipeline's files into the checkpoint.
    from .pipeline_text2text import AttnLSTMText2TextPipeline  # noqa: F401


class AttnLSTMForConditionalGeneration(AttnLSTMSeq2SeqPreTrainedModel, GenerationMixin):
    """Writes a text from another one: translates, rewrites, normalises.

    Example:

    ```python
    >>> model = AttnLSTMForConditionalGeneration(AttnLSTMSeq2SeqConfig(vocab_size=9))
    >>> outputs = model(torch.tensor([[5, 6, 7, 3]]), labels=torch.tensor([[7, 6, 3]]), output_attentions=True)
    >>> outputs.logits.shape, outputs.cross_attentions[0].shape
    (torch.Size([1, 3, 9]), torch.Size([1, 1, 3, 4]))
    >>> model.generate(torch.tensor([[5, 6, 7, 3]]), num_beams=2, max_new_tokens=4).shape[0]
    1
    ```
    """

    custom_pipelines = {
        "attention-text2text": {
            "impl": "pipeline_text2text.AttnLSTMText2TextPipeline",
            "pt": ["AutoModelForSeq2SeqLM"],
            "type": "text",
        }
    }

    def __init__(self, config: AttnLSTMSeq2SeqConfig):
        super().__init__(config)
        config.refuse_without_effect(IMAGE_FIELDS, "a model that reads texts")
        self.encoder = AttnLSTMModel(config.encoder_config, add_pooling_layer=False)
        self._make_decoder(config)
        source = "encoder.embeddings.word_embeddings.weight"
        written = "decoder_embeddings.word_embeddings.weight"
        is_joint = config.decoder_vocab_size is None
        self._tie(config, {written: source, "lm_head.weight": source} if is_joint else {"lm_head.weight": written})
        self.post_init()

    @can_return_tuple
    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
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
        """Say of each token of a batch of targets how likely it is.

        Args:
            input_ids, attention_mask, inputs_embeds: The text that is read, as in [`AttnLSTMModel.forward`].
            decoder_input_ids: (batch, target length), the tokens before those that are predicted, beginning with
                `config.decoder_start_token_id`; made of the labels without.
            decoder_attention_mask: (batch, target length) of 0 and 1; 1 marks real tokens. All are real without it.
            decoder_inputs_embeds: (batch, target length, embedding_size), in place of `decoder_input_ids`.
            encoder_outputs: What the encoder has returned, in place of the text.
            past_key_values: The state of an earlier call, after which the tokens come; the text needs not be given.
            labels: (batch, target length) token ids to be predicted; -100 for those that do not count.
            use_cache: Whether to return the state after the last token.
            num_items_in_batch: What the loss is divided by; the number of labels that count without it.
            output_attentions, output_hidden_states: Whether to return these; as the configuration says without.

        Returns:
            `logits` (batch, target length, target tokens); the `loss` where labels are given, smoothed in training;
            on request `past_key_values`, `cross_attentions`, one tensor (batch, heads, target length, source length)
            whose rows sum to 1 over the real tokens of the source, `decoder_hidden_states`, the embeddings and the
            states of each layer, and what the encoder returned.

        Raises:
            ValueError: For the mistakes that [`AttnLSTMModel.forward`] names, labels that do not fit, and a target
                that is missing or is there twice.
        """
        encoded, memory = {}, None
        if encoder_outputs is not None:
            encoded = as_encoder_output(encoder_outputs)
        elif past_key_values is None:
            encoded = self.encoder(
                input_ids,
                attention_mask,
                inputs_embeds,
                output_mask=True,
                output_attentions=self.config.output_attentions if output_attentions is None else output_attentions,
                output_hidden_states=(
                    self.config.output_hidden_states if output_hidden_states is None else output_hidden_states
                ),
                return_dict=True,
            )
        if past_key_values is None:
            memory = memory_of(encoded, attention_mask, "attention_mask")
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
        return self.encoder.get_input_embeddings()

    def set_input_embeddings(self, value: nn.Embedding) -> None:
        self.encoder.set_input_embeddings(value)

    def resize_token_embeddings(self, new_num_tokens: int | None = None, *args: Any, **kwargs: Any) -> nn.Embedding:
        """As the base class's; with two vocabularies, of what is read: see [`resize_decoder_token_embeddings`]."""
        embedding = self.encoder.resize_token_embeddings(new_num_tokens, *args, **kwargs)
        self.config.vocab_size = self.encoder.config.vocab_size
        if self.config.decoder_vocab_size is None:
            self._resize_target(self.config.vocab_size)
        return embedding

    def resize_decoder_token_embeddings(self, new_num_tokens: int) -> nn.Embedding:
        """Another number of tokens that can be written, where they are others than those that are read.

        Raises:
            ValueError: There is one vocabulary.
        """
        if self.config.decoder_vocab_size is None:
            raise ValueError("There is one vocabulary, of which resize_token_embeddings makes another.")
        self.config.decoder_vocab_size = new_num_tokens
        return self._resize_target(new_num_tokens)


__all__ = ["AttnLSTMForConditionalGeneration"]

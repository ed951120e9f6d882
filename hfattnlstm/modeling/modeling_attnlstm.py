"""Attention-LSTM models: the backbone, and a sequence classifier on it."""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from transformers import initialization as init
from transformers.modeling_outputs import BaseModelOutputWithPooling, SequenceClassifierOutput
from transformers.utils.generic import can_return_tuple, merge_with_config_defaults
from transformers.utils.output_capturing import OutputRecorder, capture_outputs

from .attention import AttentionPooling, attention_penalty
from .capturing import PicklableCapture
from .configuration_attnlstm import AttnLSTMConfig
from .embeddings import AttnLSTMEmbeddings
from .losses import classification_loss
from .recurrence import AttnLSTMEncoder, AttnLSTMLayer, DirectionMerge, full_reading_order, reading_order
from .word_vectors import WordVectorCoverage, copy_word_vectors


if TYPE_CHECKING:
    # Never run: these make `save_pretrained` copy the pipeline's files into the checkpoint, beside those that it finds
    # in the other relative imports. Older versions of transformers look at this file alone.
    from .pipeline_attnlstm import AttnLSTMTextClassificationPipeline  # noqa: F401
    from .text_inputs import TextEncoder  # noqa: F401

AUTO_MAP = {
    "AutoConfig": "configuration_attnlstm.AttnLSTMConfig",
    "AutoModel": "modeling_attnlstm.AttnLSTMModel",
    "AutoModelForSequenceClassification": "modeling_attnlstm.AttnLSTMForSequenceClassification",
}
CUSTOM_PIPELINES = {
    "attention-text-classification": {
        "impl": "pipeline_attnlstm.AttnLSTMTextClassificationPipeline",
        "pt": ["AutoModelForSequenceClassification"],
        "type": "text",
    }
}


class AttnLSTMPreTrainedModel(PicklableCapture, PreTrainedModel):
    """Loading, saving and initialisation, shared by the models."""

    config_class = AttnLSTMConfig
    base_model_prefix = "attnlstm"
    supports_gradient_checkpointing = True
    # Without this the Trainer takes the **kwargs of forward for a promise that the loss is already divided by
    # the number of items of all accumulated batches, and skips its own division.
    accepts_loss_kwargs = False
    _no_split_modules = ["AttnLSTMLayer", "AttnLSTMEmbeddings"]
    _can_record_outputs = {
        "hidden_states": OutputRecorder(AttnLSTMLayer, index=0),
        "attentions": OutputRecorder(AttentionPooling, index=1),
    }

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        # Whole tensors only: a slice would lose the mark that tells loaded parameters from missing ones.
        if isinstance(module, nn.Embedding):
            weight = torch.randn(module.weight.shape) * self.config.initializer_range
            if module.padding_idx is not None:
                weight[module.padding_idx] = 0.0
            init.copy_(module.weight, weight)
        elif isinstance(module, nn.LSTM):
            self._init_lstm(module)
        elif isinstance(module, nn.Linear):
            init.xavier_uniform_(module.weight)
            if module.bias is not None:
                init.zeros_(module.bias)
        elif isinstance(module, DirectionMerge) and module.kind == "weighted":
            init.constant_(module.weight, 0.5)

    def _init_lstm(self, lstm: nn.LSTM) -> None:
        """Xavier input weights, orthogonal recurrent weights, and open forget gates (Jozefowicz et al., 2015)."""
        size = lstm.hidden_size
        gates = [nn.init.xavier_uniform_(torch.empty(size, lstm.input_size)) for _ in range(4)]
        init.copy_(lstm.weight_ih_l0, torch.cat(gates))
        gates = [nn.init.orthogonal_(torch.empty(size, size)) for _ in range(4)]
        init.copy_(lstm.weight_hh_l0, torch.cat(gates))
        bias = torch.zeros(4 * size)
        bias[size : 2 * size] = 1.0
        init.copy_(lstm.bias_ih_l0, bias)
        init.zeros_(lstm.bias_hh_l0)

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | PathLike | None, *args: Any, **kwargs: Any) -> Any:
        """As the base class's; it reads safetensors only, unless `use_safetensors=False` is given.

        Raises:
            OSError: When there are no weights, or they are damaged.
            RuntimeError: When the weights have other shapes than the configuration.
        """
        kwargs.setdefault("use_safetensors", True)
        try:
            return super().from_pretrained(pretrained_model_name_or_path, *args, **kwargs)
        except SafetensorError as error:
            raise OSError(
                f"The safetensors file of {pretrained_model_name_or_path} is damaged ({error}): save or download it "
                "again."
            ) from error
        except RuntimeError as error:
            if "ignore_mismatched_sizes" not in str(error):
                raise
            raise RuntimeError(
                f"The weights of {pretrained_model_name_or_path} have other shapes than the configuration, see the "
                "report above: use the config.json that was saved with them, or set ignore_mismatched_sizes=True to "
                "start these weights anew."
            ) from error

    def save_pretrained(self, save_directory: str | PathLike, *args: Any, **kwargs: Any) -> None:
        """As the base class's; the checkpoint also names the classes and the pipeline in the code saved with it.

        So it loads in a process without the package, by every Auto class, with `trust_remote_code=True`.
        """
        self.config.auto_map = dict(AUTO_MAP)
        self.config.custom_pipelines = CUSTOM_PIPELINES
        try:
            super().save_pretrained(save_directory, *args, **kwargs)
        finally:
            self.config.forget_own_pipeline()

    def get_input_embeddings(self) -> nn.Embedding:
        return self.base_model.embeddings.word_embeddings

    def set_input_embeddings(self, value: nn.Embedding) -> None:
        self.base_model.embeddings.word_embeddings = value

    def load_word_vectors(self, path: str | PathLike[str], tokenizer: PreTrainedTokenizerBase) -> WordVectorCoverage:
        """Copy pretrained word vectors into the input embedding.

        Words that the file lacks keep their rows, and so do padding and other special tokens; only the unknown
        token takes the vector of `<unk>`. A token takes the vector of, in this order: its exact form, its text
        without a tokenizer's mark (`▁the`), either in lower case, and, if the tokenizer lower-cases, the first word
        of the file that equals it in lower case (`Paris` for `paris`). Pieces of words (`##ing`) are looked up as they
        are.

        Args:
            path: File in GloVe's text format or word2vec's text or binary format, plain or compressed with gzip. The
                format is recognised from the content. Every entry must be complete, but only the numbers of the
                vocabulary's words are read.
            tokenizer: The fast tokenizer of the model.

        Returns:
            How many words of the vocabulary were found, and the first that were not.

        Raises:
            FileNotFoundError: When there is no such file.
            TypeError: For a tokenizer that is not fast.
            ValueError: For a file that is damaged or of another format, vectors that are not embedding_size long, and
                a tokenizer with more tokens than the embedding has rows. The embedding is then unchanged.

        Example:

        ```python
        >>> str(model.load_word_vectors("glove.6B.300d.txt", tokenizer))
        'found 9,321 of 10,000 words (93.2 %)'
        ```
        """
        return copy_word_vectors(self.get_input_embeddings(), path, tokenizer)


class AttnLSTMModel(AttnLSTMPreTrainedModel):
    """Embeddings, LSTM stack and pooling.

    Example:

    ```python
    >>> model = AttnLSTMModel(AttnLSTMConfig())
    >>> outputs = model(torch.tensor([[5, 6, 7]]), output_attentions=True)
    >>> outputs.last_hidden_state.shape, outputs.pooler_output.shape, outputs.attentions[-1].shape
    (torch.Size([1, 3, 256]), torch.Size([1, 256]), torch.Size([1, 1, 1, 3]))
    ```
    """

    def __init__(self, config: AttnLSTMConfig):
        super().__init__(config)
        self.embeddings = AttnLSTMEmbeddings(config)
        self.encoder = AttnLSTMEncoder(config)
        self.attention = AttentionPooling(config) if "attention" in config.poolings else None
        self.post_init()

    @merge_with_config_defaults
    @capture_outputs
    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        **kwargs: Any,
    ) -> BaseModelOutputWithPooling:
        """Encode a batch.

        Args:
            input_ids: (batch, length) token ids.
            attention_mask: (batch, length) of any dtype; non-zero marks the real tokens, wherever they stand. All
                tokens are real without it.
            inputs_embeds: (batch, length, embedding_size), in place of `input_ids`.

        Returns:
            `last_hidden_state` (batch, length, hidden_size), 0 on padding; `pooler_output` (batch, pooled_size); on
            request `hidden_states`, the input of the first layer and each layer's output, and `attentions`, whose
            last entry has the pooling weights (batch, heads, 1, length).

        Raises:
            ValueError: When neither or both of `input_ids` and `inputs_embeds` are given, or the mask has another
                shape than they.
        """
        given = _check_inputs(input_ids, attention_mask, inputs_embeds)
        if given.shape[1] == 0:
            input_ids, inputs_embeds, attention_mask = _one_masked_token(self.config, input_ids, inputs_embeds)
            given = input_ids if inputs_embeds is None else inputs_embeds
        mask = _boolean_mask(attention_mask, given)
        full = attention_mask is None
        order = full_reading_order(*mask.shape, mask.device) if full else reading_order(mask)

        embedded = self.embeddings(input_ids, inputs_embeds)
        states, final_state = self.encoder(embedded, order)
        return BaseModelOutputWithPooling(
            last_hidden_state=states, pooler_output=self._pool(states, mask, final_state)
        )

    def _pool(self, states: Tensor, mask: Tensor, final_state: Tensor) -> Tensor:
        parts = [self._pool_by(name, states, mask, final_state) for name in self.config.poolings]
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=-1)

    def _pool_by(self, name: str, states: Tensor, mask: Tensor, final_state: Tensor) -> Tensor:
        if name == "attention":
            return self.attention(states, mask, final_state).pooled
        if name == "last":
            return final_state
        if name == "max":
            highest = states.masked_fill(~mask[..., None], torch.finfo(states.dtype).min).amax(1)
            return highest.masked_fill(~mask.any(1)[:, None], 0.0)
        total = states.sum(1)
        return total / mask.sum(1, keepdim=True).clamp(min=1).to(total.dtype) if name == "mean" else total


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


def _check_inputs(input_ids: Tensor | None, attention_mask: Tensor | None, inputs_embeds: Tensor | None) -> Tensor:
    """The one of `input_ids` and `inputs_embeds` that is given."""
    if (input_ids is None) == (inputs_embeds is None):
        raise ValueError("Give exactly one of input_ids and inputs_embeds.")
    name, dimensions = ("input_ids", 2) if inputs_embeds is None else ("inputs_embeds", 3)
    given = input_ids if inputs_embeds is None else inputs_embeds
    if given.dim() != dimensions:
        raise ValueError(f"{name} must have {dimensions} dimensions, batch first, got the shape {tuple(given.shape)}.")
    if attention_mask is not None and attention_mask.shape != given.shape[:2]:
        raise ValueError(
            f"attention_mask has the shape {tuple(attention_mask.shape)}, but the input has {tuple(given.shape[:2])}: "
            "they must be equal."
        )
    return given


def _boolean_mask(attention_mask: Tensor | None, given: Tensor) -> Tensor:
    if attention_mask is None:
        return torch.ones(given.shape[:2], dtype=torch.bool, device=given.device)
    return attention_mask.to(device=given.device, dtype=torch.bool)


def _one_masked_token(
    config: AttnLSTMConfig, input_ids: Tensor | None, inputs_embeds: Tensor | None
) -> tuple[Tensor | None, Tensor | None, Tensor]:
    """A batch of texts without any token, as the LSTM can read it: one padding token each."""
    given = input_ids if inputs_embeds is None else inputs_embeds
    mask = torch.zeros(given.shape[0], 1, dtype=torch.bool, device=given.device)
    if inputs_embeds is not None:
        return None, inputs_embeds.new_zeros(inputs_embeds.shape[0], 1, inputs_embeds.shape[2]), mask
    # Tokenizers return an empty list as floats: the ids are made anew.
    return torch.full_like(mask, config.pad_token_id or 0, dtype=torch.long), None, mask


__all__ = ["AttnLSTMForSequenceClassification", "AttnLSTMModel", "AttnLSTMPreTrainedModel"]

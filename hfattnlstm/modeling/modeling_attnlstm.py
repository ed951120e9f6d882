"""The backbone of the attention-LSTM models for text, and what all its heads share."""

from __future__ import annotations

from os import PathLike
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers import initialization as init
from transformers.modeling_outputs import BaseModelOutputWithPooling
from transformers.utils.generic import merge_with_config_defaults
from transformers.utils.output_capturing import OutputRecorder, capture_outputs

from .attention import AttentionPooling
from .capturing import PicklableCapture
from .configuration_attnlstm import AttnLSTMConfig
from .embeddings import AttnLSTMEmbeddings
from .recurrence import AttnLSTMEncoder, AttnLSTMLayer, DirectionMerge, full_reading_order, reading_order


class AttnLSTMPreTrainedModel(PicklableCapture, PreTrainedModel):
    """Loading, saving and initialisation, shared by the models."""

    config_class = AttnLSTMConfig
    base_model_prefix = "attnlstm"
    supports_gradient_checkpointing = True
    # Without this the Trainer takes the **kwargs of forward for a promise that the loss is already divided by
    # the number of items of all accumulated batches, and skips its own division.
    accepts_loss_kwargs = False
    # The pipelines that a checkpoint brings along, in the form that `pipeline` reads from its config.json.
    custom_pipelines: dict[str, Any] | None = None
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

        So it loads in a process without the package, with `trust_remote_code=True`, by the Auto classes of the model,
        its backbone and its configuration.
        """
        # The model's own class is added by transformers, where it copies the code.
        self.config.auto_map = {"AutoConfig": _code_of(self.config), "AutoModel": _code_of(self.base_model)}
        if self.custom_pipelines is not None:
            self.config.custom_pipelines = self.custom_pipelines
        try:
            super().save_pretrained(save_directory, *args, **kwargs)
        finally:
            self.config.forget_own_pipeline()

    def get_input_embeddings(self) -> nn.Embedding:
        return self.base_model.embeddings.word_embeddings

    def set_input_embeddings(self, value: nn.Embedding) -> None:
        self.base_model.embeddings.word_embeddings = value


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


def _code_of(instance: object) -> str:
    """Where a checkpoint has the class of an object: file and name."""
    return f"{type(instance).__module__.rpartition('.')[2]}.{type(instance).__name__}"


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


__all__ = ["AttnLSTMModel", "AttnLSTMPreTrainedModel"]

"""Loading, saving and initialisation of the models of all systems."""

from __future__ import annotations

from os import PathLike
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.utils.output_capturing import OutputRecorder

from .capturing import PicklableCapture
from .configuration_base import AttnLSTMBaseConfig
from .lsh_attention import LSHSelfAttention
from .multi_head_attention import MultiHeadAttention
from .pooling import AttentionPooling
from .recurrence import LSTMLayer
from .weight_init import init_module


class AttnLSTMBaseModel(PicklableCapture, PreTrainedModel):
    """Loading, saving and initialisation, shared by the models of all systems."""

    supports_gradient_checkpointing = True
    # Those of the context layers; the pooling has one implementation.
    _supports_sdpa = True
    _supports_attention_backend = True
    # Without this the Trainer takes the **kwargs of forward for a promise that the loss is already divided by
    # the number of items of all accumulated batches, and skips its own division.
    accepts_loss_kwargs = False
    # The pipelines that a checkpoint brings along, in the form that `pipeline` reads from its config.json.
    custom_pipelines: dict[str, Any] | None = None
    # The weights that the checkpoint lacked, as they started.
    started_anew: dict[str, Tensor] = {}
    _can_record_outputs = {
        "hidden_states": OutputRecorder(LSTMLayer, index=0),
        "attentions": [
            OutputRecorder(kind, index=1) for kind in (MultiHeadAttention, LSHSelfAttention, AttentionPooling)
        ],
    }

    def __init__(self, config: AttnLSTMBaseConfig, *args: Any, **kwargs: Any):
        # Fields may have been set since the configuration was made.
        config.validate_architecture()
        super().__init__(config, *args, **kwargs)

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        init_module(module, self.config.initializer_range)

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | PathLike | None, *args: Any, **kwargs: Any) -> Any:
        """As the base class's; it reads safetensors only, unless `use_safetensors=False` is given.

        Where `pipeline` loads the model, it puts a traceback around the sentence of an error: give it a loaded model.

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
            ) from None

    @staticmethod
    def _finalize_model_loading(model: AttnLSTMBaseModel, load_config: Any, loading_info: Any) -> Any:
        """As the base class's, which prints a table before it refuses weights of other shapes."""
        if loading_info.mismatched_keys and not load_config.ignore_mismatched_sizes:
            name, found, wanted = min(loading_info.mismatched_keys)
            raise RuntimeError(
                f"The weights of {load_config.pretrained_model_name_or_path} have other shapes than the configuration "
                f"({name}: {tuple(found)}, not {tuple(wanted)}): use the config.json that was saved with them, or set "
                "ignore_mismatched_sizes=True to start these weights anew."
            )
        loading_info = PreTrainedModel._finalize_model_loading(model, load_config, loading_info)
        anew = loading_info.missing_and_mismatched()
        model.started_anew = {
            name: weight.detach().clone() for name, weight in model.named_parameters() if name in anew
        }
        return loading_info

    def check_trained(self) -> None:
        """Make sure that no weights are random because the checkpoint lacked them.

        Raises:
            ValueError: When all that it lacked are what they started with.
        """
        weights = dict(self.named_parameters())
        anew = {name: start for name, start in self.started_anew.items() if name in weights}
        if anew and all(torch.equal(weights[name].to(start), start) for name, start in anew.items()):
            raise ValueError(
                f"The checkpoint {self.name_or_path} lacks {len(anew)} of the weights, such as {min(anew)}, which "
                "have started at random: train the model first, or load a complete checkpoint."
            )

    def save_pretrained(self, save_directory: str | PathLike, *args: Any, **kwargs: Any) -> None:
        """As the base class's; the checkpoint also names the classes and the pipeline in the code saved with it.

        So it loads in a process without the package, with `trust_remote_code=True`, by the Auto classes of the model,
        its backbone and its configuration.
        """
        # The model's own class is added by transformers, where it copies the code.
        self.config.auto_map = {"AutoConfig": _code_of(self.config), "AutoModel": _code_of(self.base_model)}
        # The configuration may have come with another head, in code that came with its checkpoint.
        held = vars(self.config).pop("custom_pipelines", None)
        if self.custom_pipelines is not None:
            self.config.custom_pipelines = self.custom_pipelines
        try:
            super().save_pretrained(save_directory, *args, **kwargs)
        finally:
            vars(self.config).pop("custom_pipelines", None)
            if held is not None:
                self.config.custom_pipelines = held


def _code_of(instance: object) -> str:
    """Where a checkpoint has the class of an object: file and name."""
    return f"{type(instance).__module__.rpartition('.')[2]}.{type(instance).__name__}"


__all__ = ["AttnLSTMBaseModel"]

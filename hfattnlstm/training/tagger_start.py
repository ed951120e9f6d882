"""What a new tagger begins with: the shape of a pretrained model, its LSTM, and what it knows of words."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from transformers import AutoTokenizer, PreTrainedTokenizerBase
from transformers.utils import logging

from .._places import loading_from
from ..modeling.configuration_attnlstm import AttnLSTMConfig
from ..modeling.configuration_words import input_widths
from ..modeling.modeling_attnlstm import AttnLSTMModel
from ..modeling.modeling_pretraining import AttnLSTMForPreTraining
from .vocabulary import carry_over


logger = logging.get_logger(__name__)

# Fields of a configuration that the weights of a pretrained model decide.
SHAPE = ("embedding_size", "hidden_size", "num_hidden_layers", "bidirectional", "direction_merge", "residual")
# What is new to a pretrained LSTM begins at such a share of its usual size.
_SMALL = 0.3


class Base(NamedTuple):
    """A language model, or any other, that a new tagger begins with."""

    model: AttnLSTMModel
    tokenizer: PreTrainedTokenizerBase

    def shape(self, input_merge: str | None) -> dict[str, Any]:
        """The fields of the configuration that it decides, beside how the inputs of a word become one."""
        config = self.model.config
        shape = {name: getattr(config, name) for name in SHAPE}
        if config.residual and config.embedding_size == config.hidden_size and input_merge == "concat":
            # What goes around the first layer must be as wide as its states.
            shape["input_merge"] = "sum"
        return shape


def load_base(name: str) -> Base:
    """Load a pretrained model by its name, or from its folder.

    Raises:
        OSError: There is none.
        ValueError: It is damaged.
    """
    with loading_from(name) as place:
        model = AttnLSTMForPreTraining.from_pretrained(place, dtype=torch.float32).base_model
    with loading_from(name, "tokenizer") as place:
        return Base(model, AutoTokenizer.from_pretrained(place))


@torch.no_grad()
def begin_with(
    backbone: AttnLSTMModel, base: Base, tokenizer: PreTrainedTokenizerBase, scale: float | None = None
) -> None:
    """Give a new backbone the LSTM of a pretrained one, and its embeddings of words.

    The embeddings stand in the first vectors that the backbone reads, which are found for all words that the base
    knows; the embedding of each token is then what is to be learnt beside them, and begins at zero. Without such
    vectors, they are the embeddings of the tokens that both have. Whatever else is read enters the LSTM with small
    weights.

    Args:
        backbone: Changed in place.
        base: The pretrained model.
        tokenizer: Of the new one.
        scale: By what the vectors were multiplied; None where there are none of this model.
    """
    embeddings = backbone.embeddings
    if scale is not None:
        embeddings.word_embeddings.weight.zero_()
    else:
        known, total = carry_over(base.model, base.tokenizer, tokenizer)
        logger.warning(
            "Of the %s tokens of the words, %s are known to the pretrained model and keep their embeddings.",
            *(f"{total:,}", f"{known:,}"),
        )
        embeddings.word_embeddings.weight.copy_(base.model.embeddings.word_embeddings.weight)
    further, weights = embeddings.further, base.model.encoder.state_dict()
    if further is None:
        backbone.encoder.load_state_dict(weights)
        return
    vectors = None if scale is None else len(input_widths(backbone.config)) - len(further.vectors)
    if further.merge.kind == "concat":
        for name, own in backbone.encoder.state_dict().items():
            if name.startswith("layers.0.") and name.endswith("weight_ih_l0"):
                weights[name] = _widened(weights[name], own, backbone.config, vectors, scale)
    else:
        _begin_projections([layer.weight for layer in further.merge.projections], vectors, scale)
    backbone.encoder.load_state_dict(weights)


def _widened(
    pretrained: Tensor, own: Tensor, config: AttnLSTMConfig, vectors: int | None, scale: float | None
) -> Tensor:
    """The weights (gates, width) of an LSTM that reads all inputs, of which the embedding is one."""
    parts = list((own * _SMALL).split(input_widths(config), dim=1))
    parts[0] = pretrained
    if vectors is not None:
        parts[vectors] = pretrained / scale
    return torch.cat(parts, 1)


def _begin_projections(weights: list[Tensor], vectors: int | None, scale: float | None) -> None:
    """What the LSTM has read so far goes on as it was, and the rest begins small."""
    for weight in weights:
        weight.mul_(_SMALL)
    torch.nn.init.eye_(weights[0])
    if vectors is not None:
        torch.nn.init.eye_(weights[vectors]).div_(scale)

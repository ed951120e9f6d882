"""How the parameters of a new model start, and those that a checkpoint lacks."""

from __future__ import annotations

import torch
from torch import nn
from transformers import initialization as init


def init_module(module: nn.Module, embedding_std: float) -> None:
    """Initialise a module's own parameters, if they are of a kind that the base class would start otherwise.

    A module with parameters of its own kind has a method `init_parameters`. Only functions of
    `transformers.initialization` are used, on whole tensors: they leave alone what was loaded, and a slice would lose
    the mark that says so.

    Args:
        module: Any module.
        embedding_std: Standard deviation of embeddings.
    """
    if isinstance(module, nn.Embedding):
        weight = torch.randn(module.weight.shape) * embedding_std
        if module.padding_idx is not None:
            weight[module.padding_idx] = 0.0
        init.copy_(module.weight, weight)
    elif isinstance(module, nn.LSTM):
        _init_lstm(module)
    elif isinstance(module, nn.Linear):
        init.xavier_uniform_(module.weight)
        if module.bias is not None:
            init.zeros_(module.bias)
    elif isinstance(module, nn.Conv2d):
        init.kaiming_normal_(module.weight, nonlinearity="relu")
        init.zeros_(module.bias)
    elif hasattr(module, "init_parameters"):
        module.init_parameters()


def _init_lstm(lstm: nn.LSTM) -> None:
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

"""Tiny models, masks, and what they must compute, written again with NumPy, one text at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from hfattnlstm import AttnLSTMConfig, AttnLSTMForSequenceClassification, AttnLSTMModel


NO_DROPOUT = {"embedding_dropout": 0, "hidden_dropout_prob": 0, "classifier_dropout": 0, "word_dropout": 0}
LENGTH = 9
# Real tokens of the rows of a batch; what is not named is padding.
ROWS = {
    "full": [range(9), range(9), range(9)],
    "right": [range(9), range(5), range(1), range(7)],
    "left": [range(9), range(4, 9), range(8, 9), range(2, 9)],
    "holes": [range(9), [0, 3, 4, 8], [5], [1, 2, 6]],
    "empty": [range(9), [], [2, 3, 7], range(4)],
}


def mask_of(kind: str) -> Tensor:
    mask = torch.zeros(len(ROWS[kind]), LENGTH, dtype=torch.bool)
    for row, positions in enumerate(ROWS[kind]):
        mask[row, list(positions)] = True
    return mask


def ids_of(mask: Tensor) -> Tensor:
    """Random ids of a 30-word vocabulary, other than the padding's 0, under the mask too."""
    return torch.randint(1, 30, mask.shape)


def tiny_config(**options: Any) -> AttnLSTMConfig:
    return AttnLSTMConfig(**{"vocab_size": 30, "embedding_size": 8, "hidden_size": 12, **options})


def tiny_model(model_class: type = AttnLSTMForSequenceClassification, **options: Any) -> nn.Module:
    """A model in evaluation mode whose parameters are all random, biases too, so that none can be overlooked."""
    torch.manual_seed(0)
    model = model_class(tiny_config(**options))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0, 0.5)
        embedding = model.get_input_embeddings()
        if embedding.padding_idx is not None:
            embedding.weight[embedding.padding_idx] = 0
    return model.eval()


def exact_backbone(**options: Any) -> AttnLSTMModel:
    """The backbone in float64, to be compared to NumPy."""
    return tiny_model(AttnLSTMModel, **options).double()


def array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().numpy()


def assert_near(actual: Any, expected: Any, tolerance: float = 1e-6) -> None:
    actual = array(actual) if isinstance(actual, Tensor) else actual
    expected = array(expected) if isinstance(expected, Tensor) else expected
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance, strict=True)


def sigmoid(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-values))


def numpy_softmax(scores: np.ndarray) -> np.ndarray:
    raised = np.exp(scores - scores.max(-1, keepdims=True))
    return raised / raised.sum(-1, keepdims=True)


def numpy_lstm(inputs: np.ndarray, lstm: nn.LSTM, backward: bool) -> tuple[np.ndarray, np.ndarray]:
    """States (length, size) of one text, in the order of its tokens, and the state after reading it."""
    weight_in, weight_back = array(lstm.weight_ih_l0), array(lstm.weight_hh_l0)
    bias = array(lstm.bias_ih_l0) + array(lstm.bias_hh_l0)
    state = cell = np.zeros(lstm.hidden_size)
    states = np.zeros((len(inputs), lstm.hidden_size))
    positions = range(len(inputs))
    for position in reversed(positions) if backward else positions:
        gates = weight_in @ inputs[position] + weight_back @ state + bias
        entry, forget, candidate, exit_ = np.split(gates, 4)
        cell = sigmoid(forget) * cell + sigmoid(entry) * np.tanh(candidate)
        states[position] = state = sigmoid(exit_) * np.tanh(cell)
    return states, state


def numpy_merge(forward: np.ndarray, backward: np.ndarray, merge: str, weight: np.ndarray | None) -> np.ndarray:
    if merge == "concat":
        return np.concatenate([forward, backward], axis=-1)
    first, second = {"sum": (1, 1), "mean": (0.5, 0.5)}.get(merge, weight)
    return first * forward + second * backward


def numpy_stack(
    model: AttnLSTMModel, tokens: np.ndarray, layers: int, bidirectional: bool, merge: str, residual: bool
) -> tuple[np.ndarray, np.ndarray]:
    """States and final state of one text without padding, read by the model's weights."""
    assert len(model.encoder.layers) == layers
    states, final = tokens, None
    for layer in model.encoder.layers:
        inputs = states
        states, final = numpy_lstm(inputs, layer.forward_lstm, backward=False)
        if bidirectional:
            weight = array(layer.merge.weight) if merge == "weighted" else None
            backward, last = numpy_lstm(inputs, layer.backward_lstm, backward=True)
            states, final = numpy_merge(states, backward, merge, weight), numpy_merge(final, last, merge, weight)
        if residual and inputs.shape == states.shape:
            states = states + inputs
    return states, final

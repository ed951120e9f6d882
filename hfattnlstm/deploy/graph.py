"""The classifier as a graph for ONNX: one LSTM operator a layer, both directions in it.

The real tokens of every text are moved to the front of its row as ids, before the embedding. Behind that a text is a
prefix of its row, which is what the lengths of the LSTM operator describe, so that both of its directions read the
text alone. No pooling depends on where a token stands, so no state is moved back: only the attention weights are.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..modeling.attention import NORMALIZERS, GeneralScore
from ..modeling.modeling_sequence_classification import AttnLSTMForSequenceClassification
from ..modeling.recurrence import AttnLSTMLayer, gates_of_onnx, place_in_order


# Added to what must not be the largest. Not the lowest number, which could overflow.
_FAR_BELOW = -1e30


class ClassifierGraph(nn.Module):
    """Computes the logits and, with attention pooling, the attention weights; only for `torch.onnx.export`.

    Args:
        model: A classifier in float32 and in evaluation mode.
    """

    def __init__(self, model: AttnLSTMForSequenceClassification):
        super().__init__()
        backbone = model.attnlstm
        self.poolings = model.config.poolings
        self.word_embeddings = backbone.embeddings.word_embeddings
        self.layers = nn.ModuleList([_LayerGraph(layer) for layer in backbone.encoder.layers])
        self.attention = backbone.attention
        self.classifier = model.classifier

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, ...]:
        """Compute the outputs of the graph.

        Args:
            input_ids: (batch, length) integers.
            attention_mask: (batch, length) integers; non-zero marks the real tokens, wherever they stand.

        Returns:
            The logits (batch, labels), and with attention pooling the weights (batch, heads, length).
        """
        mask = attention_mask.bool()
        count = mask.sum(1, keepdim=True)
        place = place_in_order(mask, count)
        ids = torch.zeros_like(input_ids).scatter(1, place, input_ids)
        states, final_state = self._read(ids, count)
        real = torch.arange(ids.shape[1], device=count.device) < count
        weights = None if self.attention is None else self._attention_weights(states, real, final_state)
        parts = [self._pool(name, states, final_state, weights, real, count) for name in self.poolings]
        logits = self.classifier(torch.cat(parts, dim=-1))
        return (logits,) if weights is None else (logits, _put_back(weights, place))

    def _read(self, ids: Tensor, count: Tensor) -> tuple[Tensor, Tensor]:
        """States (batch, length, hidden), undefined behind each text, and the final states (batch, hidden)."""
        # The operator wants a token in every text. A text without any reads one, of which nothing is kept.
        lengths = count.squeeze(1).clamp(min=1).int()
        states = final_state = self.word_embeddings(ids.t())
        for layer in self.layers:
            states, final_state = layer(states, lengths, batch_first=layer is self.layers[-1])
        return states, final_state.masked_fill(count == 0, 0.0)

    def _pool(
        self, name: str, states: Tensor, final_state: Tensor, weights: Tensor | None, real: Tensor, count: Tensor
    ) -> Tensor:
        if name == "attention":
            return (weights @ states).flatten(1)
        if name == "last":
            return final_state
        if name == "max":
            highest = (states + torch.where(real, 0.0, _FAR_BELOW)[..., None]).amax(1)
            return highest.masked_fill(count == 0, 0.0)
        total = states.masked_fill(~real[..., None], 0.0).sum(1)
        return total / count.clamp(min=1) if name == "mean" else total

    def _attention_weights(self, states: Tensor, real: Tensor, final_state: Tensor) -> Tensor:
        """(batch, heads, length), as in [`AttentionPooling`], without turning the states time-major for the score."""
        scoring = self.attention.scoring
        if isinstance(scoring, GeneralScore):
            # It turns the states back by itself, and what cancels out is left out of the graph.
            scores = scoring(states.transpose(0, 1), final_state).transpose(0, 1)
        else:
            # The score of a state depends on that state alone, wherever it stands.
            scores = scoring(states, final_state)
        scores = scores.transpose(1, 2) / self.attention.temperature
        return NORMALIZERS[self.attention.normalizer](scores, real[:, None])


class _LayerGraph(nn.Module):
    """An LSTM layer over time-major inputs, with its weights as the operator wants them.

    `forward` returns the states, undefined behind each text, and the states after the whole text (batch, hidden).
    """

    def __init__(self, layer: AttnLSTMLayer):
        super().__init__()
        lstms = [lstm for lstm in (layer.forward_lstm, layer.backward_lstm) if lstm is not None]
        self.size = lstms[0].hidden_size
        self.direction = "forward" if len(lstms) == 1 else "bidirectional"
        self.residual = layer.residual
        # Joined states are only another shape of what the operator returns.
        self.merge = layer.merge if layer.merge is not None and layer.merge.kind != "concat" else None
        self.register_buffer("weight_in", torch.stack([gates_of_onnx(lstm.weight_ih_l0) for lstm in lstms]))
        self.register_buffer("weight_back", torch.stack([gates_of_onnx(lstm.weight_hh_l0) for lstm in lstms]))
        biases = [torch.cat([gates_of_onnx(lstm.bias_ih_l0), gates_of_onnx(lstm.bias_hh_l0)]) for lstm in lstms]
        self.register_buffer("bias", torch.stack(biases))

    def forward(self, inputs: Tensor, lengths: Tensor, batch_first: bool) -> tuple[Tensor, Tensor]:
        directions, (length, batch) = self.bias.shape[0], inputs.shape[:2]
        states, final = torch.onnx.ops.symbolic_multi_out(
            "::LSTM",
            (inputs, self.weight_in, self.weight_back, self.bias, lengths),
            {"hidden_size": self.size, "direction": self.direction},
            dtypes=(inputs.dtype, inputs.dtype),
            shapes=((length, directions, batch, self.size), (directions, batch, self.size)),
            version=14,
        )
        if self.merge is None:
            states = states.permute(2, 0, 1, 3) if batch_first else states.transpose(1, 2)
            states, final = states.flatten(2), final.transpose(0, 1).flatten(1)
        else:
            states, final = self.merge(states[:, 0], states[:, 1]), self.merge(final[0], final[1])
            states = states.transpose(0, 1) if batch_first else states
        if self.residual:
            states = states + (inputs.transpose(0, 1) if batch_first else inputs)
        return states, final


def _put_back(weights: Tensor, place: Tensor) -> Tensor:
    """Weights (batch, heads, length) from the order of `place` to that of the text."""
    return weights.gather(2, place[:, None].expand(-1, weights.shape[1], -1))

"""A model as a graph for ONNX: one LSTM operator a layer, both directions in it.

The model is not written again: its layers get a backend that holds the weights as the operator wants them. What it
reads are ids that were moved, so that the real tokens of every text stand in front; no pooling depends on where a
token stands, so only the attention weights are moved back.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from ..modeling.configuration_attnlstm import AttnLSTMConfig
from ..modeling.configuration_base import REGRESSION
from ..modeling.losses import probabilities
from ..modeling.lstm_backends import LSTMState, Reading, onnx_operator, onnx_weights
from ..modeling.modeling_sequence_classification import AttnLSTMForSequenceClassification
from ..modeling.modeling_token_classification import AttnLSTMForTokenClassification
from ..modeling.reading_order import ReadingOrder, place_in_order
from ..modeling.recurrence import LSTMLayer


class ClassifierGraph(nn.Module):
    """Computes the outputs of [`output_names`]; only for `torch.onnx.export`.

    Args:
        model: A classifier in float32 and in evaluation mode, within [`onnx_layers`].
    """

    def __init__(self, model: AttnLSTMForSequenceClassification):
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, ...]:
        """Compute the outputs of the graph.

        Args:
            input_ids: (batch, length) integers.
            attention_mask: (batch, length) integers of 0 and 1; 1 marks the real tokens, wherever they stand.

        Returns:
            The logits (batch, labels), with attention pooling the weights (batch, heads, length), and but for a
            regression the calibrated probabilities (batch, labels).
        """
        mask = attention_mask.bool()
        count = mask.sum(1, keepdim=True)
        place = place_in_order(mask, count)
        ids = torch.zeros_like(input_ids).scatter(1, place, input_ids)
        real = torch.arange(mask.shape[1], device=mask.device) < count
        outputs = self.model.attnlstm(ids, real, output_pooler_weights=True)
        logits = self.model.classifier(outputs.pooler_output)
        if self.model.ngrams is not None:
            logits = logits + self.model.ngrams(ids, real)
        found = {"logits": logits, "probabilities": probabilities_of(logits, self.model.config)}
        if outputs.pooler_weights is not None:
            found["attentions"] = _put_back(outputs.pooler_weights.squeeze(2), place)
        return tuple(found[name] for name in output_names(self.model.config))


class TaggerGraph(nn.Module):
    """Computes the outputs of [`tagger_output_names`]; only for `torch.onnx.export`.

    Args:
        model: A tagger in float32 and in evaluation mode, within [`onnx_layers`].
    """

    def __init__(self, model: AttnLSTMForTokenClassification):
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, ...]:
        """Compute the outputs of the graph.

        Args:
            input_ids, attention_mask: As in [`ClassifierGraph`].

        Returns:
            The scores of the tags of each token (batch, length, labels), 1 for each token that begins a word
            (batch, length), and, where the model reads it, the attention over the sentence (batch, heads, length).
        """
        mask = attention_mask.bool()
        count = mask.sum(1, keepdim=True)
        place = place_in_order(mask, count)
        ids = torch.zeros_like(input_ids).scatter(1, place, input_ids)
        real = torch.arange(mask.shape[1], device=mask.device) < count
        scores, tagged, weights = scores_of_tags(self.model, ids, real)
        found = {
            "logits": scores.gather(1, place[..., None].expand_as(scores)),
            "tagged": tagged.long().gather(1, place),
        }
        if weights is not None:
            found["attentions"] = _put_back(weights, place)
        return tuple(found[name] for name in tagger_output_names(self.model.config))


def scores_of_tags(
    model: AttnLSTMForTokenClassification, input_ids: Tensor, mask: Tensor
) -> tuple[Tensor, Tensor, Tensor | None]:
    """What enters the CRF of a tagger, or chooses its tags; which tokens begin a word; and the weights (batch, heads,
    length) of its attention, if it has one."""
    outputs = model.attnlstm(input_ids, mask, output_pooler_weights=True, output_words=True)
    weights = None if outputs.pooler_weights is None else outputs.pooler_weights.squeeze(2)
    scores = model.score_tags(outputs.last_hidden_state, outputs.pooler_output)
    return scores, mask if outputs.words is None else outputs.words.tagged, weights


def tagger_output_names(config: AttnLSTMConfig) -> list[str]:
    """What an exported tagger computes, in order.

    Example:

    ```python
    >>> tagger_output_names(AttnLSTMConfig())
    ['logits', 'tagged']
    ```
    """
    attends = config.sentence_context and "attention" in config.poolings
    return ["logits", "tagged", *(["attentions"] if attends else [])]


def output_names(config: AttnLSTMConfig) -> list[str]:
    """What an exported classifier computes, in order.

    Example:

    ```python
    >>> output_names(AttnLSTMConfig(classifier_pooling="max"))
    ['logits', 'probabilities']
    ```
    """
    attentions = ["attentions"] if "attention" in config.poolings else []
    return ["logits", *attentions, *([] if config.resolve_problem_type() == REGRESSION else ["probabilities"])]


def probabilities_of(logits: Tensor, config: AttnLSTMConfig) -> Tensor:
    """The calibrated probabilities (batch, labels) that belong to logits; the numbers of a regression as they are."""
    return probabilities(logits, config.resolve_problem_type(), config.calibration_temperature)


def _put_back(weights: Tensor, place: Tensor) -> Tensor:
    """Weights (batch, heads, length) from the order of `place` to that of the text."""
    return weights.gather(2, place[:, None].expand(-1, weights.shape[1], -1))


@contextlib.contextmanager
def onnx_layers(model: nn.Module) -> Iterator[None]:
    """The LSTM layers of a model as operators of ONNX, which compute nothing by themselves.

    Example:

    ```python
    >>> with onnx_layers(model):
    ...     program = torch.onnx.export(ClassifierGraph(model), example, dynamo=True, verbose=False)
    ```
    """
    layers = [layer for layer in model.modules() if isinstance(layer, LSTMLayer)]
    # Tokens that spell a word on are passed over, wherever the real tokens stand.
    in_front = model.base_model.embeddings.spelling is None
    # A pooling never looks at the one token that a text without any reads; a tagger scores it.
    is_pooled = not isinstance(model, AttnLSTMForTokenClassification)
    for layer in layers:
        layer.backend = _OnnxLSTM(layer.lstms, in_front, is_pooled)
    try:
        yield
    finally:
        for layer in layers:
            layer.backend = None


class _OnnxLSTM(nn.Module):
    """A [`Backend`] whose weights are constants of the graph, which the quantiser wants to see."""

    def __init__(self, lstms: Sequence[nn.LSTM], in_front: bool, is_pooled: bool):
        super().__init__()
        self.in_front, self.is_pooled = in_front, is_pooled
        for name, weight in zip(("weight_in", "weight_back", "bias"), onnx_weights(lstms)):
            self.register_buffer(name, weight)

    def forward(
        self, lstms: Sequence[nn.LSTM], inputs: Tensor, order: ReadingOrder, state: LSTMState | None, with_cell: bool
    ) -> Reading:
        if self.in_front:
            # The tokens are in front already, which a graph cannot see.
            order = order._replace(forward=None, forward_back=None)
        reading = onnx_operator((self.weight_in, self.weight_back, self.bias), inputs, order, state)
        # ONNX Runtime writes zeros behind each text; the check of an export would notice if it did not.
        return reading._replace(zero_on_padding=self.is_pooled)

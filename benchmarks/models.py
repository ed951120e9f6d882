"""The models that are compared in torch: ours, and the two forms of a BiLSTM that people write themselves."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    DistilBertConfig,
    DistilBertForSequenceClassification,
    PreTrainedModel,
)

from hfattnlstm import AttnLSTMConfig, AttnLSTMForSequenceClassification

from .batches import Batch
from .options import Options
from .workload import SPECIAL_TOKENS


EMBEDDING = 128
DROPOUT = 0.1
LABELS = 2


@dataclass(frozen=True)
class Configuration:
    """A kind of texts and the size of the recurrent models that read them.

    Attributes:
        kind: `"reviews"` or `"sentences"`.
        direction_size: Units of one direction.
        layers: LSTM layers.
        vocab_size: Rows of the embedding.
    """

    kind: str = "reviews"
    direction_size: int = 128
    layers: int = 1
    vocab_size: int = 30_000 + len(SPECIAL_TOKENS)

    @property
    def name(self) -> str:
        """For the tables."""
        layers = "one layer" if self.layers == 1 else f"{self.layers} layers"
        return f"{self.kind}, embedding {EMBEDDING}, {self.direction_size} per direction, {layers}"


def configurations(options: Options) -> list[Configuration]:
    """All of them, the main one first; only that one for a run that is to be short."""
    vocab_size = options.words + len(SPECIAL_TOKENS)
    sizes = product(("reviews", "sentences"), (1, 2), (128, 256))
    every = [Configuration(kind, size, layers, vocab_size) for kind, layers, size in sizes]
    return every[:1] if options.main else [every[0], every[4]] if options.quick else every


def main_names(options: Options) -> list[str]:
    """Names of the configurations of reviews and sentences with the smallest models."""
    found = [each for each in configurations(options) if (each.direction_size, each.layers) == (128, 1)]
    return [each.name for each in found]


class AdditiveAttention(nn.Module):
    """Weighted mean of the states with the scores vᵀtanh(Wh+b), as in our models."""

    def __init__(self, width: int):
        super().__init__()
        self.projection = nn.Linear(width, width)
        self.vector = nn.Linear(width, 1, bias=False)

    def forward(self, states: Tensor, mask: Tensor | None) -> Tensor:
        """Pool states (batch, length, width) over the positions in the mask, or over all of them."""
        scores = self.vector(torch.tanh(self.projection(states))).squeeze(-1)
        if mask is not None:
            scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
        weights = torch.softmax(scores, dim=-1)
        return (weights.unsqueeze(1) @ states).squeeze(1)


class NaiveBiLSTM(nn.Module):
    """The form of many tutorials: the LSTM and the attention read the padding, too."""

    def __init__(self, configuration: Configuration):
        super().__init__()
        size = configuration.direction_size
        self.embedding = nn.Embedding(configuration.vocab_size, EMBEDDING, padding_idx=0)
        self.dropout = nn.Dropout(DROPOUT)
        self.lstm = nn.LSTM(
            EMBEDDING,
            size,
            num_layers=configuration.layers,
            dropout=DROPOUT if configuration.layers > 1 else 0.0,
            bidirectional=True,
            batch_first=True,
        )
        self.attention = AdditiveAttention(2 * size)
        self.classifier = nn.Linear(2 * size, LABELS)

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        """Logits (batch, labels)."""
        states, mask = self.read(self.dropout(self.embedding(ids)), lengths)
        return self.classifier(self.dropout(self.attention(states, mask)))

    def read(self, embedded: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor | None]:
        """States of the LSTM, and the mask for the attention."""
        return self.lstm(embedded)[0], None


class PackedBiLSTM(NaiveBiLSTM):
    """The same with packed sequences: the usual way to be exact."""

    def read(self, embedded: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor | None]:
        """States of the LSTM, and the mask for the attention."""
        packed = pack_padded_sequence(embedded, lengths, batch_first=True, enforce_sorted=False)
        states = pad_packed_sequence(self.lstm(packed)[0], batch_first=True)[0]
        mask = torch.arange(states.shape[1], device=states.device)[None] < lengths.to(states.device)[:, None]
        return states, mask


def ours(configuration: Configuration) -> AttnLSTMForSequenceClassification:
    """Our model with new weights."""
    config = AttnLSTMConfig(
        vocab_size=configuration.vocab_size,
        embedding_size=EMBEDDING,
        hidden_size=2 * configuration.direction_size,
        num_hidden_layers=configuration.layers,
        num_labels=LABELS,
    )
    return AttnLSTMForSequenceClassification(config)


def distilbert(vocab_size: int) -> PreTrainedModel:
    """The architecture of DistilBERT-base with random weights."""
    return DistilBertForSequenceClassification(DistilBertConfig(vocab_size=vocab_size, num_labels=LABELS))


def minilm(vocab_size: int) -> PreTrainedModel:
    """The architecture of MiniLM-L6-H384 with random weights."""
    return _bert(vocab_size, width=384, layers=6, heads=12)


def small_bert(vocab_size: int) -> PreTrainedModel:
    """A BERT of two layers, 128 wide, with random weights."""
    return _bert(vocab_size, width=128, layers=2, heads=2)


def _bert(vocab_size: int, width: int, layers: int, heads: int) -> PreTrainedModel:
    config = BertConfig(
        vocab_size=vocab_size,
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=4 * width,
        num_labels=LABELS,
    )
    return BertForSequenceClassification(config)


def logits_of(model: nn.Module, batch: Batch) -> Tensor:
    """Logits (batch, labels) of any of these models, on the device of the model."""
    device = next(model.parameters()).device
    ids = batch.ids.to(device)
    if isinstance(model, PreTrainedModel):
        return model(input_ids=ids, attention_mask=batch.mask.to(device)).logits
    return model(ids, batch.lengths)

"""The BiLSTM of the tutorials, in torch."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from . import Candidate, Prediction
from .ngrams import tokens_of


VOCABULARY, EMBEDDING, HIDDEN, DROPOUT = 25_000, 100, 128, 0.5
LEARNING_RATE, BATCH_SIZE, EPOCHS, LONGEST = 1e-3, 64, 5, 400
PAD, UNKNOWN = 0, 1


class TutorialBiLSTM(Candidate):
    """Words in a padded batch in random order, the last states of both directions, Adam, five epochs."""

    def fit(self, texts: Sequence[str], labels: np.ndarray) -> None:
        """Count the words, and train."""
        torch.manual_seed(self.seed)
        tokens = [tokens_of(text, self.problem)[:LONGEST] for text in texts]
        frequent = Counter(itertools.chain.from_iterable(tokens)).most_common(VOCABULARY)
        self.numbers = {word: number for number, (word, _) in enumerate(frequent, start=UNKNOWN + 1)}
        ids = [self._ids(words) for words in tokens]
        targets = torch.from_numpy(labels)
        self.model = _BiLSTM(len(self.numbers) + UNKNOWN + 1, len(self.problem.label_names))
        loss = nn.BCEWithLogitsLoss() if self.problem.several else nn.CrossEntropyLoss()
        optimizer = torch.optim.Adam(self.model.parameters(), lr=LEARNING_RATE)
        for _ in range(EPOCHS):
            for rows in torch.randperm(len(ids)).split(BATCH_SIZE):
                optimizer.zero_grad()
                batch = targets[rows].float() if self.problem.several else targets[rows]
                loss(self.model(_padded(ids[row] for row in rows.tolist())), batch).backward()
                optimizer.step()

    @torch.inference_mode()
    def predict(self, texts: Sequence[str]) -> Prediction:
        """Label texts; with one label each also give the logits."""
        self.model.eval()
        ids = [self._ids(tokens_of(text, self.problem)[:LONGEST]) for text in texts]
        starts = range(0, len(ids), BATCH_SIZE)
        logits = torch.cat([self.model(_padded(ids[start : start + BATCH_SIZE])) for start in starts]).numpy()
        return (
            Prediction((logits > 0).astype(np.int64))
            if self.problem.several
            else Prediction(logits.argmax(-1), logits)
        )

    def size(self) -> int:
        """Of the weights."""
        return sum(parameter.nbytes for parameter in self.model.parameters())

    def _ids(self, words: Sequence[str]) -> Tensor:
        # An empty text has one unknown word, because the LSTM reads no empty batch.
        return torch.tensor([self.numbers.get(word, UNKNOWN) for word in words] or [UNKNOWN])


class _BiLSTM(nn.Module):
    def __init__(self, vocabulary: int, labels: int):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, EMBEDDING, padding_idx=PAD)
        self.dropout = nn.Dropout(DROPOUT)
        self.lstm = nn.LSTM(EMBEDDING, HIDDEN, bidirectional=True, batch_first=True)
        self.classifier = nn.Linear(2 * HIDDEN, labels)

    def forward(self, ids: Tensor) -> Tensor:
        """Logits (batch, labels)."""
        _, (last, _) = self.lstm(self.dropout(self.embedding(ids)))
        return self.classifier(self.dropout(torch.cat([last[0], last[1]], dim=-1)))


def _padded(ids: Iterator[Tensor] | Sequence[Tensor]) -> Tensor:
    return pad_sequence(list(ids), batch_first=True, padding_value=PAD)

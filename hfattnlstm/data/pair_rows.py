"""Pairs of texts as the rows that a Trainer reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from datasets import Dataset, Features, List, Value
from torch import Tensor

from ..modeling.modeling_seq2seq import IGNORED
from ..modeling.pair_processor import PairProcessor
from ..modeling.text_inputs import pad_ids
from .pairs import SOURCE, TARGET


def encode_pairs(pairs: Dataset, processor: PairProcessor) -> Dataset:
    """Token ids of both sides.

    Args:
        pairs: With the columns `source` and `target`, as from [`load_pairs`].
        processor: Gives the ids, cut to length.

    Returns:
        The columns `input_ids`, `labels`, and `length`, the tokens of both together.

    Example:

    ```python
    >>> encode_pairs(Dataset.from_dict({"source": ["Hund"], "target": ["dog"]}), processor)[0]
    {'input_ids': [1, 3], 'labels': [13, 3], 'length': 4}
    ```
    """
    ids, labels = processor.sources(pairs[SOURCE][:]), processor.targets(pairs[TARGET][:])
    lengths = [len(source) + len(target) for source, target in zip(ids, labels)]
    tokens = List(Value("int32"))
    features = Features({"input_ids": tokens, "labels": tokens, "length": Value("int32")})
    return Dataset.from_dict({"input_ids": ids, "labels": labels, "length": lengths}, features=features)


class PairCollator:
    """Rows of [`encode_pairs`] as the tensors of a batch, padded on the right.

    Args:
        pad_token_id: What fills the sources up; targets are filled up with -100.

    Example:

    ```python
    >>> PairCollator(0)([{"input_ids": [7, 3], "labels": [8, 3]}, {"input_ids": [3], "labels": [3]}])["labels"]
    tensor([[   8,    3],
            [   3, -100]])
    ```
    """

    def __init__(self, pad_token_id: int | None):
        self.pad_token_id = pad_token_id

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Tensor]:
        """Rows with `input_ids` and, for training, `labels`."""
        ids, mask = pad_ids([row["input_ids"] for row in rows], self.pad_token_id)
        batch = {"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(mask)}
        if "labels" in rows[0]:
            labels, _ = pad_ids([row["labels"] for row in rows], IGNORED)
            batch["labels"] = torch.from_numpy(labels)
        return batch

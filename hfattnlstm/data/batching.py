"""Batches for training: which texts stand together, and how they become tensors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Sampler

from ..modeling.losses import IGNORED
from ..modeling.text_inputs import pad_ids
from .marks import RATIONALE


class _EpochSampler(Sampler[int]):
    """An order that depends on the seed and the epoch alone, so that a resumed run reads the same batches.

    The global random state is left as it is.
    """

    def __init__(self, seed: int):
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order is given; the Trainer calls this."""
        self.epoch = epoch

    def _generator(self) -> torch.Generator:
        return torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)


class LengthGroupedSampler(_EpochSampler):
    """Random order in which texts of like length stand together, so that a batch has little padding.

    The texts are shuffled, cut into pools of `pool_batches` batches, and sorted by length within each pool; then the
    batches of the epoch are shuffled. The order depends on the seed and the epoch alone: a resumed run reads the
    same batches, and the global random state is left as it is.

    Args:
        lengths: Tokens of each text.
        batch_size: Texts in a batch of all processes together.
        seed: Seed of the order.
        pool_batches: Batches sorted together: more of them, less padding and less chance.

    Raises:
        ValueError: When `batch_size` or `pool_batches` is below 1.

    Example:

    ```python
    >>> list(LengthGroupedSampler([5, 1, 5, 1], batch_size=2, seed=0))
    [0, 2, 1, 3]
    ```
    """

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int = 0, pool_batches: int = 50):
        if batch_size < 1 or pool_batches < 1:
            raise ValueError(f"batch_size={batch_size} and pool_batches={pool_batches} must be at least 1.")
        super().__init__(seed)
        self.lengths = torch.as_tensor(lengths, dtype=torch.long)
        self.batch_size = batch_size
        self.pool_batches = pool_batches

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[int]:
        generator = self._generator()
        shuffled = torch.randperm(len(self.lengths), generator=generator)
        pools = shuffled.split(self.batch_size * self.pool_batches)
        ordered = torch.cat([self._sorted(pool) for pool in pools])
        full = len(ordered) // self.batch_size * self.batch_size
        batches = ordered[:full].view(-1, self.batch_size)
        batches = batches[torch.randperm(len(batches), generator=generator)]
        # The incomplete batch comes last: anywhere else it would shift all later ones.
        return iter([*batches.flatten().tolist(), *ordered[full:].tolist()])

    def _sorted(self, pool: torch.Tensor) -> torch.Tensor:
        return pool[self.lengths[pool].argsort(descending=True, stable=True)]


class GroupedSampler(_EpochSampler):
    """Random order in which the rows of a group follow each other, such as statements on the same pictures.

    The order depends on the seed and the epoch alone, as that of [`LengthGroupedSampler`].

    Args:
        groups: Of each row.
        seed: Seed of the order.

    Example:

    ```python
    >>> list(GroupedSampler(["a", "b", "a", "b"], seed=0))
    [0, 2, 1, 3]
    ```
    """

    def __init__(self, groups: Sequence[str], seed: int = 0):
        super().__init__(seed)
        _, numbers = np.unique(np.asarray(groups), return_inverse=True)
        self.numbers = torch.from_numpy(numbers)

    def __len__(self) -> int:
        return len(self.numbers)

    def __iter__(self) -> Iterator[int]:
        generator = self._generator()
        places = torch.randperm(int(self.numbers.max()) + 1, generator=generator)
        return iter(places[self.numbers].argsort(stable=True).tolist())


class PaddingCollator:
    """Rows of [`encode_texts`] as the tensors of a batch, padded on the right.

    For rows with these columns it does what `DataCollatorWithPadding` does, in a tenth of the time; with short texts
    that is a part of the step.

    Args:
        pad_token_id: What fills the rows up.
        input_names: Of the ids and of the mask, as `config.model_input_names` has them.

    Example:

    ```python
    >>> collate = PaddingCollator(0, ("input_ids", "attention_mask"))
    >>> collate([{"input_ids": [7, 8], "labels": 1}, {"input_ids": [9], "labels": 0}])
    {'input_ids': tensor([[7, 8],
            [9, 0]]), 'attention_mask': tensor([[ True,  True],
            [ True, False]]), 'labels': tensor([1, 0])}
    ```
    """

    def __init__(self, pad_token_id: int | None, input_names: Sequence[str]):
        self.pad_token_id = pad_token_id
        self.input_names = tuple(input_names)

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Tensor]:
        """Rows with `input_ids` and, for training, `labels` and perhaps `rationale`."""
        ids, mask = pad_ids([row[self.input_names[0]] for row in rows], self.pad_token_id)
        batch = dict(zip(self.input_names, map(torch.from_numpy, (ids, mask))))
        if RATIONALE in rows[0]:
            # Texts that a teacher has labelled have none.
            marks, _ = pad_ids([row[RATIONALE] or [0] * len(row[self.input_names[0]]) for row in rows], 0)
            batch[RATIONALE] = torch.from_numpy(marks)
        if "labels" in rows[0]:
            batch["labels"] = torch.tensor([row["labels"] for row in rows])
        return batch


class SequenceCollator:
    """Rows of token ids whose labels are sequences as well, as the tensors of a batch, padded on the right.

    Args:
        pad_token_id: What fills the ids up; labels are filled up with -100.

    Example:

    ```python
    >>> SequenceCollator(0)([{"input_ids": [7, 3], "labels": [8, 3]}, {"input_ids": [3], "labels": [3]}])["labels"]
    tensor([[   8,    3],
            [   3, -100]])
    ```
    """

    def __init__(self, pad_token_id: int | None):
        self.pad_token_id = pad_token_id

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Tensor]:
        """Rows with `input_ids` and, for training, `labels`."""
        ids, mask = pad_ids([row["input_ids"] for row in rows], self.pad_token_id)
        return {"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(mask), **padded_labels(rows)}


def padded_labels(rows: Sequence[Mapping[str, Any]]) -> dict[str, Tensor]:
    """The `labels` of rows, sequences that are filled up with -100; nothing where rows have none.

    Example:

    ```python
    >>> padded_labels([{"labels": [8, 3]}, {"labels": [3]}])
    {'labels': tensor([[   8,    3],
            [   3, -100]])}
    ```
    """
    if "labels" not in rows[0]:
        return {}
    labels, _ = pad_ids([row["labels"] for row in rows], IGNORED)
    return {"labels": torch.from_numpy(labels)}

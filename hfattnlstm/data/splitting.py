"""Which training rows make the validation split, where there is none."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from datasets import Dataset
from transformers.utils import logging

from .._wording import option
from .columns import column_values, kind_of


logger = logging.get_logger(__name__)

# From which share on it is told that a split has other rows than were asked for.
_FAR_OFF = 0.2


def split_train(data: Dataset, size: float | int, seed: int) -> tuple[Dataset, Dataset]:
    """Training and validation rows.

    With one label a text they are stratified. Every label that has two texts or more has one in each split; where that
    takes another number of rows than `size` says, it is told.

    Args:
        data: Rows with a column `label`, encoded.
        size: Share or number of the validation rows.
        seed: Seed of the choice.

    Raises:
        ValueError: When `size` leaves no row for training.
    """
    total = data.num_rows
    count = held_out_count(size, total)
    shuffled = np.random.default_rng(seed).permutation(total)
    members = _members(data)
    candidates = shuffled
    if kind_of(data.features["label"]) == "class":
        candidates = _after_the_first(shuffled, members[1])
        if len(candidates) < count:
            alone = np.bincount(members[1])[members[1][shuffled]] == 1
            candidates = np.concatenate([candidates, shuffled[alone]])
    count_here = min(count, len(candidates))
    # Even steps through rows in the order of their classes draw from each in proportion.
    chosen = candidates[((np.arange(count_here) + 0.5) * len(candidates) / count_here).astype(np.int64)]
    if members is not None:
        chosen = _Repair(*members, shuffled, chosen).rows(count)
    if len(chosen) != count:
        logger.warning(
            "The validation split has %s rows, not %s: every label with two texts or more has one in each split.",
            len(chosen),
            count,
        )
    return data.select(np.setdiff1d(np.arange(total), chosen)), data.select(np.sort(chosen))


def split_groups(groups: Sequence[str], count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Training and validation rows, with no group in both.

    Args:
        groups: Of each row.
        count: Validation rows, about: groups are taken as long as they have no more together, the smallest one where
            each has more. Where that gives much more or less, it is told.
        seed: Seed of the choice of the groups.

    Returns:
        Numbers of rows, in rising order each.

    Example:

    ```python
    >>> split_groups(["a", "a", "b", "b"], 2, seed=0)
    (array([2, 3]), array([0, 1]))
    ```
    """
    names, number, sizes = np.unique(np.asarray(groups), return_inverse=True, return_counts=True)
    chosen, left = [], count
    for group in np.random.default_rng(seed).permutation(len(names)):
        if sizes[group] <= left:
            chosen.append(group)
            left -= sizes[group]
    held = np.isin(number, chosen or [sizes.argmin()])
    if abs(held.sum() - count) > _FAR_OFF * count:
        logger.warning("The validation split has %s rows, not %s: groups are held out whole.", held.sum(), count)
    return np.flatnonzero(~held), np.flatnonzero(held)


def check_size(size: object) -> None:
    """Refuse what is neither a share nor a number of validation rows.

    Raises:
        ValueError: It is neither.
    """
    is_count = type(size) is int and size >= 1
    if not is_count and not (isinstance(size, float) and 0 < size < 1):
        raise ValueError(f"{option('validation_size', size)} must lie between 0 and 1, or be a whole number of rows.")


def held_out_count(size: float | int, total: int) -> int:
    """How many of so many rows are held out, at least one.

    Raises:
        ValueError: None would be left for training.

    Example:

    ```python
    >>> held_out_count(0.1, 50), held_out_count(7, 50)
    (5, 7)
    ```
    """
    count = size if isinstance(size, int) else max(1, round(size * total))
    if count >= total:
        raise ValueError(
            f"{option('validation_size', size)} leaves none of the {total} training rows: make it smaller."
        )
    return count


def _members(data: Dataset) -> tuple[np.ndarray, np.ndarray] | None:
    """Row and label of every label that is given; None in a regression."""
    feature = data.features["label"]
    values = column_values(data, "label").combine_chunks()
    if kind_of(feature) == "class":
        return np.arange(len(values)), values.to_numpy(zero_copy_only=False)
    if kind_of(feature) != "list":
        return None
    lengths = values.value_lengths().to_numpy(zero_copy_only=False)
    return np.repeat(np.arange(len(values)), lengths), values.flatten().to_numpy(zero_copy_only=False)


def _after_the_first(shuffled: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """The rows in the order of their classes, without the first of each, which is for training."""
    order = shuffled[np.argsort(codes[shuffled], kind="stable")]
    return order[1:][codes[order[1:]] == codes[order[:-1]]]


class _Repair:
    """A choice of rows, changed as little as it takes for every label to be on both sides."""

    def __init__(self, rows: np.ndarray, labels: np.ndarray, shuffled: np.ndarray, chosen: np.ndarray):
        self._row_of, self._labels = rows, labels
        self._place = np.argsort(shuffled)  # where a row stands in the shuffled order
        self._held_out = np.zeros(len(shuffled), dtype=bool)
        self._held_out[chosen] = True
        self._num_labels = int(labels.max(initial=-1)) + 1

    def rows(self, count: int) -> np.ndarray:
        """The rows of the validation split; `count` of them, if that is possible."""
        totals = np.bincount(self._labels, minlength=self._num_labels)
        for side in (True, False):
            lacking = np.flatnonzero((totals >= 2) & (self._counts(side) == 0))
            for label in lacking:
                self._move_one(label, side)
        while np.count_nonzero(self._held_out) > count and self._move_spare():
            pass
        return np.flatnonzero(self._held_out)

    def _counts(self, side: bool) -> np.ndarray:
        here = self._held_out[self._row_of] == side
        return np.bincount(self._labels[here], minlength=self._num_labels)

    def _least(self, side: bool) -> np.ndarray:
        """For each row on a side, how often the rarest of its labels is there; 0 for rows on the other side."""
        least = np.full(len(self._held_out), np.iinfo(np.int64).max)
        np.minimum.at(least, self._row_of, self._counts(side)[self._labels])
        return np.where(self._held_out == side, least, 0)

    def _move_one(self, label: int, side: bool) -> None:
        """Bring a row with the label to a side, if the other side keeps one of each of its labels."""
        if self._counts(side)[label]:
            return  # it has come with another one
        rows = self._row_of[self._labels == label]
        spare = rows[self._least(not side)[rows] > 1]
        if len(spare):
            self._held_out[spare[np.argmin(self._place[spare])]] = side

    def _move_spare(self) -> bool:
        """Give back the validation row whose labels are the most frequent there."""
        least = self._least(True)
        if least.max() < 2:
            return False
        best = np.flatnonzero(least == least.max())
        self._held_out[best[np.argmax(self._place[best])]] = False
        return True

"""Labels at the edges of what is accepted, and a choice of validation rows that stays the same."""

from __future__ import annotations

import numpy as np
import pytest
from datasets import Dataset, DatasetDict, Value

from hfattnlstm.data.loading import load_texts


def labelled(labels: list, feature: object = None) -> Dataset:
    data = Dataset.from_dict({"text": [f"text {row}" for row in range(len(labels))], "label": labels})
    return data if feature is None else data.cast_column("label", feature)


def chosen_rows(labels: list, **options: object) -> list[int]:
    return [int(text.split()[1]) for text in load_texts(labelled(labels), **options)["validation"]["text"]]


@pytest.mark.parametrize("seed", range(20))
def test_every_class_keeps_a_row_where_just_enough_are_left(seed: int) -> None:
    labels = ["a", "b", "c"] * 3
    splits = load_texts(labelled(labels), validation_size=6, seed=seed)
    assert sorted(splits["train"]["label"]) == [0, 1, 2]
    assert splits.num_rows == {"train": 3, "validation": 6}


def test_the_validation_rows_are_those_of_earlier_versions() -> None:
    """A run that is resumed or compared must not train on what it was measured on."""
    assert chosen_rows(["a", "b"] * 100, validation_size=6) == [33, 60, 70, 119, 124, 137]
    assert chosen_rows(list(np.arange(200) / 7), validation_size=6) == [41, 73, 82, 168, 186, 190]


def test_whole_numbers_beyond_the_precision_of_a_model_are_numbers_to_predict() -> None:
    splits = load_texts(labelled([2**24 + 1, 5, 2**40] * 3), problem_type="regression", validation_size=1)
    assert splits["train"].features["label"] == Value("float32")
    assert set(splits["train"]["label"]) | set(splits["validation"]["label"]) == {2.0**24, 5.0, 2.0**40}


@pytest.mark.parametrize("labels", [[[1.0], [0.5]], ["good", "bad"]])
def test_a_split_without_numbers_is_no_regression(labels: list) -> None:
    splits = DatasetDict({"train": labelled([0.5, 1.5] * 4), "test": labelled(labels)})
    with pytest.raises(ValueError, match=r"test.* does not hold the numbers that regression needs, but "):
        load_texts(splits, problem_type="regression")

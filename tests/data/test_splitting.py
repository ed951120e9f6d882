"""Rare labels on both sides of the split."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from datasets import Dataset, DatasetDict

from hfattnlstm.data.loading import load_texts


def split(labels: list, **options: object) -> DatasetDict:
    texts = [f"text {row}" for row in range(len(labels))]
    return load_texts(Dataset.from_dict({"text": texts, "label": labels}), **options)


def counts(splits: DatasetDict, name: str) -> Counter:
    return Counter(np.ravel(splits[name]["label"][:]).tolist())


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("few", [2, 3, 5])
def test_every_class_of_two_texts_or_more_has_one_in_each_split(few: int, seed: int) -> None:
    splits = split(["many"] * 120 + ["few"] * few, seed=seed)
    assert splits.num_rows == {"train": 108 + few, "validation": 12} if few < 4 else True
    assert counts(splits, "train")[0] >= 1
    assert counts(splits, "validation")[0] >= 1


@pytest.mark.parametrize("seed", range(8))
def test_many_small_classes_take_as_many_rows_as_they_need(seed: int, caplog: pytest.LogCaptureFixture) -> None:
    splits = split([f"class {row % 20}" for row in range(60)], validation_size=0.1, seed=seed)
    assert set(counts(splits, "train")) == set(counts(splits, "validation")) == set(range(20))
    assert splits.num_rows == {"train": 40, "validation": 20}
    assert "The validation split has 20 rows, not 6: every label with two texts or more has one in each" in caplog.text


@pytest.mark.parametrize("seed", range(8))
def test_a_large_share_leaves_every_class_one_for_training(seed: int) -> None:
    splits = split(["a", "a", "b", "b", "c"], validation_size=4, seed=seed)
    assert {0, 1} <= set(counts(splits, "train"))
    assert {0, 1} <= set(counts(splits, "validation"))


@pytest.mark.parametrize("seed", range(5))
def test_classes_of_one_row(seed: int) -> None:
    splits = split(["a"] * 6 + ["b"] * 6 + ["rare"], validation_size=6, seed=seed)
    assert splits.num_rows == {"train": 7, "validation": 6}
    assert splits["train"].features["label"].names == ["a", "b", "rare"]
    assert set(splits["train"]["label"]) == {0, 1, 2}
    assert set(splits["validation"]["label"]) == {0, 1}
    assert split(["a", "b", "c"], seed=seed).num_rows == {"train": 2, "validation": 1}


@pytest.mark.parametrize("seed", range(8))
def test_several_labels_a_text(seed: int) -> None:
    labels = [["a"], ["a", "b"], ["b"]] * 30 + [["a", "rare"], ["rare", "b"], ["once"]]
    splits = split(labels, validation_size=9, seed=seed)
    names = splits["train"].features["label"].feature.names
    for name in ("train", "validation"):
        present = {names[code] for row in splits[name]["label"] for code in row}
        assert {"a", "b", "rare"} <= present
    assert splits.num_rows["validation"] == 9


def test_a_share_that_leaves_nothing_names_the_option() -> None:
    with pytest.raises(ValueError, match="validation_size=5 leaves none of the 4 training rows: make it smaller"):
        split(["a", "b"] * 2, validation_size=5)


def test_texts_on_both_sides_are_told(caplog: pytest.LogCaptureFixture) -> None:
    texts = Dataset.from_dict({"text": ["good", "bad", "so"] * 10, "label": ["a", "b", "a"] * 10})
    load_texts(texts)
    assert "3 of the 3 texts for validation are among those for training, too" in caplog.text
    caplog.clear()
    split(["a", "b"] * 10)
    assert not caplog.messages

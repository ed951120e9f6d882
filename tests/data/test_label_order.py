"""The order of labels."""

from __future__ import annotations

import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, List, Value

from hfattnlstm.data.label_order import order_labels


def make(names: list[str], labels: list, several: bool = False) -> DatasetDict:
    label = List(ClassLabel(names=names)) if several else ClassLabel(names=names)
    data = Dataset.from_dict(
        {"text": ["t"] * len(labels), "label": labels}, Features({"text": Value("string"), "label": label})
    )
    return DatasetDict({"train": data, "test": data.select([0])})


def test_one_label_a_text():
    ordered = order_labels(make(["a", "b"], [0, 1, 1]), ["c", "b", "a"])
    assert ordered["train"].features["label"].names == ["c", "b", "a"]
    assert ordered["train"]["label"][:] == [2, 1, 1] and ordered["test"]["label"][:] == [2]


def test_several_labels_a_text():
    ordered = order_labels(make(["a", "b"], [[0, 1], [], [1]], several=True), ["b", "a"])
    assert ordered["train"].features["label"].feature.names == ["b", "a"]
    assert ordered["train"]["label"][:] == [[1, 0], [], [0]] and ordered["test"]["label"][:] == [[1, 0]]


def test_a_label_that_has_no_place():
    with pytest.raises(ValueError, match="The label 'b' is none of a, c"):
        order_labels(make(["a", "b"], [0, 1]), ["a", "c"])

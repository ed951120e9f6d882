"""Labelled texts as rows for the Trainer."""

from __future__ import annotations

from datasets import ClassLabel, Dataset, DatasetDict, Features, List, Value

from hfattnlstm.data.encoding import encode_texts
from hfattnlstm.modeling.text_inputs import TextEncoder
from training.training_helpers import make_tokenizer


TEXTS = ["w2 w3 w4", "w5", ""]


def encode(label: object, labels: list) -> Dataset:
    features = Features({"text": Value("string"), "label": label})
    texts = DatasetDict({"train": Dataset.from_dict({"text": TEXTS, "label": labels}, features=features)})
    return encode_texts(texts, TextEncoder(make_tokenizer(), max_length=2, truncation="tail"))["train"]


def test_one_label() -> None:
    rows = encode(ClassLabel(names=["a", "b"]), [1, 0, 1])
    assert rows["input_ids"][:] == [[3, 4], [5], []]
    assert rows["length"][:] == [2, 1, 0]
    assert rows["labels"][:] == [1, 0, 1]


def test_several_labels() -> None:
    rows = encode(List(ClassLabel(names=["a", "b", "c"])), [[2, 0], [], [1]])
    assert rows["labels"][:] == [[1.0, 0.0, 1.0], [0.0, 0.0, 0.0], [0.0, 1.0, 0.0]]


def test_numbers() -> None:
    rows = encode(Value("float32"), [0.5, -1.0, 2.0])
    assert rows["labels"][:] == [0.5, -1.0, 2.0]

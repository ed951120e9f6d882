"""Labelled texts as rows for the Trainer."""

from __future__ import annotations

from pathlib import Path

import datasets
import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, List, Value

from hfattnlstm.data.encoding import encode_texts, tell_unknown_tokens
from hfattnlstm.modeling.text_inputs import TextEncoder
from training.training_helpers import make_tokenizer


TEXTS = ["w2 w3 w4", "w5", ""]


def encode(label: object, labels: list) -> Dataset:
    features = Features({"text": Value("string"), "label": label})
    texts = DatasetDict({"train": Dataset.from_dict({"text": TEXTS, "label": labels}, features=features)})
    return encode_texts(texts, TextEncoder(make_tokenizer(), max_length=2, truncation="tail"))["train"]


@pytest.mark.parametrize(
    ("label", "labels", "kind"),
    [
        (ClassLabel(names=["a", "b"]), [1, 0, 1], Value("int64")),
        (List(ClassLabel(names=["a", "b"])), [[1], [], [0]], List(Value("float32"))),
        (Value("float64"), [0.5, -1.0, 2.0], Value("float32")),
    ],
)
def test_the_columns_have_the_types_of_the_loss(label: object, labels: list, kind: object) -> None:
    expected = {"input_ids": List(Value("int32")), "length": Value("int32"), "labels": kind}
    assert encode(label, labels).features == Features(expected)


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


@pytest.fixture
def on_disk(tmp_path: Path) -> DatasetDict:
    """Texts in files, beside which datasets keeps the results of what was done to them before."""
    was_enabled = datasets.is_caching_enabled()
    datasets.enable_caching()
    features = Features({"text": Value("string"), "label": ClassLabel(names=["a", "b"])})
    texts = Dataset.from_dict({"text": TEXTS, "label": [1, 0, 1]}, features=features)
    DatasetDict({"train": texts}).save_to_disk(tmp_path)
    yield DatasetDict.load_from_disk(tmp_path)
    (datasets.enable_caching if was_enabled else datasets.disable_caching)()


def test_two_encoders_of_the_same_texts_give_each_its_own_ids(on_disk: DatasetDict) -> None:
    assert on_disk["train"].cache_files
    for length, ids in ((2, [3, 4]), (1, [4]), (3, [2, 3, 4])):
        encoder = TextEncoder(make_tokenizer(), max_length=length, truncation="tail")
        assert encode_texts(on_disk, encoder)["train"]["input_ids"][0] == ids


def test_another_version_of_the_package_does_not_get_the_ids_of_this_one(
    on_disk: DatasetDict, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = TextEncoder(make_tokenizer())
    assert encode_texts(on_disk, encoder)["train"]["input_ids"][:] == [[2, 3, 4], [5], []]
    # A process with an encoder of the same name and state, that does something else.
    monkeypatch.setattr(TextEncoder, "input_ids", lambda self, texts: [[len(text)] for text in texts])
    assert encode_texts(on_disk, encoder)["train"]["input_ids"][:] == [[8], [2], [0]]


def test_many_unknown_tokens_are_told(caplog: pytest.LogCaptureFixture) -> None:
    known, unknown = ({"input_ids": [[2, 3], [second, 4]]} for second in (5, 1))
    encoded = DatasetDict({"train": Dataset.from_dict(known), "validation": Dataset.from_dict(unknown)})
    assert tell_unknown_tokens(encoded, make_tokenizer()) == {"train": 0.0, "validation": 0.25}
    assert "0% of the tokens for train, 25% of the tokens for validation" in caplog.text
    assert "make pieces of words with kind='bpe'" in caplog.text
    caplog.clear()
    tell_unknown_tokens(encoded, make_tokenizer(), is_new=False)
    assert "begin anew, with a tokenizer of their own" in caplog.text
    caplog.clear()
    tell_unknown_tokens(DatasetDict({"train": encoded["train"]}), make_tokenizer())
    assert not caplog.messages

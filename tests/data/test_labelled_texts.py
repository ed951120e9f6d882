"""Labelled texts for a model that is there already."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from datasets import Dataset, DatasetDict

from hfattnlstm.data.labelled_texts import load_labelled_texts
from hfattnlstm.modeling.configuration_base import MULTI_LABEL, REGRESSION, SINGLE_LABEL


NAMES = ["neg", "pos"]


def write(folder: Path, content: str, name: str = "texts.csv") -> Path:
    path = folder / name
    path.write_bytes(gzip.compress(content.encode()) if name.endswith(".gz") else content.encode())
    return path


@pytest.mark.parametrize("name", ["texts.csv", "texts.csv.gz"])
def test_one_class_is_enough_and_has_the_models_number(tmp_path: Path, name: str) -> None:
    found = load_labelled_texts(write(tmp_path, "text,label\na,pos\nb,pos\n", name), SINGLE_LABEL, NAMES)
    assert found.data["label"][:] == [1, 1] and name in found.origin


def test_integers_stand_for_the_names(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    found = load_labelled_texts(write(tmp_path, "text,label\na,1\nb,0\n"), SINGLE_LABEL, NAMES)
    assert found.data["label"][:] == [1, 0]


def test_lists_and_numbers() -> None:
    lists = Dataset.from_dict({"text": ["a", "b"], "label": [["pos"], []]})
    assert load_labelled_texts(lists, MULTI_LABEL, NAMES).data["label"][:] == [[1], []]
    numbers = Dataset.from_dict({"text": ["a", "b"], "score": [1.5, 2]})
    assert load_labelled_texts(numbers, REGRESSION, ["LABEL_0"]).data["label"][:] == [1.5, 2.0]


@pytest.mark.parametrize(
    ("content", "problem", "sentence"),
    [
        ("text,label\na,pos\nb,glad\n", SINGLE_LABEL, "label 'glad' in row 2 of the column 'label' of the file"),
        ("text,words\na,2\n", SINGLE_LABEL, "no column that is known to hold the labels.*hfattnlstm predict"),
        ("text,label\n", SINGLE_LABEL, "has no rows"),
        ("", SINGLE_LABEL, "is empty"),
        ("text,label\na,pos\n", MULTI_LABEL, "but the model gives a list of labels for each text"),
        ("text,label\na,pos\n", REGRESSION, "'pos' in row 1.*but the model gives a number"),
    ],
)
def test_what_does_not_suit_the_model(tmp_path: Path, content: str, problem: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence) as caught:
        load_labelled_texts(write(tmp_path, content), problem, NAMES)
    assert "problem_type" not in str(caught.value) and "split 'train'" not in str(caught.value)


class TestSplits:
    @pytest.fixture
    def splits(self) -> DatasetDict:
        rows = {"train": ["a"], "validation": ["b", "c"], "extra": ["d"]}
        return DatasetDict(
            {name: Dataset.from_dict({"text": texts, "label": ["pos"] * len(texts)}) for name, texts in rows.items()}
        )

    def texts(self, splits: DatasetDict, split: str | None = None) -> list[str]:
        return load_labelled_texts(splits, SINGLE_LABEL, NAMES, split=split).data["text"][:]

    def test_the_one_that_is_named(self, splits: DatasetDict) -> None:
        assert self.texts(splits, "extra") == ["d"]

    def test_held_out_texts_without_a_name(self, splits: DatasetDict) -> None:
        assert self.texts(splits) == ["b", "c"]
        splits["test"] = splits["train"]
        assert self.texts(splits) == ["a"]

    def test_one_that_is_not_there(self, splits: DatasetDict) -> None:
        with pytest.raises(ValueError, match="split='dev' is not there, only 'train', 'validation', 'extra'"):
            self.texts(splits, "dev")
        with pytest.raises(ValueError, match="leave it out"):
            self.texts(DatasetDict({"train": splits["train"]}), "dev")

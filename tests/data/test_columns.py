"""Which columns of numbers stay texts, and which kinds of numbers are classes."""

from __future__ import annotations

from pathlib import Path

import pytest
from datasets import ClassLabel, Dataset, Value

from hfattnlstm.data.columns import kind_of
from hfattnlstm.data.loading import load_texts, read_text_column


@pytest.mark.parametrize("header", ["text", "Text", " Review "])
@pytest.mark.parametrize("named", [False, True])
def test_a_text_that_looks_like_a_number_stays_as_it_is_written(tmp_path: Path, header: str, named: bool) -> None:
    path = tmp_path / "codes.csv"
    texts = ["12", "3.50", "7", "100", "1", "2e3"]
    path.write_text("\n".join([f"{header},label", *(f"{text},{'ab'[row % 2]}" for row, text in enumerate(texts))]))
    splits = load_texts(path, text_column=header if named else None, validation_size=2)
    assert sorted([*splits["train"]["text"], *splits["validation"]["text"]]) == sorted(texts)
    assert read_text_column(path, header if named else None) == texts


def test_a_column_without_a_number_is_none_of_numbers(tmp_path: Path) -> None:
    path = tmp_path / "empty.csv"
    path.write_text("text,label,other\n" + "".join(f"text {row},{row % 2},\n" for row in range(6)))
    assert load_texts(path, text_column="text", validation_size=2)["train"].features["label"].names == ["0", "1"]
    with pytest.raises(ValueError, match="holds empty texts only"):
        load_texts(path, text_column="other")


@pytest.mark.parametrize("kind", ["bool", "int8", "int64", "uint8", "uint64"])
def test_every_kind_of_integer_is_a_class(kind: str) -> None:
    data = Dataset.from_dict({"text": [f"text {row}" for row in range(8)], "label": [0, 1] * 4})
    label = load_texts(data.cast_column("label", Value(kind)), validation_size=2)["train"].features["label"]
    assert isinstance(label, ClassLabel)
    assert label.num_classes == 2


def test_kinds_of_features() -> None:
    kinds = {"float32": "float", "float64": "float", "large_string": "string", "uint16": "integer", "bool": "integer"}
    assert {name: kind_of(Value(name)) for name in kinds} == kinds
    assert [kind_of(feature) for feature in (Value("date32"), Value("binary"), {"a": Value("string")})] == [
        "other"
    ] * 3

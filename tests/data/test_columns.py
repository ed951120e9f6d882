"""Which columns of numbers stay texts, and which kinds of numbers are classes."""

from __future__ import annotations

from pathlib import Path

import pytest
from datasets import ClassLabel, Dataset, Value

from hfattnlstm._wording import flags_in_sentences
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


def table(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "table.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_column_that_is_guessed_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert read_text_column(table(tmp_path, "good soup\nbad lift\nkind staff\n")) == ["bad lift", "kind staff"]
    assert "The column 'good soup' of the file" in caplog.text
    assert "is taken for the texts, and the first line for the header" in caplog.text
    caplog.clear()
    with flags_in_sentences():
        read_text_column(parquet_file(tmp_path))
    assert "is taken for the texts: if it is not meant, name another with --text_column." in caplog.text
    caplog.clear()
    assert read_text_column(table(tmp_path, "id,review\n1,good\n2,bad\n")) == ["good", "bad"]
    assert read_text_column(table(tmp_path, "id,remark\n1,good\n2,bad\n"), "remark") == ["good", "bad"]
    assert not caplog.messages


def parquet_file(tmp_path: Path) -> Path:
    path = tmp_path / "table.parquet"
    Dataset.from_dict({"number": [1, 2], "remark": ["good", "bad"]}).to_parquet(path)
    return path


@pytest.mark.parametrize(
    "text",
    [
        "date,code,remark\n2020-01-01,#1,good\n2020-01-02,#2,bad\n",
        "content,review\n17,good\n18,bad\n",
        "sentence,body\n,good\n,bad\n",
        "remark,label\ngood,x\nbad,y\n",
    ],
)
def test_a_column_that_holds_no_texts_is_not_taken_for_one(tmp_path: Path, text: str) -> None:
    assert read_text_column(table(tmp_path, text)) == ["good", "bad"]


def test_columns_without_texts_alone(tmp_path: Path) -> None:
    path = table(tmp_path, "day,score\n2020-01-01,1\n2020-01-02,2\n")
    with pytest.raises(
        ValueError, match=r"no column .*the texts; it has 'day', 'score': .*first line must hold the names"
    ):
        read_text_column(path)
    assert read_text_column(path, "day") == ["2020-01-01", "2020-01-02"]
    with pytest.raises(ValueError, match=r"column 'text' of the file .* holds empty texts only"):
        read_text_column(table(tmp_path, "text,score\n,1\n,2\n"))


def test_a_file_to_label_has_a_text_in_every_row(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    Dataset.from_dict({"text": ["good", None], "number": [1, 2]}).to_parquet(path)
    with pytest.raises(ValueError, match=r"column 'text' of the file .* has no text in row 2"):
        read_text_column(path)
    with pytest.raises(ValueError, match=r"holds .*int64.*, no texts: name another with text_column="):
        read_text_column(path, "number")

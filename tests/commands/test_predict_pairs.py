"""Models of pairs on the command line."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from predict_helpers import records, refusal, save_model

from hfattnlstm.commands.main import main
from hfattnlstm.data.tokenization import train_tokenizer


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("pairs") / "model"
    save_model(folder, text_columns=["premise", "label"])
    train_tokenizer(["a good film is not bad"], min_frequency=1).save_pretrained(folder)
    return str(folder)


@pytest.fixture
def table(tmp_path: Path) -> str:
    file = tmp_path / "pairs.csv"
    file.write_text("label,premise\nbad,a film\n,good\n", encoding="utf-8")
    return str(file)


def test_arguments_lines_and_tables_give_the_same(
    model: str, table: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["predict", model, "--file", table, "--format", "json"]) == 0
    expected = records(capsys.readouterr().out)
    assert [(row["premise"], row["text_label"]) for row in expected] == [("a film", "bad"), ("good", "")]
    assert expected[0]["label"] in ("neg", "pos")
    assert [entry["text_index"] for entry in expected[0]["attention"]] == [0, 0, 1]
    assert main(["predict", model, "a film", "bad", "good", "", "--format", "json"]) == 0
    assert records(capsys.readouterr().out) == expected
    monkeypatch.setattr("sys.stdin", io.StringIO("a film\tbad\ngood\t\n"))
    assert main(["predict", model, "--format", "json"]) == 0
    for row, other in zip(records(capsys.readouterr().out), expected, strict=True):
        assert row["score"] == pytest.approx(other["score"], abs=1e-6)


def test_every_form_has_all_texts(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import pyarrow.parquet

    texts = ["a film", "bad"]
    for ending in ("csv", "json", "parquet"):
        assert main(["predict", model, *texts, "--output", str(tmp_path / f"out.{ending}")]) == 0
    assert (tmp_path / "out.csv").read_text().startswith("premise,text_label,label,score\na film,bad,")
    assert list(json.loads((tmp_path / "out.json").read_text())[0])[:2] == ["premise", "text_label"]
    (row,) = pyarrow.parquet.read_table(tmp_path / "out.parquet").to_pylist()
    assert (row["premise"], row["text_label"]) == ("a film", "bad")
    assert [entry["text_index"] for entry in row["attention"]] == [0, 0, 1]
    capsys.readouterr()
    assert main(["predict", model, *texts]) == 0
    assert capsys.readouterr().out.endswith("\ta film\tbad\n")


def test_another_number_of_texts_is_told(model: str, table: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "2 texts together, premise and label, and 1 is given" in refusal(["predict", model, "good"], capsys)
    said = refusal(["predict", model, "--file", table, "--text_column", "premise"], capsys)
    assert said.startswith("--text_column names premise, and") and said.endswith("name as many.")


def test_a_line_without_a_tab_is_told(
    model: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("a film\tbad\ngood\n"))
    assert main(["predict", model]) == 2
    printed = capsys.readouterr()
    assert printed.out.count("\n") == 1
    assert "Standard input has 1 text in line 2" in printed.err and "with a tab between them" in printed.err


def test_columns_are_no_part_of_a_model_of_single_texts(
    table: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    single = save_model(tmp_path / "single")
    capsys.readouterr()
    said = refusal(["predict", single, "--file", table, "--text_column", "premise", "label"], capsys)
    assert said.startswith("--text_column names premise and label, and") and "reads single texts" in said

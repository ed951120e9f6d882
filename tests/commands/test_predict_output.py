"""Where `predict` writes, and in which form: nothing is lost, and pandas reads it back."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path

import pandas as pd
import pytest
from predict_helpers import records, refusal, save_model, save_multi_label

from hfattnlstm.commands import results
from hfattnlstm.commands.main import main


TEXTS = [
    *("good, bad", 'a "good" film', '"', "bad\tfilm", "one\ntwo", "one\rtwo", "one\r\ntwo", "", "  bad ", "naïve 😀"),
    *("#", "\\", "'", "a;b", "two\n\nlines\n", "\u2028", "1.0", "\x0b\x85"),
]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def multi_label(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_multi_label(tmp_path_factory.mktemp("multi-label"))


def read_back(path: Path) -> pd.DataFrame:
    ending = path.suffix.lower()
    if ending == ".parquet":
        return pd.read_parquet(path)
    if ending in (".csv", ".tsv"):
        separator = "," if ending == ".csv" else "\t"
        options = {"keep_default_na": False, "dtype": {"text": str}}
        return pd.read_csv(path, sep=separator, **options)
    rows = json.loads(path.read_text("utf-8")) if ending == ".json" else lines_of(path.read_text("utf-8"))
    return pd.DataFrame(rows)


def lines_of(text: str) -> list[dict]:
    return [json.loads(line) for line in text.split("\n")[:-1]]


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".json", ".jsonl", ".parquet", ".CSV", ".Parquet"])
def test_pandas_reads_every_text_back(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], ending: str
) -> None:
    assert main(["predict", model, *TEXTS, "half \ud83d", "--format", "json"]) == 0
    expected = lines_of(capsys.readouterr().out)
    output = tmp_path / f"labels{ending}"
    assert main(["predict", model, *TEXTS, "half \ud83d", "--output", str(output)]) == 0
    assert capsys.readouterr() == ("", "")
    table = read_back(output)
    assert list(table.columns)[:3] == ["text", "label", "score"]
    assert list(table["text"]) == [*TEXTS, "half �"]
    assert list(table["label"]) == [record["label"] for record in expected]
    assert list(table["score"]) == pytest.approx([record["score"] for record in expected], abs=1e-6)
    shown = ending.lower() not in (".csv", ".tsv")
    assert ("attention" in table) == shown
    if shown:
        attention = [[entry["text"] for entry in entries] for entries in table["attention"]]
        assert attention == [[entry["text"] for entry in record["attention"]] for record in expected]


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".json", ".jsonl", ".parquet", ".txt"])
def test_several_labels_are_one_row_a_text(
    multi_label: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], ending: str
) -> None:
    # The scores of a label, in turn, and of no label at all.
    flags = ["good film", "bad", "--threshold", "0.4"]
    assert main(["predict", multi_label, *flags, "--format", "json"]) == 0
    expected = [record["labels"] for record in records(capsys.readouterr().out)]
    output = tmp_path / f"labels{ending}"
    assert main(["predict", multi_label, *flags, "--output", str(output)]) == 0
    if ending == ".txt":
        lines = [", ".join(f"{entry['label']} {entry['score']:.2f}" for entry in entries) for entries in expected]
        assert output.read_text() == f"{lines[0]}\tgood film\n{lines[1]}\tbad\n"
        return
    table = read_back(output)
    if ending in (".json", ".jsonl"):
        assert list(table["labels"]) == expected
        return
    assert list(table.columns)[:3] == ["text", "labels", "scores"]
    if ending != ".parquet":
        assert isinstance(table["labels"][0], str)
        table = table.assign(labels=table["labels"].map(json.loads), scores=table["scores"].map(json.loads))
    assert [list(row) for row in table["labels"]] == [[entry["label"] for entry in entries] for entries in expected]
    scores = [score for row in table["scores"] for score in row]
    assert scores == pytest.approx([entry["score"] for entries in expected for entry in entries], abs=1e-6)


def test_the_header_stands_without_texts(model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for ending, content in ((".csv", "text,label,score\n"), (".json", "[]\n"), (".jsonl", ""), (".txt", "")):
        monkeypatch.setattr(sys, "stdin", io.StringIO(""))
        assert main(["predict", model, "--output", str(tmp_path / f"labels{ending}")]) == 0
        assert (tmp_path / f"labels{ending}").read_text() == content


def test_parquet_comes_in_row_groups(model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pyarrow.parquet

    monkeypatch.setattr(results, "ROW_GROUP", 2)
    output = tmp_path / "labels.parquet"
    assert main(["predict", model, "good", "bad", "a film", "--output", str(output)]) == 0
    file = pyarrow.parquet.ParquetFile(output)
    assert file.num_row_groups == 2 and file.metadata.num_rows == 3


def test_a_cut_text_says_so_in_parquet(model: str, tmp_path: Path) -> None:
    output = tmp_path / "labels.parquet"
    assert main(["predict", model, "good", "good " * 20, "--output", str(output)]) == 0
    table = pd.read_parquet(output)
    assert list(table["truncated"]) == [False, True]
    assert table["characters_left_out"][0] == 0 < table["characters_left_out"][1]


def test_forms_can_be_printed(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", model, 'a "film"', "--format", "csv"]) == 0
    header, row = capsys.readouterr().out.splitlines()
    assert header == "text,label,score" and row.startswith('"a ""film""",')


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--output", "labels.dat"], "--output 'labels.dat' must end in one of .csv, .tsv, .jsonl, .json, .parquet,"),
        (["--output", "labels"], "--output 'labels' must end in one of"),
        (["--output", ""], "--output '' must end in one of"),
        (
            ["--output", "labels.csv", "--format", "json"],
            "--format json contradicts the ending of",
        ),
        (["--output", "labels.json", "--format", "table"], "--format table contradicts the ending of"),
        (["--output", "nowhere/labels.csv"], "There is no folder"),
        (["--output", "folder.csv"], "folder.csv is a folder: name a file."),
    ],
)
def test_an_output_that_cannot_be_is_told_before_the_model_is_loaded(
    flags: list[str],
    sentence: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.csv").mkdir()
    assert refusal(["predict", "no-such-model", "good", *flags], capsys).startswith(sentence)
    assert [path.name for path in tmp_path.iterdir()] == ["folder.csv"]


def test_the_ending_and_the_same_format_agree(model: str, tmp_path: Path) -> None:
    for ending, form in ((".json", "json"), (".jsonl", "json"), (".txt", "table"), (".tsv", "tsv")):
        assert main(["predict", model, "good", "--output", str(tmp_path / f"a{ending}"), "--format", form]) == 0


@pytest.mark.parametrize("name", ["same", "link", "hard link", "dots"])
def test_what_is_read_is_not_written(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    path, other = tmp_path / "texts.txt", tmp_path / "other.txt"
    path.write_text("good\nbad\n")
    (tmp_path / "folder").mkdir()
    if name == "link":
        other.symlink_to(path)
    elif name == "hard link":
        os.link(path, other)
    output = {"same": path, "dots": tmp_path / "folder" / ".." / "texts.txt"}.get(name, other)
    sentence = refusal(["predict", model, "--file", str(path), "--output", str(output)], capsys)
    assert sentence == f"--output {output} is the same file as --file {path}: write to another one."
    with path.open() as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        sentence = refusal(["predict", model, "--output", str(output)], capsys)
    assert sentence == f"--output {output} is the same file as standard input: write to another one."
    assert path.read_text() == "good\nbad\n"


def test_what_is_read_is_not_appended_to(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "texts.txt"
    path.write_text("good\n")
    with path.open("a") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        assert main(["predict", model, "--file", str(path)]) == 2
    assert f"Standard output is the same file as --file {path}" in capsys.readouterr().err
    assert path.read_text() == "good\n"


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "tokenizer_config.json", "vocab.txt"])
def test_files_of_the_model_are_not_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    save_model(tmp_path / "model")
    monkeypatch.chdir(tmp_path / "model")
    before = (tmp_path / "model" / "config.json").read_bytes()
    capsys.readouterr()
    sentence = refusal(["predict", ".", "good", "--output", name], capsys)
    assert sentence == f"--output {name} is called as a file of the model .: give another name."
    assert (tmp_path / "model" / "config.json").read_bytes() == before
    assert main(["predict", ".", "good", "--output", "labels.json"]) == 0


def test_a_failure_leaves_the_old_file_whole(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    texts, output = tmp_path / "texts.txt", tmp_path / "labels.csv"
    texts.write_bytes(b"good\n" * 40 + b"\xff\n")
    output.write_text("old")
    assert "in line 41" in refusal(["predict", model, "--file", str(texts), "--output", str(output)], capsys)
    assert output.read_text() == "old"

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("hfattnlstm.commands.predict._result", interrupted)
    assert main(["predict", model, "good", "--output", str(output)]) == 130
    assert output.read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["labels.csv", "texts.txt"]


def test_a_pipe_is_written_as_it_comes(model: str, tmp_path: Path) -> None:
    pipe = tmp_path / "labels.jsonl"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert main(["predict", model, "good", "--output", str(pipe)]) == 0
        assert json.loads(os.read(reader, 4096))["text"] == "good"
    finally:
        os.close(reader)
    assert pipe.is_fifo()

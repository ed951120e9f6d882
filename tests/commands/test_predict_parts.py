"""`hfattnlstm predict` with a folder of files."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

from hfattnlstm.commands.main import main


MODEL = "attnlstm-imdb"


@pytest.fixture
def texts(tmp_path: Path) -> str:
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "a.csv").write_text("id,text\n1,A wonderful film\n2,A boring film\n")
    (folder / "b.txt").write_text("A wonderful film\n")
    return str(folder)


def labels(path: Path) -> list[str]:
    return pa.parquet.read_table(path)["predicted_label"].to_pylist()


def test_each_file_is_answered_and_none_twice(texts: str, tmp_path: Path, capsys) -> None:
    command = ["predict", MODEL, "--file", texts, "--output", str(tmp_path / "answers")]
    assert main(command) == 0
    assert capsys.readouterr().out == f"Answered 2 files with 3 texts, in {tmp_path / 'answers'}.\n"
    assert labels(tmp_path / "answers" / "a.csv.parquet") == ["pos", "neg"]
    (tmp_path / "answers" / ".a.x.unfinished").write_text("left by one that was killed")
    (Path(texts) / "c.txt").write_text("A boring film\n")
    before = (tmp_path / "answers" / "b.txt.parquet").stat().st_mtime_ns
    assert main(command) == 0
    shown = capsys.readouterr()
    assert "Answered 1 file with 1 text" in shown.out and "2 of 3 files are answered already." in shown.err
    assert (tmp_path / "answers" / "b.txt.parquet").stat().st_mtime_ns == before
    assert not list((tmp_path / "answers").glob(".*"))
    # With other flags, or by another model, they would not belong together.
    assert main([*command, "--top_k", "2"]) == 2
    assert "has answers of another model, or with other flags" in capsys.readouterr().err


def test_a_broken_file_keeps_no_other_waiting(texts: str, tmp_path: Path, capsys) -> None:
    (Path(texts) / "a.csv").write_text('text\n"good\n')
    assert main(["predict", MODEL, "--file", texts, "--output", str(tmp_path / "answers")]) == 2
    shown = capsys.readouterr()
    assert "Answered 1 file with 1 text" in shown.out
    assert "a.csv" in shown.err and "The same command answers what was not." in shown.err
    assert labels(tmp_path / "answers" / "b.txt.parquet") == ["pos"]


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ((), "is a folder: name another folder with --output"),
        (("--output", "answers.csv"), "is a folder: name another folder with --output"),
        (("--output", "SAME"), "--output is the folder of --file"),
        (("--output", "out", "--format", "csv"), "--format is not for a folder"),
        (("--output", "out", "--level", "token"), "--level is not for a folder"),
        (("--output", "out", "--workers", "2"), "--workers has no effect without --engine ray"),
        (("--output", "out", "--engine", "ray", "--timeout", "0"), "--timeout must be above 0, got 0."),
        (("--output", "out", "--engine", "ray", "--workers", "0"), "--workers must be at least 1, got 0."),
        (("--output", "out", "--text_column", "words"), "has no column 'words'"),
    ],
)
def test_mistakes(texts: str, tmp_path: Path, monkeypatch, capsys, flags: tuple[str, ...], sentence: str) -> None:
    monkeypatch.chdir(tmp_path)
    flags = [texts if flag == "SAME" else flag for flag in flags]
    assert main(["predict", MODEL, "--file", texts, *flags]) == 2
    assert sentence in capsys.readouterr().err


def test_flags_of_folders_alone(tmp_path: Path, capsys) -> None:
    (tmp_path / "a.txt").write_text("good\n")
    assert main(["predict", MODEL, "--file", str(tmp_path / "a.txt"), "--engine", "local"]) == 2
    assert "--engine has no effect without a folder as --file" in capsys.readouterr().err


def test_a_folder_that_has_something_else(texts: str, tmp_path: Path, capsys) -> None:
    (tmp_path / "answers").mkdir()
    (tmp_path / "answers" / "thesis.txt").write_text("x")
    assert main(["predict", MODEL, "--file", texts, "--output", str(tmp_path / "answers")]) == 2
    assert "has files that no such run has written" in capsys.readouterr().err

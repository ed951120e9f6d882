"""What `predict` reads: texts are UTF-8, and what is not is told with its line."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest
from predict_helpers import refusal, save_model

from hfattnlstm.commands.main import main


@pytest.fixture(scope="module", params=["attention", "mean"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_model(tmp_path_factory.mktemp("model"), classifier_pooling=request.param)


def command(model: str, content: bytes, source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The command that reads something, from a file or from standard input."""
    if source == "stdin":
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
        return ["predict", model]
    (tmp_path / "texts.TXT").write_bytes(content)
    return ["predict", model, "--file", str(tmp_path / "texts.TXT")]


both = pytest.mark.parametrize("source", ["stdin", "file"])


@both
@pytest.mark.parametrize(
    ("content", "before", "reason"),
    [
        (b"good\nbad \xe4\nfilm\n", 1, "in line 2: byte 5 of the line, 0xe4, cannot be"),
        (b"good\r\nbad\rfilm\r\nx\xff", 3, "in line 4: byte 2 of the line, 0xff, cannot be"),
        ("good\n".encode("utf-16"), 0, "in line 1: it has NUL bytes, as UTF-16 does"),
        ("good\nbad\n".encode("utf-16-le"), 0, "in line 1: it has NUL bytes, as UTF-16 does"),
        (b"good\n" * 99 + b"a\0b\n", 99, "in line 100: it has NUL bytes"),
    ],
)
def test_what_is_no_utf8_is_told_after_the_lines_before(
    model: str,
    content: bytes,
    before: int,
    reason: str,
    source: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert main(command(model, content, source, tmp_path, monkeypatch)) == 2
    printed = capsys.readouterr()
    name = "Standard input" if source == "stdin" else f"The file {tmp_path / 'texts.TXT'}"
    assert printed.err.startswith(f"hfattnlstm predict: {name} is not UTF-8 text {reason}")
    assert printed.err.endswith("Convert it first, with iconv -f ENCODING -t UTF-8.\n")
    assert len(printed.out.splitlines()) == before


@both
def test_marks_and_ends_of_lines_are_no_text(
    model: str, source: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    content = b"\xef\xbb\xbfgood\r\n\nb\xc3\xa4d\rfilm \r\r\nlast"
    assert main([*command(model, content, source, tmp_path, monkeypatch), "--format", "csv"]) == 0
    texts = [line.split(",")[0] for line in capsys.readouterr().out.splitlines()[1:]]
    assert texts == ["good", "", "bäd", "film ", "", "last"]


def test_a_pipe_with_lines(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pipe = tmp_path / "texts.txt"
    os.mkfifo(pipe)
    writer = os.open(pipe, os.O_RDWR)
    keeper = os.open(pipe, os.O_RDONLY)
    os.write(writer, b"good\nbad\n")
    stream = os.fdopen(keeper, "rb")
    # The reader ends when the last writer has gone.
    import threading

    threading.Timer(1.0, os.close, [writer]).start()
    try:
        assert main(["predict", model, "--file", str(pipe)]) == 0
    finally:
        stream.close()
    assert [line.split("\t")[2] for line in capsys.readouterr().out.splitlines()] == ["good", "bad"]


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--file", "empty.txt"], "The file empty.txt is empty."),
        (["--file", "mark.txt"], "The file mark.txt is empty."),
        (["--file", "empty.csv"], "The file empty.csv is empty."),
        (
            ["--file", "folder.txt"],
            "folder.txt is a folder: name another folder with --output, for a file of answers each.",
        ),
        (["--file", "nowhere.txt"], "There is no file nowhere.txt: check its name."),
        (["--file", ""], "--file is empty: name a file."),
        (["--file", "pipe"], "pipe is a pipe or a device: leave --file out, and read it as standard input."),
        (
            ["--file", "texts.txt", "--text_column", "text"],
            "--text_column is for tables, and texts.txt has a text a line: leave it out.",
        ),
        (["good", "--text_column", "text"], "--text_column names a column of --file: give both, or none."),
        (["good", "--file", "texts.txt"], "Give texts or --file, not both."),
    ],
)
def test_inputs_that_cannot_be(
    model: str,
    flags: list[str],
    sentence: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, content in (
        ("empty.txt", b""),
        ("empty.csv", b""),
        ("mark.txt", b"\xef\xbb\xbf"),
        ("texts.txt", b"a\n"),
    ):
        (tmp_path / name).write_bytes(content)
    (tmp_path / "folder.txt").mkdir()
    os.mkfifo(tmp_path / "pipe")
    assert refusal(["predict", model, *flags], capsys) == sentence


def test_sentences_of_the_data_name_flags(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from hfattnlstm._wording import option
    from hfattnlstm.commands import inputs

    def fail(*_: object) -> None:
        raise ValueError(f"name the column with {option('text_column')}")

    monkeypatch.setattr(inputs, "read_texts", fail)
    (tmp_path / "texts.csv").write_text("a,b\n")
    sentence = refusal(["predict", model, "--file", str(tmp_path / "texts.csv")], capsys)
    assert sentence == "name the column with --text_column"


def test_the_name_of_a_file_among_the_texts_is_told(
    model: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "texts.csv").write_text("text\ngood\n")
    name = str(tmp_path / "texts.csv")
    assert main(["predict", model, "good", "bad " * 5000, name]) == 0
    assert f"{name} is a file, and its name is read as a text: for the texts in it, say --file." in caplog.text
    assert len(capsys.readouterr().out.splitlines()) == 3

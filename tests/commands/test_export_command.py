"""`hfattnlstm export`."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from hfattnlstm.commands import export as command
from hfattnlstm.commands.main import main
from hfattnlstm.deploy import Agreement, OnnxExport, onnx_export


def test_float32(checkpoint: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["export", str(checkpoint)]) == 0
    folder = checkpoint.with_name("model-onnx")
    assert (folder / "model.onnx").is_file()
    captured = capfd.readouterr()
    first, second = captured.out.splitlines()
    assert first == f"Wrote {folder / 'model.onnx'}, 0.1 MB"
    assert second.startswith("float32 differs from the model by at most ")
    assert captured.err == ""


def test_int8_with_texts(
    checkpoint: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "texts.csv").write_text("number,review\n1,a good film\n2,bad\n3,not bad\n")
    flags = ["--int8", "--check_texts", str(tmp_path / "texts.csv"), "--text_column", "review"]
    read = []

    def disagree(first: object, second: object, texts: list[str], *_: object) -> Agreement:
        read.extend(texts)
        return Agreement(3, 2 / 3, 0.25)

    monkeypatch.setattr(onnx_export, "agreement", disagree)
    assert main(["export", str(checkpoint), "--output", str(tmp_path / "new"), *flags]) == 0
    captured = capfd.readouterr()
    assert read == ["a good film", "bad", "not bad"]
    assert captured.out.splitlines()[-1] == (
        "int8 and float32 agree on the labels of 66.67% of 3 texts; probabilities differ by at most 0.25"
    )
    assert captured.err.startswith("hfattnlstm export: Only 66.67% of the labels") and captured.err.count("\n") == 1
    assert (tmp_path / "new" / "model_int8.onnx").is_file()


def test_what_was_not_measured_is_said(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {}

    def pretend(model: object, path: Path, **options: object) -> OnnxExport:
        asked.update(options, model=model, path=path)
        return OnnxExport(Path(path), 4_231_770, True, 4.8e-7, None)

    monkeypatch.setattr(command, "export_onnx", pretend)
    monkeypatch.setattr(command, "_load", lambda name: (f"model of {name}", "tokenizer"))
    monkeypatch.setattr(command, "_reads_series", lambda name: False)
    assert main(["export", "some/name", "--int8", "--opset", "21"]) == 0
    assert asked == {
        "model": "model of some/name",
        "tokenizer": "tokenizer",
        "path": Path("name-onnx"),
        "int8": True,
        "check_texts": None,
        "opset": 21,
    }
    assert capsys.readouterr().out.splitlines() == [
        "Wrote name-onnx, 4.2 MB",
        "float32 differs from the model by at most 4.8e-07",
        "The share of labels that int8 and float32 agree on was not measured: give --check_texts",
    ]


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--opset", "3"], "opset must be between 18"),
        (["--text_column", "review"], "give both"),
        (["--int8", "--check_texts", "nowhere.csv"], "nowhere.csv"),
    ],
)
def test_mistakes_are_one_sentence(
    checkpoint: Path, flags: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(checkpoint), "--output", str(tmp_path / "new"), *flags]) == 2
    error = capsys.readouterr().err
    assert error.startswith("hfattnlstm export: ") and sentence in error and error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_missing_packages_are_one_sentence(
    checkpoint: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    assert main(["export", str(checkpoint)]) == 2
    assert 'needs onnxscript, which is not installed: pip install "hfattnlstm[onnx]".' in capsys.readouterr().err


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["export", "--help"])
    assert stop.value.code == 0
    printed = capsys.readouterr().out
    assert all(flag in printed for flag in ("--output", "--int8", "--check_texts", "--text_column", "--opset"))


def test_what_belongs_to_something_else_is_not_replaced(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = tmp_path / "config.json"
    config.write_text('{"port": 80}')
    for output in (".", "model.onnx"):
        assert main(["export", str(checkpoint), "--output", output]) == 2
        assert "config.json would be replaced, and is not as an earlier export" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"] and config.read_text() == '{"port": 80}'
    assert main(["export", str(checkpoint), "--output", "new"]) == 0
    assert main(["export", str(checkpoint), "--output", "new"]) == 0
    capsys.readouterr()
    flags = ["--int8", "--check_texts", "new/tokenizer.json"]
    assert main(["export", str(checkpoint), "--output", "new", *flags]) == 2
    assert "--check_texts new/tokenizer.json would be replaced by the export" in capsys.readouterr().err


def test_texts_to_check_are_for_int8(checkpoint: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", str(checkpoint), "--check_texts", "nowhere.csv"]) == 2
    assert "--check_texts are for --int8" in capsys.readouterr().err

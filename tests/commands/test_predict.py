"""`hfattnlstm predict` and the command line around it."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers
from tqdm import tqdm
from transformers import PreTrainedTokenizerFast, set_seed

from hfattnlstm import AttnLSTMConfig, AttnLSTMForSequenceClassification
from hfattnlstm.commands.main import main


WORDS = ["[PAD]", "[UNK]", "a", "bad", "good", "film", "not"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return _save(tmp_path_factory.mktemp("model"), "attention")


def _save(folder: Path, pooling: str) -> str:
    set_seed(0)
    backend = Tokenizer(models.WordLevel({word: index for index, word in enumerate(WORDS)}, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, unk_token="[UNK]", pad_token="[PAD]", model_max_length=16
    )
    config = AttnLSTMConfig(
        vocab_size=len(WORDS),
        embedding_size=8,
        hidden_size=12,
        classifier_pooling=pooling,
        id2label={0: "neg", 1: "pos"},
    )
    AttnLSTMForSequenceClassification(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def _records(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def test_texts_to_a_table(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", model, "a good film", "not\ta bad\nfilm"]) == 0
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert [row[2] for row in rows] == ["a good film", "not a bad film"]
    assert all(row[0] in ("neg", "pos") and 0.5 <= float(row[1]) <= 1 for row in rows)


def test_json_lines_have_the_attention(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", model, "a good film", "--format", "json"]) == 0
    record = _records(capsys.readouterr().out)[0]
    assert record["text"] == "a good film"
    assert [entry["text"] for entry in record["attention"]] == ["a", "good", "film"]
    assert sum(entry["weight"] for entry in record["attention"]) == pytest.approx(1)


def test_a_dtype_a_batch_size_and_texts_after_flags(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    scores = {}
    for dtype in ("float32", "auto", "bfloat16"):
        assert (
            main(["predict", model, "--dtype", dtype, "--batch_size", "1", "--format", "json", "good", "a film"]) == 0
        )
        scores[dtype] = [record["score"] for record in _records(capsys.readouterr().out)]
    assert len(scores["float32"]) == 2
    assert scores["bfloat16"] == pytest.approx(scores["float32"], abs=0.02)
    assert scores["bfloat16"] != scores["float32"]


def test_a_dtype_is_for_models_with_attention(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", _save(tmp_path, "max"), "good", "--dtype", "float32"]) == 2
    assert "--dtype is for models with attention pooling" in capsys.readouterr().err


def test_an_exported_model(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", model, "--output", str(tmp_path / "onnx")]) == 0
    capsys.readouterr()
    assert main(["predict", model, "a good film", "--format", "json"]) == 0
    expected = _records(capsys.readouterr().out)[0]
    for exported in (tmp_path / "onnx", tmp_path / "onnx" / "model.onnx"):
        assert main(["predict", str(exported), "a good film", "--format", "json"]) == 0
        record = _records(capsys.readouterr().out)[0]
        assert record["label"] == expected["label"]
        assert record["score"] == pytest.approx(expected["score"], abs=1e-5)
        assert [entry["text"] for entry in record["attention"]] == ["a", "good", "film"]


def test_a_bar_for_long_work_on_a_terminal(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bars = []
    monkeypatch.setattr("hfattnlstm.commands.predict.tqdm", lambda **options: bars.append(options) or tqdm(**options))
    (tmp_path / "texts.csv").write_text("text\ngood\nbad\n", encoding="utf-8")
    for output in (["--output", str(tmp_path / "labels.tsv")], []):
        assert main(["predict", model, "--file", str(tmp_path / "texts.csv"), *output]) == 0
    monkeypatch.setattr(sys, "stdout", _Terminal())
    assert main(["predict", model, "good"]) == 0
    assert [bar["disable"] for bar in bars] == [None, None, True]
    assert [bar["total"] for bar in bars] == [2, 2, 1]


def test_top_k(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", model, "a good film", "--format", "json", "--top_k", "2"]) == 0
    assert {entry["label"] for entry in _records(capsys.readouterr().out)[0]["labels"]} == {"neg", "pos"}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("texts.csv", "id,text\n1,a good film\n2,bad\n"),
        ("texts.tsv", "id\ttext\n1\ta good film\n2\tbad\n"),
        ("texts.jsonl", '{"text": "a good film"}\n{"text": "bad"}\n'),
        ("texts.txt", "a good film\nbad\n"),
    ],
)
def test_files(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, content: str) -> None:
    path = tmp_path / name
    path.write_text(content)
    output = tmp_path / "labels.jsonl"
    assert main(["predict", model, "--file", str(path), "--output", str(output)]) == 0
    assert [record["text"] for record in _records(output.read_text())] == ["a good film", "bad"]
    assert capsys.readouterr().out == ""


def test_named_column(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "texts.csv"
    path.write_text("first,second\na,good\nb,bad\n")
    assert main(["predict", model, "--file", str(path), "--text_column", "second"]) == 0
    assert [line.split("\t")[2] for line in capsys.readouterr().out.splitlines()] == ["good", "bad"]


def test_standard_input(model: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("good\n\nbad film\n"))
    assert main(["predict", model]) == 0
    assert [line.split("\t")[2] for line in capsys.readouterr().out.splitlines()] == ["good", "", "bad film"]


def test_words_are_shaded_on_a_terminal(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    assert main(["predict", model, "a \x1b[31mgood film"]) == 0
    assert "\x1b[30;48;5;" in terminal.getvalue() and "\x1b[31m" not in terminal.getvalue()
    monkeypatch.setenv("NO_COLOR", "1")
    plain = _Terminal()
    monkeypatch.setattr(sys, "stdout", plain)
    assert main(["predict", model, "good"]) == 0
    assert "\x1b" not in plain.getvalue()


def test_models_without_attention_predict_without_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", _save(tmp_path, "mean"), "good", "", "--format", "json"]) == 0
    records = _records(capsys.readouterr().out)
    assert [record["text"] for record in records] == ["good", ""]
    assert all("attention" not in record for record in records)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--file", "nowhere.csv"], "nowhere.csv"),
        (["--file", "nowhere.txt"], "nowhere.txt"),
        (["a text", "--file", "x.csv"], "not both"),
        (["a text", "--output", "/nowhere/x.csv"], "/nowhere/x.csv"),
    ],
)
def test_mistakes_are_one_sentence(
    model: str, capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    assert main(["predict", model, *arguments]) == 2
    message = capsys.readouterr().err.strip().splitlines()[-1]
    assert message.startswith("hfattnlstm predict: ") and sentence in message


def test_missing_model_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", str(tmp_path / "nowhere"), "text"]) == 2
    assert "nowhere" in capsys.readouterr().err


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    for flag, expected in (("--help", "train"), ("--version", "0.")):
        with pytest.raises(SystemExit) as stop:
            main([flag])
        assert stop.value.code == 0 and expected in capsys.readouterr().out

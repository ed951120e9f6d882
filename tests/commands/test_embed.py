"""`hfattnlstm embed`: its forms, its order and its refusals."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
from transformers import AutoModel

from commands.predict_helpers import records, refusal, save_model
from deploy_helpers import random_model, word_tokenizer
from hfattnlstm import AttnLSTMModel, embed_texts, train_tokenizer
from hfattnlstm.commands.main import main


TEXTS = ["not a good film", "bad", 'the "film", all', "good"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_model(tmp_path_factory.mktemp("embed") / "model")


@pytest.fixture(scope="module")
def expected(model: str) -> np.ndarray:
    return embed_texts(TEXTS, AutoModel.from_pretrained(model), word_tokenizer())


def test_vectors_are_printed_as_json_lines(
    model: str, expected: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["embed", model, *TEXTS]) == 0
    printed = records(capsys.readouterr().out)
    assert [record["text"] for record in printed] == TEXTS
    # Every float32 comes back as it was.
    assert np.array_equal(np.array([record["vector"] for record in printed], dtype=np.float32), expected)


@pytest.mark.parametrize("ending", [".npy", ".parquet", ".jsonl", ".csv"])
def test_vectors_are_written_in_each_form(
    ending: str, model: str, expected: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / f"vectors{ending}"
    assert main(["embed", model, *TEXTS, "--output", str(output), "--batch_size", "2"]) == 0
    assert capsys.readouterr().out == f"Wrote {output}: 4 vectors of 12 numbers, in the order of the texts\n"
    texts, vectors = read(output)
    assert texts in (TEXTS, None) and (texts is None) == (ending == ".npy")
    assert np.asarray(vectors, dtype=np.float32) == pytest.approx(expected, abs=1e-6)


def read(path: Path) -> tuple[list[str] | None, list]:
    if path.suffix == ".npy":
        return None, np.load(path)
    if path.suffix == ".parquet":
        table = pyarrow.parquet.read_table(path)
        return table["text"].to_pylist(), table["vector"].to_pylist()
    if path.suffix == ".jsonl":
        rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        return [row["text"] for row in rows], [row["vector"] for row in rows]
    with path.open(encoding="utf-8", newline="") as stream:
        header, *lines = csv.reader(stream)
    assert header == ["text", *(f"v{index}" for index in range(12))]
    return [line[0] for line in lines], [list(map(float, line[1:])) for line in lines]


def test_normalized_vectors_of_a_file(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "texts.csv").write_text("text\ngood\nbad film\n", encoding="utf-8")
    assert main(["embed", model, "--file", str(tmp_path / "texts.csv"), "--normalize"]) == 0
    printed = records(capsys.readouterr().out)
    assert [record["text"] for record in printed] == ["good", "bad film"]
    assert [np.linalg.norm(record["vector"]) for record in printed] == pytest.approx([1, 1])


def test_a_backbone_without_pooling_gives_means(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    backbone = AttnLSTMModel(random_model().config, add_pooling_layer=False).eval()
    backbone.save_pretrained(tmp_path)
    word_tokenizer().save_pretrained(tmp_path)
    assert main(["embed", str(tmp_path), "bad film"]) == 0
    vector = records(capsys.readouterr().out)[0]["vector"]
    assert vector == pytest.approx(embed_texts(["bad film"], backbone, word_tokenizer())[0])


def test_what_cannot_work_is_refused(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "vectors.npy"
    target.write_bytes(b"old")
    endings = "must end in one of .npy, .parquet, .jsonl, .csv, which says what is written."
    assert refusal(["embed", model, "bad", "--output", "v.txt"], capsys) == f"--output 'v.txt' {endings}"
    assert refusal(["embed", model, "bad", "--batch_size", "0"], capsys) == "--batch_size must be at least 1, got 0."
    (tmp_path / "empty.txt").write_text("\ufeff", encoding="utf-8")
    assert "is empty." in refusal(["embed", model, "--file", str(tmp_path / "empty.txt")], capsys)
    assert "no folder" in refusal(["embed", model, "bad", "--output", str(tmp_path / "none" / "v.npy")], capsys)
    (tmp_path / "model_index.txt").write_text("")
    assert "There is no folder" in refusal(["embed", str(tmp_path / "none"), "b", "--output", str(target)], capsys)
    assert target.read_bytes() == b"old"


def test_models_that_give_no_vectors_are_refused(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "bert"}', encoding="utf-8")
    assert "is a model of the type 'bert': name one of the type 'attnlstm'." in refusal(
        ["embed", str(tmp_path), "bad"], capsys
    )
    (tmp_path / "model.onnx").write_bytes(b"")
    assert "was exported, and gives labels alone" in refusal(["embed", str(tmp_path / "model.onnx"), "b"], capsys)


def test_several_texts_are_read_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    columns = ["premise", "vector"]
    folder = str(tmp_path / "pairs")
    tokenizer = train_tokenizer(["a good film", "a bad film"], vocab_size=20)
    random_model(vocab_size=len(tokenizer), text_columns=columns).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (tmp_path / "pairs.csv").write_text("premise,vector\ngood film,bad\n")
    assert main(["embed", folder, "good film", "bad"]) == 0
    typed = json.loads(capsys.readouterr().out)
    assert list(typed) == ["premise", "text_vector", "vector"] and len(typed["vector"]) > 1
    assert main(["embed", folder, "--file", str(tmp_path / "pairs.csv")]) == 0
    assert json.loads(capsys.readouterr().out) == typed
    assert main(["embed", folder, "--file", str(tmp_path / "pairs.csv"), "--output", str(tmp_path / "v.csv")]) == 0
    assert (tmp_path / "v.csv").read_text().startswith("premise,text_vector,v0,")
    capsys.readouterr()
    assert main(["embed", folder, "good film"]) == 2
    assert "give 2 for each answer" in capsys.readouterr().err

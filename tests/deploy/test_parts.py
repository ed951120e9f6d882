"""Folders of texts, each file answered by a file of its own, once."""

from __future__ import annotations

import gzip
import json
import pickle
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest

from hfattnlstm.deploy import parts as module
from hfattnlstm.deploy.parts import LABEL, LABELS, SCORE, SCORES, Part, PartPredictor, find_parts, read_tables


TEXTS = ["good film", "bad film", "so so", "fine"]


class Labels:
    """A pipeline whose label is the first word, and whose calls are counted."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def __call__(self, texts: list[str], top_k: int | None = 1, **_: Any) -> list[Any]:
        self.texts += texts
        both = [[{"label": text.split()[0], "score": 0.75}, {"label": "other", "score": 0.25}] for text in texts]
        return both if top_k is None else [own[0] for own in both]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "texts"
    (place / "2024").mkdir(parents=True)
    rows = list(enumerate(TEXTS))
    pa.parquet.write_table(pa.table({"id": [0, 1, 2, 3], "text": TEXTS}), place / "a.parquet")
    (place / "2024" / "b.csv").write_text("id,text\n" + "".join(f"{number},{text}\n" for number, text in rows))
    (place / "2024" / "c.tsv").write_text("id\ttext\n" + "".join(f"{number}\t{text}\n" for number, text in rows))
    lines = "".join(json.dumps({"id": number, "text": text}) + "\n" for number, text in rows)
    (place / "d.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    (place / "e.json").write_text(json.dumps([{"text": text} for text in TEXTS]))
    (place / "f.txt").write_text("\n".join(TEXTS))
    for name in ("_SUCCESS", ".hidden.csv", "notes.md"):
        (place / name).write_text("x")
    return place


def test_which_files_are_parts(folder: Path, tmp_path: Path) -> None:
    found = find_parts(folder, tmp_path / "answers")
    names = ["2024/b.csv", "2024/c.tsv", "a.parquet", "d.jsonl.gz", "e.json", "f.txt"]
    assert [Path(part.source).relative_to(folder).as_posix() for part in found] == names
    targets = [f"{name.removesuffix('.parquet')}.parquet" for name in names]
    assert [Path(part.target).relative_to(tmp_path / "answers").as_posix() for part in found] == targets
    # Answers in the folder of the texts are none of them.
    assert len(find_parts(tmp_path, tmp_path / "texts" / "2024")) == 4
    with pytest.raises(ValueError, match="has no file that ends in one of"):
        find_parts(tmp_path / "texts" / "none", tmp_path)


def test_every_row_of_every_form_is_answered_once(folder: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(module, "ROWS", 3)
    labels = Labels()
    predictor = PartPredictor(lambda: labels)
    for part in find_parts(folder, tmp_path / "answers"):
        assert predictor.answer(part) == (part, 4, None)
        answers = pa.parquet.read_table(part.target).to_pydict()
        assert answers["text"] == TEXTS and answers[LABEL] == [text.split()[0] for text in TEXTS]
        assert answers[SCORE] == [0.75] * 4
        if "id" in answers:
            assert list(map(int, answers["id"])) == [0, 1, 2, 3]
    assert labels.texts == TEXTS * 6


def test_what_is_there_is_not_computed_again(folder: Path, tmp_path: Path) -> None:
    labels = Labels()
    part = Part(str(folder / "f.txt"), str(tmp_path / "answers" / "f.parquet"))
    for _ in range(2):
        assert PartPredictor(lambda: labels).answer(part).rows == 4
    assert labels.texts == TEXTS


def test_several_labels(folder: Path, tmp_path: Path) -> None:
    bounds = {"good": 0.5, "bad": 0.9, "so": 0.5, "fine": 0.5, "other": 0.1}
    predictor = PartPredictor(Labels, parameters={"top_k": None}, thresholds=bounds)
    found = predictor(TEXTS)
    assert found[LABELS] == [["good", "other"], ["other"], ["so", "other"], ["fine", "other"]]
    assert found[SCORES][1] == [0.25]
    part = Part(str(folder / "f.txt"), str(tmp_path / "f.parquet"))
    predictor.answer(part)
    assert pa.parquet.read_schema(part.target).field(LABELS).type == pa.list_(pa.string())


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.csv", b"id,words\n1,good\n", "no column that is known to hold|the only column"),
        ("a.csv", b'id,text\n1,"good\n', "quote"),
        ("a.csv", b"text\n", "has no rows"),
        ("a.csv", b"", "is empty|has no"),
        ("a.csv", b"text,predicted_label\ngood,pos\n", "has a column 'predicted_label' already"),
        ("a.jsonl", b'{"text": "good"}\n{"text"\n', "is not JSON in line 2"),
        ("a.jsonl", b'["good"]\n', "has no JSON object in line 1"),
        ("a.parquet", b"PAR1", "is not a whole parquet file"),
        ("a.txt.gz", b"no gzip", "is no whole .gz file"),
        ("a.txt", b"\xff\xfe", "UTF-8"),
    ],
)
def test_a_part_that_cannot_be_read_is_told_and_leaves_nothing(tmp_path, name, content, sentence) -> None:
    (tmp_path / name).write_bytes(content)
    answered = PartPredictor(Labels).answer(Part(str(tmp_path / name), str(tmp_path / "out" / "a.parquet")))
    if "only column" not in sentence or answered.error:
        assert answered.rows == 0 and pytest.importorskip("re").search(sentence, answered.error)
        assert list((tmp_path / "out").iterdir()) == []


def test_later_rows_in_the_types_of_the_first(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(module, "ROWS", 1)
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "good", "stars": 1.5, "by": "a"}\n{"text": "bad", "stars": 2}\n')
    part = Part(str(path), str(tmp_path / "a.parquet"))
    assert PartPredictor(Labels).answer(part).rows == 2
    assert pa.parquet.read_table(part.target)["stars"].to_pylist() == [1.5, 2.0]
    path.write_text('{"text": "good"}\n{"text": "bad", "stars": 2}\n')
    answered = PartPredictor(Labels).answer(Part(str(path), str(tmp_path / "b.parquet")))
    assert "has the column 'stars' in later rows alone" in answered.error


def test_it_can_be_pickled_before_and_after_its_first_call() -> None:
    predictor = PartPredictor(Labels, parameters={"top_k": 1})
    predictor(TEXTS)
    again = pickle.loads(pickle.dumps(predictor))
    assert again._pipeline is None and again(TEXTS) == predictor(TEXTS)


def test_pieces_of_a_large_file(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(module, "ROWS", 100)
    path = tmp_path / "a.txt"
    path.write_text("".join(f"text {number}\n" for number in range(250)))
    assert [table.num_rows for table in read_tables(path)] == [100, 100, 50]

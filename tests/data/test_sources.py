"""Large files, odd headers, folders that say how they are read, and what errors quote."""

from __future__ import annotations

import json
from pathlib import Path

import datasets
import pytest
from datasets import Dataset
from datasets.exceptions import DatasetGenerationError

from hfattnlstm.data.sources import read_source, reason_of


LONG = "word\nnext line, " * 200_000


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path_factory.mktemp("cache"))
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)


def rows_of(path: Path) -> list[dict]:
    return list(read_source(path, None)["train"].data)


@pytest.mark.parametrize("ending", ["csv", "jsonl", "json"])
def test_a_text_longer_than_the_blocks_that_arrow_reads(tmp_path: Path, ending: str) -> None:
    rows = [{"text": "short", "label": "a"}, {"text": LONG, "label": "b"}, {"text": "2020-01-01", "label": "c"}]
    assert len(LONG) > 2 << 20
    path = tmp_path / f"long.{ending}"
    if ending == "csv":
        Dataset.from_list(rows).to_csv(path, index=False)
    else:
        path.write_text(json.dumps(rows) if ending == "json" else "\n".join(map(json.dumps, rows)))
    assert rows_of(path) == rows


def test_dates_in_a_json_file_with_a_long_text_stay_texts(tmp_path: Path) -> None:
    rows = [{"text": "2020-01-01", "note": LONG}, {"text": "2020-01-02", "note": ""}]
    (tmp_path / "dates.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert rows_of(tmp_path / "dates.jsonl") == rows


@pytest.mark.parametrize("start", ["", "\ufeff", "\n\r\n"])
@pytest.mark.parametrize("last", ["7", "NA", "2020-01-01", "true"])
def test_every_value_of_a_csv_stays_as_written_whatever_the_header(tmp_path: Path, start: str, last: str) -> None:
    values = {"7": "007", "NA": "NA", "2020-01-01": "2020-01-02", "true": "false"}
    path = tmp_path / "odd.csv"
    path.write_text(f"{start}text,5,{last}\nNA,05,{values[last]}\n,5.0,{values[last]}\n", encoding="utf-8")
    assert rows_of(path) == [
        {"text": "NA", "5": "05", last: values[last]},
        {"text": "", "5": "5.0", last: values[last]},
    ]


@pytest.mark.parametrize("start", ["", "\ufeff", "\n  "])
def test_an_array_of_json_may_begin_with_a_mark_or_white_space(tmp_path: Path, start: str) -> None:
    (tmp_path / "a.json").write_text(start + '[{"text": "a", "label": 1}]', encoding="utf-8")
    assert rows_of(tmp_path / "a.json") == [{"text": "a", "label": 1}]


@pytest.mark.parametrize("missing", ["NA", ""])
def test_texts_of_a_folder_with_shards_are_no_missing_values(tmp_path: Path, missing: str) -> None:
    (tmp_path / "train-0.csv").write_text("text,label\ngood,1\n")
    (tmp_path / "train-1.csv").write_text(f'text,label\n"{missing}",0\n')
    split = read_source(tmp_path, None)["train"]
    assert split.data["text"][:] == ["good", missing]
    assert split.origin == f"split 'train' of {tmp_path}"


def test_where_rows_come_from(tmp_path: Path) -> None:
    for name in ("rows.parquet", "rows.csv"):
        data = Dataset.from_dict({"text": ["a"], "label": [1]})
        data.to_parquet(tmp_path / name) if "parquet" in name else data.to_csv(tmp_path / name, index=False)
        assert read_source(tmp_path / name, None)["train"].origin == f"file {tmp_path / name}"
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 and no more PAR1")
    with pytest.raises(ValueError, match=r"broken.parquet is not a whole parquet file: .*Parquet"):
        read_source(tmp_path / "broken.parquet", None)


def test_the_reason_is_that_of_the_cause_in_two_lines() -> None:
    generation = DatasetGenerationError("An error occurred")
    assert reason_of(generation) == "An error occurred"
    generation.__cause__ = OSError("\nfirst\nsecond\nthird")
    assert reason_of(generation) == "first second"
    other = ValueError("what")
    other.__cause__ = OSError("why")
    assert reason_of(other) == "what"
    assert reason_of(KeyError()) == "KeyError"


def test_a_folder_in_place_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError, match=r" is a folder: name a file in it, or give the folder as source="):
        read_source({"train": tmp_path}, None)

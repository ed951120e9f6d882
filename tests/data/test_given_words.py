from __future__ import annotations

import datasets
import pytest
from datasets import Dataset

from data.tagging_helpers import write, write_json_lines
from hfattnlstm.data.given_words import read_words_or_texts


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path_factory.mktemp("cache"))


def test_files_of_columns_give_words(tmp_path):
    path = write(tmp_path / "a.conll", "EU O\nrejects O\n\nGerman B-MISC\n")
    assert read_words_or_texts(str(path), None) == [["EU", "rejects"], ["German"]]
    path = write(tmp_path / "a.bio", "EU\nrejects\n")
    assert read_words_or_texts(str(path), None) == [["EU", "rejects"]]


def test_the_home_folder_of_a_file_of_columns(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    write(tmp_path / "a.conll", "EU O\n")
    assert read_words_or_texts("~/a.conll", None) == [["EU"]]


def test_a_column_of_a_file_of_columns_is_refused(tmp_path):
    path = write(tmp_path / "a.conll", "EU O\n")
    with pytest.raises(ValueError, match=r"^--text_column is for tables, and .*a\.conll has a word a line: leave it"):
        read_words_or_texts(str(path), ["words"])


@pytest.mark.parametrize("name", ["tokens", "words", "form"])
def test_a_column_of_lists_gives_words(tmp_path, name):
    path = write_json_lines(tmp_path / "a.jsonl", [{name: ["EU", None], "text": "x"}, {name: None}, {name: []}])
    assert read_words_or_texts(str(path), None) == [["EU", ""], [], []]


def test_parquet(tmp_path):
    path = tmp_path / "a.parquet"
    Dataset.from_dict({"tokens": [["EU", "rejects"]]}).to_parquet(path)
    assert read_words_or_texts(str(path), None) == [["EU", "rejects"]]


def test_a_column_that_is_named_wins(tmp_path):
    path = write_json_lines(tmp_path / "a.jsonl", [{"tokens": ["a"], "parts": ["b"], "note": "A text."}])
    assert read_words_or_texts(str(path), None) == [["a"]]
    assert read_words_or_texts(str(path), ["parts"]) == [["b"]]
    assert read_words_or_texts(str(path), ["note"]) == ["A text."]


@pytest.mark.parametrize(("name", "tab"), [("a.csv", ","), ("a.tsv", "\t")])
def test_tables_give_texts(tmp_path, name, tab):
    path = write(tmp_path / name, f"text{tab}tokens\nGreat food{tab}x\n")
    assert read_words_or_texts(str(path), None) == ["Great food"]


def test_lists_of_numbers_are_no_words(tmp_path):
    path = write_json_lines(tmp_path / "a.jsonl", [{"tokens": [1, 2], "text": "Great food"}])
    assert read_words_or_texts(str(path), None) == ["Great food"]


def test_no_file_and_no_column(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_words_or_texts(str(tmp_path / "a.conll"), None)
    with pytest.raises(FileNotFoundError, match=r"There is no file .*a\.jsonl: check its name"):
        read_words_or_texts(str(tmp_path / "a.jsonl"), None)
    path = write_json_lines(tmp_path / "b.jsonl", [{"tokens": ["a"]}])
    with pytest.raises(ValueError, match=r"has no column 'nix'; it has 'tokens'"):
        read_words_or_texts(str(path), ["nix"])

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
    assert read_words_or_texts(str(path)) == [["EU", "rejects"], ["German"]]
    path = write(tmp_path / "a.bio", "EU\nrejects\n")
    assert read_words_or_texts(str(path)) == [["EU", "rejects"]]


def test_the_home_folder_of_a_file_of_columns(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    write(tmp_path / "a.conll", "EU O\n")
    assert read_words_or_texts("~/a.conll") == [["EU"]]


def test_a_column_of_a_file_of_columns_is_refused(tmp_path):
    path = write(tmp_path / "a.conll", "EU O\n")
    with pytest.raises(ValueError, match=r"^--text_column is for tables, and .*a\.conll has a word a line"):
        read_words_or_texts(str(path), ["words"])
    with pytest.raises(
        ValueError, match=r"^--tokens_column is for tables, and .*a\.conll has a word a line: leave it"
    ):
        read_words_or_texts(str(path), tokens_column="words")


@pytest.mark.parametrize("name", ["tokens", "words", "form"])
def test_a_column_of_lists_gives_words(tmp_path, name):
    path = write_json_lines(tmp_path / "a.jsonl", [{name: ["EU", None], "text": "x"}, {name: None}, {name: []}])
    assert read_words_or_texts(str(path)) == [["EU", ""], [], []]


def test_parquet(tmp_path):
    path = tmp_path / "a.parquet"
    Dataset.from_dict({"tokens": [["EU", "rejects"]]}).to_parquet(path)
    assert read_words_or_texts(str(path)) == [["EU", "rejects"]]


def test_a_column_that_is_named_wins(tmp_path):
    path = write_json_lines(tmp_path / "a.jsonl", [{"tokens": ["a"], "parts": ["b"], "note": "A text."}])
    assert read_words_or_texts(str(path)) == [["a"]]
    assert read_words_or_texts(str(path), tokens_column="parts") == [["b"]]
    assert read_words_or_texts(str(path), ["note"]) == ["A text."]
    with pytest.raises(ValueError, match=r"^--tokens_column nix is no column of words in .*, 'note'"):
        read_words_or_texts(str(path), tokens_column="nix")


@pytest.mark.parametrize(("name", "tab"), [("a.csv", ","), ("a.tsv", "\t")])
def test_tables_give_texts(tmp_path, name, tab):
    path = write(tmp_path / name, f"text{tab}tokens\nGreat food{tab}x\n")
    assert read_words_or_texts(str(path)) == ["Great food"]


def test_lists_of_numbers_are_no_words(tmp_path):
    path = write_json_lines(tmp_path / "a.jsonl", [{"tokens": [1, 2], "text": "Great food"}])
    assert read_words_or_texts(str(path)) == ["Great food"]


def test_no_file_and_no_column(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_words_or_texts(str(tmp_path / "a.conll"))
    with pytest.raises(FileNotFoundError, match=r"There is no file .*a\.jsonl: check its name"):
        read_words_or_texts(str(tmp_path / "a.jsonl"))
    path = write_json_lines(tmp_path / "b.jsonl", [{"tokens": ["a"]}])
    with pytest.raises(ValueError, match=r"has no column 'nix'; it has 'tokens'"):
        read_words_or_texts(str(path), ["nix"])


@pytest.mark.parametrize("first", ["", "word\ttag\n", "Text\tLabel\n"])
def test_a_tsv_without_a_column_of_texts_has_a_word_a_line(tmp_path, first):
    path = write(tmp_path / "a.tsv", f"{first}EU\tB-ORG\nrejects\tO\n\nGerman\tB-MISC\n")
    assert read_words_or_texts(str(path)) == [["EU", "rejects"], ["German"]]
    assert len(read_words_or_texts(str(write(tmp_path / "b.tsv", "id\treview\n1\tGreat food\n")))) == 1

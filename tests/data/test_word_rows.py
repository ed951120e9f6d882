"""Tables with a word a row."""

from __future__ import annotations

import pytest
from datasets import ClassLabel, Dataset, Features, Value

from data.tagging_helpers import write
from hfattnlstm.data.given_words import read_words_or_texts
from hfattnlstm.data.tagged_texts import load_tagged_texts
from hfattnlstm.data.word_rows import WordColumns, joined_rows, word_columns


KAGGLE = """Sentence #,Word,POS,Tag
Sentence: 1,Ann,NNP,B-per
,lives,VBZ,O
,in,IN,O
,Lima,NNP,B-geo
Sentence: 2,null,NN,O
,",",",",O
Sentence: 3,Yes,UH,O
"""
WORDS = [["Ann", "lives", "in", "Lima"], ["null", ","], ["Yes"]]


def sentences(source, **options):
    parts = load_tagged_texts(source, validation_size=1, **options).splits
    names = parts["train"].features["tags"].feature.names
    rows = [row for part in parts.values() for row in part]
    return {tuple(row["tokens"]): [names[tag] for tag in row["tags"]] for row in rows}


def test_a_table_of_kaggle(tmp_path, caplog):
    path = write(tmp_path / "ner.csv", KAGGLE)
    found = sentences(path)
    assert sorted(found) == sorted(map(tuple, WORDS))
    assert found["Ann", "lives", "in", "Lima"] == ["B-per", "O", "O", "B-geo"]
    assert "the column 'Tag' is read for the tags, and not 'POS'" in caplog.text
    assert sentences(path, label_column="POS")["null", ","] == ["NN", ","]
    assert read_words_or_texts(str(path)) == WORDS
    assert read_words_or_texts(str(path), tokens_column="Tag")[0] == ["B-per", "O", "O", "B-geo"]


def test_the_same_with_tabs(tmp_path):
    path = write(
        tmp_path / "ner.tsv", KAGGLE.replace('",",","', "comma\tcomma").replace(",", "\t").replace("comma", ",")
    )
    assert sentences(path, label_column="Tag")["null", ","] == ["O", "O"]
    assert read_words_or_texts(str(path)) == WORDS


def test_a_data_set_with_names_of_its_own():
    features = Features({"sent_id": Value("int64"), "mine": Value("string"), "tag": ClassLabel(names=["O", "B-X"])})
    rows = Dataset.from_dict({"sent_id": [4, 4, 9], "mine": ["a", "b", "c"], "tag": [0, 1, 0]}, features=features)
    assert sentences(rows, tokens_column="mine") == {("a", "b"): ["O", "B-X"], ("c",): ["O"]}


def test_the_other_splits_may_be_of_another_kind(tmp_path):
    files = {
        "train": write(tmp_path / "train.csv", KAGGLE),
        "validation": write(tmp_path / "validation.conll", "Lima\tB-geo\n"),
        "test": write(tmp_path / "test.jsonl", '{"tokens": ["Ann"], "tags": ["B-per"]}\n'),
    }
    splits = load_tagged_texts(files).splits
    assert {name: rows["tokens"][0] for name, rows in splits.items()} == {
        "train": WORDS[0],
        "validation": ["Lima"],
        "test": ["Ann"],
    }


def test_a_sentence_goes_on_where_its_column_is_empty():
    columns = WordColumns("word", "id")
    values = [(None, "a"), ("", "b"), (7, "c"), (None, "d"), (7, "e"), (8, "f"), (7, "g")]
    rows = [{"id": own, "word": word} for own, word in values]
    found = list(joined_rows(enumerate(rows, 1), columns, "a"))
    assert [(number, row["word"]) for number, row in found] == [
        (1, ["a", "b"]),
        (3, ["c", "d", "e"]),
        (6, ["f"]),
        (7, ["g"]),
    ]
    assert list(joined_rows(iter(()), columns, "a")) == []


def test_what_has_no_word_a_row():
    for row in ({"tokens": ["a"]}, {"text": "a", "spans": []}, {"word": 3}, {}):
        assert word_columns(row) is None


def test_no_column_of_sentences(tmp_path):
    path = write(tmp_path / "a.csv", "Word,Tag\na,O\n")
    told = r"^There is a word a row in the file .*a\.csv, and none of its columns, 'Word', 'Tag', says which of them"
    with pytest.raises(ValueError, match=told):
        load_tagged_texts(path)
    with pytest.raises(ValueError, match=told):
        read_words_or_texts(str(path))


def test_a_table_of_texts_that_has_a_word_too(tmp_path):
    path = write(tmp_path / "a.csv", "text,word\nGreat food,food\n")
    assert read_words_or_texts(str(path)) == ["Great food"]
    path = write(tmp_path / "b.csv", "sentence,word\n1,Great\n1,food\n")
    assert read_words_or_texts(str(path)) == [["Great", "food"]]


def test_a_row_without_a_word_or_a_tag(tmp_path):
    path = write(tmp_path / "a.csv", "sentence,word,tag\n1,a,O\n1,b,\n2,c,O\n")
    with pytest.raises(ValueError, match=r"^The sentence from row 1 of the file .*a\.csv has '' among its tags"):
        load_tagged_texts(path)
    path = write(tmp_path / "b.csv", "sentence,word,tag\n1,a,O\n1,,O\n2,c,O\n")
    with pytest.raises(ValueError, match=r"^Row 2 of the file .*b\.csv has no word in 'word'"):
        load_tagged_texts(path)

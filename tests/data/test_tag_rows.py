from __future__ import annotations

import random

import numpy as np
import pytest
from datasets import Dataset, Features, List, Value

from hfattnlstm.data.tag_rows import IGNORED, encode_tags, joined_rows
from hfattnlstm.data.word_tokenizer import train_word_tokenizer
from hfattnlstm.modeling.word_tokens import WordEncoder


WORDS = ["not", "so", "good", "tea"]


@pytest.fixture(scope="module")
def tokenizer():
    return train_word_tokenizer([WORDS] * 2)


def sentences(*words):
    features = Features({"tokens": List(Value("string")), "tags": List(Value("int64"))})
    tags = [list(range(len(each))) for each in words]
    return Dataset.from_dict({"tokens": list(words), "tags": tags}, features=features)


def test_the_first_token_of_each_word_has_its_label(tokenizer):
    rows = encode_tags(sentences(["not", "neat", "tea"], ["so"]), WordEncoder(tokenizer))
    assert tokenizer.convert_ids_to_tokens(rows[0]["input_ids"]) == ["not", "n", "##e", "##a", "##t", "tea"]
    assert rows["labels"][:] == [[0, 1, IGNORED, IGNORED, IGNORED, 2], [0]]
    assert rows["length"][:] == [6, 1]
    assert rows["sentence"][:] == [0, 1]
    assert rows.features["input_ids"] == rows.features["labels"] == List(Value("int32"))


def test_sentences_without_words_have_no_row(tokenizer):
    rows = encode_tags(sentences([], ["so"], []), WordEncoder(tokenizer))
    assert rows["sentence"][:] == [1]
    empty = encode_tags(sentences([]), WordEncoder(tokenizer))
    assert len(empty) == 0
    assert empty.column_names == ["input_ids", "labels", "length", "sentence"]


def test_words_without_characters_have_labels_too(tokenizer):
    rows = encode_tags(sentences(["", "so", "\u200b"]), WordEncoder(tokenizer))
    assert rows["labels"][:] == [[0, 1, 2]]


def test_words_in_several_pieces_have_one_label(tokenizer):
    rows = encode_tags(sentences(["so good", "tea"]), WordEncoder(tokenizer))
    assert rows["labels"][:] == [[0, IGNORED, 1]]


@pytest.mark.parametrize("seed", range(10))
def test_a_long_sentence_gives_rows_and_each_word_one_label(tokenizer, seed):
    numbers = random.Random(seed)
    given = [numbers.choices([*WORDS, "neat", "goose"], k=numbers.choice([0, 1, 5, 40])) for _ in range(4)]
    rows = encode_tags(sentences(*given), WordEncoder(tokenizer, 8))
    assert max(rows["length"][:], default=0) <= 8
    found = [[] for _ in given]
    for number, labels in zip(rows["sentence"], rows["labels"]):
        found[number] += [label for label in labels if label != IGNORED]
    assert found == [list(range(len(words))) for words in given]
    assert [len(ids) for ids in rows["input_ids"]] == rows["length"][:]


def test_what_was_found_is_put_together_again(tokenizer):
    given = [["neat", "so", *WORDS * 5], [], ["tea"]]
    rows = encode_tags(sentences(*given), WordEncoder(tokenizer, 8))
    # The ids themselves, padded as a Trainer pads predictions: each word must get its own.
    ids = np.full((len(rows), 11), -100)
    for row, own in zip(ids, rows["input_ids"]):
        row[: len(own)] = own
    found = joined_rows(rows, ids, 3)
    expected = [[own[0] for own in WordEncoder(tokenizer)(words)] for words in given]
    assert [part.tolist() for part in found] == expected
    assert found[1].dtype == ids.dtype

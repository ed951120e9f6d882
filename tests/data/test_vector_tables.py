from __future__ import annotations

import gzip

import numpy as np
import pytest
import torch

from data.tagging_helpers import binary_vectors, vectors_file, write
from hfattnlstm.data.vector_tables import VectorTable, fill_word_vectors, read_vector_table
from hfattnlstm.data.word_tokenizer import spelling_tables, train_word_tokenizer
from hfattnlstm.data.word_vectors import read_word_vectors
from hfattnlstm.modeling.word_inputs import WordVectors, word_numbers


LONGEST = 6
VECTORS = {"the": [1.0, -1.0], "Paris": [3.0, 4.0], "paris": [9.0, 9.0], "tea": [-3.0, 0.5], "seat": [2.0, 0.0]}


@pytest.fixture(scope="module")
def spelling():
    tokenizer = train_word_tokenizer([["The", "tea", "in", "Paris", "at", "9"]] * 2)
    return spelling_tables(tokenizer, LONGEST)


@pytest.fixture
def table(tmp_path, spelling):
    return read_vector_table(write(tmp_path / "vectors.txt", vectors_file(VECTORS)), spelling, LONGEST, 99)


def characters(spelling, word):
    """The numbers of the lower case of a word, as a model looks it up."""
    numbers = [spelling.alphabet.index(character) + 1 for character in word]
    return torch.tensor([spelling.lower[number] for number in numbers] + [0] * (LONGEST - len(word)))


def look_up(table, spelling, *words):
    module = WordVectors(len(table.numbers), table.vectors.shape[1])
    fill_word_vectors(module, table)
    return module(torch.stack([characters(spelling, word) for word in words])[None])[0].detach()


def scaled(vectors):
    """With one scale for all, by which their numbers deviate by 0.1."""
    return torch.tensor(vectors) * 0.1 / torch.tensor(vectors).std()


# Files


@pytest.mark.parametrize("packed", [bytes, gzip.compress])
@pytest.mark.parametrize("form", [vectors_file, binary_vectors, lambda vectors: b"5 2\n" + vectors_file(vectors)])
def test_every_format_is_read(tmp_path, form, packed):
    path = write(tmp_path / "vectors", packed(form(VECTORS)))
    found = list(read_word_vectors(path, 99))
    assert {word: vector.tolist() for word, vector in found} == VECTORS
    assert [word for word, _ in found] == list(VECTORS)
    assert all(vector.dtype == np.float32 for _, vector in found)


@pytest.mark.parametrize("form", [vectors_file, binary_vectors, lambda vectors: b"5 2\n" + vectors_file(vectors)])
def test_the_first_words_are_read_and_no_more(tmp_path, form):
    path = write(tmp_path / "vectors", form(VECTORS))
    assert [word for word, _ in read_word_vectors(str(path), 2)] == ["the", "Paris"]


def test_what_is_not_read_may_be_damaged(tmp_path):
    path = write(tmp_path / "vectors", vectors_file(VECTORS) + b"cut 1.0")
    assert len(list(read_word_vectors(path, 5))) == 5
    with pytest.raises(ValueError, match=r"vectors, line 6: 1 numbers follow the word instead of 2\."):
        list(read_word_vectors(path, 6))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "vectors is empty: download it again"),
        (b"PK\x03\x04 archive of words\n", "vectors is neither GloVe text nor word2vec text or binary"),
        (b"the 1.0 2.0\ntea 1.0\n", "vectors, line 2: 1 numbers follow the word instead of 2"),
        (b"the 1.0 2.0\ntea 1.0 x\n", "vectors, line 2"),
        (b"the 1.0 2.0\ntea nan 1\n", "vectors, line 2: the vector of 'tea' has a number that is NaN"),
        (b"the 1.0 2.0\ntea 1e99 1\n", "vectors, line 2: the vector of 'tea' .* too large"),
        (b"3 2\nthe 1.0 2.0\n", "vectors ends after 1 of 3 words: download it again"),
        (binary_vectors(VECTORS)[:-9], "vectors, entry 5: the file is damaged or ends here, after 4 of 5 words"),
        (gzip.compress(vectors_file(VECTORS), mtime=0)[:-9], "vectors is a damaged or incomplete gzip file"),
    ],
)
def test_damaged_files(tmp_path, spelling, content, told):
    path = write(tmp_path / "vectors", content)
    for read in (lambda: list(read_word_vectors(path, 99)), lambda: read_vector_table(path, spelling, LONGEST, 99)):
        with pytest.raises(ValueError, match=f"{told}"):
            read()


def test_no_file(tmp_path, spelling):
    with pytest.raises(FileNotFoundError, match=r"^There is no file .*nix: give the path of a file of word vectors"):
        read_vector_table(tmp_path / "nix", spelling, LONGEST, 99)


# Tables


def test_words_are_found_whatever_their_case_and_be_they_tokens_or_not(table, spelling):
    found = look_up(table, spelling, "the", "The", "Paris", "paris", "seat", "Tea")
    expected = scaled([VECTORS[word] for word in ("the", "Paris", "tea", "seat")])
    torch.testing.assert_close(found, expected[[0, 0, 1, 1, 3, 2]])


def test_other_words_have_no_vector(table, spelling):
    assert look_up(table, spelling, "th", "thea", "eat", "sea", "9").abs().sum() == 0


def test_of_words_that_differ_in_case_the_first_is_taken(table):
    assert len(table.numbers) == 4
    assert table.vectors.std().item() == pytest.approx(0.1)


def test_numbers_rise(table, spelling):
    assert table.numbers.tolist() == sorted(set(table.numbers.tolist()))
    place = table.numbers.tolist().index(word_numbers(characters(spelling, "tea")).item())
    torch.testing.assert_close(
        table.vectors[place], scaled([VECTORS[word] for word in ("the", "Paris", "tea", "seat")])[2]
    )
    assert (table.numbers.dtype, table.vectors.dtype) == (torch.int64, torch.float32)


def test_words_with_other_characters_are_left_out(tmp_path, spelling, caplog):
    path = write(tmp_path / "vectors.txt", vectors_file({"tea": [1.0, 2.0], "кот": [1.0, 0.0], "the": [0.0, 3.0]}))
    assert len(read_vector_table(path, spelling, LONGEST, 99).numbers) == 2
    assert not caplog.messages
    assert len(read_vector_table(path, spelling, LONGEST, 2).numbers) == 1
    assert not caplog.messages


def test_that_most_words_are_left_out_is_told(tmp_path, spelling, caplog):
    path = write(tmp_path / "vectors.txt", vectors_file({"tea": [1.0, 2.0], "кот": [1.0, 0.0], "мяу": [0.0, 3.0]}))
    read_vector_table(path, spelling, LONGEST, 99)
    assert caplog.messages == [
        f"2 of the words of {path} have characters that the texts do not have, and are left out."
    ]


def test_words_that_are_no_utf8_or_empty_are_left_out(tmp_path, spelling):
    path = write(tmp_path / "vectors.txt", b"th\xe9 1.0 2.0\n 3.0 4.0\n" + vectors_file({"tea": [1.0, 2.0]}))
    assert len(read_vector_table(path, spelling, LONGEST, 99).numbers) == 1


def test_a_file_of_another_script(tmp_path, spelling):
    path = write(tmp_path / "vectors.txt", vectors_file({"кот": [1.0, 0.0]}))
    with pytest.raises(ValueError, match=r"vectors\.txt has no word that consists of the characters of the texts: g"):
        read_vector_table(path, spelling, LONGEST, 99)


def test_long_words_are_known_by_what_is_read_of_them(tmp_path, spelling):
    long = {"tea" * 5: [1.0, 2.0], "tea" * 6: [8.0, 8.0], "the": [0.0, -1.0]}
    path = write(tmp_path / "vectors.txt", vectors_file(long))
    table = read_vector_table(path, spelling, LONGEST, 99)
    torch.testing.assert_close(look_up(table, spelling, "teatea")[0], scaled([[1.0, 2.0], [0.0, -1.0]])[0])


def test_vectors_of_zeros_stay(tmp_path, spelling):
    path = write(tmp_path / "vectors.txt", vectors_file({"tea": [0.0, 0.0]}))
    assert read_vector_table(path, spelling, LONGEST, 99).vectors.tolist() == [[0.0, 0.0]]


def test_filling_clears_the_row_of_words_without_a_vector():
    module = WordVectors(2, 3)
    torch.nn.init.ones_(module.table.weight)
    fill_word_vectors(module, VectorTable(torch.tensor([4, 9]), torch.full((2, 3), 2.0)))
    assert module.table.weight.tolist() == [[0.0] * 3, [2.0] * 3, [2.0] * 3]
    assert module.index.numbers.tolist() == [4, 9]
    assert module.table.weight.requires_grad

"""Tokens are spelt with a mark where a word begins, whatever the kind of tokenizer."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from hfattnlstm import train_tokenizer
from hfattnlstm.training.spelling import shared_spelling, spelling_of


TEXTS = ["tea teapot", "tea teapot"] * 3


def shared(kind: str, first: str, second: str) -> float:
    tokenizer = train_tokenizer(TEXTS, kind=kind, vocab_size=14 if kind != "word" else 100)
    matrix = spelling_of(tokenizer)
    assert matrix.shape[0] == len(tokenizer)
    assert not matrix[tokenizer.all_special_ids].nnz
    return float((matrix[tokenizer.vocab[first]] @ matrix[tokenizer.vocab[second]].T).sum())


def test_words_share_their_beginnings() -> None:
    # <t te ea <te tea <tea
    assert shared("word", "tea", "teapot") == 6


def test_the_mark_of_a_piece_is_no_part_of_its_spelling() -> None:
    tokenizer = train_tokenizer(TEXTS, kind="wordpiece", vocab_size=14)
    matrix = spelling_of(tokenizer)
    inner = [token for token in tokenizer.vocab if token.startswith("##") and len(token) == 3]
    assert inner
    # A single character within a word has no n-gram of two.
    assert all(matrix[tokenizer.vocab[token]].nnz == 0 for token in inner)
    assert matrix[tokenizer.vocab["t"]].nnz == 1


@pytest.mark.parametrize("kind", ["bpe", "unigram", "char"])
def test_every_kind_of_tokenizer_is_spelt(kind: str) -> None:
    tokenizer = train_tokenizer(TEXTS, kind=kind, vocab_size=30)
    matrix = spelling_of(tokenizer)
    assert matrix.nnz
    assert (matrix.data == 1).all() or matrix.data.max() >= 1


def test_only_what_several_tokens_have_is_shared() -> None:
    spelling = sparse.csr_matrix(np.array([[1, 0, 2, 1], [1, 1, 0, 1], [1, 0, 0, 0]], dtype=np.float32))
    assert shared_spelling(spelling, most=5).toarray().tolist() == [[1, 1], [1, 1], [1, 0]]
    assert shared_spelling(spelling, most=1).toarray().tolist() == [[1], [1], [1]]
    assert shared_spelling(sparse.csr_matrix(np.eye(3, dtype=np.float32)), most=5).shape == (3, 0)

"""What each token is in the texts that it comes from."""

from __future__ import annotations

import pytest
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast

from hfattnlstm import train_tokenizer
from hfattnlstm.data.token_pieces import GOES_ON, token_pieces


TEXTS = ["the tea of the teas", "tea at the sea", "seas of tea"] * 3
KINDS = ("word", "open", "wordpiece", "bpe", "unigram", "char")


@pytest.mark.parametrize("kind", KINDS)
def test_the_tokens_of_a_text_make_up_its_words(kind):
    tokenizer = train_tokenizer(TEXTS, kind=kind, vocab_size=60)
    pieces = token_pieces(tokenizer)
    assert len(pieces) == len(tokenizer)
    for text in TEXTS:
        words: list[str] = []
        for number in tokenizer(text, add_special_tokens=False).input_ids:
            piece = pieces[number]
            if piece.begins:
                words.append(piece.text)
            else:
                words[-1] += piece.text
        assert [word for word in words if word] == text.split(), kind


def test_a_mark_by_itself_is_a_token():
    tokenizer = train_tokenizer([f"{GOES_ON} b"] * 3, kind="word")
    for token in tokenizer.vocab:
        assert token_pieces(tokenizer)[tokenizer.vocab[token]].text == token


def test_numbers_without_a_token():
    backend = Tokenizer(models.WordLevel({"a": 0, "b": 3}, unk_token="a"))
    assert [piece.text for piece in token_pieces(PreTrainedTokenizerFast(tokenizer_object=backend))] == ["a", ""]

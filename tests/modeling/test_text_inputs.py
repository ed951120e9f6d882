"""Cuts, spans and strange texts, against the backend of the tokenizer, which reads the whole text without any cut."""

from __future__ import annotations

import unicodedata

import numpy as np
import pytest
from text_helpers import (
    BACKENDS,
    CLS,
    KINDS,
    SEP,
    SPECIAL,
    TRUNCATIONS,
    cut,
    fast,
    sentence,
    whole,
    word_level,
)
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import ByT5Tokenizer, PreTrainedTokenizerFast

from hfattnlstm.modeling.text_cuts import CHARACTERS_PER_TOKEN
from hfattnlstm.modeling.text_inputs import EncodedText, TextEncoder, check_texts, pad_ids


STRANGE = {
    "zero-width joiners": "a 👩‍👩‍👧‍👦 and 🏳️‍🌈 too",
    "combining marks": "cafe\u0301 e\u0323\u0301 n\u0303o",
    "right to left": "שלום עולם مرحبا بالعالم",
    "no spaces": "这是一个很好的句子",
    "NUL": "x\x00y \x00 z",
    "controls": "a\tb\r\nc\x1b[31m d\x85",
    "invisible": "so\u200b good\ufeff \u202eas it",
    "nothing": "",
    "white space": " \n\t ",
}


def real_spans(encoded: EncodedText) -> list[tuple[int, int]]:
    return [span for span in encoded.spans if span is not None]


def assert_left_out_is_what_is_missing(text: str, encoded: EncodedText) -> None:
    """Every character is in a span or left out, but for white space next to a cut, which can be counted or not."""
    covered = [False] * len(text)
    for start, end in real_spans(encoded):
        covered[start:end] = [True] * (end - start)
    missing = [character for character, seen in zip(text, covered) if not seen]
    letters = sum(not character.isspace() for character in missing)
    assert letters <= encoded.left_out <= len(missing)


@pytest.mark.parametrize(
    ("truncation", "words", "left_out"),
    [
        ("head", ["not", "so", "good", "as"], len(" it was when")),
        ("tail", ["as", "it", "was", "when"], len("not so good ")),
        ("head_tail", ["not", "it", "was", "when"], len(" so good as ")),
    ],
)
def test_the_truncations_by_example(truncation: str, words: list[str], left_out: int) -> None:
    text = "not so good as it was when"
    encoded = TextEncoder(fast(word_level()), 4, truncation)([text])[0]
    assert [text[start:end] for start, end in encoded.spans] == words
    assert encoded.left_out == left_out


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("truncation", TRUNCATIONS)
@pytest.mark.parametrize("max_length", [3, 4, 9, 30, 400])
def test_a_text_is_cut_like_its_whole_encoding(kind: str, truncation: str, max_length: int) -> None:
    tokenizer = fast(BACKENDS[kind](), special=True)
    room = max_length - 2
    texts = [sentence(words)[: CHARACTERS_PER_TOKEN * room] for words in (0, 1, 5, 60)]
    for text, encoded in zip(texts, TextEncoder(tokenizer, max_length, truncation)(texts)):
        expected = whole(tokenizer, text)
        assert encoded.input_ids == [CLS, *cut(expected.ids, room, truncation), SEP]
        assert encoded.spans == [None, *cut(expected.offsets, room, truncation), None]
        assert encoded.word_ids == [None, *cut(expected.word_ids, room, truncation), None]
        assert_left_out_is_what_is_missing(text, encoded)
        assert (encoded.left_out > 0) == (len(expected) > room)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("truncation", TRUNCATIONS)
def test_spans_are_right_far_beyond_what_is_tokenised(kind: str, truncation: str) -> None:
    tokenizer, room = fast(BACKENDS[kind](), special=True), 10
    text = sentence(20_000)
    assert len(text) > 100 * CHARACTERS_PER_TOKEN * room
    encoded = TextEncoder(tokenizer, room + 2, truncation)([text])[0]
    expected = whole(tokenizer, text)
    assert encoded.input_ids == [CLS, *cut(expected.ids, room, truncation), SEP]
    assert encoded.spans == [None, *cut(expected.offsets, room, truncation), None]
    for token, (start, end) in zip(tokenizer.convert_ids_to_tokens(encoded.input_ids[1:-1]), real_spans(encoded)):
        assert text[start:end].strip() == token.removeprefix("##").strip("▁Ġ")
    assert_left_out_is_what_is_missing(text, encoded)


def test_special_tokens_stay_around_the_cut_text() -> None:
    plain, special = fast(word_level()), fast(word_level(), special=True)
    text = sentence(50)
    without = TextEncoder(plain, 6, "tail")([text])[0]
    encoded = TextEncoder(special, 8, "tail")([text])[0]
    assert encoded.input_ids == [CLS, *without.input_ids, SEP]
    assert (encoded.spans[0], encoded.spans[-1]) == (encoded.word_ids[0], encoded.word_ids[-1]) == (None, None)
    assert encoded.spans[1:-1] == without.spans
    assert TextEncoder(special)([""])[0] == EncodedText([CLS, SEP], [None, None], [None, None], 0)
    assert TextEncoder(plain)([""])[0] == EncodedText([], [], [], 0)


def test_special_tokens_are_found_in_a_vocabulary_without_latin_letters() -> None:
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    trainer = trainers.BpeTrainer(vocab_size=60, special_tokens=SPECIAL, show_progress=False)
    backend.train_from_iterator(["привет мир"] * 5, trainer)
    tokenizer = fast(backend, special=True)
    assert TextEncoder(tokenizer)(["привет"])[0].input_ids == tokenizer("привет")["input_ids"]


def test_a_vocabulary_without_an_unknown_token_reads_its_words() -> None:
    backend = Tokenizer(models.WordLevel({"[PAD]": 0, "good": 1}))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, pad_token="[PAD]", model_max_length=8)
    assert TextEncoder(tokenizer).input_ids(["good good"]) == [[1, 1]]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("text", STRANGE.values(), ids=STRANGE)
def test_strange_texts_are_read_as_the_tokenizer_reads_them(kind: str, text: str) -> None:
    tokenizer = fast(BACKENDS[kind](), special=True)
    encoded = TextEncoder(tokenizer)([text])[0]
    expected = tokenizer(text, return_offsets_mapping=True)
    assert encoded.input_ids == expected["input_ids"]
    spans, own = real_spans(encoded), expected["offset_mapping"][1:-1]
    assert [start for start, _ in spans] == [start for start, _ in own]
    # A span may be longer than the tokenizer's, to hold the marks on its last letter, but not shorter.
    assert all(end >= short for (_, end), (_, short) in zip(spans, own))
    added = "".join(text[short:end] for (_, end), (_, short) in zip(spans, own))
    assert all(unicodedata.combining(mark) for mark in added)
    assert all(0 <= start <= end <= len(text) for start, end in real_spans(encoded))
    assert encoded.left_out == 0


@pytest.mark.parametrize("text", STRANGE.values(), ids=STRANGE)
@pytest.mark.parametrize("distance", [0, 100_000])
def test_spans_of_strange_words(text: str, distance: int) -> None:
    shifted = "so " * (distance // 3) + text
    spans = TextEncoder(fast(word_level()), 40, "tail")([shifted])[0].spans
    words = shifted.split()[-40:]
    assert [shifted[start:end] for start, end in spans] == words


@pytest.mark.parametrize("normalizer", [normalizers.NFC(), normalizers.NFKC(), normalizers.BertNormalizer()])
def test_a_normalised_word_keeps_its_combining_marks(normalizer: normalizers.Normalizer) -> None:
    backend = word_level()
    backend.normalizer = normalizer
    text = "so cafe\u0301 e\u0323\u0301 good"
    spans = TextEncoder(fast(backend))([text])[0].spans
    assert [text[start:end] for start, end in spans] == text.split()


@pytest.mark.parametrize("kind", KINDS)
def test_lone_surrogates_are_read_as_replacement_characters(kind: str) -> None:
    encoder = TextEncoder(fast(BACKENDS[kind]()))
    broken, replaced = encoder(["so \ud83d good\udc00 as", "so � good� as"])
    assert broken == replaced
    assert encoder.input_ids(["so \ud83d good\udc00 as"]) == [replaced.input_ids]
    # A whole pair is one character to Python and stays.
    assert check_texts(["\U0001f600 \ud83d"]) == ["\U0001f600 �"]


def test_a_wrong_type_is_named_with_its_position() -> None:
    encoder = TextEncoder(fast(word_level()))
    with pytest.raises(TypeError, match="Text number 1 is of type NoneType, not str"):
        encoder(["good", None])
    with pytest.raises(TypeError, match="Text number 2 is of type float"):
        encoder.input_ids(["good", "", float("nan")])
    with pytest.raises(TypeError, match="Text number 101 is of type bytes"):
        check_texts(["good", b"good"], first=100)
    assert check_texts([]) == []


@pytest.mark.parametrize("special", [False, True])
def test_the_users_tokenizer_is_never_changed(special: bool) -> None:
    tokenizer = fast(word_level(), special)
    tokenizer.backend_tokenizer.enable_truncation(5)
    tokenizer.backend_tokenizer.enable_padding(length=7)
    before = tokenizer.backend_tokenizer.to_str()
    text = sentence(20)
    encoder = TextEncoder(tokenizer, 12)
    encoded = encoder([text, "good"])
    assert tokenizer.backend_tokenizer.to_str() == before
    # Nor do the user's settings reach the encoder, be they older or newer than it.
    tokenizer.backend_tokenizer.enable_truncation(3)
    assert encoder([text, "good"]) == encoded
    assert [len(one.input_ids) for one in encoded] == [12, 3 if special else 1]
    assert encoder.input_ids([text]) == [encoded[0].input_ids]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("truncation", TRUNCATIONS)
def test_input_ids_are_those_of_a_call(kind: str, truncation: str) -> None:
    encoder = TextEncoder(fast(BACKENDS[kind](), special=True), 9, truncation)
    texts = [*STRANGE.values(), sentence(3), sentence(40), sentence(4_000), "x" * 5_000]
    assert encoder.input_ids(texts) == [encoded.input_ids for encoded in encoder(texts)]
    assert encoder([]) == encoder.input_ids([]) == []


def test_max_length_is_the_tokenizers_own_by_default() -> None:
    text = sentence(3_000)
    assert len(TextEncoder(fast(word_level(), model_max_length=7))([text])[0].input_ids) == 7
    assert len(TextEncoder(fast(word_level(), model_max_length=7), 9)([text])[0].input_ids) == 9
    unlimited = TextEncoder(fast(word_level(), model_max_length=None))([text])[0]
    assert (len(unlimited.input_ids), unlimited.left_out) == (3_000, 0)


@pytest.mark.parametrize("max_length", [2, 1, 0, -1])
def test_there_must_be_room_for_a_token(max_length: int) -> None:
    with pytest.raises(ValueError, match=f"max_length={max_length} leaves no room"):
        TextEncoder(fast(word_level(), special=True), max_length)


def test_a_slow_tokenizer_and_an_unknown_truncation_are_refused() -> None:
    with pytest.raises(TypeError, match="ByT5Tokenizer is not a fast tokenizer"):
        TextEncoder(ByT5Tokenizer())
    with pytest.raises(ValueError, match="truncation must be one of head, tail, head_tail, got 'middle'"):
        TextEncoder(fast(word_level()), truncation="middle")


def test_ids_are_padded_on_the_right():
    ids, mask = pad_ids([[7, 8], [], [9]], 3)
    assert ids.tolist() == [[7, 8], [3, 3], [9, 3]] and ids.dtype == np.int64
    assert mask.tolist() == [[True, True], [False, False], [True, False]]
    assert pad_ids([[]], None)[0].tolist() == [[0]]

from __future__ import annotations

import random
import re

import numpy as np
import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from transformers import AutoTokenizer

from hfattnlstm.data.tokenization import (
    SPECIAL_TOKENS,
    UNSEEN,
    finished_tokenizer,
    open_vocabulary,
    text_normalizer,
    train_tokenizer,
)
from hfattnlstm.data.word_tokenizer import is_open, spelling_tables, train_word_tokenizer
from hfattnlstm.modeling.spelling import DIGIT, LOWER, OTHER, PIECE, SPECIAL, SPELLS, UPPER, WORD
from hfattnlstm.modeling.word_tokens import WordEncoder


SENTENCES = [["Mr.", "Smith", "does", "n't", "like", "well-known", "films", ":-)"], ["He", "left", "at", "9", "."]] * 3
TEXTS = ["A good film, isn't it?", "Well made films; 这部电影。 #1 ❤"] * 2
ODD = [
    "Zürich naïve Ġorġ ▁x",
    "goodness—filmfan…",
    "### #tag ## ##a [unk] [PA D]x",
    "a\u200bb\ufeff c\x00d e\u0301x\u0301",
    "👩\u200d👩\u200d👧 👍🏽 ❤\ufe0f 🇩🇪",
    "中文 한국어 ไทย می\u200cخواهم",
    "http://x.y/z?é=ü a@b.cö 1,5 ½",
    "it’s İSTANBUL<br />\u2028x\u00ad",
    "\ue000 \ufffd \U0001d54f\u0300",
    "",
]


def read(tokenizer, text):
    """Tokens with the parts of the text that they stand for."""
    encoded = tokenizer(text, return_offsets_mapping=True)
    tokens = tokenizer.convert_ids_to_tokens(encoded["input_ids"])
    return [(token, text[start:end]) for token, (start, end) in zip(tokens, encoded["offset_mapping"])]


def words(tokenizer, text):
    encoded = tokenizer(text, return_offsets_mapping=True)
    spans = {}
    for word, (start, end) in zip(encoded.word_ids(), encoded["offset_mapping"]):
        spans[word] = (spans.get(word, (start, end))[0], end)
    return [text[start:end] for start, end in spans.values()]


def trained(kind):
    if kind == "words":
        return train_word_tokenizer(SENTENCES)
    return train_tokenizer(TEXTS, kind="open", lowercase=False)


@pytest.fixture(scope="module", params=["words", "texts"])
def tokenizer(request):
    return trained(request.param)


# Both tokenizers with an open vocabulary


@pytest.mark.parametrize("text", ODD)
def test_nothing_is_unknown_and_spans_are_exact(tokenizer, text):
    for token, part in read(tokenizer, text):
        assert token not in SPECIAL_TOKENS
        bare = token.removeprefix("##") if len(token) > 2 else token
        assert len(part) == len(bare)
        assert UNSEEN in bare or bare == part.replace("’", "'")


@pytest.mark.parametrize("text", ODD)
def test_all_that_can_be_seen_is_in_some_token(tokenizer, text):
    covered = "".join(part for _, part in read(tokenizer, text))
    letters = re.sub(r"<br />|\W", "", text)
    assert re.sub(r"\W", "", covered) == letters


def test_random_texts_have_no_unknown_token(tokenizer):
    numbers = random.Random(0)
    for _ in range(300):
        codes = (numbers.choice([range(32, 127), range(160, 0x2FFF), range(0x1F000, 0x1FAFF)]) for _ in range(15))
        text = "".join(chr(numbers.choice(code)) for code in codes)
        ids = tokenizer(text)["input_ids"]
        assert tokenizer.unk_token_id not in ids, text
        if any(map(str.isalpha, text)):
            assert ids


def test_only_its_own_name_gives_a_special_token(tokenizer):
    assert tokenizer.tokenize("a[MASK]a") == ["a", "[MASK]", "a"]


def test_each_token_spells_on_the_word_of_the_one_before(tokenizer):
    for text in ODD:
        encoded = tokenizer(text)
        before = None
        for token, word in zip(tokenizer.convert_ids_to_tokens(encoded["input_ids"]), encoded.word_ids()):
            assert (len(token) > 2 and token.startswith("##")) == (word == before), (text, token)
            before = word


def test_it_is_the_same_when_it_is_loaded_again(tokenizer, tmp_path):
    tokenizer.save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    for text in (*ODD, *TEXTS, "Mr. Smith doesn't"):
        assert read(loaded, text) == read(tokenizer, text)
        assert loaded.decode(loaded(text)["input_ids"]) == tokenizer.decode(tokenizer(text)["input_ids"])
    assert loaded.get_vocab() == tokenizer.get_vocab()
    assert is_open(loaded)
    assert WordEncoder(loaded)(["Mr.", "Zoë"]) == WordEncoder(tokenizer)(["Mr.", "Zoë"])


@pytest.mark.parametrize("kind", ["words", "texts"])
def test_training_is_deterministic(kind):
    assert trained(kind).backend_tokenizer.to_str() == trained(kind).backend_tokenizer.to_str()


# Texts


def test_frequent_words_are_tokens_and_others_are_spelt():
    tokenizer = train_tokenizer(["tea tea at it", "ate"], kind="open")
    assert read(tokenizer, "Tea eat at") == [
        ("tea", "Tea"),
        ("e", "e"),
        ("##a", "a"),
        ("##t", "t"),
        *(("a", "a"), ("##t", "t")),
    ]
    assert tokenizer.decode(tokenizer("tea eat")["input_ids"]) == "tea eat"


def test_letters_that_were_not_seen_belong_to_their_word():
    tokenizer = train_tokenizer(["tea at 'it' — !"] * 2, kind="open")
    assert read(tokenizer, "Xté!") == [(UNSEEN, "X"), ("##t", "t"), (f"##{UNSEEN}", "é"), ("!", "!")]
    assert words(tokenizer, "ażuré—tea e\u0301té ti\u200cté") == ["ażuré", "—", "tea", "e\u0301té", "ti\u200cté"]


def test_marks_that_were_not_seen_are_words_of_their_own():
    tokenizer = train_tokenizer(["tea at 'it'"] * 2, kind="open")
    assert words(tokenizer, "tea—at, it!! 😀") == ["tea", "—", "at", ",", "it", "!", "!", "😀"]
    assert read(tokenizer, "at—") == [("at", "at"), (UNSEEN, "—")]


def test_what_nobody_sees_is_no_token():
    tokenizer = train_tokenizer(["tea at ❤"] * 2, kind="open")
    assert words(tokenizer, "tea\u200bat \ufeff\x00 ❤\ufe0f at") == ["tea", "at", "❤", "at"]
    assert words(tokenizer, "👍\ufe0f\u200d tea") == ["👍", "tea"]


@pytest.mark.parametrize("lowercase", [True, False])
def test_lower_case(lowercase):
    tokenizer = train_tokenizer(["Tea Tea tea"] * 2, kind="open", lowercase=lowercase)
    assert ("Tea" in tokenizer.get_vocab()) != lowercase
    assert tokenizer.tokenize("Tea") == (["tea"] if lowercase else ["Tea"])


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        ([], "There is no text to train a tokenizer on"),
        (["", " "], "There is no text to train a tokenizer on"),
        (["a b c"], r"no word or character that occurs at least 2 times \(min_frequency\)"),
    ],
)
def test_nothing_to_learn_from(texts, told):
    with pytest.raises(ValueError, match=told):
        train_tokenizer(texts, kind="open")


def test_the_room_for_words():
    with pytest.raises(
        ValueError, match=r"^vocab_size=12 has no room for the 4 characters of the texts: make it more than 13"
    ):
        train_tokenizer(["abc"], kind="open", vocab_size=12, min_frequency=1)
    assert len(train_tokenizer(["abc"], kind="open", vocab_size=13, min_frequency=1)) == 13
    tokenizer = train_tokenizer(["abc ab ab"], kind="open", vocab_size=14, min_frequency=1)
    assert len(tokenizer) == 14
    assert tokenizer.tokenize("ab abc") == ["ab", "a", "##b", "##c"]


# The parts of which they are made


def bare(counts, vocab_size=99, min_frequency=1):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence([])
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    open_vocabulary(tokenizer, counts, vocab_size, min_frequency)
    return tokenizer


def test_the_order_of_an_open_vocabulary():
    vocabulary = bare({"ba": 2, "ab": 2, "c": 3, "abc": 5}).get_vocab()
    symbols = [form for character in ("a", "b", "c", UNSEEN) for form in (character, f"##{character}")]
    assert sorted(vocabulary, key=vocabulary.get) == [*SPECIAL_TOKENS, *symbols, "abc", "ab", "ba"]


def test_rare_words_and_characters_are_left_out():
    vocabulary = bare({"ab": 1, "a": 1}, min_frequency=2).get_vocab()
    assert "a" in vocabulary
    assert not {"b", "##b", "ab"} & set(vocabulary)


def test_words_that_look_like_other_tokens_are_spelt():
    tokenizer = bare({"##a": 5, "[UNK]": 5, "a": 1})
    assert tokenizer.encode("##ab").tokens[0] == "#"
    assert tokenizer.get_vocab_size() == len(SPECIAL_TOKENS) + 2 * len({*"##a[UNK]", UNSEEN})


@pytest.mark.parametrize("character", [*r"""^-]\[&~|.*+?(){}$#"'""", "\u2028", "·"])
def test_any_character_may_be_known(character):
    tokenizer = bare({f"a{character}b": 1, "z": 1})
    assert tokenizer.normalizer.normalize_str(f"a{character}b") == f"a{character}b"
    assert tokenizer.normalizer.normalize_str("axbqz") == f"a{UNSEEN}b{UNSEEN}z"


def test_a_finished_tokenizer_has_its_special_tokens():
    tokenizer = bare({"tea": 1})
    finished = finished_tokenizer(tokenizer, "open", 77)
    assert (finished.pad_token_id, finished.unk_token_id, finished.sep_token_id) == (0, 1, 3)
    assert finished.model_max_length == 77
    assert finished.tokenize("tea[MASK]") == ["tea", "[MASK]"]
    assert finished.decode(finished("tea eat")["input_ids"]) == "tea eat"
    assert len(finished("tea", "tea")["input_ids"]) == 3


def test_what_every_text_becomes():
    assert text_normalizer(False).normalize_str("Don’t<BR />İ") == "Don't İ"
    assert text_normalizer(True).normalize_str("Don’t<br>İA") == "don't ia"


# Given words


def test_texts_are_cut_as_the_words_were():
    tokenizer = train_word_tokenizer(SENTENCES)
    assert words(tokenizer, "Mr. Smith doesn't left-at :-) films.") == [
        *("Mr.", "Smith", "does", "n't", "left-at", ":-)", "films", ".")
    ]
    assert tokenizer.tokenize("Mr. does") == ["Mr.", "does"]


def test_case_is_kept_unless_it_is_not_wanted():
    tokenizer = train_word_tokenizer([["Tea"]] * 2)
    assert tokenizer.tokenize("Tea") == ["Tea"]
    assert tokenizer.model_max_length == 512
    tokenizer = train_word_tokenizer([["Tea"], ["TEA"]], lowercase=True, model_max_length=9)
    assert tokenizer.tokenize("tEA") == ["tea"]
    assert tokenizer.model_max_length == 9


def test_curly_apostrophes_are_straight_ones():
    tokenizer = train_word_tokenizer([["do", "n’t"]] * 2)
    assert tokenizer.tokenize("don't don’t") == ["do", "n't", "do", "n't"]


@pytest.mark.parametrize("sentences", [[], [[]], [["", " "], []]])
def test_no_word_to_learn_from(sentences):
    with pytest.raises(ValueError, match=r"^There is no word to train a tokenizer on: all sentences are empty"):
        train_word_tokenizer(sentences)


def test_no_room_for_the_characters():
    with pytest.raises(ValueError, match=r"^vocab_size=9 has no room for the 4 characters of the texts"):
        train_word_tokenizer([["abc"]] * 2, vocab_size=9)


def test_words_that_are_cut_in_texts_are_told(caplog):
    train_word_tokenizer([["a"] * 9 + ["x+y"]] * 2)
    assert not caplog.messages
    train_word_tokenizer([["a"] * 8 + ["x+y"]] * 2)
    assert caplog.messages == [
        "Of the words that are given, 11 % are cut where they stand in a text: what is given as a list of words is "
        "tagged as it is, and a text less well."
    ]


def test_very_long_words_are_spelt():
    tokenizer = train_word_tokenizer([["ab"]] * 2)
    assert len(tokenizer.tokenize("ba" * 500)) == 1000


# How tokens are spelt


def spelt(tokenizer, longest=4):
    tables = spelling_tables(tokenizer, longest)
    letters = ["", *tables.alphabet]
    tokens = tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
    return {token: "".join(letters[number] for number in row) for token, row in zip(tokens, tables.characters)}


def roles(tokenizer):
    tokens = tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
    return dict(zip(tokens, spelling_tables(tokenizer, 4).roles.tolist()))


def test_the_characters_of_tokens():
    tokenizer = train_word_tokenizer([["Tea", "at", "#"]] * 2)
    found = spelt(tokenizer)
    assert {token: found[token] for token in ("Tea", "a", "##a", "#", "###", "[PAD]", "[UNK]")} == {
        "Tea": "Tea",
        "a": "a",
        "##a": "a",
        "#": "#",
        "###": "#",
        "[PAD]": "",
        "[UNK]": "",
    }
    assert spelt(tokenizer, 2)["Tea"] == "Te"
    assert spelling_tables(tokenizer, 7).characters.shape == (len(tokenizer), 7)


def test_the_kinds_and_lower_cases_of_characters():
    tables = spelling_tables(train_word_tokenizer([["Tea", "Ǆ", "ǅ", "İ", "1", "中", "-"]] * 2), 4)
    kinds = dict(zip(tables.alphabet, tables.kinds[1:].tolist()))
    assert kinds == {
        "T": UPPER,
        "t": LOWER,
        "e": LOWER,
        "a": LOWER,
        "Ǆ": UPPER,
        "ǅ": UPPER,
        "ǆ": LOWER,
        "İ": UPPER,
        "1": DIGIT,
        "中": LOWER,
        "-": OTHER,
        UNSEEN: OTHER,
    }
    lower = {character: tables.alphabet[number - 1] for character, number in zip(tables.alphabet, tables.lower[1:])}
    assert {character for character in lower if lower[character] != character} == {"T", "Ǆ", "ǅ"}
    assert (lower["T"], lower["Ǆ"], lower["ǅ"]) == ("t", "ǆ", "ǆ")
    assert tables.kinds[0] == tables.lower[0] == 0
    assert [table.dtype for table in tables[:4]] == [np.int32, np.int8, np.int8, np.int32]


def test_the_roles_of_an_open_vocabulary():
    found = roles(train_word_tokenizer([["Tea", "#"]] * 2))
    expected = {"[PAD]": SPECIAL, "[MASK]": SPECIAL, "[UNK]": WORD, "Tea": WORD, "T": WORD, "##T": SPELLS, "#": WORD}
    assert {token: found[token] for token in expected} == expected
    assert found["###"] == SPELLS


@pytest.mark.parametrize("mark", ["▁", "Ġ"])
def test_letters_that_are_marks_elsewhere_are_letters_here(mark):
    tokenizer = train_word_tokenizer([[f"{mark}or", "Tea"]] * 2)
    assert (roles(tokenizer)["Tea"], roles(tokenizer)[f"{mark}or"]) == (WORD, WORD)
    assert spelt(tokenizer)[f"{mark}or"] == f"{mark}or"


def test_the_roles_of_other_vocabularies():
    texts = ["walk walks walked talk talks talked walking talking"] * 3
    pieces = roles(train_tokenizer(texts, kind="bpe", vocab_size=30))
    assert pieces["walk"] == WORD and pieces["##s"] == PIECE
    unigram = train_tokenizer(texts, kind="unigram", vocab_size=30)
    assert roles(unigram)["▁talk"] == WORD and roles(unigram)["s"] == PIECE
    assert spelt(unigram)["▁talk"] == "talk"
    assert set(roles(train_tokenizer(texts, kind="word")).values()) == {SPECIAL, WORD}


def test_which_tokenizers_spell():
    assert is_open(train_tokenizer(TEXTS, kind="open"))
    assert not any(
        is_open(train_tokenizer(TEXTS, kind=kind)) for kind in ("word", "wordpiece", "bpe", "unigram", "char")
    )

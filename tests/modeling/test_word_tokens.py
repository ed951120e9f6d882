from __future__ import annotations

import random
from itertools import pairwise

import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizer, PreTrainedTokenizerFast

from hfattnlstm.data.tokenization import KINDS, train_tokenizer
from hfattnlstm.data.word_splitting import split_words
from hfattnlstm.data.word_tokenizer import train_word_tokenizer
from hfattnlstm.modeling.word_tokens import Window, WordEncoder, marks_beginnings, sentences_of, windows_of


SENTENCES = [["New", "York", "is", "n't", "well-known", "#", "a", "##b", "###"]] * 2


def tokens_of(tokenizer, words, **options):
    return [tokenizer.convert_ids_to_tokens(ids) for ids in WordEncoder(tokenizer, **options)(words)]


def word_level(*words, **options):
    backend = Tokenizer(models.WordLevel({word: number for number, word in enumerate(["[UNK]", *words])}, "[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.Punctuation()
    backend.normalizer = normalizers.Lowercase()
    return PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="[UNK]", **options)


# The ids of words


def test_given_words_stay_whole():
    tokenizer = train_word_tokenizer(SENTENCES)
    assert tokens_of(tokenizer, ["New", "well-known", "n't"]) == [["New"], ["well-known"], ["n't"]]
    assert tokens_of(tokenizer, ["known-well"]) == [["k", *(f"##{letter}" for letter in "nown-well")]]
    assert tokens_of(tokenizer, ["a#b"]) == [["a", "###", "##b"]]


@pytest.mark.parametrize("kind", KINDS)
def test_a_word_has_the_ids_that_it_has_in_a_text(kind):
    tokenizer = train_tokenizer(["The films walk and talk, walked and talked."] * 3, kind=kind)
    words = ["walk", "Talk", "films", "wander", ",", "talking"]
    assert WordEncoder(tokenizer)(words) == [tokenizer(word)["input_ids"] for word in words]


@pytest.mark.parametrize("word", ["New York", "York\tNew", " New\u00a0is ", "xy z"])
def test_words_with_white_space(word):
    found = tokens_of(train_word_tokenizer(SENTENCES), [word])[0]
    assert found == train_word_tokenizer(SENTENCES).tokenize(word)
    assert "[UNK]" not in found


def test_white_space_of_words_that_were_seen_so():
    tokenizer = train_word_tokenizer([["New York", "is"]] * 2)
    assert tokens_of(tokenizer, ["New York"]) == [["New York"]]
    assert "[UNK]" not in tokens_of(tokenizer, ["York New"])[0]


@pytest.mark.parametrize("word", ["", " ", "\u200b", "\u2028", "\ufe0f", "<br />"])
def test_words_without_characters_are_unknown(word):
    tokenizer = train_word_tokenizer(SENTENCES)
    assert tokens_of(tokenizer, [word, "New"]) == [["[UNK]"], ["New"]]


@pytest.mark.parametrize(("word", "expected"), [("###", "# # #"), ("##b", "# # b"), ("##", "# #"), ("#", "#")])
def test_words_that_look_like_the_inside_of_others(word, expected):
    found = tokens_of(train_word_tokenizer(SENTENCES), [word])[0]
    assert found[0] == "#"
    assert " ".join(token.removeprefix("##") or token for token in found) == expected


def test_marks_that_were_not_seen():
    tokenizer = train_word_tokenizer(SENTENCES)
    assert tokens_of(tokenizer, ["😀", "a—b", "é"]) == [["�"], ["a", "�", "b"], ["�"]]


def test_pieces_of_a_word_may_be_known_where_the_whole_is_not():
    tokenizer = word_level("and", "or", "/")
    assert tokens_of(tokenizer, ["AND", "and/or", "nor"], max_length=8) == [["and"], ["and", "/", "or"], ["[UNK]"]]


def test_a_word_is_looked_up_in_its_normal_form():
    assert tokens_of(word_level("and", "/", "or", "and/or"), ["AND/or"], max_length=8) == [["and/or"]]


def test_very_long_words_are_cut():
    tokenizer = train_word_tokenizer([["ab"]] * 2)
    assert [len(ids) for ids in WordEncoder(tokenizer, 8)(["ab", "ba" * 99])] == [1, 8]


def test_the_same_for_words_that_were_seen_before():
    encoder = WordEncoder(train_word_tokenizer(SENTENCES))
    assert encoder(["Newer", "Newer"]) == [encoder(["Newer"])[0]] * 2
    assert encoder([]) == []


def test_truncation_and_padding_of_the_tokenizer_change_nothing():
    tokenizer = train_word_tokenizer(SENTENCES)
    expected = WordEncoder(tokenizer)(["New York isn't"])
    tokenizer("New", padding="max_length", truncation=True, max_length=2)
    assert tokenizer.backend_tokenizer.padding is not None
    assert WordEncoder(tokenizer)(["New York isn't"]) == expected
    assert tokenizer.backend_tokenizer.padding is not None


def test_the_length_of_a_window():
    tokenizer = train_word_tokenizer(SENTENCES, model_max_length=99)
    assert WordEncoder(tokenizer).max_length == 99
    assert WordEncoder(tokenizer, 8).max_length == 8
    assert WordEncoder(word_level("a")).max_length == 1_000_000
    with pytest.raises(ValueError, match=r"^max_length=7 leaves no room for words: give 8 or more\.$"):
        WordEncoder(tokenizer, 7)
    tokenizer.model_max_length = 2
    with pytest.raises(ValueError, match=r"^max_length=2 leaves no room"):
        WordEncoder(tokenizer)


def test_slow_tokenizers_are_refused():
    class Slow(PreTrainedTokenizer):
        vocab_size = 0

        def get_vocab(self):
            return {}

    with pytest.raises(TypeError, match=r"^Slow is not a fast tokenizer: load one with AutoTokenizer"):
        WordEncoder(Slow())


def test_which_tokens_mark_beginnings():
    assert [kind for kind in KINDS if marks_beginnings(train_tokenizer(["walk walks"] * 3, kind=kind))] == ["unigram"]
    backend = Tokenizer(models.BPE())
    assert marks_beginnings(PreTrainedTokenizerFast(tokenizer_object=backend))


# Windows


def kept_words(windows):
    return [place for window in windows for place in range(*window.kept)]


@pytest.mark.parametrize("seed", range(30))
def test_windows_keep_every_word_once(seed):
    numbers = random.Random(seed)
    room = numbers.randint(8, 20)
    lengths = [numbers.choice([1, 1, 1, 2, 3, numbers.randint(1, room)]) for _ in range(numbers.randint(1, 60))]
    ids = [[place] * length for place, length in enumerate(lengths)]
    windows = windows_of(ids, room)
    assert kept_words(windows) == list(range(len(ids)))
    for window in windows:
        count = len(window.starts)
        assert window.input_ids == [token for each in ids[window.first : window.first + count] for token in each]
        assert len(window.input_ids) <= room
        assert [window.input_ids[start] for start in window.starts] == list(range(window.first, window.first + count))
        assert window.first <= window.kept[0] < window.kept[1] <= window.first + count


def test_a_sentence_that_fits_is_one_window():
    assert windows_of([[7], [8, 9], [5]], 4) == [Window([7, 8, 9, 5], 0, [0, 1, 3], (0, 3))]
    assert WordEncoder(word_level("a", "b"), 8).windows(["b", "a"]) == [Window([2, 1], 0, [0, 1], (0, 2))]


def test_windows_share_a_quarter_and_keep_what_stands_further_inside():
    windows = windows_of([[place] for place in range(20)], 8)
    assert [(window.first, len(window.starts)) for window in windows] == [(0, 8), (6, 8), (12, 8)]
    assert [window.kept for window in windows] == [(0, 7), (7, 13), (13, 20)]


def test_a_long_word_has_room_in_the_next_window():
    lengths = [1] * 8 + [8] + [1] * 2
    windows = windows_of([[0] * length for length in lengths], 8)
    assert [(window.first, len(window.starts)) for window in windows] == [(0, 8), (8, 1), (9, 2)]


def test_neighbours_overlap_where_words_are_short():
    windows = windows_of([[place] for place in range(100)], 16)
    for before, after in pairwise(windows):
        assert before.first + len(before.starts) - after.first == 4


# Sentences of a text


def sentences(text):
    spans = split_words(text)
    return [text[spans[first][0] : spans[last - 1][1]] for first, last in sentences_of(text, spans)]


@pytest.mark.parametrize(
    "parts",
    [
        ["It is late.", "Go!"],
        ["Is it?!", "Yes..."],
        ['He said: "Go!"', "So he went.", "(He did.)", "Then"],
        ["No end\n", "New line"],
        ["First.\n\n", "Second"],
        ["First.", '" Second'],
        ["Costs 3.5 dollars.", "Is 1.2.3 a version?"],
        ["(He did (so).)) ", "Then"],
        ["The Acme Inc.'s profit."],
        ["Wait…", "what"],
        ["Dr. John V. Smith met J. K. Rowling.", "He left Mt. Pleasant."],
        ["It cost approx. five dollars.", "Really?", "yes."],
        ["So did I .", "He left."],
        ["One"],
    ],
)
def test_sentences_end_with_marks_before_white_space(parts):
    assert sentences(" ".join(parts)) == [part.strip() for part in parts]


def test_chinese_sentences_need_no_white_space():
    expected = ["这很好。", "我喜欢！", "「好。」", "是吗？！", "a.b。", "c"]
    assert sentences("".join(expected)) == expected


def test_a_point_inside_of_what_has_no_white_space_ends_nothing():
    assert sentences("see a.b.c now") == ["see a.b.c now"]
    assert sentences("Go!now") == ["Go!now"]


def test_a_point_of_an_abbreviation_ends_nothing():
    text = "Mr. X came. He left."
    spans = [(0, 3), (4, 5), (6, 10), (10, 11), (12, 14), (15, 19), (19, 20)]
    assert sentences_of(text, spans) == [(0, 4), (4, 7)]


def test_a_text_without_words_has_no_sentences():
    assert sentences_of("  ", []) == []


def test_sentences_take_every_word_once():
    numbers = random.Random(0)
    for _ in range(100):
        text = "".join(numbers.choices(["a", "b ", ". ", ".", "\n", "。", '"', "! ", " "], k=30))
        spans = split_words(text)
        found = sentences_of(text, spans)
        assert [place for first, last in found for place in range(first, last)] == list(range(len(spans)))

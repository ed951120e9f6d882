from __future__ import annotations

import functools
import random

import pytest
import regex

from hfattnlstm.data.word_splitting import count_words, split_words, whole_share, word_pattern, word_splitter


ENGLISH = {"do": 9, "n't": 9, "'s": 5, "well-known": 3, "Mr.": 3, "U.S.": 2, ":-)": 4, ":)": 5, "and/or": 2, "-": 1}
CHINESE = {"中国": 5, "人": 1, "很": 1}
VOCABULARIES = {
    "none": {},
    "english": ENGLISH,
    "chinese": CHINESE,
    "hyphens": {"a-b": 2, "a.b": 2, "a_b": 2, "a&b": 2},
}


@functools.cache
def engines(words):
    return word_splitter(dict(words)), regex.compile(word_pattern(dict(words)))


def cut(text, words=None):
    splitter, pattern = engines(tuple((words or {}).items()))
    pieces = [text[start:end] for _, (start, end) in splitter.pre_tokenize_str(text)]
    assert pieces == [match.group() for match in pattern.finditer(text)]
    return pieces


def test_without_words_letters_and_marks_are_cut():
    text = "In Paris (France), it's 3.5 km--so far!!!"
    expected = ["In", "Paris", "(", "France", ")", ",", "it's", "3.5", "km", "--", "so", "far", "!!!"]
    assert [text[start:end] for start, end in split_words(text)] == expected
    assert cut(text) == expected


@pytest.mark.parametrize(
    ("text", "words", "expected"),
    [
        ("a well-known one", {}, ["a", "well", "-", "known", "one"]),
        ("a well-known one", ENGLISH, ["a", "well-known", "one"]),
        ("co-op: -a- b--c", {"well-known": 1}, ["co-op", ":", "-", "a", "-", "b--c"]),
        ("well-known", {"well-known": 2, "-": 2}, ["well", "-", "known"]),
        ("1-2 a-b", {"1-2": 5, "x": 1}, ["1", "-", "2", "a", "-", "b"]),
        ("a.b a,b a_b R&D @x", {"a.b": 1, "R&D": 1}, ["a.b", "a", ",", "b", "a", "_", "b", "R&D", "@", "x"]),
        ("x-y", {".-a": 1}, ["x", "-", "y"]),
        ("x-y", {"a-.": 1}, ["x", "-", "y"]),
        ("x/y x-y", {"a-b": 1, "a/b": 1, "a.b": 1, "a:b": 1, "a,b": 1, "a_b": 1, "a@b": 1, "a*b": 1}, ["x/y", "x-y"]),
    ],
)
def test_what_stands_inside_of_words(text, words, expected):
    assert cut(text, words) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("don't", ["do", "n't"]),
        ("DON'T", ["DO", "N'T"]),
        ("doesn’t it’s", ["does", "n’t", "it", "’s"]),
        ("we're I'll I'd I'm I've", ["we", "'re", "I", "'ll", "I", "'d", "I", "'m", "I", "'ve"]),
        ("mother-in-law's", ["mother-in-law", "'s"]),
        ("o'clock n'tx ain'ts", ["o'clock", "n'tx", "ain'ts"]),
        ("dogs' 'tis", ["dogs", "'", "'", "tis"]),
    ],
)
def test_english_verbs_are_cut_where_they_were(text, expected):
    assert cut(text, ENGLISH) == expected


@pytest.mark.parametrize("word", ["n't", "'s", "'m"])
def test_one_part_of_a_verb_is_enough(word):
    assert cut("don't it's", {word: 1}) == ["do", "n't", "it", "'s"]


def test_verbs_stay_whole_where_they_were_given_so():
    assert cut("don't it's", {"don't": 3}) == ["don't", "it's"]


def test_abbreviations_keep_their_points():
    assert cut("Mr. X. in the U.S. or e.g. U.K.", ENGLISH) == [
        *("Mr.", "X", ".", "in", "the", "U.S.", "or", "e.g.", "U.K.")
    ]
    assert cut("Mr. X", {"Mr.": 1}) == ["Mr", ".", "X"]
    assert cut("SMr. Mr.x", ENGLISH) == ["SMr", ".", "Mr", ".", "x"]


def test_an_abbreviation_of_a_longer_one():
    assert cut("approx. app.", {"app.": 5, "approx.": 2}) == ["approx.", "app."]


def test_smileys_that_were_seen_are_words():
    assert cut("good:-) :) :(( :-/", ENGLISH) == ["good", ":", "-", ")", ":)", ":", "((", ":", "-", "/"]
    assert cut("good :-)", ENGLISH) == ["good", ":-)"]
    assert cut(":-)", {":-)": 1}) == [":", "-", ")"]


@pytest.mark.parametrize(
    "word",
    [
        "https://a.b/c?d=e&f",
        "http://x.org/",
        "ftp://a_b",
        "a.b-c+d@x-y.co.uk",
        "1,000.50",
        "12:30",
        "1/2/2020",
        "U.S.A.",
        "😀😀",
        "...",
        "e\u0301te\u0301",
        "می\u200cخواهم",
        "co\u00adop",
        "caf\ufffd",
    ],
)
def test_what_is_one_word_without_being_given(word):
    assert cut(f"x {word} y") == ["x", word, "y"]


def test_an_address_ends_before_its_mark():
    assert cut("(see http://a.b/c).") == ["(", "see", "http://a.b/c", ")", "."]


def test_signs_of_numbers():
    assert cut("+1.5 -2.5") == ["+", "1.5", "-", "2.5"]
    assert cut("+1.5 -2.5", {"a-b": 1}) == ["+1.5", "-2.5"]


def test_chinese_characters_are_words_where_they_were():
    text = "我爱中国film。"
    assert cut(text) == ["我", "爱", "中", "国", "film", "。"]
    assert cut(text, {"中": 1, "人民": 1}) == ["我", "爱", "中", "国", "film", "。"]
    assert cut(text, CHINESE) == ["我爱中国film", "。"]


def test_number_signs_stand_alone():
    assert cut("### #tag ##", {"##:": 5, "#:": 5}) == ["#", "#", "#", "#", "tag", "#", "#"]
    assert cut("##: #:", {"##:": 5}) == ["#", "#", ":", "#", ":"]


def test_what_nobody_sees_is_no_word():
    assert cut("a\u200bb \ufeff\x00\u2028c\u00a0d") == ["a", "b", "c", "d"]
    assert cut("") == cut(" \n") == []


@pytest.mark.parametrize("words", VOCABULARIES.values(), ids=VOCABULARIES)
def test_both_engines_cut_the_same(words):
    numbers = random.Random(0)
    parts = [
        *"aB09 .,:;'’\"-/_&@*#!?()[]^|\\$%+\n\t",
        *(
            "é",
            "ß",
            "ſ",
            "ǅ",
            "Σ",
            "ς",
            "中国",
            "한",
            "ไท",
            "یا",
            "١",
            "²",
            "½",
            "İ",
            "K",
            "ﬆ",
            "\u0301",
            "\ufffd",
            "…",
        ),
        *(
            "\u00ad",
            "\u200c",
            "\u200b",
            "\x1c",
            "\x85",
            "\u3000",
            "😀",
            "🏽",
            "🇩🇪",
            "❤\ufe0f",
            "N'T",
            "'s",
            "Mr.",
            ":-)",
        ),
        *("http://x.y", "a@b.c", "U.S."),
    ]
    for _ in range(200):
        cut("".join(numbers.choices(parts, k=numbers.randint(1, 12))), words)


@pytest.mark.parametrize("words", VOCABULARIES.values(), ids=VOCABULARIES)
def test_nothing_that_is_seen_is_left_out(words):
    text = "Mr. O'Neil-Ito (b. 1980) paid $5.00 — 中国 :-) 50% #a ©®\ufffd"
    assert "".join(cut(text, words)) == text.replace(" ", "")


def test_the_pattern_does_not_depend_on_the_order_of_the_words():
    assert word_pattern(dict(reversed(ENGLISH.items()))) == word_pattern(ENGLISH)


def test_only_the_most_frequent_abbreviations_are_known():
    letters = [chr(97 + number // 26) + chr(97 + number % 26) for number in range(301)]
    words = {f"{word}.": 2 for word in letters} | {"zz.": 9}
    assert cut("zz. aa. lo.", words) == ["zz.", "aa.", "lo", "."]


def test_the_share_of_words_that_stay_whole():
    words = {"Paris": 3, "and/or": 1, "New York": 1}
    assert whole_share(word_splitter({}), words) == 0.6
    assert whole_share(word_splitter(words), words) == pytest.approx(0.8)
    assert whole_share(word_splitter({}), {}) == 0.0


def test_words_are_counted():
    assert count_words([["a", "b"], [], ("a",)]) == {"a": 2, "b": 1}

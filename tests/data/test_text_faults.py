"""Faults of single texts, and texts that are there more than once."""

from __future__ import annotations

import pytest

from hfattnlstm.data.text_faults import Faulty, find_duplicates, find_faults, normalised, words_that_tell


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (" \t", "empty"),
        ("Das CafÃ© war gut", "mojibake"),
        ("It wasnâ€™t good", "mojibake"),
        ("a \ufffd in it", "mojibake"),
        ("good<br />bad", "html"),
        ("Tom &amp; Jerry", "html"),
        (" https://example.org/a?b=c ", "url_only"),
    ],
)
def test_each_fault_is_found_in_its_row(text: str, fault: str) -> None:
    assert find_faults(["good", text, text]) == {fault: Faulty(2, 2)}


@pytest.mark.parametrize("text", ["Ça va, São Paulo, naïve, Ångström", "a < b > c", "AT&T", "see https://a.org there"])
def test_what_is_well_is_left_alone(text: str) -> None:
    assert find_faults([text]) == {}


def test_duplicates_are_those_up_to_case_and_punctuation() -> None:
    texts = ["Good film!", "good  film", "Bad film", "GOOD FILM.", "!!", "??"]
    found = find_duplicates([normalised(text) for text in texts], [1, 0, 0, 1, 1, 1])
    assert (found.count, found.contradicting, found.example) == (2, 1, (1, 2))


@pytest.mark.parametrize(
    ("text", "other"),
    [("Great, food!", "great food"), ("It is (fine)…", "it is  fine"), ("很好吃。", "很好吃"), ("at 5.", "At 5")],
)
def test_texts_that_are_the_same_but_for_their_spelling(text: str, other: str) -> None:
    assert normalised(text) == normalised(other)


@pytest.mark.parametrize(
    ("text", "other"),
    [("की", "का"), ("ดี 1", "ดู 1"), ("day 😀", "day 😡"), ("is 1.5", "is 15"), ("2-1", "21"), ("-5 up", "5 up")],
)
def test_texts_of_another_meaning_are_no_duplicates(text: str, other: str) -> None:
    assert normalised(text) != normalised(other)


def test_a_name_that_gives_the_class_away() -> None:
    texts = [f"{name} story {number}" for number in range(10) for name in ("sport", "art")]
    assert words_that_tell(texts, [0, 1] * 10, ["sport", "art"]) == ["sport", "art"]
    # A word that the others have, too, or that stands in few of them, tells nothing.
    assert words_that_tell([f"{text} sport" for text in texts], [0, 1] * 10, ["sport", "music"]) == []

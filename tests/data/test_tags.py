from __future__ import annotations

import itertools
import random

import pytest

from data.tagging_helpers import sentence
from hfattnlstm.data.tags import READ_SCHEMES, TaggedSentence, convert_tags, sorted_tags, tags_of_kinds, tags_of_spans
from hfattnlstm.modeling.tag_schemes import SCHEMES, spans_of


SPANS = [(0, 2, "PER"), (2, 3, "PER"), (4, 7, "LOC"), (7, 8, "PER")]
WRITTEN = {
    "bio": ["B-PER", "I-PER", "B-PER", "O", "B-LOC", "I-LOC", "I-LOC", "B-PER"],
    "iob1": ["I-PER", "I-PER", "B-PER", "O", "I-LOC", "I-LOC", "I-LOC", "I-PER"],
    "iobes": ["B-PER", "E-PER", "S-PER", "O", "B-LOC", "I-LOC", "E-LOC", "S-PER"],
}


def random_spans(seed: int) -> tuple[list[tuple[int, int, str]], int]:
    numbers = random.Random(seed)
    spans, place = [], 0
    for _ in range(numbers.randint(0, 5)):
        start = place + numbers.choice([0, 0, 1, 2])
        place = start + numbers.randint(1, 3)
        spans.append((start, place, numbers.choice(["A", "B-C"])))
    return spans, place + numbers.randint(0, 2)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_spans_are_written_in_every_scheme(scheme):
    assert tags_of_spans(reversed(SPANS), 8, scheme) == WRITTEN[scheme]
    assert tags_of_spans([], 2, scheme) == ["O", "O"]


@pytest.mark.parametrize("known", SCHEMES)
@pytest.mark.parametrize("to", SCHEMES)
def test_every_scheme_is_seen_and_brought_to_every_other(known, to):
    for named in (None, known):
        found = sentence(*WRITTEN[known])
        assert convert_tags([found], named, to) == to
        assert found.tags == WRITTEN[to]


@pytest.mark.parametrize("seed", range(20))
def test_there_and_back_gives_the_same_spans(seed):
    spans, length = random_spans(seed)
    for first, second in itertools.product(SCHEMES, SCHEMES):
        found = sentence(*tags_of_spans(spans, length, first))
        convert_tags([found], first, second)
        convert_tags([found], second, first)
        assert found.tags == tags_of_spans(spans, length, first)
        assert spans_of(found.tags) == spans


@pytest.mark.parametrize(
    "tags",
    [
        ["B-PER", "L-PER", "U-LOC", "O"],  # BILOU
        ["B-PER", "E-PER", "W-LOC", "O"],
        ["PER-B", "PER-E", "LOC-S", "O"],
        ["B_PER", "E_PER", "S_LOC", "O"],
        ["PER_B", "PER_I", "LOC_B", "o"],
        ["B-PER", "I-PER", "B-LOC", "_"],
        ["B-PER", "I-PER", "B-LOC", "OTHER"],
    ],
)
def test_other_ways_to_write_them(tags):
    found = sentence(*tags)
    assert convert_tags([found]) == "bio"
    assert found.tags == ["B-PER", "I-PER", "B-LOC", "O"]


def test_bmes_has_its_own_letter_for_inside():
    found = sentence("B-ORG", "M-ORG", "M-ORG", "E-ORG", "S-ORG")
    assert convert_tags([found], to="iobes") == "iobes"
    assert found.tags == ["B-ORG", "I-ORG", "I-ORG", "E-ORG", "S-ORG"]


def test_kinds_keep_their_own_hyphens():
    found, suffixed = sentence("B-GPE-LOC", "I-GPE-LOC"), sentence("GPE-LOC-B", "GPE_LOC_I")
    convert_tags([found])
    assert found.tags == ["B-GPE-LOC", "I-GPE-LOC"]
    with pytest.raises(ValueError, match="'I-GPE_LOC' without a B-GPE_LOC"):
        convert_tags([suffixed])


def test_the_scheme_is_seen_over_all_sentences():
    whole, start = sentence("I-PER", "O"), sentence("I-PER", "B-PER")
    convert_tags([whole, start])
    assert (whole.tags, start.tags) == (["B-PER", "O"], ["B-PER", "B-PER"])
    single, inside = sentence("S-PER"), sentence("B-PER", "E-PER")
    convert_tags([single, inside])
    assert (single.tags, inside.tags) == (["B-PER"], ["B-PER", "I-PER"])


def test_kinds_alone_are_spans_where_there_is_an_o(caplog):
    found = sentence("PER", "PER", "LOC", "O", "PER")
    assert convert_tags([found]) == "bio"
    assert found.tags == ["B-PER", "I-PER", "B-LOC", "O", "B-PER"]
    assert "tagging_scheme='io' says so" in caplog.text


def test_kinds_alone_that_are_named_need_no_warning(caplog):
    found = sentence("PER", "PER")
    assert convert_tags([found], "io", "iobes") == "iobes"
    assert found.tags == ["B-PER", "E-PER"]
    assert not caplog.messages


@pytest.mark.parametrize(
    "tags", [["DET", "NOUN"], ["NOUN"], ["_", "_"], ["NN-HL", "O-X"], ["B-PER", "NOUN"], ["B", "M", "E", "S"], []]
)
def test_tags_that_are_no_spans_stay(tags, caplog):
    found = sentence(*tags)
    assert convert_tags([found]) is None
    assert found.tags == tags
    assert not caplog.messages


@pytest.mark.parametrize("tags", [["O", "O"], ["O", "_"], ["O", "o", "OTHER"]])
def test_tags_that_are_all_outside_are_those_of_spans(tags, caplog):
    found = sentence(*tags)
    assert convert_tags([found]) == "bio"
    assert set(found.tags) == {"O"}
    assert not caplog.messages


@pytest.mark.parametrize("scheme", [None, *READ_SCHEMES])
def test_sentences_without_words_are_of_the_scheme_that_was_named(scheme):
    assert convert_tags([sentence()], scheme, "iobes") == (None if scheme is None else "iobes")


@pytest.mark.parametrize(
    ("tags", "scheme", "told"),
    [
        (["O", "I-PER"], "bio", "'I-PER' without a B-PER before it: mend the tag .*say tagging_scheme='iob1'"),
        (["B-LOC", "I-PER"], "bio", "'I-PER' without a B-PER before it"),
        (["O", "S-PER"], "bio", "'S-PER', which is none of the scheme bio: mend it, or name another tagging_scheme="),
        (["I-PER", "E-PER"], "iob1", "'E-PER', which is none of the scheme iob1"),
        (["O", "E-PER"], "iobes", r"'E-PER' without a B-PER before it: mend the tag\.$"),
        (["B-PER", "O"], "iobes", "'O', but the span of PER before it has not ended with E-PER: mend the tag"),
        (["B-PER", "B-PER"], "iobes", "'B-PER', but the span of PER before it has not ended"),
        (["B-PER", "E-LOC"], "iobes", "'E-LOC' without a B-LOC"),
        (["S-PER", "B-PER"], "iobes", "ends a sentence inside a span of PER: mend the tag, to E-PER"),
        (["O", "NOUN"], "bio", "'NOUN', which is none of tagging_scheme='bio': mend it, or leave tagging_scheme= out"),
    ],
)
def test_what_is_ill_formed_is_told_with_its_line(tags, scheme, told):
    wrong = sentence(*tags, lines=(7, 8))
    with pytest.raises(ValueError, match=rf"^The file a\.conll in line 8 \('w1'\) .*{told}"):
        convert_tags([sentence("O"), wrong], scheme)


def test_without_lines_the_word_is_counted():
    wrong = sentence("B-PER", "O", "I-PER", place="Row 3 of the file a.jsonl")
    with pytest.raises(ValueError, match=r"^Row 3 of the file a\.jsonl, word 3 \('w2'\) has the tag 'I-PER'"):
        convert_tags([wrong])


def test_an_error_in_a_scheme_that_is_seen():
    with pytest.raises(ValueError, match="'I-LOC' without a B-LOC before it"):
        convert_tags([sentence("B-PER", "O"), sentence("I-LOC")])


@pytest.mark.parametrize(
    ("tags", "wrong"),
    [
        (["PER-B", "PER-I", "VERB"], "VERB"),
        (["B-PER", "PER-I"], "PER-I"),
        (["_", "_"], "_"),
    ],
)
def test_the_tag_that_is_none_of_the_scheme_is_named(tags, wrong):
    with pytest.raises(ValueError, match=f"has the tag '{wrong}', which is none of tagging_scheme='bio'"):
        convert_tags([sentence(*tags)], "bio")


def test_unknown_schemes_are_refused():
    with pytest.raises(ValueError, match="tagging_scheme='bilou' is none of bio, iob1, iobes, io: use one of them"):
        convert_tags([sentence("O")], "bilou")
    with pytest.raises(ValueError, match="to_scheme='io' is none of bio, iob1, iobes: use one of them"):
        convert_tags([sentence("O")], to="io")


def test_the_place_of_a_word():
    found = TaggedSentence(["In", "Paris"], ["O", "O"], "Row 2", [4, 5])
    assert found.where(1) == "Row 2 in line 5 ('Paris')"
    found.lines = ()
    assert found.where(1) == "Row 2, word 2 ('Paris')"


def test_tags_are_in_the_order_of_their_kinds_and_prefixes():
    tags = ["S-B", "I-A", "E-B", "B-B", "O", "I-B", "B-A"]
    assert sorted_tags(tags) == ["O", "B-A", "I-A", "B-B", "I-B", "E-B", "S-B"]


def test_tags_that_are_no_spans_are_in_the_order_of_the_alphabet():
    tags = ["SYM", "ADJ", "INTJ", "VERB", "NOUN", "ADV"]
    assert sorted_tags(tags) == sorted(tags)
    assert sorted_tags(["DET", "O"]) == ["O", "DET"]


def test_all_tags_of_a_scheme():
    assert tags_of_kinds(["B", "A"], "bio") == tags_of_kinds({"A", "B"}, "iob1") == ["O", "B-A", "I-A", "B-B", "I-B"]
    assert tags_of_kinds(["A"], "iobes") == ["O", "B-A", "I-A", "E-A", "S-A"]
    assert tags_of_kinds([], "bio") == ["O"]


def test_positions_without_kinds_are_spans_of_one_kind(caplog):
    sentence = TaggedSentence(["the", "big", "model"], ["O", "B", "I"], "Row 1")
    assert convert_tags([sentence]) == "bio"
    assert sentence.tags == ["O", "B-SPAN", "I-SPAN"]

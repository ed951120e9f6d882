from __future__ import annotations

import pytest

from hfattnlstm.data.text_spans import parse_spans, tell_inexact, text_with_spans, words_of_text
from hfattnlstm.data.word_splitting import split_words


TEXT = "In New York, Ann rests."
LOC, PER = (3, 11, "LOC"), (13, 16, "PER")


def tagged(text, spans):
    sentence, inexact = words_of_text(text, spans, split_words, "Row 1")
    return dict(zip(sentence.words, sentence.tags)), inexact


@pytest.mark.parametrize(
    "spans",
    [
        [[3, 11, "LOC"], [13, 16, "PER"]],  # doccano
        [(13, 16, "PER"), (3, 11, "LOC")],
        [{"start": 3, "end": 11, "label": "LOC"}, {"start": 13, "end": 16, "label": "PER", "token_start": 4}],  # spaCy
        [
            {"start_offset": 3, "end_offset": 11, "label": "LOC"},
            {"start_offset": 13, "end_offset": 16, "label": "PER"},
        ],
        [{"start": 3, "end": 11, "entity_group": "LOC"}, {"start": 13, "end": 16, "entity_group": "PER", "score": 1}],
        [{"begin": 3, "stop": 11, "type": " LOC "}, {"start_char": 13, "end_char": 16, "kind": "PER"}],
    ],
)
def test_spans_of_several_tools(spans):
    assert parse_spans(TEXT, spans, "Row 1") == [LOC, PER]


def test_spans_may_touch_and_reach_the_ends():
    assert parse_spans("abcd", [[2, 4, "B"], [0, 2, "A"]], "Row 1") == [(0, 2, "A"), (2, 4, "B")]
    assert parse_spans("", [], "Row 1") == []


@pytest.mark.parametrize(
    "spans", [[[3, 11, "LOC"], [10, 16, "PER"]], [[3, 16, "LOC"], [13, 16, "PER"]], [[3, 11, "LOC"]] * 2]
)
def test_spans_that_overlap(spans):
    told = (
        r"^Row 4 of a has spans that overlap, 'New York.*' \(LOC\) and one of (PER|LOC) from \d+: a word has one tag"
    )
    with pytest.raises(ValueError, match=told):
        parse_spans(TEXT, spans, "Row 4 of a")


@pytest.mark.parametrize(("start", "end"), [(3, 24), (-1, 3), (5, 5), (6, 3), (40, 41)])
def test_spans_outside_of_the_text(start, end):
    told = rf"^Row 4 of a has a span from {start} to {end}, but its text has 23 characters: mend the span\.$"
    with pytest.raises(ValueError, match=told):
        parse_spans(TEXT, [[start, end, "LOC"]], "Row 4 of a")


@pytest.mark.parametrize("kind", ["", "  "])
def test_spans_without_a_kind(kind):
    with pytest.raises(ValueError, match=r"^Row 4 of a has a span from 3 to 11 without a kind: name it"):
        parse_spans(TEXT, [[3, 11, kind]], "Row 4 of a")


@pytest.mark.parametrize(
    "span",
    [
        [3, 11],
        [3, 11, "LOC", 1],
        [3.0, 11, "LOC"],
        [3, True, "LOC"],
        ["3", "11", "LOC"],
        [3, 11, None],
        [3, 11, 7],
        {"start": 3, "end": 11},
        {"start": 3, "label": "LOC"},
        {"from": 3, "end": 11, "label": "LOC"},
        "LOC",
        None,
        3,
    ],
)
def test_what_is_no_span(span):
    with pytest.raises(ValueError, match=r"^Row 4 of a has the span .*: write \[start, end, kind\], with start and"):
        parse_spans(TEXT, [span], "Row 4 of a")


@pytest.mark.parametrize("spans", ["LOC", {"start": 3}, 3])
def test_what_is_no_list_of_spans(spans):
    with pytest.raises(ValueError, match=rf"^Row 4 of a has no list of spans, but {type(spans).__name__}: write \[\["):
        parse_spans(TEXT, spans, "Row 4 of a")


def test_words_with_the_tags_of_spans():
    sentence, inexact = words_of_text(TEXT, [LOC, PER], split_words, "Row 7")
    assert sentence.words == ["In", "New", "York", ",", "Ann", "rests", "."]
    assert sentence.tags == ["O", "B-LOC", "I-LOC", "O", "B-PER", "O", "O"]
    assert (sentence.text, sentence.place, inexact) == (TEXT, "Row 7", 0)
    assert [TEXT[start:end] for start, end in sentence.offsets] == sentence.words


def test_neighbours_of_one_kind_stay_two_spans():
    assert tagged("a b", [(0, 1, "X"), (2, 3, "X")])[0] == {"a": "B-X", "b": "B-X"}


def test_white_space_around_a_span_is_no_fault():
    assert tagged("In Paris now", [(2, 9, "LOC")]) == ({"In": "O", "Paris": "B-LOC", "now": "O"}, 0)


@pytest.mark.parametrize("span", [(3, 7, "LOC"), (4, 8, "LOC"), (4, 7, "LOC"), (2, 4, "LOC")])
def test_a_span_inside_a_word_takes_the_whole(span):
    assert tagged("In Paris now", [span]) == ({"In": "O", "Paris": "B-LOC", "now": "O"}, 1)


def test_a_span_that_ends_inside_the_next_word_takes_both():
    assert tagged("In Paris now", [(3, 10, "LOC")]) == ({"In": "O", "Paris": "B-LOC", "now": "I-LOC"}, 1)


def test_of_two_spans_in_a_word_the_first_is_taken():
    assert tagged("Bonn-Paris now", [(0, 2, "A"), (2, 4, "B"), (5, 10, "C")]) == (
        {"Bonn": "B-A", "-": "O", "Paris": "B-C", "now": "O"},
        2,
    )
    assert tagged("Bonn now", [(0, 2, "A"), (2, 8, "B")]) == ({"Bonn": "B-A", "now": "B-B"}, 2)


def test_a_span_of_white_space_is_counted():
    assert tagged("In  Paris", [(2, 4, "LOC")]) == ({"In": "O", "Paris": "O"}, 1)
    assert tagged("  ", [(0, 1, "LOC")]) == ({}, 1)


def test_spans_that_do_not_fit_words_are_told(caplog):
    tell_inexact(0, 9)
    assert not caplog.messages
    tell_inexact(2, 9)
    assert caplog.messages == ["2 of the 9 spans begin or end inside a word, or hold none: the whole word is taken."]


def label_studio(*spans, **more):
    results = [
        {"type": "labels", "value": {"start": start, "end": end, "labels": [kind]}} for start, end, kind in spans
    ]
    results.append({"type": "choices", "value": {"choices": ["good"]}})
    return {"id": 1, "data": {"text": TEXT, **more}, "annotations": [{"result": results, "was_cancelled": False}]}


def test_rows_of_label_studio():
    row = text_with_spans(label_studio(LOC, PER, url="x"), "Row 1")
    assert row["text"] == TEXT and parse_spans(TEXT, row["spans"], "Row 1") == [LOC, PER]
    named = {"data": {"body": TEXT}, "annotations": [{"was_cancelled": True, "result": []}]}
    assert text_with_spans(named, "Row 1") == {"text": TEXT, "spans": []}
    # In its shorter form, the spans stand beside the text.
    assert parse_spans(TEXT, [{"start": 3, "end": 11, "text": "New York", "labels": ["LOC"]}], "Row 1") == [LOC]


def test_rows_of_label_studio_that_are_not_clear():
    row = label_studio(LOC)
    row["annotations"] *= 2
    with pytest.raises(ValueError, match=r"^Row 4 has 2 annotations: keep that of one person\.$"):
        text_with_spans(row, "Row 4")
    with pytest.raises(ValueError, match=r"^Row 4 has 2 texts in 'data', and none that is called text: leave one\.$"):
        text_with_spans({"data": {"a": "x", "b": "y"}, "annotations": []}, "Row 4")
    with pytest.raises(ValueError, match=r"^Row 4 has the span .*'labels': \['A', 'B'\]"):
        parse_spans(TEXT, [{"start": 3, "end": 11, "labels": ["A", "B"]}], "Row 4")


def test_rows_of_doccano():
    assert text_with_spans({"data": "x", "label": []}, "Row 1")["text"] == "x"
    for row in ({"data": "x", "text": "y"}, {"tokens": ["a"]}):
        assert text_with_spans(row, "Row 1") is row

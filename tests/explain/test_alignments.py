"""Alignments as pictures and pages."""

from __future__ import annotations

import re

import pytest

from hfattnlstm.explain.alignments import MOST_WORDS, alignment_page, plot_alignment


def result(read: list[str], written: list[str], weights: list[list[float]]) -> dict:
    words = [{"text": text, "start": 0, "end": 0, "weights": own} for text, own in zip(written, weights)]
    return {
        "generated_text": " ".join(written),
        "score": -0.1,
        "source": [{"text": text, "start": 0, "end": 0} for text in read],
        "alignment": words,
    }


FOUND = result(["Ein", "Hund"], ["A", "dog", "barks"], [[0.9, 0.05], [0.01, 0.97], [0.3, 0.6]])


def test_a_row_for_each_word_that_was_written():
    pytest.importorskip("matplotlib")
    axes = plot_alignment(FOUND).axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["Ein", "Hund"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["A", "dog", "barks"]
    (image,) = axes.get_images()
    assert image.get_array().tolist() == [[0.9, 0.05], [0.01, 0.97], [0.3, 0.6]]


def test_no_more_than_have_room():
    pytest.importorskip("matplotlib")
    many = result(["x"] * 99, ["y"] * 80, [[0.01] * 99] * 80)
    assert plot_alignment(many).axes[0].get_images()[0].get_array().shape == (MOST_WORDS, MOST_WORDS)
    assert f"The first {MOST_WORDS} words of each side." in alignment_page([many], ["x"], "t")


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (result([], ["a"], [[]]), "no word to draw"),
        (result(["a"], [], []), "no word to draw"),
        ({"generated_text": "a"}, "no alignment"),
    ],
)
def test_what_cannot_be_drawn(found, sentence):
    pytest.importorskip("matplotlib")
    with pytest.raises(ValueError, match=sentence):
        plot_alignment(found)


def test_a_page_has_texts_and_shades():
    page = alignment_page([FOUND], ["Ein Hund"], "animals")
    assert "Ein Hund" in page and "A dog barks" in page and "animals" in page
    assert page.count("<td class=") == 5 and 'class="a9" title="90%"' in page
    assert "<script" not in page and not re.search(r"https?://", page)


def test_texts_are_escaped():
    evil = "<script>alert(1)</script>"
    page = alignment_page([result([evil], [evil], [[1.0]])], [evil], evil)
    assert "<script>" not in page and page.count("&lt;script&gt;") >= 5

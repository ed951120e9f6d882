"""Pieces of explained texts: together they are the text, and no grapheme is split."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import regex

from hfattnlstm.explain import Explanation
from hfattnlstm.explain.segments import segments_of, strength
from hfattnlstm.modeling.text_inputs import EncodedText


def explanation(text: Any, spans: list[tuple[int, int]], weights: list[float], **options: Any) -> Explanation:
    """With a word for each span."""
    words = EncodedText(list(range(len(spans))), spans, list(range(len(spans))), 0, options.pop("parts", ()))
    fields = {"label": "a", "score": 0.9, "target": "a", "target_score": 0.9, "method": "occlusion"}
    fields |= {"faithfulness": None, "characters_left_out": 0}
    return Explanation(text=text, **{**fields, **options}, encoded=words, head_weights=np.array([weights]))


def test_words_and_what_is_between_them_give_the_text_back() -> None:
    text = " A dull,  dull film! "
    pieces = segments_of(explanation(text, [(1, 2), (3, 7), (10, 14), (15, 19)], [0.0, 0.5, -1.0, 0.04]))
    assert "".join(piece.text for piece in pieces) == text
    assert [(piece.text, piece.strength) for piece in pieces if piece.weight is not None] == [
        *(("A", 0), ("dull", 3), ("dull", -5), ("film", 0))
    ]
    assert [piece.text for piece in pieces if piece.weight is None] == [" ", " ", ",  ", " ", "! "]


FAMILY = "👨‍👩‍👧"


@pytest.mark.parametrize("text", [f"so {FAMILY} good", "cafe\u0301s", "🇩🇪🇫🇷", "नमस्ते", "\r\n", "a\u202eb", "각각"])
def test_no_grapheme_is_split_however_the_tokens_lie(text: str) -> None:
    whole = regex.findall(r"\X", text)
    ends = set(np.cumsum([len(part) for part in whole]).tolist())
    single = segments_of(explanation(text, [(i, i + 1) for i in range(len(text))], list(range(len(text)))))
    assert "".join(piece.text for piece in single) == text
    assert set(np.cumsum([len(piece.text) for piece in single]).tolist()) <= ends


def test_of_several_texts_weights_are_against_the_largest_of_all() -> None:
    found = explanation(
        ("good", "bad film"), [(0, 4), (0, 3), (4, 8)], [0.2, 1.0, 0.5], parts=(slice(0, 1), slice(1, 3))
    )
    assert [(piece.text, piece.strength) for piece in segments_of(found, 0)] == [("good", 2)]
    assert [(piece.text, piece.strength) for piece in segments_of(found, 1)] == [("bad", 5), (" ", 0), ("film", 3)]


def test_a_text_without_words_is_one_piece_or_none() -> None:
    assert [piece.text for piece in segments_of(explanation("  ", [], []))] == ["  "]
    assert segments_of(explanation("", [], [])) == []


def test_strengths() -> None:
    assert [strength(weight, 1.0) for weight in (1, 0.8, 0.79, 0.1, 0.09, 0, -0.09, -0.1, -1)] == [
        *(5, 5, 4, 1, 0, 0, 0, -1, -5)
    ]
    assert strength(0.0, 0.0) == 0

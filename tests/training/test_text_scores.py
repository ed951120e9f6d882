"""BLEU, chrF and exact matches are those of sacreBLEU, with what they were computed by."""

from __future__ import annotations

import pytest
import sacrebleu

from hfattnlstm import score_texts
from hfattnlstm.training.text_scores import suitable_tokenizer


WRITTEN = ["the cat sat on the mat", "a Dog barks at the moon tonight", "nothing here is right at all"]
RIGHT = ["the cat sat on the mat", "a dog barks at the moon", "all that is written here is wrong"]


@pytest.mark.parametrize("lowercase", [False, True])
def test_they_are_those_of_sacrebleu(lowercase):
    scores = score_texts(WRITTEN, RIGHT, lowercase=lowercase)
    assert scores.bleu == pytest.approx(sacrebleu.corpus_bleu(WRITTEN, [RIGHT], lowercase=lowercase).score)
    chrf = sacrebleu.corpus_chrf(WRITTEN, [RIGHT]) if not lowercase else None
    assert chrf is None or scores.chrf == pytest.approx(chrf.score)
    assert scores.exact_match == pytest.approx(1 / 3)
    assert f"case:{'lc' if lowercase else 'mixed'}" in scores.signatures["bleu"]
    assert "tok:13a" in scores.signatures["bleu"] and "version:" in scores.signatures["chrf"]


def test_bounds_hold_the_score():
    scores = score_texts(WRITTEN * 20, RIGHT * 20, bounds=True)
    low, high = scores.bleu_bounds
    assert 0 <= low < scores.bleu < high <= 100
    assert scores.metrics().keys() == {"bleu", "chrf", "exact_match", "bleu_low", "bleu_high"}
    assert score_texts(WRITTEN * 20, RIGHT * 20, bounds=True) == scores
    assert "bleu_low" not in score_texts(WRITTEN, RIGHT).metrics()


@pytest.mark.parametrize(
    ("text", "tokenizer"),
    [("A dog barks.", "13a"), ("狗在叫。", "zh"), ("犬がほえている。", "char"), ("สุนัขเห่า", "char"), ("12 + 7", "13a")],
)
def test_texts_are_cut_by_their_script(text, tokenizer):
    assert suitable_tokenizer([text]) == tokenizer
    assert f"tok:{tokenizer}" in score_texts([text], [text]).signatures["bleu"]


def test_composed_letters_are_those_in_parts():
    scores = score_texts(["mal\u00fd k\u016f\u0148 a pes"], ["maly\u0301 ku\u030an\u030c a pes"])
    assert scores.exact_match == 1.0 and scores.bleu == pytest.approx(100)


def test_spaces_make_no_other_text():
    assert score_texts(["a  b "], ["a b"]).exact_match == 1.0


def test_one_reference_for_each():
    with pytest.raises(ValueError, match="There are 2 texts and 1 references"):
        score_texts(["a", "b"], ["a"])
    with pytest.raises(ValueError, match="There are 0 texts"):
        score_texts([], [])

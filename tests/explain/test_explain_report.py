"""Figures over many explanations, and the page that shows them."""

from __future__ import annotations

import random

import pytest
from test_html import measured
from test_segments import explanation

from hfattnlstm.explain import report
from hfattnlstm.explain.report import ExplanationReport


def of_words(*words: tuple[str, float], **options):
    text, spans = "", []
    for word, _ in words:
        spans.append((len(text), len(text) + len(word)))
        text += f"{word} "
    return explanation(text, spans, [weight for _, weight in words], **options)


def test_the_heaviest_words_are_those_above_the_mean_of_all_summed_over_the_texts_of_a_label() -> None:
    found = ExplanationReport("my-model", "occlusion")
    for _ in range(50):
        found.add(of_words(("the", 0.2), ("Dull", 0.6), ("the", 0.2), ("film", 0.1), label="neg", target="neg"))
    found.add(of_words(("awful", 5.0), ("dull", 1.0), label="neg", target="neg"))
    found.add(of_words(("great", 1.0), label="pos", target="pos"))
    heaviest = found.heaviest_words("neg")
    assert [(word.word, word.count) for word in heaviest] == [("dull", 51), ("awful", 1)]
    assert heaviest[0].total == pytest.approx(31.0)
    assert found.heaviest_words("neg", 1) == heaviest[:1] and found.heaviest_words("other") == []
    assert (found.texts, found.labels["neg"]) == (52, 51)


def test_rare_words_are_forgotten_when_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "MOST_WORDS", 10)
    found = ExplanationReport("my-model", "occlusion")
    for index in range(100):
        found.add(of_words(("often", 1.0), (f"rare{index}", 0.1)))
    assert found.heaviest_words("a")[0][:2] == ("often", 100)
    assert len(found._words["a"].totals) <= 20


def test_of_many_texts_few_are_kept_and_each_has_the_same_chance() -> None:
    chosen = [0] * 40
    for seed in range(300):
        found = ExplanationReport("my-model", "occlusion", shown=10, seed=seed)
        for index in range(40):
            found.add(of_words((str(index), 1.0)))
        assert len(found._sample) == 10
        for one in found._sample:
            chosen[int(one.words[0].text)] += 1
    assert min(chosen) > 40 and max(chosen) < 120


def test_the_page_shows_mistakes_by_confidence_and_the_least_faithful() -> None:
    found = ExplanationReport("my-model", "attention", shown=2)
    order = list(range(6))
    random.Random(0).shuffle(order)
    for index in order:
        score = 0.5 + index / 20
        found.add(
            of_words((f"text{index}", 1.0), label="neg", score=score, faithfulness=measured(1 - index / 10)),
            truth="pos" if index % 2 else "neg",
        )
    page = found.page()
    mistakes = page.split("Most confident mistakes (2 of 3)")[1].split("<h2>")[0]
    assert mistakes.index("text5") < mistakes.index("text3") and "text1" not in mistakes
    assert mistakes.count("in truth <bdi>pos</bdi>") == 2
    assert "Least faithful explanations (2 of 6 that were measured)" in page
    assert "A sample of the texts (2 of 6)" in page
    assert "Of 6 with a known label, 3 are labelled rightly." in page
    assert "Measured on all texts, beside 20 random rankings of each" in page
    assert found.faithfulness.texts == 6


def test_without_figures_labels_or_words_the_page_says_so_or_leaves_them_out() -> None:
    found = ExplanationReport("my-model", "attention")
    found.add(explanation("", [], []))
    page = found.page()
    assert "was not measured" in page and "mistakes" not in page and "Words that weigh most" not in page

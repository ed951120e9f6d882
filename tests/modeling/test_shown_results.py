"""Results that a notebook shows with shaded words, and that else are lists and dictionaries."""

from __future__ import annotations

import copy
import html
import json
import pickle
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from modeling_helpers import tiny_model
from pipeline_helpers import LABELS, attention_pipeline

from hfattnlstm import AttnLSTMTextClassificationPipeline, ShownResults
from hfattnlstm.modeling import shown_results
from hfattnlstm.modeling.shown_results import ShownResult, shown_result


EVIL = "<script>alert('so')</script> & \"good\""
VOID = {"br"}


class Page(HTMLParser):
    """The tags, which must be closed in order, and the texts of a page."""

    def __init__(self, page: str):
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(page)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return "".join(self.texts)


def entry(text: str, word: str, weight: float, **extra: Any) -> dict[str, Any]:
    start = text.index(word)
    return {"text": word, "start": start, "end": start + len(word), "weight": weight, **extra}


def result(text: str, **weights: float) -> ShownResult:
    attention = [entry(text, word, weight) for word, weight in weights.items()]
    return ShownResult({"label": "calm", "score": 0.93, "attention": attention}, text)


def marks(page: str) -> dict[str, str]:
    """The style of each word that is marked; the five marks of the legend have no title."""
    found = re.findall(r'<mark style="([^"]*)" title="[^"]*">(.*?)</mark>', page)
    return {html.unescape(word): style for style, word in found}


@pytest.fixture(scope="module")
def classifier() -> AttnLSTMTextClassificationPipeline:
    return attention_pipeline(tiny_model(id2label=LABELS))


@pytest.fixture(scope="module")
def several() -> AttnLSTMTextClassificationPipeline:
    return attention_pipeline(tiny_model(id2label=LABELS, problem_type="multi_label_classification", threshold=0.01))


def test_what_the_pipeline_gives_is_lists_and_dictionaries_that_are_shown(
    classifier: AttnLSTMTextClassificationPipeline, several: AttnLSTMTextClassificationPipeline
) -> None:
    found = [
        classifier("so good"),
        classifier(["so good", ""]),
        classifier("so good", top_k=2),
        classifier({"text": "so good"}),
        classifier(["so good", "bad"], top_k=None),
        several(["so good", "bad"]),
        next(classifier(iter(["so good"]))),
        next(several(iter(["so good"]))),
    ]
    for one in found:
        assert isinstance(one, list | dict)
        assert "so" in marks(one._repr_html_()) and ">good<" in one._repr_html_()
        Page(one._repr_html_())
    assert isinstance(found[0][0], dict) and isinstance(found[4][0], list) and isinstance(found[4][0][0], dict)


def test_copies_pickles_and_json_are_plain_and_equal(several: AttnLSTMTextClassificationPipeline) -> None:
    results = several(["so good", "bad"])
    restored = pickle.loads(pickle.dumps(results))
    for other in (restored, copy.copy(results), copy.deepcopy(results)):
        assert other == results and type(other) is list
    assert type(restored[0]) is list and type(restored[0][0]) is dict
    assert type(copy.deepcopy(results)[0][0]) is dict and type(copy.copy(results[0][0])) is dict
    assert json.loads(json.dumps(results)) == restored and repr(results) == repr(restored)
    assert copy.deepcopy(results)[0][0]["attention"] is not results[0][0]["attention"]


def test_slices_and_sums_are_shown_and_equal_to_plain_ones() -> None:
    one, other = result("so good", so=1.0), result("not bad", bad=1.0)
    results = ShownResults([one, other])
    assert results[1:] == [other] and results + results[:1] == [one, other, one] and results[0] is one
    assert "bad" in marks(results[1:]._repr_html_()) and "so" not in marks(results[1:]._repr_html_())
    assert set(marks((results[1:] + results[:1])._repr_html_())) == {"so", "bad"}
    labels = [shown_result([{"label": text, "score": 0.9}], {"attention": []}, text) for text in ("x1", "x2")]
    assert "x2</div>" in (labels[0] + labels[1])._repr_html_()


def test_texts_and_labels_are_escaped() -> None:
    shown = ShownResult(
        {"label": "<b>&", "score": 0.5, "attention": [entry(EVIL, "<script>", 1.0), entry(EVIL, '"good"', 0.9)]}, EVIL
    )
    page = Page(shown._repr_html_())
    assert EVIL in page.text and "<b>&" in page.text
    assert {tag for tag, _ in page.tags} == {"div", "mark", "table", "thead", "tbody", "tr", "th", "td", "b"}


def test_shades_are_by_the_largest_weight_of_the_text_and_weights_are_told() -> None:
    page = result("a bb ccc dddd", a=0.5, bb=0.3, ccc=0.04, dddd=0.16)._repr_html_()
    styles = marks(page)
    strength = {word: float(re.search(r",([\d.]+)\)", style)[1]) for word, style in styles.items()}
    assert strength["a"] > strength["bb"] > strength["dddd"] and "ccc" not in strength and "ccc" in Page(page).text
    assert 'title="attention 0.300"' in page and strength["a"] < 0.5
    # Letters keep the colour of the notebook, be it light or dark.
    assert all("color:inherit" in style for style in styles.values())
    even = result("a bb", a=0.0, bb=0.0)._repr_html_()
    assert not marks(even)


def test_weights_of_heads_are_told() -> None:
    shown = ShownResult(
        {"label": "calm", "score": 0.9, "attention": [entry("so", "so", 1.0, head_weights=[0.25, 0.75])]}, "so"
    )
    assert 'title="attention 1.000 (heads: 0.250, 0.750)"' in shown._repr_html_()


def test_rows_of_several_texts_are_shown_each_with_its_own_words() -> None:
    texts = ("so good", "so bad")
    attention = [entry(texts[0], "good", 0.6, text_index=0), entry(texts[1], "bad", 0.4, text_index=1)]
    page = ShownResult({"label": "calm", "score": 0.9, "attention": attention}, texts)._repr_html_()
    assert set(marks(page)) == {"good", "bad"} and page.count('<div dir="auto">') == 2
    # Also without the texts, from the words alone.
    page = ShownResult({"label": "calm", "score": 0.9, "attention": attention})._repr_html_()
    assert set(marks(page)) == {"good", "bad"} and page.count('<div dir="auto">') == 2


def test_a_label_list_is_one_row_and_an_empty_one_shows_its_text() -> None:
    extra = {"attention": [entry("so good", "so", 1.0)]}
    two = shown_result([{"label": "x", "score": 0.9}, {"label": "y", "score": 0.8}], extra, "so good")
    none = shown_result([], extra, "not bad")
    page = ShownResults([two, none])._repr_html_()
    assert page.count("<tr>") == 3 and "<b>x</b>&nbsp;0.9<br><b>y</b>&nbsp;0.8" in page and "not bad" in page
    assert none == [] and "not bad" in none._repr_html_() and "<td" not in ShownResults()._repr_html_()


def test_of_many_results_the_first_are_shown_and_the_others_counted() -> None:
    page = ShownResults([result(f"text{number}", **{f"text{number}": 1.0}) for number in range(1_000)])._repr_html_()
    assert page.count("<tr>") == 1 + shown_results.MOST_RESULTS and "950 more of 1,000 results" in page
    assert "text49" in page and "text50" not in page


def test_a_long_text_is_folded_and_a_very_long_one_cut() -> None:
    words = [f"w{number:04d}" for number in range(2_000)]
    text = " ".join(words)
    attention = [{"text": word, "start": 6 * i, "end": 6 * i + 5, "weight": 1.0} for i, word in enumerate(words)]
    shown = ShownResult({"label": "x", "score": 0.9, "attention": attention[:200]}, text[:1_199])._repr_html_()
    page = Page(shown)
    summary, rest = shown.split("</summary>")
    assert [tag for tag, _ in page.tags].count("details") == 1 and "left out" not in shown
    assert "w0080" in summary and "w0100" in rest and "w0199" in rest
    assert set(words[:200]) <= set(re.findall(r"w\d{4}", page.text))
    whole = Page(ShownResult({"label": "x", "score": 0.9, "attention": attention}, text)._repr_html_())
    assert "w0800" in whole.text and "w1900" not in whole.text and "characters left out" in whole.text
    word = Page(result("x" * 100_000, **{"x" * 100_000: 1.0})._repr_html_())
    assert len(word.text) < 500


def test_what_the_model_did_not_read_is_shortened() -> None:
    text = "unread " * 1_000 + "end"
    shown = Page(result(text, end=1.0)._repr_html_())
    assert "[6,900 characters left out]" in shown.text and shown.text.endswith(" end")


@pytest.mark.parametrize("change", [{"attention": None}, {"score": "high"}, {}])
def test_results_that_were_changed_are_still_shown(change: dict[str, Any]) -> None:
    changed = result("so good", so=1.0)
    if change:
        changed.update(change)
    else:
        changed.clear()
    assert "so good" in Page(changed._repr_html_()).text.replace("\xa0", " ")


def test_halves_of_surrogate_pairs_do_not_keep_a_notebook_from_being_saved() -> None:
    result("so \ud83d good", good=1.0)._repr_html_().encode("utf-8")

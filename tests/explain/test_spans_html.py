"""Pages with the spans of a tagger: what they show, and that nothing of a text or a model is a part of them."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from test_html import HOSTILE, Tags

from hfattnlstm.explain.spans_html import _HUES, _MOST_KINDS, tagged_block, tagged_page


TAGS = {"html", "head", "meta", "title", "style", "body", "h1", "p", "div", "span", "article", "bdi"}


def entity(text: str, word: str, kind: str = "LOC", score: float = 0.9) -> dict[str, Any]:
    start = text.index(word)
    return {"entity_group": kind, "score": score, "word": word, "start": start, "end": start + len(word)}


def found(*entities: dict[str, Any], words: list[tuple[str, str]] = ()) -> dict[str, Any]:
    return {"entities": list(entities), "words": [{"word": word, "tag": tag, "score": 0.9} for word, tag in words]}


def test_a_span_is_shaded_and_named() -> None:
    text = "In New York & Lima."
    block = tagged_block(found(entity(text, "New York", score=0.875), entity(text, "Lima", "X")), text, ["LOC", "X"])
    assert block == (
        '<article><div class="text" dir="auto">In <span class="span k0" title="87.5%">New York<span class="kind">LOC'
        '</span></span> &amp; <span class="span k1" title="90.0%">Lima<span class="kind">X</span></span>.'
        "</div></article>"
    )


def test_a_text_is_shown_whole() -> None:
    text = "one  two\n three"
    for entities in (
        [],
        [entity(text, "one")],
        [entity(text, "three")],
        [entity(text, "one"), entity(text, " three")],
    ):
        shown = Tags(tagged_block(found(*entities), text, ["LOC"])).shown
        assert shown.replace("LOC", "") == text


def test_tags_stand_behind_their_words() -> None:
    block = tagged_block(found(words=[("Go", "VERB"), ("<b>", "X<i>")]), "Go <b>", [])
    assert 'Go<span class="tag">VERB</span> &lt;b&gt;<span class="tag">X&lt;i&gt;</span>' in block


def test_where_nothing_is_found_the_text_stays_as_it_is() -> None:
    block = tagged_block(found(words=[("In", "O"), ("Lima", "O")]), "In  Lima", [])
    assert block == '<article><div class="text" dir="auto">In  Lima</div></article>'
    assert tagged_block(found(), "", []) == '<article><div class="text" dir="auto"></div></article>'


def test_a_kind_has_one_colour_in_all_texts_and_in_the_legend() -> None:
    text = "Lima Anna"
    results = [found(entity(text, "Anna", "PER")), found(entity(text, "Lima"), entity(text, "Anna", "PER"))]
    page = tagged_page(results, [text, text], "cities")
    assert '<p class="legend"><span class="span k0">PER</span><span class="span k1">LOC</span></p>' in page
    assert re.findall(r'class="span (k\d)" title="[^"]*">(\w+)', page) == [
        ("k0", "Anna"),
        ("k1", "Lima"),
        ("k0", "Anna"),
    ]
    assert page.count("<article>") == 2 and "<title>cities</title>" in page


def test_many_kinds_have_styles() -> None:
    text = "a"
    results = [found(entity(text, "a", f"kind{number}")) for number in range(_MOST_KINDS + 1)]
    page = tagged_page(iter(results), [text] * len(results), "many")
    style = re.search(r"<style>(.*)</style>", page, re.DOTALL)[1]
    used = re.findall(r'class="span (k\d+)" title', page)
    assert used[0] == used[-1] == "k0" and len(set(used)) == _MOST_KINDS == 2 * len(_HUES)
    looks = re.findall(r"^\.(k\d+) \{ (.*) \}$", style, re.MULTILINE)
    assert {name for name, _ in looks} == set(used) and len({look for _, look in looks}) == _MOST_KINDS


def test_without_spans_there_is_no_legend() -> None:
    assert '<p class="legend">' not in tagged_page([found(words=[("a", "N")])], ["a"], "tags")


def hostile_page(payload: str) -> str:
    text = f"good {payload}"
    results = [
        found(entity(text, payload, payload)),
        found(words=[(payload, payload)]),
        found(words=[(payload, "O")]),
    ]
    return tagged_page(results, [text] * 3, payload)


@pytest.mark.parametrize("payload", HOSTILE)
def test_nothing_of_a_text_a_kind_or_a_name_becomes_a_part_of_the_page(payload: str) -> None:
    page = hostile_page(payload)
    tags = Tags(page)
    assert {tag for tag, _ in tags.found} <= TAGS
    assert not [name for _, attributes in tags.found for name in attributes if name.startswith("on") or name == "href"]
    assert tags.found.count(("article", {})) == 3
    shown = payload.encode("utf-8", "replace").decode()
    # Title, heading, legend, span, kind, word, tag and text.
    assert tags.shown.count(shown) >= 7 or "\x00" in payload
    page.encode("utf-8")


def test_the_policy_lets_nothing_but_our_own_style_be() -> None:
    page = tagged_page([found(entity("Lima", "Lima"))], ["Lima"], "cities")
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1]
    style = re.search(r"<style>(.*)</style>", page, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert "style=" not in page and "//" not in re.sub(r"sha256-[^']*", "", page)


@pytest.mark.long
def test_nothing_runs_in_a_browser(tmp_path: Path) -> None:
    api = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("needs chromium: apt-get install chromium")
    texts = [f"good {payload}" for payload in HOSTILE]
    results = [found(entity(text, payload, payload)) for text, payload in zip(texts, HOSTILE)]
    place = tmp_path / "page.html"
    place.write_text(tagged_page(results, texts, "</title><script>alert(1)</script>"), encoding="utf-8")
    happened: list[str] = []
    with api.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = browser.new_page()
        page.on("dialog", lambda dialog: happened.append(f"dialog {dialog.message}") or dialog.dismiss())
        page.on("console", lambda message: happened.append(f"console {message.text}"))
        page.on("pageerror", lambda error: happened.append(f"error {error}"))
        page.on("request", lambda request: request.url == place.as_uri() or happened.append(request.url))
        page.goto(place.as_uri())
        assert happened == [] and page.evaluate("document.scripts.length") == 0
        assert page.evaluate("document.querySelectorAll('img, iframe, link, form, a, base').length") == 0
        background = page.evaluate("getComputedStyle(document.querySelector('.k0')).backgroundColor")
        assert background not in ("rgba(0, 0, 0, 0)", "transparent")
        browser.close()

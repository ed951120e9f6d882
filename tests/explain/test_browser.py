"""Reports and notebooks in a browser: nothing of a hostile text, label or name runs, and nothing is fetched."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from test_html import HOSTILE, measured
from test_segments import explanation

from hfattnlstm.explain import Explanations
from hfattnlstm.explain.html import explanations_page
from hfattnlstm.explain.report import ExplanationReport


pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("needs chromium: apt-get install chromium")
    with api.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield opened
        opened.close()


def hostile() -> Explanations:
    found = []
    for payload in HOSTILE:
        text = f"good {payload}"
        spans, weights = [(0, 4), (5, len(text))], [1.0, -0.7]
        found.append(explanation(text, spans, weights, label=payload, target=payload, faithfulness=measured(0.0)))
    return Explanations(found)


def pages() -> dict[str, str]:
    report = ExplanationReport("</title><script>alert(1)</script>", "occlusion", shown=100)
    for one in hostile():
        report.add(one, truth="<img src=x onerror=alert(1)>")
    return {
        "page": explanations_page(hostile(), title="<script>alert(1)</script>"),
        "report": report.page(),
        # A notebook has no policy of its own: only that nothing is markup keeps it safe.
        "notebook": f"<!doctype html><meta charset=utf-8><body>{hostile()._repr_html_()}</body>",
    }


@pytest.mark.parametrize("kind", ["page", "report", "notebook"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_runs_and_nothing_is_fetched(kind: str, scheme: str, browser: Any, tmp_path: Path) -> None:
    place = tmp_path / "page.html"
    place.write_text(pages()[kind], encoding="utf-8")
    context = browser.new_context(color_scheme=scheme)
    page = context.new_page()
    happened: list[str] = []
    page.on("dialog", lambda dialog: happened.append(f"dialog {dialog.message}") or dialog.dismiss())
    page.on("console", lambda message: happened.append(f"console {message.text}"))
    page.on("pageerror", lambda error: happened.append(f"error {error}"))
    page.on("request", lambda request: request.url == place.as_uri() or happened.append(f"request {request.url}"))
    page.goto(place.as_uri())
    for mark in page.locator("mark").all()[:40]:
        mark.hover()
    assert happened == []
    assert page.evaluate("document.scripts.length") == 0
    assert page.evaluate("document.querySelectorAll('img, iframe, link, form, a, base, object, embed').length") == 0
    assert page.url == place.as_uri()
    for payload in ("<script>alert(1)</script>", "<img src=x onerror=alert(1)>"):
        assert payload in page.locator("body").inner_text()
    context.close()


def test_what_turns_the_direction_of_writing_ends_with_its_text(browser: Any, tmp_path: Path) -> None:
    texts = ["abc \u202e def", "plain"]
    found = [explanation(text, [(0, 3)], [1.0], label="\u202elabel") for text in texts]
    place = tmp_path / "page.html"
    place.write_text(explanations_page(found), encoding="utf-8")
    page = browser.new_page()
    page.goto(place.as_uri())
    # The score behind a label that turns the writing stands to the right of it, as behind any other.
    positions = page.evaluate(
        """() => [...document.querySelectorAll('.label')].map(label => {
            const range = document.createRange(); range.selectNode(label.nextSibling);
            return [label.getBoundingClientRect().right, range.getBoundingClientRect().left];
        })"""
    )
    assert all(right <= left + 1 for right, left in positions)
    page.close()

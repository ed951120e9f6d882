"""Pages: whole, shaded, and safe whatever stands in texts, labels and names."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest
from test_segments import explanation

from hfattnlstm.explain import Explanations
from hfattnlstm.explain.faithfulness import Faithfulness, Measure
from hfattnlstm.explain.html import MOST_CHARACTERS, explanation_block, explanations_page, histogram


HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg/onload=alert(1)>',
    "' onmouseover='alert(1)",
    "</style><script>alert(1)</script>",
    "</title><script>alert(1)</script>",
    "<!--",
    "-->",
    "]]>",
    "<![CDATA[<script>alert(1)</script>]]>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#60;script&#62;alert(1)&#60;/script&#62;",
    "javascript:alert(1)",
    "<a href=javascript:alert(1)>x</a>",
    "<iframe src=//evil.example></iframe>",
    "<link rel=stylesheet href=//evil.example/x.css>",
    "<meta http-equiv=refresh content='0;url=//evil.example'>",
    "<base href=//evil.example>",
    "<style>*{display:none}</style>",
    "<form action=//evil.example><input type=submit>",
    "<math><mtext><script>alert(1)</script>",
    '{"a": "</script><script>alert(1)</script>"}',
    "\u202e\u2066evil\u2069",
    "\u200b<\u200bscript>alert(1)</script>",
    "\ud83d broken",
    "\x00<script>alert(1)</script>",
    "<ScRiPt>alert(1)</sCrIpT>",
    "<details open ontoggle=alert(1)>",
    "`${alert(1)}`",
    "<template><script>alert(1)</script></template>",
]
TAGS = {
    *("html", "head", "meta", "title", "style", "body", "h1", "h2", "h3", "p", "div", "span", "article", "section"),
    *("mark", "bdi", "table", "tr", "th", "td", "strong", "i", "figure", "figcaption", "svg", "rect", "text"),
}


class Tags(HTMLParser):
    def __init__(self, page: str):
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.shown = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attributes)))

    def handle_data(self, data: str) -> None:
        self.shown += data


def measured(beaten: float) -> Faithfulness:
    part = Measure(0.4, 0.1, beaten)
    return Faithfulness(part, part, part, part, 50, 50)


@pytest.mark.parametrize("payload", HOSTILE)
def test_nothing_of_a_text_a_label_or_a_name_becomes_a_part_of_the_page(payload: str) -> None:
    found = explanation(f"good {payload}", [(0, 4), (5, 5 + len(payload))], [0.1, 1.0], label=payload, target="b")
    page = explanations_page([found], title=payload)
    tags = Tags(page)
    assert {tag for tag, _ in tags.found} <= TAGS
    assert not [name for _, attributes in tags.found for name in attributes if name.startswith("on") or name == "href"]
    assert (
        tags.shown.count(payload.encode("utf-8", "replace").decode().replace("\x00", "\ufffd")) >= 2
        or "\x00" in payload
    )
    page.encode("utf-8")


def test_the_policy_lets_nothing_but_our_own_style_be() -> None:
    page = explanations_page([explanation("good", [(0, 4)], [1.0])])
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1]
    style = re.search(r"<style>(.*)</style>", page, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert "style=" not in page and "//" not in re.sub(r"sha256-[^']*", "", page)


def test_a_block_shows_label_words_and_verdict() -> None:
    text = "good dull film"
    found = explanation(
        text,
        [(0, 4), (5, 9), (10, 14)],
        [1.0, -0.5, 0.0],
        target="b",
        target_score=0.1,
        faithfulness=measured(1.0),
        characters_left_out=1234,
    )
    block = explanation_block(found, truth="c")
    assert '<mark class="p5" title="1">good</mark> <mark class="n3" title="-0.5">dull</mark> film' in block
    assert "<bdi>a</bdi></span> 0.9, explained: <bdi>b</bdi> 0.1, in truth <bdi>c</bdi>" in block
    assert "Better than a random ranking: " in block and 'class="verdict warning"' not in block
    assert "1,234 characters were not read." in block
    warned = explanation_block(explanation(text, [(0, 4)], [1.0], faithfulness=measured(0.5)))
    assert '<p class="verdict warning">Warning: no better' in warned


def test_of_a_long_text_the_beginning_is_shown() -> None:
    text = "word " * 3000
    block = explanation_block(explanation(text, [(5 * i, 5 * i + 4) for i in range(3000)], [1.0] * 3000))
    assert f"… {len(text) - MOST_CHARACTERS:,} characters more" in block
    assert block.count("word") == MOST_CHARACTERS / 5


def test_signed_weights_have_a_legend_of_their_own() -> None:
    signed = explanations_page([explanation("good", [(0, 4)], [1.0])])
    unsigned = explanations_page([explanation("good", [(0, 4)], [1.0], method="attention")])
    assert "Against the label" in signed and "Against the label" not in unsigned


def test_a_notebook_has_styles_in_place_of_classes_and_the_first_texts() -> None:
    one = explanation('class="p5" good', [(11, 15)], [1.0], faithfulness=measured(0.0))
    shown = Explanations([one] * 60)._repr_html_()
    tags = Tags(shown)
    assert {tag for tag, _ in tags.found} <= TAGS and "10 more; a slice shows others." in shown
    assert not [attributes for _, attributes in tags.found if "class" in attributes]
    assert sum(tag == "article" for tag, _ in tags.found) == 50
    assert "solid rgb(230, 126, 0)" in shown and "font-weight: 600; color: #c62828" in shown
    assert one._repr_html_().count("<article>") == 1
    assert isinstance(Explanations([one] * 3)[1:], Explanations) and Explanations([one])[0] is one


def test_a_histogram_has_a_bar_for_each_bin_with_figures() -> None:
    drawn = histogram("tau", [0.0, 1.0, 1.0], [0.0, 0.0, 0.5])
    bars = re.findall(r'class="(own|random)" x="(\d+)" y="([\d.]+)" width="\d+" height="([\d.]+)"', drawn)
    assert bars == [
        *(("own", "0", "45.0", "45.0"), ("own", "456", "0.0", "90.0")),
        *(("random", "3", "0.0", "90.0"), ("random", "243", "45.0", "45.0")),
    ]
    assert histogram("tau", [0.0], [0.0]).count("<rect") == 2

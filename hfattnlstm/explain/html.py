"""Explained texts as a page of HTML: by itself, without scripts, and without anything from elsewhere."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np

from ..modeling.attention_entries import SHADES
from ..modeling.shown_results import safe_html
from .faithfulness import Faithfulness
from .segments import Segment, Weighted, segments_of, texts_of


# What a notebook shows.
MOST_IN_A_NOTEBOOK = 50
# What is shown of a text.
MOST_CHARACTERS = 5_000
# Of a histogram, in pixels.
BINS, BAR_WIDTH, BAR_HEIGHT = 20, 24, 90

_CLASS = re.compile(r'class="([^"]*)"')

# Blue and orange are told apart by eyes that confuse red and green; a line below says the same without colours.
_COLOURS = {"p": ("for", "230, 126, 0", "solid"), "n": ("against", "0, 114, 206", "dashed")}
_VARIABLES = "; ".join(f"--{name}: {colour}" for name, colour, _ in _COLOURS.values())
_STYLE = f"""
:root {{ color-scheme: light dark; --line: #8888; --warn: #b3261e; {_VARIABLES} }}"""
_STYLE += """
@media (prefers-color-scheme: dark) { :root { --warn: #ffb4ab } }
body { font: 1rem/1.6 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h1, h2 { line-height: 1.2; overflow-wrap: anywhere }
article { border-top: 1px solid var(--line); padding: .8rem 0 }
.text { white-space: pre-wrap; overflow-wrap: anywhere; margin: .4rem 0; unicode-bidi: isolate }
.label { font-weight: 600 }
.verdict { font-size: .9rem; opacity: .85; margin: .2rem 0 }
.warning { color: var(--warn); opacity: 1; font-weight: 600 }
mark { color: inherit; background: none; border-radius: 2px; padding: 0 .05em }
table { border-collapse: collapse; margin: .8rem 0 } th, td { padding: .15rem .8rem .15rem 0; text-align: left }
svg { display: block; overflow: visible; margin: .2rem 0 1rem } svg text { fill: currentColor; font-size: 12px }
.own { fill: rgb(var(--for)); fill-opacity: .75 } .random { fill: none; stroke: currentColor; stroke-dasharray: 3 2 }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums }
"""


def _shade(colour: str, line: str, shade: int) -> str:
    opacity = round(0.08 + 0.42 * shade / SHADES, 2)
    return f"background: rgba({colour}, {opacity}); border-bottom: 2px {line} rgb({colour})"


_STYLE += "".join(
    f".{sign}{shade} {{ {_shade(f'var(--{name})', line, shade)} }}\n"
    for sign, (name, _, line) in _COLOURS.items()
    for shade in range(1, SHADES + 1)
)
# The same for a notebook, whose page has a style of its own.
_INLINE = {
    "text": "white-space: pre-wrap; overflow-wrap: anywhere; unicode-bidi: isolate; margin: .4em 0",
    "label": "font-weight: 600",
    "verdict": "font-size: .9em; margin: .2em 0",
    "verdict warning": "font-size: .9em; margin: .2em 0; font-weight: 600; color: #c62828",
} | {
    f"{sign}{shade}": f"{_shade(colour, line, shade)}; color: inherit; border-radius: 2px"
    for sign, (_, colour, line) in _COLOURS.items()
    for shade in range(1, SHADES + 1)
}


class Shown(Weighted, Protocol):
    """What is shown of an explanation."""

    label: str
    score: float
    target: str
    target_score: float
    faithfulness: Faithfulness | None
    characters_left_out: int

    @property
    def is_signed(self) -> bool:
        """Whether weights below 0 speak against the target."""


def page_of(title: str, body: str, style: str = "") -> str:
    """A whole page, whose policy lets nothing run and nothing be fetched.

    Args:
        title: As plain text.
        body: HTML, in which all that is not ours is escaped.
        style: CSS beyond that of all pages; of ours alone.

    Example:

    ```python
    >>> page_of("<b>", "<p>safe</p>").count("<b>")
    0
    ```
    """
    style = _STYLE + style
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{safe_html(title)}</title>\n<style>{style}</style>\n</head>\n"
        f"<body>\n<h1>{isolated(title)}</h1>\n{body}\n</body>\n</html>\n"
    )


def explanations_page(explanations: Iterable[Shown], title: str = "Explanations") -> str:
    """A page with each text, its label and its words shaded by their weights.

    Example:

    ```python
    >>> classifier = pipeline("text-classification", "my-model")
    >>> found = explain(["Slow soup", "Great view"], classifier.model, classifier.tokenizer)
    >>> explanations_page(found).count("<article>")
    2
    ```
    """
    shown = list(explanations)
    signed = any(explanation.is_signed for explanation in shown)
    return page_of(title, "\n".join([legend(signed), *map(explanation_block, shown)]))


def notebook_html(explanations: Sequence[Shown]) -> str:
    """The first explanations for a notebook, with styles in place of classes.

    Example:

    ```python
    >>> classifier = pipeline("text-classification", "my-model")
    >>> notebook_html(explain(["Slow soup"], classifier.model, classifier.tokenizer)).count("<article>")
    1
    ```
    """
    shown = explanations[:MOST_IN_A_NOTEBOOK]
    parts = [legend(any(explanation.is_signed for explanation in shown)), *map(explanation_block, shown)]
    if len(explanations) > len(shown):
        parts.append(f"<p>{len(explanations) - len(shown):,} more; a slice shows others.</p>")
    # No text can look like a class: its quotation marks are escaped.
    return _CLASS.sub(lambda found: f'style="{_INLINE[found[1]]}"', "\n".join(parts))


def legend(signed: bool) -> str:
    """What the shades mean."""
    scale = "".join(f'<mark class="p{shade}">&emsp;</mark>' for shade in range(1, SHADES + 1))
    if not signed:
        return f"<p>Weight of a word against the largest of its text: less {scale} more</p>"
    against = "".join(f'<mark class="n{shade}">&emsp;</mark>' for shade in range(SHADES, 0, -1))
    return f"<p>Against the label {against} for it {scale}, beside the largest weight of the text</p>"


def explanation_block(explanation: Shown, truth: str | None = None) -> str:
    """A text with its label, its shaded words and how far these can be trusted.

    Args:
        explanation: Of the text, of which the first 5,000 characters are shown.
        truth: Its label, where the model gives another one.
    """
    head = f'<span class="label">{isolated(explanation.label)}</span> {explanation.score:.4g}'
    if explanation.target != explanation.label:
        head += f", explained: {isolated(explanation.target)} {explanation.target_score:.4g}"
    if truth is not None:
        head += f", in truth {isolated(truth)}"
    lines = [f"<div>{head}</div>"]
    for index in range(len(texts_of(explanation))):
        lines.append(f'<p class="text" dir="auto">{_shaded(segments_of(explanation, index))}</p>')
    if explanation.characters_left_out:
        lines.append(f'<p class="verdict">{explanation.characters_left_out:,} characters were not read.</p>')
    if explanation.faithfulness is not None:
        kind = "verdict warning" if explanation.faithfulness.is_warning else "verdict"
        lines.append(f'<p class="{kind}">{safe_html(explanation.faithfulness.verdict)}</p>')
    return "<article>\n" + "\n".join(lines) + "\n</article>"


def isolated(text: str) -> str:
    """Text whose direction of writing, and whatever turns it, ends with it."""
    return f"<bdi>{safe_html(text)}</bdi>"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows whose first cell is a heading, and the others numbers; all of it is HTML."""
    first, *others = head
    lines = [f"<tr><th>{first}</th>" + "".join(f'<th class="number">{name}</th>' for name in others) + "</tr>"]
    for name, *numbers in rows:
        lines.append(f"<tr><td>{name}</td>" + "".join(f'<td class="number">{cell}</td>' for cell in numbers) + "</tr>")
    return "<table>\n" + "\n".join(lines) + "\n</table>"


def histogram(name: str, own: Sequence[float], others: Sequence[float]) -> str:
    """How figures of texts are distributed, beside those of random rankings, as a drawing."""
    low, high = min(*own, *others, 0.0), max(*own, *others)
    edges = np.linspace(low, high if high > low else low + 1, BINS + 1)
    counts = [np.histogram(values, edges)[0] for values in (own, others)]
    tallest = max(max(row) for row in counts)
    bars = "".join(
        _bar(kind, place, height / tallest)
        for kind, row in zip(("own", "random"), counts)
        for place, height in enumerate(row)
        if height
    )
    return (
        f"<figure><figcaption>{safe_html(name)}: filled by weight, dashed random rankings</figcaption>"
        f'<svg width="{BINS * BAR_WIDTH}" height="{BAR_HEIGHT + 18}" role="img" aria-label="{safe_html(name)}">{bars}'
        f'<text x="0" y="{BAR_HEIGHT + 14}">{edges[0]:.2f}</text>'
        f'<text x="{BINS * BAR_WIDTH}" y="{BAR_HEIGHT + 14}" text-anchor="end">{edges[-1]:.2f}</text></svg></figure>'
    )


def _bar(kind: str, place: int, share: float) -> str:
    height = round(share * BAR_HEIGHT, 1)
    inset = 0 if kind == "own" else 3
    return (
        f'<rect class="{kind}" x="{place * BAR_WIDTH + inset}" y="{round(BAR_HEIGHT - height, 1)}" '
        f'width="{BAR_WIDTH - 2 - 2 * inset}" height="{height}"/>'
    )


def _shaded(pieces: Sequence[Segment]) -> str:
    """The beginning of a text, and how much more there is."""
    shown, left = [], MOST_CHARACTERS
    for piece in pieces:
        if left <= 0:
            break
        shown.append(_marked(piece._replace(text=piece.text[:left])))
        left -= len(piece.text)
    rest = sum(len(piece.text) for piece in pieces) - MOST_CHARACTERS
    return "".join(shown) + (f" <i>… {rest:,} characters more</i>" if rest > 0 else "")


def _marked(piece: Segment) -> str:
    if not piece.strength:
        return safe_html(piece.text)
    kind = f"{'p' if piece.strength > 0 else 'n'}{abs(piece.strength)}"
    return f'<mark class="{kind}" title="{piece.weight:.3g}">{safe_html(piece.text)}</mark>'

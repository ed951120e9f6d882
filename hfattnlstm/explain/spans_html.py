"""Texts with the spans that a tagger has found, as a page of HTML without scripts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..modeling.shown_results import safe_html
from .html import page_of


# Hues that are told apart side by side, in the order in which kinds get them.
_HUES = (28, 205, 130, 330, 265, 55, 175, 0, 235, 95)
_STYLE = """
.span { border-radius: 4px; padding: .1em .3em; margin: 0 .05em; box-decoration-break: clone;
  -webkit-box-decoration-break: clone }
.kind { font-size: .7em; font-weight: 700; letter-spacing: .03em; margin-left: .4em; vertical-align: .12em }
.tag { font-size: .7em; opacity: .75; margin-left: .15em }
.legend .span { margin-right: .6em }
"""
_STYLE += "".join(
    f".k{number} {{ background: hsl({hue} 80% 50% / .24); border-bottom: 2px {line} hsl({hue} 80% 45%) }}\n"
    for number, (hue, line) in enumerate((hue, line) for line in ("solid", "dashed") for hue in _HUES)
)
_MOST_KINDS = 2 * len(_HUES)


def tagged_page(results: Iterable[Mapping[str, Any]], texts: Sequence[str], title: str) -> str:
    """A page with each text and its spans, shaded by kind, or with the tag behind each word.

    Args:
        results: From the pipeline of a tagger.
        texts: What they are about, for each; of given words, joined by spaces.
        title: As plain text.

    Example:

    ```python
    >>> found = {"entities": [{"entity_group": "LOC", "score": 0.9, "word": "Paris", "start": 3, "end": 8}]}
    >>> found["words"] = []
    >>> 'class="span k0"' in tagged_page([found], ["In Paris"], "cities")
    True
    ```
    """
    results = list(results)
    kinds = list(dict.fromkeys(entity["entity_group"] for found in results for entity in found["entities"]))
    blocks = "\n".join(tagged_block(found, text, kinds) for found, text in zip(results, texts))
    legend = "".join(f'<span class="span {_class(kind, kinds)}">{safe_html(kind)}</span>' for kind in kinds)
    shown = f'<p class="legend">{legend}</p>\n' if kinds else ""
    return page_of(title, shown + blocks, _STYLE)


def tagged_block(found: Mapping[str, Any], text: str, kinds: Sequence[str]) -> str:
    """One text of a page; kinds have their colours by their order."""
    if found["entities"]:
        pieces = _spans(found["entities"], text, kinds)
    elif found["words"] and any(word["tag"] != "O" for word in found["words"]):
        pieces = [
            f'{safe_html(word["word"])}<span class="tag">{safe_html(word["tag"])}</span> ' for word in found["words"]
        ]
    else:
        pieces = [safe_html(text)]
    return f'<article><div class="text" dir="auto">{"".join(pieces)}</div></article>'


def _spans(entities: Sequence[Mapping[str, Any]], text: str, kinds: Sequence[str]) -> list[str]:
    pieces, position = [], 0
    for entity in entities:
        start, end, kind = entity["start"], entity["end"], entity["entity_group"]
        pieces.append(safe_html(text[position:start]))
        pieces.append(
            f'<span class="span {_class(kind, kinds)}" title="{entity["score"]:.1%}">{safe_html(text[start:end])}'
            f'<span class="kind">{safe_html(kind)}</span></span>'
        )
        position = end
    return [*pieces, safe_html(text[position:])]


def _class(kind: str, kinds: Sequence[str]) -> str:
    return f"k{kinds.index(kind) % _MOST_KINDS}"

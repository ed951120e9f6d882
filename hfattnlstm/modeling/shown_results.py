"""Results of the attention pipeline that a notebook shows with shaded words; to all else lists and dictionaries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any, SupportsIndex

from .attention_entries import entries_on, strength


# A half-transparent orange: letters in the notebook's own colour can be read on all shades, be it light or dark.
_ORANGE = "255,100,0"
_OPACITIES = (0.1, 0.2, 0.29, 0.38, 0.47)
# What is shown of many results, of a long text, and of a stretch of it without a word that the model read.
MOST_RESULTS = 50
MOST_CHARACTERS = 5_000
SHOWN_AT_ONCE = 500
STRETCH_CHARACTERS = 100
_CELL = "text-align:left;vertical-align:top"
_TEXT = f"{_CELL};white-space:pre-wrap;overflow-wrap:anywhere"


class ShownResult(dict):
    """A label with its score and attention: a dictionary that a notebook shows with shaded words.

    A copy of it, also by pickle, is a plain dictionary.

    Args:
        entries: What is in the dictionary.
        text: The text that they are about, or a tuple of those that were read together; without one, a notebook shows
            the words of `attention`.

    Example:

    ```python
    >>> ShownResult({"label": "calm", "score": 0.93, "attention": []}, "Not bad")
    {'label': 'calm', 'score': 0.93, 'attention': []}
    ```
    """

    __slots__ = ("shown_text",)

    def __init__(self, entries: Mapping[str, Any], text: str | Sequence[str] | None = None):
        super().__init__(entries)
        self.shown_text = text

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple[Any, ...]:
        # Who loads it may lack this package, or the checkpoint that the code came with.
        return dict, (dict(self),)

    def _repr_html_(self) -> str:
        return _table([self])


class ShownResults(list):
    """A list of results that a notebook shows with shaded words; so are a slice and a sum.

    A copy of it, also by pickle, is a plain list.

    Args:
        results: Results of the attention pipeline, such as some that were chosen from many.
        text: Where they are the labels of one text, that text; see [`ShownResult`].

    Example:

    ```python
    >>> results = [{"label": "calm", "score": 0.93}, {"label": "calm", "score": 0.55}]
    >>> unsure = ShownResults([result for result in results if result["score"] < 0.6])
    >>> unsure
    [{'label': 'calm', 'score': 0.55}]
    ```
    """

    __slots__ = ("shown_text",)

    def __init__(self, results: Any = (), text: str | Sequence[str] | None = None):
        super().__init__(results)
        self.shown_text = text

    def __getitem__(self, index: Any) -> Any:
        found = super().__getitem__(index)
        return ShownResults(found, self.shown_text) if isinstance(index, slice) else found

    def __add__(self, other: Any) -> Any:
        return ShownResults(super().__add__(other))

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple[Any, ...]:
        return list, (list(self),)

    def _repr_html_(self) -> str:
        return _table([self] if self.shown_text is not None else self)


def shown_result(labels: Any, extra: dict[str, Any], text: str | Sequence[str]) -> ShownResult | ShownResults:
    """The result of a text.

    Args:
        labels: `{"label", "score"}`, or a list of such.
        extra: What else is known of the text, such as its `attention`; it is added to each of them.
        text: The text, or those that were read together.
    """
    if isinstance(labels, dict):
        return ShownResult(labels | extra, text)
    return ShownResults([ShownResult(entry | extra, text) for entry in labels], text)


def _table(results: Sequence[Any]) -> str:
    """Labels and texts of the first results, with a legend, and how many more there are."""
    rows = "".join(map(_row, results[:MOST_RESULTS]))
    scale = "".join(_marked("&emsp;", opacity) for opacity in _OPACITIES)
    legend = f"<div>attention on the words, against the largest of their text: less {scale} more</div>"
    head = "".join(f'<th scope="col" style="{_CELL}">{name}</th>' for name in ("label", "text"))
    table = f'<table style="color:inherit"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'
    return f"<div>{legend if results else ''}{table}{_more(len(results))}</div>"


def _more(count: int) -> str:
    if count <= MOST_RESULTS:
        return ""
    following = f"[{MOST_RESULTS}:{2 * MOST_RESULTS}]"
    return (
        f"<div>{count - MOST_RESULTS:,} more of {count:,} results; a slice, such as {following}, shows others.</div>"
    )


def _row(result: Any) -> str:
    labels = [result] if isinstance(result, Mapping) else list(result)
    shown = [f"<b>{safe_html(entry['label'])}</b>&nbsp;{entry['score']:.4g}" for entry in labels if _is_label(entry)]
    attention = labels[0].get("attention") or [] if labels and isinstance(labels[0], Mapping) else []
    text = getattr(result, "shown_text", None)
    texts = _of_words(attention) if text is None else [text] if isinstance(text, str) else text
    cells = [_shaded(own, entries_on(attention, index)) for index, own in enumerate(texts)]
    label_cell = f'<td dir="auto" style="{_CELL}">{"<br>".join(shown) or "–"}</td>'
    return f'<tr>{label_cell}<td style="{_TEXT}">{"".join(cells)}</td></tr>'


def _is_label(entry: Any) -> bool:
    """Whether it still is what the pipeline gave; the user may have changed it."""
    return isinstance(entry, Mapping) and "label" in entry and isinstance(entry.get("score"), float)


def _of_words(attention: Sequence[Mapping[str, Any]]) -> list[str]:
    """The texts as far as their words and places give them."""
    texts = [""] * (1 + max((entry.get("text_index", 0) for entry in attention), default=0))
    for entry in attention:
        index, start = entry.get("text_index", 0), entry["start"]
        before = texts[index].ljust(start)
        texts[index] = before + entry["text"][len(before) - start :]
    return texts


def _shaded(text: str, attention: Sequence[Mapping[str, Any]]) -> str:
    """A text in HTML; of a long one the beginning, and the rest when it is clicked on."""
    pieces, shown, rest = [], 0, None
    for length, piece in _pieces(text, attention):
        if rest is None and shown > SHOWN_AT_ONCE:
            rest = len(pieces)
        pieces.append(piece)
        shown += length
    if rest is None:
        return f'<div dir="auto">{"".join(pieces)}</div>'
    summary = f'<summary style="cursor:pointer">{"".join(pieces[:rest])} <i>… more</i></summary>'
    return f'<details dir="auto">{summary}{"".join(pieces[rest:])}</details>'


def _pieces(text: str, attention: Sequence[Mapping[str, Any]]) -> Iterator[tuple[int, str]]:
    """Lengths and HTML of the words and of what is between them."""
    highest = max((entry["weight"] for entry in attention), default=0.0)
    position = shown = 0
    for entry in attention:
        start, end = max(entry["start"], position), entry["end"]
        if end <= start:
            continue
        for length, piece in (
            (start - position, _excerpt(text[position:start])),
            (end - start, _word(text[start:end], entry, highest)),
        ):
            yield min(length, STRETCH_CHARACTERS), piece
            shown += min(length, STRETCH_CHARACTERS)
        position = end
        if shown > MOST_CHARACTERS:
            break
    yield min(len(text) - position, STRETCH_CHARACTERS), _excerpt(text[position:])


def _excerpt(text: str) -> str:
    """A word, or what is between two; a long one is no word, or what the model did not read."""
    left_out = len(text) - STRETCH_CHARACTERS
    if left_out <= 0:
        return safe_html(text)
    return f"{safe_html(text[:STRETCH_CHARACTERS])} <i>[{left_out:,} characters left out]</i> "


def _word(word: str, entry: Mapping[str, Any], highest: float) -> str:
    shade = strength(entry["weight"], highest)
    if shade <= 0:
        return _excerpt(word)
    heads = ", ".join(f"{weight:.3f}" for weight in entry.get("head_weights", ()))
    tip = f"attention {entry['weight']:.3f}" + (f" (heads: {heads})" if heads else "")
    return _marked(_excerpt(word), _OPACITIES[shade - 1], tip)


def _marked(html: str, opacity: float, tip: str = "") -> str:
    style = f"background:rgba({_ORANGE},{opacity});color:inherit;border-radius:2px"
    title = f' title="{tip}"' if tip else ""
    return f'<mark style="{style}"{title}>{html}</mark>'


def safe_html(value: Any) -> str:
    """Text for HTML; without halves of surrogate pairs, with which a notebook could not be saved."""
    return escape(str(value).encode("utf-8", "replace").decode("utf-8"))

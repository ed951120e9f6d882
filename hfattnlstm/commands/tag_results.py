"""What a tagger has found, in the forms in which it is printed and written."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, TextIO

from .terminal import bold, has_colours, printable, shaded


# Backgrounds of the palette of 256 colours that black letters can be read on, in the order in which kinds get them.
_COLOURS = (222, 153, 157, 218, 183, 229, 159, 210, 147, 192)


class TagWriter(ABC):
    """Writes what was found in one text after the other.

    Args:
        stream: Where to.
        spans: Whether tags mark spans.
    """

    def __init__(self, stream: TextIO, spans: bool):
        self.stream, self.spans = stream, spans

    @abstractmethod
    def write(self, given: str | list[str], found: dict[str, Any]) -> None:
        """Write what was found in a text, or in words that were given."""

    def finish(self) -> None:
        """Write what comes behind the last text, and make sure that all has gone out."""
        self.stream.flush()


class TableTagWriter(TagWriter):
    """A text a line, with its spans in colours and the kind of each, or in brackets where there are no colours."""

    def __init__(self, stream: TextIO, spans: bool):
        super().__init__(stream, spans)
        self._coloured = has_colours(stream)
        self._kinds: list[str] = []

    def write(self, given: str | list[str], found: dict[str, Any]) -> None:
        """See [`TagWriter`]."""
        text, found = located(given, found)
        shown = self._with_spans(text, found["entities"]) if self.spans else self._with_tags(found["words"])
        self.stream.write(shown + "\n")
        self.stream.flush()

    def _with_spans(self, text: str, entities: Sequence[dict[str, Any]]) -> str:
        pieces, position = [], 0
        for entity in entities:
            kind = printable(entity["entity_group"])
            pieces.append(printable(text[position : entity["start"]]))
            pieces.append(self._span(text[entity["start"] : entity["end"]], kind))
            position = entity["end"]
        return "".join([*pieces, printable(text[position:])])

    def _span(self, text: str, kind: str) -> str:
        if not self._coloured:
            return f"[{kind} {printable(text)}]"
        if kind not in self._kinds:
            self._kinds.append(kind)
        colour = _COLOURS[self._kinds.index(kind) % len(_COLOURS)]
        return f"{shaded(f' {text} ', colour)}{bold(f' {kind}')}"

    def _with_tags(self, words: Sequence[dict[str, Any]]) -> str:
        tags = [printable(word["tag"]) for word in words]
        if self._coloured:
            return " ".join(f"{printable(word['word'])} {shaded(tag, _COLOURS[1])}" for word, tag in zip(words, tags))
        return " ".join(f"{printable(word['word'])}/{tag}" for word, tag in zip(words, tags))


class JsonLinesTagWriter(TagWriter):
    """A JSON object a line."""

    def write(self, given: str | list[str], found: dict[str, Any]) -> None:
        """See [`TagWriter`]."""
        self.stream.write(_record(given, found) + "\n")


class JsonTagWriter(TagWriter):
    """One JSON array."""

    def __init__(self, stream: TextIO, spans: bool):
        super().__init__(stream, spans)
        self._begin = "[\n"

    def write(self, given: str | list[str], found: dict[str, Any]) -> None:
        """See [`TagWriter`]."""
        self.stream.write(self._begin + _record(given, found))
        self._begin = ",\n"

    def finish(self) -> None:
        """See [`TagWriter`]."""
        self.stream.write("[]\n" if self._begin == "[\n" else "\n]\n")
        super().finish()


class ConllTagWriter(TagWriter):
    """A word and its tag a line, and a blank line behind each sentence or text."""

    def write(self, given: str | list[str], found: dict[str, Any]) -> None:
        """See [`TagWriter`]."""
        for word in found["words"]:
            self.stream.write(f"{_cell(word['word'])}\t{_cell(word['tag'])}\n")
        self.stream.write("\n")


class HtmlTagWriter(TagWriter):
    """A page, which is written when the last text has come.

    Args:
        title: Of the page.
    """

    def __init__(self, stream: TextIO, spans: bool, title: str):
        super().__init__(stream, spans)
        self._title = title
        self._texts: list[str] = []
        self._found: list[dict[str, Any]] = []

    def write(self, given: str | list[str], found: dict[str, Any]) -> None:
        """See [`TagWriter`]."""
        text, found = located(given, found)
        self._texts.append(text)
        self._found.append(found)

    def finish(self) -> None:
        """See [`TagWriter`]."""
        from ..explain.spans_html import tagged_page

        self.stream.write(tagged_page(self._found, self._texts, self._title))
        super().finish()


def writer_of(form: str, stream: TextIO, spans: bool, title: str) -> TagWriter:
    """The writer of a form; see [`choose_form`].

    Example:

    ```python
    >>> writer = writer_of("table", sys.stdout, spans=True, title="my-tagger")
    >>> entity = {"entity_group": "LOC", "score": 0.9, "start": 3, "end": 8}
    >>> writer.write("In Paris", {"entities": [entity], "words": []})
    In [LOC Paris]
    ```
    """
    if form == "html":
        return HtmlTagWriter(stream, spans, title)
    kinds = {"table": TableTagWriter, "jsonl": JsonLinesTagWriter, "json": JsonTagWriter, "conll": ConllTagWriter}
    return kinds[form](stream, spans)


def located(given: str | list[str], found: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The text, with the places of spans in it; given words are joined by spaces.

    Example:

    ```python
    >>> located(["In", "Paris"], {"entities": [{"first": 1, "last": 1}], "words": []})[1]["entities"][0]["start"]
    3
    ```
    """
    if isinstance(given, str):
        return given, found
    starts, place = [], 0
    for word in given:
        starts.append(place)
        place += len(word) + 1
    entities = [
        entity | {"start": starts[entity["first"]], "end": starts[entity["last"]] + len(given[entity["last"]])}
        for entity in found["entities"]
    ]
    return " ".join(given), found | {"entities": entities}


def _cell(text: str) -> str:
    """A word or a tag as one column, which white space would make two."""
    return printable("_".join(text.split())) or "_"


def _record(given: str | list[str], found: dict[str, Any]) -> str:
    name = "text" if isinstance(given, str) else "tokens"
    return json.dumps({name: given, **found}, ensure_ascii=False)

"""Shading: nothing of the text is lost or said twice, and nothing in it can steer the terminal."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest

from hfattnlstm.commands.results import Result, TableWriter
from hfattnlstm.commands.terminal import bold, has_colours, is_terminal, legend, printable, shade_words


SHADES = [230, 229, 222, 215, 208]
ESCAPES = re.compile(r"\x1b\[30;48;5;\d+m|\x1b\[0m")
BIDIRECTIONAL = ["\u202a", "\u202b", "\u202c", "\u202d", "\u202e", "\u2066", "\u2067", "\u2068", "\u2069"]
CONTROLS = [chr(code) for code in [*range(0x20), *range(0x7F, 0xA0)] if chr(code) not in "\t\n"] + BIDIRECTIONAL


def entry(start: int, end: int, weight: float) -> dict[str, Any]:
    return {"start": start, "end": end, "weight": weight}


def shaded(word: str, shade: int) -> str:
    return f"\x1b[30;48;5;{shade}m{word}\x1b[0m"


def test_the_strongest_word_has_the_strongest_shade() -> None:
    assert shade_words("so good", [entry(3, 7, 1.0)]) == f"so {shaded('good', 208)}"
    weak, strong = entry(0, 2, 0.3), entry(3, 7, 0.6)
    assert shade_words("so good!", [weak, strong]) == f"{shaded('so', 222)} {shaded('good', 208)}!"


@pytest.mark.parametrize("scale", [1.0, 0.01, 1e-30])
@pytest.mark.parametrize(
    ("share", "shade"),
    [(0.1, 230), (0.19, 230), (0.2, 229), (0.4, 222), (0.6, 215), (0.79, 215), (0.8, 208), (0.99, 208)],
)
def test_shades_follow_the_share_of_the_largest_weight(share: float, shade: int, scale: float) -> None:
    # A little more than the share, so that rounding does not decide.
    attention = [entry(0, 1, share * scale * 1.0001), entry(2, 3, scale)]
    assert shade_words("a b", attention) == f"{shaded('a', shade)} {shaded('b', 208)}"


@pytest.mark.parametrize("weight", [0.0, 0.05, 0.0999])
def test_a_weak_word_is_not_shaded(weight: float) -> None:
    assert shade_words("a b", [entry(0, 1, weight), entry(2, 3, 1.0)]) == f"a {shaded('b', 208)}"


def test_nothing_to_shade() -> None:
    assert shade_words("", []) == ""
    assert shade_words("so good", []) == "so good"
    assert shade_words("so good", [entry(0, 2, 0.0), entry(3, 7, 0.0)]) == "so good"
    assert shade_words("so good", [entry(3, 3, 1.0)]) == "so good"
    assert shade_words("", [entry(0, 0, 1.0)]) == ""


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([(0, 4), (0, 4), (0, 4)], [("good", 208), (" day", None)]),
        ([(0, 6), (2, 4)], [("good d", 208), ("ay", None)]),
        ([(0, 3), (2, 8)], [("goo", 208), ("d day", 208)]),
        ([(2, 4), (0, 4), (5, 8)], [("go", None), ("od", 208), (" ", None), ("day", 208)]),
        ([(0, 8), (0, 4), (6, 8)], [("good day", 208)]),
        ([(5, 99)], [("good ", None), ("day", 208)]),
    ],
)
def test_overlapping_spans_show_every_letter_once(
    spans: list[tuple[int, int]], expected: list[tuple[str, int | None]]
) -> None:
    shown = shade_words("good day", [entry(start, end, 0.5) for start, end in spans])
    assert shown == "".join(word if shade is None else shaded(word, shade) for word, shade in expected)


@pytest.mark.parametrize("control", CONTROLS, ids=ascii)
def test_control_characters_are_replaced_everywhere(control: str) -> None:
    text = f"{control}a{control}b{control} c{control}"
    shown = shade_words(text, [entry(1, 4, 1.0), entry(6, 7, 0.5)])
    assert control not in ESCAPES.sub("", shown)
    assert ESCAPES.sub("", shown) == "�a�b� c�" == printable(text)
    assert len(ESCAPES.findall(shown)) == 4


def test_an_escape_sequence_of_the_text_cannot_colour_or_clear() -> None:
    assert printable("\x1b[31mred\x1b[2J\x9b5m\x07") == "�[31mred�[2J�5m�"


def test_line_breaks_and_tabs_are_shown_as_spaces() -> None:
    assert printable("a\nb\r\nc\td\n\ne") == "a b c d  e"
    assert shade_words("a\nb\tc", [entry(2, 3, 1.0)]) == f"a {shaded('b', 208)} c"
    assert printable("a\rb") == "a�b"


@pytest.mark.parametrize("text", ["שלום עולם", "👩‍👩‍👧‍👦 é e\u0301", "这是 一个", "\ud83d \U0001f600", "�"])
def test_other_text_is_left_alone(text: str) -> None:
    assert printable(text) == text
    split = text.find(" ") + 1
    shown = shade_words(text, [entry(0, split, 0.2), entry(split, len(text), 1.0)])
    assert ESCAPES.sub("", shown) == text


def test_bold() -> None:
    assert bold("good") == "\x1b[1mgood\x1b[0m"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("settings", "coloured"),
    [
        ({"TERM": "xterm-256color"}, True),
        ({}, True),
        ({"NO_COLOR": ""}, True),
        ({"TERM": "dumb"}, False),
        ({"NO_COLOR": "1"}, False),
    ],
)
def test_colours_are_for_terminals_that_know_them(
    settings: dict[str, str], coloured: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TERM", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    assert has_colours(Terminal()) == coloured
    assert is_terminal(Terminal())
    for stream in (io.StringIO(), None):
        assert not has_colours(stream) and not is_terminal(stream)


def test_the_legend_has_all_shades_in_order() -> None:
    assert [int(shade) for shade in re.findall(r"48;5;(\d+)m", legend())] == SHADES
    assert ESCAPES.sub("", legend()).split() == ["attention:", "less", "more"]


def test_the_legend_stands_once_above_results_with_attention() -> None:
    stream = Terminal()
    writer = TableWriter(stream, several=False)
    plain = Result("so good", [{"label": "pos", "score": 0.5}])
    writer.write(plain)
    assert legend() not in stream.getvalue()
    for _ in range(2):
        writer.write(Result("so good", plain.labels, {"attention": [entry(3, 7, 1.0)]}))
    assert stream.getvalue().count(legend()) == 1

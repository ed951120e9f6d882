"""Texts of people in Markdown."""

from __future__ import annotations

import re

import pytest

from hfattnlstm.training.markdown import code_span, escaped, table


@pytest.mark.parametrize("name", ["a|b", "`code`", "two\nlines", "**bold**", "<b>", "f1_macro", "_x_", "[a](b)"])
def test_nothing_in_a_name_breaks_a_table(name: str) -> None:
    lines = table(["label", "F1"], [[escaped(name), "1"]]).splitlines()
    assert len(lines) == 3
    assert len(re.findall(r"(?<!\\)\|", lines[2])) == 3
    assert re.sub(r"\\(.)", r"\1", lines[2]) == f"| {' '.join(name.split())} | 1 |"


def test_only_marks_are_escaped() -> None:
    assert escaped("f1_macro good-bad") == "f1_macro good-bad"
    assert escaped("_x_ <b> `c`") == r"\_x\_ \<b\> \`c\`"


def test_code_with_backticks() -> None:
    assert code_span("neg") == "`neg`"
    assert code_span("a``b") == "```a``b```"
    assert code_span("`a\n b`") == "`` `a b` ``"

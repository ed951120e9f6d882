"""What sentences quote."""

from __future__ import annotations

from hfattnlstm.data.naming import quote


def test_long_and_many_names_are_shortened() -> None:
    assert quote(["a" * 40, "b" * 41]) == f"'{'a' * 40}', '{'b' * 39}…'"
    assert quote("abc") == "'a', 'b', 'c'"
    twenty = [str(number) for number in range(20)]
    assert quote(twenty) == ", ".join(map(repr, twenty))
    assert quote([*twenty, "20"]) == quote(twenty) + " and 1 more"

"""JSON lines and arrays whose columns are not all of one kind."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from hfattnlstm.data import json_files
from hfattnlstm.data.json_files import parse_json
from hfattnlstm.data.loading import load_texts, read_text_column


def parse(text: str) -> tuple[dict[str, list], dict[str, str]]:
    table, unreadable = parse_json(Path("a.jsonl"), text)
    return table.to_pydict(), unreadable


@pytest.mark.parametrize("size", [1, 2, 10_000])
def test_a_column_of_mixed_values_does_not_hinder_the_others(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(json_files, "_ROWS_AT_A_TIME", size)
    columns, unreadable = parse('{"text": "a", "id": 1}\n\n{"text": "b", "id": "x"}\n{"text": "c", "id": 2}\n')
    assert columns == {"text": ["a", "b", "c"]}
    assert unreadable == {"id": "holds a number in row 1, but text in row 2"}


@pytest.mark.parametrize("size", [1, 2, 10_000])
def test_whole_and_other_numbers_missing_keys_and_nulls_are_one_kind(
    monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(json_files, "_ROWS_AT_A_TIME", size)
    columns, unreadable = parse('{"score": 1}\n{"score": null, "late": "x"}\n{"score": 2.5}\n{}\n')
    assert columns == {"score": [1.0, None, 2.5, None], "late": [None, "x", None, None]}
    assert not unreadable


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (("true", "1"), "holds true or false in row 1, but a number in row 2"),
        (('["a"]', '"a"'), "holds a list in row 1, but text in row 2"),
        (('{"a": 1}', "[1]"), "holds an object in row 1, but a list in row 2"),
        (("123456789012345678901234567890", "1"), "cannot be read, "),
        (('[1, "a"]', "[]"), "cannot be read, "),
    ],
)
def test_kinds_that_do_not_go_together(values: tuple[str, str], reason: str) -> None:
    columns, unreadable = parse("".join(f'{{"text": "a", "other": {value}}}\n' for value in values))
    assert columns == {"text": ["a", "a"]}
    assert unreadable["other"].startswith(reason)


def test_such_a_column_is_an_error_where_it_is_needed(tmp_path: Path) -> None:
    path = tmp_path / "mixed.jsonl"
    rows = [
        f'{{"text": "good {row}", "label": "{"ab"[row % 2]}", "id": {row if row < 5 else chr(34) * 2}}}'
        for row in range(10)
    ]
    path.write_text("\n".join(rows))
    assert load_texts(path).num_rows == {"train": 8, "validation": 2}
    assert read_text_column(path) == [f"good {row}" for row in range(10)]
    message = "The column 'id' of the file .*mixed.jsonl holds a number in row 1, but text in row 6: give it one kind"
    with pytest.raises(ValueError, match=message):
        load_texts(path, label_column="id")
    with pytest.raises(ValueError, match=message):
        read_text_column(path, "id")


def test_files_that_were_joined_and_characters_that_end_lines_elsewhere() -> None:
    columns, _ = parse('\ufeff{"text": "a\u2028b"}\r\n\ufeff{"text": "c\x85"}\n\x1a')
    assert columns == {"text": ["a\u2028b", "c\x85"]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[{"text": "a"}, 7]', "a.jsonl must hold an array of objects, but entry 2 is a number"),
        ('{"text": "a"}\n7\n', "does not hold one JSON object a line: line 2 is a number"),
        ('{"text": "a"}\nnull\n', "line 2 is nothing"),
        ('{\n"text": "a"\n}', "does not hold one JSON object a line: .* in line 1"),
    ],
)
def test_what_is_no_object(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse(text)


def test_half_of_a_surrogate_pair_is_read_as_the_mark_for_it_and_told(caplog: pytest.LogCaptureFixture) -> None:
    text = (
        '{"text": "fine", "id": ["a"]}\n{"text": "cut \\ud83d here", "id": ["\\udc00"]}\n{"text": "\\ud83d\\ude00"}\n'
    )
    logger = logging.getLogger("hfattnlstm.data.json_files")
    logger.addHandler(caplog.handler)
    try:
        columns, unreadable = parse(text)
    finally:
        logger.removeHandler(caplog.handler)
    assert columns == {"text": ["fine", "cut \ufffd here", "\U0001f600"], "id": [["a"], ["\ufffd"], None]}
    assert unreadable == {}
    assert "Row 2 of the file a.jsonl has half of a surrogate pair in 'text'" in caplog.text

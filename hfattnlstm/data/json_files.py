"""Files of JSON objects; a column that mixes kinds of values is no fault until somebody needs it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
from transformers.utils import logging


logger = logging.get_logger(__name__)

_HALF_A_PAIR = re.compile("[\ud800-\udfff]")
_ROWS_AT_A_TIME = 10_000
_KINDS = {str: "text", bool: "true or false", int: "a number", float: "a number", list: "a list", dict: "an object"}


def parse_json(path: Path, text: str) -> tuple[pa.Table, dict[str, str]]:
    """The columns of objects, one a line or in an array.

    Args:
        path: The file, for errors.
        text: What it holds.

    Returns:
        The columns that have one kind of values, and for each other one, why it has not.

    Raises:
        ValueError: When the file does not hold objects; it names the line.
    """
    columns = _Columns(path)
    rows = json_rows(path, text)
    while part := list(islice(rows, _ROWS_AT_A_TIME)):
        columns.add(part)
    return columns.finished()


def json_rows(path: Path, text: str) -> Iterator[dict[str, Any]]:
    """The objects themselves, one a line or in an array.

    Args:
        path: The file, for errors.
        text: What it holds.

    Raises:
        ValueError: When the file does not hold objects; it names the line.

    Example:

    ```python
    >>> list(json_rows(Path("a.jsonl"), '{"text": "good"}'))
    [{'text': 'good'}]
    ```
    """
    is_array = text.lstrip("\ufeff \t\r\n").startswith("[")
    return _array(path, text) if is_array else _rows_of_lines(path, text)


def _array(path: Path, text: str) -> Iterator[dict]:
    try:
        rows = json.loads(text.lstrip("\ufeff"))
    except json.JSONDecodeError as error:
        if error.msg == "Extra data":
            # A list a line, which is told by its first.
            yield from _rows_of_lines(path, text)
        raise ValueError(f"The file {path} is not JSON: line {error.lineno}, {error.msg}.") from None
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict):
            raise ValueError(f"The file {path} must hold an array of objects, but entry {number} is {_kind(row)}.")
        yield row


def _rows_of_lines(path: Path, text: str) -> Iterator[dict]:
    # Not splitlines, which also cuts at characters that JSON has inside its strings.
    for number, line in enumerate(text.split("\n"), start=1):
        line = line.lstrip("\ufeff").strip(" \t\r\x1a")
        if not line:
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise ValueError(
                f"The file {path} does not hold one JSON object a line: {error.msg} in line {number}."
            ) from None
        if not isinstance(row, dict):
            raise ValueError(f"The file {path} does not hold one JSON object a line: line {number} is {_kind(row)}.")
        yield row


def _kind(value: Any) -> str:
    return _KINDS.get(type(value), "nothing")


class _Columns:
    """Columns that grow part by part; a key that is missing in a row is a missing value."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows = 0
        self._parts: dict[str, list[pa.Array]] = {}
        self._kinds: dict[str, tuple[str, int]] = {}  # of the first value, and its row
        self._mixed: dict[str, str] = {}

    def add(self, part: list[dict]) -> None:
        for name in dict.fromkeys(key for row in part for key in row):
            if name not in self._parts:
                self._parts[name] = [pa.nulls(self._rows)]
            values = [row.get(name) for row in part]
            if name not in self._mixed and self._is_one_kind(name, values):
                self._append(name, values)
        self._rows += len(part)
        for name, arrays in self._parts.items():
            short = self._rows - sum(map(len, arrays))
            if short and name not in self._mixed:
                arrays.append(pa.nulls(short))

    def _is_one_kind(self, name: str, values: Iterable[Any]) -> bool:
        for row, value in enumerate(values, start=self._rows + 1):
            if value is None:
                continue
            kind = _kind(value)
            first, first_row = self._kinds.setdefault(name, (kind, row))
            if kind != first:
                self._mixed[name] = f"holds {first} in row {first_row}, but {kind} in row {row}"
                return False
        return True

    def _append(self, name: str, values: list[Any]) -> None:
        try:
            try:
                array = pa.array(values)
            except UnicodeEncodeError:
                array = pa.array(self._characters(name, values))
            self._parts[name].append(array)
        except (pa.ArrowException, OverflowError, TypeError) as error:
            self._mixed[name] = f"cannot be read, {' '.join(str(error).split())}"

    def _characters(self, name: str, values: list[Any]) -> list[Any]:
        """The values without what is no character, which is told."""
        whole = [_whole(value) for value in values]
        row = next(row for row, (old, new) in enumerate(zip(values, whole), self._rows + 1) if old != new)
        logger.warning(
            "Row %s of the file %s has half of a surrogate pair in %r, as where a text was cut inside a character: it "
            "is read as U+FFFD.",
            row,
            self._path,
            name,
        )
        return whole

    def finished(self) -> tuple[pa.Table, dict[str, str]]:
        columns = {}
        for name, arrays in self._parts.items():
            if name not in self._mixed:
                try:
                    columns[name] = _joined(arrays)
                except pa.ArrowException as error:
                    self._mixed[name] = f"cannot be read, {' '.join(str(error).split())}"
        return pa.table(columns), self._mixed


def _whole(value: Any) -> Any:
    if isinstance(value, str):
        return _HALF_A_PAIR.sub("\ufffd", value)
    if isinstance(value, list):
        return [_whole(one) for one in value]
    return {_whole(key): _whole(one) for key, one in value.items()} if isinstance(value, dict) else value


def _joined(arrays: list[pa.Array]) -> pa.ChunkedArray:
    """One column of parts that may be empty, or of whole numbers in one part and of others in the next."""
    tables = [pa.table({"column": array}) for array in arrays]
    return pa.concat_tables(tables, promote_options="permissive")["column"]

"""Tables of separated values, read strictly: what is not closed, misplaced or repeated is told with its row."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import pyarrow as pa
from transformers.utils import logging

from .naming import quote


logger = logging.get_logger(__name__)

TAB = "\t"
_BLANK = " \t\x1a"
# The first of those that give equally many columns.
_SEPARATORS = (",", ";", TAB, "|")
# What a spreadsheet writes in the first line for itself.
_SEPARATOR_LINE = re.compile(r'"?sep=([,;|\t])"?\r?\n', re.IGNORECASE)
_ROWS_AT_A_TIME = 10_000
_LONGEST_HEADER = 1 << 20
# Behind a quote that is not closed, all of a file is one value.
_LONGEST_VALUE = 1 << 26
_MENDS = {
    True: "put a text that contains a separator, a quote or a line break in double quotes",
    False: "in a tsv a text has no tab and no line break, and quotes are a part of it; save other texts as csv",
}


def parse_csv(path: Path, text: str, separator: str | None = None) -> pa.Table:
    """The columns of a table that is in memory; see [`read_csv`]."""
    return pa.concat_tables(read_csv(path, lambda: io.StringIO(text, newline=""), separator))


def read_csv(
    path: Path, open_text: Callable[[], TextIO], separator: str | None = None, quietly: bool = False
) -> Iterator[pa.Table]:
    """The columns of a table piece by piece, all of strings as they are written.

    The separator of a csv is the one that divides its header into most columns, or that of a line `sep=;` above it. A
    quote at the beginning of a value opens it, in a tsv it is a part of the text. Blank lines and rows are left out,
    and so are columns without a name.

    Args:
        path: The file, for errors.
        open_text: Opens it, with the ends of the lines as they are; called twice.
        separator: A tab for a tsv; found when it is None.
        quietly: Whether nothing is said of what is odd, but can be meant.

    Yields:
        Some thousands of rows; none in the first piece, which shows the columns.

    Raises:
        ValueError: For a quote that is not closed, a row with more or fewer values than the header, a header that
            comes again, or a name that comes twice; it names the row and the line.
    """
    with open_text() as stream:
        beginning = stream.read(_LONGEST_HEADER)
    line = _SEPARATOR_LINE.match(beginning) if separator is None else None
    found = separator or (line[1] if line else _find_separator(beginning))
    with open_text() as stream:
        if line:
            stream.readline()
        rows = _Rows(path, stream, found, quotes=separator != TAB)
        yield from _pieces(rows)
    if not quietly:
        rows.tell()


def _pieces(rows: _Rows) -> Iterator[pa.Table]:
    header = rows.header()
    kept = [index for index, name in enumerate(header) if name.strip()]
    names = [header[index] for index in kept]
    if len(set(names)) < len(names):
        raise ValueError(f"The header of the file {rows.path} names a column twice: {quote(names)}; rename one.")
    yield pa.table({name: pa.array([], pa.string()) for name in names})
    for part in rows.parts():
        yield pa.table({name: pa.array([row[index] for row in part], pa.string()) for name, index in zip(names, kept)})


def _find_separator(beginning: str) -> str:
    columns = {}
    with _long_values():
        for separator in _SEPARATORS:
            header = next(filter(None, csv.reader(io.StringIO(beginning, newline=""), delimiter=separator)), [])
            columns[separator] = len(header)
    return max(columns, key=columns.get)


class _Rows:
    """The rows of a table, each checked; a row is numbered from 1 below the header."""

    def __init__(self, path: Path, stream: TextIO, separator: str, quotes: bool):
        self.path = path
        self.separator = separator
        quoting = csv.QUOTE_MINIMAL if quotes else csv.QUOTE_NONE
        self._reader = csv.reader(stream, delimiter=separator, quoting=quoting, strict=True)
        self._quotes = quotes
        self._header: list[str] = []
        self._unnamed: list[int] = []
        self._number = 0
        self._line = 0  # where the row begins
        self._oddities: dict[str, str] = {}

    def header(self) -> list[str]:
        """The names of the columns, blank ones too."""
        with _long_values():
            self._header = self._next() or []
        self._unnamed = [index for index, name in enumerate(self._header) if not name.strip()]
        return self._header

    def parts(self) -> Iterator[list[list[str]]]:
        """The rows below the header, some thousands at a time."""
        part: list[list[str]] = []
        with _long_values():
            while (row := self._next()) is not None:
                self._number += 1
                part.append(self._checked(row))
                if len(part) == _ROWS_AT_A_TIME:
                    yield part
                    part = []
        if part:
            yield part

    def tell(self) -> None:
        """Say what is odd, but can be meant."""
        for sentence in self._oddities.values():
            logger.warning(sentence)

    def _next(self) -> list[str] | None:
        """The next row that is not blank; None at the end."""
        while True:
            self._line = self._reader.line_num + 1
            try:
                row = next(self._reader, None)
            except csv.Error as error:
                raise ValueError(self._unreadable(str(error))) from None
            # A line with nothing but quotes is an empty text of a table with one column.
            is_text = row == [""] and len(self._header) == 1
            if row is None or is_text or any(cell and cell.strip(_BLANK) for cell in row):
                return row

    def _where(self) -> str:
        return f"Row {self._number} of {self.path} (line {self._line})"

    def _unreadable(self, reason: str) -> str:
        self._number += 1
        where = self._where() if self._header else f"The header of {self.path}"
        if not any(of_quote in reason for of_quote in ("expected after", "end of data", "field limit")):
            return f"{where} cannot be read: {reason}."
        return (
            f"{where} opens a quote that no quote before a separator or the end of a line closes: remove it, or close "
            "it and double the quotes inside."
        )

    def _checked(self, row: list[str]) -> list[str]:
        width = len(self._header)
        if len(row) > width and not any(cell.strip() for cell in row[width:]):
            row = row[:width]
        if len(row) != width:
            raise ValueError(f"{self._where()} has {len(row)} columns, not {width}: {_MENDS[self._quotes]}.")
        # In a single column it may well be a text.
        if width > 1 and _same_names(row, self._header):
            raise ValueError(f"{self._where()} is the header again, as where two files were joined: remove it.")
        self._look_for_oddities(row)
        return row

    def _look_for_oddities(self, row: list[str]) -> None:
        if any(row[index] for index in self._unnamed):
            self._oddities.setdefault(
                "unnamed", f"{self._where()} has a value in a column without a name: such columns are left out."
            )
        if self._quotes and any("\n" in cell and self._looks_like_rows(cell) for cell in row):
            self._oddities.setdefault(
                "rows",
                f"{self._where()} holds several lines that look like rows of their own: if they are, remove the quote "
                "at its beginning.",
            )
        if not self._quotes and any(len(cell) > 1 and cell[0] == cell[-1] == '"' for cell in row):
            self._oddities.setdefault(
                "quotes",
                f"{self._where()} has a value in quotes, which in a tsv are a part of the text: if they are not meant "
                "so, save the file as csv.",
            )

    def _looks_like_rows(self, cell: str) -> bool:
        """Whether every whole line inside a value has as many separators as a row, and there are two or more."""
        lines, separators = cell.splitlines()[1:-1], len(self._header) - 1
        return len(lines) > 1 and separators > 0 and all(line.count(self.separator) == separators for line in lines)


def _same_names(row: Sequence[str], header: Sequence[str]) -> bool:
    # The mark at the beginning of a second file.
    return row[-1] == header[-1] and [row[0].lstrip("\ufeff"), *row[1:]] == list(header)


@contextmanager
def _long_values() -> Iterator[None]:
    """Let a text be longer than the 131,072 characters that the csv module takes a value for."""
    before = csv.field_size_limit(_LONGEST_VALUE)
    try:
        yield
    finally:
        csv.field_size_limit(before)

"""Tables with a word a row, of which a column says which words make up a sentence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from .columns import WORD_COLUMNS
from .naming import quote
from .text_lines import lines_of_file


# How the columns are called, in any case.
_SENTENCES = (
    *("sentence #", "sentence_id", "sentence_number", "sentence_idx", "sentence_index", "sentence", "sent_id", "sent"),
    *("sentence id", "sentence number"),
)
# A row and its number.
_Row = tuple[int, Mapping[str, Any]]


class WordColumns(NamedTuple):
    """Names of the columns of words, and of what is equal for the words of a sentence; None where there is none."""

    words: str
    sentences: str | None


def word_columns(row: Mapping[str, Any], tokens_column: str | None = None) -> WordColumns | None:
    """The columns of a table with a word a row, by one of its rows; None where it is none.

    Args:
        row: The row.
        tokens_column: The column of the words; found by its name without.

    Example:

    ```python
    >>> word_columns({"Sentence #": "Sentence: 1", "Word": "Paris", "Tag": "B-geo"})
    WordColumns(words='Word', sentences='Sentence #')
    ```
    """
    names = {name.casefold(): name for name in row}
    words = tokens_column or next((names[name] for name in WORD_COLUMNS if name in names), None)
    if words is None or not isinstance(row.get(words), str):
        return None
    return WordColumns(words, next((names[name] for name in _SENTENCES if names.get(name, words) != words), None))


def first_cells(path: Path) -> list[str]:
    """What stands between the tabs of the first line of a file.

    Example:

    ```python
    >>> len(first_cells(Path("train.conll"))) > 0
    True
    ```
    """
    return [cell.strip() for cell in next(lines_of_file(path, f"The file {path}"), "").split("\t")]


def names_word_rows(cells: Iterable[str]) -> bool:
    """Whether a first line names the columns of a table with a word a row.

    Example:

    ```python
    >>> names_word_rows(["Sentence #", "Word", "Tag"]), names_word_rows(["word", "tag"])
    (True, False)
    ```
    """
    columns = word_columns(dict.fromkeys(cells, "word"))
    return columns is not None and columns.sentences is not None


def joined_rows(rows: Iterator[_Row], columns: WordColumns, origin: str) -> Iterator[_Row]:
    """A row a sentence, with the number of its first one: lists of what stood in the rows of its words.

    Where the column of sentences is empty, the sentence goes on.

    Args:
        rows: The rows with their numbers.
        columns: Those that are read.
        origin: Where the rows come from, for errors.

    Raises:
        ValueError: No column says which words make up a sentence, or a row has no word.

    Example:

    ```python
    >>> rows = enumerate([{"id": 1, "word": "In"}, {"id": 1, "word": "Paris"}, {"id": 2, "word": "Yes"}], 1)
    >>> [(number, row["word"]) for number, row in joined_rows(rows, WordColumns("word", "id"), "the file a.csv")]
    [(1, ['In', 'Paris']), (3, ['Yes'])]
    ```
    """
    sentence: list[Mapping[str, Any]] = []
    first, current = 0, None
    for number, row in rows:
        if columns.sentences is None:
            raise ValueError(
                f"There is a word a row in {origin}, and none of its columns, {quote(row)}, says which of them make "
                "up a sentence: add one, such as sentence_id."
            )
        if not row.get(columns.words):
            raise ValueError(f"Row {number} of {origin} has no word in {columns.words!r}: write one, or leave it out.")
        own = row.get(columns.sentences)
        if sentence and own not in (None, "", current):
            yield first, _joined(sentence)
            sentence = []
        if not sentence:
            first = number
        current = current if own in (None, "") else own
        sentence.append(row)
    if sentence:
        yield first, _joined(sentence)


def _joined(rows: list[Mapping[str, Any]]) -> dict[str, list[Any]]:
    return {name: [row.get(name) for row in rows] for name in rows[0]}

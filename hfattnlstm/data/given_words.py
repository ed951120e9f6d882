"""Files whose words, or texts, are to be tagged."""

from __future__ import annotations

from pathlib import Path

from datasets import Dataset

from .columns import TEXT_COLUMNS, kind_of, text_column_of
from .conll import ENDINGS, is_header, read_conll
from .naming import quote
from .sources import read_source
from .tagged_texts import TOKEN_COLUMNS
from .text_lines import ending_of
from .word_rows import first_cells, joined_rows, names_word_rows, word_columns


# May be both a table and a file of columns without a header.
_TABLE = ".tsv"


def read_words_or_texts(
    path: str, text_column: list[str] | None = None, tokens_column: str | None = None
) -> list[str] | list[list[str]]:
    """The texts of a table, or lists of words where it has them, or the words of a file of columns.

    A .tsv file is a table where its first line says so, and has a word a line otherwise; a table may have a word a
    row, and a column that numbers its sentences.

    Args:
        path: A csv, tsv, JSON lines or parquet file, or one of `hfattnlstm.data.conll.ENDINGS`.
        text_column: Name of the column of the texts, in a list; found by its name without.
        tokens_column: Name of the column of lists of words; found by its name without.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file cannot be read, or has no such column.

    Example:

    ```python
    >>> read_words_or_texts("reviews.csv")[0]
    'Great food'
    ```
    """
    place = Path(path).expanduser()
    if ending_of(place) in ENDINGS and not (ending_of(place) == _TABLE and (text_column or _has_header(place))):
        for flag, named in (("text_column", text_column), ("tokens_column", tokens_column)):
            if named is not None:
                raise ValueError(f"--{flag} is for tables, and {path} has a word a line: leave it out.")
        return [sentence.words for sentence in read_conll(place, with_tags=False)]
    split = read_source(path, None)["train"]
    words = _words_of_table(split.data, path, tokens_column) if text_column is None else None
    return text_column_of(split, text_column)["text"][:] if words is None else words


def _words_of_table(rows: Dataset, path: str, named: str | None) -> list[list[str]] | None:
    """Lists of words, or the words of each sentence where each has a row; None where there are none."""
    first = next(iter(rows), {})
    lists = [name for name, feature in rows.features.items() if kind_of(feature) == "list"]
    lists = [name for name in lists if kind_of(rows.features[name].feature) == "string"]
    found = named if named in lists else next((name for name in TOKEN_COLUMNS if name in lists), None)
    if found is not None and named in (None, found):
        return [[word or "" for word in row or ()] for row in rows[found]]
    columns = word_columns(first, named)
    has_texts = any(name.lower() in TEXT_COLUMNS for name in first)
    if columns is not None and (columns.sentences is not None or named is not None or not has_texts):
        return [row[columns.words] for _, row in joined_rows(enumerate(rows, 1), columns, f"the file {path}")]
    if named is not None:
        raise ValueError(
            f"--tokens_column {named} is no column of words in {path}, which has {quote(first)}: name one that is, or "
            "the texts with --text_column."
        )
    return None


def _has_header(path: Path) -> bool:
    """Whether the first line names a column of texts, and none of tags of words; or columns of words and sentences."""
    cells = first_cells(path)
    return names_word_rows(cells) or (not is_header(cells) and any(cell.lower() in TEXT_COLUMNS for cell in cells))

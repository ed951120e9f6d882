"""Files whose words, or texts, are to be tagged."""

from __future__ import annotations

from pathlib import Path

from .columns import kind_of
from .conll import ENDINGS, read_conll
from .loading import read_text_column
from .sources import read_source
from .tagged_texts import TOKEN_COLUMNS
from .text_lines import ending_of


def read_words_or_texts(path: str, column: list[str] | None) -> list[str] | list[list[str]]:
    """The texts of a table, or lists of words where it has them, or the words of a file of columns.

    Args:
        path: A csv, tsv, JSON lines or parquet file, or one of `hfattnlstm.data.conll.ENDINGS`.
        column: Name of the column, in a list; found by its name without.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file cannot be read, or has no such column.

    Example:

    ```python
    >>> read_words_or_texts("reviews.csv", None)[0]
    'Great food'
    ```
    """
    if ending_of(Path(path)) in ENDINGS and ending_of(Path(path)) != ".tsv":
        if column is not None:
            raise ValueError(f"--text_column is for tables, and {path} has a word a line: leave it out.")
        return [sentence.words for sentence in read_conll(Path(path).expanduser(), with_tags=False)]
    split = read_source(path, None)["train"]
    features = split.data.features
    lists = [name for name in (column or TOKEN_COLUMNS) if kind_of(features.get(name)) == "list"]
    if lists and kind_of(features[lists[0]].feature) == "string":
        return [[word or "" for word in row or ()] for row in split.data[lists[0]]]
    return read_text_column(path, column)

"""Files whose words, or texts, are to be tagged."""

from __future__ import annotations

from pathlib import Path

from .columns import TEXT_COLUMNS, kind_of
from .conll import ENDINGS, is_header, read_conll
from .loading import read_text_column
from .naming import quote
from .sources import read_source
from .tagged_texts import TOKEN_COLUMNS
from .text_lines import ending_of, lines_of_file


# May be both a table and a file of columns without a header.
_TABLE = ".tsv"


def read_words_or_texts(
    path: str, text_column: list[str] | None = None, tokens_column: str | None = None
) -> list[str] | list[list[str]]:
    """The texts of a table, or lists of words where it has them, or the words of a file of columns.

    A .tsv file is a table where its first line names a column of texts, and has a word a line otherwise.

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
    if ending_of(place) in ENDINGS and not (ending_of(place) == _TABLE and (text_column or _names_texts(place))):
        for flag, named in (("text_column", text_column), ("tokens_column", tokens_column)):
            if named is not None:
                raise ValueError(f"--{flag} is for tables, and {path} has a word a line: leave it out.")
        return [sentence.words for sentence in read_conll(place, with_tags=False)]
    split = read_source(path, None)["train"]
    features = split.data.features
    lists = [name for name, feature in features.items() if kind_of(feature) == "list"]
    lists = [name for name in lists if kind_of(features[name].feature) == "string"]
    if tokens_column is not None and tokens_column not in lists:
        raise ValueError(
            f"--tokens_column {tokens_column} is no column with lists of words in {path}, which has "
            f"{quote(features)}: name one that is, or the texts with --text_column."
        )
    if text_column is not None and text_column[0] in lists:
        raise ValueError(f"The column {text_column[0]!r} of {path} has lists of words: name it with --tokens_column.")
    found = tokens_column or next((name for name in TOKEN_COLUMNS if name in lists), None)
    if found is not None and text_column is None:
        return [[word or "" for word in row or ()] for row in split.data[found]]
    return read_text_column(path, text_column)


def _names_texts(path: Path) -> bool:
    """Whether the first line names a column of texts, and none of tags of words."""
    cells = next(lines_of_file(path, f"The file {path}"), "").split("\t")
    return not is_header(cells) and any(cell.strip().lower() in TEXT_COLUMNS for cell in cells)

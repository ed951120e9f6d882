"""Texts of the files that flags name."""

from __future__ import annotations

from .._extras import needs_extra


def read_texts(flag: str, path: str, text_column: str | None) -> list[str]:
    """The texts of a table, for which the extra `train` is needed.

    Args:
        flag: The flag that names the file, for errors.
        path: A csv, tsv, JSON lines or parquet file.
        text_column: Column of the texts; found by its name when it is None.

    Raises:
        FileNotFoundError: There is no such file.
        ImportError: Without the extra `train`.
        ValueError: The file cannot be read, or has no such column.

    Example:
    ```python
    >>> read_texts("--file", "reviews.csv", None)
    ['Great food', 'Slow service', ...]
    ```
    """
    # Not at the top: who labels texts of the command line or of a .txt file needs no tables.
    with needs_extra(f"{flag} {path}"):
        from ..data.loading import read_text_column
    return read_text_column(path, text_column)

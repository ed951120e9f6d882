"""Texts of the files that flags name."""

from __future__ import annotations

from collections.abc import Sequence

from .._extras import needs_extra


def read_texts(flag: str, path: str, text_column: Sequence[str] | None) -> list[str] | list[list[str]]:
    """The texts of a table, for which the extra `train` is needed.

    Args:
        flag: The flag that names the file, for errors.
        path: A csv, tsv, JSON lines or parquet file.
        text_column: Column of the texts, or several, whose rows are lists; found by its name when it is None.

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


def chosen_columns(model: str, named: Sequence[str] | None, read: Sequence[str] | None) -> Sequence[str] | None:
    """The columns of a file that a model reads: those that are named, or those that it was trained on.

    Args:
        model: Its name, for errors.
        named: The value of `--text_column`.
        read: The `text_columns` of its configuration.

    Raises:
        ValueError: Another number of columns is named than the model reads.

    Example:

    ```python
    >>> chosen_columns("my-model", None, ["premise", "hypothesis"])
    ['premise', 'hypothesis']
    ```
    """
    if named is not None and len(named) != len(read or [None]):
        wanted = "single texts" if read is None else f"{len(read)} texts together, {' and '.join(read)}"
        raise ValueError(f"--text_column names {' and '.join(named)}, and {model} reads {wanted}: name as many.")
    return read if named is None else named

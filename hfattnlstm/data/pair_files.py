"""Files that only pairs of texts have: two with a text a line, and columns between tabs without a line of names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path

from datasets import Dataset
from transformers.utils import logging

from .._wording import option
from .csv_files import TAB
from .naming import quote
from .sources import FILE_ENDINGS, Split, read_source
from .text_lines import LINES_ENDING, ending_of, lines_of_file


logger = logging.get_logger(__name__)

SOURCE, TARGET = "source", "target"
# Columns that data sets of pairs have; the first is read.
PAIR_COLUMNS = (
    *((SOURCE, TARGET), ("src", "tgt"), ("src", "trg"), ("input", "output"), ("input", "target")),
    *(("input_text", "target_text"), ("text", "summary"), ("document", "summary"), ("article", "highlights")),
)
# Files with tabs between columns that may have no names.
_TABBED = (".tsv", LINES_ENDING)

# Names of the two columns, or their numbers, or None for both.
Named = tuple[str | None, str | None]


def is_two_files(source: object) -> bool:
    """Whether a source is two files with a text a line, or a mapping to such.

    Example:

    ```python
    >>> is_two_files(("train.de", "train.en"))
    True
    ```
    """
    if isinstance(source, Mapping):
        return any(map(is_two_files, source.values()))
    return isinstance(source, (tuple, list)) and len(source) == 2


def read_pair_source(source: object, config_name: str | None, named: Named) -> dict[str, Split]:
    """The splits of a source of [`load_pairs`]; files of columns or of lines, which only pairs have, are read here.

    Args:
        source, config_name: As in [`load_pairs`].
        named: The columns that somebody has named, or numbered where there is no line of names.

    Raises:
        FileNotFoundError: The source does not exist.
        ValueError: A file is not as it should be.

    Example:

    ```python
    >>> read_pair_source("pairs.tsv", None, (None, None))["train"].data.column_names
    ['source', 'target']
    ```
    """
    if not isinstance(source, (Mapping, tuple, list)) and not _may_lack_names(source):
        return read_source(source, config_name)
    parts = source if isinstance(source, Mapping) else {"train": source}
    read = {name: _read_part(part, named) for name, part in parts.items()}
    return read_source(read, config_name)


def _may_lack_names(source: object) -> bool:
    if not isinstance(source, (str, PathLike)):
        return False
    path = Path(source).expanduser()
    return ending_of(path) in _TABBED and path.is_file()


def _read_part(part: object, named: Named) -> object:
    if isinstance(part, (tuple, list)):
        if len(part) == 1:
            return _read_part(part[0], named)
        if len(part) != 2:
            raise ValueError(
                f"Pairs come from one table, or from two files with a text a line, and {len(part)} are named: "
                f"{quote(map(str, part))}."
            )
        return _read_lines(Path(part[0]).expanduser(), Path(part[1]).expanduser())
    if not _may_lack_names(part):
        return part
    return _read_columns(Path(part).expanduser(), named)


def _read_lines(source: Path, target: Path) -> Split:
    """Two files with a text a line."""
    texts = []
    for path in (source, target):
        if not path.is_file():
            raise FileNotFoundError(f"There is no file {path}: check its name.")
        if path.suffix in FILE_ENDINGS:
            raise ValueError(
                f"{path} is a table, and of two files each has a text a line: name one table, or two such files."
            )
        # Each line of the file is one, whatever else ends a line elsewhere.
        texts.append(list(lines_of_file(path, f"The file {path}", old_ends=False)))
    if source.resolve() == target.resolve():
        raise ValueError(f"Both files are {source}: name one with the sources, and one with the targets.")
    if len(texts[0]) != len(texts[1]):
        texts = [_without_blank_end(lines) for lines in texts]
    if len(texts[0]) != len(texts[1]):
        raise ValueError(
            f"The file {source} has {len(texts[0]):,} lines, and {target} has {len(texts[1]):,}: each line of the one "
            "must belong to that of the other."
        )
    return Split(Dataset.from_dict({SOURCE: texts[0], TARGET: texts[1]}), f"files {source} and {target}")


def _without_blank_end(lines: list[str]) -> list[str]:
    last = max((number for number, line in enumerate(lines, 1) if line.strip()), default=0)
    return lines[:last]


def _read_columns(path: Path, named: Named) -> object:
    """A file with tabs: a table, if its first line names the columns; else two of its columns are the pairs."""
    lines = lines_of_file(path, f"The file {path}")
    first = next(lines).split(TAB)
    if _has_names(first, named):
        if ending_of(path) == LINES_ENDING:
            raise ValueError(f"The first line of {path} has the names of columns: call such a file .tsv.")
        return path
    rows = [first, *(line.split(TAB) for line in lines if line)]
    columns = [int(name) for name in named if name is not None] or [1, 2]
    _check_columns(path, rows, columns)
    texts = [[row[number - 1] for row in rows] for number in columns]
    if named[0] is not None:
        return Split(Dataset.from_dict(dict(zip(named, texts))), f"file {path}")
    logger.warning(
        "The first line of %s has no names of columns that are known: the first column is taken for what is read, "
        "such as %r, and the second for what is written, such as %r; %s and %s say otherwise.",
        path,
        *first[:2],
        option("source_column", "2"),
        option("target_column", "1"),
    )
    return Split(Dataset.from_dict(dict(zip((SOURCE, TARGET), texts))), f"file {path}")


def _check_columns(path: Path, rows: Sequence[Sequence[str]], columns: Sequence[int]) -> None:
    width = len(rows[0])
    if width > 1 and not 1 <= min(columns) <= max(columns) <= width:
        raise ValueError(
            f"The file {path} has no line of names, and {width} columns: {option('source_column')} and "
            f"{option('target_column')} are numbers from 1 to {width}."
        )
    short = next((number for number, row in enumerate(rows, 1) if len(row) < max(2, *columns)), None)
    if short is not None:
        raise ValueError(
            f"The file {path} has no tab in row {short} before a target: each row has a source and a target, with a "
            "tab between them. Or name two files with a text a line."
        )
    if columns == [1, 2] and width > 2 and all(row[0].isdecimal() for row in rows):
        raise ValueError(
            f"The first of the {width} columns of {path} holds only numbers: name the two that are pairs, such as "
            f"{option('source_column', '2')} and {option('target_column', '3')}."
        )


def _has_names(cells: Sequence[str], named: Named) -> bool:
    own = {cell.strip().lower() for cell in cells}
    if named[0] is None:
        return any(set(pair) <= own for pair in PAIR_COLUMNS)
    # What somebody names must be there, and the sentence of a slip shows what there is.
    return not all(name.isdecimal() for name in named) or set(named) <= own

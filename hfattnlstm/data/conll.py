"""Files of words and tags in columns, a word a line and a blank line between sentences, as CoNLL's tasks have them."""

from __future__ import annotations

import re
from itertools import groupby
from pathlib import Path

from transformers.utils import logging

from .._wording import option
from .columns import WORD_COLUMNS
from .naming import quote
from .tags import TaggedSentence
from .text_lines import lines_of_file


logger = logging.get_logger(__name__)

ENDINGS = (
    ".conll",
    ".conllu",
    ".conllx",
    ".conll03",
    ".bio",
    ".iob",
    ".iob2",
    ".bioes",
    ".txt",
    ".tsv",
    ".bmes",
    ".ner",
)
# The columns of CoNLL-U.
_UNIVERSAL = ("id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")
# A word of several words, or one that is not in the text.
_NO_WORD = re.compile(r"\d+[-.]\d+")
_NUMBER = re.compile(r"\d+([-.]\d+)?")
_DOCUMENT = "-DOCSTART-"
_COMMENT = re.compile(r"#\s*(id|sent_id|text|newdoc|newpar|source|global\.columns)\b")

# What the first line calls the columns of words and of tags, where it is a header.
_WORD_NAMES = (*WORD_COLUMNS, "text")
_TAG_NAMES = ("tag", "tags", "label", "labels", "ner", "ner_tag", "ner_tags", "pos", "upos", "xpos", "chunk", "entity")

# The number of a line, and its columns.
_Row = tuple[int, list[str]]


def read_conll(path: Path, label_column: str | None = None, with_tags: bool = True) -> list[TaggedSentence]:
    """The sentences of a file of columns.

    Columns are set off by tabs, or by spaces where no line has a tab. The word is in the first one, its tag in the
    last; in CoNLL-U, which is known by its ten columns and its numbers, they are in the second and in that of the
    universal tag. Comments, lines of `-DOCSTART-`, words of several words and a first line that names the columns are
    left out.

    Args:
        path: The file, which may be compressed.
        label_column: The column of the tags: its number, counted from 1, or its name, where the first line names the
            columns, or such as `xpos` in CoNLL-U.
        with_tags: Whether there must be tags; without, words alone are read, and no tags.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is no UTF-8 text, has no such column, or lines with other numbers of columns; the line is named.

    Example:

    ```python
    >>> read_conll(Path("train.conll"))[0].words
    ['In', 'Paris']
    ```
    """
    lines = list(enumerate(lines_of_file(path, f"The file {path}"), 1))
    separator = "\t" if any("\t" in line for _, line in lines) else None
    rows = [(number, _cells(line, separator)) for number, line in lines if not _is_comment(line, separator)]
    sentences = [
        [row for row in group if row[1][0] != _DOCUMENT] for filled, group in groupby(rows, _is_filled) if filled
    ]
    sentences = [sentence for sentence in sentences if sentence]
    if not sentences:
        raise ValueError(f"The file {path} has no words: give a file with a word and its tag a line.")
    names = None
    if is_header(sentences[0][0][1]):
        names = sentences[0].pop(0)[1]
        logger.warning("The first line of %s is read for the names of its columns, %s.", path, quote(names))
        sentences = [sentence for sentence in sentences if sentence]
        if not sentences:
            raise ValueError(f"The file {path} has the names of its columns, and no words: add them.")
    first = sentences[0][0][1]
    universal = len(first) == len(_UNIVERSAL) and _NUMBER.fullmatch(first[0]) is not None
    if universal:
        sentences = [[row for row in rows if not _NO_WORD.fullmatch(row[1][0])] for rows in sentences]
    if not with_tags:
        return [_sentence(path, rows, int(universal), None, None) for rows in sentences if rows]
    names = list(_UNIVERSAL) if universal else names
    word, tag = _columns(path, len(first), universal, names, None if label_column is None else str(label_column))
    return [_sentence(path, rows, word, tag, len(first)) for rows in sentences if rows]


def is_header(cells: list[str]) -> bool:
    """Whether a line names columns of words and tags, and has none.

    Example:

    ```python
    >>> is_header(["Token", "POS", "Tag"]), is_header(["Paris", "B-LOC"])
    (True, False)
    ```
    """
    return len(cells) > 1 and cells[0].lower() in _WORD_NAMES and cells[-1].lower() in _TAG_NAMES


def _cells(line: str, separator: str | None) -> list[str]:
    if separator is None:
        # At spaces alone: a no-break space may stand inside of a word.
        return [cell for cell in line.strip().split(" ") if cell]
    return [cell.strip() for cell in line.split(separator)] if line.strip() else []


def _is_filled(row: _Row) -> bool:
    return bool(row[1])


def _is_comment(line: str, separator: str | None) -> bool:
    """Of columns between tabs, a line that begins with a number sign and has none; between spaces, one that names what
    comments are about, for a number sign may be a word."""
    if separator is None:
        return _COMMENT.match(line) is not None
    return line.startswith("#") and separator not in line


def _columns(path: Path, count: int, universal: bool, names: list[str] | None, named: str | None) -> tuple[int, int]:
    """Places of the words and the tags; the columns may have names."""
    if count < 2:
        raise ValueError(
            f"The file {path} has one column: give a file with a word and its tag a line, with a tab or a space "
            "between them."
        )
    if named is None:
        return (1, _UNIVERSAL.index("upos")) if universal else (0, count - 1)
    known = [name.lower() for name in names or ()]
    if named.lower() in known:
        return int(universal), known.index(named.lower())
    if not named.isdecimal() or not 1 <= int(named) <= count:
        others = f", or one of {quote(names)}" if names else ""
        raise ValueError(
            f"{option('label_column', named)} is no column of the file {path}: give a number from 1 to "
            f"{count}{others}."
        )
    return int(universal), int(named) - 1


def _sentence(path: Path, rows: list[_Row], word: int, tag: int | None, count: int | None) -> TaggedSentence:
    """With tags, each line must have as many columns as the first of the file, `count`."""
    for number, cells in rows:
        if count is not None and len(cells) != count:
            raise ValueError(
                f"The file {path} has {len(cells)} column{'s' * (len(cells) != 1)} in line {number}, and {count} in "
                "its first line with a word: give every line the same columns."
            )
        if word >= len(cells) or not cells[word]:
            raise ValueError(f"The file {path} has no word in line {number}: write one, or leave the line out.")
        if tag is not None and not cells[tag]:
            raise ValueError(
                f"The file {path} has no tag in line {number}, column {tag + 1}: give every word its tag, or name "
                f"another column with {option('label_column')}."
            )
    numbers, cells = zip(*rows)
    tags = [] if tag is None else [row[tag] for row in cells]
    return TaggedSentence([row[word] for row in cells], tags, f"The file {path}", numbers)

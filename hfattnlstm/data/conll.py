"""Files of words and tags in columns, a word a line and a blank line between sentences, as CoNLL's tasks have them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

from .._wording import option
from .naming import quote
from .tags import TaggedSentence
from .text_lines import lines_of_file


ENDINGS = (".conll", ".conllu", ".conllx", ".conll03", ".bio", ".iob", ".iob2", ".bioes", ".txt", ".tsv", ".bmes", ".ner")
# The columns of CoNLL-U.
_UNIVERSAL = ("id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")
# A word of several words, or one that is not in the text.
_NO_WORD = re.compile(r"\d+[-.]\d+")
_NUMBER = re.compile(r"\d+")
_DOCUMENT = "-DOCSTART-"


def read_conll(path: Path, label_column: str | None = None, with_tags: bool = True) -> list[TaggedSentence]:
    """The sentences of a file of columns.

    Columns are set off by tabs, or by white space where no line has a tab. The word is in the first one, its tag in the
    last; in CoNLL-U, which is known by its ten columns and its numbers, they are in the second and in that of the
    universal tag. Comments, lines of `-DOCSTART-` and words of several words are left out.

    Args:
        path: The file, which may be compressed.
        label_column: The column of the tags: its number, counted from 1, or in CoNLL-U its name, such as `xpos`.
        with_tags: Whether there must be tags; without, words alone are read, and no tags.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is no UTF-8 text, has no such column, or lines with other numbers of columns; the line is named.

    Example:

    ```python
    >>> read_conll(Path("train.conll"))[0].words
    ['EU', 'rejects', 'German', 'call']
    ```
    """
    lines = list(enumerate(lines_of_file(path, f"The file {path}"), 1))
    separator = "\t" if any("\t" in line for _, line in lines) else None
    rows = [(number, _cells(line, separator)) for number, line in lines if not _is_comment(line, separator)]
    sentences = [[row for row in group if row[1][0] != _DOCUMENT] for filled, group in groupby(rows, _is_filled) if filled]
    sentences = [sentence for sentence in sentences if sentence]
    if not sentences:
        raise ValueError(f"The file {path} has no words: give a file with a word and its tag a line.")
    universal = len(sentences[0][0][1]) == len(_UNIVERSAL) and _NUMBER.fullmatch(sentences[0][0][1][0]) is not None
    if universal:
        sentences = [[row for row in rows if not _NO_WORD.fullmatch(row[1][0])] for rows in sentences]
    if not with_tags:
        place = int(universal)
        return [TaggedSentence([row[place] for _, row in rows], [], f"The file {path}") for rows in sentences if rows]
    word, tag = _columns(path, len(sentences[0][0][1]), universal, label_column)
    return [_sentence(path, rows, word, tag) for rows in sentences if rows]


def _cells(line: str, separator: str | None) -> list[str]:
    if separator is None:
        return line.split()
    return [cell.strip() for cell in line.split(separator)] if line.strip() else []


def _is_filled(row: tuple[int, list[str]]) -> bool:
    return bool(row[1])


def _is_comment(line: str, separator: str | None) -> bool:
    """Of columns between tabs, a line that begins with a number sign and has none; else no word is a comment."""
    return line.startswith("#") and separator is not None and separator not in line


def _columns(path: Path, count: int, universal: bool, named: str | None) -> tuple[int, int]:
    """Places of the words and the tags."""
    if count < 2:
        raise ValueError(
            f"The file {path} has one column: give a file with a word and its tag a line, with a tab or a space "
            "between them."
        )
    if named is None:
        return (1, _UNIVERSAL.index("upos")) if universal else (0, count - 1)
    if universal and named.lower() in _UNIVERSAL:
        return 1, _UNIVERSAL.index(named.lower())
    if not named.isdigit() or not 1 <= int(named) <= count:
        names = f", or one of {quote(_UNIVERSAL)}" if universal else ""
        raise ValueError(
            f"{option('label_column', named)} is no column of the file {path}: give a number from 1 to {count}{names}."
        )
    return (1 if universal else 0), int(named) - 1


def _sentence(path: Path, rows: list[tuple[int, list[str]]], word: int, tag: int) -> TaggedSentence:
    first = rows[0][0]
    count = len(rows[0][1])
    for number, cells in rows:
        if max(word, tag) >= len(cells) or not cells[word] or not cells[tag]:
            raise ValueError(
                f"The file {path} has {len(cells)} column{'s' * (len(cells) != 1)} in line {number}, and {count} in "
                f"line {first}: give every word its tag."
            )
    numbers, cells = zip(*rows)
    return TaggedSentence([row[word] for row in cells], [row[tag] for row in cells], f"The file {path}", numbers)


def write_conll(sentences: Iterable[tuple[list[str], list[str]]]) -> Iterator[str]:
    """Lines of words and tags, with a tab between them and a blank line behind each sentence.

    Example:

    ```python
    >>> list(write_conll([(["Paris"], ["B-LOC"])]))
    ['Paris\\tB-LOC', '']
    ```
    """
    for words, tags in sentences:
        yield from ("\t".join(pair) for pair in zip(words, tags))
        yield ""

"""`hfattnlstm predict` with a tagger: spans and tags of texts, or of words that are given."""

from __future__ import annotations

import argparse
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Set
from itertools import islice
from pathlib import Path
from typing import Any

from transformers import PretrainedConfig

from .._extras import needs_extra
from .._files import written_beside
from ..data.progress import no_progress_bars
from ..data.text_lines import LINES_ENDING, ending_of, lines_of_file
from .inputs import is_conversation, read_inputs
from .models import load_tagger
from .options import TAGS, check_flags_of_kind
from .outputs import check_form
from .tag_results import TagWriter, writer_of


# Forms in which tags are printed and written.
FORMS = ("table", "jsonl", "json", "conll", "html")
# Lines of a .txt file by which it is seen whether it has a word a line.
_LOOKED_AT = 20
# What stands in place of a text: words, which are not cut again.
Given = str | list[str]


def predict_tags(parsed: argparse.Namespace, form: str, config: PretrainedConfig) -> int:
    """Tag texts and print or write what was found.

    Args:
        parsed: The command line of `hfattnlstm predict`.
        form: What is written, see [`choose_form`].
        config: Of the tagger.

    Returns:
        The exit status.

    Raises:
        OSError: For a model or a file that cannot be read or written.
        ValueError: For a file or a flag that cannot be used.

    Example:

    ```python
    >>> from hfattnlstm.commands.models import load_config
    >>> predict_tags(parsed, "table", load_config("my-tagger"))
    In [LOC Paris]
    0
    ```
    """
    _check_flags(parsed, form)
    with no_progress_bars():
        given = read_given(parsed, set(config.id2label.values()))
        tagger = load_tagger(parsed.model, config, parsed.trust_remote_code)
    spans = config.tagging_scheme is not None
    found = _one_by_one(tagger, given) if is_conversation(parsed) else _streamed(tagger, given, parsed.batch_size)
    if parsed.output is None:
        _write(found, writer_of(form, sys.stdout, spans, parsed.model))
        return 0
    with written_beside(parsed.output) as path, open(path, "a", encoding="utf-8", newline="") as stream:
        _write(found, writer_of(form, stream, spans, parsed.model))
    return 0


def _write(found: Iterable[tuple[Given, dict[str, Any]]], writer: TagWriter) -> None:
    for given, result in found:
        writer.write(given, result)
    writer.finish()


def _check_flags(parsed: argparse.Namespace, form: str) -> None:
    check_flags_of_kind(parsed, TAGS)
    check_form(parsed, form, FORMS, "tags")


def read_given(parsed: argparse.Namespace, tags: Set[str] = frozenset()) -> Iterable[Given]:
    """The texts, or the words of a file that has them already.

    Files of columns have a word a line; of tables, a column of lists of words is read as it is.

    Args:
        parsed: The command line.
        tags: Those of the model, by which a file of columns is known that has the ending of texts.

    Raises:
        ValueError: The file cannot be used.
    """
    if parsed.file is None or ending_of(Path(parsed.file)) == LINES_ENDING:
        if parsed.file is not None and _has_columns(Path(parsed.file).expanduser(), tags):
            raise ValueError(
                f"The file {parsed.file} has a word and its tag a line, and .txt is for a text a line: rename it to "
                "end in .conll."
            )
        return read_inputs(parsed)
    with needs_extra(f"--file {parsed.file}"):
        from ..data.given_words import read_words_or_texts
    return read_words_or_texts(parsed.file, parsed.text_column, parsed.tokens_column)


def _has_columns(path: Path, tags: Set[str]) -> bool:
    """Whether the first lines of a file all end in a tag."""
    if not path.is_file():
        return False
    lines = islice((line.split() for line in lines_of_file(path, f"The file {path}")), _LOOKED_AT)
    cells = [line for line in lines if line]
    return bool(cells) and all(len(line) > 1 and line[-1] in tags for line in cells)


def _streamed(tagger: Any, given: Iterable[Given], batch_size: int | None) -> Iterator[tuple[Given, dict[str, Any]]]:
    """Each text with its result; the pipeline reads ahead, so the texts are kept until their results come."""
    waiting: deque[Given] = deque()

    def remembered() -> Iterator[Any]:
        for each in given:
            waiting.append(each)
            yield each if isinstance(each, str) else {"tokens": each}

    for result in tagger(remembered(), **({} if batch_size is None else {"batch_size": batch_size})):
        yield waiting.popleft(), result


def _one_by_one(tagger: Any, given: Iterable[Given]) -> Iterator[tuple[Given, dict[str, Any]]]:
    for each in given:
        yield each, tagger(each)

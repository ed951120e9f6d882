"""`hfattnlstm predict` with a model that writes: a text from each text, and the alignment of the two."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, TextIO

from transformers import PretrainedConfig

from .._files import written_beside
from ..data.progress import no_progress_bars
from .arriving import Arrivals
from .inputs import is_conversation, is_stream, read_inputs
from .models import load_writer
from .options import TEXTS, check_flags_of_kind
from .outputs import check_form
from .terminal import printable


FORMS = ("table", "csv", "tsv", "jsonl", "json", "html")
# Those that have the alignment, which costs a little.
_ALIGNED = ("jsonl", "json", "html")
_AT_ONCE = 1_024
_COLUMNS = ("text", "generated_text", "score")


def predict_texts(parsed: argparse.Namespace, form: str, config: PretrainedConfig) -> int:
    """Write a text from each text, and print or write them.

    Args:
        parsed: The command line of `hfattnlstm predict`.
        form: What is written, see [`choose_form`].
        config: Of the model.

    Returns:
        The exit status.

    Raises:
        OSError: For a model or a file that cannot be read or written.
        ValueError: For a file or a flag that cannot be used.

    Example:

    ```python
    >>> from hfattnlstm.commands.models import load_config
    >>> predict_texts(parsed, "table", load_config("translator"))
    A dog barks.
    0
    ```
    """
    check_flags_of_kind(parsed, TEXTS)
    check_form(parsed, form, FORMS, "texts")
    with no_progress_bars():
        texts = read_inputs(parsed)
        writer = load_writer(parsed.model, config, parsed.trust_remote_code)
    options: dict[str, Any] = {"alignment": form in _ALIGNED}
    options |= {
        name: getattr(parsed, name)
        for name in ("num_beams", "copy_unknown", "batch_size")
        if getattr(parsed, name) is not None
    }
    bursts = Arrivals(texts).bursts() if is_stream(parsed) else [texts]
    at_once = 1 if is_conversation(parsed) else _AT_ONCE
    found = (one for burst in bursts for one in _written(writer, burst, at_once, options))
    if parsed.output is None:
        _FORMS[form](found, sys.stdout, parsed.model)
        return 0
    with written_beside(parsed.output) as path, open(path, "a", encoding="utf-8", newline="") as stream:
        _FORMS[form](found, stream, parsed.model)
    return 0


def _written(
    writer: Any, texts: Iterable[str], at_once: int, options: dict[str, Any]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each text with its result."""
    remaining = iter(texts)
    while chunk := list(islice(remaining, at_once)):
        yield from zip(chunk, writer(chunk, **options))


def _write_table(found: Iterable[tuple[str, dict[str, Any]]], stream: TextIO, title: str) -> None:
    """A line each, in the order of the texts."""
    for _, result in found:
        stream.write(printable(" ".join(result["generated_text"].split())) + "\n")
        stream.flush()


def _write_separated(delimiter: str) -> Callable[..., None]:
    def write(found: Iterable[tuple[str, dict[str, Any]]], stream: TextIO, title: str) -> None:
        rows = csv.writer(stream, delimiter=delimiter, lineterminator="\n")
        rows.writerow(_COLUMNS)
        for text, result in found:
            # pandas ends a row at a lone "\r".
            cells = (text, result["generated_text"])
            rows.writerow([*(cell.replace("\r", " ") for cell in cells), repr(result["score"])])

    return write


def _write_lines(found: Iterable[tuple[str, dict[str, Any]]], stream: TextIO, title: str) -> None:
    for text, result in found:
        stream.write(json.dumps({"text": text, **result}, ensure_ascii=False) + "\n")
        stream.flush()


def _write_json(found: Iterable[tuple[str, dict[str, Any]]], stream: TextIO, title: str) -> None:
    begin = "[\n"
    for text, result in found:
        stream.write(begin + json.dumps({"text": text, **result}, ensure_ascii=False))
        begin = ",\n"
    stream.write("[]\n" if begin == "[\n" else "\n]\n")


def _write_page(found: Iterable[tuple[str, dict[str, Any]]], stream: TextIO, title: str) -> None:
    from ..explain.alignments import alignment_page

    rows = list(found)
    stream.write(alignment_page([result for _, result in rows], [text for text, _ in rows], title))


_FORMS: dict[str, Callable[[Iterable[tuple[str, dict[str, Any]]], TextIO, str], None]] = {
    "table": _write_table,
    "csv": _write_separated(","),
    "tsv": _write_separated("\t"),
    "jsonl": _write_lines,
    "json": _write_json,
    "html": _write_page,
}

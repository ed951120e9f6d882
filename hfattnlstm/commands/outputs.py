"""Where `predict` writes its results, and in which form."""

from __future__ import annotations

import argparse
import contextlib
import fnmatch
import io
import json
import os
import stat
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from .._extras import needs_extra
from .._files import check_writable, descriptor_of, is_stream, written_beside
from .mistakes import DISK_FULL
from .results import JsonLinesWriter, JsonWriter, ParquetWriter, SeparatedWriter, TableWriter, Writer
from .terminal import has_colours


# The form that belongs to an ending, and the value of --format that stands for it.
ENDINGS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".json": "json",
    ".parquet": "parquet",
    ".txt": "table",
    ".conll": "conll",
    ".html": "html",
}
FORMATS = {"table": ("table",), "csv": ("csv",), "tsv": ("tsv",), "json": ("jsonl", "json"), "conll": ("conll",)}
# What labels of texts are written in.
LABEL_FORMS = ("table", "csv", "tsv", "jsonl", "json", "parquet")
WITH_ATTENTION = ("jsonl", "json", "parquet")
# What a folder of a model has that these endings could write over.
_MODEL_FILES = (
    *("config.json", "*_config.json", "tokenizer*.json", "*.index.json", "vocab.*", "merges.txt", "added_tokens.json"),
    *("special_tokens_map.json", "trainer_state.json", "*_results.json", "tokenizer*.txt"),
)


def choose_form(output: str | None, wanted: str | None) -> str:
    """The form of the results, from the ending of `--output` or from `--format`.

    Args:
        output: The value of `--output`.
        wanted: The value of `--format`, one of `FORMATS`.

    Returns:
        One of `ENDINGS`' values.

    Raises:
        ValueError: For another ending, or one that contradicts `--format`.

    Example:

    ```python
    >>> choose_form("labels.csv", None), choose_form(None, "json")
    ('csv', 'jsonl')
    ```
    """
    ending = "" if output is None else Path(output).suffix.lower()
    if ending in ENDINGS:
        form = ENDINGS[ending]
        if wanted is not None and form not in FORMATS[wanted]:
            raise ValueError(f"--format {wanted} contradicts the ending of --output {output}: leave --format out.")
        return form
    if output is not None and not is_stream(output):
        raise ValueError(f"--output {output!r} must end in one of {', '.join(ENDINGS)}, which says what is written.")
    return FORMATS[wanted or "table"][0]


def check_form(parsed: argparse.Namespace, form: str, forms: Sequence[str], what: str) -> None:
    """Refuse a form in which something is not written.

    Args:
        parsed: The command line.
        form: From [`choose_form`].
        forms: In which it is.
        what: What is written, in the plural.

    Raises:
        ValueError: Names the flag, and what there is.

    Example:

    ```python
    >>> check_form(argparse.Namespace(output="a.csv", model="my-tagger"), "csv", ("jsonl",), "tags")
    Traceback (most recent call last):
    ValueError: --output a.csv is no form for the tags of my-tagger: name a file that ends in .jsonl.
    ```
    """
    if form in forms:
        return
    asked = f"--format {form}" if parsed.output is None else f"--output {parsed.output}"
    endings = [ending for ending, own in ENDINGS.items() if own in forms]
    formats = [name for name, own in FORMATS.items() if set(own) & set(forms)]
    mend = (
        f"choose {', '.join(formats)}" if parsed.output is None else f"name a file that ends in {', '.join(endings)}"
    )
    raise ValueError(f"{asked} is no form for the {what} of {parsed.model}: {mend}.")


def check_output(parsed: argparse.Namespace, form: str) -> None:
    """Make sure that the results can be written, and that nothing is lost by it.

    Raises:
        ImportError: pyarrow is missing for a parquet file.
        OSError: The file cannot be written.
        ValueError: It is what the texts are read from, or a file of the model; or standard output is closed.
    """
    if sys.stdout is None and (parsed.output is None or descriptor_of(parsed.output) == 1):
        raise ValueError("Standard output is closed, and the results would be lost: name a file by --output.")
    if parsed.output is not None:
        check_writable(parsed.output)
        check_model_files(parsed.output, parsed.model)
    if form == "parquet":
        with needs_extra(f"--output {parsed.output}"):
            import pyarrow.parquet  # noqa: F401
    read, written = _input_file(parsed), _status(_number(sys.stdout) if parsed.output is None else parsed.output)
    if read is None or written is None or not os.path.samestat(read, written) or not stat.S_ISREG(read.st_mode):
        return
    source = f"--file {parsed.file}" if parsed.file is not None else "standard input"
    target = "standard output" if parsed.output is None else f"--output {parsed.output}"
    raise ValueError(f"{target[0].upper()}{target[1:]} is the same file as {source}: write to another one.")


def report_is_printed(output: str | None) -> bool:
    """Whether a report is printed beside its JSON: what goes to standard output as JSON shall be nothing else."""
    return sys.stdout is not None and (output is None or descriptor_of(output) != 1)


def write_json(output: str, content: dict[str, Any]) -> None:
    """Write what was found as one JSON object, whole or not at all.

    Raises:
        OSError: The file cannot be written.
    """
    with written_beside(output) as unfinished, open(unfinished, "a", encoding="utf-8") as stream:
        stream.write(json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def check_model_files(output: str, model: str) -> None:
    """Refuse an output in the folder of a model that is called as one of its files.

    Raises:
        ValueError: Names both.
    """
    place = Path(model).expanduser().resolve()
    target = Path(output).expanduser().resolve()
    folder = place if place.is_dir() else place.parent if place.is_file() else None
    if target.parent == folder and any(fnmatch.fnmatch(target.name.lower(), name) for name in _MODEL_FILES):
        raise ValueError(f"--output {output} is called as a file of the model {model}: give another name.")


def _input_file(parsed: argparse.Namespace) -> os.stat_result | None:
    if parsed.texts:
        return None
    return _status(_number(sys.stdin) if parsed.file is None else parsed.file)


def _status(file: str | int | None) -> os.stat_result | None:
    """What the system says of a file or of an open one; None where there is none."""
    if file is None:
        return None
    try:
        return os.stat(os.path.expanduser(file) if isinstance(file, str) else file)
    except OSError:
        return None


def _number(stream: io.IOBase | None) -> int | None:
    try:
        return None if stream is None else stream.fileno()
    except (OSError, ValueError):
        return None


def shows_attention(output: str | None, form: str) -> bool:
    """Whether the attention on words can be seen in the results."""
    if form != "table":
        return form in WITH_ATTENTION
    # A device may be a terminal.
    return has_colours(sys.stdout) if output is None else is_stream(output)


@contextlib.contextmanager
def open_results(
    output: str | None, form: str, several: bool, explains: bool, text_columns: Sequence[str] | None = None
) -> Iterator[Writer]:
    """A writer of results; a file is in place when the block ends without an error, and is otherwise as it was.

    Args:
        output: The value of `--output`; standard output when it is None.
        form: See [`choose_form`].
        several: Whether a text can have any number of labels.
        explains: Whether the results have the attention.
        text_columns: Names of the texts that are read together; None for single ones.

    Raises:
        OSError: The file cannot be written, or the disk is full.

    Example:

    ```python
    >>> from hfattnlstm.commands.results import Result
    >>> with open_results("labels.csv", "csv", several=False, explains=False) as writer:
    ...     writer.write(Result("Not bad", [{"label": "positive", "score": 0.94}]))
    ```
    """
    if output is None:
        yield from _writing(_writer(sys.stdout, form, several, explains, text_columns))
        return
    binary = form == "parquet"
    with written_beside(output) as path:
        number = descriptor_of(path)
        # Line ends of a text stay as they are, and so does what is in a file that was open before.
        options = {"mode": "ab"} if binary else {"mode": "a", "encoding": "utf-8", "newline": ""}
        try:
            with open(path if number is None else os.dup(number), **options) as stream:
                yield from _writing(_writer(stream, form, several, explains, text_columns))
        except OSError as error:
            if error.errno in DISK_FULL:
                error.filename = output
            raise


def _writing(writer: Writer) -> Iterator[Writer]:
    yield writer
    writer.finish()


def _writer(stream: io.IOBase, form: str, several: bool, explains: bool, text_columns: Sequence[str] | None) -> Writer:
    if form == "parquet":
        return ParquetWriter(stream, several, text_columns, explains=explains)
    if form in ("csv", "tsv"):
        return SeparatedWriter(stream, several, text_columns, delimiter="," if form == "csv" else "\t")
    return {"table": TableWriter, "jsonl": JsonLinesWriter, "json": JsonWriter}[form](stream, several, text_columns)

"""Texts in many files, each of which is answered by a file of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet
from datasets import Dataset

from .._files import written_beside
from ..data.columns import text_column_of
from ..data.compression import COMPRESSED, open_text
from ..data.csv_files import TAB, read_csv
from ..data.json_files import json_rows
from ..data.naming import quote
from ..data.sources import FILE_ENDINGS, Split, text_of_file
from ..data.text_lines import LINES_ENDING, ending_of, lines_of_file


ENDINGS = (*FILE_ENDINGS, LINES_ENDING)
# Rows that are read, answered and written at once, whatever the size of a file is.
ROWS = 4_096
# Of the columns that are added.
LABEL, SCORE, LABELS, SCORES = "predicted_label", "predicted_score", "predicted_labels", "predicted_scores"


class Part(NamedTuple):
    """A file with texts, and the parquet file that answers it."""

    source: str
    target: str


class Answered(NamedTuple):
    """What has become of a part: how many rows it has, or why it could not be read."""

    part: Part
    rows: int
    error: str | None = None


def find_parts(folder: str | Path, output: str | Path) -> list[Part]:
    """The files of a folder and of those in it, with the files of the answers, which are arranged alike.

    Files that begin with "_" or "." are left out, as other programs for folders of parts do.

    Args:
        folder: With parquet, csv, tsv, JSON lines or .txt files, which may be compressed.
        output: The folder of the answers.

    Raises:
        ValueError: There are no such files.

    Example:

    ```python
    >>> Path("texts").mkdir()
    >>> _ = Path("texts/a.txt").write_text("Great food")
    >>> find_parts("texts", "answers")
    [Part(source='texts/a.txt', target='answers/a.txt.parquet')]
    ```
    """
    folder, output = Path(folder).expanduser(), Path(output).expanduser()
    parts = []
    for path in sorted(folder.rglob("*")):
        inner = path.relative_to(folder)
        hidden = any(name.startswith(("_", ".")) for name in inner.parts)
        if path.is_file() and not hidden and ending_of(path) in ENDINGS and not path.is_relative_to(output):
            name = inner.name if inner.suffix == ".parquet" else f"{inner.name}.parquet"
            parts.append(Part(str(path), str(output / inner.with_name(name))))
    if not parts:
        raise ValueError(
            f"The folder {folder} has no file that ends in one of {quote(ENDINGS)}, perhaps with one of "
            f"{quote(COMPRESSED)} behind: name another."
        )
    return parts


class PartPredictor:
    """Answers parts, or batches of texts, with the pipeline of a model; it can be pickled before its first call.

    Args:
        load: Gives the pipeline, in the process that answers.
        columns: Of the texts; found by their name when it is None.
        parameters: With which the pipeline is called.
        thresholds: Of the labels, where a text can have several.

    Example:

    ```python
    >>> predictor = PartPredictor(lambda: pipeline("attention-text-classification", model="my-model"))
    >>> predictor(["Great food"])[LABEL]
    ['positive']
    ```
    """

    def __init__(
        self,
        load: Callable[[], Any],
        columns: Sequence[str] | None = None,
        parameters: Mapping[str, Any] | None = None,
        thresholds: Mapping[str, float] | None = None,
    ):
        self._load, self._columns = load, columns
        self._parameters, self._thresholds = dict(parameters or {}), thresholds
        self._pipeline: Any = None

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_pipeline": None}

    def __call__(self, texts: Sequence[Any]) -> dict[str, list]:
        """A label and its score for each text; or lists of them, best first, where there can be several."""
        if self._pipeline is None:
            self._pipeline = self._load()
        found = list(self._pipeline([*texts], **self._parameters))
        entries = [self._kept(own if isinstance(own, list) else [own]) for own in found]
        if self._thresholds is None and (self._parameters.get("top_k") or 1) == 1:
            return {LABEL: [own[0]["label"] for own in entries], SCORE: [own[0]["score"] for own in entries]}
        names = [[entry["label"] for entry in own] for own in entries]
        return {LABELS: names, SCORES: [[entry["score"] for entry in own] for own in entries]}

    def _kept(self, entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
        bounds = self._thresholds
        return entries if bounds is None else [entry for entry in entries if entry["score"] > bounds[entry["label"]]]

    def answer(self, part: Part) -> Answered:
        """Write the file of a part, with its columns and those that are added; one that is there is left alone.

        It appears when it is whole. A part that cannot be read is told in what is returned, and keeps nobody waiting.
        """
        target = Path(part.target)
        if target.exists():
            return Answered(part, pa.parquet.read_metadata(target).num_rows)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with written_beside(target) as unfinished:
                return Answered(part, self._write(Path(part.source), unfinished))
        except ValueError as error:
            return Answered(part, 0, str(error))

    def _write(self, source: Path, unfinished: Path) -> int:
        writer, rows = None, 0
        try:
            for table in read_tables(source):
                table = self._with_answers(table, source)
                if writer is None:
                    writer = pa.parquet.ParquetWriter(unfinished, table.schema)
                writer.write_table(_cast(table, writer.schema, source))
                rows += table.num_rows
        finally:
            if writer is not None:
                writer.close()
        if writer is None:
            raise ValueError(f"The file {source} has no rows.")
        return rows

    def _with_answers(self, table: pa.Table, source: Path) -> pa.Table:
        split = Split(Dataset(table), f"file {source}", ending_of(source) in (".csv", ".tsv"))
        texts = text_column_of(split, self._columns)["text"][:]
        for name, values in self(texts).items():
            if name in table.column_names:
                raise ValueError(f"The file {source} has a column {name!r} already: rename it.")
            table = table.append_column(name, pa.array(values))
        return table


def read_tables(path: Path) -> Iterator[pa.Table]:
    """The rows of a file, some thousands at a time.

    Raises:
        ValueError: It cannot be read; the sentence names it.

    Example:

    ```python
    >>> next(read_tables(Path("texts.txt"))).column_names
    ['text']
    ```
    """
    ending = ending_of(path)
    if ending == ".parquet":
        yield from _of_parquet(path)
    elif ending in (".csv", ".tsv"):
        pieces = read_csv(path, lambda: open_text(path), TAB if ending == ".tsv" else None, quietly=True)
        yield from (piece for piece in pieces if piece.num_rows)
    elif ending == ".json":
        yield from _of_rows(json_rows(path, text_of_file(path)))
    else:
        lines = lines_of_file(path, f"The file {path}")
        yield from _of_rows(({"text": line} for line in lines) if ending == LINES_ENDING else _of_lines(path, lines))


def _of_parquet(path: Path) -> Iterator[pa.Table]:
    try:
        with pa.parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(ROWS):
                yield pa.Table.from_batches([batch])
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"The file {path} is not a whole parquet file: {error}") from error


def _of_lines(path: Path, lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise ValueError(f"The file {path} is not JSON in line {number}: {error.msg}.") from None
            if not isinstance(row, dict):
                raise ValueError(f"The file {path} has no JSON object in line {number}.")
            yield row


def _of_rows(rows: Iterator[dict[str, Any]]) -> Iterator[pa.Table]:
    while some := list(islice(rows, ROWS)):
        yield pa.Table.from_pylist(some)


def _cast(table: pa.Table, schema: pa.Schema, source: Path) -> pa.Table:
    """A later piece in the types of the first one."""
    if table.schema.equals(schema):
        return table
    try:
        missing = [name for name in schema.names if name not in table.column_names]
        for name in missing:
            table = table.append_column(name, pa.nulls(table.num_rows, schema.field(name).type))
        if extra := [name for name in table.column_names if name not in schema.names]:
            raise ValueError(f"The file {source} has the column {extra[0]!r} in later rows alone: give it in all.")
        return table.select(schema.names).cast(schema)
    except pa.ArrowException as error:
        raise ValueError(f"The file {source} has columns whose values are of several kinds: {error}") from error

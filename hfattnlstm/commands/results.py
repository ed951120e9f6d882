"""Results of `predict`, in the forms in which they are printed and written."""

from __future__ import annotations

import json
from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO, TextIO

from ..modeling.attention_entries import entries_on
from .terminal import bold, has_colours, legend, printable, shade_words


# Texts in a row group of a parquet file: few enough to hold in memory with the attention on their words.
ROW_GROUP = 4096
_OWN_NAMES = ("label", "score", "labels", "scores", "attention", "truncated", "characters_left_out")


@dataclass(frozen=True)
class Result:
    """What was found out about a text.

    Attributes:
        text: The text, or the texts that are read together.
        labels: `{"label", "score"}` of each label that is shown, best first.
        extra: What else the pipeline gives: `attention`, and of a text that was cut `truncated` and
            `characters_left_out`.
    """

    text: str | tuple[str, ...]
    labels: Sequence[dict[str, Any]]
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def texts(self) -> tuple[str, ...]:
        """The text alone, or those that are read together."""
        return (self.text,) if isinstance(self.text, str) else self.text

    def attention_on(self, index: int) -> list[dict[str, Any]]:
        """The entries of the attention on one of the texts."""
        return entries_on(self.extra.get("attention", []), index)

    @property
    def names(self) -> list[str]:
        """The labels alone."""
        return [entry["label"] for entry in self.labels]

    @property
    def scores(self) -> list[float]:
        """Their scores alone."""
        return [entry["score"] for entry in self.labels]


def names_beside(text_columns: Sequence[str] | None, taken: Container[str]) -> list[str]:
    """The names under which the texts stand beside what is found out about them, which has names of its own.

    Args:
        text_columns: Names of the texts that are read together; None for single ones, which are called "text".
        taken: The other names.

    Example:

    ```python
    >>> names_beside(["premise", "label"], ("label", "score"))
    ['premise', 'text_label']
    ```
    """
    return [f"text_{name}" if name in taken else name for name in text_columns or ["text"]]


class Writer:
    """Writes results, one after the other.

    Args:
        stream: Where to.
        several: Whether a text can have any number of labels, not just one.
        text_columns: Names of the texts that are read together; "text" for single ones.
    """

    def __init__(self, stream: Any, several: bool, text_columns: Sequence[str] | None = None):
        self.stream, self.several = stream, several
        self.text_names = names_beside(text_columns, _OWN_NAMES)

    def write(self, result: Result) -> None:
        """Write the result of a text."""
        self._write(result)
        self.stream.flush()

    def finish(self) -> None:
        """Write what belongs behind the last one."""
        self._finish()
        self.stream.flush()

    def _write(self, result: Result) -> None:
        raise NotImplementedError

    def _finish(self) -> None:
        pass


class TableWriter(Writer):
    """A line a text: label, score and text; on a terminal with the words shaded by their attention.

    Example:

    ```python
    >>> TableWriter(sys.stdout, several=True).write(Result("Not bad", [{"label": "calm", "score": 0.93}]))
    calm 0.93	Not bad
    ```
    """

    stream: TextIO
    # Whether it has been said what the shades mean.
    _explained = False

    def _write(self, result: Result) -> None:
        coloured = has_colours(self.stream)
        if coloured and not self._explained and "attention" in result.extra:
            self._explained = True
            self.stream.write(f"{legend()}\n\n")
        label = bold if coloured else str
        if self.several:
            found = [f"{label(printable(entry['label']))} {entry['score']:.2f}" for entry in result.labels]
            cells = [", ".join(found) or "-"]
        else:
            (entry,) = result.labels
            cells = [label(printable(entry["label"])), f"{entry['score']:.4f}"]
        if coloured:
            shaded = [shade_words(text, result.attention_on(index)) for index, text in enumerate(result.texts)]
            shown = " | ".join(shaded)
            self.stream.write(f"{' '.join(cells)}  {shown}".rstrip() + "\n")
        else:
            self.stream.write("\t".join([*cells, *map(printable, result.texts)]) + "\n")


class SeparatedWriter(Writer):
    """A csv or tsv file with a header; a field that holds a separator, a quote or a line end is quoted.

    Args:
        delimiter: The separator.
    """

    stream: TextIO

    def __init__(self, stream: TextIO, several: bool, text_columns: Sequence[str] | None = None, *, delimiter: str):
        super().__init__(stream, several, text_columns)
        self._delimiter = delimiter
        self._write_row([*self.text_names, *(("labels", "scores") if several else ("label", "score"))])

    def _write(self, result: Result) -> None:
        if self.several:
            found = [json.dumps(values, ensure_ascii=False) for values in (result.names, result.scores)]
        else:
            found = [*result.names, *map(repr, result.scores)]
        self._write_row([*result.texts, *found])

    def _write_row(self, fields: Sequence[str]) -> None:
        self.stream.write(self._delimiter.join(map(self._quoted, fields)) + "\n")

    def _quoted(self, value: str) -> str:
        # Not by csv.writer, which leaves a lone \r as it is, where pandas ends the row.
        if any(character in value for character in (self._delimiter, '"', "\r", "\n")):
            value = value.replace('"', '""')
            return f'"{value}"'
        return value


class JsonLinesWriter(Writer):
    """A JSON object a line."""

    stream: TextIO

    def _write(self, result: Result) -> None:
        self.stream.write(self._record(result) + "\n")

    def _record(self, result: Result) -> str:
        labels = [{"label": entry["label"], "score": entry["score"]} for entry in result.labels]
        found = {"labels": labels} if self.several else labels[0]
        return json.dumps(dict(zip(self.text_names, result.texts)) | found | result.extra, ensure_ascii=False)


class JsonWriter(JsonLinesWriter):
    """One JSON array."""

    def __init__(self, stream: TextIO, several: bool, text_columns: Sequence[str] | None = None):
        super().__init__(stream, several, text_columns)
        self._begin = "[\n"

    def _write(self, result: Result) -> None:
        self.stream.write(self._begin + self._record(result))
        self._begin = ",\n"

    def _finish(self) -> None:
        self.stream.write("[]\n" if self._begin == "[\n" else "\n]\n")


class ParquetWriter(Writer):
    """A parquet file, written in row groups.

    Args:
        explains: Whether the results have the attention.
    """

    stream: BinaryIO

    def __init__(self, stream: BinaryIO, several: bool, text_columns: Sequence[str] | None = None, *, explains: bool):
        import pyarrow as pa
        import pyarrow.parquet

        super().__init__(stream, several, text_columns)
        columns: dict[str, Any] = dict.fromkeys(self.text_names, pa.string())
        if several:
            columns |= {"labels": pa.list_(pa.string()), "scores": pa.list_(pa.float64())}
        else:
            columns |= {"label": pa.string(), "score": pa.float64()}
        if explains:
            entry = {"text": pa.string(), "start": pa.int64(), "end": pa.int64(), "weight": pa.float64()}
            if text_columns is not None:
                entry["text_index"] = pa.int64()
            columns["attention"] = pa.list_(pa.struct(list(entry.items())))
            columns |= {"truncated": pa.bool_(), "characters_left_out": pa.int64()}
        self._schema = pa.schema(list(columns.items()))
        self._table = pa.Table
        self._writer = pyarrow.parquet.ParquetWriter(stream, self._schema)
        self._rows: list[dict[str, Any]] = []

    def _write(self, result: Result) -> None:
        row: dict[str, Any] = {"truncated": False, "characters_left_out": 0}
        row |= dict(zip(self.text_names, result.texts))
        if self.several:
            row |= {"labels": result.names, "scores": result.scores}
        else:
            row |= {"label": result.names[0], "score": result.scores[0]}
        self._rows.append(row | result.extra)
        if len(self._rows) >= ROW_GROUP:
            self._write_rows()

    def _write_rows(self) -> None:
        self._writer.write_table(self._table.from_pylist(self._rows, self._schema))
        self._rows = []

    def _finish(self) -> None:
        if self._rows:
            self._write_rows()
        self._writer.close()

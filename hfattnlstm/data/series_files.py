"""Series from files, folders and the Hub."""

from __future__ import annotations

import codecs
import csv
import io
import itertools
import json
from collections.abc import Collection, Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from transformers.utils import logging

from .._wording import option
from .compression import COMPRESSED, open_bytes
from .naming import quote
from .series import Panel, SeriesColumns
from .series_tables import ID_NAMES, panel_of_frame
from .sources import reason_of
from .text_lines import DAMAGED, ending_of


if TYPE_CHECKING:
    from datasets import Dataset


logger = logging.get_logger(__name__)

ENDINGS = (".csv", ".tsv", ".txt", ".parquet", ".json", ".jsonl")
_UTF_8 = "utf-8-sig"
# What stands for a missing cell, in a column that holds no names.
_MISSING = ("", "NA", "N/A", "n/a", "#N/A", "nan", "NaN", "-nan", "-NaN", "null", "NULL", "None", "<NA>")
# Of other files that people keep tables in, so that a missing one is not looked for on the Hub.
_OTHERS = (".xlsx", ".xls", ".ods", ".feather", ".arrow", ".zip", ".7z", ".zst")


def load_series(
    source: str | PathLike[str] | pd.DataFrame | Panel | Dataset,
    columns: SeriesColumns | None = None,
    *,
    frequency: str | None = None,
    split: str = "train",
) -> Panel:
    """Read time series.

    Args:
        source: A csv, tsv, JSON lines or parquet file, perhaps compressed, a data set on the Hub or a folder in its
            layout, or a table, also one of `datasets`; in one of the forms of [`panel_of_frame`]. A panel is returned
            as it is.
        columns: Where what is; what is not said is found.
        frequency: Time between two steps, as pandas writes it; found without.
        split: Of a data set.

    Raises:
        FileNotFoundError: When there is no such file or data set.
        TypeError: For a source that is none of these.
        ValueError: For a file that cannot be read, another frequency than that of a panel, and as
            [`panel_of_frame`].

    Example:

    ```python
    >>> panel = load_series("power.csv")
    >>> panel.frequency, panel.channels
    ('h', ('load', 'price'))
    ```
    """
    if isinstance(source, Panel):
        if frequency not in (None, source.frequency):
            raise ValueError(
                f"{option('frequency', frequency)} is for a table: these series have {source.frequency!r}, leave it "
                "out."
            )
        _check_columns(source, columns or SeriesColumns())
        return source
    names = () if columns is None or columns.id is None else (columns.id,)
    return panel_of_frame(read_table(source, split, names), columns, frequency, name_of(source))


def _check_columns(panel: Panel, columns: SeriesColumns) -> None:
    """ValueError for columns that were named, and are not those of series which were read before."""
    has = panel.columns
    static, has_static = ({*each.static_real, *each.static_categories} for each in (columns, has))
    pairs = (
        ("id_column", columns.id, has.id),
        ("time_column", columns.time, has.time),
        ("target_columns", columns.targets, has.targets),
        ("known_columns", columns.features, has.features),
        ("static_columns", static, has_static),
    )
    for flag, named, there in pairs:
        if named and named != there:
            raise ValueError(
                f"{option(flag)} is for a table, and these series were read without that: name the column when they "
                "are read, by the columns of load_series."
            )


def name_of(source: object) -> str:
    """A source as a sentence names it."""
    return str(source) if isinstance(source, (str, PathLike)) else "the table"


def read_table(
    source: str | PathLike[str] | pd.DataFrame | Dataset, split: str = "train", text_columns: Collection[str] = ()
) -> pd.DataFrame:
    """The table of a source of [`load_series`], as it stands there; a table is returned as it is.

    Args:
        source: As there.
        split: Of a data set.
        text_columns: Columns of a csv whose cells are text, whatever they look like, beside those with usual names of
            names of series: "007" is no 7, and "NA" a name.
    """
    if isinstance(source, pd.DataFrame):
        return source
    if isinstance(source, pd.Series):
        return source.to_frame(source.name if source.name is not None else "y")
    if isinstance(source, Mapping) and split in source:
        source = source[split]
    if not isinstance(source, (str, PathLike)):
        if hasattr(source, "to_pandas"):
            return source.to_pandas()
        raise TypeError(
            f"Series are read from a file, a folder, the Hub or a table, not {type(source).__name__}: "
            "make a table of it, as by pandas.DataFrame({'y': values})."
        )
    path = Path(source).expanduser()
    if ending_of(path) in ENDINGS:
        if not path.is_file():
            raise FileNotFoundError(f"There is no file {path}: check its name.")
        return _read_file(path, {*ID_NAMES, *text_columns})
    if path.is_file() or path.suffix.lower() in _OTHERS:
        raise ValueError(
            f"{path} is no file that is read: convert it into one of {quote(ENDINGS)}, which may be compressed as "
            f"one of {quote(COMPRESSED)}."
        )
    return _read_data_set(path, str(source), split)


def _read_file(path: Path, text_columns: Collection[str]) -> pd.DataFrame:
    ending = ending_of(path)
    try:
        if ending in (".json", ".jsonl"):
            return _read_json(path)
        if ending != ".parquet":
            return _read_csv(path, text_columns, _encoding(path))
        with open_bytes(path) as stream:
            # What is decompressed cannot be read from its end, where parquet begins.
            return pd.read_parquet(io.BytesIO(stream.read()))
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not UTF-8 text: save it as UTF-8.") from None
    except (ValueError, csv.Error, *DAMAGED) as error:
        raise ValueError(f"{path} cannot be read, check that it is whole: {reason_of(error)}") from None


def _read_json(path: Path) -> pd.DataFrame:
    """Objects, one a line or all in one list."""
    with open_bytes(path) as stream:
        text = stream.read().decode("utf-8-sig").strip()
    if text.startswith("["):
        rows = json.loads(text)
    else:
        rows = [_parsed(line, number) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict):
            raise ValueError(f"row {number} is no object with a value for each column")
    return pd.DataFrame(rows)


def _parsed(line: str, number: int) -> object:
    try:
        return json.loads(line)
    except ValueError as error:
        raise ValueError(f"line {number} is no JSON, {error}") from None


def _encoding(path: Path) -> str:
    """UTF-8, or where that is wrong, what Windows writes in the west: numbers are the same in both, names differ."""
    with open_bytes(path) as stream:
        decoder = codecs.getincrementaldecoder(_UTF_8)()
        try:
            for part in iter(lambda: stream.read(1 << 20), b""):
                decoder.decode(part)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            # Of UTF-16, every other byte is 0.
            if b"\0" in error.object:
                raise
            logger.warning("%s is not UTF-8 text: it is read as cp1252, which may be wrong in names.", path)
            return "cp1252"
    return _UTF_8


def _read_csv(path: Path, text_columns: Collection[str], encoding: str) -> pd.DataFrame:
    """A csv as it is: pandas renames columns that are there twice, and moves them where rows end with a separator."""
    separator, header = _header(path, encoding)
    places = range(len(header))
    texts = [place for place in places if {header[place], header[place].lower()} & set(text_columns)]
    with open_bytes(path) as stream:
        table = pd.read_csv(
            stream,
            sep=separator,
            encoding=encoding,
            skipinitialspace=True,
            header=0,
            names=places,
            index_col=False,
            dtype=dict.fromkeys(texts, str),
            keep_default_na=False,
            na_values={place: _MISSING for place in places if place not in texts},
        )
    kept = [bool(name) or not table.iloc[:, place].isna().all() for place, name in enumerate(header)]
    table.columns = [name or f"Unnamed: {place}" for place, name in enumerate(header)]
    return table.loc[:, kept]


def _header(path: Path, encoding: str) -> tuple[str, list[str]]:
    """The separator, which divides the first line into most columns, and their names."""
    with open_bytes(path) as stream, io.TextIOWrapper(stream, encoding) as text:
        lines = (line for line in text if line.strip())
        first = next(lines, None)
        if first is None:
            raise ValueError("it is empty")
        separator = max((",", ";", "\t", "|"), key=first.count)
        rows = csv.reader(itertools.chain([first], lines), delimiter=separator, skipinitialspace=True)
        header, row = next(rows), next(rows, [])
    if len(row) == len(header) + 1 and not row[-1].strip():
        header.append("")
    if len(row) > len(header):
        raise ValueError(f"line 2 has {len(row)} cells, and the header {len(header)}")
    return separator, [name.strip() for name in header]


def _read_data_set(path: Path, name: str, split: str) -> pd.DataFrame:
    from datasets import load_dataset
    from datasets.exceptions import DatasetsError

    try:
        return load_dataset(str(path.resolve()) if path.is_dir() else name, split=split).to_pandas()
    except (FileNotFoundError, ConnectionError) as error:
        raise FileNotFoundError(
            f"No data set is found at {name!r}, neither here nor on the Hub, check the name: {reason_of(error)}"
        ) from error
    except (DatasetsError, ValueError, OSError) as error:
        raise ValueError(f"{name!r} cannot be loaded, check the name and the split: {reason_of(error)}") from error

"""Series from files, folders and the Hub."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

import pandas as pd

from .series import Panel, SeriesColumns
from .series_tables import panel_of_frame
from .sources import reason_of
from .text_lines import DAMAGED, ending_of, open_bytes


ENDINGS = (".csv", ".tsv", ".txt", ".parquet", ".json", ".jsonl")


def load_series(
    source: str | PathLike[str] | pd.DataFrame | Panel,
    columns: SeriesColumns | None = None,
    *,
    frequency: str | None = None,
    split: str = "train",
) -> Panel:
    """Read time series.

    Args:
        source: A csv, tsv, JSON lines or parquet file, perhaps compressed, a data set on the Hub or a folder in its
            layout, or a table; in one of the forms of [`panel_of_frame`]. A panel is returned as it is.
        columns: Where what is; what is not said is found.
        frequency: Time between two steps, as pandas writes it; found without.
        split: Of a data set.

    Raises:
        FileNotFoundError: When there is no such file or data set.
        ValueError: For a file that cannot be read, and as [`panel_of_frame`].

    Example:

    ```python
    >>> panel = load_series("power.csv")
    >>> panel.frequency, panel.channels
    ('h', ('load', 'price'))
    ```
    """
    if isinstance(source, Panel):
        return source
    return panel_of_frame(read_table(source, split), columns, frequency, name_of(source))


def name_of(source: object) -> str:
    """A source as a sentence names it."""
    return "the table" if isinstance(source, pd.DataFrame) else str(source)


def read_table(source: str | PathLike[str] | pd.DataFrame, split: str = "train") -> pd.DataFrame:
    """The table of a source of [`load_series`], as it stands there; a table is returned as it is."""
    if isinstance(source, pd.DataFrame):
        return source
    path = Path(source).expanduser()
    if ending_of(path) not in ENDINGS:
        return _read_data_set(str(source), split)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}: check its name.")
    return _read_file(path)


def _read_file(path: Path) -> pd.DataFrame:
    ending = ending_of(path)
    try:
        with open_bytes(path) as stream:
            if ending == ".parquet":
                return pd.read_parquet(stream)
            if ending in (".json", ".jsonl"):
                return pd.read_json(stream, lines=True, convert_dates=False)
            separator = _separator(stream.readline())
        with open_bytes(path) as stream:
            return pd.read_csv(stream, sep=separator, encoding="utf-8-sig", skipinitialspace=True)
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not UTF-8 text: save it as UTF-8.") from None
    except (ValueError, *DAMAGED) as error:
        raise ValueError(f"{path} cannot be read, check that it is whole: {reason_of(error)}") from None


def _separator(header: bytes) -> str:
    """The one that divides the header into most columns."""
    return max((",", ";", "\t", "|"), key=lambda separator: header.count(separator.encode()))


def _read_data_set(name: str, split: str) -> pd.DataFrame:
    from datasets import load_dataset
    from datasets.exceptions import DatasetsError

    try:
        return load_dataset(name if not Path(name).is_dir() else str(Path(name).resolve()), split=split).to_pandas()
    except (FileNotFoundError, ConnectionError) as error:
        raise FileNotFoundError(
            f"No data set is found at {name!r}, neither here nor on the Hub, check the name: {reason_of(error)}"
        ) from error
    except (DatasetsError, ValueError, OSError) as error:
        raise ValueError(f"{name!r} cannot be loaded, check the name and the split: {reason_of(error)}") from error

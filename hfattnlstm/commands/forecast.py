"""`hfattnlstm forecast`: train a forecaster, forecast with it, and tell what does not fit its forecasts."""

# ruff: noqa: T201
from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._extras import needs_extra
from .._files import check_writable, is_stream, same_file, written_beside
from .._parsing import SentenceParser, did_you_mean
from .outputs import report_is_printed
from .program import add_traceback


if TYPE_CHECKING:
    import pandas as pd

_ENDINGS = (".csv", ".parquet")
_USAGE = """usage: hfattnlstm forecast COMMAND ...

Commands:
  train FILE --horizon N      learn to forecast the series of a file
  predict MODEL FILE          forecast what comes after each series
  anomalies MODEL FILE        tell which values were not to be expected
  explain MODEL FILE          say which part of its past each forecast looked at

Examples:
  hfattnlstm forecast train power.csv --horizon 96 --output_dir my-forecaster
  hfattnlstm forecast predict my-forecaster power.csv --output forecast.csv
  hfattnlstm forecast anomalies my-forecaster power.csv --output odd.csv
  hfattnlstm forecast train --help"""


def forecast(arguments: Sequence[str]) -> int:
    """Run one of the commands for time series.

    Args:
        arguments: The command line after `hfattnlstm forecast`; see its `--help`.

    Returns:
        The exit status.

    Raises:
        OSError: For a file or a model that cannot be read or written.
        ValueError: For series and flags that do not fit together.

    Example:

    ```python
    >>> forecast(["predict", "power-model", "power.csv", "--output", "forecast.csv"])
    Wrote forecast.csv: 1 series, 24 steps from 2024-12-31 00:00
    0
    ```
    """
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_USAGE, file=sys.stdout if arguments else sys.stderr)
        return 0 if arguments else 2
    name, *rest = arguments
    if name not in COMMANDS:
        raise ValueError(
            f"There is no command {name!r}{did_you_mean(name, COMMANDS) or f': forecast takes {_listed()}.'}"
        )
    return COMMANDS[name](rest)


def _listed() -> str:
    *first, last = COMMANDS
    return f"{', '.join(first)} or {last}"


def _train(arguments: Sequence[str]) -> int:
    from .train import train

    words = list(arguments)
    # A file of flags stands first, too.
    if words and not words[0].startswith("-") and not words[0].endswith((".yaml", ".yml", ".json")):
        words = ["--train_file", *words]
    return train([*words, "--task", "forecasting"], "hfattnlstm forecast train")


def _predict(arguments: Sequence[str]) -> int:
    parser = _parser("predict", "Forecast what comes after the last value of each series.")
    parser.add_argument("--horizon", type=int, help="steps; as many as the model forecasts without")
    parser.add_argument("--quantiles", type=float, nargs="+", help="those that are written; all of the model without")
    parser.add_argument("--future", help="file with the known columns of the steps that are forecast")
    parser.add_argument("--picture", help="PNG or SVG file to draw the first series in, with its forecast")
    parsed = parser.parse_args(arguments)
    _check(parsed)
    forecaster = _load(parsed.model)
    panel = forecaster.load(parsed.file, parsed.future)
    with _progress() as progress:
        pieces = forecaster.predict_batches(panel, parsed.horizon, parsed.quantiles, progress)
        rows, first = _write(pieces, parsed.output)
    if parsed.picture is not None:
        _draw(forecaster, panel, parsed.picture)
    if _is_told(parsed.output):
        series = len(panel) * len(panel.channels)
        print(f"Wrote {parsed.output}: {series:,} series, {rows // series} steps from {_shown_time(first)}")
    return 0


def _anomalies(arguments: Sequence[str]) -> int:
    parser = _parser("anomalies", "Forecast each part of the series from what lies before it, and tell what is odd.")
    parser.add_argument("--step", type=int, help="steps that are forecast at a time; a season without")
    parser.add_argument("--all", action="store_true", help="write every value, not only those outside")
    parsed = parser.parse_args(arguments)
    _check(parsed)
    found = _load(parsed.model).detect_anomalies(parsed.file, step=parsed.step)
    odd = found[found["anomaly"]]
    _write([found if parsed.all else odd], parsed.output)
    if _is_told(parsed.output):
        print(f"Wrote {parsed.output}: {len(odd):,} of {len(found):,} values lie outside of the widest interval")
    return 0


def _explain(arguments: Sequence[str]) -> int:
    parser = _parser("explain", "Say which part of its past each forecast looked at, and how far that can be trusted.")
    parser.add_argument("--future", help="file with the known columns of the steps that are forecast")
    parser.add_argument("--series", nargs="+", help="names of the series that are explained; all without")
    parser.add_argument("--picture", help="PNG or SVG file to draw the first of them in")
    parser.add_argument("--no_faithfulness", action="store_true", help="leave out how far it can be trusted")
    parsed = parser.parse_args(arguments)
    _check(parsed)
    from ..explain.series import explain_forecasts

    forecaster = _load(parsed.model)
    panel = forecaster.load(parsed.file, parsed.future).only(parsed.series)
    explained = explain_forecasts(
        forecaster.model, forecaster.processor, panel, faithfulness=not parsed.no_faithfulness
    )
    told = _is_told(parsed.output)
    _write(_weights(explained, len(panel.channels), parsed.picture, told), parsed.output)
    if told:
        print(f"Wrote {parsed.output}: the weight of each part of the past")
    return 0


def _weights(explained: Iterable[Any], channels: int, picture: str | None, tells: bool) -> Iterator[pd.DataFrame]:
    """The weights of each forecast as a table; what they are worth is told beside them."""
    from ..data.figures import write_figure
    from ..data.series import row_name

    for number, one in enumerate(explained):
        name = row_name(one.series, one.channel, channels)
        if number == 0 and picture is not None:
            write_figure(one.plot(), picture)
        if one.faithfulness is not None:
            print(f"{name}: {one.faithfulness.verdict}", file=sys.stdout if tells else sys.stderr)
        rows = one.to_frame()
        rows.insert(0, "unique_id", name)
        yield rows


COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {
    "train": _train,
    "predict": _predict,
    "anomalies": _anomalies,
    "explain": _explain,
}


def _parser(name: str, description: str) -> argparse.ArgumentParser:
    parser = SentenceParser(f"hfattnlstm forecast {name}", description=description)
    parser.add_argument("model", metavar="MODEL", help="folder, or name on the Hub, of a trained forecaster")
    parser.add_argument("file", metavar="FILE", help="series in the form of those that it was trained on")
    parser.add_argument("--output", help="csv or parquet file to write; csv is printed without")
    add_traceback(parser)
    return parser


def _check(parsed: argparse.Namespace) -> None:
    """Whether the results can be written, before anything is loaded."""
    output, picture = parsed.output, getattr(parsed, "picture", None)
    if output is not None:
        if Path(output).suffix.lower() not in _ENDINGS and not is_stream(output):
            raise ValueError(f"--output {output!r} must end in {' or '.join(_ENDINGS)}.")
        check_writable(output)
        for read in (parsed.file, getattr(parsed, "future", None)):
            if read is not None and same_file(output, read):
                raise ValueError(f"--output {output} is the file that is read: write to another one.")
    elif sys.stdout is None:
        raise ValueError("Standard output is closed, and the forecasts would be lost: name a file by --output.")
    if picture is not None:
        if Path(picture).suffix.lower() not in (".png", ".svg"):
            raise ValueError(f"--picture {picture!r} must end in .png or .svg.")
        check_writable(picture)
        with needs_extra("--picture"):
            import matplotlib  # noqa: F401


def _is_told(output: str | None) -> bool:
    """Whether something is said of what was written; not where the table itself goes to standard output."""
    return output is not None and report_is_printed(output)


def _load(name: str) -> Any:
    from ..data.progress import no_progress_bars
    from ..training.forecaster import Forecaster

    with no_progress_bars():
        return Forecaster.from_pretrained(name)


class _progress:  # noqa: N801
    """A bar for series that are forecast, on a terminal."""

    def __enter__(self) -> Callable[[int, int], None]:
        from .live import Bars

        self._bars = Bars()
        return lambda done, total: self._bars.show("Forecasting", done, total)

    def __exit__(self, *error: object) -> None:
        self._bars.hide("Forecasting")


def _write(pieces: Iterable[pd.DataFrame], output: str | None) -> tuple[int, Any]:
    """Write tables behind each other; how many rows they have, and the first time."""
    if output is None:
        return _write_csv(pieces, sys.stdout)
    with written_beside(output) as unfinished:
        if Path(output).suffix.lower() == ".parquet":
            return _write_parquet(pieces, unfinished)
        with open(unfinished, "a", encoding="utf-8", newline="") as stream:
            return _write_csv(pieces, stream)


def _write_csv(pieces: Iterable[pd.DataFrame], stream: Any) -> tuple[int, Any]:
    rows, first = 0, None
    for piece in pieces:
        piece.to_csv(stream, index=False, header=rows == 0, float_format="%.12g")
        first = piece["ds"].iloc[0] if first is None and len(piece) else first
        rows += len(piece)
    return rows, first


def _write_parquet(pieces: Iterable[pd.DataFrame], path: Path) -> tuple[int, Any]:
    import pyarrow as pa
    import pyarrow.parquet

    rows, first, writer = 0, None, None
    for piece in pieces:
        table = pa.Table.from_pandas(piece, preserve_index=False)
        writer = writer or pyarrow.parquet.ParquetWriter(path, table.schema)
        writer.write_table(table)
        first = piece["ds"].iloc[0] if first is None and len(piece) else first
        rows += len(piece)
    if writer is not None:
        writer.close()
    return rows, first


def _draw(forecaster: Any, panel: Any, path: str) -> None:
    from ..data.figures import write_figure

    write_figure(forecaster.plot(panel), path)


def _shown_time(time: Any) -> str:
    return f"{time:%Y-%m-%d %H:%M}" if hasattr(time, "strftime") else str(time)

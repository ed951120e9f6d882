"""Folders of texts that `hfattnlstm predict` answers: time and memory from ten thousand texts to two million."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet

from ..options import Options
from ..table import Column, Table


MODEL = "attnlstm-imdb"
SIZES, QUICK_SIZES = (10_000, 100_000, 2_000_000), (500, 2_000)
# Rows of a file; and different texts, of which the others are repetitions with a number of their own.
ROWS, DISTINCT = 50_000, 10_000
COLUMNS = (
    Column("texts", "texts", "count"),
    Column("files", "files", "count"),
    Column("seconds", "time", "time"),
    Column("rate", "texts/s", "rate"),
    Column("memory", "peak memory", "bytes"),
)
NOTES = [
    "`hfattnlstm predict attnlstm-imdb --file FOLDER --output FOLDER`, a process for each size, with its start; texts "
    f"of 20 words on average in parquet files of {ROWS:,} rows. Peak memory is that of the process.",
]


def run(options: Options) -> Table:
    """Answer a folder of each size."""
    table = Table("folders", "Folders of texts", COLUMNS, notes=list(NOTES))
    for size in QUICK_SIZES if options.quick else SIZES:
        options.report(f"{size:,} texts")
        with tempfile.TemporaryDirectory() as place:
            files = _write(Path(place) / "texts", size, options)
            seconds, memory = _answer(Path(place), options)
            answers = sum(
                pa.parquet.read_metadata(path).num_rows for path in (Path(place) / "answers").glob("*.parquet")
            )
        if answers != size:
            raise RuntimeError(f"Of {size:,} texts {answers:,} have an answer.")
        row = {"configuration": "", "texts": size, "files": files, "seconds": seconds}
        table.rows.append(row | {"rate": size / seconds, "memory": memory})
    return table


def _write(folder: Path, size: int, options: Options) -> int:
    """Parquet files with so many texts; how many files."""
    folder.mkdir()
    texts = options.workload("sentences").sample(min(DISTINCT, size)).texts
    numbers = range(0, size, ROWS)
    for number, first in enumerate(numbers):
        rows = range(first, min(first + ROWS, size))
        table = pa.table({"id": list(rows), "text": list(_numbered(texts, rows))})
        pa.parquet.write_table(table, folder / f"{number:05}.parquet")
    return len(numbers)


def _numbered(texts: list[str], rows: range) -> Iterator[str]:
    return (f"{texts[row % len(texts)]} {row}" for row in rows)


def _answer(place: Path, options: Options) -> tuple[float, int]:
    """Seconds, and the bytes that the process had at most."""
    words = ["predict", MODEL, "--file", str(place / "texts"), "--output", str(place / "answers")]
    code = "import sys; from hfattnlstm.commands.main import main; sys.exit(main(sys.argv[1:]))"
    environment = os.environ | {"OMP_NUM_THREADS": str(options.threads)}
    begun = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-c", code, *words], stdout=subprocess.DEVNULL, env=environment)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(f"hfattnlstm predict ended with status {os.waitstatus_to_exitcode(status)}.")
    # Linux tells kibibytes, macOS bytes.
    return time.perf_counter() - begun, used.ru_maxrss * (1 if sys.platform == "darwin" else 1_024)

"""Compressed files are read whole, and what would fill the memory is refused."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from hfattnlstm import load_pairs, load_texts
from hfattnlstm.data.compression import IN_ANY_CASE, MOST_TIMES, TooLargeError, open_bytes
from hfattnlstm.data.text_lines import lines_of_file


def _zip(path: Path, content: bytes) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(path.stem, content)


PACK: dict[str, Callable[[Path, bytes], object]] = {
    ".gz": lambda path, content: path.write_bytes(gzip.compress(content)),
    ".bz2": lambda path, content: path.write_bytes(bz2.compress(content)),
    ".xz": lambda path, content: path.write_bytes(lzma.compress(content)),
    ".zip": _zip,
}
every_ending = pytest.mark.parametrize("ending", PACK)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hfattnlstm.data.compression.IN_ANY_CASE", 1_000)


@every_ending
def test_what_is_whole(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.csv{ending}"
    PACK[ending](path, b"text,label\n" + b"good,pos\nbad,neg\n" * 50)
    assert sum(load_texts(path).num_rows.values()) == 100


@every_ending
def test_what_would_fill_the_memory(ending: str, tmp_path: Path, small: None) -> None:
    path = tmp_path / f"a.csv{ending}"
    PACK[ending](path, b"text,label\n" + b"\0" * 5_000_000)
    with pytest.raises(ValueError, match=rf"a\.csv\{ending} unpacks to more than {MOST_TIMES} times its size"):
        load_texts(path)


@pytest.mark.parametrize("ending", [".gz", ".bz2", ".xz"])
def test_a_line_that_does_not_end(ending: str, tmp_path: Path, small: None) -> None:
    path = tmp_path / f"a.txt{ending}"
    PACK[ending](path, b"good\n" + b"a" * 5_000_000)
    with pytest.raises(ValueError, match="times its size"):
        list(lines_of_file(path, f"The file {path}"))
    with pytest.raises(ValueError, match="times its size"):
        load_pairs((path, path))


def test_a_real_bomb_costs_no_more_than_the_bound(tmp_path: Path) -> None:
    """Of 256 MB of zeros, a quarter of a megabyte packed, less than half is read."""
    path, read = tmp_path / "a.txt.gz", 0
    with gzip.open(path, "wb") as stream:
        for _ in range(16):
            stream.write(bytes(16 << 20))
    bound = MOST_TIMES * path.stat().st_size + IN_ANY_CASE
    assert bound < 128 << 20
    with open_bytes(path) as stream, pytest.raises(TooLargeError):
        while part := stream.read(1 << 20):
            read += len(part)
    assert read <= bound


def test_what_repeats_itself_a_hundred_times_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.txt.gz"
    PACK[".gz"](path, b"the same line once more\n" * 20_000)
    assert sum(1 for _ in lines_of_file(path, "The file")) == 20_000

"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from hfattnlstm._files import check_writable, descriptor_of, is_stream, same_file, written_beside


def test_a_finished_file_takes_the_place_and_its_permissions(tmp_path: Path) -> None:
    path = tmp_path / "old.txt"
    path.write_text("old")
    path.chmod(0o640)
    with written_beside(path) as unfinished:
        unfinished.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "old.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), written_beside(path) as unfinished:
        unfinished.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_new_file_has_the_usual_permissions(tmp_path: Path) -> None:
    with written_beside(tmp_path / "new.txt") as unfinished:
        unfinished.write_text("new")
    (tmp_path / "other.txt").write_text("other")
    assert (tmp_path / "new.txt").stat().st_mode == (tmp_path / "other.txt").stat().st_mode


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    target, link = tmp_path / "folder" / "target.txt", tmp_path / "link.txt"
    target.write_text("old")
    link.symlink_to(target)
    with written_beside(link) as unfinished:
        unfinished.write_text("new")
    assert link.is_symlink()
    assert target.read_text() == "new"


def test_a_device_is_written_itself() -> None:
    with written_beside("/dev/null") as unfinished:
        assert unfinished == Path("/dev/null")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError, match="is a folder: name a file"), written_beside(tmp_path):
        pass


def test_an_open_file_of_the_process_is_a_stream(tmp_path: Path) -> None:
    with (tmp_path / "open.txt").open("w") as stream:
        (tmp_path / "link").symlink_to(f"/dev/fd/{stream.fileno()}")
        for path in (f"/dev/fd/{stream.fileno()}", f"/proc/self/fd/{stream.fileno()}", tmp_path / "link"):
            assert descriptor_of(path) == stream.fileno() and is_stream(path)
            with written_beside(path) as unfinished:
                assert unfinished == Path(path)
    assert descriptor_of("/dev/stdout") == 1 and is_stream("/dev/stdout")
    assert is_stream("/dev/null") and descriptor_of("/dev/null") is None
    for path in (tmp_path, tmp_path / "open.txt", tmp_path / "absent"):
        assert not is_stream(path)


def test_what_cannot_be_written_is_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FileNotFoundError, match=r"There is no folder .*nowhere for .*: make it first"):
        check_writable(tmp_path / "nowhere" / "a.txt")
    (tmp_path / "a.txt").write_text("old")
    check_writable(tmp_path / "a.txt")
    # The tests may run as root, who may do everything.
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) == tmp_path)
    with pytest.raises(PermissionError, match=r"a\.txt may not be changed"):
        check_writable(tmp_path / "a.txt")
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path)
    with pytest.raises(PermissionError, match="may not be written: name another"):
        check_writable(tmp_path / "new.txt")


def test_long_names(tmp_path: Path) -> None:
    path = tmp_path / ("語" * 80 + ".csv")
    with written_beside(path) as unfinished:
        unfinished.write_text("new")
    assert path.read_text() == "new"


def test_the_same_file_by_other_names(tmp_path: Path) -> None:
    path, link, other = tmp_path / "a", tmp_path / "b", tmp_path / "c"
    path.write_text("")
    other.write_text("")
    os.link(path, link)
    assert same_file(path, link)
    assert same_file(path, tmp_path / "." / "a")
    assert not same_file(path, other)
    assert not same_file(path, tmp_path / "absent")

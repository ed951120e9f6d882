"""One checkout against another."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import against


ROOT = Path(against.__file__).resolve().parents[1]


@pytest.mark.long
def test_a_checkout_is_held_against_another(capsys: pytest.CaptureFixture[str]) -> None:
    assert against.main([str(ROOT), "--rounds", "1", "--only", "inference"]) == 0
    heading, line = capsys.readouterr().out.splitlines()
    assert heading.split()[:3] == ["call", "other,", "ms"]
    other, this, ratio = (float(number) for number in line.split()[1:4])
    assert ratio == pytest.approx(this / other, rel=0.05)


def test_a_folder_without_the_package_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        against.main([str(tmp_path)])
    assert "holds no package hfattnlstm: give the folder of a checkout" in capsys.readouterr().err


@pytest.mark.long
def test_a_process_that_imports_another_package_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "hfattnlstm").mkdir()
    with pytest.raises(RuntimeError, match=r"has ended|was imported from"):
        against.main([str(tmp_path), "--rounds", "1", "--only", "inference"])

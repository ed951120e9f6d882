"""Bars on a terminal, and what is printed and logged while they are there."""

from __future__ import annotations

import io
import logging
import re
import sys

import pytest
from rich.console import Console

from hfattnlstm.commands.live import Bars


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Console:
    """A terminal of 60 columns, which is standard error."""
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    return Console(file=stream, force_terminal=True, width=60)


def test_no_bars_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    with Bars() as bars, bars.phase("Tokenising"):
        bars.show("Training", 1, 2)
        assert not bars.are_shown
    assert not capsys.readouterr().err


def test_a_bar_for_each_phase(screen: Console) -> None:
    with Bars(screen) as bars:
        bars.show("Training", 3, 7)
        bars.show("Measuring", 1, 2)
        bars.hide("Measuring")
        bars.show("Training", 4, 7)
        bars.hide("Training")
    shown = screen.file.getvalue()
    assert "Training" in shown and "Measuring" in shown and "/7" in shown


def test_what_is_logged_comes_above_the_bar_and_the_stream_is_given_back(screen: Console) -> None:
    handler = logging.StreamHandler()
    logger = logging.getLogger("transformers")
    logger.addHandler(handler)
    before = sys.stderr
    try:
        with Bars(screen) as bars:
            bars.show("Training", 3, 7)
            assert handler.stream is sys.stderr is not before
            logger.error("odd")
        assert handler.stream is sys.stderr is before
    finally:
        logger.removeHandler(handler)
    # The line of the bar is wiped first, and drawn again below.
    assert re.search(r"\x1b\[2K(\x1b\[0m)?odd *\n.*Training", screen.file.getvalue())


def test_an_error_takes_the_bars_away(screen: Console) -> None:
    before = sys.stderr
    with pytest.raises(KeyboardInterrupt), Bars(screen) as bars:
        bars.show("Training", 3, 7)
        raise KeyboardInterrupt
    # The cursor is shown again.
    assert screen.file.getvalue().rstrip().endswith(("\x1b[?25h", "\x1b[2K")) and "\x1b[?25h" in screen.file.getvalue()
    assert sys.stderr is before

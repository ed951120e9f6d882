"""Progress bars are put away for a time only."""

from __future__ import annotations

import datasets
import pytest
from transformers.utils import logging

from hfattnlstm.data import progress
from hfattnlstm.data.progress import no_bars_in_a_notebook, no_progress_bars, only_errors


@pytest.mark.parametrize("shown", [True, False])
def test_progress_bars_come_back_as_they_were(shown: bool) -> None:
    before = logging.is_progress_bar_enabled(), datasets.are_progress_bars_disabled()
    try:
        (logging.enable_progress_bar if shown else logging.disable_progress_bar)()
        (datasets.enable_progress_bars if shown else datasets.disable_progress_bars)()
        with pytest.raises(ValueError, match="broken off"), no_progress_bars():
            assert not logging.is_progress_bar_enabled() and datasets.are_progress_bars_disabled()
            raise ValueError("broken off")
        assert logging.is_progress_bar_enabled() == shown != datasets.are_progress_bars_disabled()
    finally:
        (logging.enable_progress_bar if before[0] else logging.disable_progress_bar)()
        (datasets.disable_progress_bars if before[1] else datasets.enable_progress_bars)()


@pytest.mark.parametrize("notebook", [True, False])
def test_bars_are_put_away_in_a_notebook_only(notebook: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    before = logging.is_progress_bar_enabled()
    monkeypatch.setattr(progress, "is_in_notebook", lambda: notebook)
    with no_bars_in_a_notebook():
        assert logging.is_progress_bar_enabled() == (before and not notebook)
    assert logging.is_progress_bar_enabled() == before


def test_the_log_comes_back_as_it_was() -> None:
    before = logging.get_verbosity()
    with pytest.raises(ValueError, match="broken off"), only_errors():
        assert logging.get_verbosity() == logging.ERROR
        raise ValueError("broken off")
    assert logging.get_verbosity() == before

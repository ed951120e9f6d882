"""What a command changes for its own time comes back."""

from __future__ import annotations

import datasets
import pytest
import torch
from transformers.utils import logging

from hfattnlstm.commands.quiet import no_progress_bars, only_errors, threads


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


def test_threads_come_back_as_they_were() -> None:
    before = torch.get_num_threads()
    with threads(before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before


def test_the_log_comes_back_as_it_was() -> None:
    before = logging.get_verbosity()
    with pytest.raises(ValueError, match="broken off"), only_errors():
        assert logging.get_verbosity() == logging.ERROR
        raise ValueError("broken off")
    assert logging.get_verbosity() == before

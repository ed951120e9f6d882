"""What a command changes for its own time comes back."""

from __future__ import annotations

import pytest
import torch
from transformers.utils import logging

from hfattnlstm.commands.quiet import only_errors, threads


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

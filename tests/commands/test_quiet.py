"""What a command changes for its own time comes back."""

from __future__ import annotations

import torch

from hfattnlstm.commands.quiet import threads


def test_threads_come_back_as_they_were() -> None:
    before = torch.get_num_threads()
    with threads(before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before

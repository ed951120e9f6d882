"""Rows for numbers that were chosen."""

from __future__ import annotations

import pytest
import torch

from hfattnlstm.modeling.number_index import NumberIndex, _search_in_graph


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 9, 100])
def test_the_search_of_a_graph_is_that_of_torch(size: int) -> None:
    numbers = torch.randperm(1000)[:size].sort().values
    wanted = torch.arange(-1, 1001)
    assert torch.equal(_search_in_graph(numbers, wanted), torch.searchsorted(numbers, wanted))


def test_others_have_row_0():
    index = NumberIndex(3)
    wanted = torch.tensor([[0, 4, 5], [9, 10, 2**40]])
    assert not index.rows(wanted).any()
    index.numbers.copy_(torch.tensor([4, 9, 2**40]))
    assert index.rows(wanted).tolist() == [[0, 1, 0], [2, 0, 3]]
    index.init_parameters()
    assert not index.rows(wanted).any()

"""Segments and convolutions over series against NumPy, a window at a time."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from modeling_helpers import array, assert_near

from hfattnlstm.modeling.configuration_forecaster import AttnLSTMForecasterConfig
from hfattnlstm.modeling.series_fronts import FRONTS, ConvolutionFront, SegmentFront, any_in_windows


LENGTHS = [1, 2, 5, 6, 7, 12]


@pytest.mark.parametrize("segment", [1, 2, 3, 6, 20])
@pytest.mark.parametrize("length", LENGTHS)
def test_segments_end_where_the_series_ends(length, segment):
    front = SegmentFront(2, 5, segment_length=segment).double()
    values = torch.randn(3, length, 2, dtype=torch.float64)
    found = front(values)
    assert found.shape == (3, -(-length // segment), 5)
    weight, bias = array(front.projection.weight), array(front.projection.bias)
    for row in range(3):
        for back in range(found.shape[1]):
            end = length - back * segment
            numbers = []
            for step in range(end - segment, end):
                numbers += list(array(values[row, step])) if step >= 0 else [0.0, 0.0]
            assert_near(found[row, -1 - back], np.maximum(weight @ np.array(numbers) + bias, 0), 1e-12)


@pytest.mark.parametrize("pool", [1, 2, 5])
@pytest.mark.parametrize("kernel", [1, 3, 7])
@pytest.mark.parametrize("length", LENGTHS)
def test_convolutions_are_pooled_over_windows_that_end_where_the_series_ends(length, kernel, pool):
    front = ConvolutionFront(2, 4, kernel_size=kernel, pool_size=pool).double()
    values = torch.randn(3, length, 2, dtype=torch.float64)
    found = front(values)
    assert found.shape == (3, -(-length // pool), 4)
    weight, bias = array(front.convolution.weight), array(front.convolution.bias)
    for row in range(3):
        for back in range(found.shape[1]):
            highest = np.zeros(4)
            for step in range(length - (back + 1) * pool, length - back * pool):
                total = bias.copy()
                for tap in range(kernel):
                    place = step + tap - kernel // 2
                    if 0 <= place < length:
                        total += weight[:, :, tap] @ array(values[row, place])
                highest = np.maximum(highest, total)
            assert_near(found[row, -1 - back], highest, 1e-12)


@pytest.mark.parametrize("size", [1, 2, 3, 7])
@pytest.mark.parametrize("length", LENGTHS)
def test_windows_with_a_flag(length, size):
    flags = torch.rand(9, length) < 0.3
    found = any_in_windows(flags, size)
    for row in range(9):
        expected = [any(flags[row, max(end - size, 0) : end]) for end in range(length, 0, -size)]
        assert found[row].tolist() == expected[::-1]


@pytest.mark.parametrize(
    "front", [SegmentFront(1, 4, segment_length=3), ConvolutionFront(1, 4, kernel_size=3, pool_size=3)]
)
def test_windows_and_flags_are_the_same_windows(front):
    """What changes the last step changes the last window, and a flag there is in the last window."""
    values = torch.zeros(1, 7, 1)
    with torch.no_grad():
        for parameter in front.parameters():
            parameter.fill_(1)
    before, values[0, -1] = front(values), 1
    changed = front(values).ne(before).any(-1)
    assert changed.tolist() == [[False, False, True]]
    assert any_in_windows(values[..., 0] > 0, front.window).equal(changed)


@pytest.mark.parametrize(
    "front", [SegmentFront(3, 4, segment_length=5), ConvolutionFront(3, 4, kernel_size=3, pool_size=5)]
)
def test_every_step_has_a_part(front):
    values = torch.randn(4, 10, 3, requires_grad=True)
    with torch.no_grad():
        for parameter in front.parameters():
            parameter.abs_().add_(0.1)
    front(values.square().expand(4, 10, 3)).sum().backward()
    assert values.grad.any(-1).any(0).sum() >= 8
    assert front(values).ge(0).all()


def test_the_names_are_those_of_the_configuration():
    assert AttnLSTMForecasterConfig.__annotations__["front"].__args__ == FRONTS

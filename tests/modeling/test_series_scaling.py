"""Gaps, centres and spreads of series against NumPy, a channel at a time."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from forecaster_helpers import GAPS, mask_of_series, numpy_scaling
from modeling_helpers import array, assert_near

from hfattnlstm.modeling.configuration_forecaster import AttnLSTMForecasterConfig
from hfattnlstm.modeling.series_scaling import (
    CENTERS,
    SCALES,
    SMALLEST_SCALE,
    InstanceScaling,
    fill_forward,
    observed_values,
)


def random_values(mask: torch.Tensor, hidden: float = 1e3) -> torch.Tensor:
    return torch.where(mask, 4 + 2 * torch.randn(mask.shape, dtype=torch.float64), hidden)


@pytest.mark.parametrize("kind", GAPS)
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("center", CENTERS)
def test_a_batch_is_scaled_as_numpy_scales_each_series(center, scale, kind):
    mask = mask_of_series(kind)
    values = random_values(mask)
    scaled = InstanceScaling(center, scale)(values, mask)
    assert (scaled.observed is None) == (scaled.begun is None) == (kind == "full")
    for row in range(len(mask)):
        expected = numpy_scaling(array(values[row]), array(mask[row]), center, scale)
        assert_near(scaled.values[row], expected.values, 1e-12 * max(1, np.abs(expected.values).max()))
        assert_near(scaled.loc[row, 0], expected.loc, 1e-12)
        assert_near(scaled.scale[row, 0], expected.scale, 1e-12)
        if kind != "full":
            assert scaled.observed[row].equal(torch.tensor(expected.observed))
            assert scaled.begun[row].equal(torch.tensor(expected.begun))
    assert scaled.loc.shape == scaled.scale.shape == (len(mask), 1, 2)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("center", CENTERS)
def test_scaling_is_undone_by_its_own_centre_and_scale(center, scale):
    values = 4 + 2 * torch.randn(3, 9, 2, dtype=torch.float64)
    scaled = InstanceScaling(center, scale)(values)
    assert_near(scaled.values * scaled.scale + scaled.loc, values, 1e-12)
    if center == "mean":
        assert_near(scaled.values.mean(1), torch.zeros(3, 2).double(), 1e-12)
    if center == "last":
        assert not scaled.values[:, -1].any()
    if scale == "std":
        assert_near(scaled.values.std(1, correction=0), torch.ones(3, 2).double(), 1e-12)


@pytest.mark.parametrize("length", [1, 2, 3, 4, 5, 8, 13])
def test_gaps_are_filled_with_the_value_before_them(length):
    observed = torch.rand(40, length, 2) < 0.4
    values = torch.randn(observed.shape)
    filled, begun = fill_forward(torch.where(observed, values, torch.nan), observed)
    for row in range(40):
        for channel in range(2):
            last, started = 0.0, False
            for step in range(length):
                if observed[row, step, channel]:
                    last, started = values[row, step, channel].item(), True
                assert filled[row, step, channel] == last
                assert begun[row, step, channel] == started


def test_a_series_without_a_gap_is_itself():
    values, mask = torch.randn(2, 5, 1), torch.ones(2, 5, 1, dtype=torch.bool)
    filled, begun = fill_forward(values, mask)
    assert filled.equal(values) and begun.all()


def test_what_is_observed():
    values = torch.tensor([[[1.0], [torch.nan], [torch.inf], [-torch.inf], [2.0]]])
    mask = torch.tensor([[[0], [1], [1], [1], [1]]])
    assert observed_values(values, None).flatten().tolist() == [True, False, False, False, True]
    assert observed_values(values, mask).flatten().tolist() == [False, False, False, False, True]
    assert observed_values(values, mask.double() / 2).flatten().tolist() == [False, False, False, False, True]
    assert observed_values(values[:, [0, 4]], None) is None
    assert observed_values(values[:, [0, 4]], torch.ones(1, 2, 1)) is None
    assert observed_values(torch.zeros(1, 2, 1), torch.zeros(1, 2, 1)).tolist() == [[[False], [False]]]


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("center", CENTERS)
def test_series_of_nothing_have_a_level_of_0_and_no_values(center, scale):
    scaled = InstanceScaling(center, scale)(torch.full((2, 4, 1), torch.nan))
    assert not scaled.values.any() and not scaled.loc.any() and not scaled.begun.any()
    assert scaled.scale.isfinite().all() and scaled.scale.gt(0).all()


def test_constant_series():
    constant = torch.full((1, 6, 1), 3.0)
    for center in ("mean", "last"):
        scaled = InstanceScaling(center, "std")(constant)
        assert not scaled.values.any() and scaled.scale.item() == pytest.approx(SMALLEST_SCALE)
    scaled = InstanceScaling("none", "mean_abs")(torch.zeros(1, 6, 1))
    assert not scaled.values.any() and scaled.scale.item() == 1
    assert InstanceScaling("none", "mean_abs")(constant).values.eq(1).all()


def test_the_level_of_a_series_does_not_move_what_is_read():
    values = torch.randn(2, 9, 2, dtype=torch.float64)
    for center, scale in (("mean", "std"), ("last", "std")):
        expected = InstanceScaling(center, scale)(values).values
        assert_near(InstanceScaling(center, scale)(50 + 7 * values).values, expected, 1e-10)
    assert_near(
        InstanceScaling("none", "mean_abs")(7 * values).values,
        InstanceScaling("none", "mean_abs")(values).values,
        1e-12,
    )


def test_float32_is_kept():
    scaled = InstanceScaling("mean", "std")(torch.randn(2, 5, 1), torch.tensor([[[1], [0], [1], [1], [1]]] * 2))
    assert {part.dtype for part in (scaled.values, scaled.loc, scaled.scale)} == {torch.float32}


@pytest.mark.parametrize(
    ("center", "scale", "sentence"),
    [
        ("first", "none", "instance_center must be one of none, mean, last, got 'first'"),
        ("none", "max", "instance_scale must be one of none, std, mean_abs, got 'max'"),
    ],
)
def test_unknown_names_are_refused(center, scale, sentence):
    with pytest.raises(ValueError, match=sentence):
        InstanceScaling(center, scale)


def test_the_names_are_those_of_the_configuration():
    hints = AttnLSTMForecasterConfig.__annotations__
    assert hints["instance_center"].__args__ == CENTERS
    assert hints["instance_scale"].__args__ == SCALES

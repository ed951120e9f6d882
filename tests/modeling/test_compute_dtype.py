"""Which dtype is taken, and when bfloat16 gives the same answers."""

from __future__ import annotations

import pytest
import torch

from hfattnlstm.modeling.compute_dtype import dtype_name, has_fast_bfloat16, same_answers


SINGLE, MULTI = "single_label_classification", "multi_label_classification"


@pytest.mark.parametrize("dtype", ["float32", torch.float32])
def test_names_and_dtypes_are_taken(dtype):
    assert dtype_name(dtype) == "float32"


@pytest.mark.parametrize("dtype", ["bf16", torch.int8, 32, "float64"])
def test_another_dtype_is_refused(dtype):
    with pytest.raises(ValueError, match="dtype must be one of auto, float32, bfloat16, float16, got"):
        dtype_name(dtype)


@pytest.mark.parametrize(("capabilities", "expected"), [({"amx_bf16": True}, True), ({"avx512_bf16": True}, False)])
def test_only_tile_units_are_fast_in_bfloat16(monkeypatch, capabilities, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    assert has_fast_bfloat16(torch.device("cpu")) is expected


@pytest.mark.parametrize(
    ("rough", "problem_type", "expected"),
    [
        ([[2.01, 0.0]], SINGLE, True),
        ([[2.5, 0.0]], SINGLE, False),
        ([[2.0, 0.0]], "regression", False),
        ([[2.0, 0.0]], MULTI, True),
        ([[2.0, 0.3]], MULTI, False),
    ],
)
def test_answers_are_compared_as_the_user_sees_them(rough, problem_type, expected):
    assert same_answers(torch.tensor([[2.0, 0.0]]), torch.tensor(rough), problem_type) is expected


def test_they_are_calibrated_and_each_label_has_its_threshold():
    exact, rough = torch.tensor([[2.0, 0.0]]), torch.tensor([[2.3, 0.0]])
    assert not same_answers(exact, rough, SINGLE)
    assert same_answers(exact, rough, SINGLE, temperature=10)
    exact, rough = torch.tensor([[0.40, 0.40]]), torch.tensor([[0.42, 0.40]])
    between = torch.tensor(0.41).sigmoid().item()
    assert not same_answers(exact, rough, MULTI, between)
    assert not same_answers(exact, rough, MULTI, [between, 0.5])
    assert same_answers(exact, rough, MULTI, [0.5, between])
    assert same_answers(exact, rough, MULTI, between, temperature=2)


def test_a_label_that_flips_is_another_answer_however_near():
    exact, rough = torch.tensor([[0.001, 0.0]]), torch.tensor([[0.0, 0.001]])
    assert not same_answers(exact, rough, SINGLE)
    assert not same_answers(exact[:, :1], -exact[:, :1], MULTI)

"""States stay where they lie, which is what makes the layers behind the recurrence fast."""

from __future__ import annotations

import pytest
import torch
from modeling_helpers import ids_of, mask_of, tiny_model
from torch import nn

from hfattnlstm import AttnLSTMModel
from hfattnlstm.modeling.layout import over_tokens, zero_padding


@pytest.mark.parametrize("grad", [False, True])
@pytest.mark.parametrize("kind", ["full", "right", "left", "holes"])
@pytest.mark.parametrize("residual", [False, True])
def test_the_states_are_time_major_in_memory(residual, kind, grad):
    model = tiny_model(AttnLSTMModel, num_hidden_layers=2, residual=residual)
    mask = mask_of(kind)
    with torch.set_grad_enabled(grad):
        outputs = model(ids_of(mask), mask, output_hidden_states=True)
    assert all(states.transpose(0, 1).is_contiguous() for states in outputs.hidden_states)


def test_padding_is_zeroed_even_where_it_is_not_a_number():
    states = torch.full((2, 3, 4), float("nan"))
    states[0, :2] = 1.0
    zeroed = zero_padding(states, torch.tensor([[True, True, False], [False] * 3]))
    assert zeroed.sum() == 8


def test_a_layer_over_tokens_sees_what_is_contiguous():
    seen = []

    def layer(states):
        seen.append(states.is_contiguous())
        return nn.functional.relu(states)

    states = torch.randn(3, 2, 4).transpose(0, 1)
    assert over_tokens(layer, states).equal(states.relu())
    assert seen == [True]

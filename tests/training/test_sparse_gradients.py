"""Clipping of sparse gradients against torch's clipping of the same gradients in dense form."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from hfattnlstm.training.lazy_adamw import LazyAdamW
from hfattnlstm.training.sparse_gradients import clip_sparse_grad_norm_, clip_sparse_grad_value_, has_sparse_gradients
from hfattnlstm.training.trainer import _clip_grad_norm


def parameters_with_gradients(sparse: bool) -> list[nn.Parameter]:
    torch.manual_seed(0)
    embedding, layer = nn.Embedding(9, 3, sparse=sparse), nn.Linear(3, 2)
    for _ in range(2):
        # Accumulated, and with a row twice in one batch.
        layer(embedding(torch.tensor([1, 4, 1]))).square().sum().backward()
    return [*embedding.parameters(), *layer.parameters(), nn.Parameter(torch.ones(1))]


def dense(parameters: list[nn.Parameter]) -> list[torch.Tensor]:
    return [parameter.grad.to_dense() for parameter in parameters if parameter.grad is not None]


@pytest.mark.parametrize("max_norm", [0.1, 1e6, float("inf")])
@pytest.mark.parametrize("norm_type", [2.0, 1.0, float("inf")])
def test_norm(max_norm, norm_type):
    expected, actual = parameters_with_gradients(sparse=False), parameters_with_gradients(sparse=True)
    norm = nn.utils.clip_grad_norm_(expected, max_norm, norm_type)
    assert torch.allclose(clip_sparse_grad_norm_(actual, max_norm, norm_type), norm)
    for one, other in zip(dense(actual), dense(expected), strict=True):
        assert torch.allclose(one, other)


@pytest.mark.parametrize("sparse", [True, False])
def test_tiny_gradients_are_left_alone(sparse):
    parameters = parameters_with_gradients(sparse)
    for parameter in parameters[:-1]:
        parameter.grad = parameter.grad * 1e-8
    before = [gradient.clone() for gradient in dense(parameters)]
    assert 0 < clip_sparse_grad_norm_(parameters, 1.0) < 1e-6
    assert all(torch.equal(one, other) for one, other in zip(dense(parameters), before, strict=True))


def test_value():
    expected, actual = parameters_with_gradients(sparse=False), parameters_with_gradients(sparse=True)
    nn.utils.clip_grad_value_(expected, 0.3)
    clip_sparse_grad_value_(actual, 0.3)
    for one, other in zip(dense(actual), dense(expected), strict=True):
        assert torch.allclose(one, other) and other.abs().max() == pytest.approx(0.3)


@pytest.mark.parametrize("sparse", [True, False])
def test_gradients_are_unscaled_before_their_norm_is_taken(sparse):
    """As in float16 training, where the loss is scaled up."""
    expected = parameters_with_gradients(sparse=False)
    norm = nn.utils.clip_grad_norm_(expected, 0.1)

    actual = parameters_with_gradients(sparse=sparse)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    scaler.scale(torch.ones(()))
    optimizer = LazyAdamW(actual)
    for parameter in actual:
        if parameter.grad is not None:
            parameter.grad = parameter.grad * 1024.0
    accelerator = SimpleNamespace(unscale_gradients=lambda: scaler.unscale_(optimizer))

    def clip(parameters, max_norm):
        accelerator.unscale_gradients()
        return nn.utils.clip_grad_norm_(parameters, max_norm)

    assert torch.allclose(_clip_grad_norm(accelerator, clip, iter(actual), 0.1), norm)
    for one, other in zip(dense(actual), dense(expected), strict=True):
        assert torch.allclose(one, other)


def test_which_are_sparse():
    assert has_sparse_gradients(parameters_with_gradients(sparse=True))
    assert not has_sparse_gradients(parameters_with_gradients(sparse=False))

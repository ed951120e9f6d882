"""How states lie in memory: time-major, as torch's LSTM leaves them, but batch-first in a graph for ONNX."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def is_traced_for_onnx() -> bool:
    """Whether an exporter on torch.export is tracing the model for ONNX."""
    return torch.onnx.is_in_onnx_export() and torch.compiler.is_exporting()


def over_tokens(layer: Callable[[Tensor], Tensor], states: Tensor) -> Tensor:
    """Apply a layer that treats each token by itself, where the states lie, so that nothing is copied.

    Args:
        layer: From (…, size) to (…, width).
        states: (batch, length, size).

    Returns:
        (batch, length, width).
    """
    return layer(states) if is_traced_for_onnx() else layer(states.transpose(0, 1)).transpose(0, 1)

"""How states lie in memory: time-major, as torch's LSTM leaves them, but batch-first in a graph for ONNX."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import torch
from torch import Tensor


_exports_to_onnx = torch.onnx.is_in_onnx_export

# The exporter of transformers traces a model before torch's begins; it replaces what is registered here meanwhile.
with contextlib.suppress(ImportError):  # older versions have none
    from transformers.exporters.utils import register_patch

    register_patch("onnx", f"{__name__}._exports_to_onnx")(lambda original: lambda: True)


def is_traced_for_onnx() -> bool:
    """Whether an exporter on torch.export is tracing the model for ONNX."""
    return torch.compiler.is_exporting() and _exports_to_onnx()


def can_be_read(values: Tensor) -> bool:
    """Whether looking at the values neither waits for a device nor freezes a graph that is being made."""
    return values.device.type == "cpu" and not (torch.compiler.is_compiling() or torch.jit.is_tracing())


def over_tokens(layer: Callable[[Tensor], Tensor], states: Tensor) -> Tensor:
    """Apply a layer that treats each token by itself, where the states lie, so that nothing is copied.

    Args:
        layer: From (…, size) to (…, width).
        states: (batch, length, size).

    Returns:
        (batch, length, width).
    """
    return layer(states) if is_traced_for_onnx() else layer(states.transpose(0, 1)).transpose(0, 1)


def zero_padding(states: Tensor, mask: Tensor) -> Tensor:
    """States (batch, length, size), 0 where the mask (batch, length) is False, laid out as they were."""
    if is_traced_for_onnx():
        return zero_where(~mask[..., None], states)
    # `masked_fill` would lay them out anew, batch-first.
    return zero_where(~mask.t()[..., None], states.transpose(0, 1)).transpose(0, 1)


def zero_where(mask: Tensor, states: Tensor) -> Tensor:
    """Zeros where `mask` is True; in place where no gradient can need the old values, and no graph is made."""
    in_place = not states.requires_grad and not torch.compiler.is_exporting()
    return states.masked_fill_(mask, 0.0) if in_place else states.masked_fill(mask, 0.0)

"""Deployment of trained models: export to ONNX, and pipelines over the exported files.

It needs the extra `onnx`: `pip install "hfattnlstm[onnx]"`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .._extras import needs_extra
from .onnx_base import find_onnx_file
from .onnx_check import Agreement
from .onnx_export import OnnxExport, export_onnx
from .onnx_model import OnnxAttnLSTMForSequenceClassification, is_onnx, onnx_pipeline
from .onnx_tagger import OnnxAttnLSTMForTokenClassification
from .session import open_session


if TYPE_CHECKING:
    from .series_export import export_series_model

# What needs the extra `train`, which the rest does not, is imported when it is first used.
_OF_SERIES = ("export_series_model",)


__all__ = [
    "Agreement",
    "OnnxAttnLSTMForSequenceClassification",
    "OnnxAttnLSTMForTokenClassification",
    "OnnxExport",
    "export_onnx",
    "export_series_model",
    "find_onnx_file",
    "is_onnx",
    "onnx_pipeline",
    "open_session",
]


def __getattr__(name: str) -> Any:
    if name not in _OF_SERIES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    with needs_extra(f"{__name__}.{name}"):
        return getattr(importlib.import_module(".series_export", __name__), name)

"""Deployment of trained models: export to ONNX, and pipelines over the exported files.

It needs the extra `onnx`: `pip install "hfattnlstm[onnx]"`.
"""

from __future__ import annotations

from .forecaster_export import export_forecaster
from .onnx_check import Agreement
from .onnx_export import OnnxExport, export_onnx
from .onnx_model import OnnxAttnLSTMForSequenceClassification, find_onnx_file, is_onnx, onnx_pipeline
from .session import open_session


__all__ = [
    "Agreement",
    "OnnxAttnLSTMForSequenceClassification",
    "OnnxExport",
    "export_forecaster",
    "export_onnx",
    "find_onnx_file",
    "is_onnx",
    "onnx_pipeline",
    "open_session",
]

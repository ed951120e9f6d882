"""ONNX Runtime, which is an optional dependency: imported when it is first needed."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

import torch

from .._extras import import_optional


# ONNX Runtime's level for errors that end the process; lesser ones are raised, and need not be printed as well.
_FATAL = 4


def open_session(path: str | PathLike[str], num_threads: int | None = None, first: str = "logits") -> Any:
    """Load an exported model into ONNX Runtime, on the CPU.

    Args:
        path: The .onnx file.
        num_threads: Threads of one call; as many as torch uses when it is None.
        first: The name of its first output, `"forecast"` of a forecaster.

    Returns:
        An `onnxruntime.InferenceSession`.

    Raises:
        FileNotFoundError: When there is no such file.
        ImportError: Without ONNX Runtime.
        ValueError: When the file is damaged, or not what this package has exported.

    Example:

    ```python
    >>> session = open_session("my-model-onnx/model.onnx")
    >>> [output.name for output in session.get_outputs()]
    ['logits', 'attentions', 'probabilities']
    ```
    """
    onnxruntime = import_optional("onnxruntime")
    if not Path(path).is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    if num_threads is not None and num_threads < 1:
        raise ValueError(f"num_threads must be at least 1, got {num_threads}.")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = num_threads or torch.get_num_threads()
    # Threads that wait by spinning take the cores from the tokenizer, and from other sessions.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = _FATAL
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the exceptions of ONNX Runtime have no common class of their own
        raise ValueError(
            f"ONNX Runtime cannot load {path}, which is damaged or no ONNX file: export it again."
        ) from error
    producer = session.get_modelmeta().custom_metadata_map.get("producer", "")
    if not producer.startswith("hfattnlstm ") or session.get_outputs()[0].name != first:
        writer = "export_onnx" if first == "logits" else "export_series_model"
        raise ValueError(f"{path} is from elsewhere: give a file that hfattnlstm.deploy.{writer} has written.")
    return session

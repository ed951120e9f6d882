"""`hfattnlstm env`: versions, processor, threads, and which way the models are computed here."""

# ruff: noqa: T201
from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from .._extras import EXTRAS
from .._parsing import SentenceParser
from .._version import __version__
from ..modeling.compute_dtype import has_fast_bfloat16
from ..modeling.lstm_backends import default_backend, read_with_torch
from .program import add_traceback


# The distribution of each package, and its module where it is called otherwise.
_PACKAGES = {
    **dict.fromkeys(("torch", "transformers", "tokenizers", "safetensors", "huggingface_hub", "numpy")),
    **dict.fromkeys(("datasets", "accelerate", "evaluate", "pyarrow")),
    "scikit-learn": "sklearn",
    **dict.fromkeys(("onnx", "onnxruntime", "onnxscript", "matplotlib")),
}
_CPU_FILE = Path("/proc/cpuinfo")
# As torch calls what a processor can do, and as people do.
_INSTRUCTIONS = {
    "avx2": "AVX2",
    "avx512_f": "AVX-512",
    "avx512_vnni": "AVX-512 VNNI",
    "avx512_bf16": "AVX-512 bf16",
    "amx_bf16": "AMX bf16",
    "amx_int8": "AMX int8",
    "neon": "NEON",
    "bf16": "bf16",
    "sve": "SVE",
}


def env(arguments: Sequence[str]) -> int:
    """Print what a report of a fault should say of the machine.

    Args:
        arguments: The command line after `hfattnlstm env`; see its `--help`.

    Returns:
        The exit status.

    Example:

    ```python
    >>> env([])
    hfattnlstm       0.1.0
    python           3.11.7 (CPython)
    torch            2.13.0...
    ...
    0
    ```
    """
    parser = SentenceParser("hfattnlstm env", description="Show what to paste into the report of a fault.")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    add_traceback(parser)
    parsed = parser.parse_args(arguments)
    found = describe_environment()
    if parsed.json:
        print(json.dumps(found, indent=2))
        return 0
    width = max(map(len, found))
    for name, value in found.items():
        print(f"{name:{width}}  {value}")
    return 0


def describe_environment() -> dict[str, Any]:
    """Versions, machine and ways of computing, by name; nothing heavy is imported but torch.

    Example:

    ```python
    >>> describe_environment()["recurrence"]
    'the fused LSTM of torch (oneDNN)'
    ```
    """
    return {
        "hfattnlstm": __version__,
        "python": f"{platform.python_version()} ({platform.python_implementation()})",
        **{name: _version_of(name, module or name) for name, module in _PACKAGES.items()},
        "system": platform.platform(),
        "processor": _processor(),
        "cores": _cores(),
        "instructions": ", ".join(_instructions()) or "torch knows of none",
        "memory": _memory(),
        "torch_threads": torch.get_num_threads(),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "not set"),
        "accelerator": _accelerator(),
        "recurrence": _recurrence(),
        "dtype": _dtype(),
    }


def _version_of(name: str, module: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        extra = next((extra for extra, modules in EXTRAS.items() if module in modules), None)
        return "not installed" + ("" if extra is None else f': pip install "hfattnlstm[{extra}]"')


def _processor() -> str:
    """The name of the processor; Linux alone does not tell Python."""
    try:
        lines = _CPU_FILE.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    fields = (line.partition(":") for line in lines)
    names = (value.strip() for name, _, value in fields if name.strip() == "model name")
    return next(names, "") or platform.processor() or platform.machine()


def _cores() -> str:
    count = os.cpu_count() or 1
    # Not on every system.
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else count
    return f"{count} logical" + ("" if usable == count else f", of which {usable} may be used")


def _instructions() -> Iterator[str]:
    # Older versions of torch cannot tell.
    capabilities = getattr(torch.cpu, "get_capabilities", dict)()
    return (shown for name, shown in _INSTRUCTIONS.items() if capabilities.get(name))


def _memory() -> str:
    try:
        return f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.1f} GiB"
    except (AttributeError, OSError, ValueError):
        return "unknown"


def _accelerator() -> str:
    if not torch.accelerator.is_available():
        return "none"
    kind = torch.accelerator.current_accelerator().type
    name = f" ({torch.cuda.get_device_name()})" if kind == "cuda" else ""
    return f"{torch.accelerator.device_count()} x {kind}{name}"


def _device() -> torch.device:
    return torch.accelerator.current_accelerator() if torch.accelerator.is_available() else torch.device("cpu")


def _recurrence() -> str:
    backend = default_backend()
    if backend is not read_with_torch:
        return backend.__name__
    library = {"cuda": " (cuDNN)", "cpu": " (oneDNN)" if torch.backends.mkldnn.is_available() else ""}
    return f"the fused LSTM of torch{library.get(_device().type, '')}"


def _dtype() -> str:
    device = _device()
    if has_fast_bfloat16(device):
        return 'float32; bfloat16 with dtype="auto", where a model gives the same answers in it, for it is faster here'
    lacks = "without AMX a processor" if device.type == "cpu" else f"{device.type} here"
    return f'float32, with dtype="auto", too: {lacks} is no faster in bfloat16'

"""The machine that a table was measured on, and whether it was quiet."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
import sys
import time
from pathlib import Path
from typing import Any

import torch


# Packages whose versions belong to a result, where they are installed.
PACKAGES = (
    *("hfattnlstm", "torch", "transformers", "tokenizers", "numpy", "onnxruntime", "flair", "keras", "jax"),
    *("tensorflow", "spacy", "fasttext-wheel", "fasttext", "scikit-learn", "pandas", "neuralforecast"),
    "pytorch-lightning",
)
# Instructions that decide how fast matrices are multiplied.
_FLAGS = (
    "avx2",
    "avx512f",
    "avx512_vnni",
    "avx512_bf16",
    "avx512_fp16",
    "amx_bf16",
    "amx_int8",
    "asimd",
    "bf16",
    "sve",
)
_PROBE_SECONDS = 0.5
_BUSY_SHARE = 0.1


def usable_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def describe_machine() -> dict[str, Any]:
    """Processor, cores, threads, memory, operating system and accelerator."""
    info = _cpu_info()
    flags = set(info.get("flags", info.get("Features", "")).split())
    return {
        "processor": info.get("model name") or platform.processor() or platform.machine(),
        "cores": usable_cores(),
        "torch_threads": torch.get_num_threads(),
        "instructions": [flag for flag in _FLAGS if flag in flags],
        "memory_bytes": _memory(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "accelerator": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }


def versions() -> dict[str, str]:
    """Versions of the installed packages that a result depends on."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _cpu_info() -> dict[str, str]:
    """The entries of the first processor in /proc/cpuinfo; empty where there is no such file."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return {}
    entries = (line.partition(":") for line in text.split("\n\n")[0].splitlines())
    return {key.strip(): value.strip() for key, _, value in entries}


def _memory() -> int | None:
    if not hasattr(os, "sysconf") or "SC_PHYS_PAGES" not in os.sysconf_names:
        return None
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def peak_memory() -> int | None:
    """Most bytes of memory that this process has held so far; None where the system does not tell."""
    # Not getrusage where it can be helped: on Linux a new process starts with the peak of the one that started it.
    with contextlib.suppress(OSError):
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        peak = next((line for line in status.splitlines() if line.startswith("VmHWM:")), None)
        if peak is not None:
            return int(peak.split()[1]) * 1024
    try:
        # Not on Windows.
        import resource
    except ImportError:
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _busy_ticks() -> tuple[int, int] | None:
    """Busy and all ticks of the processors since the start; None where the system does not tell."""
    try:
        line = Path("/proc/stat").read_text(encoding="utf-8").split("\n", 1)[0]
    except OSError:
        return None
    # user, nice, system, idle, waiting for the disk, interrupts twice, stolen by other virtual machines
    ticks = [int(value) for value in line.split()[1:9]]
    return sum(ticks) - ticks[3] - ticks[4], sum(ticks)


def busy_share(seconds: float = _PROBE_SECONDS) -> float | None:
    """Share of the machine that is at work while this process sleeps; None where the system does not tell."""
    before = _busy_ticks()
    time.sleep(seconds)
    after = _busy_ticks()
    if before is None or after is None:
        return None
    return (after[0] - before[0]) / max(after[1] - before[1], 1)


class QuietMachine:
    """Waits for a quiet machine, and remembers how often it was not.

    Args:
        patience: Seconds to wait in all.

    Attributes:
        noisy: Rounds that had to begin on a busy machine.
        known: Whether the system tells its load.
    """

    def __init__(self, patience: float):
        self.patience = patience
        self.noisy = 0
        self.known = True

    def wait(self) -> None:
        """Return once less than a tenth of the machine is busy, or when the patience is used up."""
        while True:
            start = time.monotonic()
            share = busy_share()
            if share is None:
                self.known = False
                return
            if share < _BUSY_SHARE:
                return
            self.patience -= time.monotonic() - start
            if self.patience <= 0:
                self.noisy += 1
                return

    def remark(self, rounds: int) -> str | None:
        """A sentence for the table about what was not as it should be."""
        if not self.known:
            return "The system does not tell its load, so nobody waited for a quiet machine."
        if self.noisy:
            return f"{self.noisy} of {rounds} rounds began while other programs were busy: measure again."
        return None

"""Settings for all tests."""

from __future__ import annotations

import gc
import os
import tempfile
from typing import Any


# Tiny models gain nothing from several threads, and on a busy machine threads that wait for each other take a hundred
# times as long. Set before torch is imported, and for the subprocesses of the tests, too.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["HF_HUB_OFFLINE"] = "1"
# Each process of the tests, and those that it starts, writes the code of checkpoints to a place of its own.
_MODULES = tempfile.TemporaryDirectory(prefix="hf-modules-")
os.environ["HF_MODULES_CACHE"] = _MODULES.name


def pytest_collection_finish(session: Any) -> None:
    """What is in memory by now stays there, and need not be looked at by every collection of garbage, which would take
    most of the time of a short training.
    """
    gc.collect()
    gc.freeze()

"""Settings for all tests."""

from __future__ import annotations

import os
import tempfile


# Tiny models gain nothing from several threads, and on a busy machine threads that wait for each other take a hundred
# times as long. Set before torch is imported, and for the subprocesses of the tests, too.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["HF_HUB_OFFLINE"] = "1"
# Each process of the tests, and those that it starts, writes the code of checkpoints to a place of its own.
_MODULES = tempfile.TemporaryDirectory(prefix="hf-modules-")
os.environ["HF_MODULES_CACHE"] = _MODULES.name

"""Pickling of modules whose outputs transformers captures."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any


_CAPTURING = "transformers.utils.output_capturing"


class PicklableCapture:
    """Mixin for a module: leaves the hooks that capture its output out of pickles and copies.

    transformers installs them when hidden states or attentions are first asked for. They are local functions, which
    cannot be pickled, and it installs them again where its mark is missing.
    """

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        state.pop("_output_capturing_hooks_installed", None)
        state["_forward_hooks"] = OrderedDict(
            (key, hook) for key, hook in state["_forward_hooks"].items() if hook.__module__ != _CAPTURING
        )
        return state

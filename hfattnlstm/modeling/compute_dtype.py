"""The dtype that a model computes in: which there are, which are fast here, and whether the answers stay the same."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .configuration_base import MULTI_LABEL, REGRESSION
from .losses import probabilities


DTYPES = ("auto", "float32", "bfloat16", "float16")
# What a probability may change by.
TOLERANCE = 0.02


def dtype_name(dtype: str | torch.dtype) -> str:
    """One of [`DTYPES`].

    Raises:
        ValueError: For another one.

    Example:

    ```python
    >>> dtype_name(torch.bfloat16)
    'bfloat16'
    ```
    """
    name = str(dtype).removeprefix("torch.")
    if name not in DTYPES:
        raise ValueError(f"dtype must be one of {', '.join(DTYPES)}, got {dtype!r}.")
    return name


def has_fast_bfloat16(device: torch.device) -> bool:
    """Whether the processor multiplies matrices faster in bfloat16 than in float32.

    On x86 only one with tile units (AMX) does; with AVX-512 alone an LSTM is slower in bfloat16.

    Example:

    ```python
    >>> has_fast_bfloat16(torch.device("meta"))
    False
    ```
    """
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    # Older versions of torch cannot tell.
    capabilities = getattr(torch.cpu, "get_capabilities", dict)() if device.type == "cpu" else {}
    return bool(capabilities.get("amx_bf16", False))


def same_answers(
    exact: Tensor,
    rough: Tensor,
    problem_type: str,
    threshold: float | Sequence[float] = 0.5,
    temperature: float = 1.0,
) -> bool:
    """Whether two computations of the same texts give the same labels, and probabilities within 0.02.

    Args:
        exact, rough: Logits (texts, labels) of either computation.
        problem_type: That of the model. The numbers of a regression are never taken for the same.
        threshold: Of multi-label problems, the probability above which a label applies; one number, or one a label.
        temperature: Divides the logits, see `calibration_temperature` of the configuration.

    Example:

    ```python
    >>> same_answers(torch.tensor([[2.0, 0.0]]), torch.tensor([[2.01, 0.0]]), "single_label_classification")
    True
    ```
    """
    if problem_type == REGRESSION:
        return False
    several = problem_type == MULTI_LABEL
    first, second = (probabilities(values.float(), problem_type, temperature) for values in (exact, rough))
    bounds = torch.as_tensor(threshold, device=first.device)
    labels = [values > bounds if several else values.argmax(-1) for values in (first, second)]
    return torch.equal(*labels) and bool((first - second).abs().max() <= TOLERANCE)

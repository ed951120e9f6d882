"""Distributions of future values: their parameters from a network's outputs, and back to the scale of the series."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.distributions import Distribution, NegativeBinomial, Normal, StudentT
from transformers.time_series_utils import NegativeBinomialOutput, NormalOutput, StudentTOutput


# What maps outputs to parameters, and the distribution that has them, by name.
DISTRIBUTIONS = {
    "student_t": (StudentTOutput, StudentT),
    "normal": (NormalOutput, Normal),
    "negative_binomial": (NegativeBinomialOutput, NegativeBinomial),
}


def num_parameters(name: str) -> int:
    """How many outputs of a network a distribution needs for a value.

    Example:

    ```python
    >>> num_parameters("student_t")
    3
    ```
    """
    return len(DISTRIBUTIONS[name][0].args_dim)


def distribution_parameters(name: str, raw: Tensor, loc: Tensor, scale: Tensor) -> tuple[Tensor, ...]:
    """The parameters of a distribution of values, from outputs for values that were centred and scaled.

    Args:
        name: One of `DISTRIBUTIONS`.
        raw: (batch, length, channels, parameters).
        loc, scale: (batch, 1, channels), what was taken off the series, and what they were divided by.

    Returns:
        Of a Student's t the degrees of freedom, location and scale, of a normal distribution the last two, and of a
        negative binomial the number of failures and the logits of a success, each (batch, length, channels).

    Example:

    ```python
    >>> raw, one = torch.zeros(1, 2, 1, 2), torch.ones(1, 1, 1)
    >>> distribution_parameters("normal", raw, 5 * one, 2 * one)[0].flatten()
    tensor([5., 5.])
    ```
    """
    parameters = DISTRIBUTIONS[name][0].domain_map(*(part.unsqueeze(-1) for part in raw.unbind(-1)))
    if name == "negative_binomial":
        total, logits = parameters
        # The rate of the counts, which is drawn from a gamma distribution, is multiplied.
        return total, logits + scale.log()
    *rest, center, spread = parameters
    return *rest, center * scale + loc, spread * scale


def make_distribution(name: str, parameters: tuple[Tensor, ...]) -> Distribution:
    """The distribution that has the parameters of [`distribution_parameters`].

    Example:

    ```python
    >>> make_distribution("normal", (torch.zeros(1), torch.ones(1))).mean
    tensor([0.])
    ```
    """
    # Their checks look at every value, which would wait for a device.
    if name == "negative_binomial":
        return NegativeBinomial(parameters[0], logits=parameters[1], validate_args=False)
    return DISTRIBUTIONS[name][1](*parameters, validate_args=False)


def negative_log_likelihood(name: str, parameters: tuple[Tensor, ...], target: Tensor) -> Tensor:
    """Of each value, in the shape of `target`, which is (batch, length, channels)."""
    wide = tuple(part if part.dtype == torch.float64 else part.float() for part in parameters)
    return -make_distribution(name, wide).log_prob(target)

"""Training on texts with and without what the attention takes most of, so that the model follows what it shows."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..modeling.configuration_base import MULTI_LABEL
from ..modeling.reading_order import mask_of


# Of the tokens of a text; which of them, is drawn for each batch.
SHARES = (0.01, 0.05, 0.1, 0.2, 0.5)


def erasure_loss(model: nn.Module, inputs: Mapping[str, Tensor]) -> Tensor:
    """How much the model knows of texts without the tokens of most attention, and how little with these alone.

    Chan et al. (2022) train on comprehensiveness and sufficiency so. Here, of a text without these tokens, every label
    should be as probable as any other: the loss is the Kullback-Leibler divergence from that. Of these tokens alone it
    should have its label: the loss is that of the model. Both texts are read as if the other tokens had never been
    there. Through the choice of the tokens no gradient flows. Of several labels a text, each should be as probable as
    not.

    Args:
        model: A classifier of this package, of labels, in training mode.
        inputs: A batch with labels, as the model takes it.

    Returns:
        A scalar, the mean over the texts of the sum of both.

    Example:

    ```python
    >>> batch = {"input_ids": torch.tensor([[5, 6, 7]]), "labels": torch.tensor([1])}
    >>> erasure_loss(model.train(), batch).shape
    torch.Size([])
    ```
    """
    read = inputs["input_ids"] if "input_ids" in inputs else inputs["inputs_embeds"][..., 0]
    mask = mask_of(read, inputs.get("attention_mask"))
    read_alone = {name: value for name, value in inputs.items() if name != "labels"}
    with torch.no_grad():
        weights = model(**read_alone, output_attentions=True)["attentions"][-1].float().mean(1)[:, 0]
    share = SHARES[int(torch.randint(len(SHARES), ()))]
    most = of_most_attention(weights, mask, share)
    without = model(**_shortened(read_alone, mask & ~most))["logits"].float()
    alone = model(**_shortened(inputs, most))
    several = model.config.resolve_problem_type(inputs["labels"].is_floating_point()) == MULTI_LABEL
    return _distance_from_knowing_nothing(without, several) + alone["loss"]


def _shortened(inputs: Mapping[str, Tensor], kept: Tensor) -> dict[str, Tensor]:
    """The same texts without the tokens that are not kept, in as few columns as they need."""
    longest = max(int(kept.sum(1).max()), 1)
    order = (~kept).int().argsort(dim=1, stable=True)[:, :longest]
    name = "input_ids" if "input_ids" in inputs else "inputs_embeds"
    places = order if name == "input_ids" else order[..., None].expand(-1, -1, inputs[name].shape[-1])
    return {**inputs, name: inputs[name].gather(1, places), "attention_mask": kept.gather(1, order)}


def of_most_attention(weights: Tensor, mask: Tensor, share: float) -> Tensor:
    """Which tokens have the highest weights.

    Args:
        weights: (batch, length).
        mask: Boolean (batch, length), True on real tokens.
        share: Of the tokens of each text; rounded up.

    Returns:
        Boolean (batch, length).

    Example:

    ```python
    >>> of_most_attention(torch.tensor([[0.2, 0.5, 0.3]]), torch.ones(1, 3, dtype=torch.bool), 0.5)
    tensor([[False,  True,  True]])
    ```
    """
    order = weights.masked_fill(~mask, -torch.inf).argsort(1, descending=True)
    places = torch.arange(mask.shape[1], device=mask.device).expand_as(order)
    rank = torch.empty_like(order).scatter_(1, order, places)
    return (rank < (share * mask.sum(1, keepdim=True) - 1e-6).ceil()) & mask


def _distance_from_knowing_nothing(logits: Tensor, several: bool) -> Tensor:
    """(texts, num_labels) to a scalar: how far the probabilities are from equal ones, or each from one half."""
    if several:
        return (F.softplus(logits) - logits / 2).mean() - math.log(2)
    return (logits.logsumexp(1) - logits.mean(1)).mean() - math.log(logits.shape[1])

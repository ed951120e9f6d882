"""Where each direction of an LSTM finds the real tokens of a text, for every attention mask.

Each direction reads only the real tokens, in its own order: an index moves them to the front, and the inverse index
puts the states back. So the same code serves right padding, left padding and masks with holes, and exports to a graph.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from .layout import can_be_read


class ReadingOrder(NamedTuple):
    """Where each direction finds its k-th token, as indices into (length · batch) rows, time-major.

    Attributes:
        forward: Row of the k-th real token of each text; None where the tokens already stand in that order.
        forward_back: Inverse of `forward`.
        backward: Row of the k-th real token from the end.
        backward_back: Inverse of `backward`.
        last: (batch,) row that holds the state after the whole text, in either direction's order.
        count: (batch,) real tokens of each text; None where all are real.
        mask: Boolean (batch, length), True on real tokens; None where all are real.
    """

    forward: Tensor | None
    forward_back: Tensor | None
    backward: Tensor
    backward_back: Tensor
    last: Tensor
    count: Tensor | None
    mask: Tensor | None


def boolean_mask(attention_mask: Tensor, device: torch.device, name: str = "attention_mask") -> Tensor:
    """A mask of 0 and 1 of any dtype as booleans on a device.

    Args:
        attention_mask: The mask.
        device: Where to.
        name: What it is called in the sentence of a mistake.

    Raises:
        ValueError: For other values, such as those of an additive mask.

    Example:

    ```python
    >>> boolean_mask(torch.tensor([[1, 0]]), torch.device("cpu"))
    tensor([[ True, False]])
    ```
    """
    if _may_be_wrong(attention_mask) and not ((attention_mask == 0) | (attention_mask == 1)).all():
        raise ValueError(
            f"{name} must hold 1 for what is real and 0 for padding: turn an additive mask, with 0 for what is real "
            "and large negative numbers for padding, into (mask == 0)."
        )
    return attention_mask.to(device=device, dtype=torch.bool)


def mask_of(input_ids: Tensor, attention_mask: Tensor | None) -> Tensor:
    """The mask as booleans (batch, length) where the ids are; all True without one."""
    if attention_mask is None:
        return torch.ones_like(input_ids, dtype=torch.bool)
    return boolean_mask(attention_mask, input_ids.device)


def _may_be_wrong(mask: Tensor) -> bool:
    """Whether a mask may hold other values, and can be read; additive ones are floats, others hardly ever."""
    if mask.is_floating_point() and not mask.is_meta:
        return not (torch.compiler.is_compiling() or torch.jit.is_tracing())
    return mask.dtype != torch.bool and can_be_read(mask)


def full_reading_order(batch: int, length: int, device: torch.device) -> ReadingOrder:
    """The [`ReadingOrder`] of a batch without padding.

    Example:

    ```python
    >>> full_reading_order(1, 3, torch.device("cpu")).backward
    tensor([2, 1, 0])
    ```
    """
    rows = torch.arange(length * batch, device=device).view(length, batch)
    backward = rows.flip(0).flatten()
    return ReadingOrder(None, None, backward, backward, rows[-1], None, None)


def reading_order(mask: Tensor) -> ReadingOrder:
    """Compute the [`ReadingOrder`] of a batch with padding.

    Args:
        mask: Boolean (batch, length), True on real tokens.

    Example:

    ```python
    >>> order = reading_order(torch.tensor([[False, True, True]]))
    >>> order.forward, order.backward
    (tensor([1, 2, 0]), tensor([2, 1, 0]))
    ```
    """
    batch = mask.shape[0]
    count = mask.sum(1, keepdim=True)
    place = place_in_order(mask, count)
    backward_back = torch.where(mask, count - 1 - place, place)
    backward = invert(backward_back)
    forward = forward_back = None
    if not is_seen_in_order(mask):
        forward, forward_back = _as_rows(invert(place)), _as_rows(place)
    row = torch.arange(batch, device=mask.device)
    count = count.squeeze(1)
    last = (count - 1).clamp(min=0) * batch + row
    return ReadingOrder(forward, forward_back, _as_rows(backward), _as_rows(backward_back), last, count, mask)


def take_rows(states: Tensor, rows: Tensor | None) -> Tensor:
    """Reorder time-major (length, batch, …) by flat indices (length · batch,); unchanged where there are none."""
    if rows is None:
        return states
    return states.flatten(0, 1).index_select(0, rows).view(states.shape)


def place_in_order(mask: Tensor, count: Tensor) -> Tensor:
    """Where each token goes, (batch, length): the real ones, `count` (batch, 1), to the front, the others behind."""
    # As integers, because ONNX has no running sum of booleans.
    rank = mask.long().cumsum(1) - 1
    behind = count + (~mask).long().cumsum(1) - 1
    return torch.where(mask, rank, behind)


def is_seen_in_order(mask: Tensor) -> bool:
    """Whether padding is on the right only; False where the answer would wait for a device or freeze a graph."""
    return can_be_read(mask) and bool((mask[:, 1:] <= mask[:, :-1]).all())


def invert(place: Tensor) -> Tensor:
    """Inverse of the permutation in each row."""
    positions = torch.arange(place.shape[1], device=place.device).expand_as(place)
    return torch.zeros_like(place).scatter(1, place, positions)


def _as_rows(place: Tensor) -> Tensor:
    """(batch, length) positions as flat indices into time-major rows."""
    batch = place.shape[0]
    return (place.t() * batch + torch.arange(batch, device=place.device)).flatten()

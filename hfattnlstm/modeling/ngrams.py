"""The n-grams of a text: runs of tokens that have rows of their own in a table.

An n-gram is a number, and which of them have a row is a sorted list of such numbers: no two share a row, and those
that were not chosen have none. They run over the real tokens as if padding and holes in the mask were cut out.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import initialization as init

from .configuration_checks import NGRAM_BITS
from .layout import is_traced_for_onnx
from .number_index import NumberIndex
from .reading_order import invert, is_seen_in_order, place_in_order


def ngram_numbers(input_ids: Tensor, mask: Tensor, longest: int) -> Tensor:
    """A number for every n-gram, with its last token.

    Args:
        input_ids: (batch, length), real tokens in front.
        mask: Boolean (batch, length), True on real tokens.
        longest: Tokens in the longest n-gram.

    Returns:
        (batch, length, longest): at place t those of the runs of 1, 2 … tokens that end at t; 0 where a text has no
        such run.

    Example:

    ```python
    >>> ids, mask = torch.tensor([[5, 6]]), torch.ones(1, 2, dtype=torch.bool)
    >>> ngram_numbers(ids, mask, 2) == torch.tensor([[[6, 0], [7, 6 * 2**31 + 7]]])
    tensor([[[True, True],
             [True, True]]])
    ```
    """
    tokens = torch.where(mask, input_ids.long() + 1, 0)
    number, complete, numbers = torch.zeros_like(tokens), mask, []
    for back in range(longest):
        earlier = F.pad(tokens, (back, 0))[:, : tokens.shape[1]]
        # A product, because ONNX shifts no signed integers.
        number = number + earlier * 2 ** (back * (NGRAM_BITS // longest))
        complete = complete & (earlier > 0)
        numbers.append(torch.where(complete, number, 0))
    return torch.stack(numbers, dim=-1)


class NgramIndex(NumberIndex):
    """Rows of a table for the n-grams that were chosen.

    Args:
        size: How many have a row.
        longest: Tokens in the longest of them.

    Attributes:
        numbers: (size,), those of the chosen n-grams in rising order; see [`ngram_numbers`].

    Example:

    ```python
    >>> index = NgramIndex(size=2, longest=2)
    >>> ids, mask = torch.tensor([[5, 6, 5]]), torch.ones(1, 3, dtype=torch.bool)
    >>> index.numbers.copy_(torch.tensor([6, 7 * 2**31 + 6]))  # token 5, and token 5 after token 6
    tensor([          6, 15032385542])
    >>> index(ids, mask)
    tensor([[[1, 0],
             [0, 0],
             [1, 2]]])
    ```
    """

    def __init__(self, size: int, longest: int):
        super().__init__(size)
        self.longest = longest

    def forward(self, input_ids: Tensor, mask: Tensor) -> Tensor:
        """Rows of the n-grams that end at each token.

        Args:
            input_ids: (batch, length).
            mask: Boolean (batch, length), True on real tokens, wherever they stand.

        Returns:
            (batch, length, longest): from 1 to `size`; 0 for n-grams without a row, and on padding.
        """
        if is_seen_in_order(mask):
            return self.rows(ngram_numbers(input_ids, mask, self.longest))
        count = mask.sum(1, keepdim=True)
        place = place_in_order(mask, count)
        real = torch.arange(mask.shape[1], device=mask.device) < count
        rows = self.rows(ngram_numbers(input_ids.gather(1, invert(place)), real, self.longest))
        return rows.gather(1, place[..., None].expand_as(rows))

    def tokens(self) -> Tensor:
        """The token ids of each n-gram, (size, longest), -1 in front of shorter ones."""
        shifts = torch.arange(self.longest - 1, -1, -1, device=self.numbers.device) * (NGRAM_BITS // self.longest)
        return (self.numbers[:, None] >> shifts & 2 ** (NGRAM_BITS // self.longest) - 1) - 1

    def extra_repr(self) -> str:
        return f"{len(self.numbers)}, longest={self.longest}"


class NgramEmbedding(nn.Module):
    """Embeddings of n-grams of two tokens or more, added up for the n-grams that end at the same token.

    Args:
        size: How many n-grams have one.
        longest: Tokens in the longest of them.
        width: Of an embedding.
        dropout: Share of the units that are dropped.

    Example:

    ```python
    >>> ids, mask = torch.tensor([[5, 6, 5]]), torch.ones(1, 3, dtype=torch.bool)
    >>> NgramEmbedding(size=10, longest=3, width=4)(ids, mask).shape
    torch.Size([1, 3, 4])
    ```
    """

    def __init__(self, size: int, longest: int, width: int, dropout: float = 0.0):
        super().__init__()
        self.index = NgramIndex(size, longest)
        # Row 0 is for n-grams that have none.
        self.table = nn.Embedding(size + 1, width, padding_idx=0)
        self.dropout = nn.Dropout(dropout)

    def forward(self, input_ids: Tensor, mask: Tensor) -> Tensor:
        """Token ids and mask (batch, length) to embeddings (batch, length, width), time-major in memory."""
        rows = self.index(input_ids, mask)[..., 1:].transpose(0, 1)
        return self.dropout(look_up(self.table, rows).sum(-2)).transpose(0, 1)


class NgramLogits(nn.Module):
    """A linear classifier of the n-grams of a text, which is fitted on its own; see [`fit_ngrams`].

    The logits are a bias and the sum of the weights of all n-grams, each as often as it occurs, divided by the square
    root of how many tokens there are. What an n-gram adds to each logit is its weight over that root, exactly.

    Args:
        size: How many n-grams have weights.
        longest: Tokens in the longest of them; the shortest are single tokens.
        num_labels: Logits.

    Attributes:
        weight: (size + 1, num_labels); row 0, of n-grams that have none, is 0.
        bias: (num_labels,).

    Example:

    ```python
    >>> ids, mask = torch.tensor([[5, 6, 5]]), torch.ones(1, 3, dtype=torch.bool)
    >>> NgramLogits(size=10, longest=3, num_labels=2)(ids, mask)
    tensor([[0., 0.]])
    ```
    """

    def __init__(self, size: int, longest: int, num_labels: int):
        super().__init__()
        self.index = NgramIndex(size, longest)
        # Not parameters: gradients would unlearn what was fitted in one go.
        self.register_buffer("weight", torch.zeros(size + 1, num_labels))
        self.register_buffer("bias", torch.zeros(num_labels))

    def init_parameters(self) -> None:
        """Start without any effect."""
        init.zeros_(self.weight)
        init.zeros_(self.bias)

    def forward(self, input_ids: Tensor, mask: Tensor) -> Tensor:
        """Token ids and mask (batch, length) to logits (batch, num_labels)."""
        rows = self.index(input_ids, mask).flatten(1)
        # ONNX has no sum of rows without the rows, of which many labels make a lot, and torch none of no rows.
        if is_traced_for_onnx() or not rows.numel():
            total = F.embedding(rows, self.weight).sum(1)
        else:
            total = F.embedding_bag(rows, self.weight, mode="sum")
        return self.bias + total / self._root(mask)

    def contributions(self, input_ids: Tensor, mask: Tensor) -> Tensor:
        """What each n-gram adds to each logit, with its last token; without the bias.

        Returns:
            (batch, length, longest, num_labels): at place t of the n-grams of 1, 2 … tokens that end at t.
        """
        rows = self.index(input_ids, mask)
        return F.embedding(rows, self.weight) / self._root(mask)[..., None, None]

    def _root(self, mask: Tensor) -> Tensor:
        """Of how many tokens each text has, (batch, 1); 1 where it has none."""
        return mask.sum(1, keepdim=True).clamp(min=1).to(self.weight.dtype).sqrt()


def look_up(table: nn.Module, rows: Tensor) -> Tensor:
    """Rows of an embedding; each is read once where that has sparse gradients, which have a row for every one read."""
    # An adapter may stand in place of the embedding, which has no sparse gradient.
    if getattr(table, "sparse", False) and torch.is_grad_enabled():
        rows, places = rows.unique(return_inverse=True)
        return F.embedding(places, table(rows))
    return table(rows)

"""Embeddings that tokens share which are spelt alike, while they are learnt."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import initialization as init


class SubwordEmbedding(nn.Module):
    """The embeddings of the character n-grams of a token, added up and divided by the root of how many there are.

    Tokens that were seen seldom learn so from others that are spelt alike (Bojanowski et al., 2017). Once a model is
    trained, the sums belong into the embeddings of the tokens themselves, and cost nothing; see
    [`AttnLSTMModel.fold_subwords`].

    Args:
        vocab_size: Tokens.
        size: Different character n-grams.
        entries: Of how many character n-grams the tokens consist, all together.
        width: Of an embedding.

    Attributes:
        starts: (vocab_size + 1,), where those of each token begin in `members`, and the last ones end.
        members: (entries,), the character n-grams of one token after the other.

    Example:

    ```python
    >>> subwords = SubwordEmbedding(vocab_size=9, size=2, entries=3, width=4)
    >>> _ = subwords.starts.copy_(torch.tensor([0, 0, 0, 0, 0, 0, 2, 3, 3, 3]))  # token 5 has two, token 6 has one
    >>> subwords(torch.tensor([[5, 6, 7]])).shape
    torch.Size([1, 3, 4])
    ```
    """

    def __init__(self, vocab_size: int, size: int, entries: int, width: int):
        super().__init__()
        self.register_buffer("starts", torch.zeros(vocab_size + 1, dtype=torch.long))
        self.register_buffer("members", torch.zeros(entries, dtype=torch.long))
        self.table = nn.Embedding(size, width)

    def init_parameters(self) -> None:
        """Start without any n-gram in a token."""
        init.zeros_(self.starts)
        init.zeros_(self.members)

    def forward(self, input_ids: Tensor) -> Tensor:
        """Token ids of any shape to their sums, (…, width); 0 for tokens without n-grams."""
        tokens, places = input_ids.unique(return_inverse=True)
        first = self.starts[tokens]
        count = self.starts[tokens + 1] - first
        before = count.cumsum(0) - count
        within = torch.arange(int(count.sum()), device=count.device) - before.repeat_interleave(count)
        # Each row is read once, because sparse gradients have a row for every one read.
        rows, members = self.members[first.repeat_interleave(count) + within].unique(return_inverse=True)
        sums = F.embedding_bag(members, self.table(rows), before, mode="sum")
        return (sums * count.clamp(min=1).to(sums.dtype).rsqrt()[:, None])[places]

"""Token embeddings with their dropouts."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .dropout import SequenceDropout
from .layout import zero_padding
from .ngrams import NgramEmbedding, look_up
from .spelling import Spelling, WordTokens
from .subwords import SubwordEmbedding
from .word_inputs import WordInputs


class TokenEmbeddings(nn.Module):
    """Embeddings of the token ids, with word dropout and (locked) dropout.

    Memory is laid out time-major, as the recurrence reads it; the shapes are batch-first.

    Args:
        vocab_size: Rows of the table.
        embedding_size: Width of a token's embedding.
        padding_idx: Row that stays zero; None for none.
        dropout: Share of the units that are dropped.
        locked_dropout: Whether the same units are dropped at every token of a text.
        word_dropout: Share of the tokens whose whole embedding is zeroed in training.
        ngrams: Embeddings of n-grams, if they have any.
        subwords: Embeddings of what tokens consist of, while these are learnt.
        spelling: How tokens are spelt, where that is known.
        further: What a word brings along beside its embedding; needs `spelling`.

    Example:

    ```python
    >>> mask = torch.ones(1, 3, dtype=torch.bool)
    >>> TokenEmbeddings(9, 4)(torch.tensor([[1, 2, 3]]), None, mask).shape
    torch.Size([1, 3, 4])
    ```
    """

    def __init__(
        self,
        vocab_size: int,
        embedding_size: int,
        *,
        padding_idx: int | None = None,
        dropout: float = 0.0,
        locked_dropout: bool = False,
        word_dropout: float = 0.0,
        ngrams: NgramEmbedding | None = None,
        subwords: SubwordEmbedding | None = None,
        spelling: Spelling | None = None,
        further: WordInputs | None = None,
    ):
        super().__init__()
        self.word_embeddings = nn.Embedding(vocab_size, embedding_size, padding_idx=padding_idx)
        self.dropout = SequenceDropout(dropout, locked_dropout)
        self.word_dropout = word_dropout
        # In this order, whichever of them comes later: an optimiser knows its parameters by their places.
        self.register_module("ngrams", ngrams)
        self.register_module("subwords", subwords)
        self.register_module("spelling", spelling)
        self.register_module("further", further)

    def forward(
        self, input_ids: Tensor | None, inputs_embeds: Tensor | None, mask: Tensor, words: WordTokens | None = None
    ) -> Tensor:
        """Ids (batch, length), or what [`embed`] makes of them, to embeddings (batch, length, width).

        The mask is boolean, (batch, length), True on real tokens; `words` is what [`words`] makes of both.
        """
        if inputs_embeds is None:
            inputs_embeds = self.embed(input_ids, mask, words)
        if self.training and self.word_dropout:
            kept = torch.rand(inputs_embeds.shape[:2], device=inputs_embeds.device) >= self.word_dropout
            inputs_embeds = inputs_embeds * kept[..., None].to(inputs_embeds.dtype)
        return self.dropout(inputs_embeds)

    def words(self, input_ids: Tensor, mask: Tensor, char_ids: Tensor | None = None) -> WordTokens | None:
        """Which tokens make up words, and how they are spelt; None where that is not known."""
        return None if self.spelling is None else self.spelling(input_ids, mask, char_ids)

    def embed(self, input_ids: Tensor, mask: Tensor, words: WordTokens | None = None) -> Tensor:
        """The embedding of each token with those of the n-grams that end at it, before any word is dropped.

        A word that is spelt has none of its own.
        """
        embedded = self.tokens(input_ids.t()).transpose(0, 1)
        if self.ngrams is not None:
            embedded = embedded + self.ngrams(input_ids, mask)
        if self.spelling is None:
            return embedded
        words = self.words(input_ids, mask) if words is None else words
        if words.spelt is not None:
            embedded = zero_padding(embedded, ~words.spelt)
        return embedded if self.further is None else self.further(embedded, words.characters, self.spelling)

    def tokens(self, input_ids: Tensor) -> Tensor:
        """The embedding of each token by itself: ids of any shape to (…, embedding_size)."""
        words = self._look_up(input_ids)
        return words if self.subwords is None else words + self.subwords(input_ids)

    def _look_up(self, input_ids: Tensor) -> Tensor:
        try:
            return look_up(self.word_embeddings, input_ids)
        except IndexError as error:
            rows = len(self.word_embeddings.weight)
            wrong = input_ids[(input_ids < 0) | (input_ids >= rows)]
            if not len(wrong):
                raise
            raise IndexError(
                f"input_ids holds {int(wrong[0])}, but the embedding has {rows} rows: use the tokenizer that "
                "the model was trained with, or call model.resize_token_embeddings(len(tokenizer))."
            ) from error

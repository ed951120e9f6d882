"""How tokens are spelt, and which of them make up a word.

A tokenizer may know some words as tokens and spell the others, a token a character: then its vocabulary is closed, and
every word has its characters all the same. The tokens that spell a word on are read together with the one that begins
it, and take no step of the recurrence.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from transformers import initialization as init

from .layout import can_be_read


# What a token is: it begins a word, or it is a further piece of one, read but not tagged; it spells a word on, and is
# read with that; or it comes from no word.
WORD, PIECE, SPELLS, SPECIAL = range(4)
# Of a character.
NO_CHARACTER, LOWER, UPPER, DIGIT, OTHER = range(5)


class WordTokens(NamedTuple):
    """The tokens of a batch, seen as words.

    Attributes:
        read: Boolean (batch, length), True on the tokens that are steps of the recurrence.
        tagged: The same of those that begin a word.
        word: (batch, length), the place of the token that begins the word of each token; 0 where there is none.
        characters: (batch, length, characters), the numbers of the characters of each token that is read, with those
            of the tokens that spell it on; 0 behind the last.
        spelt: Boolean (batch, length), True on tokens that others spell on; None where there are none.
    """

    read: Tensor
    tagged: Tensor
    word: Tensor
    characters: Tensor
    spelt: Tensor | None


class Spelling(nn.Module):
    """Tables of the characters of each token, and of what each token is.

    Args:
        vocab_size: Tokens.
        num_characters: Different characters, counted from 0, which stands for none.
        longest: Characters that are read of a word.

    Attributes:
        characters: (vocab_size, longest), those of each token, 0 behind the last.
        roles: (vocab_size,), what each token is: `WORD`, `PIECE`, `SPELLS` or `SPECIAL`.
        kinds: (num_characters,), what each character is: `LOWER`, `UPPER`, `DIGIT` or `OTHER`.
        lower: (num_characters,), the number of the lower case of each character.

    Example:

    ```python
    >>> spelling = Spelling(vocab_size=4, num_characters=3, longest=5)
    >>> _ = spelling.characters[:, 0].copy_(torch.tensor([0, 0, 1, 2]))
    >>> _ = spelling.roles.copy_(torch.tensor([SPECIAL, SPECIAL, WORD, SPELLS]))
    >>> words = spelling(torch.tensor([[2, 3, 3, 2]]), torch.ones(1, 4, dtype=torch.bool))
    >>> words.read, words.word
    (tensor([[ True, False, False,  True]]), tensor([[0, 0, 0, 3]]))
    >>> words.characters[0, 0]
    tensor([1, 2, 2])
    ```
    """

    def __init__(self, vocab_size: int, num_characters: int, longest: int):
        super().__init__()
        self.register_buffer("characters", torch.zeros(vocab_size, longest, dtype=torch.int32))
        self.register_buffer("roles", torch.zeros(vocab_size, dtype=torch.int8))
        self.register_buffer("kinds", torch.zeros(num_characters, dtype=torch.int8))
        self.register_buffer("lower", torch.zeros(num_characters, dtype=torch.int32))

    def init_parameters(self) -> None:
        """Start with words of which nothing is known."""
        for table in (self.characters, self.roles, self.kinds, self.lower):
            init.zeros_(table)

    def resize(self, vocab_size: int) -> None:
        """Have so many tokens; new ones are words of which nothing is known."""
        for name in ("characters", "roles"):
            old = getattr(self, name)
            new = old.new_zeros(vocab_size, *old.shape[1:])
            kept = min(vocab_size, len(old))
            new[:kept] = old[:kept]
            setattr(self, name, new)

    def forward(self, input_ids: Tensor, mask: Tensor, char_ids: Tensor | None = None) -> WordTokens:
        """See which tokens make up words.

        Args:
            input_ids: (batch, length).
            mask: Boolean (batch, length), True on real tokens, wherever they stand.
            char_ids: (batch, length, characters), those of the word that begins at each token, in place of those of
                the tables.
        """
        roles = self.roles[input_ids.where(mask, 0)]
        # A text that was cut may begin inside a word, of which this is then the beginning.
        first = mask & (mask.long().cumsum(1) == 1)
        inside = ((roles == PIECE) | (roles == SPELLS)) & ~first
        spells = mask & (roles == SPELLS) & ~first
        tagged = mask & ~inside & (roles != SPECIAL)
        if can_be_read(spells) and not bool(spells.any()):
            # Who gets the same mask back knows that every token is read.
            read, reader = mask, None
        else:
            read = mask & ~spells
            reader = last_marked(read)
        spelt = None if reader is None else _is_shared(reader, mask)
        if char_ids is None:
            characters = self._spelt(input_ids, mask, reader)
        else:
            characters = char_ids.long().masked_fill(~read[..., None], NO_CHARACTER)
        return WordTokens(read, tagged, last_marked(tagged), _without_empty_columns(characters), spelt)

    def _spelt(self, input_ids: Tensor, mask: Tensor, reader: Tensor | None) -> Tensor:
        """Those of each token, of which some are read together with the one at the place `reader` (batch, length)."""
        own = self.characters[input_ids].long().masked_fill(~mask[..., None], NO_CHARACTER)
        if reader is None:
            return own
        batch, length, longest = own.shape
        count = (own > 0).sum(2)
        before = count.cumsum(1) - count
        column = (before - before.gather(1, reader))[..., None] + torch.arange(longest, device=own.device)
        row = torch.arange(batch, device=own.device)[:, None] * length + reader
        # What has no place goes to one more, behind all others.
        nowhere = batch * length * longest
        place = (row[..., None] * longest + column).where((own > 0) & (column < longest), nowhere)
        joined = own.new_zeros(nowhere + 1).scatter(0, place.flatten(), own.flatten())
        return joined[:-1].view(batch, length, longest)

    def extra_repr(self) -> str:
        return f"{', '.join(map(str, self.characters.shape))}, num_characters={len(self.kinds)}"


def last_marked(marks: Tensor) -> Tensor:
    """The place of the last mark at or before each place, 0 where there is none.

    Example:

    ```python
    >>> last_marked(torch.tensor([[False, True, False, True, False]]))
    tensor([[0, 1, 1, 3, 3]])
    ```
    """
    # Not `cummax`, which ONNX has not.
    number = marks.long().cumsum(1)
    own = torch.arange(marks.shape[1], device=marks.device).expand_as(number)
    places = number.new_zeros(marks.shape[0], marks.shape[1] + 1)
    # Those without a mark share column 0, which only places before the first mark read.
    places = places.scatter(1, number.where(marks, 0), own.where(marks, 0))
    return places.gather(1, number).where(number > 0, 0)


def _is_shared(reader: Tensor, mask: Tensor) -> Tensor:
    """Whether several real tokens are read at a place, for the places (batch, length) at which each token is."""
    return torch.zeros_like(reader).scatter_add(1, reader, mask.long()) > 1


def _without_empty_columns(characters: Tensor) -> Tensor:
    """As few columns as the longest word needs, where looking costs nothing; one at least."""
    if not can_be_read(characters) or not characters.numel():
        return characters
    used = (characters > 0).flatten(0, 1).any(0).sum()
    return characters[..., : max(int(used), 1)]

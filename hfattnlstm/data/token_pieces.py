"""What a token is in the texts that it comes from: which characters it has, and whether a word begins with it."""

from __future__ import annotations

from typing import NamedTuple

from transformers import PreTrainedTokenizerBase

from ..modeling.word_tokens import marks_beginnings


# What tells, in front of a token, that it goes on with a word.
GOES_ON = "##"
# Or that it begins one.
_BEGINS = ("▁", "Ġ")


class TokenPiece(NamedTuple):
    """A token without its mark.

    Attributes:
        text: Its characters.
        begins: Whether a word begins with it.
    """

    text: str
    begins: bool


def token_pieces(tokenizer: PreTrainedTokenizerBase) -> list[TokenPiece]:
    """What each token of a tokenizer is, in the order of their numbers; special tokens too, of which nothing is true.

    Example:

    ```python
    >>> tokenizer = train_tokenizer(["tea teas", "tea"], kind="wordpiece")
    >>> token_pieces(tokenizer)[tokenizer.vocab["##ea"]]
    TokenPiece(text='ea', begins=False)
    ```
    """
    # Numbers that no token has are possible.
    tokens = [token or "" for token in tokenizer.convert_ids_to_tokens(range(len(tokenizer)))]
    mark = None
    if marks_beginnings(tokenizer):
        mark = next((mark for mark in _BEGINS if any(token.startswith(mark) for token in tokens)), None)
    return [_piece(token, mark) for token in tokens]


def _piece(token: str, mark: str | None) -> TokenPiece:
    if mark is not None:
        return TokenPiece(token.removeprefix(mark), token.startswith(mark))
    if token.startswith(GOES_ON) and len(token) > len(GOES_ON):
        return TokenPiece(token.removeprefix(GOES_ON), False)
    return TokenPiece(token, True)

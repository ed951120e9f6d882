"""Texts with typing mistakes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


# What happens to a letter, each equally often.
_MISTAKES = ("left out", "doubled", "swapped", "another")
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def disturb(text: str, share: float, generator: np.random.Generator) -> str:
    """A text in which a share of the letters is left out, doubled, swapped with the next one, or another letter.

    Args:
        text: The text.
        share: Of the letters, between 0 and 1.
        generator: Chooses which.

    Example:

    ```python
    >>> disturb("nothing changes", 0.0, np.random.default_rng(0))
    'nothing changes'
    ```
    """
    letters = list(text)
    kinds = generator.integers(len(_MISTAKES), size=len(letters))
    chosen = generator.random(len(letters)) < share
    others = generator.integers(len(_LETTERS), size=len(letters))
    place = 0
    while place < len(letters):
        if chosen[place] and text[place].isalpha():
            mistake = _MISTAKES[kinds[place]]
            after = place + 1
            if mistake == "left out":
                letters[place] = ""
            elif mistake == "doubled":
                letters[place] *= 2
            elif mistake == "another":
                letters[place] = _LETTERS[others[place]]
            elif after < len(letters) and text[after].isalpha():
                letters[place], letters[after] = text[after], text[place]
                place = after
        place += 1
    return "".join(letters)


def disturbed_texts(texts: Sequence[str], share: float, seed: int = 0) -> list[str]:
    """All texts disturbed, the same for every model that reads them."""
    generator = np.random.default_rng(seed)
    return [disturb(text, share, generator) for text in texts]

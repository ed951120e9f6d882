"""Handwritten digits with true and false statements, four examples at a time as those of scenes."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .._extras import import_optional
from .statements import Statement, each_on_each


if TYPE_CHECKING:
    from PIL.Image import Image

NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
SIDE = 32
# Of all digits, those that training has not seen.
HELD_OUT_SHARE = 0.2


class Digit(NamedTuple):
    """A handwritten digit: its number, and its grey values (8, 8) from 0 to 16."""

    number: int
    pixels: np.ndarray

    def draw(self, side: int = SIDE) -> Image:
        """The picture, dark on white, `side` pixels wide and high."""
        images = import_optional("PIL.Image")
        grey = (255 - self.pixels * 255 / 16).round().astype(np.uint8)
        return images.fromarray(grey).convert("RGB").resize((side, side), images.Resampling.BICUBIC)

    def caption(self) -> str:
        """Which digit it is."""
        return f"the digit {NAMES[self.number]}"


def digit_examples(quadruples: int, seed: int, held_out: bool = False) -> Iterator[Statement]:
    """Digits of scikit-learn with statements, four at a time that belong together.

    Args:
        quadruples: How many times four.
        seed: Of all that is chosen by chance.
        held_out: Whether the digits are those that training never sees; else all others.

    Raises:
        ImportError: scikit-learn is not installed.

    Example:

    ```python
    >>> [(example.text, example.label) for example in digit_examples(1, seed=1)][:2]
    [('the digit is six', 1), ('the digit is five', 0)]
    ```
    """
    chance = random.Random(seed)
    digits = _digits(held_out)
    for number in range(quadruples):
        kind = ("number", "parity", "size")[number % 3]
        while True:
            pair = chance.sample(digits, 2)
            texts = _statements(kind, *(digit.number for digit in pair), chance)
            if texts is not None:
                break
        yield from each_on_each(pair, texts, kind)


def _digits(held_out: bool) -> list[Digit]:
    found = import_optional("sklearn.datasets").load_digits()
    digits = [Digit(int(number), pixels) for number, pixels in zip(found.target, found.images)]
    random.Random(0).shuffle(digits)
    cut = round(len(digits) * HELD_OUT_SHARE)
    return digits[:cut] if held_out else digits[cut:]


def _statements(kind: str, one: int, other: int, chance: random.Random) -> tuple[str, str] | None:
    """One that is true of the first number alone, and one that is true of the second; None where there is none."""
    if one == other:
        return None
    if kind == "number":
        return f"the digit is {NAMES[one]}", f"the digit is {NAMES[other]}"
    if kind == "parity":
        if one % 2 == other % 2:
            return None
        return ("the digit is odd", "the digit is even") if one % 2 else ("the digit is even", "the digit is odd")
    low, high = sorted((one, other))
    border = NAMES[chance.randint(low, high - 1)]
    texts = f"the digit is at most {border}", f"the digit is greater than {border}"
    return texts if one == low else texts[::-1]

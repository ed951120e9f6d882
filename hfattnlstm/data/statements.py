"""Statements on pictures, four examples at a time: of two pictures and two statements, each true of one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol


if TYPE_CHECKING:
    from PIL.Image import Image

LABELS = ("false", "true")
# Examples that belong together.
TOGETHER = 4


class Picture(Protocol):
    """What a statement is about."""

    def draw(self, side: int = ...) -> Image:
        """As an image, `side` pixels wide and high."""

    def caption(self) -> str:
        """What is in it, in words."""


class Statement(NamedTuple):
    """A statement on a picture.

    Attributes:
        picture: A [`Picture`].
        text: The statement.
        label: 1 where it is true, else 0.
        kind: What it is about, as a word.
    """

    picture: Picture
    text: str
    label: int
    kind: str


def each_on_each(pictures: Sequence[Picture], texts: Sequence[str], kind: str) -> Iterator[Statement]:
    """Every statement on every picture; true is the first of the first, the second of the second, and so on.

    So neither a statement nor a picture tells anything by itself.

    Example:

    ```python
    >>> [(one.text, one.label) for one in each_on_each([None, None], ["it is red", "it is blue"], "colour")]
    [('it is red', 1), ('it is blue', 0), ('it is red', 0), ('it is blue', 1)]
    ```
    """
    for place, picture in enumerate(pictures):
        for other, text in enumerate(texts):
            yield Statement(picture, text, int(place == other), kind)

"""Pictures of coloured shapes with true and false statements, drawn by chance: what text and picture say together."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from .._extras import import_optional
from .statements import Statement, each_on_each


if TYPE_CHECKING:
    from PIL.Image import Image

COLOURS = {
    "red": (214, 39, 40),
    "green": (44, 160, 44),
    "blue": (31, 119, 230),
    "yellow": (240, 200, 20),
    "purple": (148, 60, 190),
    "black": (30, 30, 30),
}
SHAPES = ("circle", "square", "triangle", "cross", "ring")
# Pairs that no training scene has and no training statement names: one of each shape, of colours that others have.
HELD_OUT = (("red", "ring"), ("green", "circle"), ("blue", "cross"), ("yellow", "square"), ("purple", "triangle"))
RELATIONS = {"left of": "right of", "right of": "left of", "above": "below", "below": "above"}
NUMBERS = ("no", "one", "two", "three", "four")
# What statements are about; only the last three are about a colour and a shape together.
KINDS = ("colour", "shape", "exists", "relation", "count")
SIDE = 64
_CELLS, _BACKGROUND = 4, (245, 245, 240)
# Drawn larger, and made smaller again, so that edges are smooth.
_FINE = 4


class Thing(NamedTuple):
    """A colour and a shape."""

    colour: str
    shape: str

    def __str__(self) -> str:
        return f"{self.colour} {self.shape}"


@dataclass(frozen=True)
class Scene:
    """Things in the cells of a grid, by row and column."""

    things: dict[tuple[int, int], Thing]

    def caption(self) -> str:
        """What is in it, from the top left on.

        Example:

        ```python
        >>> Scene({(0, 1): Thing("red", "circle"), (2, 0): Thing("blue", "ring")}).caption()
        'a red circle and a blue ring'
        ```
        """
        return " and ".join(f"a {self.things[cell]}" for cell in sorted(self.things))

    def draw(self, side: int = SIDE) -> Image:
        """The picture, `side` pixels wide and high; things stand a little off the middle of their cells, always alike.

        Raises:
            ImportError: Pillow is not installed.
        """
        images, drawing = import_optional("PIL.Image"), import_optional("PIL.ImageDraw")
        image = images.new("RGB", (SIDE * _FINE, SIDE * _FINE), _BACKGROUND)
        pen = drawing.Draw(image)
        for (row, column), thing in sorted(self.things.items()):
            moved = random.Random(f"{row} {column} {sorted(self.things.items())}")
            cell, radius = SIDE * _FINE / _CELLS, moved.uniform(0.3, 0.44)
            slack = 0.48 - radius
            x, y = ((place + 0.5 + moved.uniform(-slack, slack)) * cell for place in (column, row))
            _draw(pen, thing, x, y, radius * cell)
        return image.resize((side, side), images.Resampling.BOX if side <= SIDE else images.Resampling.BICUBIC)


def examples(quadruples: int, seed: int, held_out: bool = False) -> Iterator[Statement]:
    """Scenes with statements, four at a time that belong together.

    Args:
        quadruples: How many times four.
        seed: Of all that is chosen by chance.
        held_out: Whether each four are about a pair of `HELD_OUT`; else none of them is anywhere.

    Example:

    ```python
    >>> [(example.text, example.label) for example in examples(1, seed=3)][:2]
    [('something is blue', 1), ('something is red', 0)]
    ```
    """
    chance = random.Random(seed)
    maker = _Maker(chance, held_out)
    kinds = KINDS[-3:] if held_out else KINDS
    for number in range(quadruples):
        kind = kinds[number % len(kinds)]
        scenes, texts = getattr(maker, kind)()
        yield from each_on_each(scenes, texts, kind)


class _Maker:
    def __init__(self, chance: random.Random, held_out: bool):
        self.chance = chance
        pairs = [Thing(colour, shape) for colour in COLOURS for shape in SHAPES]
        self.told = [thing for thing in pairs if (thing in HELD_OUT) == held_out]
        # Around them anything but what nobody has seen.
        self.others = [thing for thing in pairs if thing not in HELD_OUT]

    def colour(self) -> tuple[list[Scene], list[str]]:
        """Another colour in each scene."""
        colours = self.chance.sample(sorted(COLOURS), 2)
        return self._each_with("colour", colours), [f"something is {colour}" for colour in colours]

    def shape(self) -> tuple[list[Scene], list[str]]:
        """Another shape in each scene."""
        shapes = self.chance.sample(SHAPES, 2)
        return self._each_with("shape", shapes), [f"there is a {shape}" for shape in shapes]

    def exists(self) -> tuple[list[Scene], list[str]]:
        """The same colours and shapes in both scenes, put together otherwise."""
        while True:
            one = self.chance.choice(self.told)
            other = self.chance.choice(self.others)
            swapped = Thing(one.colour, other.shape), Thing(other.colour, one.shape)
            if one.colour != other.colour and one.shape != other.shape and not set(swapped) & set(HELD_OUT):
                break
        texts = [f"there is a {one}", f"there is a {swapped[0]}"]
        rest = self._around({one, other, *swapped})
        return [self._scattered([*pair, *rest]) for pair in ((one, other), swapped)], texts

    def relation(self) -> tuple[list[Scene], list[str]]:
        """The same things in both scenes, on the other side of each other."""
        one = self.chance.choice(self.told)
        other = self.chance.choice([thing for thing in self.others if thing != one])
        relation = self.chance.choice(sorted(RELATIONS))
        rest = self._around({one, other})
        pair = [one, other]
        if self.chance.random() < 0.5:
            pair.reverse()
        texts = [f"the {pair[0]} is {said} the {pair[1]}" for said in (relation, RELATIONS[relation])]
        return [self._placed(*pair, said, rest) for said in (relation, RELATIONS[relation])], texts

    def count(self) -> tuple[list[Scene], list[str]]:
        """Other numbers of the same thing."""
        thing = self.chance.choice(self.told)
        numbers = self.chance.sample(range(1, len(NUMBERS)), 2)
        rest = self._around({thing})[:2]
        texts = [_there_are(number, thing) for number in numbers]
        return [self._scattered([thing] * number + rest) for number in numbers], texts

    def _each_with(self, part: str, values: Sequence[str]) -> list[Scene]:
        """A scene for each colour or shape, which no thing of the others has."""
        one_of = [[thing for thing in self.others if getattr(thing, part) == value] for value in values]
        rest = self._around({thing for things in one_of for thing in things})
        return [self._scattered([self.chance.choice(things), *rest]) for things in one_of]

    def _around(self, without: set[Thing]) -> list[Thing]:
        left = [thing for thing in self.others if thing not in without]
        return self.chance.sample(left, self.chance.randint(0, 3))

    def _scattered(self, things: Sequence[Thing]) -> Scene:
        cells = self.chance.sample([(row, column) for row in range(_CELLS) for column in range(_CELLS)], len(things))
        return Scene(dict(zip(cells, things)))

    def _placed(self, one: Thing, other: Thing, relation: str, rest: Sequence[Thing]) -> Scene:
        """With one thing on a side of the other."""
        while True:
            scene = self._scattered([one, other, *rest])
            (row, column), (other_row, other_column) = list(scene.things)[:2]
            along = {"left of": other_column - column, "right of": column - other_column}
            along |= {"above": other_row - row, "below": row - other_row}
            if along[relation] > 0:
                return scene


def _there_are(number: int, thing: Thing) -> str:
    if number == 1:
        return f"there is one {thing}"
    return f"there are {NUMBERS[number]} {thing}{'es' if thing.shape == 'cross' else 's'}"


def _draw(pen, thing: Thing, x: float, y: float, radius: float) -> None:
    colour = COLOURS[thing.colour]
    box = (x - radius, y - radius, x + radius, y + radius)
    if thing.shape == "circle":
        pen.ellipse(box, fill=colour)
    elif thing.shape == "ring":
        pen.ellipse(box, outline=colour, width=round(0.4 * radius))
    elif thing.shape == "square":
        side = 0.85 * radius
        pen.rectangle((x - side, y - side, x + side, y + side), fill=colour)
    elif thing.shape == "triangle":
        pen.polygon([(x, y - radius), (x + radius, y + 0.8 * radius), (x - radius, y + 0.8 * radius)], fill=colour)
    else:
        arm = 0.3 * radius
        pen.rectangle((x - radius, y - arm, x + radius, y + arm), fill=colour)
        pen.rectangle((x - arm, y - radius, x + arm, y + radius), fill=colour)

"""Scenes and digits: statements are what they say, and neither they nor the pictures tell anything alone."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
from datasets import load_dataset

from hfattnlstm.data.digits import NAMES, digit_examples
from hfattnlstm.data.picture_sets import save_picture_set
from hfattnlstm.data.scenes import COLOURS, HELD_OUT, KINDS, NUMBERS, SHAPES, Scene, examples


pytest.importorskip("PIL")


def is_true(text: str, scene: Scene) -> bool:
    """Found from the words again."""
    places = defaultdict(list)
    for cell, thing in scene.things.items():
        places[str(thing)].append(cell)
    if found := re.fullmatch(r"something is (\w+)", text):
        return any(thing.colour == found[1] for thing in scene.things.values())
    if found := re.fullmatch(r"there is a (\w+)", text):
        return any(thing.shape == found[1] for thing in scene.things.values())
    if found := re.fullmatch(r"there is a (\w+ \w+)", text):
        return found[1] in places
    if found := re.fullmatch(r"there (?:is|are) (\w+) (\w+) (\w+)", text):
        shape = next(shape for shape in SHAPES if found[3] in (shape, f"{shape}s", f"{shape}es"))
        return len(places[f"{found[2]} {shape}"]) == NUMBERS.index(found[1])
    relations = "left of|right of|above|below"
    one, relation, other = re.fullmatch(rf"the (\w+ \w+) is ({relations}) the (\w+ \w+)", text).groups()
    ((row, column),), ((other_row, other_column),) = places[one], places[other]
    return {
        "left of": column < other_column,
        "right of": column > other_column,
        "above": row < other_row,
        "below": row > other_row,
    }[relation]


@pytest.mark.parametrize("held_out", [False, True])
def test_labels_are_true_and_neither_text_nor_scene_tells_them(held_out: bool) -> None:
    found = list(examples(150, seed=5, held_out=held_out))
    assert {example.kind for example in found} == set(KINDS[-3:] if held_out else KINDS)
    for example in found:
        assert is_true(example.text, example.picture) == example.label, example
    for start in range(0, len(found), 4):
        part = found[start : start + 4]
        for key in (lambda example: example.text, lambda example: str(sorted(example.picture.things.items()))):
            labels = Counter((key(example), example.label) for example in part)
            assert len(labels) == 4 and set(labels.values()) == {1}


def test_held_out_pairs_are_told_of_in_their_split_alone() -> None:
    pairs = {" ".join(pair) for pair in HELD_OUT}
    for example in examples(200, seed=1):
        assert not any(pair in f"{example.text} {example.picture.caption()}" for pair in pairs)
    told = list(examples(200, seed=1, held_out=True))
    for start in range(0, len(told), 4):
        part = " ".join(f"{one.text} {one.picture.caption()}" for one in told[start : start + 4])
        assert any(pair in part for pair in pairs)
    assert {colour for colour, _ in HELD_OUT} <= set(COLOURS) and {shape for _, shape in HELD_OUT} == set(SHAPES)


def test_the_same_seed_draws_the_same_pictures() -> None:
    one, other = (next(iter(examples(3, seed=7))).picture for _ in range(2))
    pixels = [np.asarray(scene.draw()) for scene in (one, other)]
    assert pixels[0].shape == (64, 64, 3) and (pixels[0] == pixels[1]).all()
    assert np.asarray(one.draw(32)).shape == (32, 32, 3)
    assert one.things != next(iter(examples(3, seed=8))).picture.things
    # Each thing has its colour somewhere in its cell.
    for (row, column), thing in one.things.items():
        cell = pixels[0][16 * row : 16 * row + 16, 16 * column : 16 * column + 16].reshape(-1, 3).astype(int)
        assert np.abs(cell - np.array(COLOURS[thing.colour])).sum(1).min() < 40


def test_digits() -> None:
    pytest.importorskip("sklearn")
    found = list(digit_examples(60, seed=2))
    words = {"even": lambda number: number % 2 == 0, "odd": lambda number: number % 2 == 1}
    for example in found:
        *_, before, last = example.text.split()
        number = example.picture.number
        expected = words[last](number) if last in words else None
        if expected is None:
            border = NAMES.index(last)
            expected = {"most": number <= border, "than": number > border}.get(before, number == border)
        assert example.label == expected, example.text
    seen = {example.picture.pixels.tobytes() for example in found}
    assert not seen & {example.picture.pixels.tobytes() for example in digit_examples(60, seed=2, held_out=True)}
    assert found[0].picture.draw(16).size == (16, 16)


def test_a_set_is_read_as_from_the_hub(tmp_path: Path) -> None:
    splits = {"train": examples(3, seed=1), "compositional": examples(1, seed=2, held_out=True)}
    assert save_picture_set(splits, tmp_path / "scenes", 32) == {"train": 12, "compositional": 4}
    data = load_dataset(str(tmp_path / "scenes"))
    assert {name: len(part) for name, part in data.items()} == {"train": 12, "compositional": 4}
    assert data["train"]["group"][:] == [0] * 4 + [1] * 4 + [2] * 4
    row = data["train"][0]
    assert row["image"].size == (32, 32) and row["text"] and row["caption"].startswith("a ")
    assert data["train"].features["label"].names == ["false", "true"]
    with pytest.raises(FileExistsError, match=r"has data/train-00000-of-00001\.parquet already: name another"):
        save_picture_set({"train": []}, tmp_path / "scenes", 32)
    with pytest.raises(ValueError, match="must be 8 pixels wide at least, got 4"):
        save_picture_set({}, tmp_path / "other", 4)

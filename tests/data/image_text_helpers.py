"""Tables of texts with pictures, and pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datasets import Dataset, Features, Image, Value


COLOURS = {"red": (200, 0, 0), "green": (0, 200, 0), "blue": (0, 0, 200), "white": (255, 255, 255)}


def picture(colour: str, width: int = 12, height: int = 8) -> Any:
    images = pytest.importorskip("PIL.Image")
    return images.new("RGB", (width, height), COLOURS[colour])


def colour_rows(count: int = 8) -> Dataset:
    """Statements on pictures of one colour, two on each of two, that belong together."""
    rows = []
    for number in range(count):
        pair = ("red", "green") if number // 4 % 2 else ("blue", "white")
        shown, told = pair[number % 4 // 2], pair[number % 2]
        rows.append(
            {
                "image": picture(shown),
                "text": f"it is {told}",
                "label": "true" if shown == told else "false",
                "kind": "warm" if "red" in pair else "cold",
                "group": number // 4,
            }
        )
    text = Value("string")
    types = {"image": Image(), "text": text, "label": text, "kind": text, "group": Value("int64")}
    return Dataset.from_list(rows, features=Features(types))


def feature_rows(count: int = 8, width: int = 3) -> Dataset:
    random = np.random.default_rng(0)
    rows = [
        {
            "image_features": random.normal(size=(1 + number % 3, width)).astype(np.float32).tolist(),
            "text": f"number {number % 2}",
            "label": ["false", "true"][number % 2],
        }
        for number in range(count)
    ]
    return Dataset.from_list(rows)


def picture_files(folder: Path) -> Path:
    """A csv with the names of pictures beside it."""
    (folder / "photos").mkdir()
    lines = ["file_name,text,label"]
    for number, colour in enumerate(COLOURS):
        picture(colour).save(folder / "photos" / f"{number}.png")
        lines += [f"photos/{number}.png,it is {told},{'yes' if told == colour else 'no'}" for told in ("red", colour)]
    (folder / "photos.csv").write_text("\n".join(lines) + "\n")
    return folder / "photos.csv"

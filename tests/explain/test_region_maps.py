"""The picture of where words look in a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.image_text_helpers import picture
from hfattnlstm.explain.region_maps import plot_regions


pytest.importorskip("matplotlib")
pytest.importorskip("PIL")


def result(words: int, regions: Any = ((0.7, 0.1), (0.2, 0.0))) -> dict[str, Any]:
    return {"label": "true", "score": 0.9, "attention": [{"text": f"w{n}", "regions": regions} for n in range(words)]}


def test_a_panel_for_the_picture_and_for_each_word() -> None:
    figure = plot_regions(picture("red", 20, 10), result(7))
    panels = [axes for axes in figure.axes if axes.images]
    assert len(panels) == 8 and panels[0].get_title() == "true 0.90"
    assert [axes.get_title().splitlines() for axes in panels[1:]] == [[f"w{n}", "up to 0.70"] for n in range(7)]
    drawn, veil = panels[1].images
    assert drawn.get_array().shape == (10, 20, 3)
    # What is looked at most is seen in full, and the veil covers the picture.
    shades = np.asarray(veil.get_array())[..., 3]
    assert shades.shape == (2, 2) and shades[0, 0] == 0 and shades[1, 1] == shades.max() > 0.8
    assert veil.get_extent() == [-0.5, 19.5, 9.5, -0.5]


def test_attention_on_nothing_and_many_words() -> None:
    figure = plot_regions(picture("red"), result(50, ((0.0, 0.0),)))
    assert sum(bool(axes.images) for axes in figure.axes) == 41
    labels = {"labels": [], "attention": result(1)["attention"]}
    assert plot_regions(picture("red"), labels).axes[0].get_title() == "none 0.00"


@pytest.mark.parametrize(
    ("given", "sentence"),
    [(result(0), "There is no word to draw"), (result(2, (0.5, 0.5)), "lie in no grid, because the model reads feat")],
)
def test_what_cannot_be_drawn(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        plot_regions(picture("red"), given)


def test_the_picture_is_drawn_as_the_model_saw_it(tmp_path: Path) -> None:
    image = picture("red", 20, 10)
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(tmp_path / "held.jpg", exif=exif)
    held = pytest.importorskip("PIL.Image").open(tmp_path / "held.jpg")
    figure = plot_regions(held, result(1))
    assert [axes.images[0].get_array().shape for axes in figure.axes] == [(20, 10, 3)] * 2
    assert all(axes.get_aspect() == 1 for axes in figure.axes)

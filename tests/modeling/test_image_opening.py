"""Pictures of every kind become RGB of eight bits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hfattnlstm.modeling.image_opening import open_image


images = pytest.importorskip("PIL.Image")


def grey(values: Any, kind: str) -> Any:
    return images.fromarray(np.asarray(values).astype(kind))


@pytest.mark.parametrize("kind", ["uint16", "int32"])
def test_sixteen_bits_keep_their_shades(kind: str, tmp_path: Path) -> None:
    ramp = np.linspace(0, 65535, 256).round().reshape(1, 256)
    image = grey(ramp, kind)
    for each in (image, saved(image, tmp_path / "ramp.tiff")):
        assert np.asarray(open_image(each))[0, :, 0].tolist() == list(range(256))
    small = np.asarray(open_image(grey([[0, 7, 255]], kind)))[0, :, 1].tolist()
    # Of 32 bits it is not known how many are meant.
    assert small == ([0, 0, 1] if kind == "uint16" else [0, 7, 255])


def saved(image: Any, path: Path) -> Path:
    image.save(path)
    return path


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_shows_white(mode: str, tmp_path: Path) -> None:
    image = images.new("RGBA", (2, 1), (255, 0, 0, 255))
    image.putpixel((1, 0), (0, 0, 0, 0))
    pixels = np.asarray(open_image(saved(image.convert(mode), tmp_path / "x.png")))[0].tolist()
    assert pixels[1] == [255, 255, 255]
    assert pixels[0] == ([76, 76, 76] if mode == "LA" else [255, 0, 0])


@pytest.mark.parametrize("mode", ["1", "L", "CMYK", "HSV", "RGB"])
def test_other_modes(mode: str) -> None:
    pixels = np.asarray(open_image(images.new("RGB", (2, 1), "white").convert(mode)))
    assert pixels.tolist() == [[[255, 255, 255]] * 2]


def test_pictures_are_turned_as_the_camera_was_held(tmp_path: Path) -> None:
    image = images.new("RGB", (4, 2))
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(tmp_path / "held.jpg", exif=exif)
    assert open_image(tmp_path / "held.jpg").size == open_image(images.open(tmp_path / "held.jpg")).size == (2, 4)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("none.png", "is none.png, where there is no file: mend the name"),
        (__file__, r"cannot be read \(cannot identify image file .*\): mend it, or leave it out"),
        (3, "cannot be read"),
        (
            grey([[0.5]], "float32"),
            r"cannot be read \(its values, of mode F, have no range: give it with 8 or 16 bits",
        ),
        ("https://", "cannot be read"),
    ],
)
def test_what_is_no_picture(given: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        open_image(given)


def test_a_picture_that_is_far_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(images.new("1", (64, 64)), tmp_path / "large.png")
    monkeypatch.setattr(images, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(ValueError, match=r"cannot be read \(Image size \(4096 pixels\) exceeds limit"):
        open_image(path)

"""Where each word of a text or caption looks, drawn on the picture (`pip install "hfattnlstm[plots,images]"`)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data.figures import new_figure, shortened, with_fonts
from ..modeling.image_opening import open_image


__all__ = ["plot_regions"]

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from PIL.Image import Image

# More words than that have no room.
MOST_WORDS = 40
_COLUMNS, _INCHES = 6, 1.7
_LONGEST_WORD = 14
# What of a picture is left where nothing looks.
_LEFT = 0.12


def plot_regions(image: Image, result: Mapping[str, Any]) -> Figure:
    """A panel for each word, with the picture, which fades to white where the word does not look.

    Args:
        image: The picture that the pipeline was given.
        result: What `pipeline("attention-image-text-classification")` or `pipeline("attention-image-to-text")` gave
            for it; the first 40 words are drawn.

    Raises:
        ImportError: matplotlib is not installed.
        ValueError: The text has no word, or its regions lie in no grid, because they came as features.

    Example:

    ```python
    >>> from PIL import Image
    >>> classifier = pipeline("attention-image-text-classification", model="scenes-model")
    >>> picture = Image.open("scene.png")
    >>> plot_regions(picture, classifier({"image": picture, "text": "there is a red ring"})).savefig("regions.png")
    ```
    """
    words = result["attention"][:MOST_WORDS]
    if not words:
        raise ValueError("There is no word to draw: give a text that has one.")
    if np.ndim(words[0]["regions"]) != 2:
        raise ValueError("The regions lie in no grid, because the model reads features: look at the numbers instead.")
    columns = min(len(words) + 1, _COLUMNS)
    rows = math.ceil((len(words) + 1) / columns)
    figure, panels = new_figure(columns * _INCHES, rows * (_INCHES + 0.35) + 0.2, rows, columns)
    panels = list(np.ravel(panels))
    pixels = np.asarray(open_image(image))
    for axes in panels:
        axes.set_axis_off()
    panels[0].imshow(pixels)
    panels[0].set_title(shortened(_label(result), _LONGEST_WORD + 6), fontsize=9, fontweight="bold")
    for axes, word in zip(panels[1:], words):
        regions = np.asarray(word["regions"])
        axes.imshow(pixels)
        axes.imshow(_veil(regions), extent=(-0.5, pixels.shape[1] - 0.5, pixels.shape[0] - 0.5, -0.5))
        axes.set_title(f"{shortened(word['text'], _LONGEST_WORD)}\nup to {regions.max():.2f}", fontsize=8)
    return with_fonts(figure)


def _label(result: Mapping[str, Any]) -> str:
    if "generated_text" in result:
        return "read"
    best = result if "label" in result else (result["labels"] or [{"label": "none", "score": 0.0}])[0]
    return f"{best['label']} {best['score']:.2f}"


def _veil(regions: np.ndarray) -> np.ndarray:
    """White of which a region has the less the more attention is on it, (rows, columns, 4)."""
    highest = regions.max()
    shares = regions / highest if highest > 0 else np.zeros_like(regions)
    veil = np.ones((*regions.shape, 4))
    veil[..., 3] = (1 - _LEFT) * (1 - shares)
    return veil

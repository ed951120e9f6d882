"""Figures: shown by notebooks as pictures, and no part of the settings that others draw with."""

from __future__ import annotations

import pickle

import matplotlib
from matplotlib.figure import Figure

from hfattnlstm.data.figures import new_figure


def test_a_notebook_shows_a_picture_without_a_backend() -> None:
    before = matplotlib.get_backend()
    figure, axes = new_figure(3.0, 2.0)
    axes.plot([1, 2, 3])
    assert isinstance(figure, Figure)
    picture = figure._repr_png_()
    assert picture.startswith(b"\x89PNG") and matplotlib.get_backend() == before
    assert pickle.loads(pickle.dumps(figure))._repr_png_() == picture

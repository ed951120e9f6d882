"""Figures that notebooks show; this module needs matplotlib, and is imported by those who draw."""

from __future__ import annotations

import io

from matplotlib.figure import Figure


# Dots per inch on a screen.
_DPI = 100


class NotebookFigure(Figure):
    """A figure that is shown as a picture where it is the value of a cell, whatever the backend is."""

    def _repr_png_(self) -> bytes:
        stream = io.BytesIO()
        self.savefig(stream, format="png", dpi=_DPI)
        return stream.getvalue()

"""Figures of matplotlib that leave its settings, and what others draw with it, as they are."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transformers.utils import logging

from .._extras import import_optional
from .._files import written_beside


if TYPE_CHECKING:
    from matplotlib.figure import Figure

logger = logging.get_logger(__name__)

_DPI = 150
# Fonts with letters that the first one lacks; those that are installed are asked in this order.
_FONTS = (
    *("DejaVu Sans", "Noto Sans", "Noto Sans CJK SC", "Noto Sans CJK JP", "Source Han Sans SC", "WenQuanYi Micro Hei"),
    *("WenQuanYi Zen Hei", "Microsoft YaHei", "PingFang SC", "Hiragino Sans", "Yu Gothic", "Malgun Gothic"),
    *("Arial Unicode MS", "Noto Sans Arabic", "Noto Sans Hebrew", "Noto Sans Devanagari", "Noto Sans Thai"),
)
_LONGEST_NAME = 24


def new_figure(width: float, height: float, rows: int = 1, columns: int = 1, **options: Any) -> tuple[Figure, Any]:
    """A figure that belongs to nobody else, with panels in a grid; notebooks show it as a picture.

    Args:
        width, height: In inches.
        rows, columns: Panels one above the other, and side by side.
        **options: Of the grid, such as `height_ratios`.

    Raises:
        ImportError: matplotlib is not installed.

    Example:

    ```python
    >>> figure, axes = new_figure(4.0, 3.0)
    >>> figure.get_size_inches()
    array([4., 3.])
    ```
    """
    import_optional("matplotlib.figure")
    from .notebook_figure import NotebookFigure

    figure = NotebookFigure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(rows, columns, gridspec_kw=options or None, sharex=rows > 1)


def with_fonts(figure: Figure) -> Figure:
    """Letters from the installed fonts, one text after the other: the settings of matplotlib are everybody's."""
    installed = {font.name for font in import_optional("matplotlib.font_manager").fontManager.ttflist}
    families = [name for name in _FONTS if name in installed]
    for text in figure.findobj(import_optional("matplotlib.text").Text):
        # "$" in a label is no formula.
        text.set_parse_math(False)
        text.set_fontfamily(families or None)
    return figure


def write_figure(figure: Figure, path: str | Path) -> Path:
    """Write a figure as a PNG file or, where the name ends in `.svg`, as an SVG file, whole or not at all.

    Letters that no font has are told once.

    Example:

    ```python
    >>> write_figure(new_figure(4.0, 3.0)[0], "empty.png").name
    'empty.png'
    ```
    """
    path = Path(path)
    form = "svg" if path.suffix.lower() == ".svg" else "png"
    with written_beside(path) as unfinished, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        # Without the time, the same figure is the same file.
        figure.savefig(unfinished, format=form, dpi=_DPI, metadata={"Date": None} if form == "svg" else None)
    if any("missing from" in str(warning.message) for warning in caught):
        logger.warning("No installed font has all letters of the labels in %s: install one, such as Noto Sans.", path)
    return path


def shortened(name: str, longest: int = _LONGEST_NAME) -> str:
    """A name on one line, without what no font draws; of a long one its beginning and its end.

    Example:

    ```python
    >>> shortened("a label with a very long name, number 1")
    'a label with…e, number 1'
    ```
    """
    name = "".join(letter if letter.isprintable() else " " for letter in name)
    # What tells two long names apart is often at their ends.
    return name if len(name) <= longest else f"{name[: longest // 2]}…{name[1 - longest // 2 :]}"

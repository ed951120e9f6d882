"""Names in sentences."""

from __future__ import annotations

from collections.abc import Iterable


def quote(names: Iterable[str]) -> str:
    """Names for a sentence: quoted, shortened, and the first twenty of them.

    Example:

    ```python
    >>> quote(["text", "label"])
    "'text', 'label'"
    ```
    """
    shown = [repr(name if len(name) <= 40 else f"{name[:39]}…") for name in names]
    return ", ".join(shown[:20]) + (f" and {len(shown) - 20} more" if len(shown) > 20 else "")

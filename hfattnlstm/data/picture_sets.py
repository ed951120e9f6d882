"""Data sets of pictures with statements, in the layout of the Hub."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

from datasets import ClassLabel, Dataset, Features, Image, Value

from .._files import written_beside
from .progress import no_progress_bars
from .scenes import LABELS


class Drawn(Protocol):
    """An example of a picture with a statement."""

    def row(self, side: int) -> dict[str, Any]:
        """Its picture, `side` pixels wide and high, `text`, `label`, `kind` and `caption`."""


def save_picture_set(splits: Mapping[str, Iterable[Drawn]], folder: str | Path, side: int) -> dict[str, int]:
    """Write a parquet file for each split, and a README.md by which `load_dataset` finds them.

    Args:
        splits: By name.
        folder: Where to; it is made. What is there is left alone.
        side: Pixels of a picture's side.

    Returns:
        How many rows each split has.

    Raises:
        FileExistsError: A file of the set is there already.
        ImportError: Pillow is not installed.
        ValueError: For a side below 8.

    Example:

    ```python
    >>> from hfattnlstm.data.scenes import examples
    >>> save_picture_set({"train": examples(2, seed=1)}, "scenes", side=64)
    {'train': 8}
    ```
    """
    if side < 8:
        raise ValueError(f"A picture must be 8 pixels wide at least, got {side}.")
    folder = Path(folder).expanduser()
    names = {split: f"{split}.parquet" for split in splits}
    taken = next((name for name in (*names.values(), "README.md") if (folder / name).exists()), None)
    if taken is not None:
        raise FileExistsError(f"{folder} has a {taken} already: name another folder.")
    folder.mkdir(parents=True, exist_ok=True)
    counts = {}
    for split, examples in splits.items():
        data = Dataset.from_list([example.row(side) for example in examples], features=_features())
        with written_beside(folder / names[split]) as unfinished, no_progress_bars():
            data.to_parquet(unfinished)
        counts[split] = len(data)
    with written_beside(folder / "README.md") as unfinished:
        Path(unfinished).write_text(_card(names), encoding="utf-8")
    return counts


def _features() -> Features:
    text = Value("string")
    return Features(
        {"image": Image(), "text": text, "label": ClassLabel(names=list(LABELS)), "kind": text, "caption": text}
    )


def _card(names: Mapping[str, str]) -> str:
    files = "\n".join(f"  - split: {split}\n    path: {name}" for split, name in names.items())
    return (
        f"---\nconfigs:\n- config_name: default\n  data_files:\n{files}\n---\n\n"
        "# Pictures with true and false statements\n\n"
        "Drawn by `scripts/make_scenes.py` of hfattnlstm. Four rows belong together: of two pictures and two "
        "statements, each statement is true of one picture, so that neither tells anything by itself.\n"
    )

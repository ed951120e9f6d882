"""Data sets of pictures with statements, in the layout of the Hub."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from datasets import ClassLabel, Dataset, Features, Image, Value

from .._files import written_beside
from .progress import no_progress_bars
from .statements import LABELS, TOGETHER, Statement


def save_picture_set(splits: Mapping[str, Iterable[Statement]], folder: str | Path, side: int) -> dict[str, int]:
    """Write a parquet file for each split, and a README.md by which `load_dataset` finds them.

    Args:
        splits: Statements by the name of the split, four at a time that belong together.
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
        data = Dataset.from_list(list(_rows(examples, side)), features=_features())
        with written_beside(folder / names[split]) as unfinished, no_progress_bars():
            data.to_parquet(unfinished)
        counts[split] = len(data)
    with written_beside(folder / "README.md") as unfinished:
        Path(unfinished).write_text(_card(names), encoding="utf-8")
    return counts


def _rows(statements: Iterable[Statement], side: int) -> Iterator[dict[str, Any]]:
    of, image = None, None
    for number, statement in enumerate(statements):
        # Those on one picture follow each other.
        if image is None or statement.picture is not of:
            of, image = statement.picture, statement.picture.draw(side)
        yield {
            "image": image,
            "text": statement.text,
            "label": statement.label,
            "kind": statement.kind,
            "caption": statement.picture.caption(),
            "group": number // TOGETHER,
        }


def _features() -> Features:
    text = Value("string")
    return Features(
        {
            "image": Image(),
            "text": text,
            "label": ClassLabel(names=list(LABELS)),
            "kind": text,
            "caption": text,
            "group": Value("int64"),
        }
    )


def _card(names: Mapping[str, str]) -> str:
    files = "\n".join(f"  - split: {split}\n    path: {name}" for split, name in names.items())
    return (
        f"---\nconfigs:\n- config_name: default\n  data_files:\n{files}\n---\n\n"
        "# Pictures with true and false statements\n\n"
        "Drawn by `scripts/make_scenes.py` of hfattnlstm. Four rows belong together, those of a `group`: of two "
        "pictures and two statements, each statement is true of one picture, so that neither tells anything by "
        "itself.\n"
    )

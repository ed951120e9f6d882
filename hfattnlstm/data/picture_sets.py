"""Data sets of pictures with statements, in the layout of the Hub."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from datasets import ClassLabel, Dataset, Features, Image, Value

from .._files import written_beside
from .progress import no_progress_bars
from .statements import LABELS, TOGETHER, Statement


_CARD = "README.md"
# Without one, the Hub's library warns. It names no files: where it does, datasets confuses folders of one name.
_FRONT = "---\ntask_categories:\n- {category}\n---\n\n"
_CATEGORY = "visual-question-answering"
_ABOUT = (
    "# Pictures with true and false statements\n\n"
    "Drawn by `scripts/make_scenes.py` of hfattnlstm. Four rows belong together, those of a `group`: of two pictures "
    "and two statements, each statement is true of one picture, so that neither tells anything by itself.\n"
)


def save_picture_set(splits: Mapping[str, Iterable[Statement]], folder: str | Path, side: int) -> dict[str, int]:
    """Draw pictures, and write a parquet file for each split; see [`save_splits`].

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
    >>> save_picture_set({"train": examples(2, seed=1)}, "more-scenes", side=64)
    {'train': 8}
    ```
    """
    if side < 8:
        raise ValueError(f"A picture must be 8 pixels wide at least, got {side}.")
    check_folder(folder, splits)
    drawn = {name: Dataset.from_list(list(_rows(each, side)), features=_features()) for name, each in splits.items()}
    return save_splits(drawn, folder, _ABOUT)


def check_folder(folder: str | Path, splits: Iterable[str]) -> None:
    """Refuse a folder in which [`save_splits`] would overwrite something.

    Raises:
        FileExistsError: Names the folder and the file.
    """
    names = [*map(_file_of, splits), _CARD]
    taken = next((name for name in names if (Path(folder).expanduser() / name).exists()), None)
    if taken is not None:
        raise FileExistsError(f"{folder} has {taken} already: name another folder.")


def save_splits(
    splits: Mapping[str, Dataset], folder: str | Path, about: str, category: str = _CATEGORY
) -> dict[str, int]:
    """Write a parquet file for each split, named as `load_dataset` finds them, and a README.md.

    Args:
        splits: Rows by the name of the split.
        folder: Where to; it is made. What is there is left alone.
        about: What the README.md says of the set, in Markdown.
        category: The task that it is for, as the Hub calls it.

    Returns:
        How many rows each split has.

    Raises:
        FileExistsError: A file of the set is there already.

    Example:

    ```python
    >>> save_splits({"train": Dataset.from_dict({"text": ["Great food"]})}, "texts", "Texts.")
    {'train': 1}
    ```
    """
    check_folder(folder, splits)
    folder = Path(folder).expanduser()
    (folder / _file_of("")).parent.mkdir(parents=True, exist_ok=True)
    for name, data in splits.items():
        with written_beside(folder / _file_of(name)) as unfinished, no_progress_bars():
            data.to_parquet(unfinished)
    with written_beside(folder / _CARD) as unfinished:
        Path(unfinished).write_text(_FRONT.format(category=category) + about, encoding="utf-8")
    return {name: len(data) for name, data in splits.items()}


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


def _file_of(split: str) -> str:
    """Its name as the Hub has it, which says the split without a README.md that would have to."""
    return f"data/{split}-00000-of-00001.parquet"

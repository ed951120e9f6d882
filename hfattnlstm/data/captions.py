"""Loading of pictures with what is said of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any, NamedTuple

import numpy as np
from datasets import Dataset, DatasetDict, Features, List, Value, concatenate_datasets
from transformers.utils import logging

from .._wording import option
from .columns import column_values, kind_of
from .loading import tell_shared
from .naming import quote
from .picture_files import PictureSplit, read_picture_source, undecoded
from .pictures import IMAGE, IMAGE_FEATURES, PictureColumns
from .sources import SPLIT_NAMES, Split, choose_splits
from .splitting import check_size, held_out_count


logger = logging.get_logger(__name__)

CAPTIONS = "captions"
# What columns are usually called, the surest names first.
CAPTION_COLUMNS = ("caption", CAPTIONS, "sentences", "sentence", "description", "text", "raw")
# What is held out of the training pictures, where nobody says otherwise.
HELD_OUT, MOST_HELD_OUT = 0.1, 2_000


class LoadedCaptions(NamedTuple):
    """Pictures with captions as their source divides them.

    Attributes:
        splits: "train" and "validation" and, if there is one, "test", with the columns `captions`, a list of texts,
            and `image` or `image_features`; a picture is in one row, however many captions it has.
        further: Further splits that were asked for, by name.
        caption_column, image_column: Their names in the source.
        held_out: Whether the validation pictures were taken from those for training.
    """

    splits: DatasetDict
    further: dict[str, Dataset]
    caption_column: str
    image_column: str
    held_out: bool = False


def load_captions(
    source: str | PathLike | Mapping[str, Any] | Dataset,
    *,
    caption_column: str | None = None,
    image_column: str | None = None,
    config_name: str | None = None,
    validation_size: float | int | None = None,
    seed: int = 42,
    further_splits: Sequence[str] = (),
) -> LoadedCaptions:
    """Load pictures with one caption or several each.

    Rows with the same picture become one; the same caption counts once.

    Args:
        source: As in [`load_image_texts`].
        caption_column: Column of the captions, texts or lists of them; found by its usual names without.
        image_column: Column of the pictures, or of features of their regions, as in [`load_image_texts`].
        config_name: Configuration of a source on the Hub or in a folder, where it has several.
        validation_size: Share or number of the training pictures that make the validation split where there is none;
            a tenth, and at most 2,000, without.
        seed: Seed of their choice.
        further_splits: Of the source, splits that are measured, too, beside "test".

    Raises:
        FileNotFoundError: The source does not exist.
        ValueError: An argument, a file, a column or a picture is not as it should be.

    Example:

    ```python
    >>> loaded = load_captions("scenes")
    >>> loaded.caption_column, loaded.splits["train"].column_names
    ('caption', ['captions', 'image'])
    ```
    """
    if validation_size is not None:
        check_size(validation_size)
    found = read_picture_source(source, config_name)
    train = choose_splits({name: each.split for name, each in found.items()})["train"]
    column = _caption_column(train, caption_column, image_column)
    columns = PictureColumns(train, image_column, None, None, [column])
    by_role = {SPLIT_NAMES[name]: each for name, each in found.items() if name in SPLIT_NAMES}
    parts = {role: _rows(each, column, columns) for role, each in by_role.items()}
    held_out = "validation" not in parts
    if held_out:
        parts["train"], parts["validation"] = _hold_out(parts["train"], validation_size, seed)
    _tell_shared(parts)
    further = {name: _rows(_named(found, name), column, columns) for name in further_splits}
    order = [name for name in ("train", "validation", "test") if name in parts]
    return LoadedCaptions(DatasetDict({name: parts[name] for name in order}), further, column, columns.image, held_out)


def _caption_column(train: Split, named: str | None, image: str | None) -> str:
    texts = [name for name, feature in train.data.features.items() if _holds_texts(feature) and name != image]
    if named is not None:
        if named not in texts:
            raise ValueError(
                f"The {train.origin} has no column {named!r} with texts; it has {quote(texts)}: name one of them with "
                f"{option('caption_column')}."
            )
        return named
    lower = {name.lower(): name for name in texts}
    usual = [lower[name] for name in CAPTION_COLUMNS if name in lower]
    if not usual:
        raise ValueError(
            f"The {train.origin} has no column that is known to hold captions; of texts it has "
            f"{quote(texts) or 'none'}: name it with {option('caption_column')}."
        )
    return usual[0]


def _holds_texts(feature: Any) -> bool:
    return kind_of(feature) == "string" or (kind_of(feature) == "list" and kind_of(feature.feature) == "string")


def _named(found: Mapping[str, PictureSplit], name: str) -> PictureSplit:
    others = [split for split in found if split not in SPLIT_NAMES]
    if name not in others:
        raise ValueError(
            f"{option('further_splits', name)} is not among the further splits of the data set, "
            f"{quote(others) or 'of which there are none'}: name one of them, or leave it out."
        )
    return found[name]


def _rows(found: PictureSplit, column: str, columns: PictureColumns) -> Dataset:
    """Captions and pictures, each picture once, those without a caption left out."""
    split = found.split
    if column not in split.data.column_names:
        raise ValueError(f"The {split.origin} has no column {column!r}, as the training rows have: add it.")
    pictures = columns.taken_from(split, found.folder)
    kept = [name for name in (IMAGE, IMAGE_FEATURES) if name in pictures.column_names]
    pictures = pictures.select_columns(kept)
    own: dict[Any, tuple[int, dict[str, None]]] = {}
    said_of = 0
    for row, (key, said) in enumerate(zip(_keys(pictures), column_values(split.data, column).to_pylist())):
        texts = [text for text in (said if isinstance(said, list) else [said]) if text is not None and text.strip()]
        said_of += bool(texts)
        if texts:
            own.setdefault(key, (row, {}))[1].update(dict.fromkeys(texts))
    if not own:
        raise ValueError(f"The column {column!r} of the {split.origin} holds empty texts only: name another.")
    blank = len(pictures) - said_of
    if blank:
        logger.warning(
            "%s of the %s rows of the %s have no caption: they are left out.", blank, len(pictures), split.origin
        )
    captions = Dataset.from_dict(
        {CAPTIONS: [[*texts] for _, texts in own.values()]}, features=Features({CAPTIONS: List(Value("string"))})
    )
    return concatenate_datasets([captions, pictures.select([row for row, _ in own.values()])], axis=1)


def _keys(pictures: Dataset) -> list[Any]:
    """Something of each picture that is equal where pictures are the same."""
    if IMAGE_FEATURES in pictures.column_names:
        values = pictures.with_format("numpy")[IMAGE_FEATURES]
        return [hashlib.sha256(np.ascontiguousarray(each, dtype=np.float32).tobytes()).digest() for each in values]
    return [
        hashlib.sha256(value["bytes"]).digest() if value["bytes"] else value["path"]
        for value in undecoded(pictures, IMAGE)[IMAGE]
    ]


def _tell_shared(parts: Mapping[str, Dataset]) -> None:
    known = set(_keys(parts["train"]))
    tell_shared(parts, "pictures", lambda part: sum(key in known for key in _keys(part)))


def _hold_out(rows: Dataset, size: float | int | None, seed: int) -> tuple[Dataset, Dataset]:
    if len(rows) < 2:
        raise ValueError("There is one picture: give more, of which some can be held out.")
    count = (
        max(1, min(round(HELD_OUT * len(rows)), MOST_HELD_OUT)) if size is None else held_out_count(size, len(rows))
    )
    held = np.sort(np.random.default_rng(seed).permutation(len(rows))[:count])
    return rows.select(np.setdiff1d(np.arange(len(rows)), held)), rows.select(held)

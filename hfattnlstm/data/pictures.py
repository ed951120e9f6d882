"""Texts with a picture each, which is a file, a value in a table, or the features of its regions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from datasets import ClassLabel, Dataset, DatasetDict, Image, List, Value, concatenate_datasets
from transformers.utils import logging

from .._wording import option
from .columns import column_names, column_values, kind_of
from .labelled_texts import load_labelled_texts
from .loading import LoadedTexts, describe_labels, load_splits
from .marks import GROUP, KIND
from .naming import quote
from .picture_files import PictureSplit, read_picture_source
from .sources import SPLIT_NAMES, Split, choose_splits
from .splitting import check_size, held_out_count, split_groups, split_train


logger = logging.get_logger(__name__)

# The columns of what is loaded: pictures, or features of their regions.
IMAGE, IMAGE_FEATURES = "image", "image_features"
# What columns are usually called.
IMAGE_COLUMNS = (IMAGE, "picture", "img", "photo", "image_path", "image_file", "file_name", "path")
FEATURE_COLUMNS = (IMAGE_FEATURES, "features")


class PictureColumns:
    """Which columns hold the pictures, what stands together, and by what scores are given.

    Args:
        train: The split in which they are looked for.
        image: The name of the first; found by its usual names when it is None.
        group: The name of the second; `group`, where there is such a column, when it is None.
        kind: The name of the third; none when it is None.
        others: Columns that somebody has named for something else.

    Raises:
        ValueError: A name is that of no column, or of one that is read as something else; or there are no pictures.

    Attributes:
        image: Name of the column.
        group, kind: Names of columns; None for none.
        is_features: Whether the pictures come as features of their regions.
    """

    def __init__(self, train: Split, image: str | None, group: str | None, kind: str | None, others: Sequence[str]):
        for flag, name in (("image_column", image), ("group_column", group), ("kind_column", kind)):
            _check_named(train, flag, name, others)
        columns = train.data.column_names
        self.image = image or _found(train, others)
        self.is_features = kind_of(train.data.features[self.image]) == "list"
        default = GROUP if GROUP in columns and GROUP not in (self.image, *others) else None
        self.group, self.kind = group or default, kind

    def taken_from(self, split: Split, folder: Path) -> Dataset:
        """The columns `image` or `image_features`, `group` and `kind`.

        Args:
            split: One that has them.
            folder: Where the names of files begin.

        Raises:
            ValueError: A column is missing, or a row has no picture.
        """
        # Nothing but training needs to know what belongs together.
        beside = {GROUP: self.group if self.group in split.data.column_names else None, KIND: self.kind}
        beside = {role: name for role, name in beside.items() if name is not None}
        missing = [name for name in (self.image, self.kind) if name not in (None, *split.data.column_names)]
        if missing:
            raise ValueError(f"The {split.origin} has no column {missing[0]!r}, as the training rows have: add it.")
        where = f"column {self.image!r} of the {split.origin}"
        _check_filled(split.data, self.image, where)
        kept = split.data.select_columns(self.image)
        kept = (
            _as_features(kept, self.image, where) if self.is_features else _as_images(kept, self.image, where, folder)
        )
        for role, name in beside.items():
            values = _as_names(split.data, name, f"column {name!r} of the {split.origin}")
            kept = kept.add_column(role, values, feature=Value("string"))
        return kept

    def without(self, split: Split) -> Split:
        """The split without the columns, in which texts and labels are looked for."""
        names = {self.image, self.group, self.kind} - {None}
        return split._replace(data=split.data.remove_columns([n for n in names if n in split.data.column_names]))


def load_image_texts(
    source: str | PathLike | Mapping[str, Any] | Dataset,
    *,
    text_column: str | Sequence[str] | None = None,
    label_column: str | None = None,
    image_column: str | None = None,
    group_column: str | None = None,
    kind_column: str | None = None,
    problem_type: str | None = None,
    config_name: str | None = None,
    label_names: Sequence[str] | None = None,
    label_names_are_fixed: bool = False,
    validation_size: float | int = 0.1,
    seed: int = 42,
    further_splits: Sequence[str] = (),
) -> tuple[LoadedTexts, dict[str, Dataset]]:
    """Load texts with a picture and a label each.

    Args:
        source, text_column, label_column, problem_type, config_name, label_names, label_names_are_fixed: As in
            [`load_texts`].
        image_column: Column of the pictures: images of `datasets`, names of files, from the folder of the table on, or
            lists with a list of numbers for each region; found by its usual names without.
        group_column: Column whose equal values belong together: they are held out together, and learnt together.
            `group`, where there is one, without.
        kind_column: Column by whose values scores are given, such as what a statement is about.
        validation_size, seed: As in [`load_texts`]; with groups, whole ones are held out.
        further_splits: Of the source, splits that are measured, too, beside "test".

    Returns:
        The splits, with the columns `text`, `label`, `image` or `image_features`, and `group` and `kind` where there
        are such; and the further splits by name.

    Raises:
        FileNotFoundError: The source does not exist.
        ValueError: An argument, a file, a column, a label or a picture is not as it should be.

    Example:

    ```python
    >>> loaded, _ = load_image_texts("scenes")
    >>> loaded.splits["train"].column_names
    ['text', 'label', 'image', 'group']
    ```
    """
    check_size(validation_size)
    found = read_picture_source(source, config_name)
    train = choose_splits({name: each.split for name, each in found.items()})["train"]
    others = [*column_names(text_column), *([] if label_column is None else [label_column])]
    columns = PictureColumns(train, image_column, group_column, kind_column, others)
    texts = {name: columns.without(each.split) for name, each in found.items() if name in SPLIT_NAMES}
    options = {"text_column": text_column, "label_column": label_column, "problem_type": problem_type}
    options |= {"label_names": label_names, "label_names_are_fixed": label_names_are_fixed}
    loaded = load_splits(texts, **options)
    by_role = {SPLIT_NAMES[name]: each for name, each in found.items() if name in SPLIT_NAMES}
    parts = {role: _joined(part, columns.taken_from(*by_role[role])) for role, part in loaded.splits.items()}
    loaded = loaded._replace(splits=DatasetDict(parts))
    loaded = _hold_out(loaded, validation_size, seed)
    read = loaded.text_columns if len(loaded.text_columns) > 1 else loaded.text_columns[0]
    further = {name: _further(found, name, columns, loaded, read) for name in further_splits}
    return loaded, further


def _widths(pictures: pa.ListArray, first: int, where: str) -> list[int]:
    """How many numbers the regions of pictures have, all of which must be there."""
    regions = pictures.flatten()
    numbers = regions.flatten()
    broken = regions.null_count or numbers.null_count or not pc.all(pc.is_finite(numbers), min_count=0).as_py()
    empty = not pc.all(pc.greater(pc.list_value_length(pictures), 0)).as_py()
    if broken or empty:
        for row, picture in enumerate(pictures.to_pylist(), first):
            if not picture or any(
                region is None or not all(number is not None and math.isfinite(number) for number in region)
                for region in picture
            ):
                raise ValueError(f"The {where} has no region in row {row}, or a number is missing: fill or remove it.")
    return pc.unique(pc.list_value_length(regions)).to_pylist()


def _check_named(train: Split, flag: str, name: str | None, others: Sequence[str]) -> None:
    if name is None:
        return
    if name not in train.data.column_names:
        raise ValueError(
            f"The {train.origin} has no column {name!r}; it has {quote(train.data.column_names)}: name it with "
            f"{option(flag)}."
        )
    if name in others:
        raise ValueError(f"{option(flag, name)} has the texts or the labels: name another column.")


def _found(train: Split, others: Sequence[str]) -> str:
    """The column with an image, or the one with a usual name."""
    features = {name: feature for name, feature in train.data.features.items() if name not in others}
    images = [name for name, feature in features.items() if isinstance(feature, Image)]
    lower = {name.lower(): name for name in reversed(features)}
    usual = [lower[name] for name in (*IMAGE_COLUMNS, *FEATURE_COLUMNS) if name in lower]
    if len(images) == 1:
        return images[0]
    for name in usual:
        if name in images or not images:
            return name
    raise ValueError(
        f"The {train.origin} has no column that is known to hold pictures; it has {quote(features)}: name it with "
        f"{option('image_column')}."
    )


def _check_filled(data: Dataset, column: str, where: str) -> None:
    nulls = column_values(data, column).is_null()
    if pc.any(nulls).as_py():
        row = pc.indices_nonzero(nulls)[0].as_py() + 1
        raise ValueError(f"The {where} has nothing in row {row}: fill or remove the row.")


def _as_names(data: Dataset, column: str, where: str) -> pa.ChunkedArray | list[str]:
    """What stands in a column, as strings."""
    feature = data.features[column]
    if not isinstance(feature, (ClassLabel, Value)) or feature == Value("binary"):
        raise ValueError(f"The {where} holds {feature}, no names or numbers: name another.")
    _check_filled(data, column, where)
    values = column_values(data, column)
    if isinstance(feature, ClassLabel):
        return [feature.names[value] for value in values.to_pylist()]
    return pc.cast(values, pa.string())


def _as_images(data: Dataset, column: str, where: str, folder: Path) -> Dataset:
    feature = data.features[column]
    if kind_of(feature) == "string":
        names = column_values(data, column).to_pylist()
        folder = _folder_with(names[0], folder, where)
        paths = [str(folder / name) for name in names]
        for row, path in enumerate(paths, 1):
            if "://" not in names[row - 1] and not Path(path).is_file():
                raise ValueError(
                    f"The {where} names in row {row} {path}, where there is no file: mend the "
                    "name, which begins at the folder of the table or at one in it that has all pictures."
                )
        shown = [name if "://" in name else path for name, path in zip(names, paths)]
        data = Dataset.from_dict({column: shown})
    elif not isinstance(feature, Image) and not _are_bytes(feature):
        raise ValueError(
            f"The {where} holds {feature}, neither pictures nor names of files nor features: name another with "
            f"{option('image_column')}."
        )
    return data.cast_column(column, Image()).rename_columns({} if column == IMAGE else {column: IMAGE})


def _folder_with(name: str, folder: Path, where: str) -> Path:
    """Where the names of pictures begin: the folder of their table, or the one folder in it that holds the first."""
    if "://" in name or (folder / name).is_file() or not folder.is_dir():
        return folder
    inner = [path for path in folder.iterdir() if path.is_dir() and (path / name).is_file()]
    if len(inner) != 1:
        return folder
    logger.warning("The names in the %s are those of pictures in %s.", where, inner[0])
    return inner[0]


def _are_bytes(feature: Any) -> bool:
    """Whether a column has the bytes of pictures, as other libraries write them."""
    if isinstance(feature, dict):
        return {"bytes", "path"} >= feature.keys() and "bytes" in feature
    return isinstance(feature, Value) and feature.dtype in ("binary", "large_binary")


def _as_features(data: Dataset, column: str, where: str) -> Dataset:
    try:
        data = data.cast_column(column, List(List(Value("float32"))))
    except (pa.ArrowException, TypeError, ValueError):
        raise ValueError(
            f"The {where} holds {data.features[column]}, no lists with a list of numbers for each region: mend it, or "
            f"name another with {option('image_column')}."
        ) from None
    # Chunk by chunk: all numbers of a large set have no place in one array.
    widths, row = set(), 1
    for chunk in column_values(data, column).chunks:
        widths |= set(_widths(chunk, row, where))
        row += len(chunk)
    if len(widths) != 1 or not min(widths):
        shown = quote(map(str, sorted(widths)))
        raise ValueError(f"The {where} has regions of {shown} numbers: give each as many, and one or more.")
    return data.rename_columns({} if column == IMAGE_FEATURES else {column: IMAGE_FEATURES})


def _joined(part: Dataset, pictures: Dataset) -> Dataset:
    return concatenate_datasets([part, pictures], axis=1)


def _hold_out(loaded: LoadedTexts, size: float | int, seed: int) -> LoadedTexts:
    """With a validation split; of groups, whole ones are held out.

    That the same texts are in several splits is not told: here they are read beside other pictures.
    """
    train = loaded.splits["train"]
    if "validation" in loaded.splits:
        return loaded
    if GROUP in train.column_names:
        kept, held = split_groups(train[GROUP][:], held_out_count(size, len(train)), seed)
        if not len(kept):
            raise ValueError(
                f"{option('validation_size', size)} leaves none of the groups for training: make it smaller, or name "
                f"another {option('group_column')}."
            )
        parts = train.select(kept), train.select(held)
    else:
        parts = split_train(train, size, seed)
    splits = {**loaded.splits, **dict(zip(("train", "validation"), parts))}
    ordered = {name: splits[name] for name in ("train", "validation", "test") if name in splits}
    return loaded._replace(splits=DatasetDict(ordered), held_out=True)


def _further(
    found: Mapping[str, PictureSplit],
    name: str,
    columns: PictureColumns,
    loaded: LoadedTexts,
    text_column: str | Sequence[str],
) -> Dataset:
    if name not in found or name in SPLIT_NAMES:
        others = [split for split in found if split not in SPLIT_NAMES]
        raise ValueError(
            f"{option('further_splits', name)} is not among the further splits of the data set, "
            f"{quote(others) or 'of which there are none'}: name one of them, or leave it out."
        )
    problem_type, names = describe_labels(loaded.splits["train"].features)
    read = {"text_column": text_column, "label_column": loaded.label_column}
    texts = load_labelled_texts({"test": columns.without(found[name].split)}, problem_type, names, **read).data
    return _joined(texts, columns.taken_from(*found[name]))

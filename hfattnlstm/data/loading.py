"""Loading of labelled texts into one form, wherever they come from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from typing import NamedTuple

import pyarrow.compute as pc
from datasets import Dataset, DatasetDict, Features
from transformers.utils import logging

from .._wording import option
from ..modeling.configuration_base import MULTI_LABEL, PROBLEM_TYPES, REGRESSION, SINGLE_LABEL
from .columns import column_names, find_column, find_text_columns, kind_of, text_column_of, text_keys, two_columns
from .labels import convert_labels
from .naming import quote
from .rationales import check_rationale_column, read_rationales, with_rationales
from .sources import choose_splits, read_source
from .splitting import check_size, split_train


logger = logging.get_logger(__name__)

# A share that chance hardly gives: from it on, a warning tells of them.
MANY_SHARED = 0.1


class LoadedTexts(NamedTuple):
    """Labelled texts as their source divides them.

    Attributes:
        splits: "train" and, if any, "validation" and "test", with columns `text` and `label`.
        text_columns, label_column: Their names in the source.
        other_columns: Of the training split, what is not read.
        held_out: Whether the validation texts were taken from those for training.
    """

    splits: DatasetDict
    text_columns: list[str]
    label_column: str
    other_columns: list[str]
    held_out: bool = False


def load_texts(
    source: str | PathLike | Mapping | Dataset,
    *,
    text_column: str | Sequence[str] | None = None,
    label_column: str | None = None,
    problem_type: str | None = None,
    config_name: str | None = None,
    validation_size: float | int = 0.1,
    seed: int = 42,
    label_names: Sequence[str] | None = None,
    label_names_are_fixed: bool = False,
    rationale_column: str | None = None,
) -> DatasetDict:
    """Loads texts and their labels for classification or regression.

    Texts in a csv stay as they are written, "NA" and "" too; labels lose white space and marks that nobody sees, and
    what a spreadsheet writes for nothing, such as "#N/A", is none. A csv may have any of the separators `,`, `;`, `|`
    and tab, a tsv takes quotes for a part of the text. Splits other than train, validation and test are left out, and
    so is a test split in which every label is -1, the Hub's mark for "no label".

    Lists of labels, also written as text, make several labels a text, and so do vectors of 0 and 1 of one length,
    unless each has exactly one 1: then they are classes. What is guessed is told by a warning.

    Args:
        source: A name on the Hub, a folder in its layout or of data files, a csv, tsv, JSON lines or parquet file, a
            mapping from split to file, or a `Dataset` or `DatasetDict`. csv and JSON files are read into memory, and
            may be compressed (`.gz`, `.bz2`, `.xz`, `.zip`).
        text_column: Column of the texts; by default one with a usual name, or the only other column that holds any.
            Several columns, such as `["premise", "hypothesis"]`, are read together: `text` then holds lists of texts.
        label_column: Column of the labels; by default one with a usual name.
        problem_type: One of `PROBLEM_TYPES`; by default it follows from the labels, and integers are classes.
        config_name: Configuration of a source on the Hub or in a folder, where it has several.
        validation_size: Share or number of the training rows that make the validation split where there is none.
        seed: Seed of their choice. With one label a text it is stratified. Every label of two texts or more has one
            on either side, for which the split may be larger or smaller than asked for.
        label_names: Names of the labels in order: the values themselves, or names for the integers from 0, for the
            sorted numbers or for the classes of a `ClassLabel`. By default the values, sorted, of the training split.
        label_names_are_fixed: Whether `label_names` are those of a model: then any other name is a mistake, and only
            the integers from 0 stand for them.
        rationale_column: Column of the words that people have marked as reasons: for each text a list of
            `[start, end]` in characters, or a 0 or 1 for each word between white space.

    Returns:
        The splits "train", "validation" and, if any, "test", with columns `text` and `label`, see [`describe_labels`],
        and `rationale`, lists of `[start, end]`, where such a column is named.

    Raises:
        FileNotFoundError: The source does not exist.
        TypeError: The source or `label_names` is of the wrong type.
        ValueError: An argument, a file, a column or a label is not as it should be.

    Example:
    ```python
    >>> from datasets import Dataset
    >>> reviews = Dataset.from_dict({"review": ["good", "bad"] * 10, "sentiment": ["pos", "neg"] * 10})
    >>> splits = load_texts(reviews)
    >>> splits["train"].features["label"].names, splits.num_rows
    (['neg', 'pos'], {'train': 18, 'validation': 2})

    ```
    """
    check_size(validation_size)
    loaded = load_splits(
        source,
        text_column=text_column,
        label_column=label_column,
        problem_type=problem_type,
        config_name=config_name,
        label_names=label_names,
        label_names_are_fixed=label_names_are_fixed,
        rationale_column=rationale_column,
    )
    return hold_out(loaded, validation_size, seed).splits


def load_splits(
    source: str | PathLike | Mapping | Dataset,
    *,
    text_column: str | Sequence[str] | None = None,
    label_column: str | None = None,
    problem_type: str | None = None,
    config_name: str | None = None,
    label_names: Sequence[str] | None = None,
    label_names_are_fixed: bool = False,
    rationale_column: str | None = None,
) -> LoadedTexts:
    """The splits that a source has, with what was read of it; see [`load_texts`], which has the same arguments.

    Example:

    ```python
    >>> loaded = load_splits("reviews.csv")
    >>> loaded.splits.num_rows, loaded.text_columns, loaded.label_column
    ({'train': 48}, ['text'], 'label')
    ```
    """
    _check_arguments(problem_type, label_names)
    splits = choose_splits(read_source(source, config_name))
    label_column = find_column(splits["train"], "label", label_column, text_column)
    check_rationale_column(splits["train"], rationale_column, [*column_names(text_column), label_column])
    no_texts = [name for name in (label_column, rationale_column) if name is not None]
    text_columns = find_text_columns(splits["train"], text_column, no_texts)
    rationales = read_rationales(splits, rationale_column, text_columns)
    read = {*text_columns, label_column, rationale_column}
    others = [name for name in splits["train"].data.column_names if name not in read]
    splits = {name: two_columns(split, text_columns, label_column) for name, split in splits.items()}
    parts = convert_labels(splits, label_column, problem_type, label_names, label_names_are_fixed)
    parts = {name: with_rationales(part, rationales.get(name)) for name, part in parts.items()}
    return LoadedTexts(_in_order(parts), text_columns, label_column, others)


def hold_out(loaded: LoadedTexts, validation_size: float | int, seed: int) -> LoadedTexts:
    """The same with a validation split, which is taken from the training texts where there is none.

    Raises:
        ValueError: For a size that is no share and no number of rows.

    Example:

    ```python
    >>> hold_out(load_splits("reviews.csv"), 0.25, seed=42).splits.num_rows
    {'train': 36, 'validation': 12}
    ```
    """
    check_size(validation_size)
    parts = dict(loaded.splits)
    held_out = "validation" not in parts
    if held_out:
        parts["train"], parts["validation"] = split_train(parts["train"], validation_size, seed)
    _tell_shared_texts(parts)
    return loaded._replace(splits=_in_order(parts), held_out=held_out)


def _in_order(parts: Mapping[str, Dataset]) -> DatasetDict:
    return DatasetDict({name: parts[name] for name in ("train", "validation", "test") if name in parts})


def _tell_shared_texts(parts: dict[str, Dataset]) -> None:
    known = text_keys(parts["train"])
    tell_shared(parts, "texts", lambda part: pc.sum(pc.is_in(text_keys(part), value_set=known)).as_py())


def tell_shared(parts: Mapping[str, Dataset], what: str, shared_in: Callable[[Dataset], int]) -> None:
    """Warn where a model is measured on what it has learnt by heart.

    Args:
        parts: The splits by their names.
        what: What they have, such as "texts".
        shared_in: How many rows of a split are among those for training.
    """
    for name in ("validation", "test"):
        if name in parts:
            shared, count = shared_in(parts[name]), len(parts[name])
            if shared >= MANY_SHARED * count:
                logger.warning(
                    "%s of the %s %s for %s are among those for training, too: figures on them are too good.",
                    shared,
                    count,
                    what,
                    name,
                )


def describe_labels(features: Features) -> tuple[str, list[str]]:
    """Reads the problem type and the label names from the features of a data set.

    Args:
        features: Features whose `label` is a `ClassLabel`, a `List(ClassLabel)` or a float, as from [`load_texts`].

    Returns:
        The problem type in transformers' terms, and the label names, of which regression has none.

    Raises:
        ValueError: There is no column `label`, or it holds something else.

    Example:
    ```python
    >>> from datasets import ClassLabel, Features, List, Value
    >>> describe_labels(Features({"text": Value("string"), "label": List(ClassLabel(names=["art", "law"]))}))
    ('multi_label_classification', ['art', 'law'])

    ```
    """
    label = features.get("label")
    if kind_of(label) == "class":
        return SINGLE_LABEL, list(label.names)
    if kind_of(label) == "list" and kind_of(label.feature) == "class":
        return MULTI_LABEL, list(label.feature.names)
    if kind_of(label) == "float":
        return REGRESSION, []
    raise ValueError(f"The column 'label' must hold ClassLabel, List(ClassLabel) or float, not {label or 'nothing'}.")


def _check_arguments(problem_type: str | None, label_names: Sequence[str] | None) -> None:
    if problem_type is not None and problem_type not in PROBLEM_TYPES:
        raise ValueError(f"{option('problem_type', problem_type)} is none of {quote(PROBLEM_TYPES)}: use one of them.")
    if isinstance(label_names, str) or not all(isinstance(name, str) for name in label_names or ()):
        raise TypeError(f"label_names must be a list of strings, not {label_names!r}.")
    if label_names is not None and len(set(label_names)) < len(label_names):
        raise ValueError(f"label_names must all be different, but they are {quote(label_names)}.")


def read_text_column(
    path: str | PathLike, text_column: str | Sequence[str] | None = None
) -> list[str] | list[list[str]]:
    """The texts of a file that need not have labels.

    Args:
        path: A csv, tsv, JSON lines or parquet file, or a compressed one.
        text_column: Column of the texts; by default one with a usual name, or the only one that holds any (told).
            Of several columns, each row gives a list of texts.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file cannot be read, or has no such column.

    Example:
    ```python
    >>> read_text_column("reviews.csv")
    ['Great food', 'Slow service', ...]

    ```
    """
    return text_column_of(read_source(path, None)["train"], text_column)["text"][:]

"""Loading of pairs of texts, of which one is read and the other written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from datasets import Dataset, DatasetDict
from transformers.utils import logging

from .._wording import flags_are_named, option
from .columns import column_values, kind_of
from .loading import tell_shared
from .naming import quote
from .pair_files import PAIR_COLUMNS, SOURCE, TARGET, is_two_files, read_pair_source
from .sources import SPLIT_NAMES, Split, choose_splits
from .splitting import check_size, held_out_count, split_groups


logger = logging.get_logger(__name__)

# The column of translations on the Hub, which holds a text for each language.
TRANSLATION = "translation"
# What is held out of the training pairs, where nobody says otherwise.
HELD_OUT, MOST_HELD_OUT = 0.1, 2_000


class LoadedPairs(NamedTuple):
    """Pairs of texts as their source divides them.

    Attributes:
        splits: "train" and "validation" and, if there is one, "test", with columns `source` and `target`.
        source_column, target_column: Their names in the source; None where the texts stand in files of their own.
        held_out: Whether the validation pairs were taken from those for training.
    """

    splits: DatasetDict
    source_column: str | None
    target_column: str | None
    held_out: bool = False


def load_pairs(
    source: str | PathLike | Mapping | Dataset | tuple[str | PathLike, str | PathLike],
    *,
    source_column: str | None = None,
    target_column: str | None = None,
    config_name: str | None = None,
    validation_size: float | int | None = None,
    seed: int = 42,
) -> LoadedPairs:
    """Load texts and what is to be written from them, such as their translations.

    Pairs with an empty side are left out, which is told. Pairs that share a side are held out together.

    Args:
        source: A name on the Hub, a folder in its layout or of data files, a csv, tsv, JSON lines or parquet file, two
            files with a text a line, the second with the targets, a mapping from split to any of these, or a `Dataset`
            or `DatasetDict`. A tsv, or a .txt with tabs, that has no line of names has the sources in its first
            column, and the targets in its second.
        source_column: Column of what is read, or its language, where the column `translation` has several, or its
            number, counted from 1, where no line names the columns; by default, a pair with usual names is found,
            such as `source` and `target`.
        target_column: The same of what is written.
        config_name: Configuration of a source on the Hub or in a folder, where it has several.
        validation_size: Share or number of the training pairs that make the validation split where there is none; a
            tenth, and at most 2,000, without.
        seed: Seed of their choice.

    Raises:
        FileNotFoundError: The source does not exist.
        TypeError: It is of the wrong type.
        ValueError: A file or a column is not as it should be, or two files have not equally many lines.

    Example:

    ```python
    >>> pairs = load_pairs(Dataset.from_dict({"de": ["Hund", "Katze"] * 5, "en": ["dog", "cat"] * 5}),
    ...                    source_column="de", target_column="en")
    >>> pairs.splits["train"][0], pairs.splits.num_rows
    ({'source': 'Katze', 'target': 'cat'}, {'train': 5, 'validation': 5})
    ```
    """
    if validation_size is not None:
        check_size(validation_size)
    _check_both(source_column, target_column)
    found = choose_splits(read_pair_source(source, config_name, (source_column, target_column)))
    names = _names(found["train"], source_column, target_column)
    parts = {name: _pairs_of(split, *names) for name, split in found.items()}
    held_out = "validation" not in parts
    if held_out:
        parts["train"], parts["validation"] = _hold_out(parts["train"], validation_size, seed)
    _tell_shared(parts)
    order = [name for name in ("train", "validation", "test") if name in parts]
    in_files = names == (SOURCE, TARGET) and is_two_files(source)
    return LoadedPairs(
        DatasetDict({name: parts[name] for name in order}), *((None, None) if in_files else names), held_out
    )


def read_pairs(
    source: object, source_column: str | None = None, target_column: str | None = None, split: str | None = None
) -> Dataset:
    """The pairs of one split, to measure a model on them.

    Args:
        source, source_column, target_column: As in [`load_pairs`].
        split: Which one of several; the test split, else that for validation, without.

    Raises:
        ValueError: There is no such split.

    Example:

    ```python
    >>> read_pairs("pairs.tsv").column_names
    ['source', 'target']
    ```
    """
    _check_both(source_column, target_column)
    found = read_pair_source(source, None, (source_column, target_column))
    if split is None and len(found) > 1:
        found = {SPLIT_NAMES.get(name, name): own for name, own in found.items()}
        split = next((name for name in ("test", "validation") if name in found), None)
    chosen = next(iter(found.values())) if len(found) == 1 and split is None else found.get(split)
    if chosen is None:
        raise ValueError(
            f"The data have no split {split!r}; they have {quote(found)}: name one with {option('split')}."
        )
    return _pairs_of(chosen, *_names(chosen, source_column, target_column))


def _check_both(source_column: str | None, target_column: str | None) -> None:
    if (source_column is None) != (target_column is None):
        missing = "target_column" if target_column is None else "source_column"
        raise ValueError(f"{option(missing)} is missing: name both columns, or none.")


def _names(split: Split, source_column: str | None, target_column: str | None) -> tuple[str, str]:
    """The columns, or the languages of the column `translation`."""
    columns = _readable(split)
    if source_column is not None:
        for name in (source_column, target_column):
            if name not in columns:
                flag = option("source_column" if name == source_column else "target_column")
                raise ValueError(
                    f"The {split.origin} has no column {name!r} with texts; it has {quote(columns)}: name one of them "
                    f"with {flag}."
                )
        if source_column == target_column:
            raise ValueError(f"{option('source_column')} and {option('target_column')} are one column: name two.")
        return source_column, target_column
    by_name = {name.strip().lower(): name for name in columns}
    for one, two in PAIR_COLUMNS:
        if one in by_name and two in by_name:
            return by_name[one], by_name[two]
    raise ValueError(f"The {split.origin} has no columns that are known to be read and written: {_mend(columns)}")


def _mend(columns: Sequence[str]) -> str:
    if len(columns) < 2:
        return f"of texts it has {quote(columns) or 'none'}, and two are needed."
    one, two = columns[:2]
    flags = (
        f"--source_column {one} --target_column {two}"
        if flags_are_named()
        else f"source_column={one!r}, target_column={two!r}"
    )
    return f"of texts it has {quote(columns)}; name two, such as {flags}."


def _readable(split: Split) -> list[str]:
    """Columns of texts, and languages of translations."""
    names = []
    for name, feature in split.data.features.items():
        if kind_of(feature) == "string":
            names.append(name)
        elif name == TRANSLATION:
            names += _languages(split.data)
    return names


def _languages(data: Dataset) -> list[str]:
    kind = data.select_columns([TRANSLATION]).data.schema.field(TRANSLATION).type
    if not pa.types.is_struct(kind):
        return []
    return [field.name for field in kind if pa.types.is_string(field.type) or pa.types.is_large_string(field.type)]


def _pairs_of(split: Split, source_column: str, target_column: str) -> Dataset:
    """The two columns under our names, without pairs of which a side is blank."""
    known = _readable(split)
    for name in (source_column, target_column):
        if name not in known:
            raise ValueError(
                f"The {split.origin} has no column {name!r} with texts; it has {quote(known)}: give all splits the "
                "same columns."
            )
    sides = [_texts(split.data, name) for name in (source_column, target_column)]
    filled = [pc.fill_null(pc.match_substring_regex(side, r"\S"), False) for side in sides]
    kept = pc.and_(*filled)
    left_out = len(kept) - (pc.sum(kept).as_py() or 0)
    if left_out == len(kept):
        raise ValueError(f"The {split.origin} holds no pair of which both sides have a text: name other columns.")
    if left_out:
        logger.warning(
            "%s of the %s pairs of the %s have an empty side: they are left out.",
            f"{left_out:,}",
            f"{len(kept):,}",
            split.origin,
        )
    texts = [side.filter(kept).cast(pa.string()) for side in sides]
    return Dataset(pa.table(dict(zip((SOURCE, TARGET), texts))))


def _texts(data: Dataset, name: str) -> pa.ChunkedArray:
    if name in data.column_names:
        return column_values(data, name).cast(pa.string())
    values = column_values(data, TRANSLATION)
    # Rows without any translation have no side either.
    chunks = [pc.struct_field(chunk, name).cast(pa.string()) for chunk in values.chunks]
    return pa.chunked_array(chunks, pa.string()) if chunks else pa.chunked_array([], pa.string())


def _hold_out(pairs: Dataset, size: float | int | None, seed: int) -> tuple[Dataset, Dataset]:
    total = len(pairs)
    if total < 2:
        raise ValueError("There is one pair: give more, of which some can be held out.")
    count = max(1, min(round(HELD_OUT * total), MOST_HELD_OUT)) if size is None else held_out_count(size, total)
    train, held = split_groups(_joined_groups(pairs[SOURCE][:], pairs[TARGET][:]), count, seed)
    if not len(train):
        raise ValueError(
            "All pairs share a side with others, so that none can be held out by itself: give validation pairs."
        )
    return pairs.select(train), pairs.select(held)


def _joined_groups(sources: Sequence[str], targets: Sequence[str]) -> list[str]:
    """A number for each pair, equal where pairs share a source or a target, be it by others between them."""
    parents = list(range(len(sources)))

    def root(place: int) -> int:
        while parents[place] != place:
            parents[place] = parents[parents[place]]
            place = parents[place]
        return place

    for side in (sources, targets):
        first: dict[str, int] = {}
        for place, text in enumerate(side):
            key = _folded(text)
            known = first.setdefault(key, place)
            if known != place:
                parents[root(place)] = root(known)
    return [f"{root(place):012d}" for place in range(len(sources))]


def _folded(text: str) -> str:
    """The key of a text, in which case and white space do not matter."""
    return " ".join(text.split()).lower()


def _tell_shared(parts: Mapping[str, Dataset]) -> None:
    known = set(map(_folded, parts["train"][SOURCE][:]))
    tell_shared(parts, "sources", lambda part: sum(_folded(text) in known for text in part[SOURCE][:]))

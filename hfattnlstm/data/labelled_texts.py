"""Labelled texts for a model that is there already: one split, with the labels that the model knows."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import NamedTuple

from datasets import Dataset
from transformers.utils import logging

from .._wording import option
from ..modeling.configuration_base import MULTI_LABEL, REGRESSION, SINGLE_LABEL
from .columns import column_names, find_column, find_text_columns, text_column_of, two_columns, usual_columns
from .label_values import LabelKindError
from .labels import convert_labels
from .naming import quote
from .rationales import check_rationale_column, read_rationales, with_rationales
from .sources import SPLIT_NAMES, Split, read_source


logger = logging.get_logger(__name__)

# Which one is measured where a source has several: the first that it has.
_PREFERRED = ("test", "validation", "train")
_GIVES = {SINGLE_LABEL: "one label a text", MULTI_LABEL: "a list of labels for each text", REGRESSION: "a number"}


class LabelledTexts(NamedTuple):
    """Texts with labels, and where they come from.

    Attributes:
        data: Rows with `text`, of several columns a list, and `label`: a class id, a list of them, or a number.
        origin: The place, as a sentence names it.
    """

    data: Dataset
    origin: str


def load_labelled_texts(
    source: str | PathLike | Dataset,
    problem_type: str,
    label_names: Sequence[str],
    *,
    text_column: str | Sequence[str] | None = None,
    label_column: str | None = None,
    split: str | None = None,
) -> LabelledTexts:
    """Loads texts to measure a model on; no class needs to occur, and none is split off.

    Args:
        source: A csv, tsv, JSON lines or parquet file, which may be compressed, a folder, a name on the Hub, or a
            `Dataset` or `DatasetDict`; as [`load_texts`] takes them.
        problem_type: Of the model.
        label_names: Of the model, in order; the file may have the integers from 0 in their place, which is told.
            Without a meaning in a regression.
        text_column: Column of the texts, or several that are read together; by default one with a usual name, or the
            only other column that holds any.
        label_column: Column of the labels; by default one with a usual name.
        split: Of a source with several; by default the test split, otherwise that for validation (told).

    Raises:
        FileNotFoundError: The source does not exist.
        ValueError: It has no texts or labels, or a label that the model does not know; it names the row.

    Example:
    ```python
    >>> reviews = Dataset.from_dict({"text": ["Great food", "Slow service"], "label": ["pos", "pos"]})
    >>> load_labelled_texts(reviews, "single_label_classification", ["neg", "pos"]).data["label"][:]
    [1, 1]

    ```
    """
    chosen = _choose(read_source(source, None), split)
    return _with_labels(chosen, problem_type, label_names, text_column, label_column)


def load_texts_and_any_labels(
    source: str | PathLike | Dataset,
    problem_type: str,
    label_names: Sequence[str],
    *,
    text_column: str | Sequence[str] | None = None,
    label_column: str | None = None,
    split: str | None = None,
    rationale_column: str | None = None,
) -> LabelledTexts:
    """As [`load_labelled_texts`], of a source that need not have labels: `data` has no `label` then.

    Labels that nobody has named, and that do not suit the model, are left out, and that is told. `rationale_column` is
    as for [`load_texts`].

    Example:
    ```python
    >>> texts = Dataset.from_dict({"text": ["Great food", "Slow service"]})
    >>> load_texts_and_any_labels(texts, "single_label_classification", ["neg", "pos"]).data.column_names
    ['text']

    ```
    """
    chosen = _choose(read_source(source, None), split)
    spans = None
    if rationale_column is not None:
        others = [] if label_column is None else [label_column]
        check_rationale_column(chosen, rationale_column, [*column_names(text_column), *others])
        text_column = find_text_columns(chosen, text_column, [rationale_column, *others])
        spans = read_rationales({"train": chosen}, rationale_column, text_column)["train"]
        # Whatever it is called, it has no labels.
        chosen = chosen._replace(data=chosen.data.remove_columns(rationale_column))
    if label_column is not None or usual_columns(chosen, "label"):
        try:
            found = _with_labels(chosen, problem_type, label_names, text_column, label_column)
            return found._replace(data=with_rationales(found.data, spans))
        except ValueError as error:
            if label_column is not None:
                raise
            logger.warning("The labels of the %s are left out: %s", chosen.origin, error)
    return LabelledTexts(with_rationales(text_column_of(chosen, text_column), spans), chosen.origin)


def _with_labels(
    chosen: Split,
    problem_type: str,
    label_names: Sequence[str],
    text_column: str | Sequence[str] | None,
    label_column: str | None,
) -> LabelledTexts:
    if chosen.data.num_rows == 0:
        raise ValueError(f"The {chosen.origin} has no rows.")
    chosen = chosen._replace(data=chosen.data.with_format(None))
    label_column = _label_column(chosen, label_column, text_column)
    rows = {"train": two_columns(chosen, text_column, label_column)}
    names = None if problem_type == REGRESSION else label_names
    try:
        data = convert_labels(rows, label_column, problem_type, names, are_fixed=True)["train"]
    except LabelKindError as error:
        mend = f"give texts with such labels, or name another column with {option('label_column')}"
        raise ValueError(f"{error.found}, but the model gives {_GIVES[problem_type]}: {mend}.") from None
    return LabelledTexts(data, chosen.origin)


def _choose(splits: dict[str, Split], wanted: str | None) -> Split:
    if wanted is not None:
        if wanted not in splits:
            mend = "leave it out" if len(splits) == 1 else "name one of them"
            raise ValueError(f"{option('split', wanted)} is not there, only {quote(splits)}: {mend}.")
        return splits[wanted]
    if len(splits) == 1:
        return next(iter(splits.values()))
    by_role = {SPLIT_NAMES[name]: name for name in splits if name in SPLIT_NAMES}
    name = next((by_role[role] for role in _PREFERRED if role in by_role), None)
    if name is None:
        raise ValueError(f"There are the splits {quote(splits)}: name one with {option('split')}.")
    logger.warning("Of the splits %s, %r is measured: name another with %s.", quote(splits), name, option("split"))
    return splits[name]


def _label_column(split: Split, named: str | None, text_column: str | Sequence[str] | None) -> str:
    try:
        return find_column(split, "label", named, text_column)
    except ValueError as error:
        mend = "texts without labels can only be labelled, by hfattnlstm predict"
        raise ValueError(f"{str(error).removesuffix('.')}; {mend}.") from None

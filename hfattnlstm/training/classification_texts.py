"""The labelled texts of a classification, as its flags name them."""

from __future__ import annotations

from collections.abc import Sequence

from ..data.loading import LoadedTexts, hold_out, load_splits
from ..data.marks import RATIONALE
from .classification_arguments import DataArguments
from .shared_flags import training_sample
from .starting_point import StartingPoint


def load_split_texts(
    data: DataArguments, start: StartingPoint | None, text_column: str | Sequence[str] | None
) -> LoadedTexts:
    """The splits of the data set or of the files that the flags name, with some texts held out where none are named.

    Args:
        data: The flags.
        start: The checkpoint to go on from, whose labels may rule.
        text_column: Column of the texts, or several that are read together.

    Raises:
        ValueError: For data and flags that do not fit together.
    """
    files = {"train": data.train_file, "validation": data.validation_file, "test": data.test_file}
    ruled = None if start is None else start.problem_type
    if None not in (ruled, data.problem_type) and ruled != data.problem_type:
        raise ValueError(
            f"--problem_type {data.problem_type} contradicts {start.name}, a model for {ruled}: leave it out."
        )
    loaded = load_splits(
        data.dataset or {name: path for name, path in files.items() if path is not None},
        text_column=text_column,
        label_column=data.label_column,
        rationale_column=data.rationale_column,
        problem_type=ruled or data.problem_type,
        config_name=data.dataset_config,
        label_names=None if start is None else start.label_names,
        label_names_are_fixed=True,
    )
    loaded = hold_out(loaded, data.validation_size, data.split_seed)
    texts = loaded.splits
    for name in texts.keys() - {"train"}:
        # Nothing is measured of them in a training.
        texts[name] = texts[name].remove_columns(RATIONALE) if RATIONALE in texts[name].column_names else texts[name]
    texts["train"] = training_sample(texts["train"], data, "texts")
    return loaded

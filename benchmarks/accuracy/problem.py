"""The texts that every candidate learns from, and those that it is scored on."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from datasets import ClassLabel, Dataset, Features, List, Value

from hfattnlstm import describe_labels
from hfattnlstm._wording import flags_in_sentences
from hfattnlstm.data.loading import hold_out, load_splits
from hfattnlstm.data.progress import only_errors
from hfattnlstm.data.tokenization import TEXTS_TO_CHOOSE_BY, suitable_kind
from hfattnlstm.modeling.configuration_base import MULTI_LABEL, REGRESSION


VALIDATION_SIZE, SPLIT_SEED = 0.1, 42
# Each Chinese character is a word to the package, but no space stands between them for those who split at spaces.
_CHINESE = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_CHINESE_SHARE = 0.3


@dataclass(frozen=True)
class Problem:
    """What a candidate knows of the texts before it sees them.

    Attributes:
        label_names: In the order of the class ids, and of the columns of indicators.
        several: Whether a text may have several labels.
        unspaced: Whether no spaces stand between words.
    """

    label_names: tuple[str, ...]
    several: bool = False
    unspaced: bool = False

    def as_dataset(self, texts: Sequence[str], labels: np.ndarray) -> Dataset:
        """Texts with their labels, for what reads columns `text` and `label`.

        Args:
            texts: What to read.
            labels: (texts,) class ids, or (texts, labels) of 0 and 1.
        """
        classes = ClassLabel(names=list(self.label_names))
        features = Features({"text": Value("string"), "label": List(classes) if self.several else classes})
        rows = [np.flatnonzero(row).tolist() for row in labels] if self.several else labels.tolist()
        return Dataset.from_dict({"text": list(texts), "label": rows}, features=features)


@dataclass(frozen=True)
class Texts:
    """Texts, and their labels as (texts,) class ids, or as (texts, labels) of 0 and 1."""

    texts: list[str]
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.texts)


@dataclass(frozen=True)
class Split:
    """A problem with its texts.

    Attributes:
        name: Of the source, for the heading.
        problem: What candidates are told.
        train, test: What they learn from, and what they are scored on.
        origin: Where the latter come from, for a note.
    """

    name: str
    problem: Problem
    train: Texts
    test: Texts
    origin: str = field(default="", compare=False)


def load_split(
    source: str | Mapping[str, str],
    name: str,
    *,
    text_column: str | None = None,
    label_column: str | None = None,
    dataset_config: str | None = None,
    validation_size: float | None = None,
    split_seed: int | None = None,
) -> Split:
    """Load labelled texts, as `hfattnlstm.load_texts` does, and hold some out where the source has no test split.

    Args:
        source: As `load_texts` takes it.
        name: What the table calls it.
        text_column, label_column: Found by their names without.
        dataset_config: Of a source that has several.
        validation_size: Share of the training texts that is held out, .1 without.
        split_seed: Seed of their choice, 42 without.

    Raises:
        OSError: The source does not exist.
        ValueError: It cannot be used; the sentence names the flag.
    """
    with flags_in_sentences():
        loaded = load_splits(source, text_column=text_column, label_column=label_column, config_name=dataset_config)
        parts = loaded.splits
        own = next((split for split in ("test", "validation") if split in parts), None)
        given = {"validation_size": validation_size, "split_seed": split_seed}
        if own is None:
            size, seed = validation_size or VALIDATION_SIZE, SPLIT_SEED if split_seed is None else split_seed
            parts = hold_out(loaded, size, seed).splits
            origin = f"{100 * size:g} % of the training texts, held out with the seed {seed}"
        elif chosen := [flag for flag, value in given.items() if value is not None]:
            raise ValueError(f"--{chosen[0]} has no effect, because {name} has a {own} split: leave it out.")
        else:
            origin = f"the {own} split"
    problem_type, names = describe_labels(parts["train"].features)
    if problem_type == REGRESSION:
        raise ValueError(
            f"The column {loaded.label_column!r} of {name} holds numbers, and this table is for classes: name another "
            "one with --label_column."
        )
    several = problem_type == MULTI_LABEL
    train, test = (_texts(parts[split], several, len(names)) for split in ("train", own or "validation"))
    return Split(name, Problem(tuple(names), several, is_unspaced(train.texts)), train, test, origin)


def is_unspaced(texts: Sequence[str]) -> bool:
    """Whether most of the letters belong to a script without spaces between words, so that n-grams are of characters.

    Args:
        texts: Of which the first thousand are looked at.
    """
    some = texts[:TEXTS_TO_CHOOSE_BY]
    with only_errors():
        if suitable_kind(some) != "word":
            return True
    letters = sum(sum(map(str.isalpha, text)) for text in some)
    return sum(len(_CHINESE.findall(text)) for text in some) > _CHINESE_SHARE * letters


def _texts(data: Dataset, several: bool, count: int) -> Texts:
    labels = data["label"][:]
    if not several:
        return Texts(data["text"][:], np.asarray(labels, dtype=np.int64))
    indicators = np.zeros((len(labels), count), dtype=np.int64)
    for row, chosen in enumerate(labels):
        indicators[row, chosen] = 1
    return Texts(data["text"][:], indicators)

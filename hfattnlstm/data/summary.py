"""What a set of labelled texts holds, and what is odd about it, before anything is learnt from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from os import PathLike
from typing import Any, NamedTuple

import numpy as np
from datasets import Dataset, DatasetDict

from ..modeling.configuration_base import MULTI_LABEL, REGRESSION, SINGLE_LABEL
from ..modeling.text_inputs import TextEncoder
from .encoding import MAX_LENGTH, MUCH_UNKNOWN, encode_texts, unknown_shares
from .label_noise import LEAST_TEXTS, NoiseCandidate, find_label_noise, has_spaces
from .loading import LoadedTexts, describe_labels, load_splits
from .splitting import split_train
from .text_faults import Duplicates, Faulty, find_duplicates, find_faults, normalised, words_that_tell
from .tokenization import train_tokenizer


# Characters in which label noise is looked for: seconds, not minutes.
NOISE_CHARACTERS = 4_000_000
# Texts on which a tokenizer is tried, for the share of unknown tokens.
_TOKENIZER_TEXTS = 20_000
_HELD_OUT = 0.1
_SEED = 42
_QUANTILES = (0.5, 0.95, 1.0)


@dataclass(frozen=True)
class Lengths:
    """The length of the middle text, of that which 5 % exceed, and of the longest one."""

    median: int
    p95: int
    longest: int


@dataclass(frozen=True)
class SplitSummary:
    """A split.

    Attributes:
        rows: How many texts it has.
        words, characters: Lengths; as a word counts what stands between white space.
        labels: How many texts have each label, or, in a regression, the least, middle and greatest number.
        labels_per_text: With several labels a text, their mean number.
        duplicates: Texts that are there more than once.
        faults: By their name in `FAULTS`.
    """

    rows: int
    words: Lengths
    characters: Lengths
    labels: dict[str, float]
    labels_per_text: float | None
    duplicates: Duplicates
    faults: dict[str, Faulty]


class Suspect(NamedTuple):
    """A text whose label is worth a second look; see [`find_label_noise`]. `row` is None where it is not known."""

    row: int | None
    label: str
    suggested: str
    probability: float
    text: str


@dataclass(frozen=True)
class DataSummary:
    """What is said of labelled texts.

    Attributes:
        problem_type: In transformers' terms.
        text_columns, label_column, other_columns: What is read, and what is not.
        length_unit: "words", or "characters" where no spaces stand between the words.
        splits: By name.
        shared: For each split that is measured, how many of its texts are among those for training, too.
        unknown_tokens: Share of the tokens that the tokenizer does not know, in what is held out: that of a training,
            or, where there is none, one made of the training texts; None where it was not tried.
        suspects: The texts whose labels are most worth a second look.
        suspects_found, suspects_looked_at: How many there are, in how many training texts; 0 where it was not tried.
        findings: What is odd, by kind, a sentence each.
    """

    problem_type: str
    text_columns: Sequence[str]
    label_column: str
    other_columns: Sequence[str]
    length_unit: str
    splits: Mapping[str, SplitSummary]
    shared: Mapping[str, int]
    unknown_tokens: float | None = None
    suspects: Sequence[Suspect] = ()
    suspects_found: int = 0
    suspects_looked_at: int = 0
    findings: Mapping[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The same as what JSON can hold, with the names of the attributes as keys.

        Example:

        ```python
        >>> sorted(summarize_texts("reviews.csv").to_dict())[:3]
        ['findings', 'label_column', 'length_unit']
        ```
        """
        shown = asdict(self)
        for name, split in shown["splits"].items():
            whole = self.splits[name]
            split["duplicates"] = whole.duplicates._asdict()
            split["faults"] = {fault: found._asdict() for fault, found in whole.faults.items()}
        return shown | {"suspects": [suspect._asdict() for suspect in self.suspects]}


def summarize_texts(
    source: str | PathLike | Mapping | Dataset,
    *,
    text_column: str | Sequence[str] | None = None,
    label_column: str | None = None,
    problem_type: str | None = None,
    config_name: str | None = None,
    most_suspects: int = 5,
) -> DataSummary:
    """Says what a set of labelled texts holds: rows, classes, lengths, duplicates, and labels that may be wrong.

    Nothing is written or trained but, for the labels, a linear model on a sample, and for the unknown tokens a
    tokenizer.

    Args:
        source: As [`load_texts`] takes it.
        text_column, label_column, problem_type, config_name: As there.
        most_suspects: How many texts are listed whose labels are worth a second look.

    Raises:
        FileNotFoundError: The source does not exist.
        ValueError: It cannot be learnt from; the sentence says why.

    Example:

    ```python
    >>> summary = summarize_texts("reviews.csv")
    >>> summary.splits["train"].rows, summary.splits["train"].labels
    (48, {'negative': 24, 'positive': 24})
    ```
    """
    loaded = load_splits(
        source,
        text_column=text_column,
        label_column=label_column,
        problem_type=problem_type,
        config_name=config_name,
    )
    unknown = _unknown_share(loaded.splits)
    return summarize(loaded, unknown, most_suspects=most_suspects)


def summarize(
    loaded: LoadedTexts,
    unknown_tokens: float | None = None,
    *,
    noise_characters: int = NOISE_CHARACTERS,
    most_suspects: int = 5,
    rows_are_known: bool = True,
    tokens_read: int = MAX_LENGTH,
) -> DataSummary:
    """The summary of texts that are loaded; see [`summarize_texts`].

    Args:
        loaded: The texts with what is known of their source.
        unknown_tokens: Share in what is held out.
        noise_characters: In how many characters of training texts label noise is looked for.
        most_suspects: How many texts are listed for it.
        rows_are_known: Whether a row of the training split is one of the source.
        tokens_read: Of a text, at most, by a training.
    """
    problem, names = describe_labels(loaded.splits["train"].features)
    texts = {name: _joined(split["text"][:]) for name, split in loaded.splits.items()}
    labels = {name: split["label"][:] for name, split in loaded.splits.items()}
    keys = {name: [normalised(text) for text in split] for name, split in texts.items()}
    splits = {name: _summarize_split(texts[name], keys[name], labels[name], problem, names) for name in loaded.splits}
    known = set(keys["train"])
    shared = {name: sum(key in known for key in keys[name]) for name in keys if name != "train"}
    suspects, found, looked_at, telling = [], 0, 0, []
    if problem == SINGLE_LABEL:
        candidates, looked_at = find_label_noise(texts["train"], np.asarray(labels["train"]), noise_characters)
        found = len(candidates)
        suspects = [_suspect(each, texts["train"], names, rows_are_known) for each in candidates[:most_suspects]]
        telling = words_that_tell(texts["train"], labels["train"], names)
    unit = "words" if has_spaces(texts["train"]) else "characters"
    return DataSummary(
        problem_type=problem,
        text_columns=loaded.text_columns,
        label_column=loaded.label_column,
        other_columns=loaded.other_columns,
        length_unit=unit,
        splits=splits,
        shared=shared,
        unknown_tokens=unknown_tokens,
        suspects=suspects,
        suspects_found=found,
        suspects_looked_at=looked_at,
        findings=_findings(splits, shared, unknown_tokens, problem, unit, tokens_read) | _of_names(telling),
    )


def _suspect(candidate: NoiseCandidate, texts: Sequence[str], names: Sequence[str], row_is_known: bool) -> Suspect:
    return Suspect(
        candidate.row if row_is_known else None,
        names[candidate.label],
        names[candidate.suggested],
        round(candidate.probability, 4),
        texts[candidate.row - 1],
    )


def _joined(texts: Sequence[str | Sequence[str]]) -> list[str]:
    return [text if isinstance(text, str) else " ".join(text) for text in texts]


def _unknown_share(splits: DatasetDict) -> float | None:
    """Of the tokens that are held out, or of a tenth where nothing is, to a tokenizer like that of a training."""
    train = splits["train"]
    held_out = splits.get("validation", splits.get("test"))
    if held_out is None:
        if len(train) < 2:
            return None
        train, held_out = split_train(train, _HELD_OUT, _SEED)
    train, held_out = (
        split.shuffle(seed=_SEED).select(range(min(len(split), _TOKENIZER_TEXTS))) for split in (train, held_out)
    )
    try:
        tokenizer = train_tokenizer(train["text"][:])
    except ValueError:
        # No word occurs twice, so that it would know none: a reason to say so, not to refuse the file.
        return 1.0
    encoded = encode_texts(DatasetDict(held_out=held_out), TextEncoder(tokenizer))
    return unknown_shares(encoded, tokenizer)["held_out"]


def _summarize_split(
    texts: Sequence[str], keys: Sequence[str], labels: Sequence[Any], problem: str, names: Sequence[str]
) -> SplitSummary:
    comparable = [tuple(label) if isinstance(label, list) else label for label in labels]
    return SplitSummary(
        rows=len(texts),
        words=_lengths([len(text.split()) for text in texts]),
        characters=_lengths([len(text) for text in texts]),
        labels=_count_labels(labels, problem, names),
        labels_per_text=sum(map(len, labels)) / max(len(labels), 1) if problem == MULTI_LABEL else None,
        duplicates=find_duplicates(keys, comparable),
        faults=find_faults(texts),
    )


def _lengths(lengths: Sequence[int]) -> Lengths:
    return Lengths(*(int(length) for length in np.quantile(lengths or [0], _QUANTILES, method="nearest")))


def _count_labels(labels: Sequence[Any], problem: str, names: Sequence[str]) -> dict[str, float]:
    if problem == REGRESSION:
        least, middle, greatest = np.quantile(labels or [0.0], (0, 0.5, 1))
        return {"least": float(least), "median": float(middle), "greatest": float(greatest)}
    counts = Counter(label for row in labels for label in row) if problem == MULTI_LABEL else Counter(labels)
    return {name: counts[place] for place, name in enumerate(names)}


# Shares from which on something is said.
_MANY_DUPLICATES = 0.05
_MANY_SHARED = 0.01
_MUCH_HTML = 0.01
_RARE_TO_FREQUENT = 10


def _findings(
    splits: Mapping[str, SplitSummary],
    shared: Mapping[str, int],
    unknown: float | None,
    problem: str,
    unit: str,
    tokens_read: int,
) -> dict[str, str]:
    found = {}
    train = splits["train"]
    for name, split in splits.items():
        own = _of_texts(name, split, unit, tokens_read)
        found |= {f"{kind}_{name}": sentence for kind, sentence in own.items()}
    for name, count in shared.items():
        if count and count >= _MANY_SHARED * splits[name].rows:
            found[f"shared_{name}"] = (
                f"Texts of {name} that are among those for training, too, up to case and punctuation: {count:,} of "
                f"{splits[name].rows:,}. Figures on them are too good: take them out of one of the two."
            )
    if unknown is not None and unknown >= MUCH_UNKNOWN:
        found["unknown"] = (
            f"The tokenizer does not know {100 * unknown:.0f} % of the tokens of the held-out texts: "
            "one of more texts, or of pieces of words (--tokenizer_kind bpe), would know more."
        )
    if problem != REGRESSION:
        found |= _rare_labels(train)
    if problem == SINGLE_LABEL:
        found |= _imbalance(train)
    if problem == REGRESSION and train.labels["least"] == train.labels["greatest"]:
        found["constant"] = "All numbers are the same: there is nothing to learn. Is it the right label column?"
    return found


def _of_texts(name: str, split: SplitSummary, unit: str, tokens_read: int) -> dict[str, str]:
    found = {}
    repeated = split.duplicates
    if repeated.contradicting:
        first, second = repeated.example
        found["contradicting"] = (
            f"Texts of {name} that repeat another one with a different label: {repeated.contradicting:,}, such as row "
            f"{second:,}, which repeats row {first:,}: decide which label is right."
        )
    if repeated.count >= max(_MANY_DUPLICATES * split.rows, 1):
        found["duplicates"] = (
            f"Texts of {name} that repeat an earlier one, up to case and punctuation: {repeated.count:,} of "
            f"{split.rows:,}. They count more than the others: leave them out if that is not meant."
        )
    says = {
        "empty": ("that are empty", "leave them out, for they can only be guessed"),
        "mojibake": ("with characters that were read in a wrong encoding, such as Ã©", "save the file as UTF-8 again"),
        "url_only": ("that are an address and nothing else", "leave them out, or put there what it shows"),
    }
    if split.faults.get("html", (0,))[0] >= _MUCH_HTML * split.rows:
        says["html"] = ("with tags or entities of HTML", "take these out, if new texts will not have them")
    for fault, (which, mend) in says.items():
        if fault in split.faults:
            count, row = split.faults[fault]
            found[fault] = f"Texts of {name} {which}: {count:,} of {split.rows:,}, the first in row {row:,}; {mend}."
    longest = getattr(split, unit).p95
    if longest > tokens_read:
        found["long"] = (
            f"Of {name}, a text in twenty has more than {longest:,} {unit}, and a training reads {tokens_read} "
            "tokens: --max_length reads more, and takes longer."
        )
    return found


def _rare_labels(train: SplitSummary) -> dict[str, str]:
    rare = [name for name, count in train.labels.items() if count < LEAST_TEXTS]
    if not rare:
        return {}
    more = f" and {len(rare) - 5} more" if len(rare) > 5 else ""
    sentence = (
        f"Labels of fewer than {LEAST_TEXTS} texts for training: {', '.join(map(repr, rare[:5]))}{more}. These are "
        "too few to learn from: collect more, or join labels."
    )
    return {"rare": sentence}


def _imbalance(train: SplitSummary) -> dict[str, str]:
    counts = sorted(train.labels.values())
    if counts[-1] < _RARE_TO_FREQUENT * max(counts[0], 1):
        return {}
    frequent = max(train.labels, key=lambda name: train.labels[name])
    sentence = (
        f"{frequent!r} has {100 * counts[-1] / train.rows:.0f} % of the texts, {counts[-1] // max(counts[0], 1):,} "
        "times as many as the rarest class: look at F1 by class, not at accuracy; --class_weights balanced may help."
    )
    return {"imbalanced": sentence}


def _of_names(telling: Sequence[str]) -> dict[str, str]:
    if not telling:
        return {}
    sentence = (
        f"The texts of {', '.join(map(repr, telling[:3]))} have this very word in them, and the others have not: "
        "a model may learn little else. If new texts will not have it, take it out."
    )
    return {"label_in_text": sentence}

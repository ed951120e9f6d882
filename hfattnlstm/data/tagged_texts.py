"""Loading of words with tags into one form, wherever they come from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from datasets import ClassLabel, Dataset, DatasetDict, Features, List, Value
from transformers.utils import logging

from .._wording import option
from .columns import kind_of
from .conll import ENDINGS as CONLL_ENDINGS
from .conll import read_conll
from .json_files import json_rows
from .naming import quote
from .sources import SPLIT_NAMES, Split, choose_splits, read_source, text_of_file
from .splitting import check_size, held_out_count
from .tags import TaggedSentence, convert_tags, sorted_tags, tags_of_kinds
from .text_lines import ending_of
from .text_spans import parse_spans, tell_inexact, text_with_spans, words_of_text
from .word_rows import first_cells, joined_rows, names_word_rows, word_columns
from .word_splitting import split_words


logger = logging.get_logger(__name__)

TOKEN_COLUMNS = ("tokens", "words", "token", "word", "form", "forms", "sentence_tokens")
TAG_COLUMNS = (
    *("ner_tags", "tags", "ner", "labels", "label", "ner_labels", "entities_tags", "bio_tags", "fine_ner_tags"),
    *("tag", "ner_tag", "upos", "pos_tags", "upos_tags", "pos", "chunk_tags", "xpos"),
)
SPAN_COLUMNS = ("spans", "entities", "label", "labels", "annotations", "ner")
_JSON = (".json", ".jsonl")
_TABLES = (".parquet", ".csv")


class TaggedTexts(NamedTuple):
    """Words with tags as their source divides them.

    Attributes:
        splits: "train" and, if any, "validation" and "test", with columns `tokens` and `tags`, and of texts with spans
            also `text` and `offsets`.
        tagging_scheme: How the tags mark spans; None where they are no spans.
        held_out: Whether the validation sentences were taken from those for training.
    """

    splits: DatasetDict
    tagging_scheme: str | None
    held_out: bool = False


def load_tagged_texts(
    source: str | PathLike | Mapping | Dataset,
    *,
    tokens_column: str | None = None,
    label_column: str | None = None,
    tagging_scheme: str | None = None,
    to_scheme: str = "bio",
    config_name: str | None = None,
    validation_size: float | int = 0.1,
    seed: int = 42,
    tag_names: Sequence[str] | None = None,
    split: Callable[[str], list[tuple[int, int]]] = split_words,
) -> TaggedTexts:
    """Loads words with their tags, for a tagger.

    Files of columns (`.conll`, `.conllu`, `.bio`, `.txt`, `.tsv` and the like) have a word and its tag a line. Rows of
    JSON lines, parquet files and data sets have a list of words and one of tags, as names, or as numbers with names;
    or a text with spans of characters; or a table has a word a row, and a column that numbers its sentences. Tags of
    spans are brought to one scheme, whichever they follow.

    Args:
        source: A name on the Hub, a folder in its layout or of such files (`train`, `validation`, `test` in their
            names), a file, a mapping from split to file, or a `Dataset` or `DatasetDict`.
        tokens_column: Column of the words; by default one with a usual name.
        label_column: Column of the tags, or of the spans; by default one with a usual name. Of a file of columns, its
            number, counted from 1, by default the last.
        tagging_scheme: Scheme of the tags, one of `READ_SCHEMES`; by default seen from them.
        to_scheme: Scheme that they are brought to, one of `SCHEMES`.
        config_name: Configuration of a source on the Hub or in a folder, where it has several.
        validation_size: Share or number of the training sentences that make the validation split where there is none.
        seed: Seed of their choice.
        tag_names: Names of the tags in order, for numbers that have none.
        split: Cuts a text with spans into words: from the text to the start and end of each.

    Raises:
        FileNotFoundError: The source does not exist.
        ValueError: An argument, a file, a column, a tag or a span is not as it should be.

    Example:

    ```python
    >>> rows = Dataset.from_dict({"tokens": [["In", "Paris"]] * 10, "ner_tags": [["O", "I-LOC"]] * 10})
    >>> loaded = load_tagged_texts(rows)
    >>> loaded.splits["train"][0], loaded.splits["train"].features["tags"].feature.names
    ({'tokens': ['In', 'Paris'], 'tags': [0, 1]}, ['O', 'B-LOC', 'I-LOC'])
    ```
    """
    reader = SentenceReader(tokens_column, label_column, tag_names, split)
    found = reader.splits_of(source, config_name)
    if tag_names is not None and not reader.names_were_needed:
        raise ValueError(f"{option('tag_names')} is for tags that are numbers, and these have names: leave it out.")
    every = [sentence for part in found.values() for sentence in part]
    if tagging_scheme is not None and all(sentence.text is not None for sentence in every):
        raise ValueError(f"{option('tagging_scheme')} is for tags, and these are spans of texts: leave it out.")
    scheme = convert_tags(every, tagging_scheme, to_scheme)
    held_out = "validation" not in found
    if held_out:
        found["train"], found["validation"] = _held_out(found["train"], validation_size, seed)
    names = _tag_names(found, scheme)
    parts = {name: _as_dataset(found[name], names) for name in ("train", "validation", "test") if name in found}
    return TaggedTexts(DatasetDict(parts), scheme, held_out)


def _files(source: Any) -> dict[str, Path] | None:
    """The file of each split, where all of them are files that are read here; None for all else."""
    if isinstance(source, Mapping) and not isinstance(source, DatasetDict):
        if all(isinstance(part, (str, PathLike)) for part in source.values()):
            return {name: Path(part).expanduser() for name, part in source.items()}
        return None
    if not isinstance(source, (str, PathLike)):
        return None
    path = Path(source).expanduser()
    if path.is_dir():
        return _files_of_folder(path)
    return {"train": path} if path.is_file() or ending_of(path) in (*CONLL_ENDINGS, *_JSON, *_TABLES) else None


def _files_of_folder(folder: Path) -> dict[str, Path] | None:
    """Files whose names have that of a split between points, hyphens or underscores; None without any.

    What has a card, and may declare the types of its columns, is read as the Hub has it, and so is parquet.
    """
    endings = CONLL_ENDINGS if (folder / "README.md").exists() else (*CONLL_ENDINGS, *_JSON)
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.is_file() and ending_of(path) in endings and path.stem.lower() != "readme":
            parts = path.name.lower().replace("-", ".").replace("_", ".").split(".")
            role = next((name for name in SPLIT_NAMES if name in parts), None)
            if role is not None:
                if role in found:
                    raise ValueError(
                        f"The folder {folder} has two files for {role}, {found[role].name} and {path.name}: name the "
                        "files themselves."
                    )
                found[role] = path
    return found if "train" in found else None


class SentenceReader:
    """Reads sentences from files and from rows of data sets, with the columns that were named or are found.

    Args:
        tokens_column, label_column, tag_names, split: As in [`load_tagged_texts`].

    Example:

    ```python
    >>> reader = SentenceReader()
    >>> rows = Dataset.from_dict({"tokens": [["In", "Paris"]], "ner_tags": [["O", "I-LOC"]]})
    >>> reader.splits_of(rows)["train"][0].tags
    ['O', 'I-LOC']
    ```
    """

    def __init__(
        self,
        tokens_column: str | None = None,
        label_column: str | None = None,
        tag_names: Sequence[str] | None = None,
        split: Callable[[str], list[tuple[int, int]]] = split_words,
    ):
        self._tokens, self._labels, self._names, self._split = tokens_column, label_column, tag_names, split
        # Whether a tag was a number that has its name from `tag_names`.
        self.names_were_needed = False

    def splits_of(self, source: Any, config_name: str | None = None) -> dict[str, list[TaggedSentence]]:
        """The sentences of "train" and the other splits that a source has, with the tags that stand there.

        Raises:
            FileNotFoundError: The source does not exist.
            ValueError: A file or a column is not as it should be.
        """
        files = _files(source)
        if files is None:
            parts = choose_splits(read_source(source, config_name))
            return {name: list(self.of_split(part)) for name, part in parts.items()}
        if config_name is not None:
            raise ValueError(
                f"{option('config_name', config_name)} is for a source on the Hub or a folder: leave it out."
            )
        found: dict[str, list[TaggedSentence]] = {}
        for name, path in files.items():
            role = SPLIT_NAMES.get(name)
            if role is None:
                raise ValueError(f"The split {name!r} is none of {quote(SPLIT_NAMES)}: rename it or leave it out.")
            if role in found:
                raise ValueError(f"More than one of the splits {quote(files)} is for {role}: leave one out.")
            found[role] = list(self.of_file(path))
            if not found[role]:
                raise ValueError(f"The file {path} has no sentences.")
        if "train" not in found:
            raise ValueError(
                f"There is no split 'train', only {quote(found)}: give that of the training rows this name."
            )
        return found

    def of_file(self, path: Path) -> Iterator[TaggedSentence]:
        """Those of a file, by its ending."""
        if not path.is_file():
            raise FileNotFoundError(f"There is no file {path}: check its name.")
        ending = ending_of(path)
        if ending in _TABLES or (ending == ".tsv" and names_word_rows(first_cells(path))):
            return self.of_split(read_source(path, None)["train"])
        if ending in CONLL_ENDINGS:
            if self._tokens is not None:
                raise ValueError(
                    f"{option('tokens_column')} is for rows with lists of words, and the file {path} has a word a "
                    "line: leave it out."
                )
            return iter(read_conll(path, self._labels))
        if ending in _JSON:
            rows = enumerate(json_rows(path, text_of_file(path)), 1)
            return self._of_rows(rows, f"the file {path}", {})
        known = (*CONLL_ENDINGS, *_JSON, *_TABLES)
        raise ValueError(
            f"The file {path} is read for no tags, which stand in files that end in one of {quote(known)}: convert "
            "it, to a word and its tag a line."
        )

    def of_split(self, split: Split) -> Iterator[TaggedSentence]:
        """Those of a data set."""
        return self._of_rows(enumerate(split.data, 1), f"the {split.origin}", split.data.features)

    def _of_rows(self, rows: Iterator[tuple[int, dict]], origin: str, features: Mapping) -> Iterator[TaggedSentence]:
        form = None
        spans = inexact = 0
        tokens, plain = self._plain_rows(rows, origin)
        for place, row in plain:
            form = form or self._form(row, tokens, origin, features)
            if form.text is None:
                yield self._of_words(row, form, place)
            else:
                sentence, wrong, total = self._of_text(row, form, place)
                inexact, spans = inexact + wrong, spans + total
                yield sentence
        tell_inexact(inexact, spans)

    def _plain_rows(
        self, rows: Iterator[tuple[int, Mapping]], origin: str
    ) -> tuple[str | None, Iterator[tuple[str, Mapping]]]:
        """The column of the words, where it is known, and a row a sentence, with its place, and without what is
        peculiar to the tool that has written them."""
        first = next(rows, None)
        if first is None:
            return self._tokens, iter(())
        rows = chain([first], rows)
        has_lists = any(isinstance(first[1].get(name), list) for name in (self._tokens, *TOKEN_COLUMNS))
        if columns := None if has_lists else word_columns(first[1], self._tokens):
            joined = joined_rows(rows, columns, origin)
            return columns.words, ((f"The sentence from row {number} of {origin}", row) for number, row in joined)
        places = ((f"Row {number} of {origin}", row) for number, row in rows)
        return self._tokens, ((place, text_with_spans(row, place)) for place, row in places)

    def _form(self, row: Mapping[str, Any], tokens: str | None, origin: str, features: Mapping) -> _Form:
        """Which columns hold what; that of the words may be known."""
        columns = list(row)
        tokens = tokens or next((name for name in TOKEN_COLUMNS if _is_list_of_texts(row.get(name))), None)
        if tokens is None and isinstance(row.get("text"), str):
            labels = self._column(columns, row, SPAN_COLUMNS, "spans", origin)
            return _Form(None, labels, "text", None)
        if tokens not in columns:
            named = "no column of words that is known" if tokens is None else f"no column {tokens!r}"
            raise ValueError(
                f"There is {named} in {origin}, which has {quote(columns)}: name that of the lists of words with "
                f"{option('tokens_column')}, or give texts as text, with their spans."
            )
        labels = self._column([name for name in columns if name != tokens], row, TAG_COLUMNS, "tags", origin)
        return _Form(tokens, labels, None, self._names_of(features.get(labels)))

    def _column(self, columns: list[str], row: Mapping, usual: Sequence[str], what: str, origin: str) -> str:
        if self._labels is not None:
            if self._labels not in columns:
                raise ValueError(
                    f"There is no column {self._labels!r} in {origin}, which has {quote(columns)}: name that of the "
                    f"{what} with {option('label_column')}."
                )
            return self._labels
        names = {name.lower(): name for name in columns}
        found = [names[name] for name in usual if name in names and isinstance(row.get(names[name]), list)]
        if not found:
            raise ValueError(
                f"There is no column of {what} that is known in {origin}, which has {quote(columns)}: name it with "
                f"{option('label_column')}."
            )
        if len(found) > 1:
            logger.warning(
                "Of %s the column %r is read for the %s, and not %s: %s names another.",
                *(origin, found[0], what, quote(found[1:]), option("label_column")),
            )
        return found[0]

    def _names_of(self, feature: Any) -> Sequence[str] | None:
        inner = getattr(feature, "feature", feature)
        return inner.names if kind_of(inner) == "class" else self._names

    def _of_words(self, row: Mapping, form: _Form, place: str) -> TaggedSentence:
        words, tags = row.get(form.tokens), row.get(form.labels)
        for name, values in ((form.tokens, words), (form.labels, tags)):
            if not isinstance(values, (list, tuple)):
                raise ValueError(f"{place} has no list in {name!r}: give a list of words and one of tags.")
        if len(words) != len(tags):
            raise ValueError(f"{place} has {len(words)} words and {len(tags)} tags: give every word its tag.")
        wrong = [word for word in words if not isinstance(word, str)]
        if wrong:
            raise ValueError(f"{place} has {wrong[0]!r} among its words: words are texts.")
        return TaggedSentence(list(words), [self._name(tag, form.names, place) for tag in tags], place)

    def _name(self, tag: Any, names: Sequence[str] | None, place: str) -> str:
        if isinstance(tag, str) and tag.strip():
            return tag.strip()
        if type(tag) is int and names is not None and 0 <= tag < len(names):
            self.names_were_needed |= names is self._names
            return names[tag]
        if type(tag) is not int:
            raise ValueError(f"{place} has {tag!r} among its tags: a tag is a name, or a number.")
        mend = f"name the tags from 0 on with {option('tag_names')}"
        if names is not None:
            mend = f"there are names for the numbers from 0 to {len(names) - 1}: mend the tag, or the names"
        raise ValueError(f"{place} has the tag {tag}, a number without a name: {mend}.")

    def _of_text(self, row: Mapping, form: _Form, place: str) -> tuple[TaggedSentence, int, int]:
        text = row.get(form.text)
        if not isinstance(text, str):
            raise ValueError(f"{place} has no text in {form.text!r}: give one, or leave the row out.")
        spans = parse_spans(text, row.get(form.labels) or [], place)
        sentence, inexact = words_of_text(text, spans, self._split, place)
        return sentence, inexact, len(spans)


def _is_list_of_texts(value: Any) -> bool:
    """What some tools write beside a text is a list of objects."""
    return isinstance(value, list) and not any(isinstance(each, Mapping) for each in value[:1])


class _Form(NamedTuple):
    """The columns of rows: words and tags, or a text and its spans; and the names of numbered tags."""

    tokens: str | None
    labels: str
    text: str | None
    names: Sequence[str] | None


def _held_out(
    sentences: list[TaggedSentence], size: float | int, seed: int
) -> tuple[list[TaggedSentence], list[TaggedSentence]]:
    check_size(size)
    total = len(sentences)
    count = held_out_count(size, total)
    chosen = set(np.random.default_rng(seed).permutation(total)[:count].tolist())
    return (
        [sentence for index, sentence in enumerate(sentences) if index not in chosen],
        [sentence for index, sentence in enumerate(sentences) if index in chosen],
    )


def _tag_names(found: Mapping[str, list[TaggedSentence]], scheme: str | None) -> list[str]:
    """All tags in order; those that training has not are told."""
    seen = {name: {tag for sentence in part for tag in sentence.tags} for name, part in found.items()}
    if scheme is not None:
        seen = {name: {tag.partition("-")[2] for tag in tags} - {""} for name, tags in seen.items()}
    every = set().union(*seen.values())
    if unknown := sorted(every - seen["train"]):
        logger.warning(
            "No training sentence has the tag%s %s, so that nothing learns %s.",
            *("s" * (len(unknown) > 1), quote(unknown), "them" if len(unknown) > 1 else "it"),
        )
    if scheme is not None:
        return tags_of_kinds(every, scheme)
    return sorted_tags(every)


def _as_dataset(sentences: list[TaggedSentence], names: list[str]) -> Dataset:
    columns: dict[str, list] = {
        "tokens": [each.words for each in sentences],
        "tags": [each.tags for each in sentences],
    }
    features = {"tokens": List(Value("string")), "tags": List(ClassLabel(names=names))}
    if any(sentence.text is not None for sentence in sentences):
        columns["text"] = [each.text for each in sentences]
        columns["offsets"] = [[list(pair) for pair in each.offsets] for each in sentences]
        features |= {"text": Value("string"), "offsets": List(List(Value("int32")))}
    return Dataset.from_dict(columns, features=Features(features))

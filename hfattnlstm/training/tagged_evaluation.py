"""Measures a tagger on words whose tags are known, wherever both come from."""

from __future__ import annotations

from os import PathLike
from typing import Any

from datasets import Dataset
from tqdm import tqdm
from transformers import Pipeline

from .._wording import option
from ..data.naming import quote
from ..data.tagged_texts import SentenceReader
from ..data.tags import TaggedSentence, convert_tags
from .tagging_evaluation import MISTAKES, TagEvaluation, evaluate_tags


# Of a source with several splits, the first that there is.
_FIRST = ("test", "validation", "train")
# A bar appears after this many seconds.
_DELAY = 2.0


def evaluate_tagger(
    tagger: Pipeline,
    source: str | PathLike | Dataset,
    *,
    tokens_column: str | None = None,
    label_column: str | None = None,
    tagging_scheme: str | None = None,
    split: str | None = None,
    batch_size: int | None = None,
    mistakes: int = MISTAKES,
) -> TagEvaluation:
    """Measure a tagger on words whose tags are known.

    Args:
        tagger: The pipeline of a tagger of this package.
        source, tokens_column, label_column, tagging_scheme: As in [`load_tagged_texts`].
        split: Of a source with several; by default the test split, otherwise that for validation.
        batch_size: Sentences in a batch; chosen by their length by default.
        mistakes: How many of the most confident mistakes are kept.

    Raises:
        FileNotFoundError: The source does not exist.
        ValueError: It cannot be used for this model; the sentence names the file and the line, or the argument.

    Example:

    ```python
    >>> tagger = pipeline("attention-token-classification", model="my-tagger")
    >>> evaluate_tagger(tagger, "test.conll").scores["f1"]
    0.9
    ```
    """
    config = tagger.model.config
    for name, value, least in (("batch_size", batch_size, 1), ("mistakes", mistakes, 0)):
        if value is not None and value < least:
            raise ValueError(f"{option(name)} must be at least {least}, got {value}.")
    names = [config.id2label[number] for number in range(config.num_labels)]
    reader = SentenceReader(tokens_column, label_column, names, _splitter(tagger))
    parts = reader.splits_of(source)
    chosen = split or next(name for name in _FIRST if name in parts)
    if chosen not in parts:
        raise ValueError(f"{option('split', chosen)} is none of {quote(parts)}: choose one of them.")
    sentences = [sentence for sentence in parts[chosen] if sentence.words]
    scheme = convert_tags(sentences, tagging_scheme, config.tagging_scheme or "bio")
    _check_kind(scheme, config, source)
    _check_names(sentences, names, source)
    given = ({"tokens": sentence.words} for sentence in sentences)
    options: dict[str, Any] = {} if batch_size is None else {"batch_size": batch_size}
    found = list(tqdm(tagger(given, **options), total=len(sentences), disable=None, delay=_DELAY, unit="sentence"))
    return evaluate_tags(
        [sentence.words for sentence in sentences],
        [sentence.tags for sentence in sentences],
        [[word["tag"] for word in result["words"]] for result in found],
        [[word["score"] for word in result["words"]] for result in found],
        config.tagging_scheme,
        mistakes,
    )


def _splitter(tagger: Pipeline) -> Any:
    """What cuts texts with spans into words, as the model cuts them."""
    backend = tagger.tokenizer.backend_tokenizer

    def split(text: str) -> list[tuple[int, int]]:
        return [span for _, span in backend.pre_tokenizer.pre_tokenize_str(text)]

    return split


def _check_kind(scheme: str | None, config: Any, source: Any) -> None:
    if (scheme is None) != (config.tagging_scheme is None):
        has, wants = ("tags of single words", "spans") if scheme is None else ("spans", "tags of single words")
        raise ValueError(
            f"{source} has {has}, and the model gives {wants}: name the column of its tags with "
            f"{option('label_column')}, or say {option('tagging_scheme')}."
        )


def _check_names(sentences: list[TaggedSentence], names: list[str], source: Any) -> None:
    known = set(names)
    for sentence in sentences:
        for index, tag in enumerate(sentence.tags):
            if tag not in known:
                raise ValueError(
                    f"{sentence.where(index)} has the tag {tag!r}, and the model has {quote(names)}: rename the tag, "
                    "or measure on others."
                )
